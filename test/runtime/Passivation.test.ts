/** Passivation: whom nobody asks leaves memory, and comes back as it was; no command is lost on the way out. */
import { assert, it } from "@effect/vitest"
import { Effect, Layer } from "effect"
import { TestClock } from "effect/testing"
import { MailboxFull } from "../../src/AggregateHost.ts"
import * as AggregateRuntime from "../../src/AggregateRuntime.ts"
import * as FaultySnapshotStore from "../../src/testing/FaultySnapshotStore.ts"
import * as FaultyStore from "../../src/testing/FaultyStore.ts"
import { randomOf } from "../../src/testing/Seeded.ts"
import { Accounts, AccountsLive, behavior, Supervisor } from "../fixtures/Account.ts"
import { Counters, CountersLive } from "../fixtures/Counter.ts"
import {
  answerOf,
  deposited,
  foreign,
  fork,
  metric,
  moved,
  reasonOf,
  startAccounts,
  stores
} from "../fixtures/Runtimes.ts"

const active = metric("varve_aggregates_active")
const passivations = metric("varve_aggregate_passivations_total")

/** How often a stream was read while this ran: an aggregate that has left must read it again. */
const reads = <A, E, R>(effect: Effect.Effect<A, E, R>) =>
  Effect.gen(function*() {
    const { calls } = yield* FaultyStore.FaultyStore
    const before = yield* calls("readStream")
    yield* effect
    return (yield* calls("readStream")) - before
  })

it.effect(
  "lets go whom nobody has asked for `maxIdleTime`, and no sooner",
  Effect.fnUntraced(function*() {
    const accounts = yield* startAccounts({ maxIdleTime: "2 minutes" })
    yield* accounts.of("a").deposit({ cents: 1 })
    assert.deepStrictEqual([yield* active, yield* passivations], [1, 0])
    yield* TestClock.adjust("119 seconds")
    assert.deepStrictEqual([yield* active, yield* passivations], [1, 0])
    yield* TestClock.adjust("31 seconds")
    assert.deepStrictEqual([yield* active, yield* passivations], [0, 1])
  }, Effect.provide(stores))
)

it.effect(
  "lets go after two minutes unless told otherwise",
  Effect.fnUntraced(function*() {
    const accounts = yield* startAccounts()
    yield* accounts.of("a").touch()
    yield* TestClock.adjust("119 seconds")
    assert.strictEqual(yield* active, 1)
    yield* TestClock.adjust("31 seconds")
    assert.strictEqual(yield* active, 0)
  }, Effect.provide(stores))
)

it.effect(
  "looks for the idle often enough for a short `maxIdleTime`, from the beginning",
  Effect.fnUntraced(function*() {
    const accounts = yield* startAccounts({ maxIdleTime: "1 second" })
    yield* accounts.of("a").deposit({ cents: 1 })
    yield* TestClock.adjust(999)
    assert.strictEqual(yield* active, 1)
    yield* TestClock.adjust(251)
    assert.strictEqual(yield* active, 0)
  }, Effect.provide(stores))
)

it.effect(
  "looks often enough also for those who are registered later",
  Effect.fnUntraced(function*() {
    const runtime = yield* Layer.build(AggregateRuntime.layer)
    yield* TestClock.adjust("1 second")
    const live = Layer.provide(Accounts.toLayer(behavior, { maxIdleTime: "1 second" }), Supervisor.layerYes)
    yield* Effect.gen(function*() {
      const accounts = yield* Accounts
      yield* accounts.of("a").touch()
      yield* TestClock.adjust(1_250)
      assert.strictEqual(yield* active, 0)
    }).pipe(Effect.provide(live), Effect.provideContext(runtime))
  }, Effect.provide(stores))
)

it.effect(
  "counts the idle time from the last command",
  Effect.fnUntraced(function*() {
    const accounts = yield* startAccounts({ maxIdleTime: "4 seconds" })
    for (let second = 0; second < 20; second += 2) {
      yield* accounts.of("a").touch()
      yield* TestClock.adjust("2 seconds")
    }
    assert.deepStrictEqual([yield* active, yield* passivations], [1, 0])
  }, Effect.provide(stores))
)

