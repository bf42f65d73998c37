/** Stores that fail on command: what each fault does to a call, and how certain the caller of a command can be then. */
import { assert, describe, it } from "@effect/vitest"
import { Clock, Effect, Exit, Fiber, Layer, Stream } from "effect"
import { TestClock } from "effect/testing"
import { isCommandFailed } from "../../src/AggregateHost.ts"
import { AppendLost, EventStore, StoreUnavailable } from "../../src/EventStore.ts"
import * as Memory from "../../src/memory/Memory.ts"
import { SnapshotStore } from "../../src/SnapshotStore.ts"
import type * as Faults from "../../src/testing/Faults.ts"
import * as FaultySnapshotStore from "../../src/testing/FaultySnapshotStore.ts"
import * as FaultyStore from "../../src/testing/FaultyStore.ts"
import * as TestRuntime from "../../src/testing/TestRuntime.ts"
import { Accounts, behavior, MoneyDeposited, Supervisor } from "../fixtures/Account.ts"
import { accountStream, foreignWrite, fork } from "../fixtures/Runtimes.ts"
import { layerFresh } from "../sqlite/file.ts"

const Live = Accounts.toLayer(behavior).pipe(
  Layer.provide(Supervisor.layerYes),
  Layer.provideMerge(TestRuntime.layer)
)
const Stores = FaultyStore.layer.pipe(Layer.provideMerge(Memory.layer))

const deposited = (cents: number) => MoneyDeposited.make({ cents })

// ── certainty

type Outcome =
  | { readonly reply: number }
  | { readonly failed: string; readonly nothingWritten: boolean }

/** What a caller is told, and what is in the log when all is over. */
interface Certainty {
  readonly fault: (faulty: FaultyStore.FaultyStore["Service"]) => Faults.Faulty<StoreUnavailable | AppendLost>
  readonly outcome: Outcome
  /** The deposits in the log. */
  readonly written: ReadonlyArray<number>
  /** How long the caller waits, at least; at once unless given. */
  readonly waitsMillis?: number
}

const unknown: Outcome = { failed: "OutcomeUnknown", nothingWritten: false }
const overtaken = (faulty: FaultyStore.FaultyStore["Service"]) =>
  faulty.overtakenBy(Accounts.write("a", [deposited(7)]))

/** A deposit of 5 to an account that holds 1, with a deadline of a minute, whose append meets a fault. */
const certainties: Readonly<Record<string, Certainty>> = {
  "passes": { fault: () => FaultyStore.passes, outcome: { reply: 6 }, written: [1, 5] },
  "is refused": {
    fault: () => FaultyStore.unavailable,
    outcome: { failed: "StoreUnavailable", nothingWritten: true },
    written: [1]
  },
  "is lost before it was written": {
    fault: () => FaultyStore.lostBefore,
    outcome: { reply: 6 },
    written: [1, 5],
    waitsMillis: 8
  },
  "is lost after it was written": {
    fault: () => FaultyStore.lostAfter,
    outcome: { reply: 6 },
    written: [1, 5],
    waitsMillis: 8
  },
  "hangs before it was written": {
    fault: () => FaultyStore.hangs,
    outcome: unknown,
    written: [1],
    waitsMillis: 60_000
  },
  "has its reply lost": { fault: () => FaultyStore.replyLost, outcome: unknown, written: [1, 5], waitsMillis: 60_000 },
  "is delayed": {
    fault: () => FaultyStore.delayed("10 seconds"),
    outcome: { reply: 6 },
    written: [1, 5],
    waitsMillis: 10_000
  },
  "is delayed beyond the deadline": {
    fault: () => FaultyStore.delayed("10 minutes"),
    outcome: unknown,
    written: [1, 5],
    waitsMillis: 60_000
  },
  "is overtaken": { fault: overtaken, outcome: { reply: 13 }, written: [1, 7, 5] },
  "is delayed and overtaken": {
    fault: (faulty) => [FaultyStore.delayed("1 second"), overtaken(faulty)],
    outcome: { reply: 13 },
    written: [1, 7, 5],
    waitsMillis: 1_000
  },
  "is overtaken and then lost": {
    fault: (faulty) => [overtaken(faulty), FaultyStore.lostBefore],
    outcome: { reply: 13 },
    written: [1, 7, 5],
    waitsMillis: 8
  },
  "dies after it was written": {
    fault: () => FaultyStore.diesAfter(new Error("a bug of the adapter")),
    outcome: unknown,
    written: [1, 5]
  }
}

