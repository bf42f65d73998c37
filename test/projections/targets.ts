/**
 * Scenarios of what is not a view: rows, and effects on the world.
 */
import { assert } from "@effect/vitest"
import { Context, Data, Effect, Fiber, Latch, Layer } from "effect"
import { leaseName } from "../../src/internal/readerNames.ts"
import { Lease } from "../../src/Lease.ts"
import * as Projection from "../../src/Projection.ts"
import * as ProjectionRunner from "../../src/ProjectionRunner.ts"
import { Projections } from "../../src/Projections.ts"
import { ViewStore } from "../../src/ViewStore.ts"
import { AccountEvent } from "../fixtures/Account.ts"
import { newEvent } from "../fixtures/Runtimes.ts"
import { when } from "./failures.ts"
import {
  allEvents,
  append,
  caughtUp,
  documentsOf,
  eventually,
  grow,
  type Point,
  type Process,
  randomOf,
  scenario,
  start,
  type Stores,
  type StoresOf
} from "./world.ts"

class Down extends Data.TaggedError("Down")<{ readonly what: string }> {
  override get message() {
    return this.what
  }
}

const operations = ({ context }: Process<never>) => Context.get(context, Projections)

const moneyEvents = Effect.map(allEvents, (events) => events.filter(({ type }) => type.startsWith("Money")))

/** Rows of a database that has no SQL: one document for each event, named by its position. */
const rows = (fails: (cents: number) => boolean) => {
  const view = (suffix: string) => ({ name: `rows${suffix.replace("_", "-")}`, version: 1 })
  return Projection.sql("rows", {
    version: 3,
    events: [AccountEvent],
    setUp: ({ suffix }) => Effect.flatMap(ViewStore, ({ prepare }) => prepare({ ...view(suffix), indexes: [] })),
    apply: Effect.fnUntraced(function*(batch, { suffix }) {
      const { read, write } = yield* ViewStore
      const bad = batch.find(({ event }) => fails(event.cents))
      const keys = batch.map(({ position, tenant }) => ({ tenant, key: `${position}` }))
      const there = yield* read(view(suffix), keys)
      assert.lengthOf(there, 0, "a row is written once")
      yield* write(
        view(suffix),
        batch.map(({ event, position, tenant }) => ({
          tenant,
          key: `${position}`,
          document: JSON.stringify({ cents: event.cents })
        }))
      )
      if (bad !== undefined) return yield* Effect.fail(new Down({ what: `no row for ${bad.event.cents}` }))
    }),
    clear: ({ suffix }) => Effect.flatMap(ViewStore, ({ clear }) => clear(view(suffix)))
  })
}

/** Rows are written once, wherever the process dies. */
export const writesRowsOnce = (stores: Stores, seed: number, dies: Point | undefined) =>
  scenario(
    stores,
    Effect.gen(function*() {
      const random = randomOf(seed)
      yield* grow(random, 20)
      const projection = rows(() => false)
      const layer = projection.toLayer({ pageEvents: 6, drainDeadline: 0 })
      const first = yield* start(layer, { lease: stores.lease, dies })
      const work = Effect.gen(function*() {
        yield* caughtUp(first, projection)
        yield* grow(random, 6)
        yield* caughtUp(first, projection)
      })
      yield* Effect.raceFirst(first.died, Effect.catch(work, () => first.died))
      const points = first.points()
      yield* first.kill
      const second = yield* start(layer, { lease: stores.lease })
      yield* caughtUp(second, projection)
      const keys = [...(yield* documentsOf("rows-v3", 1)).keys()].toSorted()
      const what = `seed ${seed}, ${JSON.stringify(dies)}`
      assert.deepStrictEqual(keys, (yield* moneyEvents).map(({ position }) => `${position}`).toSorted(), what)
      assert.strictEqual(yield* projection.suffix, "_v3")
      return points
    })
  )

/** The event that SQL fails at is found among those that it was given with. */
export const findsTheRow = (stores: Stores) =>
  scenario(
    stores,
    Effect.gen(function*() {
      for (let cents = 1; cents <= 30; cents++) yield* append(`a-${cents % 4}`, newEvent({ data: { cents } }))
      const projection = rows((cents) => cents === 17)
      const process = yield* start(projection.toLayer({ tries: 1, onFailure: "skip" }), { lease: stores.lease })
      yield* caughtUp(process, projection)
      const letters = yield* operations(process).deadLetters("rows")
      assert.deepStrictEqual(letters.map(({ error, position }) => [position, error]), [[17n, "no row for 17"]])
      assert.strictEqual((yield* documentsOf("rows-v3", 1)).size, 29)
      yield* operations(process).reset("rows")
      yield* caughtUp(process, projection)
      assert.strictEqual((yield* documentsOf("rows-v3", 1)).size, 29)
    })
  )

