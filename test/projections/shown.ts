/**
 * Scenarios of commands that wait until a view shows what they have done: whoever reads it then in that process sees it.
 */
import { assert } from "@effect/vitest"
import { Context, Effect, Fiber, Latch, Layer } from "effect"
import * as AggregateRuntime from "../../src/AggregateRuntime.ts"
import { CheckpointStore } from "../../src/CheckpointStore.ts"
import { EventStore } from "../../src/EventStore.ts"
import * as Memory from "../../src/memory/Memory.ts"
import { ProjectionHost } from "../../src/ProjectionHost.ts"
import { Projections } from "../../src/Projections.ts"
import { SnapshotStore } from "../../src/SnapshotStore.ts"
import { ViewStore } from "../../src/ViewStore.ts"
import { Accounts, behavior, Supervisor } from "../fixtures/Account.ts"
import { newEvent } from "../fixtures/Runtimes.ts"
import { NewTraces, sources, Traces } from "./traces.ts"
import { append, caughtUp, eventually, type Process, scenario, start, type Stores } from "./world.ts"

const settings = { pageEvents: 50, drainDeadline: 0 }
const oldCode = Traces.toLayer(sources, settings)
const newCode = NewTraces.toLayer(sources, settings)

/** Of which there are none to keep. */
const snapshots = Layer.effect(
  SnapshotStore,
  Effect.map(Layer.build(Memory.layer), (memory) => Context.get(memory, SnapshotStore))
)

const accountsLive = Accounts.toLayer(behavior, { drainDeadline: 0 }).pipe(
  Layer.provide(Supervisor.layerYes),
  Layer.provide(AggregateRuntime.layer),
  Layer.provide(snapshots)
)

const operations = ({ context }: Process<never>) => Context.get(context, Projections)

const liveVersion = Effect.flatMap(ViewStore, ({ live }) => live("traces"))

/** Commands of a process that wait for the view by its new code. */
const commandsOf = Effect.fnUntraced(function*({ context }: Process<NewTraces>) {
  const built = yield* Layer.build(Layer.provide(accountsLive, Layer.succeedContext(context)))
  const accounts = Context.get(built, Accounts)
  return (id: string) => accounts.of(id, { consistent: [NewTraces], deadline: "5 seconds" }).deposit({ cents: 1 })
})

/** How many events of an account its document shows, to who has the new code. */
const shownTo = ({ context }: Process<NewTraces>, id: string) =>
  Effect.map(Context.get(context, NewTraces).get(id), (trace) => trace?.events)

/** A process with the old code that has seen one event. */
const begun = Effect.fnUntraced(function*(stores: Stores) {
  const old = yield* start(oldCode, { lease: stores.lease })
  yield* append("a-1", newEvent({ data: { cents: 1 } }))
  yield* caughtUp(old, Traces)
  return old
})

/** Beside it one with the new code, which goes on while `late` is open, and another one that stands by and asks. */
const besideYoung = Effect.fnUntraced(function*(stores: Stores) {
  const old = yield* begun(stores)
  const late = yield* Latch.make()
  const young = yield* start(newCode, { lease: stores.lease, before: () => late.await })
  yield* eventually("it has its lease", young.faults.inner.leases.list, ({ length }) => length === 2)
  const standby = yield* start(newCode, { lease: stores.lease })
  return { deposit: yield* commandsOf(standby), late, old, standby, young }
})

/** While the new version is filled, the old one is waited for, since it is read. */
export const duringRebuild = (stores: Stores) =>
  scenario(
    stores,
    Effect.gen(function*() {
      yield* begun(stores)
      const late = yield* Latch.make()
      const young = yield* start(newCode, { lease: stores.lease, before: () => late.await })
      const deposit = yield* commandsOf(young)
      yield* deposit("a-2")
      assert.strictEqual(yield* shownTo(young, "a-2"), 1)
      assert.deepStrictEqual(yield* liveVersion, { version: 1, pinned: false })
    })
  )

