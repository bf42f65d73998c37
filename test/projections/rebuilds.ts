/**
 * Scenarios of versions: a new one is filled beside the old, takes over, and is rolled back.
 */
import { assert } from "@effect/vitest"
import { Context, Effect, Latch, Layer } from "effect"
import * as Projection from "../../src/Projection.ts"
import { Projections } from "../../src/Projections.ts"
import { ViewStore } from "../../src/ViewStore.ts"
import { AccountEvent } from "../fixtures/Account.ts"
import { assertEqual } from "./crashes.ts"
import { NewTraces, offline, sources, Traces } from "./traces.ts"
import {
  allEvents,
  caughtUp,
  documentsOf,
  eventually,
  grow,
  type Point,
  type Process,
  randomOf,
  scenario,
  start,
  type Stores
} from "./world.ts"

const settings = { pageEvents: 5, drainDeadline: 0 }
const oldCode = Traces.toLayer(sources, settings)

/** Something that is done at each event; `fired` are the positions, in order. */
const fireworks = (fired: Array<bigint>) =>
  Projection.effect("fireworks", {
    from: "beginning",
    sources: (
      on
    ) => [on(AccountEvent, { MoneyDeposited: (_, { position }) => Effect.sync(() => fired.push(position)) })]
  }).toLayer({ drainDeadline: 0 })

const operations = ({ context }: Process<never>) => Context.get(context, Projections)

const liveVersion = Effect.flatMap(ViewStore, ({ live }) => live("traces"))

/**
 * Asks the new code for all documents over and over: each answer is a moment of the log, and none is much earlier than
 * the one before, whichever version is read.
 */
const asking = ({ context }: Process<NewTraces>, asked: { count: number; last: number }) =>
  Effect.gen(function*() {
    const view = Context.get(context, NewTraces)
    const entries = yield* view.list({ limit: 1_000 })
    const events = yield* allEvents
    const found = JSON.stringify(entries.map(({ document, key }) => [key, document]).toSorted())
    const isThen = (count: number) => JSON.stringify([...offline(events.slice(0, count))].toSorted()) === found
    // What came while the new version read the last page, before it took over, it still lacks.
    const from = Math.max(0, asked.last - settings.pageEvents)
    const moment = Array.from({ length: events.length + 1 - from }, (_, index) => from + index).find(isThen)
    assert.isDefined(moment, `no moment of the log from ${from} on: ${found}`)
    asked.last = Math.max(asked.last, moment!)
    asked.count++
    yield* Effect.sleep("5 millis")
  }).pipe(Effect.forever)

/**
 * Under load, an old worker goes on while a new one fills its version: nobody who reads notices, the switch is one step,
 * no effect is done again. `dies`: the new worker dies once on the way.
 */
export const rebuilds = (stores: Stores, seed: number, dies: Point | undefined) =>
  scenario(
    stores,
    Effect.gen(function*() {
      const random = randomOf(seed)
      const fired: Array<bigint> = []
      yield* grow(random, 30)
      const old = yield* start(Layer.merge(oldCode, fireworks(fired)), { lease: stores.lease })
      yield* caughtUp(old, Traces)
      assert.deepStrictEqual(yield* liveVersion, { version: 1, pinned: false })
      const newCode = Layer.merge(NewTraces.toLayer(sources, settings), fireworks(fired))
      // It takes its time, so that others can look meanwhile.
      const before = () => Effect.sleep("15 millis")
      let young = yield* start(newCode, { lease: stores.lease, dies, before })
      const asked = { count: 0, last: (yield* allEvents).length }
      const points = yield* Effect.raceFirst(
        Effect.as(young.died, 0),
        Effect.raceFirst(
          asking(young, asked),
          Effect.gen(function*() {
            yield* grow(random, 12)
            yield* caughtUp(young, NewTraces)
            assert.isAbove(asked.count, 0)
            return young.points()
          })
        ).pipe(Effect.catch(() => Effect.as(young.died, 0)))
      )
      if (dies !== undefined) {
        yield* young.kill
        assert.isFalse((yield* liveVersion) === undefined)
        young = yield* start(newCode, { lease: stores.lease })
      }
      yield* grow(random, 6)
      yield* caughtUp(young, NewTraces)
      yield* caughtUp(old, Traces)
      const what = `seed ${seed}, ${JSON.stringify(dies)}`
      assert.deepStrictEqual(yield* liveVersion, { version: 2, pinned: false }, what)
      yield* assertEqual("traces", 1, `${what}: the old one is followed as long as a worker has its code`)
      yield* assertEqual("traces", 2, what)
      yield* assertFiredOnce(old, fired, what)
      return points
    })
  )

const assertFiredOnce = Effect.fnUntraced(
  function*(process: Process<never>, fired: ReadonlyArray<bigint>, what: string) {
    const head = (yield* allEvents).length
    yield* operations(process).await("fireworks", BigInt(head), { deadline: "1 minute" })
    const wanted = (yield* allEvents).filter(({ type }) => type === "MoneyDeposited").map(({ position }) => position)
    assert.deepStrictEqual(fired, wanted, `${what}: each effect once, in order`)
  }
)

