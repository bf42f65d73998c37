/** Deadlines: what a caller learns when it has waited long enough is certain where it can be, and else says so. */
import { assert, it } from "@effect/vitest"
import { Clock, Effect, Fiber, Latch } from "effect"
import { TestClock } from "effect/testing"
import { decide } from "../../src/Aggregate.ts"
import * as FaultyStore from "../../src/testing/FaultyStore.ts"
import { Accounts, behavior, Supervisor } from "../fixtures/Account.ts"
import {
  answerOf,
  answersOf,
  deposited,
  fork,
  moved,
  reasonOf,
  start,
  startAccounts,
  stores,
  tagOf
} from "../fixtures/Runtimes.ts"

/** Holds the next append until the gate opens: whatever comes after waits in the mailbox. */
const holdNext = Effect.gen(function*() {
  const gate = yield* FaultyStore.gate
  yield* (yield* FaultyStore.FaultyStore).next("append", gate.before)
  return gate
})

/** Accounts whose `touch` waits for a latch, then deposits a cent. */
const startHeld = Effect.gen(function*() {
  const latch = yield* Latch.make()
  const seen = { runs: 0, interrupted: 0 }
  const touch = () =>
    Effect.suspend(() => {
      seen.runs++
      return Effect.as(latch.await, decide([deposited(1)]))
    }).pipe(Effect.onInterrupt(() => Effect.sync(() => seen.interrupted++)))
  const live = Accounts.toLayer({ ...behavior, handlers: { ...behavior.handlers, touch } })
  const accounts = yield* start(Accounts, live).pipe(Effect.provide(Supervisor.layerYes))
  return { accounts, latch, seen }
})

it.effect(
  "I7: does not carry out what still waits in the mailbox at its deadline",
  Effect.fnUntraced(function*() {
    const accounts = yield* startAccounts()
    const first = yield* holdNext
    yield* fork(accounts.of("a").deposit({ cents: 1 }))
    const caller = yield* fork(reasonOf(accounts.of("a", { deadline: "1 second" }).deposit({ cents: 2 })))
    yield* TestClock.adjust(999)
    assert.isUndefined(caller.pollUnsafe())
    yield* TestClock.adjust(1)
    assert.strictEqual((yield* answerOf(caller))._tag, "CommandTimeout")
    yield* first.open
    yield* accounts.state("a")
    assert.deepStrictEqual(yield* moved("a"), [1])
  }, Effect.provide(stores))
)

it.effect(
  "I7: does not know what becomes of a command that was begun a millisecond before its deadline",
  Effect.fnUntraced(function*() {
    const accounts = yield* startAccounts()
    const first = yield* holdNext
    const second = yield* holdNext
    yield* fork(accounts.of("a").deposit({ cents: 1 }))
    const caller = yield* fork(reasonOf(accounts.of("a", { deadline: "1 second" }).deposit({ cents: 2 })))
    yield* TestClock.adjust(999)
    yield* first.open
    yield* second.arrived
    assert.isUndefined(caller.pollUnsafe())
    yield* TestClock.adjust(1)
    assert.strictEqual((yield* answerOf(caller))._tag, "OutcomeUnknown")
    assert.deepStrictEqual(yield* moved("a"), [1])
    yield* second.open
    yield* accounts.state("a")
    assert.deepStrictEqual(yield* moved("a"), [1, 2])
  }, Effect.provide(stores))
)

it.effect(
  "does not begin a command whose turn comes at its deadline",
  Effect.fnUntraced(function*() {
    for (const [id, lateMillis, expected] of [["a", 0, [1]], ["b", -1, [1, 2]]] as const) {
      const accounts = yield* startAccounts()
      const gate = yield* holdNext
      yield* fork(accounts.of(id).deposit({ cents: 1 }))
      const caller = yield* fork(accounts.of(id, { deadline: "1 second" }).deposit({ cents: 2 }))
      // Gone before its deadline, so only the turn itself can notice.
      yield* Fiber.interrupt(caller)
      yield* TestClock.adjust(1_000 + lateMillis)
      yield* gate.open
      yield* accounts.state(id)
      assert.deepStrictEqual(yield* moved(id), [...expected])
    }
  }, Effect.provide(stores))
)

it.effect(
  "answers a command whose append takes until just before its deadline",
  Effect.fnUntraced(function*() {
    const accounts = yield* startAccounts()
    const gate = yield* holdNext
    const caller = yield* fork(accounts.of("a", { deadline: "1 second" }).deposit({ cents: 1 }))
    yield* TestClock.adjust(999)
    yield* gate.open
    assert.deepStrictEqual(yield* answerOf(caller), { balanceCents: 1 })
    yield* TestClock.adjust("1 minute")
  }, Effect.provide(stores))
)

