/**
 * The stores in memory keep the promises of every store.
 */
import { describe, it } from "@effect/vitest"
import { deepStrictEqual, strictEqual } from "@effect/vitest/utils"
import { Context, Effect, Fiber, Layer, Stream } from "effect"
import { TestClock } from "effect/testing"
import { EventStore } from "../../src/EventStore.ts"
import * as Memory from "../../src/memory/Memory.ts"
import * as MemoryEventStore from "../../src/memory/MemoryEventStore.ts"
import * as MemoryLog from "../../src/memory/MemoryLog.ts"
import * as CheckpointStoreSuite from "../../src/testing/CheckpointStoreSuite.ts"
import * as DeadLettersSuite from "../../src/testing/DeadLettersSuite.ts"
import * as EventStoreSuite from "../../src/testing/EventStoreSuite.ts"
import * as InlineViewsSuite from "../../src/testing/InlineViewsSuite.ts"
import * as LeaseSuite from "../../src/testing/LeaseSuite.ts"
import * as SnapshotStoreSuite from "../../src/testing/SnapshotStoreSuite.ts"
import * as Sample from "../../src/testing/suites/Sample.ts"
import * as ViewStoreSuite from "../../src/testing/ViewStoreSuite.ts"

EventStoreSuite.suite("memory", Memory.layer)
SnapshotStoreSuite.suite("memory", Memory.layer)
CheckpointStoreSuite.suite("memory", Memory.layer)
ViewStoreSuite.suite("memory", Memory.layer)
DeadLettersSuite.suite("memory", Memory.layer)
InlineViewsSuite.suite("memory", Memory.layer)
LeaseSuite.suite("memory", Memory.layer)

const build = Effect.map(Layer.build(Memory.layer), Context.get(EventStore))

describe("a log in memory", () => {
  it.effect("is new and empty each time its Layer is built", () =>
    Effect.gen(function*() {
      const [one, two] = [yield* build, yield* build]
      yield* Effect.provideService(Sample.filled(3), EventStore, one)
      deepStrictEqual([yield* one.head, yield* two.head], [3n, 0n])
      deepStrictEqual(yield* two.readAll({ after: 0n }), { events: [], position: 0n, head: 0n })
      strictEqual(one.storeId === two.storeId, false)
    }))

  it.effect("takes its time from Effect's clock", () =>
    Effect.gen(function*() {
      const store = yield* build
      yield* TestClock.setTime(1_234.9)
      const stream = yield* Effect.provideService(Sample.filled(1), EventStore, store)
      const { events, readAtMillis } = yield* store.readStream(stream)
      deepStrictEqual([events[0]!.recordedAtMillis, readAtMillis], [1_234, 1_234])
    }))

  it.effect("knows the version of a stream at once", () =>
    Effect.gen(function*() {
      const store = yield* build
      const stream = yield* Effect.provideService(Sample.filled(2), EventStore, store)
      deepStrictEqual([store.versionNow?.(stream), store.versionNow?.(Sample.stream())], [2, 0])
    }))

  it.effect("is audited 100,000 positions at a time", () =>
    Effect.gen(function*() {
      const store = yield* build
      yield* Effect.provideService(Sample.filled(100_500), EventStore, store)
      deepStrictEqual([yield* store.audit(0n), yield* store.audit(100_000n)], [100_000n, 100_500n])
      deepStrictEqual([yield* store.audit(499n), yield* store.audit(500n)], [100_499n, 100_500n])
    }))

  it.effect("forgets who followed it and has gone", () =>
    Effect.gen(function*() {
      const log = MemoryLog.make()
      const store = MemoryEventStore.make(log, "id")
      const follower = yield* Effect.forkChild(Stream.runDrain(store.follow({ after: 0n })), { startImmediately: true })
      yield* Effect.yieldNow
      strictEqual(log.waiting.size, 1)
      yield* Fiber.interrupt(follower)
      strictEqual(log.waiting.size, 0)
    }))

  it.effect("keeps no trace of a stream that was only looked at", () =>
    Effect.gen(function*() {
      const log = MemoryLog.make()
      const store = MemoryEventStore.make(log, "id")
      yield* store.append([[Sample.write(Sample.stream(), 0)], [Sample.write(Sample.stream(), 3, Sample.events(1))]])
      yield* store.readStream(Sample.stream())
      strictEqual(log.branches.size, 0)
    }))
})
