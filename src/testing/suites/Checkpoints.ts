/**
 * Keeping checkpoints: one chain of revisions for each, whoever moves it, and nobody while it is paused.
 */
import { assertTrue, deepStrictEqual, strictEqual } from "@effect/vitest/utils"
import { Effect, Exit } from "effect"
import { type Checkpoint, type CheckpointId, CheckpointStore } from "../../CheckpointStore.ts"
import type { Position } from "../../Event.ts"
import type { Guarantees } from "./Guarantees.ts"
import * as Names from "./Names.ts"
import * as ReadSide from "./ReadSide.ts"
import * as Sample from "./Sample.ts"

/** Moves a checkpoint without any work. */
const move = (id: CheckpointId, revision: number, to: Position, epoch?: string) =>
  Effect.flatMap(
    CheckpointStore,
    (store) =>
      Effect.map(store.advance(ReadSide.step(id, revision, to, epoch), Effect.void), ({ checkpoint }) => checkpoint)
  )

/** A checkpoint without the store's time. */
const parts = (checkpoint: Checkpoint) => {
  const { updatedAtMillis: _, ...rest } = checkpoint
  return rest
}

const of = ({ name, partition, version }: CheckpointId) => [name, version, partition] as const

const get = (id: CheckpointId) => Effect.flatMap(CheckpointStore, (store) => store.get(id))

/** What is refused with what it is now; no work is begun. */
const refusedMove = Effect.fnUntraced(function*(id: CheckpointId, revision: number) {
  let begun = false
  const work = Effect.sync(() => {
    begun = true
  })
  const error = yield* Effect.flip((yield* CheckpointStore).advance(ReadSide.step(id, revision, 99n), work))
  if (error._tag !== "CheckpointMoved") throw error
  strictEqual(begun, false)
  deepStrictEqual([error.name, error.version, error.partition, error.expected], [...of(id), revision])
  return [error.actual, error.paused]
})

const moving: Guarantees<CheckpointStore> = {
  "a reader that has never come anywhere has no checkpoint": Effect.gen(function*() {
    const { get, list, resume, remove } = yield* CheckpointStore
    const id = ReadSide.checkpoint()
    strictEqual(yield* get(id), undefined)
    deepStrictEqual(yield* list(id.name), [])
    strictEqual(yield* resume(id), undefined)
    strictEqual(yield* remove(id), false)
  }),

  "I12: a checkpoint begins at revision 0, and each step counts one": Effect.gen(function*() {
    const { advance } = yield* CheckpointStore
    const id = ReadSide.checkpoint({ version: 3, partition: 2 })
    const first = yield* advance(ReadSide.step(id, 0, 7n, "one"), Effect.succeed("value"))
    strictEqual(first.value, "value")
    deepStrictEqual(parts(first.checkpoint), { ...id, position: 7n, revision: 1, epoch: "one", paused: undefined })
    deepStrictEqual(yield* get(id), first.checkpoint)
    const second = yield* move(id, 1, 9_007_199_254_740_991n, "two")
    deepStrictEqual(parts(second), {
      ...id,
      position: 9_007_199_254_740_991n,
      revision: 2,
      epoch: "two",
      paused: undefined
    })
    deepStrictEqual(yield* get(id), second)
  }),

  "I12: it moves from the revision that it has, and from no other": Effect.gen(function*() {
    const id = ReadSide.checkpoint()
    deepStrictEqual(yield* refusedMove(id, 1), [undefined, undefined])
    strictEqual(yield* get(id), undefined)
    yield* move(id, 0, 1n)
    const second = yield* move(id, 1, 2n)
    for (const revision of [0, 1, 3]) deepStrictEqual(yield* refusedMove(id, revision), [2, undefined])
    deepStrictEqual(yield* get(id), second)
  }),

  "it stays where it is, and goes backwards, where it is told to": Effect.gen(function*() {
    const id = ReadSide.checkpoint()
    const positions = [5n, 5n, 0n, 3n]
    for (const [revision, to] of positions.entries()) {
      deepStrictEqual((yield* move(id, revision, to)).position, to)
    }
    strictEqual((yield* get(id))?.revision, 4)
  }),

  "I12: of ten who step at once one does; the others learn that it was moved": Effect.gen(function*() {
    const { advance } = yield* CheckpointStore
    const id = ReadSide.checkpoint()
    const begun: Array<number> = []
    for (const revision of [0, 1, 2]) {
      const exits = yield* Effect.forEach(
        Array.from({ length: 10 }, (_, index) => index),
        (index) =>
          Effect.exit(
            advance(ReadSide.step(id, revision, BigInt(10 * revision + index)), Effect.sync(() => begun.push(index)))
          ),
        { concurrency: "unbounded" }
      )
      strictEqual(exits.filter(Exit.isSuccess).length, 1)
      strictEqual(begun.length, revision + 1)
      deepStrictEqual((yield* get(id))?.position, BigInt(10 * revision + begun[revision]!))
    }
  }),

  "a change is dated by the store's clock": Effect.gen(function*() {
    const { pause, resume } = yield* CheckpointStore
    const id = ReadSide.checkpoint()
    let last = yield* ReadSide.nowMillis
    for (const change of [move(id, 0, 1n), move(id, 1, 1n), pause(id, "", "e"), resume(id)]) {
      const later = yield* ReadSide.laterMillis
      const updated = (yield* change)!.updatedAtMillis
      assertTrue(Number.isSafeInteger(updated) && updated >= later && updated > last, `${last} ${later} ${updated}`)
      last = updated
    }
  })
}

