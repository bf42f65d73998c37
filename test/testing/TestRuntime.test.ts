/** The runtime of tests: quiescence, virtual time, the same each time, and a look at what was appended. */
import { assert, describe, it, layer } from "@effect/vitest"
import { Clock, Context, Deferred, Effect, Exit, Fiber, Layer, Random, Schema } from "effect"
import { TestClock } from "effect/testing"
import * as Aggregate from "../../src/Aggregate.ts"
import * as Event from "../../src/Event.ts"
import { EventStore } from "../../src/EventStore.ts"
import * as Memory from "../../src/memory/Memory.ts"
import { SnapshotStore } from "../../src/SnapshotStore.ts"
import { FaultySnapshotStore } from "../../src/testing/FaultySnapshotStore.ts"
import * as FaultyStore from "../../src/testing/FaultyStore.ts"
import * as TestRuntime from "../../src/testing/TestRuntime.ts"
import {
  AccountEvent,
  Accounts,
  behavior,
  InsufficientFunds,
  MoneyDeposited,
  MoneyWithdrawn,
  Supervisor
} from "../fixtures/Account.ts"
import { accountStream, fork } from "../fixtures/Runtimes.ts"

/** Accounts whose supervisor does as a test says, for `withdrawApproved`. */
const accountsWith = (approve: Effect.Effect<unknown>, settings: Aggregate.Settings = {}) =>
  Accounts.toLayer(behavior, settings).pipe(
    Layer.provide(Layer.succeed(Supervisor, { approve: () => Effect.as(approve, true) })),
    Layer.provideMerge(TestRuntime.layer)
  )

const Live = accountsWith(Effect.void)

const deposited = (...cents: ReadonlyArray<number>) => cents.map((cents) => MoneyDeposited.make({ cents }))
const withdrawn = (cents: number) => MoneyWithdrawn.make({ cents })
const rich = TestRuntime.given([Accounts.write("a", deposited(100))])

/** What became of it by now. */
const isDone = <A, E>(fiber: Fiber.Fiber<A, E>) => fiber.pollUnsafe() !== undefined

