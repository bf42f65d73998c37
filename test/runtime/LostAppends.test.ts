/** Lost appends: what became of them is found out by sending the same write again, and nothing overtakes it. */
import { assert, it } from "@effect/vitest"
import { Effect } from "effect"
import { TestClock } from "effect/testing"
import { decide } from "../../src/Aggregate.ts"
import * as FaultyStore from "../../src/testing/FaultyStore.ts"
import { Accounts, behavior, InsufficientFunds, Supervisor } from "../fixtures/Account.ts"
import {
  accountStream,
  answerOf,
  deposited,
  fork,
  moved,
  sharedStores,
  start,
  startAccounts,
  storedIn,
  stores,
  tagOf
} from "../fixtures/Runtimes.ts"

const { lostAfter, lostBefore, unavailable } = FaultyStore

/** With and without a receipt the way back is another one, and must lead to the same. */
const callers = [["without an id", {}], ["with an id", { commandId: "c" }]] as const

/** How an append may be lost, and how many times the store is asked until that is settled. */
const losses = [
  ["after it was written", [lostAfter], 2],
  ["before it was written", [lostBefore], 2],
  ["before it was written, and again", [lostBefore, lostBefore, lostBefore], 4],
  ["before it was written, then after", [lostBefore, lostAfter], 3],
  ["after it was written, and again", [lostAfter, lostAfter], 3],
  ["after it was written, then the store is out of reach", [lostAfter, unavailable, unavailable], 4],
  ["before it was written, then the store is out of reach", [lostBefore, unavailable], 3]
] as const