const outcomeOf = (exit: Exit.Exit<{ readonly balanceCents: number }, unknown>): Outcome => {
  if (Exit.isSuccess(exit)) return { reply: exit.value.balanceCents }
  const error = Exit.findErrorOption(exit)
  if (error._tag === "None" || !isCommandFailed(error.value)) return assert.fail(String(exit.cause))
  return { failed: error.value.reason._tag, nothingWritten: error.value.nothingWritten }
}

describe("I7: what a caller is told is true when its append", () => {
  for (const [when, { fault, outcome, waitsMillis = 0, written }] of Object.entries(certainties)) {
    for (const [caller, options] of [["without an id", {}], ["with an id", { commandId: "c" }]] as const) {
      it.effect(`${when} (${caller})`, () =>
        Effect.gen(function*() {
          const accounts = yield* Accounts
          const faulty = yield* FaultyStore.FaultyStore
          yield* accounts.of("a").deposit({ cents: 1 })
          yield* faulty.next("append", fault(faulty))
          const told = yield* fork(Effect.gen(function*() {
            const exit = yield* Effect.exit(
              accounts.of("a", { deadline: "1 minute", ...options }).deposit({ cents: 5 })
            )
            return [outcomeOf(exit), yield* Clock.currentTimeMillis] as const
          }))
          if (waitsMillis > 0) {
            yield* TestClock.adjust(waitsMillis - 1)
            assert.isUndefined(told.pollUnsafe(), "it has not been told yet")
          }
          yield* TestClock.adjust("20 minutes")
          const [found, atMillis] = yield* Fiber.join(told)
          assert.deepStrictEqual(found, outcome)
          if (waitsMillis === 0) assert.strictEqual(atMillis, 0)
          yield* TestRuntime.settled
          const events = yield* TestRuntime.events(Accounts, "a")
          assert.deepStrictEqual(events, written.map(deposited))
        }).pipe(Effect.provide(Live)))
    }
  }

  it.effect("is overtaken, and asked for a version that is gone", () =>
    Effect.gen(function*() {
      const accounts = yield* Accounts
      const faulty = yield* FaultyStore.FaultyStore
      yield* faulty.next("append", overtaken(faulty))
      const exit = yield* Effect.exit(accounts.of("a", { ifVersion: 0 }).deposit({ cents: 5 }))
      assert.deepStrictEqual(outcomeOf(exit), { failed: "VersionConflict", nothingWritten: true })
      assert.deepStrictEqual(yield* TestRuntime.events(Accounts, "a"), [deposited(7)])
    }).pipe(Effect.provide(Live)))

  it.effect("waits behind one that hangs, past its own deadline", () =>
    Effect.gen(function*() {
      const accounts = yield* Accounts
      const { awaitMet, next } = yield* FaultyStore.FaultyStore
      yield* next("append", FaultyStore.hangs)
      yield* fork(accounts.of("a").deposit({ cents: 1 }))
      yield* awaitMet(1, "append")
      const told = yield* fork(Effect.exit(accounts.of("a", { deadline: "1 second" }).deposit({ cents: 9 })))
      yield* TestClock.adjust("1 second")
      const outcome = outcomeOf(yield* Fiber.join(told))
      assert.deepStrictEqual(outcome, { failed: "CommandTimeout", nothingWritten: true })
      assert.deepStrictEqual(yield* TestRuntime.events(Accounts, "a"), [])
    }).pipe(Effect.provide(Live)))
})

// ── faults on a store

const append = (cents: number) => [[foreignWrite("a", [deposited(cents)])]] as const