/** SQL that is none, or that interrupts itself, has failed like any other: the store goes on, and so do the others. */
export const refusesStrangeSql = (stores: Stores) =>
  scenario(
    stores,
    Effect.gen(function*() {
      const strange: ReadonlyArray<unknown> = [Promise.resolve(), undefined, Effect.interrupt, Effect.void]
      for (let cents = 1; cents <= strange.length; cents++) yield* append("a-1", newEvent({ data: { cents } }))
      const projection = Projection.sql("rows", {
        version: 1,
        events: [AccountEvent],
        apply: (batch): Effect.Effect<void> =>
          batch.length > 1 ? Effect.die("one by one") : strange[batch[0]!.event.cents - 1] as Effect.Effect<void>
      })
      const layer = projection.toLayer({ tries: 1, onFailure: "skip", drainDeadline: 0 })
      const process = yield* start(layer, { lease: stores.lease })
      yield* caughtUp(process, projection)
      const letters = yield* operations(process).deadLetters("rows")
      assert.deepStrictEqual(letters.map(({ position, reason }) => [position, reason]), [
        [1n, "HandlerFailed"],
        [2n, "HandlerFailed"],
        [3n, "HandlerFailed"]
      ])
      assert.match(letters[0]!.error, /the handler returned no Effect/)
    })
  )

const notes = (seen: Array<bigint>, before: (cents: number) => Effect.Effect<void, Down> = () => Effect.void) => {
  const act = ({ cents }: { readonly cents: number }, { position }: Projection.Meta) =>
    Effect.andThen(before(cents), Effect.sync(() => seen.push(position)))
  return (from: "beginning" | "now") =>
    Projection.effect("notes", {
      from,
      sources: (on) => [on(AccountEvent, { MoneyDeposited: act, MoneyWithdrawn: act })]
    })
}

/** Each effect is done, in order; again only what had no checkpoint yet when the process died. */
export const actsAtLeastOnce = (stores: Stores, seed: number, dies: Point | undefined) =>
  scenario(
    stores,
    Effect.gen(function*() {
      const random = randomOf(seed)
      const seen: Array<bigint> = []
      const projection = notes(seen)("beginning")
      const layer = projection.toLayer({ pageEvents: 6, drainDeadline: 0 })
      yield* grow(random, 20)
      const first = yield* start(layer, { lease: stores.lease, dies })
      yield* Effect.raceFirst(first.died, Effect.catch(caughtUp(first, projection), () => first.died))
      const points = first.points()
      yield* first.kill
      yield* grow(random, 5)
      const second = yield* start(layer, { lease: stores.lease })
      yield* caughtUp(second, projection)
      const wanted = (yield* moneyEvents).map(({ position }) => position)
      const what = `seed ${seed}, ${JSON.stringify(dies)}`
      assert.deepStrictEqual([...new Set(seen)], wanted, what)
      assert.isAtMost(seen.length - wanted.length, 6, `${what}: no more than a page is done again`)
      return points
    })
  )

/** From now on: what was before is not done, and what came while nobody ran it is. */
export const actsFromNowOn = (stores: Stores) =>
  scenario(
    stores,
    Effect.gen(function*() {
      const seen: Array<bigint> = []
      const projection = notes(seen)("now")
      yield* append("a-1", newEvent({ data: { cents: 1 } }))
      const first = yield* start(projection.toLayer({ drainDeadline: 0 }), { lease: stores.lease })
      yield* caughtUp(first, projection)
      yield* first.stop
      yield* append("a-1", newEvent({ data: { cents: 2 } }))
      const second = yield* start(projection.toLayer({ drainDeadline: 0 }), { lease: stores.lease })
      yield* append("a-1", newEvent({ data: { cents: 3 } }))
      yield* caughtUp(second, projection)
      assert.deepStrictEqual(seen, [2n, 3n])
      const refused = yield* Effect.flip(operations(second).reset("notes"))
      assert.match(refused.message, /would be done again/)
    })
  )

