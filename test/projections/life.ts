/**
 * Scenarios of a projection's days: leases, pauses, resets, steps, waits, partitions, and a log that is not what it was.
 */
import { assert } from "@effect/vitest"
import { Clock, Context, Effect, Exit, Fiber, Layer, Stream } from "effect"
import { EventStore } from "../../src/EventStore.ts"
import * as Projection from "../../src/Projection.ts"
import { ProjectionHost, type Settings } from "../../src/ProjectionHost.ts"
import * as ProjectionRunner from "../../src/ProjectionRunner.ts"
import { Projections } from "../../src/Projections.ts"
import { hangs } from "../../src/testing/Faults.ts"
import { AccountEvent } from "../fixtures/Account.ts"
import { newEvent } from "../fixtures/Runtimes.ts"
import { assertEqual } from "./crashes.ts"
import { when } from "./failures.ts"
import { offline, sources, Traces } from "./traces.ts"
import {
  allEvents,
  append,
  assertOneChain,
  caughtUp,
  documentsOf,
  grow,
  type Process,
  randomOf,
  scenario,
  start,
  type Stores
} from "./world.ts"

const projection = (settings: Settings = {}) =>
  Traces.toLayer(sources, { pageEvents: 6, drainDeadline: 0, ...settings })

const operations = ({ context }: Process<never>) => Context.get(context, Projections)

/** Of two workers one works, and the other takes over when the first has died without a word. */
export const takesOver = (stores: Stores, leaseMillis: number) =>
  scenario(
    stores,
    Effect.gen(function*() {
      const random = randomOf(1)
      const first = yield* start(projection(), { lease: leaseMillis })
      yield* grow(random, 10)
      yield* caughtUp(first, Traces)
      const second = yield* start(projection(), { lease: leaseMillis })
      yield* Effect.sleep("1 second")
      yield* grow(random, 10)
      yield* caughtUp(first, Traces)
      // It stands by, and knows from the checkpoint how far the other one is.
      yield* caughtUp(second, Traces)
      assert.lengthOf(second.steps, 0)
      assert.deepInclude((yield* operations(second).status("traces"))[0], { state: "standby", lagEvents: 0n })
      const before = yield* Clock.currentTimeMillis
      yield* first.kill
      yield* grow(random, 10)
      yield* caughtUp(second, Traces)
      const after = yield* Clock.currentTimeMillis
      assert.isAtMost(after - before, leaseMillis * 1.5)
      yield* assertEqual("traces", 1, "after the takeover")
      assertOneChain("takeover", [first, second])
    })
  )

/** A worker that stops in good order leaves the next one nothing to wait for. */
export const handsOver = (stores: Stores) =>
  scenario(
    stores,
    Effect.gen(function*() {
      const first = yield* start(projection(), { lease: "10 minutes" })
      yield* grow(randomOf(1), 10)
      yield* caughtUp(first, Traces)
      yield* first.stop
      const { leases } = first.faults.inner
      assert.deepStrictEqual(yield* leases.list, [])
      const second = yield* start(projection(), { lease: "10 minutes" })
      yield* grow(randomOf(2), 10)
      yield* caughtUp(second, Traces)
      yield* assertEqual("traces", 1, "after the next one")
    })
  )

/** A store that does not answer, and a log that is not followed: a loop that stands still is begun anew. */
export const standsStill = (stores: Stores) =>
  scenario(
    stores,
    Effect.gen(function*() {
      const random = randomOf(3)
      const process = yield* start(projection(), { lease: stores.lease })
      yield* grow(random, 10)
      yield* caughtUp(process, Traces)
      yield* process.next("views.write", hangs)
      yield* grow(random, 10)
      yield* caughtUp(process, Traces)
      yield* process.next("checkpoints.advance", hangs)
      yield* grow(random, 10)
      yield* caughtUp(process, Traces)
      yield* assertEqual("traces", 1, "after it stood still")
    })
  )

