/**
 * Work and its checkpoint in one transaction: both or neither, whatever becomes of the work and whoever else works.
 */
import { assert } from "@effect/vitest"
import { assertTrue, deepStrictEqual, strictEqual } from "@effect/vitest/utils"
import { Cause, Effect, Exit, Fiber, Latch } from "effect"
import { type CheckpointId, CheckpointMoved, CheckpointStore } from "../../CheckpointStore.ts"
import { DeadLetters } from "../../DeadLetters.ts"
import { StoreUnavailable } from "../../EventStore.ts"
import { type ViewDefinition, ViewStore } from "../../ViewStore.ts"
import type { Guarantees } from "./Guarantees.ts"
import * as ReadSide from "./ReadSide.ts"
import * as Sample from "./Sample.ts"

type Stores = CheckpointStore | ViewStore | DeadLetters

/** A reader with a view, a letter, a parked stream and a second checkpoint: one of all that a transaction can hold. */
const scene = Effect.gen(function*() {
  const id = ReadSide.checkpoint()
  const reader = { name: id.name, version: 1 }
  return {
    id,
    reader,
    other: { ...id, partition: 1 },
    stream: { reader, stream: { tenant: "t", category: "c", id: "s" }, fromPosition: 3n },
    view: yield* ReadSide.prepared([{ field: "n", type: "number" }])
  }
})

type Scene = Effect.Success<typeof scene>

/** Changes all of it. */
const changeAll = ({ other, reader, stream, view }: Scene, n: number) =>
  Effect.gen(function*() {
    const [checkpoints, letters, views] = [yield* CheckpointStore, yield* DeadLetters, yield* ViewStore]
    yield* ReadSide.write(view, ReadSide.put("a", { n }), ReadSide.put(`${n}`, { n }), ReadSide.gone(`${n - 1}`))
    yield* letters.put(ReadSide.letter(reader, BigInt(n)))
    yield* letters.park({ ...stream, fromPosition: BigInt(n) })
    yield* checkpoints.pause(other, `at ${n}`, "e")
    const live = yield* views.live(view.name)
    yield* views.flip(view.name, { from: live?.version, to: { version: n, pinned: false } })
    return n
  })

/** All of it as it is seen. */
const look = ({ id, other, reader, view }: Scene) =>
  Effect.gen(function*() {
    const [checkpoints, letters, views] = [yield* CheckpointStore, yield* DeadLetters, yield* ViewStore]
    return {
      positions: [(yield* checkpoints.get(id))?.position, (yield* checkpoints.get(other))?.paused],
      listed: (yield* checkpoints.list(id.name)).length,
      keys: yield* ReadSide.keys(view),
      counted: yield* views.count(view, { tenant: ReadSide.tenant, where: [{ field: "n", equals: 1 }] }),
      a: yield* ReadSide.documentAt(view, "a"),
      letters: (yield* letters.list({ reader })).map(({ position }) => position),
      parked: (yield* letters.parked(reader)).map(({ fromPosition }) => fromPosition),
      live: (yield* views.live(view.name))?.version
    }
  })

/** What is seen after the changes of one step. */
const seenAfter = (n: number) => ({
  positions: [BigInt(n), `at ${n}`],
  listed: 2,
  keys: [`${n}`, "a"],
  counted: n === 1 ? 2 : 0,
  a: `{"n":${n}}`,
  letters: Array.from({ length: n }, (_, index) => BigInt(index + 1)),
  parked: [1n],
  live: n
})

const nothing = {
  positions: [undefined, undefined],
  listed: 0,
  keys: [],
  counted: 0,
  a: undefined,
  letters: [],
  parked: [],
  live: undefined
}

const advance = <A, E, R>(id: CheckpointId, revision: number, work: Effect.Effect<A, E, R>) =>
  Effect.flatMap(CheckpointStore, (store) => store.advance(ReadSide.step(id, revision, BigInt(revision + 1)), work))

const transaction = <A, E, R>(work: Effect.Effect<A, E, R>) =>
  Effect.flatMap(CheckpointStore, (store) => store.transaction(work))