describe("fault: one on a store", () => {
  it.effect("that fails before has written nothing; one that fails after has", () =>
    Effect.gen(function*() {
      const store = yield* EventStore
      const { inner, next } = yield* FaultyStore.FaultyStore
      yield* next("append", FaultyStore.unavailable, FaultyStore.lostBefore, FaultyStore.lostAfter)
      const heads: Array<bigint> = []
      for (const expected of ["StoreUnavailable", "AppendLost", "AppendLost"]) {
        assert.strictEqual((yield* Effect.flip(store.append(append(1))))._tag, expected)
        heads.push(yield* inner.head)
      }
      assert.deepStrictEqual(heads, [0n, 0n, 1n])
      assert.strictEqual((yield* store.append(append(1)))[0]?._tag, "Committed")
    }).pipe(Effect.provide(Stores)))

  it.effect("that hangs holds a call until it is interrupted, one at a gate until it is released", () =>
    Effect.gen(function*() {
      const store = yield* EventStore
      const { awaitMet, inner, next } = yield* FaultyStore.FaultyStore
      const gates = [yield* FaultyStore.gate, yield* FaultyStore.gate] as const
      yield* next("append", FaultyStore.hangs, FaultyStore.replyLost, gates[0].before, gates[1].after)
      const heads: Array<bigint> = []
      const calls: Array<Fiber.Fiber<unknown, unknown>> = []
      for (const count of [1, 2, 3, 4]) {
        calls.push(yield* fork(store.append(append(count))))
        yield* awaitMet(count)
        heads.push(yield* inner.head)
      }
      yield* TestClock.adjust("1 day")
      assert.deepStrictEqual(heads, [0n, 1n, 1n, 2n])
      assert.deepStrictEqual(calls.map((call) => call.pollUnsafe()), [undefined, undefined, undefined, undefined])
      yield* Effect.forEach(gates, ({ open }) => open)
      yield* Effect.forEach(calls.slice(2), Fiber.join)
      yield* Fiber.interruptAll(calls)
      assert.strictEqual(yield* inner.head, 3n)
    }).pipe(Effect.provide(Stores)))

  it.effect("a conflict is a true one: another writer's events are there, with new ids each time", () =>
    Effect.gen(function*() {
      const store = yield* EventStore
      const faulty = yield* FaultyStore.FaultyStore
      yield* faulty.always("append", overtaken(faulty))
      for (const actual of [1, 2, 3]) {
        const [status] = yield* store.append([[foreignWrite("a", [deposited(1)], actual - 1)]])
        assert.deepStrictEqual(status, { _tag: "Conflict", write: 0, actual })
      }
      const { events } = yield* store.readStream(accountStream("a"))
      assert.strictEqual(new Set(events.map(({ eventId }) => eventId)).size, 3)
    }).pipe(Effect.provide(Stores)))

  it.effect("another writer who cannot write is a mistake of the test", () =>
    Effect.gen(function*() {
      const store = yield* EventStore
      const { next, overtakenBy } = yield* FaultyStore.FaultyStore
      yield* next("append", overtakenBy(Accounts.write("a", [deposited(1)], { expected: "exists" })))
      const exit = yield* Effect.exit(store.append(append(1)))
      assert.include(Exit.isFailure(exit) ? String(exit.cause) : "", "Account a is at version 0, not exists")
    }).pipe(Effect.provide(Stores)))

  it.effect("may meet each operation", () =>
    Effect.gen(function*() {
      const store = yield* EventStore
      const { always, calls, heal, met } = yield* FaultyStore.FaultyStore
      const stream = accountStream("a")
      const all = {
        append: store.append(append(1)),
        readStream: store.readStream(stream),
        readAll: store.readAll({ after: 0n }),
        follow: Stream.runHead(store.follow({ after: 0n })),
        receipt: store.receipt(stream, "c"),
        head: store.head,
        streams: store.streams({ category: "Account" }),
        audit: store.audit(0n),
        pruneReceipts: store.pruneReceipts({ beforeMillis: 1, limit: 1 })
      }
      for (const operation of Object.keys(all) as ReadonlyArray<keyof typeof all>) {
        yield* always(operation, FaultyStore.unavailable)
        const call: Effect.Effect<unknown, unknown> = all[operation]
        assert.instanceOf(yield* Effect.flip(call), StoreUnavailable, operation)
        assert.strictEqual(yield* met(operation), 1)
      }
      yield* heal
      yield* Effect.forEach(Object.values(all), (call): Effect.Effect<unknown, unknown> => call)
      assert.deepStrictEqual([yield* calls(), yield* met()], [18, 9])
      assert.strictEqual(store.storeId, (yield* FaultyStore.FaultyStore).inner.storeId)
      assert.strictEqual(store.versionNow?.(stream), 1)
    }).pipe(Effect.provide(Stores)))

  it.effect("may meet each operation on snapshots", () =>
    Effect.gen(function*() {
      const store = yield* SnapshotStore
      const { always, inner, met } = yield* FaultySnapshotStore.FaultySnapshotStore
      yield* (yield* EventStore).append(append(1))
      const stream = accountStream("a")
      const snapshot = { version: 1, fingerprint: "f", state: "{}", checksum: "c" }
      yield* always("save", FaultyStore.unavailable)
      assert.instanceOf(yield* Effect.flip(store.save(stream, snapshot)), StoreUnavailable)
      assert.isUndefined((yield* inner.load(stream)).snapshot)
      yield* always("load", FaultyStore.unavailable)
      assert.instanceOf(yield* Effect.flip(store.load(stream)), StoreUnavailable)
      yield* always("discard", FaultyStore.unavailable)
      assert.instanceOf(yield* Effect.flip(store.discard(stream, 1)), StoreUnavailable)
      assert.strictEqual(yield* met(), 3)
    }).pipe(Effect.provide(FaultySnapshotStore.layer.pipe(Layer.provideMerge(Memory.layer)))))

  it.effect("is the same over SQLite", () =>
    Effect.gen(function*() {
      const store = yield* EventStore
      const { inner, nth } = yield* FaultyStore.FaultyStore
      yield* nth("append", 2, FaultyStore.lostAfter)
      yield* store.append(append(1))
      assert.instanceOf(yield* Effect.flip(store.append(append(2))), AppendLost)
      assert.strictEqual(yield* inner.head, 2n)
    }).pipe(Effect.provide(FaultyStore.layer.pipe(Layer.provide(layerFresh)))))
})