/** Paused, it stays where it is, in every process; stepped, it shows what each event does; resumed, it goes on. */
export const pausesAndSteps = (stores: Stores) =>
  scenario(
    stores,
    Effect.gen(function*() {
      const process = yield* start(projection(), { lease: stores.lease })
      yield* append("a-1", newEvent({ data: { cents: 5 } }))
      yield* caughtUp(process, Traces)
      const { pause, reset, resume, status, step } = operations(process)
      assert.match((yield* Effect.flip(step("traces"))).message, /pause it first/)
      yield* pause("traces", { reason: "a look at it" })
      yield* append("a-1", newEvent({ data: { cents: 7 } }), newEvent({ type: "SomethingElse", data: {} }))
      yield* append("a-2", newEvent({ data: { cents: 20 } }))
      yield* Effect.sleep("1 second")
      const [paused] = yield* status("traces")
      assert.deepInclude(paused, { state: "paused", why: "a look at it", position: 1n, head: 4n, lagEvents: 3n })
      const behind = yield* Effect.flip(operations(process).await("traces", 4n, { deadline: "1 minute" }))
      assert.match(behind.message, /paused: a look at it/)
      const before = { events: 1, trace: 222, last: "a-1" }
      const after = { events: 2, trace: 6889, last: "a-1" }
      const stepped = yield* step("traces")
      assert.deepInclude(stepped, { position: 2n, type: "MoneyDeposited", failure: undefined, version: 2 })
      assert.deepStrictEqual(stepped!.changes, [{ tenant: "default", key: "a-1", before, after }])
      assert.deepStrictEqual((yield* documentsOf("traces", 1)).get("a-1"), after)
      // It deletes what is not there.
      assert.deepInclude(yield* step("traces"), { position: 4n, changes: [] })
      assert.isUndefined(yield* step("traces"))
      assert.deepInclude((yield* status("traces"))[0], { state: "paused", why: "a look at it", lagEvents: 0n })
      yield* append("a-2", newEvent({ data: { cents: 3 } }))
      yield* resume("traces")
      yield* caughtUp(process, Traces)
      yield* assertEqual("traces", 1, "after the steps")
      yield* reset("traces")
      yield* caughtUp(process, Traces)
      yield* assertEqual("traces", 1, "after the reset")
      assert.deepStrictEqual((yield* documentsOf("traces", 1)).size, 2)
      assert.strictEqual((yield* Effect.flip(pause("trades")))._tag, "ProjectionUnknown")
    })
  )

/** Reset by another process, while nothing happens in the log: whoever runs it finds out by himself. */
export const isResetElsewhere = (stores: Stores) =>
  scenario(
    stores,
    Effect.gen(function*() {
      const one = yield* start(projection(), { lease: stores.lease })
      yield* grow(randomOf(5), 20)
      yield* caughtUp(one, Traces)
      const other = yield* start(projection(), { lease: stores.lease })
      yield* operations(other).reset("traces")
      while ((yield* documentsOf("traces", 1)).size === 0) yield* Effect.sleep("50 millis")
      yield* caughtUp(one, Traces)
      yield* assertEqual("traces", 1, "after the reset")
    })
  )

/** Several partitions, each with its own checkpoint, fill one view; their number is not changed by the way. */
export const partitions = (stores: Stores, seed: number) =>
  scenario(
    stores,
    Effect.gen(function*() {
      const random = randomOf(seed)
      yield* grow(random, 40)
      const one = yield* start(projection({ partitions: 3 }), { lease: stores.lease })
      const other = yield* start(projection({ partitions: 3 }), { lease: stores.lease })
      yield* grow(random, 40)
      yield* caughtUp(one, Traces)
      yield* assertEqual("traces", 1, `seed ${seed}`)
      assertOneChain(`seed ${seed}`, [one, other])
      const [status] = yield* operations(one).status("traces")
      assert.lengthOf(status!.partitions, 3)
      yield* one.stop
      yield* other.stop
      const wrong = yield* start(projection({ partitions: 2 }), { lease: stores.lease })
      const stopped = yield* when(wrong, ({ state }) => state === "stopped")
      assert.match(stopped.why ?? "", /was filled by 3 partitions and is declared with 2/)
      yield* operations(wrong).reset("traces")
      yield* caughtUp(wrong, Traces)
      yield* assertEqual("traces", 1, `seed ${seed}: after the reset`)
    })
  )

/** What is delivered is what is in the log, in its order, whoever writes at the same time; repeated after a start only. */
export const skipsNothing = (stores: Stores, seed: number) =>
  scenario(
    stores,
    Effect.gen(function*() {
      const random = randomOf(seed)
      const seen: Array<bigint> = []
      const watch = Projection.effect("watch", {
        from: "beginning",
        sources: (on) => {
          const note = (_: unknown, { position }: Projection.Meta) => Effect.sync(() => void seen.push(position))
          return [on(AccountEvent, { MoneyDeposited: note, MoneyWithdrawn: note })]
        }
      })
      const process = yield* start(watch.toLayer({ pageEvents: 4, drainDeadline: 0 }), { lease: stores.lease })
      const writers = yield* Effect.forEach([1, 2, 3], (writer) =>
        Effect.forkChild(Effect.gen(function*() {
          const own = randomOf(seed * 10 + writer)
          for (let round = 0; round < 10; round++) {
            yield* grow(own, 4)
            yield* Effect.sleep(own.below(40))
          }
        })))
      for (const writer of writers) yield* Fiber.join(writer)
      yield* caughtUp(process, watch)
      const wanted = (yield* allEvents).filter(({ type }) => type.startsWith("Money")).map(({ position }) => position)
      assert.deepStrictEqual(seen, wanted, `seed ${seed}`)
      yield* process.kill
      seen.length = 0
      yield* grow(random, 10)
      const next = yield* start(watch.toLayer({ pageEvents: 4, drainDeadline: 0 }), { lease: stores.lease })
      yield* caughtUp(next, watch)
      const later = (yield* allEvents).filter(({ type }) => type.startsWith("Money")).map(({ position }) => position)
      assert.deepStrictEqual(
        [...new Set(seen)],
        later.slice(later.indexOf(seen[0]!)),
        `seed ${seed}: after the restart`
      )
      assert.isAtMost(later.indexOf(seen[0]!), wanted.length)
    })
  )