for (const [caller, options] of callers) {
  for (const [when, faults, appends] of losses) {
    it.effect(
      `I7: a command ${caller} takes effect once though its append was lost ${when}`,
      Effect.fnUntraced(function*() {
        const { calls, next } = yield* FaultyStore.FaultyStore
        const accounts = yield* startAccounts()
        yield* next("append", ...faults)
        const caller = yield* fork(accounts.of("a", { ...options, returning: "commit" }).deposit({ cents: 5 }))
        yield* TestClock.adjust("1 minute")
        const { position, reply, version } = yield* answerOf(caller)
        assert.deepStrictEqual({ position, reply, version }, { position: 1n, reply: { balanceCents: 5 }, version: 1 })
        assert.deepStrictEqual(yield* moved("a"), [5])
        assert.strictEqual(yield* calls("append"), appends)
        assert.deepStrictEqual(yield* accounts.of("a").deposit({ cents: 1 }), { balanceCents: 6 })
      }, Effect.provide(stores))
    )
  }

  it.effect(
    `decides a command ${caller} again when another writer took the place of its lost append`,
    Effect.fnUntraced(function*() {
      const { next, overtakenBy } = yield* FaultyStore.FaultyStore
      const accounts = yield* startAccounts()
      yield* accounts.of("a").deposit({ cents: 5 })
      yield* next("append", lostBefore, overtakenBy(Accounts.write("a", [deposited(100)])))
      const caller = yield* fork(accounts.of("a", options).withdraw({ cents: 5 }))
      yield* TestClock.adjust("1 second")
      assert.strictEqual(yield* answerOf(caller), 100)
      assert.deepStrictEqual(yield* moved("a"), [5, 100, -5])
    }, Effect.provide(stores))
  )

  it.effect(
    `recognizes the lost append of a command ${caller} though others have gone on since`,
    Effect.fnUntraced(function*() {
      const { next, overtakenBy } = yield* FaultyStore.FaultyStore
      const accounts = yield* startAccounts()
      yield* next("append", lostAfter, overtakenBy(Accounts.write("a", [deposited(100)])))
      const caller = yield* fork(accounts.of("a", { ...options, returning: "commit" }).deposit({ cents: 5 }))
      yield* TestClock.adjust("1 second")
      const { position, reply, version } = yield* answerOf(caller)
      assert.deepStrictEqual({ position, reply, version }, { position: 1n, reply: { balanceCents: 5 }, version: 1 })
      assert.deepStrictEqual(yield* accounts.of("a").withdraw({ cents: 105 }), 0)
      assert.deepStrictEqual(yield* moved("a"), [5, 100, -105])
    }, Effect.provide(stores))
  )

  it.effect(
    `settles the lost check of a "no" to a command ${caller}`,
    Effect.fnUntraced(function*() {
      const { next } = yield* FaultyStore.FaultyStore
      const accounts = yield* startAccounts()
      for (const fault of [lostBefore, lostAfter]) {
        yield* next("append", fault)
        const caller = yield* fork(Effect.flip(accounts.of("a", options).withdraw({ cents: 5 })))
        yield* TestClock.adjust("1 second")
        assert.deepStrictEqual(yield* answerOf(caller), new InsufficientFunds({ balanceCents: 0, requestedCents: 5 }))
      }
      assert.deepStrictEqual(yield* moved("a"), [])
    }, Effect.provide(sharedStores))
  )

  it.effect(
    `decides the "no" to a command ${caller} again when its check was lost and then overtaken`,
    Effect.fnUntraced(function*() {
      const { next, overtakenBy } = yield* FaultyStore.FaultyStore
      const accounts = yield* startAccounts()
      yield* next("append", lostBefore, overtakenBy(Accounts.write("a", [deposited(100)])))
      const caller = yield* fork(accounts.of("a", options).withdraw({ cents: 5 }))
      yield* TestClock.adjust("1 second")
      assert.strictEqual(yield* answerOf(caller), 95)
    }, Effect.provide(sharedStores))
  )

  it.effect(
    `writes to both streams once though the append of a command ${caller} was lost`,
    Effect.fnUntraced(function*() {
      const { next } = yield* FaultyStore.FaultyStore
      const accounts = yield* startAccounts()
      yield* accounts.of("a").deposit({ cents: 5 })
      for (const fault of [lostAfter, lostBefore]) {
        yield* next("append", fault)
        const id = fault === lostAfter ? "b" : "c"
        const caller = yield* fork(
          accounts.of("a", { ...options, ...("commandId" in options && { commandId: id }) }).transfer({
            cents: 2,
            to: id
          })
        )
        yield* TestClock.adjust("1 second")
        yield* answerOf(caller)
        assert.deepStrictEqual(yield* moved(id), [2])
      }
      assert.deepStrictEqual(yield* moved("a"), [5, -2, -2])
    }, Effect.provide(stores))
  )

  it.effect(
    `writes beside an own stream without events once though the append of a command ${caller} was lost`,
    Effect.fnUntraced(function*() {
      const { next } = yield* FaultyStore.FaultyStore
      const live = Accounts.toLayer({
        ...behavior,
        handlers: {
          ...behavior.handlers,
          touch: () => decide([], { also: [Accounts.write("b", [deposited(7)])], publish: [{ topic: "t", body: 1 }] })
        }
      })
      const accounts = yield* start(Accounts, live).pipe(Effect.provide(Supervisor.layerYes))
      yield* next("append", lostAfter)
      const caller = yield* fork(accounts.of("a", options).touch())
      yield* TestClock.adjust("1 second")
      yield* answerOf(caller)
      assert.deepStrictEqual(yield* moved("b"), [7])
      assert.lengthOf(yield* storedIn({ ...accountStream("a"), category: "outbox" }), 1)
    }, Effect.provide(stores))
  )

  it.effect(
    `tells the caller of a command ${caller} the truth at its deadline while a lost append is being settled`,
    Effect.fnUntraced(function*() {
      const { always, calls, heal } = yield* FaultyStore.FaultyStore
      const accounts = yield* startAccounts()
      yield* always("append", lostBefore)
      const caller = yield* fork(tagOf(accounts.of("a", { ...options, deadline: "3 seconds" }).deposit({ cents: 5 })))
      yield* TestClock.adjust("3 seconds")
      assert.strictEqual(yield* answerOf(caller), "OutcomeUnknown")
      assert.deepStrictEqual(yield* moved("a"), [])
      yield* heal
      yield* TestClock.adjust("2 seconds")
      assert.deepStrictEqual(yield* moved("a"), [5])
      const before = yield* calls("append")
      yield* TestClock.adjust("1 minute")
      assert.strictEqual(yield* calls("append"), before)
    }, Effect.provide(stores))
  )
}

