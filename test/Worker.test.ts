/** The worker looks after the log: it counts it, and forgets old receipts. */
import { assert, it } from "@effect/vitest"
import { Effect, Layer, Logger, Metric } from "effect"
import { TestClock } from "effect/testing"
import { EventStore } from "../src/EventStore.ts"
import * as Memory from "../src/memory/Memory.ts"
import { SnapshotStore } from "../src/SnapshotStore.ts"
import * as Sample from "../src/testing/suites/Sample.ts"
import * as Worker from "../src/Worker.ts"
import { Accounts, behavior, Supervisor } from "./fixtures/Account.ts"
import { metric } from "./fixtures/Runtimes.ts"
import { freshFile, open } from "./sqlite/file.ts"

const AccountsLive = Layer.provide(Accounts.toLayer(behavior), Supervisor.layerYes)

it.effect("I8: counts each hole of the log once, names its place, and goes on behind it", () =>
  Effect.gen(function*() {
    const { events, snapshots, sql } = yield* open({ filename: yield* freshFile })
    yield* Effect.provideService(Sample.filled(20), EventStore, events)
    yield* sql`DELETE FROM varve_events WHERE position IN (1, 5, 6, 7, 15)`
    const said: Array<unknown> = []
    const logger = Logger.make(({ message }) => said.push(message))
    const stores = Layer.merge(Layer.succeed(EventStore, events), Layer.succeed(SnapshotStore, snapshots))
    yield* Layer.build(
      Worker.layer({ aggregates: [AccountsLive] }).pipe(
        Layer.provide(stores),
        Layer.provide(Logger.layer([logger]))
      )
    )
    yield* TestClock.adjust("1 minute")
    const holes = [["2", "0"], ["8", "4"], ["16", "14"]]
    assert.deepStrictEqual(
      said.flat(),
      holes.map(([found, after]) => `The log has a hole: position ${found} follows ${after}`)
    )
    assert.strictEqual(yield* metric("varve_log_gaps_total"), 3)
    yield* Effect.provideService(Sample.filled(3), EventStore, events)
    yield* sql`DELETE FROM varve_events WHERE position = 22`
    yield* TestClock.adjust("10 seconds")
    assert.strictEqual(yield* metric("varve_log_gaps_total"), 4)
    assert.include(said.flat(), "The log has a hole: position 23 follows 21")
  }).pipe(Effect.provideService(Metric.MetricRegistry, new Map())))

it.effect("I5: forgets receipts by the store's clock, whatever its own says", () =>
  Effect.gen(function*() {
    const inner = yield* EventStore
    const aheadMillis = 8 * 24 * 3_600_000
    yield* TestClock.setTime(aheadMillis + 1_000)
    const receipt = Sample.receipt("c", { events: 1, through: 1 })
    const stream = Sample.stream()
    const behind: EventStore["Service"] = {
      ...inner,
      readStream: (stream, range) =>
        Effect.map(
          inner.readStream(stream, range),
          (page) => ({ ...page, readAtMillis: page.readAtMillis - aheadMillis })
        ),
      pruneReceipts: ({ beforeMillis, limit }) =>
        inner.pruneReceipts({ beforeMillis: beforeMillis + aheadMillis, limit })
    }
    yield* inner.append([[Sample.write(stream, 0, Sample.events(1), [receipt])]])
    yield* Layer.build(
      Worker.layer({ aggregates: [AccountsLive], receiptsKept: "7 days" }).pipe(
        Layer.provide(
          Layer.merge(Layer.succeed(EventStore, behind), Layer.succeed(SnapshotStore, yield* SnapshotStore))
        )
      )
    )
    yield* TestClock.adjust("1 hour")
    assert.deepInclude(yield* inner.receipt(stream, "c"), { commandId: "c" })
    yield* TestClock.adjust("7 days")
    assert.isUndefined(yield* inner.receipt(stream, "c"))
  }).pipe(Effect.provide(Memory.layer)))