/** After a rollback the old version is waited for, and in vain where nobody has its code. */
export const afterRollback = (stores: Stores) =>
  scenario(
    stores,
    Effect.gen(function*() {
      const old = yield* begun(stores)
      const young = yield* start(newCode, { lease: stores.lease })
      yield* caughtUp(young, NewTraces)
      assert.deepStrictEqual(yield* liveVersion, { version: 2, pinned: false })
      yield* operations(old).rollback("traces", 1, { deadline: "10 seconds" })
      const deposit = yield* commandsOf(young)
      yield* deposit("a-2")
      assert.strictEqual(yield* shownTo(young, "a-2"), 1)
      yield* old.stop
      const { message } = yield* Effect.flip(deposit("a-3"))
      assert.match(message, /"traces" is at 2, not yet at 3: .* no worker runs it at the moment/)
      assert.isUndefined(yield* shownTo(young, "a-3"))
    })
  )

/** Right after another process has made the new version the one that is read, its documents are what is shown. */
export const afterSwitch = (stores: Stores) =>
  scenario(
    stores,
    Effect.gen(function*() {
      const { deposit, late, old, standby, young } = yield* besideYoung(stores)
      yield* old.stop
      // From now on it remembers for a second that the old version is read.
      yield* eventually("it has just looked", shownTo(standby, "a-1"), (events) => events === 1)
      yield* late.open
      yield* caughtUp(young, NewTraces)
      assert.deepStrictEqual(yield* liveVersion, { version: 2, pinned: false })
      yield* deposit("a-1")
      assert.strictEqual(yield* shownTo(standby, "a-1"), 2)
    })
  )

/** Where the new version has been switched to and then lags, it is waited for, though the old one has everything. */
export const whileItLags = (stores: Stores) =>
  scenario(
    stores,
    Effect.gen(function*() {
      const { deposit, late, standby, young } = yield* besideYoung(stores)
      yield* eventually("it has just looked", shownTo(standby, "a-1"), (events) => events === 1)
      yield* late.open
      yield* caughtUp(young, NewTraces)
      yield* late.close
      const answer = yield* Effect.forkScoped(deposit("a-1"), { startImmediately: true })
      yield* Effect.sleep("1200 millis")
      assert.isUndefined(answer.pollUnsafe())
      assert.strictEqual(yield* shownTo(standby, "a-1"), 1)
      yield* late.open
      yield* Fiber.join(answer)
      assert.strictEqual(yield* shownTo(standby, "a-1"), 2)
    })
  )

/** A worker who has met an event of a newer build waits for the view as the newer build makes it. */
export const madeByNewerBuild = (stores: Stores) =>
  scenario(
    stores,
    Effect.gen(function*() {
      const old = yield* start(oldCode, { lease: stores.lease })
      yield* append("a-1", newEvent({ data: { cents: 6 }, schemaVersion: 2 }))
      const { leases } = old.faults.inner
      const state = Effect.map(operations(old).status("traces"), ([status]) => status?.state)
      yield* eventually("it can go no further", state, (state) => state === "stopped")
      yield* eventually("it has let the lease go", leases.list, ({ length }) => length === 0)
      const host = Context.get(old.context, ProjectionHost)
      const alone = yield* Effect.flip(host.await(Traces.definition, 1n, { deadline: "1 second" }))
      assert.match(
        alone.message,
        /took longer than 1s, and no worker runs it at the moment: here it is stopped: .* newer build/
      )
      yield* leases.claim({ name: "projection/traces/1/0", holder: "the newer build", millis: 60_000 })
      const { advance, get } = yield* CheckpointStore
      const id = { name: "traces", version: 1, partition: 0 }
      const epoch = yield* (yield* EventStore).epoch
      const { revision } = (yield* get(id))!
      yield* advance({ id, revision, to: 1n, epoch }, Effect.void)
      yield* host.await(Traces.definition, 1n, { deadline: "1 second" })
      yield* host.awaitShown(Traces.definition, 1n, { deadline: "1 second" })
    })
  )
