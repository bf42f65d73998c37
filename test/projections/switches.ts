/**
 * Scenarios of the moment at which another version is read: not before it holds what is in the log, and not much later.
 */
import { assert } from "@effect/vitest"
import { Context, Effect, Latch, Stream } from "effect"
import type { Change } from "../../src/ProjectionHost.ts"
import { Projections } from "../../src/Projections.ts"
import { ViewStore } from "../../src/ViewStore.ts"
import { newEvent } from "../fixtures/Runtimes.ts"
import { NewTraces, offline, sources, sourcesWith, Traces } from "./traces.ts"
import {
  allEvents,
  append,
  caughtUp,
  eventually,
  grow,
  type Process,
  randomOf,
  scenario,
  start,
  type Stores
} from "./world.ts"

const settings = { pageEvents: 50, drainDeadline: 0 }
const oldCode = Traces.toLayer(sources, settings)
const newCode = NewTraces.toLayer(sources, settings)

const operations = ({ context }: Process<never>) => Context.get(context, Projections)

const liveVersion = Effect.flatMap(ViewStore, ({ live }) => live("traces"))

const deposit = (id: string, cents: number) => append(id, newEvent({ data: { cents } }))

const deposits = (count: number) =>
  Effect.forEach(Array.from({ length: count }, (_, index) => index), (index) => deposit(`a-${index % 7}`, index + 1))

/** What the new code is answered is what is in the log, whichever version that comes from. */
const assertRead = Effect.fnUntraced(function*({ context }: Process<NewTraces>, what: string) {
  const entries = yield* Context.get(context, NewTraces).list({ limit: 1_000 })
  const found = entries.map(({ document, key }) => [key, document] as const).toSorted()
  assert.deepStrictEqual(found, [...offline(yield* allEvents)].toSorted(), what)
})

/** A version that cannot work off event number `nth` of 20 is paused there, and readers go on with the old one. */
export const isNeverReadHalf = (stores: Stores, nth: number) =>
  scenario(
    stores,
    Effect.gen(function*() {
      const old = yield* start(oldCode, { lease: stores.lease })
      for (let cents = 1; cents <= 20; cents++) yield* deposit(`a-${cents % 3}`, cents)
      yield* caughtUp(old, Traces)
      const broken = sourcesWith((cents) => {
        if (cents === nth) throw new Error("a bug in the new code")
      })
      const young = yield* start(NewTraces.toLayer(broken, settings), { lease: stores.lease })
      const state = Effect.map(operations(young).status("traces"), ([status]) => status?.state)
      yield* eventually("the new one is paused", state, (state) => state === "paused")
      assert.deepStrictEqual(yield* liveVersion, { version: 1, pinned: false }, `paused at ${nth}`)
      yield* deposit("a-1", 21)
      yield* caughtUp(old, Traces)
      yield* assertRead(young, `paused at ${nth}`)
    })
  )

/** While the last pages of a rebuild are worked off, no answer lacks a document that was there before. */
export const losesNothing = (stores: Stores) =>
  scenario(
    stores,
    Effect.gen(function*() {
      const old = yield* start(oldCode, { lease: stores.lease })
      for (let cents = 1; cents <= 30; cents++) yield* deposit(`a-${cents}`, cents * 10 + 1)
      yield* caughtUp(old, Traces)
      yield* old.stop
      const before = { count: 0 }
      const late = yield* Latch.make()
      const young = yield* start(NewTraces.toLayer(sources, { ...settings, pageEvents: 10 }), {
        lease: stores.lease,
        before: () => Effect.suspend(() => ++before.count === 3 ? late.await : Effect.void)
      })
      yield* eventually("two of three pages are done", Effect.sync(() => before.count), (count) => count === 3)
      assert.deepStrictEqual(yield* liveVersion, { version: 1, pinned: false })
      yield* assertRead(young, "one page is left")
      yield* late.open
      yield* caughtUp(young, NewTraces)
      assert.deepStrictEqual(yield* liveVersion, { version: 2, pinned: false })
      yield* assertRead(young, "afterwards")
    })
  )