it.effect(
  "comes back with the same state",
  Effect.fnUntraced(function*() {
    const accounts = yield* startAccounts({ maxIdleTime: "1 second" })
    yield* accounts.of("a").deposit({ cents: 5 })
    yield* TestClock.adjust("5 seconds")
    yield* foreign("a", deposited(100))
    assert.strictEqual(yield* reads(accounts.of("a").withdraw({ cents: 105 })), 1)
    assert.deepStrictEqual(yield* accounts.state("a"), { balanceCents: 0 })
    assert.strictEqual(yield* active, 1)
  }, Effect.provide(stores))
)

it.effect(
  "never lets go who is busy",
  Effect.fnUntraced(function*() {
    const { next } = yield* FaultyStore.FaultyStore
    const gate = yield* FaultyStore.gate
    yield* next("append", gate.before)
    const accounts = yield* startAccounts({ maxIdleTime: "1 second" })
    const caller = yield* fork(accounts.of("a").deposit({ cents: 1 }))
    const waiting = yield* fork(accounts.of("a").deposit({ cents: 2 }))
    yield* TestClock.adjust("1 hour")
    assert.deepStrictEqual([yield* active, yield* passivations], [1, 0])
    yield* gate.open
    assert.deepStrictEqual(yield* answerOf(caller), { balanceCents: 1 })
    assert.deepStrictEqual(yield* answerOf(waiting), { balanceCents: 3 })
    yield* TestClock.adjust("2 seconds")
    assert.deepStrictEqual([yield* active, yield* passivations], [0, 1])
  }, Effect.provide(stores))
)

it.effect(
  "does not let go whose snapshot is being saved",
  Effect.fnUntraced(function*() {
    const { next } = yield* FaultySnapshotStore.FaultySnapshotStore
    const gate = yield* FaultyStore.gate
    yield* next("save", gate.before)
    const accounts = yield* startAccounts({ maxIdleTime: "1 second", snapshotEvery: 1 })
    yield* accounts.of("a").deposit({ cents: 1 })
    yield* gate.arrived
    yield* TestClock.adjust("1 minute")
    assert.strictEqual(yield* active, 1)
    yield* gate.open
    yield* TestClock.adjust("1 minute")
    assert.strictEqual(yield* active, 0)
  }, Effect.provide(stores))
)

it.effect(
  "I18: makes room for another by letting go who has been idle for longest",
  Effect.fnUntraced(function*() {
    const accounts = yield* startAccounts({}, { maxActive: 2 })
    for (const id of ["a", "b"]) yield* accounts.of(id).deposit({ cents: 1 })
    yield* accounts.of("a").deposit({ cents: 1 })
    yield* accounts.of("c").deposit({ cents: 1 })
    assert.deepStrictEqual([yield* active, yield* passivations], [2, 1])
    const reloads = [yield* reads(accounts.of("a").touch()), yield* reads(accounts.of("c").touch())]
    assert.deepStrictEqual([...reloads, yield* reads(accounts.of("b").touch())], [0, 0, 1])
  }, Effect.provide(stores))
)

it.effect(
  "I18: says MailboxFull when all places are busy, and takes the next one in when one is not",
  Effect.fnUntraced(function*() {
    const { always } = yield* FaultyStore.FaultyStore
    const gates = { a: yield* FaultyStore.gate, b: yield* FaultyStore.gate }
    yield* always("append", gates.a.before, FaultyStore.onStream("a"))
    yield* always("append", gates.b.before, FaultyStore.onStream("b"))
    const accounts = yield* startAccounts({}, { maxActive: 2 })
    const callers = [
      yield* fork(accounts.of("a").deposit({ cents: 1 })),
      yield* fork(accounts.of("b").deposit({ cents: 1 }))
    ]
    const full = new MailboxFull({ aggregate: "Account", id: "c", capacity: 2, of: "maxActive" })
    assert.deepStrictEqual(yield* reasonOf(accounts.of("c").deposit({ cents: 1 })), full)
    assert.deepStrictEqual(yield* reasonOf(accounts.state("c")), full)
    assert.deepStrictEqual(yield* moved("c"), [])
    yield* gates.a.open
    yield* answerOf(callers[0]!)
    assert.deepStrictEqual(yield* accounts.of("c").deposit({ cents: 3 }), { balanceCents: 3 })
    assert.strictEqual(yield* active, 2)
  }, Effect.provide(stores))
)

