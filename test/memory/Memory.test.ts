/**
 * The stores in memory keep the promises of every store.
 */
import { describe, it } from "@effect/vitest"
import { deepStrictEqual, strictEqual } from "@effect/vitest/utils"
import { Context, Deferred, Effect, Exit, Fiber, Latch, Layer, Stream } from "effect"
import { TestClock } from "effect/testing"
import { CheckpointStore } from "../../src/CheckpointStore.ts"
import { DeadLetters } from "../../src/DeadLetters.ts"
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
import * as ReadSide from "../../src/testing/suites/ReadSide.ts"
import * as Sample from "../../src/testing/suites/Sample.ts"
import * as ViewStoreSuite from "../../src/testing/ViewStoreSuite.ts"
import { ViewStore } from "../../src/ViewStore.ts"

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

/** The stores of a Layer of its own, with a view and a checkpoint that nobody has moved. */
const scene = Effect.gen(function*() {
  const context = yield* Layer.build(Memory.layer)
  const [checkpoints, views] = [Context.get(context, CheckpointStore), Context.get(context, ViewStore)]
  const [view, id] = [ReadSide.view(), ReadSide.checkpoint()]
  yield* views.prepare(view)
  const ids = [
    Context.get(context, EventStore).storeId,
    checkpoints.storeId,
    views.storeId,
    Context.get(context, DeadLetters).storeId
  ]
  return {
    checkpoints,
    ids,
    write: (key: string) => views.write(view, [ReadSide.put(key, {})]),
    advance: <A, E, R>(work: Effect.Effect<A, E, R>) => checkpoints.advance(ReadSide.step(id, 0, 1n), work),
    keys: Effect.provideService(ReadSide.keys(view), ViewStore, views)
  }
})

describe("the readers' stores in memory", () => {
  it.effect("are one database, and those of another Layer are another one", () =>
    Effect.gen(function*() {
      const [one, two] = [yield* scene, yield* scene]
      deepStrictEqual([new Set(one.ids).size, new Set([...one.ids, ...two.ids]).size], [1, 2])
    }))

  it.effect("I11: a transaction of one Layer does not take the stores of another one into it", () =>
    Effect.gen(function*() {
      const [one, two] = [yield* scene, yield* scene]
      yield* Effect.flip(one.advance(Effect.all([one.write("a"), two.write("a"), Effect.fail("no")])))
      deepStrictEqual([yield* one.keys, yield* two.keys], [[], ["a"]])
    }))

  it.effect("I11: a fiber that outlives its transaction dies, and writes into nobody else's", () =>
    Effect.gen(function*() {
      const { advance, checkpoints, keys, write } = yield* scene
      const [ended, late] = [yield* Latch.make(), yield* Deferred.make<Exit.Exit<unknown, unknown>>()]
      const leaking = Effect.andThen(ended.await, write("late")).pipe(
        Effect.exit,
        Effect.flatMap((exit) => Deferred.succeed(late, exit)),
        Effect.forkDetach({ startImmediately: true })
      )
      yield* advance(leaking)
      strictEqual(Exit.hasDies(yield* checkpoints.transaction(Effect.andThen(ended.open, Deferred.await(late)))), true)
      deepStrictEqual(yield* keys, [])
    }))

  it.effect("make whoever writes wait for a transaction, and nobody who reads", () =>
    Effect.gen(function*() {
      const { advance, keys, write } = yield* scene
      const [begun, end] = [yield* Latch.make(), yield* Latch.make()]
      const work = write("a").pipe(Effect.andThen(begun.open), Effect.andThen(end.await))
      const worker = yield* Effect.forkChild(advance(work), { startImmediately: true })
      yield* begun.await
      const writer = yield* Effect.forkChild(write("b"), { startImmediately: true })
      yield* TestClock.adjust("1 hour")
      deepStrictEqual([yield* keys, writer.pollUnsafe()], [[], undefined])
      yield* end.open
      yield* Fiber.join(worker)
      yield* Fiber.join(writer)
      deepStrictEqual(yield* keys, ["a", "b"])
    }))
})