describe("idle", () => {
  it.effect("is there at once when nothing was asked", () => TestRuntime.idle.pipe(Effect.provide(Live)))

  it.effect("waits for a handler that waits for the test, and ends once it is answered", () =>
    Effect.gen(function*() {
      const approval = yield* Deferred.make<void>()
      yield* Effect.gen(function*() {
        const accounts = yield* Accounts
        yield* rich
        const caller = yield* fork(accounts.of("a").withdrawApproved({ cents: 40 }))
        const idle = yield* fork(TestRuntime.idle)
        assert.strictEqual(yield* TestRuntime.settled, 1)
        assert.isFalse(isDone(idle))
        yield* Deferred.succeed(approval, undefined)
        yield* Fiber.join(idle)
        assert.isTrue(isDone(caller))
        assert.strictEqual(yield* TestRuntime.settled, 0)
        assert.deepStrictEqual(yield* TestRuntime.events(Accounts, "a"), [...deposited(100), withdrawn(40)])
      }).pipe(Effect.provide(accountsWith(Deferred.await(approval))))
    }))

  it.effect("waits for commands whose callers are gone, and for those in the mailbox behind them", () =>
    Effect.gen(function*() {
      const accounts = yield* Accounts
      const gate = yield* FaultyStore.gate
      yield* (yield* FaultyStore.FaultyStore).next("append", gate.before)
      const callers = yield* Effect.forEach([1, 2, 3], (cents) => fork(accounts.of("a").deposit({ cents })))
      yield* gate.arrived
      yield* Fiber.interruptAll(callers)
      const idle = yield* fork(TestRuntime.idle)
      assert.strictEqual(yield* TestRuntime.settled, 1)
      assert.isFalse(isDone(idle))
      yield* gate.open
      yield* Fiber.join(idle)
      assert.deepStrictEqual(yield* TestRuntime.events(Accounts, "a"), deposited(1, 2, 3))
    }).pipe(Effect.provide(Live)))

  it.effect("waits for a snapshot that is being saved", () =>
    Effect.gen(function*() {
      const accounts = yield* Accounts
      const gate = yield* FaultyStore.gate
      const { awaitMet, inner, next } = yield* FaultySnapshotStore
      yield* next("save", gate.before)
      yield* accounts.of("a").deposit({ cents: 1 })
      yield* awaitMet(1, "save")
      const idle = yield* fork(TestRuntime.idle)
      assert.strictEqual(yield* TestRuntime.settled, 1)
      assert.isFalse(isDone(idle))
      yield* gate.open
      yield* Fiber.join(idle)
      assert.strictEqual((yield* inner.load(accountStream("a"))).snapshot?.version, 1)
    }).pipe(Effect.provide(accountsWith(Effect.void, { snapshotEvery: 1 }))))

  it.effect("finds a snapshot saved that was due, without a turn given by the test", () =>
    Effect.gen(function*() {
      const accounts = yield* Accounts
      yield* accounts.of("a").deposit({ cents: 1 })
      yield* TestRuntime.idle
      const { snapshot } = yield* (yield* SnapshotStore).load(accountStream("a"))
      assert.strictEqual(snapshot?.version, 1)
    }).pipe(Effect.provide(accountsWith(Effect.void, { snapshotEvery: 1 }))))

  it.effect("waits through virtual time as far as the test lets it pass, and lets none pass itself", () =>
    Effect.gen(function*() {
      const accounts = yield* Accounts
      yield* rich
      yield* fork(accounts.of("a").withdrawApproved({ cents: 40 }))
      const idle = yield* fork(TestRuntime.idle)
      yield* TestClock.adjust("59 minutes")
      assert.strictEqual(yield* TestRuntime.settled, 1)
      assert.isFalse(isDone(idle))
      yield* TestClock.adjust("1 minute")
      yield* Fiber.join(idle)
      assert.strictEqual(yield* Clock.currentTimeMillis, 3_600_000)
    }).pipe(Effect.provide(accountsWith(Effect.sleep("1 hour")))))

  it.effect("waits for a lost append to be settled though nobody waits for its command any more", () =>
    Effect.gen(function*() {
      const accounts = yield* Accounts
      const { awaitMet, next } = yield* FaultyStore.FaultyStore
      yield* next("append", FaultyStore.lostAfter)
      const caller = yield* fork(accounts.of("a").deposit({ cents: 5 }))
      yield* awaitMet(1)
      yield* Fiber.interrupt(caller)
      assert.strictEqual(yield* TestRuntime.settled, 1)
      yield* TestClock.adjust("1 second")
      yield* TestRuntime.idle
      assert.deepStrictEqual(yield* TestRuntime.events(Accounts, "a"), deposited(5))
    }).pipe(Effect.provide(Live)))

  it.effect("waits for a handler that waits for the machine", () =>
    Effect.gen(function*() {
      const accounts = yield* Accounts
      yield* rich
      yield* fork(accounts.of("a").withdrawApproved({ cents: 40 }))
      yield* TestRuntime.idle
      assert.deepStrictEqual(yield* TestRuntime.events(Accounts, "a"), [...deposited(100), withdrawn(40)])
    }).pipe(Effect.provide(accountsWith(
      Effect.repeat(Effect.promise(() => new Promise((resolve) => setImmediate(resolve))), { times: 20 })
    ))))

  it.effect("waits for the test's own fibers as long as they are ready to run", () =>
    Effect.gen(function*() {
      const turns = yield* fork(Effect.replicateEffect(Effect.yieldNow, 100))
      yield* TestRuntime.idle
      assert.isTrue(isDone(turns))
    }).pipe(Effect.provide(Live)))

  it.effect("counts promises that are settled as ready, one after the other", () =>
    Effect.gen(function*() {
      const chain = Array.from({ length: 50 }).reduce<Promise<unknown>>((chain) => chain.then(), Promise.resolve())
      const step = Effect.andThen(Effect.promise(() => chain), Effect.yieldNow)
      const steps = yield* fork(Effect.replicateEffect(step, 20))
      assert.strictEqual(yield* TestRuntime.settled, 0)
      assert.isTrue(isDone(steps))
    }).pipe(Effect.provide(Live)))

  it.effect("looks again when what it waited for has led to more", () =>
    Effect.gen(function*() {
      const accounts = yield* Accounts
      const gates = [yield* FaultyStore.gate, yield* FaultyStore.gate] as const
      yield* (yield* FaultyStore.FaultyStore).next("append", gates[0].before, gates[1].before)
      const pause = Effect.replicateEffect(Effect.yieldNow, 20)
      const [first, second] = [accounts.of("a").deposit({ cents: 1 }), accounts.of("b").deposit({ cents: 2 })]
      yield* fork(first.pipe(Effect.andThen(pause), Effect.andThen(second)))
      const idle = yield* fork(TestRuntime.idle)
      yield* TestRuntime.settled
      yield* gates[0].open
      yield* gates[1].arrived
      yield* TestRuntime.settled
      assert.isFalse(isDone(idle))
      yield* gates[1].open
      yield* Fiber.join(idle)
      assert.deepStrictEqual(yield* TestRuntime.events(Accounts, "b"), deposited(2))
    }).pipe(Effect.provide(Live)))
})