it.effect(
  "gives who retries after `OutcomeUnknown` with the same id the one answer",
  Effect.fnUntraced(function*() {
    const { always, heal } = yield* FaultyStore.FaultyStore
    const accounts = yield* startAccounts()
    const send = accounts.of("a", { commandId: "c", deadline: "3 seconds" }).deposit({ cents: 5 })
    yield* always("append", lostAfter)
    const caller = yield* fork(tagOf(send))
    yield* TestClock.adjust("3 seconds")
    assert.strictEqual(yield* answerOf(caller), "OutcomeUnknown")
    const retry = yield* fork(send)
    yield* heal
    yield* TestClock.adjust("2 seconds")
    assert.deepStrictEqual(yield* answerOf(retry), { balanceCents: 5 })
    assert.deepStrictEqual(yield* moved("a"), [5])
  }, Effect.provide(stores))
)

it.effect(
  "I7: lets nothing that was decided later go out before a lost append is settled",
  Effect.fnUntraced(function*() {
    const { always, calls, heal } = yield* FaultyStore.FaultyStore
    const accounts = yield* startAccounts()
    yield* always("append", lostBefore)
    const first = yield* fork(accounts.of("a").deposit({ cents: 5 }))
    const second = yield* fork(accounts.of("a").deposit({ cents: 7 }))
    const read = yield* fork(accounts.state("a"))
    yield* TestClock.adjust("10 seconds")
    assert.isUndefined(first.pollUnsafe())
    assert.isUndefined(second.pollUnsafe())
    assert.isUndefined(read.pollUnsafe())
    assert.strictEqual(yield* calls("readStream"), 1)
    yield* heal
    yield* TestClock.adjust("2 seconds")
    assert.deepStrictEqual(yield* answerOf(first), { balanceCents: 5 })
    assert.deepStrictEqual(yield* answerOf(second), { balanceCents: 12 })
    assert.deepStrictEqual(yield* answerOf(read), { balanceCents: 12 })
    assert.deepStrictEqual(yield* moved("a"), [5, 7])
  }, Effect.provide(stores))
)

it.effect(
  "asks again after 10 ms and more, at most a second apart",
  Effect.fnUntraced(function*() {
    const { always, calls } = yield* FaultyStore.FaultyStore
    const accounts = yield* startAccounts({ drainDeadline: 0 })
    yield* always("append", lostBefore)
    yield* fork(accounts.of("a").deposit({ cents: 5 }))
    yield* TestClock.adjust(7)
    assert.strictEqual(yield* calls("append"), 1)
    yield* TestClock.adjust(6)
    assert.strictEqual(yield* calls("append"), 2)
    yield* TestClock.adjust("5 seconds")
    const before = yield* calls("append")
    yield* TestClock.adjust("60 seconds")
    const perMinute = (yield* calls("append")) - before
    assert.isAtLeast(perMinute, 50)
    assert.isAtMost(perMinute, 75)
  }, Effect.provide(stores))
)

it.effect(
  "holds up only the aggregate whose append was lost",
  Effect.fnUntraced(function*() {
    const { always } = yield* FaultyStore.FaultyStore
    const accounts = yield* startAccounts({ drainDeadline: 0 })
    yield* always("append", lostBefore, FaultyStore.onStream("a"))
    yield* fork(accounts.of("a").deposit({ cents: 5 }))
    assert.deepStrictEqual(yield* accounts.of("b").deposit({ cents: 7 }), { balanceCents: 7 })
  }, Effect.provide(stores))
)