/** Rolled back, the old version is read again, with all that came meanwhile; unpinned, the new one takes over again. */
export const rollsBack = (stores: Stores, seed: number) =>
  scenario(
    stores,
    Effect.gen(function*() {
      const random = randomOf(seed)
      yield* grow(random, 20)
      const old = yield* start(oldCode, { lease: stores.lease })
      yield* caughtUp(old, Traces)
      const young = yield* start(NewTraces.toLayer(sources, settings), { lease: stores.lease })
      yield* caughtUp(young, NewTraces)
      assert.deepStrictEqual(yield* liveVersion, { version: 2, pinned: false })
      // Nobody has the old code any more: it falls behind, and cannot be read.
      yield* old.kill
      yield* grow(random, 20)
      yield* caughtUp(young, NewTraces)
      const refused = yield* Effect.flip(operations(young).rollback("traces", 1, { deadline: "1 second" }))
      assert.match(refused.message, /a worker with its code must catch it up first/)
      assert.deepStrictEqual(yield* liveVersion, { version: 2, pinned: false })
      const again = yield* start(oldCode, { lease: stores.lease })
      yield* operations(young).rollback("traces", 1, { deadline: "30 seconds" })
      assert.deepStrictEqual(yield* liveVersion, { version: 1, pinned: true })
      yield* grow(random, 7)
      yield* caughtUp(young, NewTraces)
      yield* caughtUp(again, Traces)
      assert.deepStrictEqual(yield* liveVersion, { version: 1, pinned: true })
      const view = Context.get(young.context, NewTraces)
      const entries = new Map((yield* view.list({ limit: 1_000 })).map(({ document, key }) => [key, document]))
      assert.deepStrictEqual(new Map([...entries].toSorted()), new Map([...offline(yield* allEvents)].toSorted()))
      const running = yield* Effect.flip(operations(young).drop("traces", 1))
      assert.match(running.message, /is the one that is read/)
      yield* operations(young).unpin("traces")
      yield* eventually("the new one is read again", liveVersion, (live) => live?.version === 2)
      assert.match((yield* Effect.flip(operations(young).drop("traces", 1))).message, /a worker still runs version 1/)
      yield* again.kill
      const status = yield* operations(young).status("traces")
      assert.deepStrictEqual(status[0]!.versions.map(({ version }) => version), [1, 2])
      // Its lease lasts a while.
      const drop = Effect.exit(operations(young).drop("traces", 1))
      yield* eventually("the old one is dropped", drop, ({ _tag }) => _tag === "Success")
      assert.strictEqual((yield* Effect.exit(documentsOf("traces", 1)))._tag, "Failure")
      assert.deepStrictEqual((yield* operations(young).status("traces"))[0]!.versions.map(({ version }) => version), [
        2
      ])
    })
  )

/** A new version of several partitions is read when the last of them has caught up, and not before. */
export const waitsForAll = (stores: Stores, seed: number) =>
  scenario(
    stores,
    Effect.gen(function*() {
      yield* grow(randomOf(seed), 40)
      const old = yield* start(oldCode, { lease: stores.lease })
      yield* caughtUp(old, Traces)
      const late = yield* Latch.make()
      const young = yield* start(NewTraces.toLayer(sources, { ...settings, partitions: 3 }), {
        lease: stores.lease,
        before: ({ partition }) => partition === 1 ? late.await : Effect.void
      })
      const { checkpoints } = young.faults.inner
      const others = Effect.map(
        checkpoints.list("traces"),
        (all) => all.filter(({ partition, version }) => version === 2 && partition !== 1)
      )
      yield* eventually(
        "the others have caught up",
        others,
        (all) => all.length === 2 && all.every(({ position }) => position >= 40n)
      )
      assert.deepStrictEqual(yield* liveVersion, { version: 1, pinned: false }, `seed ${seed}: one is late`)
      yield* late.open
      yield* caughtUp(young, NewTraces)
      assert.deepStrictEqual(yield* liveVersion, { version: 2, pinned: false }, `seed ${seed}`)
      yield* assertEqual("traces", 2, `seed ${seed}`)
    })
  )

/** Pinned by another process, a version is read for as long as it is, also if a new one catches up at that moment. */
export const staysPinned = (stores: Stores) =>
  scenario(
    stores,
    Effect.gen(function*() {
      yield* grow(randomOf(1), 40)
      const old = yield* start(oldCode, { lease: stores.lease })
      yield* caughtUp(old, Traces)
      const late = yield* Latch.make()
      const young = yield* start(NewTraces.toLayer(sources, settings), {
        lease: stores.lease,
        before: () => late.await
      })
      yield* Effect.sleep("1 second")
      yield* operations(old).rollback("traces", 1, { deadline: "10 seconds" })
      yield* late.open
      yield* caughtUp(young, NewTraces)
      yield* grow(randomOf(2), 10)
      yield* caughtUp(young, NewTraces)
      assert.deepStrictEqual(yield* liveVersion, { version: 1, pinned: true })
    })
  )