describe("clock: where a test runs", () => {
  const program = Effect.gen(function*() {
    const accounts = yield* Accounts
    yield* rich
    const caller = yield* fork(accounts.of("a").withdrawApproved({ cents: 40 }))
    yield* TestClock.adjust("1 hour")
    yield* TestRuntime.idle
    yield* Fiber.join(caller)
    return (yield* (yield* EventStore).readAll({ after: 0n })).events.map(({ recordedAtMillis }) => recordedAtMillis)
  })
  const patient = accountsWith(Effect.sleep("1 hour"))

  it("brings virtual time to a plain runPromise", async () => {
    assert.deepStrictEqual(await Effect.runPromise(Effect.provide(program, patient)), [0, 3_600_000])
  })

  it.effect("is on the clock of it.effect, so that the test may turn it from outside", () =>
    Effect.gen(function*() {
      yield* TestClock.adjust("1 minute")
      assert.deepStrictEqual(yield* Effect.provide(program, patient), [60_000, 3_660_000])
      assert.strictEqual(yield* Clock.currentTimeMillis, 3_660_000)
    }))

  it.live("brings virtual time to it.live", () =>
    Effect.map(Effect.provide(program, patient), (times) => assert.deepStrictEqual(times, [0, 3_600_000])))

  layer(patient)("in layer(…)", (it) => {
    it.effect("one runtime serves all tests", () =>
      Effect.map(program, (times) => assert.deepStrictEqual(times, [0, 3_600_000])))
    it.effect("which see what was written before them", () =>
      Effect.map(TestRuntime.events(Accounts, "a"), (events) => assert.lengthOf(events, 2)))
  })

  it.effect("begins with an empty log each time", () =>
    Effect.gen(function*() {
      for (const _ of [1, 2]) assert.lengthOf(yield* Effect.provide(program, patient), 2)
    }))
})

describe("end: when a test is over, the runtime", () => {
  /** What is in the log when a runtime has stopped while a test has left something behind. */
  const after = (
    left: Effect.Effect<unknown, unknown, Accounts | TestRuntime.Provided>,
    settings?: Aggregate.Settings
  ) =>
    Effect.gen(function*() {
      const runtime = Accounts.toLayer(behavior, settings).pipe(
        Layer.provide(Layer.succeed(Supervisor, { approve: () => Effect.as(Effect.sleep("1 second"), true) })),
        Layer.provideMerge(TestRuntime.layerOver())
      )
      yield* Effect.provide(Effect.andThen(rich, left), runtime)
      const { events } = yield* (yield* EventStore).readAll({ after: 0n })
      return events.map(({ data }) => JSON.parse(data).cents)
    }).pipe(Effect.provide(Memory.layer))

  const withdraw = Effect.flatMap(Accounts, (accounts) => fork(accounts.of("a").withdrawApproved({ cents: 40 })))

  it.effect("lets happen what can happen without time", () =>
    Effect.gen(function*() {
      const posted = Effect.gen(function*() {
        const accounts = yield* Accounts
        const { always } = yield* FaultyStore.FaultyStore
        yield* always("append", FaultyStore.first(Effect.replicateEffect(Effect.yieldNow, 20)))
        yield* Effect.forEach([1, 2, 3], (cents) => fork(accounts.of("a").deposit({ cents })))
      })
      assert.deepStrictEqual(yield* after(posted), [100, 1, 2, 3])
    }))

  it.effect("waits for no time that nobody lets pass: what is left is interrupted", () =>
    Effect.gen(function*() {
      assert.deepStrictEqual(yield* after(withdraw), [100])
      const hung = Effect.flatMap(FaultyStore.FaultyStore, ({ next }) => next("append", FaultyStore.hangs))
      const deposit = Effect.flatMap(Accounts, (accounts) => fork(accounts.of("a").deposit({ cents: 1 })))
      assert.deepStrictEqual(yield* after(Effect.andThen(hung, deposit)), [100])
      assert.strictEqual(yield* Clock.currentTimeMillis, 0)
    }))

  it.effect("waits as long as the aggregate's own `drainDeadline` says, if it does", () =>
    Effect.gen(function*() {
      const ended = yield* fork(after(withdraw, { drainDeadline: "1 minute" }))
      yield* Effect.replicateEffect(Effect.yieldNow, 100)
      assert.isFalse(isDone(ended))
      yield* TestClock.adjust("1 second")
      assert.deepStrictEqual(yield* Fiber.join(ended), [100, 40])
    }))
})

