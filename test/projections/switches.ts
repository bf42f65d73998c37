/**
 * Scenarios of the moment at which another version is read: not before it holds what is in the log, and not much later.
 */
import { assert } from "@effect/vitest"
import { Context, Effect, Latch } from "effect"
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
      yield* grow(randomOf(1), 35)
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
            return before.late === 1 ? late.await : before.late === 5 ? later.await : Effect.void
          })
      })
      yield* Effect.sleep("7 seconds")
      yield* grow(randomOf(2), 30)
      yield* caughtUp(old, Traces)
      yield* Effect.sleep("7 seconds")
      yield* late.open
      yield* eventually("it is late once more", Effect.sync(() => before.late), (count) => count === 5)
      // It has come as far as the others had, when they were at the end for the first time.
      yield* grow(randomOf(3), 4)
      yield* Effect.sleep("7 seconds")
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