const pausing: Guarantees<CheckpointStore> = {
  "I12: nobody moves a checkpoint that is paused, whatever revision it has": Effect.gen(function*() {
    const { pause, resume } = yield* CheckpointStore
    const id = ReadSide.checkpoint()
    yield* move(id, 0, 4n, "its own")
    const paused = yield* pause(id, "why", "another")
    deepStrictEqual(parts(paused), { ...id, position: 4n, revision: 2, epoch: "its own", paused: "why" })
    for (const revision of [0, 1, 2, 3]) deepStrictEqual(yield* refusedMove(id, revision), [2, "why"])
    deepStrictEqual(yield* get(id), paused)
    const resumed = yield* resume(id)
    deepStrictEqual(parts(resumed!), { ...parts(paused), revision: 3, paused: undefined })
    deepStrictEqual(yield* refusedMove(id, 2), [3, undefined])
    strictEqual((yield* move(id, 3, 5n)).revision, 4)
  }),

  "a checkpoint is paused before it is anywhere": Effect.gen(function*() {
    const { pause, resume } = yield* CheckpointStore
    const id = ReadSide.checkpoint()
    const paused = yield* pause(id, "", "e")
    deepStrictEqual(parts(paused), { ...id, position: 0n, revision: 1, epoch: "e", paused: "" })
    deepStrictEqual(yield* refusedMove(id, 0), [1, ""])
    deepStrictEqual(yield* refusedMove(id, 1), [1, ""])
    yield* resume(id)
    strictEqual((yield* move(id, 2, 1n)).position, 1n)
  }),

  "the last reason counts, and resuming twice changes nothing": Effect.gen(function*() {
    const { pause, resume } = yield* CheckpointStore
    const id = ReadSide.checkpoint()
    yield* pause(id, "first", "e")
    deepStrictEqual(parts(yield* pause(id, "second", "e")), {
      ...id,
      position: 0n,
      revision: 2,
      epoch: "e",
      paused: "second"
    })
    const resumed = yield* resume(id)
    yield* ReadSide.laterMillis
    deepStrictEqual(yield* resume(id), resumed)
    deepStrictEqual(yield* get(id), resumed)
  }),

  "a reason is kept as far as it can be: 1,000 characters, of those that a store can hold": Effect.gen(function*() {
    const { pause } = yield* CheckpointStore
    const id = ReadSide.checkpoint()
    const cases = [
      ["a\0b\uD800c\uDC00 '\" é 😀", "a\uFFFDb\uFFFDc\uFFFD '\" é 😀"],
      ["😀".repeat(1_001), "😀".repeat(1_000)],
      [`${"x".repeat(999)}😀y`, `${"x".repeat(999)}😀`]
    ] as const
    for (const [given, kept] of cases) {
      strictEqual((yield* pause(id, given, "e")).paused, kept)
      strictEqual((yield* get(id))?.paused, kept)
    }
  })
}