/** What comes once its Layer is built is done, also where its reader has to wait for its lease. */
export const leavesOutNothing = (stores: Stores) =>
  scenario(
    stores,
    Effect.gen(function*() {
      const seen: Array<bigint> = []
      const projection = notes(seen)("now")
      const name = leaseName({ name: "notes", version: 1, partition: 0 })
      yield* append("a-1", newEvent({ data: { cents: 1 } }))
      const { claim } = yield* Lease
      yield* claim({ name, holder: "somebody who has died", millis: 1_000 })
      const process = yield* start(projection.toLayer({ drainDeadline: 0 }), { lease: stores.lease })
      yield* append("a-1", newEvent({ data: { cents: 2 } }))
      yield* caughtUp(process, projection)
      assert.deepStrictEqual(seen, [2n])
    })
  )

/** Paused by a tool before any worker has run it, it begins where it would have begun. */
export const isPausedBeforeItsFirstDay = (stores: Stores) =>
  scenario(
    stores,
    Effect.gen(function*() {
      const seen: Array<bigint> = []
      const projection = notes(seen)("now")
      yield* append("a-1", newEvent({ data: { cents: 1 } }))
      const tool = projection.toLayer({ partitions: 2 }).pipe(Layer.provideMerge(ProjectionRunner.layerIdle))
      const given = yield* Effect.context<StoresOf>()
      yield* Effect.scoped(Effect.gen(function*() {
        const context = yield* Layer.build(Layer.provide(tool, Layer.succeedContext(given)))
        yield* Context.get(context, Projections).pause("notes")
      }))
      yield* append("a-1", newEvent({ data: { cents: 2 } }))
      const process = yield* start(projection.toLayer({ partitions: 2, drainDeadline: 0 }), { lease: stores.lease })
      yield* when(process, ({ state }) => state === "paused", "notes")
      yield* operations(process).resume("notes")
      yield* caughtUp(process, projection)
      assert.deepStrictEqual(seen, [2n])
    })
  )

/** An effect that fails is tried again, later and later; then it waits for somebody, and nobody else's is done before. */
export const triesEffectsAgain = (stores: Stores) =>
  scenario(
    stores,
    Effect.gen(function*() {
      const seen: Array<bigint> = []
      let failures = 0
      let mended = false
      const projection = notes(seen, (cents) =>
        Effect.suspend(() => {
          if (cents !== 13 || mended) return Effect.void
          failures++
          return failures === 2 ? Effect.interrupt : Effect.fail(new Down({ what: "the mail is down" }))
        }))("beginning")
      yield* append(
        "a-1",
        newEvent({ data: { cents: 1 } }),
        newEvent({ data: { cents: 13 } }),
        newEvent({ data: { cents: 2 } })
      )
      const process = yield* start(projection.toLayer({ tries: 4, drainDeadline: 0 }), { lease: stores.lease })
      yield* when(process, ({ state }) => state === "paused", "notes")
      assert.strictEqual(failures, 4)
      assert.deepStrictEqual(seen, [1n])
      const [letter] = yield* operations(process).deadLetters("notes")
      assert.deepInclude(letter, { position: 2n, attempts: 4, error: "the mail is down" })
      mended = true
      yield* operations(process).resume("notes")
      yield* caughtUp(process, projection)
      assert.deepStrictEqual(seen, [1n, 2n, 3n])
      assert.lengthOf(yield* operations(process).deadLetters("notes"), 0)
    })
  )

/** Of two who try the same effect again, one does it, and the other one finds that its letter is gone. */
export const retriesEffectsOnce = (stores: Stores) =>
  scenario(
    stores,
    Effect.gen(function*() {
      const seen: Array<bigint> = []
      const [begun, goOn] = [Latch.makeUnsafe(), Latch.makeUnsafe()]
      let deeds = 0
      const projection = notes(seen, () =>
        Effect.suspend((): Effect.Effect<void, Down> => {
          if (++deeds === 1) return Effect.fail(new Down({ what: "the mail is down" }))
          return Effect.andThen(begun.open, goOn.await)
        }))("beginning")
      yield* append("a-1", newEvent({ data: { cents: 1 } }))
      const settings = { tries: 1, onFailure: "skip", drainDeadline: 0 } as const
      const process = yield* start(projection.toLayer(settings), { lease: stores.lease })
      yield* caughtUp(process, projection)
      const retry = operations(process).retry("notes", 1n)
      const first = yield* Effect.forkChild(retry)
      yield* begun.await
      const second = yield* Effect.forkChild(Effect.flip(retry))
      // Time enough to do it, if he did not wait.
      yield* Effect.sleep("1 second")
      yield* goOn.open
      assert.deepStrictEqual(yield* Fiber.join(first), { applied: 1, left: undefined })
      assert.match((yield* Fiber.join(second)).message, /there is no letter at 1/)
      assert.deepStrictEqual([seen, deeds], [[1n], 2])
    })
  )