describe("seed: it", () => {
  const ids = (seed?: number) =>
    Effect.gen(function*() {
      const accounts = yield* Accounts
      for (const millis of [0, 0, 1, 0]) {
        yield* TestClock.adjust(millis)
        yield* accounts.of("a").deposit({ cents: 1 })
      }
      const { events } = yield* (yield* EventStore).readAll({ after: 0n })
      return { ids: events.map(({ eventId }) => eventId), chance: yield* Random.next }
    }).pipe(
      Effect.provide(
        Accounts.toLayer(behavior).pipe(
          Layer.provide(Supervisor.layerYes),
          Layer.provideMerge(TestRuntime.layerWith({ seed }))
        )
      ),
      // What the surroundings bring along must not matter.
      Random.withSeed(Math.random())
    )

  it("makes the event ids and all chance, the same each time", async () => {
    const once = await Effect.runPromise(ids(7))
    assert.deepStrictEqual(await Effect.runPromise(ids(7)), once)
    assert.deepStrictEqual(await Effect.runPromise(ids()), await Effect.runPromise(ids(1)))
    const other = await Effect.runPromise(ids(8))
    assert.notStrictEqual(other.chance, once.chance)
    assert.strictEqual(new Set([...once.ids, ...other.ids]).size, 8)
  })

  it("makes version 7 UUIDs that sort as they were made", async () => {
    const { ids: made } = await Effect.runPromise(ids())
    assert.deepStrictEqual([...made].sort(), made)
    for (const id of made) assert.match(id, /^0{8}-0{3}[0-9a-f]-7[0-9a-f]{3}-[89ab][0-9a-f]{3}-[0-9a-f]{12}$/)
  })
})

