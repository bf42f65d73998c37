/**
 * W16 of the systems that Varve descends from: a snapshot shared its lists with the live aggregate, so whoever changed
 * one changed both, and the next load counted twice what had happened since.
 */
import { assert, it } from "@effect/vitest"
import { Context, Effect, Layer, Schema } from "effect"
import * as Aggregate from "../../src/Aggregate.ts"
import * as AggregateRuntime from "../../src/AggregateRuntime.ts"
import * as Event from "../../src/Event.ts"
import type { EventStore, StoreUnavailable } from "../../src/EventStore.ts"
import * as Memory from "../../src/memory/Memory.ts"
import { SnapshotStore } from "../../src/SnapshotStore.ts"
import { layerFresh } from "../sqlite/file.ts"

const ListEvent = Event.union({ Added: { number: Schema.Int } })

class Lists extends Aggregate.Service<Lists>()("List", {
  state: Schema.Struct({ numbers: Schema.mutable(Schema.Array(Schema.Int)) }),
  events: ListEvent,
  commands: [Aggregate.command("add", { payload: { number: Schema.Int } })]
}) {}

const ListsLive = Lists.toLayer({
  initial: { numbers: [] },
  evolve: { Added: ({ numbers }, { number }) => ({ numbers: [...numbers, number] }) },
  handlers: { add: ({ payload }) => Aggregate.decide([ListEvent.cases.Added.make(payload)]) }
}, { snapshotEvery: 3 })

/** A process of its own on the store at hand. */
const start = ListsLive.pipe(
  Layer.provide(AggregateRuntime.layer),
  Layer.fresh,
  Layer.build,
  Effect.map((context) => Context.get(context, Lists))
)

const stream = { tenant: Event.defaultTenant, category: "List", id: "a" }

const snapshot = Effect.gen(function*() {
  yield* Effect.replicateEffect(Effect.yieldNow, 20)
  const { snapshot } = yield* (yield* SnapshotStore).load(stream)
  return snapshot && { version: snapshot.version, state: JSON.parse(snapshot.state) }
})

const stores: ReadonlyArray<readonly [string, Layer.Layer<EventStore | SnapshotStore, StoreUnavailable>]> = [
  ["memory", Memory.layer],
  ["SQLite", layerFresh]
]

it.effect.each(stores)(
  "W16: whoever spoils the state that it was shown spoils no snapshot and no later load (%s)",
  ([, stores]) =>
    Effect.gen(function*() {
      const live = yield* start
      for (const number of [0, 1, 2]) yield* live.of("a").add({ number })
      const saved = yield* snapshot
      assert.deepStrictEqual(saved, { version: 3, state: { numbers: [0, 1, 2] } })
      for (const process of [live, yield* start]) {
        const shown = yield* process.state("a")
        shown.numbers.push(99)
        assert.deepStrictEqual(yield* snapshot, saved)
      }
      const restarted = yield* start
      yield* restarted.of("a").add({ number: 3 })
      for (const process of [restarted, yield* start]) {
        assert.deepStrictEqual(yield* process.state("a"), { numbers: [0, 1, 2, 3] })
      }
    }).pipe(Effect.provide(stores))
)