const together: Guarantees<Stores> = {
  "I11: the work and the checkpoint are kept together": Effect.gen(function*() {
    const all = yield* scene
    for (const n of [1, 2, 3]) {
      strictEqual((yield* advance(all.id, n - 1, changeAll(all, n))).value, n)
      deepStrictEqual(yield* look(all), seenAfter(n))
    }
  }),

  "I11: the work sees what it has done, and so does whoever comes after it": Effect.gen(function*() {
    const all = yield* scene
    const { value } = yield* advance(all.id, 0, Effect.andThen(changeAll(all, 1), look(all)))
    deepStrictEqual(value, seenAfter(1))
    deepStrictEqual(yield* look(all), seenAfter(1))
  }),

  "I11: work that fails keeps nothing, and its error is told as it is": Effect.gen(function*() {
    const all = yield* scene
    const mine = new StoreUnavailable({ operation: "mine", detail: "of the work" })
    const moved = new CheckpointMoved({
      name: "mine",
      version: 1,
      partition: 0,
      expected: 1,
      actual: 2,
      paused: undefined
    })
    for (const error of ["no", mine, moved]) {
      const work = Effect.andThen(changeAll(all, 1), Effect.fail(error))
      strictEqual(yield* Effect.flip(advance(all.id, 0, work)), error)
      strictEqual(yield* Effect.flip(transaction(work)), error)
      deepStrictEqual(yield* look(all), nothing)
    }
    yield* advance(all.id, 0, changeAll(all, 1))
    deepStrictEqual(yield* look(all), seenAfter(1))
  }),

  "I11: a defect of the work keeps nothing, and stays one": Effect.gen(function*() {
    const all = yield* scene
    const work = Effect.andThen(changeAll(all, 1), Effect.die("defect"))
    for (const attempt of [advance(all.id, 0, work), transaction(work)]) {
      strictEqual(yield* ReadSide.defectOf(attempt), "defect")
      deepStrictEqual(yield* look(all), nothing)
    }
  }),

  "I11: work that is interrupted keeps nothing": Effect.gen(function*() {
    const all = yield* scene
    for (const isStep of [true, false]) {
      const done = yield* Latch.make()
      const work = changeAll(all, 1).pipe(Effect.andThen(done.open), Effect.andThen(Effect.never))
      const run = isStep ? Effect.asVoid(advance(all.id, 0, work)) : transaction(work)
      const fiber = yield* Effect.forkChild(run, { startImmediately: true })
      yield* done.await
      yield* Fiber.interrupt(fiber)
      deepStrictEqual(yield* look(all), nothing)
    }
    yield* advance(all.id, 0, changeAll(all, 1))
    deepStrictEqual(yield* look(all), seenAfter(1))
  }),

  "I11: nobody sees work before it is kept, and nobody ever if it is not": Effect.gen(function*() {
    const all = yield* scene
    const [done, end] = [yield* Latch.make(), yield* Latch.make()]
    const work = changeAll(all, 1).pipe(
      Effect.andThen(done.open),
      Effect.andThen(end.await),
      Effect.andThen(Effect.fail("no"))
    )
    const worker = yield* Effect.forkChild(Effect.exit(advance(all.id, 0, work)), { startImmediately: true })
    yield* done.await
    const reader = yield* Effect.forkChild(look(all), { startImmediately: true })
    yield* end.open
    deepStrictEqual(yield* Fiber.join(reader), nothing)
    assertTrue(Exit.isFailure(yield* Fiber.join(worker)))
    deepStrictEqual(yield* look(all), nothing)
  })
}