/** What a view's readers are told, and in which order. */
export const tellsListeners = (stores: Stores) =>
  scenario(
    stores,
    Effect.gen(function*() {
      const process = yield* start(projection(), { lease: stores.lease })
      const view = Context.get(process.context, Traces)
      const told = yield* Effect.forkChild(Stream.runCollect(Stream.take(view.changes, 3)), { startImmediately: true })
      yield* Effect.sleep("10 millis")
      yield* append("a-1", newEvent({ data: { cents: 5 } }))
      yield* caughtUp(process, Traces)
      yield* append("a-2", newEvent({ data: { cents: 6 } }))
      yield* caughtUp(process, Traces)
      yield* append("a-1", newEvent({ data: { cents: 10 } }))
      assert.deepStrictEqual(yield* Fiber.join(told), [
        { tenant: "default", key: "a-1", document: { events: 1, trace: 222, last: "a-1" }, position: 1n },
        { tenant: "default", key: "a-2", document: { events: 1, trace: 223, last: "a-2" }, position: 2n },
        { tenant: "default", key: "a-1", document: undefined, position: 3n }
      ])
    })
  )

/** A fold is made anew by each process, and is where the log is. */
class Totals extends Projection.Fold<Totals, { readonly cents: number; readonly events: number }>()("totals") {}

export const folds = (stores: Stores, seed: number) =>
  scenario(
    stores,
    Effect.gen(function*() {
      const random = randomOf(seed)
      yield* grow(random, 30)
      const live = Totals.toLayer({
        initial: () => ({ cents: 0, events: 0 }),
        sources: (on) => [
          on(AccountEvent, {
            MoneyDeposited: ({ cents, events }, event) => ({ cents: cents + event.cents, events: events + 1 }),
            MoneyWithdrawn: ({ cents, events }, event) => ({ cents: cents - event.cents, events: events + 1 })
          })
        ]
      }, { pageEvents: 7 })
      const one = yield* start(live, { lease: stores.lease })
      const other = yield* start(live, { lease: stores.lease })
      yield* grow(random, 10)
      const expected = Effect.map(allEvents, (events) =>
        events.filter(({ type }) => type.startsWith("Money")).reduce(
          ({ cents, events }, { data, type }) => ({
            cents: cents + (type === "MoneyDeposited" ? 1 : -1) * JSON.parse(data).cents,
            events: events + 1
          }),
          { cents: 0, events: 0 }
        ))
      for (const process of [one, other]) {
        yield* caughtUp(process, Totals)
        assert.deepStrictEqual(yield* Context.get(process.context, Totals).state, yield* expected)
      }
      yield* operations(one).pause("totals")
      yield* grow(random, 10)
      yield* operations(one).resume("totals")
      yield* caughtUp(one, Totals)
      assert.deepStrictEqual(yield* Context.get(one.context, Totals).state, yield* expected)
      yield* operations(one).reset("totals")
      yield* caughtUp(one, Totals)
      assert.deepStrictEqual(yield* Context.get(one.context, Totals).state, yield* expected)
      const { checkpoints } = one.faults.inner
      assert.deepStrictEqual(yield* checkpoints.list("totals"), [], "nothing of it is kept")
    })
  )