// ── scripts, chance, counting

describe("fault: a script", () => {
  /** Which of so many reads of the head meet a fault. */
  const metBy = Effect.fnUntraced(function*(count: number) {
    const { head } = yield* EventStore
    const met: Array<number> = []
    for (let call = 1; call <= count; call++) {
      if (Exit.isFailure(yield* Effect.exit(head))) met.push(call)
    }
    return met
  })

  it.effect("names the nth call from now on", () =>
    Effect.gen(function*() {
      const { nth } = yield* FaultyStore.FaultyStore
      yield* metBy(2)
      yield* nth("head", 3, FaultyStore.unavailable)
      yield* nth("head", 1, FaultyStore.unavailable)
      assert.deepStrictEqual(yield* metBy(5), [1, 3])
    }).pipe(Effect.provide(Stores)))

  it.effect("counts calls from 1", () =>
    Effect.gen(function*() {
      const { nth } = yield* FaultyStore.FaultyStore
      for (const wrong of [0, -1, 1.5]) {
        assert.isTrue(Exit.isFailure(yield* Effect.exit(nth("head", wrong, FaultyStore.unavailable))))
      }
    }).pipe(Effect.provide(Stores)))

  it.effect("goes before what always happens, and `heal` ends both", () =>
    Effect.gen(function*() {
      const { always, heal, next } = yield* FaultyStore.FaultyStore
      yield* always("head", FaultyStore.unavailable)
      yield* next("head", FaultyStore.passes)
      assert.deepStrictEqual(yield* metBy(3), [2, 3])
      yield* next("head", FaultyStore.unavailable)
      yield* heal
      assert.deepStrictEqual(yield* metBy(3), [])
    }).pipe(Effect.provide(Stores)))

  it.effect("picks streams by their ids", () =>
    Effect.gen(function*() {
      const { readStream } = yield* EventStore
      const { always } = yield* FaultyStore.FaultyStore
      yield* always("readStream", FaultyStore.unavailable, FaultyStore.onStream("b"))
      const exits = yield* Effect.forEach(["a", "b", "c"], (id) => Effect.exit(readStream(accountStream(id))))
      assert.deepStrictEqual(exits.map(Exit.isSuccess), [true, false, true])
    }).pipe(Effect.provide(Stores)))

  it.effect("by chance, the same seed meets the same calls, as often as its probability says", () =>
    Effect.gen(function*() {
      const by = (probability: number, seed: number) =>
        Effect.gen(function*() {
          const { always } = yield* FaultyStore.FaultyStore
          yield* always("head", FaultyStore.sometimes({ probability, seed }, FaultyStore.unavailable))
          return yield* metBy(1_000)
        }).pipe(Effect.provide(Stores))
      const some = yield* by(0.25, 7)
      assert.deepStrictEqual(yield* by(0.25, 7), some)
      assert.notDeepEqual(yield* by(0.25, 8), some)
      assert.isAbove(some.length, 200)
      assert.isBelow(some.length, 300)
      assert.deepStrictEqual([(yield* by(0, 7)).length, (yield* by(1, 7)).length], [0, 1_000])
    }))

  it("by chance, all faults given have their turn, and a probability is one", () => {
    const seen = new Set<string>()
    const fault = (name: string) => FaultyStore.first(Effect.sync(() => seen.add(name)))
    const either = FaultyStore.sometimes({ probability: 1, seed: 1 }, fault("a"), fault("b"), fault("c"))
    for (let call = 0; call < 50; call++) Effect.runSync(either(Effect.void))
    assert.deepStrictEqual([...seen].sort(), ["a", "b", "c"])
    for (const wrong of [-0.1, 1.1, Number.NaN]) {
      assert.throws(() => FaultyStore.sometimes({ probability: wrong, seed: 1 }, FaultyStore.passes), RangeError)
    }
  })

  it.effect("counts calls and faults, and wakes who waits for a count, at once if it is reached", () =>
    Effect.gen(function*() {
      const { awaitCalls, awaitMet, calls, met, next } = yield* FaultyStore.FaultyStore
      yield* next("head", FaultyStore.passes, FaultyStore.unavailable)
      const waits = yield* Effect.forEach(
        [awaitCalls(1), awaitCalls(2, "head"), awaitMet(1, "head"), awaitMet(1, "append")],
        (wait) => fork(wait)
      )
      const states = () => waits.map((wait) => wait.pollUnsafe() !== undefined)
      assert.deepStrictEqual(states(), [false, false, false, false])
      yield* metBy(1)
      assert.deepStrictEqual(states(), [true, false, false, false])
      yield* metBy(1)
      assert.deepStrictEqual(states(), [true, true, true, false])
      yield* awaitCalls(2)
      yield* Fiber.interruptAll(waits)
      assert.deepStrictEqual([yield* calls(), yield* met(), yield* met("append")], [2, 1, 0])
    }).pipe(Effect.provide(Stores)))

  it.effect("counts a call before it is made, so that who awaits it finds it under way", () =>
    Effect.gen(function*() {
      const { head } = yield* EventStore
      const { awaitMet, next } = yield* FaultyStore.FaultyStore
      const gate = yield* FaultyStore.gate
      yield* next("head", gate.before)
      const call = yield* fork(head)
      yield* awaitMet(1)
      assert.isUndefined(call.pollUnsafe())
      yield* gate.open
      assert.strictEqual(yield* Fiber.join(call), 0n)
    }).pipe(Effect.provide(Stores)))
})