const competing: Guarantees<Stores> = {
  "I11, I12: of two runners one waits and is refused before its work begins; it writes nothing": Effect.gen(
    function*() {
      const all = yield* scene
      const [begun, end] = [yield* Latch.make(), yield* Latch.make()]
      const slow = begun.open.pipe(Effect.andThen(end.await), Effect.andThen(changeAll(all, 1)))
      const first = yield* Effect.forkChild(Effect.exit(advance(all.id, 0, slow)), { startImmediately: true })
      yield* begun.await
      let told = false
      const late = Effect.andThen(
        Effect.sync(() => {
          told = true
        }),
        changeAll(all, 2)
      )
      const second = yield* Effect.forkChild(Effect.exit(advance(all.id, 0, late)), { startImmediately: true })
      yield* end.open
      assertTrue(Exit.isSuccess(yield* Fiber.join(first)))
      const exit = yield* Fiber.join(second)
      const error = Exit.isFailure(exit) ? Cause.squash(exit.cause) : undefined
      deepStrictEqual(
        error,
        new CheckpointMoved({
          ...all.id,
          expected: 0,
          actual: 1,
          paused: undefined
        })
      )
      strictEqual(told, false)
      deepStrictEqual(yield* look(all), seenAfter(1))
    }
  ),

  "I12: one who waits for his turn and is interrupted has done nothing, and holds up nobody": Effect.gen(function*() {
    const all = yield* scene
    const [begun, end] = [yield* Latch.make(), yield* Latch.make()]
    const slow = begun.open.pipe(Effect.andThen(end.await), Effect.andThen(changeAll(all, 1)))
    const first = yield* Effect.forkChild(advance(all.id, 0, slow), { startImmediately: true })
    yield* begun.await
    const second = yield* Effect.forkChild(advance(all.id, 0, changeAll(all, 2)), { startImmediately: true })
    const interrupted = yield* Effect.forkChild(Fiber.interrupt(second), { startImmediately: true })
    yield* end.open
    yield* Fiber.join(first)
    yield* Fiber.join(interrupted)
    deepStrictEqual(yield* look(all), seenAfter(1))
    yield* advance(all.id, 1, changeAll(all, 2))
    deepStrictEqual(yield* look(all), seenAfter(2))
  }),

  "I11: many runners that count the same count each step once": Effect.gen(function*() {
    const { get } = yield* CheckpointStore
    const id = ReadSide.checkpoint()
    const view = yield* ReadSide.prepared()
    const count = Effect.gen(function*() {
      const before = yield* ReadSide.documentAt(view, "count")
      yield* Effect.yieldNow
      yield* ReadSide.write(view, ReadSide.put("count", { n: before === undefined ? 1 : JSON.parse(before).n + 1 }))
    })
    const runner = Effect.gen(function*() {
      for (let done = 0; done < 5;) {
        const revision = (yield* get(id))?.revision ?? 0
        const exit = yield* Effect.exit(advance(id, revision, count))
        if (Exit.isSuccess(exit)) done++
        else assert.strictEqual(Cause.squash(exit.cause) instanceof CheckpointMoved, true, Cause.pretty(exit.cause))
        yield* Effect.yieldNow
      }
    })
    yield* Effect.replicateEffect(runner, 4, { concurrency: "unbounded" })
    strictEqual(yield* ReadSide.documentAt(view, "count"), `{"n":20}`)
    strictEqual((yield* get(id))?.revision, 20)
  }),

  "transactions that have nothing in common are all kept": Effect.gen(function*() {
    const scenes = yield* Effect.replicateEffect(scene, 8)
    yield* Effect.forEach(scenes, (all) => advance(all.id, 0, Effect.andThen(Effect.yieldNow, changeAll(all, 1))), {
      concurrency: "unbounded"
    })
    for (const all of scenes) deepStrictEqual(yield* look(all), seenAfter(1))
  })
}

/** Writes a document with a step of its own, inside whatever it is asked in. */
const stepInside = (view: ViewDefinition, id: CheckpointId, revision: number, key: string) =>
  advance(id, revision, ReadSide.write(view, ReadSide.put(key, {})))