/** The log was put back behind its reader: it stops with a name for it, until somebody has looked. */
export const notices = (stores: Stores) =>
  scenario(
    stores,
    Effect.gen(function*() {
      const process = yield* start(projection(), { lease: stores.lease })
      yield* grow(randomOf(1), 10)
      yield* caughtUp(process, Traces)
      yield* process.stop
      const { checkpoints } = process.faults.inner
      const [checkpoint] = yield* checkpoints.list("traces")
      const step = { id: { name: "traces", version: 1, partition: 0 }, revision: checkpoint!.revision }
      yield* checkpoints.advance({ ...step, to: checkpoint!.position, epoch: "another life" }, Effect.void)
      const restored = yield* start(projection(), { lease: stores.lease })
      const stopped = yield* when(restored, ({ state }) => state === "stopped")
      assert.match(stopped.why ?? "", /The log is not the one that "traces" has read/)
      yield* operations(restored).accept("traces")
      yield* grow(randomOf(2), 5)
      yield* caughtUp(restored, Traces)
      yield* assertEqual("traces", 1, "accepted")
      yield* restored.stop
      const now = (yield* checkpoints.list("traces"))[0]!
      const { epoch } = now
      yield* checkpoints.advance({ ...step, revision: now.revision, to: 1_000n, epoch }, Effect.void)
      const rewound = yield* start(projection(), { lease: stores.lease })
      const cut = yield* when(rewound, ({ state }) => state === "stopped")
      assert.match(cut.why ?? "", /has read up to 1000, and the log ends at 15/)
      assert.match((yield* Effect.flip(operations(rewound).accept("traces"))).message, /reset it/)
      yield* operations(rewound).reset("traces")
      yield* caughtUp(rewound, Traces)
      yield* assertEqual("traces", 1, "reset")
    })
  )

/** Documents and checkpoints in two stores cannot be one transaction: it does not start. */
export const refusesTwoStores = (stores: Stores) =>
  Effect.gen(function*() {
    const other = yield* Layer.buildWithMemoMap(stores.layer, Layer.makeMemoMapUnsafe(), yield* Effect.scope)
    const host = ProjectionRunner.layer.pipe(Layer.provide(Layer.fresh(stores.layer)))
    const built = yield* Effect.exit(Effect.scoped(Layer.build(
      projection().pipe(Layer.provide(host), Layer.provide(Layer.succeedContext(other)))
    )))
    assert.isTrue(Exit.isFailure(built))
    assert.include(String(Exit.isFailure(built) && built.cause), "StoresDiffer")
  })

/** What is awaited is there when the wait ends. */
export const awaits = (stores: Stores) =>
  scenario(
    stores,
    Effect.gen(function*() {
      const process = yield* start(projection(), { lease: stores.lease })
      const host = Context.get(process.context, ProjectionHost)
      for (let round = 1; round <= 10; round++) {
        yield* append("a-1", newEvent({ data: { cents: 1 } }))
        yield* host.await(Traces.definition, yield* (yield* EventStore).head, { deadline: "10 seconds" })
        assert.deepInclude((yield* documentsOf("traces", 1)).get("a-1") as object, { events: round })
      }
      const late = yield* Effect.flip(host.await(Traces.definition, 99n, { deadline: "1 second" }))
      assert.deepInclude(late, { _tag: "ProjectionBehind", position: 99n, reached: 10n })
    })
  )

/** Documents that are gone, and orders, as a view's readers ask for them. */
export const answersQueries = (stores: Stores) =>
  scenario(
    stores,
    Effect.gen(function*() {
      const process = yield* start(projection(), { lease: stores.lease })
      for (const [id, count] of [["a", 3], ["b", 1], ["c", 2], ["d", 2]] as const) {
        yield* append(id, ...Array.from({ length: count }, () => newEvent({ data: { cents: 1 } })))
      }
      yield* caughtUp(process, Traces)
      const view = Context.get(process.context, Traces)
      const expected = offline(yield* allEvents)
      assert.deepStrictEqual(yield* view.get("a"), expected.get("a"))
      assert.isUndefined(yield* view.get("z"))
      assert.isUndefined(yield* view.get("a", { tenant: "other" }))
      const keys = <A>(entries: ReadonlyArray<{ readonly key: A }>) => entries.map(({ key }) => key)
      assert.deepStrictEqual(keys(yield* view.list()), ["a", "b", "c", "d"])
      assert.deepStrictEqual(keys(yield* view.list({ where: { events: 2 } })), ["c", "d"])
      assert.strictEqual(yield* view.count({ where: { events: 2 } }), 2)
      const orderBy = { field: "events", direction: "descending" } as const
      const first = yield* view.list({ orderBy, limit: 2 })
      assert.deepStrictEqual(keys(first), ["a", "d"])
      assert.deepStrictEqual(keys(yield* view.list({ orderBy, after: first.at(-1)!, limit: 2 })), ["c", "b"])
      assert.deepStrictEqual(keys(yield* view.list({ after: "b" })), ["c", "d"])
      assert.strictEqual((yield* Effect.flip(view.list({ limit: 1_001 })))._tag, "InputInvalid")
      assert.strictEqual((yield* Effect.flip(view.get("")))._tag, "InputInvalid")
    })
  )