/** What operators may do while effects are under way. */
const interferences = {
  resume: ({ resume }: Projections["Service"]) => resume("notes"),
  "pause and resume": ({ pause, resume }: Projections["Service"]) => Effect.andThen(pause("notes"), resume("notes")),
  "retry another": ({ retry }: Projections["Service"]) => retry("notes", 1n)
} as const

/** Whatever an operator says, here or elsewhere: what was begun is finished, and what was done is not done again. */
export const actsOnceUnderOperators = (stores: Stores, what: keyof typeof interferences, where: "here" | "elsewhere") =>
  scenario(
    stores,
    Effect.gen(function*() {
      const [begun, done]: [Array<bigint>, Array<bigint>] = [[], []]
      const act = ({ cents }: { readonly cents: number }, { position }: Projection.Meta) =>
        Effect.gen(function*() {
          if (cents === 13) return yield* Effect.fail(new Down({ what: "the mail is down" }))
          begun.push(position)
          yield* Effect.sleep("15 millis")
          done.push(position)
        })
      const projection = Projection.effect("notes", {
        from: "beginning",
        sources: (on) => [on(AccountEvent, { MoneyDeposited: act })]
      })
      const layer = projection.toLayer({ tries: 1, onFailure: "skip", drainDeadline: 0 })
      const process = yield* start(layer, { lease: stores.lease })
      yield* append("a-1", newEvent({ data: { cents: 13 } }))
      yield* caughtUp(process, projection)
      const other = yield* start(layer, { lease: stores.lease })
      for (let at = 0; at < 60; at++) yield* append("a-2", newEvent({ data: { cents: 1 } }))
      for (let turn = 1; turn <= 5; turn++) {
        yield* eventually(`${8 * turn} are under way`, Effect.sync(() => begun.length), (count) => count >= 8 * turn)
        yield* interferences[what](operations(where === "here" ? process : other))
      }
      yield* caughtUp(process, projection)
      const wanted = Array.from({ length: 60 }, (_, at) => BigInt(at + 2))
      assert.deepStrictEqual([begun, done], [wanted, wanted])
    })
  )

/** A stream whose effect fails is passed over, and taken back: each of its effects is done, in order. */
export const takesEffectsBack = (stores: Stores) =>
  scenario(
    stores,
    Effect.gen(function*() {
      const seen: Array<bigint> = []
      let mended = false
      const projection = notes(seen, (cents) =>
        Effect.suspend(() =>
          cents === 13 && !mended ? Effect.fail(new Down({ what: "the mail is down" })) : Effect.void
        ))("beginning")
      const settings = { tries: 1, onFailure: "quarantine", drainDeadline: 0 } as const
      const process = yield* start(projection.toLayer(settings), { lease: stores.lease })
      yield* append("a-1", newEvent({ data: { cents: 13 } }), newEvent({ data: { cents: 2 } }))
      yield* append("a-2", newEvent({ data: { cents: 3 } }))
      yield* append("a-1", newEvent({ data: { cents: 4 } }))
      yield* caughtUp(process, projection)
      assert.deepStrictEqual(seen, [3n])
      const failed = yield* operations(process).retry("notes", 1n)
      assert.deepStrictEqual(failed, { applied: 0, left: { position: 1n, error: "the mail is down" } })
      assert.deepInclude((yield* operations(process).deadLetters("notes"))[0], { position: 1n, attempts: 2 })
      mended = true
      assert.deepStrictEqual(yield* operations(process).retry("notes", 1n), { applied: 3, left: undefined })
      assert.deepStrictEqual(seen, [3n, 1n, 2n, 4n])
      yield* append("a-1", newEvent({ data: { cents: 5 } }))
      yield* caughtUp(process, projection)
      assert.deepStrictEqual(seen, [3n, 1n, 2n, 4n, 5n])
      const [status] = yield* operations(process).status("notes")
      assert.deepInclude(status, { state: "running", letters: 0, parked: 0 })
    })
  )