describe("what was appended", () => {
  it.effect("is told for all streams and messages, in order", () =>
    Effect.gen(function*() {
      const accounts = yield* Accounts
      yield* TestRuntime.given([Accounts.write("a", deposited(60, 40)), Accounts.write("b", deposited(1))], {
        metadata: { by: "import" }
      })
      const handle = accounts.of("a", { metadata: { user: "ada" } })
      const [reply, appended] = yield* TestRuntime.appendedBy(handle.transfer({ cents: 30, to: "b" }))
      assert.isUndefined(reply)
      const common = { category: "Account", data: { cents: 30 }, metadata: { user: "ada" } }
      assert.deepStrictEqual(appended, [
        { ...common, id: "a", version: 3, type: "MoneyWithdrawn" },
        { ...common, id: "b", version: 2, type: "MoneyDeposited" }
      ])
    }).pipe(Effect.provide(Live)))

  it.effect("is nothing after a rejection", () =>
    Effect.gen(function*() {
      const accounts = yield* Accounts
      const [error, appended] = yield* TestRuntime.appendedBy(Effect.flip(accounts.of("a").withdraw({ cents: 5 })))
      assert.deepStrictEqual(error, new InsufficientFunds({ balanceCents: 0, requestedCents: 5 }))
      assert.deepStrictEqual(appended, [])
    }).pipe(Effect.provide(Live)))

  it.effect("is told though the store is out of reach, however long it is", () =>
    Effect.gen(function*() {
      const { always } = yield* FaultyStore.FaultyStore
      for (const operation of ["append", "readStream", "readAll", "head"] as const) {
        yield* always(operation, FaultyStore.unavailable)
      }
      const many = deposited(...Array.from({ length: 1_000 }, () => 1))
      const [, appended] = yield* TestRuntime.appendedBy(Effect.andThen(
        TestRuntime.given([Accounts.write("a", many)]),
        TestRuntime.given([Accounts.write("a", many)], { tenant: "t" })
      ))
      assert.lengthOf(appended, 2_000)
      assert.deepStrictEqual(appended.at(-1), {
        tenant: "t",
        category: "Account",
        id: "a",
        version: 1_000,
        type: "MoneyDeposited",
        data: { cents: 1 },
        metadata: {}
      })
      yield* TestRuntime.given([Accounts.write("a", deposited(7))])
      const events = yield* TestRuntime.events(Accounts, "a")
      assert.deepStrictEqual([events.length, events.at(-1)], [1_001, MoneyDeposited.make({ cents: 7 })])
      assert.lengthOf(yield* TestRuntime.events(Accounts, "a", { tenant: "t" }), 1_000)
      assert.deepStrictEqual(yield* TestRuntime.events(Accounts, "nobody"), [])
    }).pipe(Effect.provide(Live)))

  it.effect("a history that cannot be written is a defect that says why", () =>
    Effect.gen(function*() {
      const defectOf = (given: Effect.Effect<void, never, FaultyStore.FaultyStore>) =>
        Effect.map(Effect.exit(given), (exit) => Exit.isFailure(exit) ? String(exit.cause) : "none")
      yield* rich
      assert.include(
        yield* defectOf(TestRuntime.given([Accounts.write("a", deposited(1), { expected: "noStream" })])),
        "Account a is at version 1, not noStream"
      )
      const other = { ...MoneyDeposited.make({ cents: 1 }), cents: -1 }
      assert.include(yield* defectOf(TestRuntime.given([Accounts.write("a", [other])])), "Account a: MoneyDeposited: ")
      assert.include(yield* defectOf(TestRuntime.given([Accounts.write("", deposited(1))])), "it is empty")
      assert.deepStrictEqual(yield* TestRuntime.events(Accounts, "a"), deposited(100))
      yield* TestRuntime.given([])
    }).pipe(Effect.provide(Live)))

  it.effect("an event that this build cannot decode is a defect that names it", () =>
    Effect.gen(function*() {
      class Later extends Aggregate.Service<Later>()("Account", {
        state: Schema.Void,
        events: Event.union({ Renamed: {} }),
        commands: []
      }) {}
      yield* rich
      const exit = yield* Effect.exit(TestRuntime.events(Later, "a"))
      assert.include(Exit.isFailure(exit) ? String(exit.cause) : "", "Event 1 of Account a (MoneyDeposited)")
      assert.deepStrictEqual(Event.types(AccountEvent), ["MoneyDeposited", "MoneyWithdrawn"])
    }).pipe(Effect.provide(Live)))
})

describe("two runtimes on one log", () => {
  const runtime = (seed: number) =>
    Accounts.toLayer(behavior).pipe(
      Layer.provide(Supervisor.layerYes),
      Layer.provideMerge(TestRuntime.layerOver({ seed, shared: true })),
      Layer.fresh,
      Layer.build
    )

  it.effect("see each other's writes, and each is idle by itself", () =>
    Effect.gen(function*() {
      const [one, other] = [yield* runtime(1), yield* runtime(2)]
      const gate = yield* FaultyStore.gate
      yield* Context.get(one, FaultyStore.FaultyStore).next("append", gate.before)
      const caller = yield* fork(Context.get(one, Accounts).of("a").deposit({ cents: 1 }))
      yield* gate.arrived
      yield* Context.get(other, Accounts).of("a").deposit({ cents: 2 })
      yield* Context.get(other, TestRuntime.TestRuntime).idle
      assert.strictEqual(yield* Context.get(one, TestRuntime.TestRuntime).settled, 1)
      yield* gate.open
      assert.deepStrictEqual(yield* Fiber.join(caller), { balanceCents: 3 })
      const events = Effect.provideContext(TestRuntime.events(Accounts, "a"), one)
      assert.deepStrictEqual(yield* events, deposited(2, 1))
    }).pipe(Effect.provide(Memory.layer)))
})