it.effect(
  "I18: counts the aggregates of all definitions together",
  Effect.fnUntraced(function*() {
    const live = Layer.mergeAll(AccountsLive, CountersLive).pipe(
      Layer.provide([AggregateRuntime.layerWith({ maxActive: 2 }), Supervisor.layerYes])
    )
    yield* Effect.gen(function*() {
      const accounts = yield* Accounts
      const counters = yield* Counters
      yield* accounts.of("a").deposit({ cents: 1 })
      yield* TestClock.adjust(1)
      yield* counters.of("a").count()
      yield* TestClock.adjust(1)
      yield* counters.of("b").count()
      assert.strictEqual(yield* active, 2)
      assert.strictEqual(yield* reads(counters.of("a").count()), 0)
      assert.strictEqual(yield* reads(accounts.of("a").touch()), 1)
    }).pipe(Effect.provide(live))
  }, Effect.provide(stores))
)

it.effect(
  "lets go the next idle one when the first has its snapshot saved just now",
  Effect.fnUntraced(function*() {
    const { next } = yield* FaultySnapshotStore.FaultySnapshotStore
    const gate = yield* FaultyStore.gate
    yield* next("save", gate.before)
    const accounts = yield* startAccounts({ snapshotEvery: 1 }, { maxActive: 2 })
    yield* accounts.of("a").deposit({ cents: 1 })
    yield* gate.arrived
    yield* accounts.of("b").touch()
    assert.deepStrictEqual(yield* accounts.of("c").deposit({ cents: 1 }), { balanceCents: 1 })
    assert.strictEqual(yield* active, 2)
    yield* gate.open
  }, Effect.provide(stores))
)

it.effect(
  "I17: loses no command that arrives in the very instant in which its aggregate falls idle",
  Effect.fnUntraced(function*() {
    const { always } = yield* FaultyStore.FaultyStore
    yield* always("append", FaultyStore.first(Effect.yieldNow))
    const accounts = yield* startAccounts({}, { maxActive: 1 })
    // Whoever is answered goes on within the step that answers it, and sends again.
    const caller = yield* fork(Effect.forEach([1, 2, 3], (cents) => accounts.of("a").deposit({ cents })))
    yield* answerOf(caller)
    assert.deepStrictEqual(yield* moved("a"), [1, 2, 3])
  }, Effect.provide(stores))
)

it.effect.each([1, 2, 3, 4, 5])(
  "I17: loses no command that arrives in the very instant of a sweep (seed %i)",
  (seed) =>
    Effect.gen(function*() {
      const random = randomOf(seed)
      const { always } = yield* FaultyStore.FaultyStore
      const pause = Effect.suspend(() => Effect.replicateEffect(Effect.yieldNow, random.below(4), { discard: true }))
      yield* always("append", FaultyStore.first(pause))
      yield* always("readStream", FaultyStore.first(pause))
      const accounts = yield* startAccounts({ maxIdleTime: 40 }, { maxActive: 30 })
      const sent = new Map<string, number>()
      const send = (id: string, atMillis: number) => {
        sent.set(id, (sent.get(id) ?? 0) + 1)
        return Effect.sleep(atMillis).pipe(
          Effect.andThen(pause),
          Effect.andThen(accounts.of(id).deposit({ cents: 1 }))
        )
      }
      // Sweeps come every 10 ms: so do the commands, each for one of a few aggregates.
      const callers = yield* Effect.forEach(
        Array.from({ length: 1_000 }),
        () => fork(send(`a${random.below(25)}`, 10 * random.below(200)))
      )
      yield* TestClock.adjust("3 seconds")
      for (const caller of callers) yield* Effect.flatten(Effect.sync(() => caller.pollUnsafe()!))
      for (const [id, count] of sent) assert.lengthOf(yield* moved(id), count)
      assert.isAbove(yield* passivations, 100)
      assert.strictEqual(yield* active, 0)
    }).pipe(Effect.provide(stores))
)

it.effect(
  "I18: lets one caller go from aggregate to aggregate where there is room for one",
  Effect.fnUntraced(function*() {
    const { always } = yield* FaultyStore.FaultyStore
    yield* always("append", FaultyStore.first(Effect.yieldNow))
    const accounts = yield* startAccounts({}, { maxActive: 1 })
    for (let round = 1; round <= 3; round++) {
      for (const id of ["a", "b", "c"]) {
        assert.deepStrictEqual(yield* accounts.of(id).deposit({ cents: 1 }), { balanceCents: round })
      }
    }
    assert.strictEqual(yield* active, 1)
  }, Effect.provide(stores))
)