/** What comes while one partition is late must be in it, too, before the version is read. */
export const waitsForTheLate = (stores: Stores) =>
  scenario(
    stores,
    Effect.gen(function*() {
      const old = yield* start(oldCode, { lease: stores.lease })
      yield* deposits(65)
      yield* caughtUp(old, Traces)
      const before = { late: 0 }
      const late = yield* Latch.make()
      const later = yield* Latch.make()
      const young = yield* start(NewTraces.toLayer(sources, { ...settings, pageEvents: 10, partitions: 2 }), {
        lease: stores.lease,
        before: ({ partition }) =>
          Effect.suspend(() => {
            if (partition === 0) return Effect.void
            before.late++
            return before.late === 1 ? late.await : before.late === 8 ? later.await : Effect.void
          })
      })
      yield* Effect.sleep("1 second")
      yield* deposits(30)
      yield* caughtUp(old, Traces)
      yield* late.open
      yield* eventually("it is late once more", Effect.sync(() => before.late), (count) => count === 8)
      // It has come as far as the others had, when they were at the end for the first time.
      yield* Effect.sleep("6 seconds")
      yield* deposits(4)
      yield* Effect.sleep("1 second")
      assert.deepStrictEqual(yield* liveVersion, { version: 1, pinned: false })
      yield* later.open
      yield* caughtUp(young, NewTraces)
      yield* eventually("it is read", liveVersion, (live) => live?.version === 2)
      yield* assertRead(young, "afterwards")
    })
  )

/** A version that lacks what is in the log, be it one event, is not gone back to. */
export const isNotRolledBackTo = (stores: Stores) =>
  scenario(
    stores,
    Effect.gen(function*() {
      const old = yield* start(oldCode, { lease: stores.lease })
      yield* deposit("a-1", 5)
      yield* caughtUp(old, Traces)
      yield* old.stop
      const young = yield* start(newCode, { lease: stores.lease })
      yield* caughtUp(young, NewTraces)
      yield* deposit("a-2", 5)
      yield* caughtUp(young, NewTraces)
      const refused = yield* Effect.flip(operations(young).rollback("traces", 1, { deadline: "2 seconds" }))
      assert.match(refused.message, /version 1 is at 1 of 2: a worker with its code must catch it up first/)
      assert.deepStrictEqual(yield* liveVersion, { version: 2, pinned: false })
    })
  )

/** Unpinned by a tool, while nothing happens in the log: the new version is read soon. */
export const isUnpinnedElsewhere = (stores: Stores) =>
  scenario(
    stores,
    Effect.gen(function*() {
      const old = yield* start(oldCode, { lease: stores.lease })
      yield* grow(randomOf(1), 20)
      yield* caughtUp(old, Traces)
      yield* operations(old).rollback("traces", 1, { deadline: "10 seconds" })
      const young = yield* start(newCode, { lease: stores.lease })
      yield* caughtUp(young, NewTraces)
      yield* Effect.sleep("5 seconds")
      assert.deepStrictEqual(yield* liveVersion, { version: 1, pinned: true })
      yield* operations(old).unpin("traces")
      yield* eventually("the new one is read", liveVersion, (live) => live?.version === 2)
      yield* assertRead(young, "afterwards")
    })
  )

/** What is told of a view from now on, to who has this code: the positions. */
const listening = Effect.fnUntraced(function*(view: { readonly changes: Stream.Stream<Change<unknown>, unknown> }) {
  const told: Array<bigint> = []
  const tell = Stream.runForEach(view.changes, ({ position }) => Effect.sync(() => told.push(position)))
  yield* Effect.forkScoped(tell, { startImmediately: true })
  yield* Effect.sleep("10 millis")
  return told
})

/** Changes are told of the version that who listens is shown, and of no other. */
export const tellsWhatIsShown = (stores: Stores) =>
  scenario(
    stores,
    Effect.gen(function*() {
      const old = yield* start(oldCode, { lease: stores.lease })
      yield* deposit("a-1", 1)
      yield* caughtUp(old, Traces)
      yield* operations(old).rollback("traces", 1, { deadline: "10 seconds" })
      const young = yield* start(newCode, { lease: stores.lease })
      const toldOld = yield* listening(Context.get(old.context, Traces))
      const toldYoung = yield* listening(Context.get(young.context, NewTraces))
      // Whoever is to be told is told by then.
      const both = caughtUp(old, Traces).pipe(
        Effect.andThen(caughtUp(young, NewTraces)),
        Effect.andThen(Effect.sleep("100 millis"))
      )
      yield* both
      yield* deposit("a-1", 2)
      yield* both
      assert.deepStrictEqual([toldOld, toldYoung], [[2n], []], "the old one is read")
      yield* operations(young).unpin("traces")
      yield* eventually("the new one is read", liveVersion, (live) => live?.version === 2)
      yield* operations(old).status("traces")
      yield* deposit("a-1", 3)
      yield* both
      assert.deepStrictEqual([toldOld, toldYoung], [[2n, 3n], [3n]], "the new one is read, and by old code the old one")
      yield* operations(old).rollback("traces", 1, { deadline: "10 seconds" })
      // It was said by another process, and is noticed.
      yield* Effect.sleep("2 seconds")
      yield* deposit("a-1", 4)
      yield* both
      assert.deepStrictEqual([toldOld, toldYoung], [[2n, 3n, 4n], [3n]], "the old one is read again")
    })
  )