const nested: Guarantees<Stores> = {
  "I11: a transaction of several steps keeps all of them or none": Effect.gen(function*() {
    const { list } = yield* CheckpointStore
    const { id, other, view } = yield* scene
    const both = Effect.andThen(stepInside(view, id, 0, "a"), stepInside(view, other, 0, "b"))
    strictEqual(yield* Effect.flip(transaction(Effect.andThen(both, Effect.fail("no")))), "no")
    deepStrictEqual([yield* ReadSide.keys(view), yield* list(id.name)], [[], []])
    yield* transaction(both)
    deepStrictEqual(yield* ReadSide.keys(view), ["a", "b"])
    deepStrictEqual((yield* list(id.name)).map(({ revision }) => revision), [1, 1])
  }),

  "I11: a step inside that fails or was moved is undone by itself; what is around it goes on": Effect.gen(function*() {
    const { get } = yield* CheckpointStore
    const { id, other, view } = yield* scene
    const failing = advance(id, 0, Effect.andThen(ReadSide.write(view, ReadSide.put("failed", {})), Effect.fail("no")))
    const answers = yield* transaction(Effect.gen(function*() {
      yield* ReadSide.write(view, ReadSide.put("before", {}))
      const failed = yield* Effect.flip(failing)
      const seen = yield* get(id)
      const moved = yield* Effect.flip(stepInside(view, other, 5, "moved"))
      yield* stepInside(view, other, 0, "kept")
      return [failed, seen, moved instanceof CheckpointMoved]
    }))
    deepStrictEqual(answers, ["no", undefined, true])
    deepStrictEqual(yield* ReadSide.keys(view), ["before", "kept"])
    deepStrictEqual([(yield* get(id))?.revision, (yield* get(other))?.revision], [undefined, 1])
  }),

  "I11: what is inside falls with what is around it": Effect.gen(function*() {
    const { id, view } = yield* scene
    const { get, remove } = yield* CheckpointStore
    const inside = transaction(Effect.andThen(transaction(stepInside(view, id, 0, "a")), Effect.fail("no")))
    yield* Effect.flip(transaction(Effect.andThen(Effect.flip(inside), Effect.fail("no either"))))
    deepStrictEqual([yield* ReadSide.keys(view), yield* get(id)], [[], undefined])
    yield* transaction(Effect.andThen(Effect.flip(inside), stepInside(view, id, 0, "b")))
    deepStrictEqual([yield* ReadSide.keys(view), (yield* get(id))?.revision], [["b"], 1])
    strictEqual(yield* Effect.flip(transaction(Effect.andThen(remove(id), Effect.fail("no")))), "no")
    strictEqual((yield* get(id))?.revision, 1)
  }),

  "I11: a view is emptied, and its version changed, with the checkpoint or not at all": Effect.gen(function*() {
    const { view, id } = yield* scene
    const views = yield* ViewStore
    yield* advance(id, 0, ReadSide.write(view, ReadSide.put("a", {}), ReadSide.put("b", {}, "another")))
    const reset = Effect.gen(function*() {
      yield* views.clear(view)
      deepStrictEqual(yield* ReadSide.keys(view), [])
      yield* ReadSide.write(view, ReadSide.put("c", {}))
      yield* views.flip(view.name, { from: undefined, to: { version: 1, pinned: true } })
    })
    yield* Effect.flip(advance(id, 1, Effect.andThen(reset, Effect.fail("no"))))
    deepStrictEqual([yield* ReadSide.keys(view), yield* views.live(view.name)], [["a"], undefined])
    yield* advance(id, 1, reset)
    deepStrictEqual(yield* ReadSide.keys(view), ["c"])
    strictEqual(yield* ReadSide.documentAt(view, "b", "another"), undefined)
    deepStrictEqual(yield* views.live(view.name), { version: 1, pinned: true })
  }),

  "I11: letters are removed, cleared and taken back with the checkpoint or not at all": Effect.gen(function*() {
    const { id, reader, stream } = yield* scene
    const letters = yield* DeadLetters
    yield* letters.put(ReadSide.letter(reader, 1n))
    yield* letters.park(stream)
    const changes = [letters.remove(reader, 1n), letters.unpark(stream), letters.clear(reader)]
    const seen = Effect.all([letters.count(reader), Effect.map(letters.parked(reader), ({ length }) => length)])
    for (const change of changes) {
      yield* Effect.flip(advance(id, 0, Effect.andThen(change, Effect.fail("no"))))
      deepStrictEqual(yield* seen, [1, 1])
    }
    yield* advance(id, 0, letters.clear(reader))
    deepStrictEqual(yield* seen, [0, 0])
  }),

  "work that has nothing to do is a step all the same": Effect.gen(function*() {
    const { get, transaction } = yield* CheckpointStore
    const id = ReadSide.checkpoint()
    strictEqual(yield* transaction(Effect.succeed(Sample.describe({ a: 1 }))), `{"a":1}`)
    strictEqual((yield* advance(id, 0, Effect.void)).value, undefined)
    strictEqual((yield* get(id))?.position, 1n)
  })
}

/** What `advance` and `transaction` promise of work. */
export const guarantees: Guarantees<Stores> = { ...together, ...competing, ...nested }