it.effect(
  "frees the place of a command in the mailbox at its deadline",
  Effect.fnUntraced(function*() {
    const accounts = yield* startAccounts({ mailboxCapacity: 1 })
    const gate = yield* holdNext
    yield* fork(accounts.of("a").deposit({ cents: 1 }))
    const late = yield* fork(tagOf(accounts.of("a", { deadline: "1 second" }).deposit({ cents: 2 })))
    assert.strictEqual(yield* tagOf(accounts.of("a").deposit({ cents: 3 })), "MailboxFull")
    yield* TestClock.adjust("1 second")
    assert.strictEqual(yield* answerOf(late), "CommandTimeout")
    const next = yield* fork(accounts.of("a").deposit({ cents: 4 }))
    yield* gate.open
    assert.deepStrictEqual(yield* answerOf(next), { balanceCents: 5 })
  }, Effect.provide(stores))
)

it.effect(
  "begins nothing with a deadline of zero",
  Effect.fnUntraced(function*() {
    const accounts = yield* startAccounts()
    assert.strictEqual(yield* tagOf(accounts.of("a", { deadline: 0 }).deposit({ cents: 1 })), "CommandTimeout")
    yield* accounts.of("a", { deadline: 1 }).deposit({ cents: 2 })
    yield* accounts.of("a", { deadline: Infinity }).deposit({ cents: 3 })
    assert.deepStrictEqual(yield* moved("a"), [2, 3])
  }, Effect.provide(stores))
)

it.effect(
  "ends a handler that nobody waits for any more, and goes on",
  Effect.fnUntraced(function*() {
    const { accounts, seen } = yield* startHeld
    const caller = yield* fork(tagOf(accounts.of("a", { deadline: "1 second" }).touch()))
    const next = yield* fork(accounts.of("a").deposit({ cents: 5 }))
    yield* TestClock.adjust(999)
    assert.deepStrictEqual(seen, { runs: 1, interrupted: 0 })
    yield* TestClock.adjust(1)
    assert.strictEqual(yield* answerOf(caller), "OutcomeUnknown")
    assert.deepStrictEqual(yield* answerOf(next), { balanceCents: 5 })
    assert.deepStrictEqual(seen, { runs: 1, interrupted: 1 })
    assert.deepStrictEqual(yield* moved("a"), [5])
  }, Effect.provide(stores))
)

it.effect(
  "lets a handler go on for a caller who joined with a later deadline",
  Effect.fnUntraced(function*() {
    const { accounts, latch, seen } = yield* startHeld
    const first = yield* fork(tagOf(accounts.of("a", { commandId: "c", deadline: "1 second" }).touch()))
    yield* TestClock.adjust(500)
    const joined = yield* fork(accounts.of("a", { commandId: "c", deadline: "5 seconds" }).touch())
    yield* TestClock.adjust(500)
    assert.strictEqual(yield* answerOf(first), "OutcomeUnknown")
    yield* TestClock.adjust("4 seconds")
    yield* latch.open
    yield* answerOf(joined)
    assert.deepStrictEqual(seen, { runs: 1, interrupted: 0 })
    assert.deepStrictEqual(yield* moved("a"), [1])
  }, Effect.provide(stores))
)

it.effect(
  "lets a handler go on for a caller who joined without a deadline",
  Effect.fnUntraced(function*() {
    const { accounts, latch } = yield* startHeld
    yield* fork(tagOf(accounts.of("a", { commandId: "c", deadline: "1 second" }).touch()))
    const joined = yield* fork(accounts.of("a", { commandId: "c" }).touch())
    yield* TestClock.adjust("1 hour")
    yield* latch.open
    yield* answerOf(joined)
    assert.deepStrictEqual(yield* moved("a"), [1])
  }, Effect.provide(stores))
)

it.effect(
  "ends a handler at the last deadline of those who joined",
  Effect.fnUntraced(function*() {
    const { accounts, seen } = yield* startHeld
    yield* fork(tagOf(accounts.of("a", { commandId: "c", deadline: "1 second" }).touch()))
    const joined = yield* fork(tagOf(accounts.of("a", { commandId: "c", deadline: "3 seconds" }).touch()))
    yield* TestClock.adjust(2_999)
    assert.strictEqual(seen.interrupted, 0)
    yield* TestClock.adjust(1)
    assert.strictEqual(yield* answerOf(joined), "OutcomeUnknown")
    assert.strictEqual(seen.interrupted, 1)
  }, Effect.provide(stores))
)