const naming: Guarantees<CheckpointStore> = {
  "I12: a checkpoint that was removed begins again with revisions that it never had": Effect.gen(function*() {
    const { list, pause, remove } = yield* CheckpointStore
    const id = ReadSide.checkpoint()
    yield* move(id, 0, 1n)
    yield* move(id, 1, 2n)
    strictEqual(yield* remove(id), true)
    strictEqual(yield* get(id), undefined)
    deepStrictEqual(yield* list(id.name), [])
    strictEqual(yield* remove(id), false)
    for (const revision of [1, 2, 3]) deepStrictEqual(yield* refusedMove(id, revision), [undefined, undefined])
    strictEqual((yield* move(id, 0, 1n)).revision, 3)
    yield* remove(id)
    const { paused, revision } = yield* pause(id, "anew", "e")
    deepStrictEqual([paused, revision], ["anew", 4])
    for (const revision of [0, 1, 2, 3]) deepStrictEqual(yield* refusedMove(id, revision), [4, "anew"])
  }),

  "names, versions and partitions have checkpoints of their own": Effect.gen(function*() {
    const { remove } = yield* CheckpointStore
    const unique = Sample.name("own")
    const ids = [
      ...Names.odd.map((name) => ReadSide.checkpoint({ name: `${unique}${name}` })),
      ...[2, 12, 1_000_000].map((version) => ReadSide.checkpoint({ name: unique, version })),
      ...[1, 2, 12].map((partition) => ReadSide.checkpoint({ name: unique, partition }))
    ]
    for (const [index, id] of ids.entries()) yield* move(id, 0, BigInt(index))
    for (const [index, id] of ids.entries()) strictEqual((yield* get(id))?.position, BigInt(index))
    strictEqual(yield* remove(ids[0]!), true)
    strictEqual((yield* get(ids[1]!))?.position, 1n)
  }),

  "they are listed by name in code points, by version and by partition": Effect.gen(function*() {
    const { list } = yield* CheckpointStore
    const unique = Sample.name("listed")
    const ids = Names.ordered.flatMap((end) =>
      [2, 10].flatMap((version) =>
        [0, 9, 10].map((partition) => ReadSide.checkpoint({ name: `${unique}${end}`, version, partition }))
      )
    )
    for (const id of ids.toReversed()) yield* move(id, 0, 1n)
    const found = (yield* list()).filter(({ name }) => name.startsWith(unique))
    deepStrictEqual(found.map(of), ids.map(of))
    deepStrictEqual((yield* list(ids[7]!.name)).map(of), ids.slice(6, 12).map(of))
    deepStrictEqual(yield* list(unique), [])
  }),

  "what cannot be the id of a checkpoint finds none, and cannot be written": Effect.gen(function*() {
    const { get, list, pause, remove, resume } = yield* CheckpointStore
    const id = ReadSide.checkpoint({ name: "\uFFFD" })
    yield* pause(id, "known", "e")
    const wrong = [
      ...Names.malformed.map((name) => ({ ...id, name })),
      ...[-1, 0, 1.5, NaN, 2 ** 31].map((version) => ({ ...id, version })),
      ...[-1, 0.5, Infinity].map((partition) => ({ ...id, partition }))
    ]
    for (const other of wrong) {
      strictEqual(yield* get(other), undefined)
      strictEqual(yield* resume(other), undefined)
      strictEqual(yield* remove(other), false)
      yield* ReadSide.refused(move(other, 0, 1n))
      yield* ReadSide.refused(pause(other, "", "e"))
    }
    for (const name of Names.malformed) deepStrictEqual(yield* list(name), [])
    const fresh = ReadSide.checkpoint()
    for (const to of [-1n, 2n ** 53n]) yield* ReadSide.refused(move(fresh, 0, to))
    for (const revision of [-1, 0.5, NaN]) yield* ReadSide.refused(move(fresh, revision, 1n))
    for (const epoch of Names.malformed) {
      yield* ReadSide.refused(move(fresh, 0, 1n, epoch))
      yield* ReadSide.refused(pause(fresh, "", epoch))
    }
    strictEqual(yield* get(fresh), undefined)
  }),

  "what a reader does to a checkpoint that it was given changes nothing in the store": Effect.gen(function*() {
    const { list } = yield* CheckpointStore
    const id = ReadSide.checkpoint()
    yield* move(id, 0, 1n)
    const before = Sample.describe(yield* get(id))
    ReadSide.spoil(yield* get(id))
    ReadSide.spoil(yield* list(id.name))
    strictEqual(Sample.describe(yield* get(id)), before)
    strictEqual(Sample.describe(yield* list(id.name)), `[${before}]`)
  })
}

/** What a checkpoint store promises of checkpoints. */
export const guarantees: Guarantees<CheckpointStore> = { ...moving, ...pausing, ...naming }