it.effect(
  "I7: keeps a waiting command for whoever joined with a later deadline",
  Effect.fnUntraced(function*() {
    const accounts = yield* startAccounts()
    const gate = yield* holdNext
    yield* fork(accounts.of("a").deposit({ cents: 1 }))
    const first = yield* fork(tagOf(accounts.of("a", { commandId: "c", deadline: "1 second" }).deposit({ cents: 2 })))
    const joined = yield* fork(accounts.of("a", { commandId: "c", deadline: "5 seconds" }).deposit({ cents: 2 }))
    yield* TestClock.adjust("1 second")
    // It may still be carried out, for the other one: that nothing was written would be a lie.
    assert.strictEqual(yield* answerOf(first), "OutcomeUnknown")
    yield* TestClock.adjust("3 seconds")
    yield* gate.open
    assert.deepStrictEqual(yield* answerOf(joined), { balanceCents: 3 })
  }, Effect.provide(stores))
)

it.effect(
  "does not shorten a wait for whoever joined with an earlier deadline",
  Effect.fnUntraced(function*() {
    const accounts = yield* startAccounts()
    const gate = yield* holdNext
    yield* fork(accounts.of("a").deposit({ cents: 1 }))
    const first = yield* fork(accounts.of("a", { commandId: "c" }).deposit({ cents: 2 }))
    const joined = yield* fork(tagOf(accounts.of("a", { commandId: "c", deadline: "1 second" }).deposit({ cents: 2 })))
    yield* TestClock.adjust("1 second")
    assert.strictEqual(yield* answerOf(joined), "OutcomeUnknown")
    yield* gate.open
    assert.deepStrictEqual(yield* answerOf(first), { balanceCents: 3 })
  }, Effect.provide(stores))
)

it.effect(
  "is certain for the last of those who waited for the same command",
  Effect.fnUntraced(function*() {
    const accounts = yield* startAccounts()
    const gate = yield* holdNext
    yield* fork(accounts.of("a").deposit({ cents: 1 }))
    const send = (deadline: string) =>
      fork(tagOf(accounts.of("a", { commandId: "c", deadline: deadline as "1 second" }).deposit({ cents: 2 })))
    const callers = [yield* send("1 second"), yield* send("2 seconds"), yield* send("2 seconds")]
    yield* TestClock.adjust("2 seconds")
    assert.deepStrictEqual(yield* answersOf(callers), ["OutcomeUnknown", "CommandTimeout", "CommandTimeout"])
    yield* gate.open
    yield* accounts.state("a")
    assert.deepStrictEqual(yield* moved("a"), [1])
  }, Effect.provide(stores))
)

/** A clock whose time of day is what the test says, and whose timers are as ever. */
const settable = Effect.gen(function*() {
  const clock = yield* Clock.Clock
  const set = { aheadMillis: 0 }
  return { set, clock: { ...clock, currentTimeMillisUnsafe: () => clock.currentTimeMillisUnsafe() + set.aheadMillis } }
})

it.effect(
  "is certain though the time of day was set back while a command waited",
  Effect.fnUntraced(function*() {
    const { clock, set } = yield* settable
    set.aheadMillis = 3_600_000
    const accounts = yield* Effect.provideService(startAccounts(), Clock.Clock, clock)
    const gate = yield* holdNext
    yield* fork(accounts.of("a").deposit({ cents: 1 }))
    const caller = yield* fork(tagOf(accounts.of("a", { deadline: "1 second" }).deposit({ cents: 2 })))
    set.aheadMillis = 0
    yield* TestClock.adjust("1 second")
    assert.strictEqual(yield* answerOf(caller), "CommandTimeout")
    yield* gate.open
    yield* accounts.state("a")
    assert.deepStrictEqual(yield* moved("a"), [1])
  }, Effect.provide(stores))
)

it.effect(
  "carries a command out though the time of day was set forward while it waited",
  Effect.fnUntraced(function*() {
    const { clock, set } = yield* settable
    const accounts = yield* Effect.provideService(startAccounts(), Clock.Clock, clock)
    const gate = yield* holdNext
    yield* fork(accounts.of("a").deposit({ cents: 1 }))
    const caller = yield* fork(accounts.of("a", { deadline: "1 second" }).deposit({ cents: 2 }))
    set.aheadMillis = 3_600_000
    yield* gate.open
    assert.deepStrictEqual(yield* answerOf(caller), { balanceCents: 3 })
  }, Effect.provide(stores))
)
