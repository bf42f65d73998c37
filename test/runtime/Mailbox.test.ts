/** Mailboxes: bounded, first come, first served, and each aggregate's own. */
import { assert, it } from "@effect/vitest"
import { Effect, Exit, Fiber } from "effect"
import { isCommandFailed, MailboxFull } from "../../src/AggregateHost.ts"
import * as FaultyStore from "../../src/testing/FaultyStore.ts"
import {
  answerOf,
  answersOf,
  fork,
  metric,
  moved,
  reasonOf,
  startAccounts,
  stores,
  tagOf
} from "../fixtures/Runtimes.ts"

const range = (length: number) => Array.from({ length }, (_, index) => index)

/** Holds the next append, and with it all that comes to its aggregate later. */
const holdNext = Effect.gen(function*() {
  const gate = yield* FaultyStore.gate
  yield* (yield* FaultyStore.FaultyStore).next("append", gate.before)
  return gate
})

it.effect(
  "I18: takes in as many commands as its capacity, beside the one under way, and no more",
  Effect.fnUntraced(function*() {
    const accounts = yield* startAccounts({ mailboxCapacity: 3 })
    const gate = yield* holdNext
    const callers = yield* Effect.forEach(range(4), (index) => fork(accounts.of("a").deposit({ cents: index + 1 })))
    const full = new MailboxFull({ aggregate: "Account", id: "a", capacity: 3, of: "mailbox" })
    assert.deepStrictEqual(yield* answerOf(yield* fork(reasonOf(accounts.of("a").deposit({ cents: 50 })))), full)
    assert.deepStrictEqual(yield* answerOf(yield* fork(reasonOf(accounts.state("a")))), full)
    yield* gate.open
    yield* answersOf(callers)
    assert.deepStrictEqual(yield* moved("a"), [1, 2, 3, 4])
    assert.deepStrictEqual(yield* accounts.of("a").deposit({ cents: 5 }), { balanceCents: 15 })
  }, Effect.provide(stores))
)

it.effect(
  "I18: of ten thousand callers at once, a mailbox keeps 256 and tells all others",
  Effect.fnUntraced(function*() {
    const accounts = yield* startAccounts()
    const gate = yield* holdNext
    const callers = yield* Effect.forEach(range(10_000), () => fork(accounts.of("a").deposit({ cents: 1 })))
    assert.strictEqual(yield* metric("varve_mailbox_depth"), 256)
    yield* gate.open
    const exits = yield* Effect.forEach(callers, Fiber.await)
    assert.lengthOf(exits.filter(Exit.isSuccess), 257)
    const refused = exits.flatMap((exit) => {
      const error = Exit.findErrorOption(exit)
      return error._tag === "Some" && isCommandFailed(error.value) ? [error.value.reason._tag] : []
    })
    assert.deepStrictEqual([refused.length, new Set(refused)], [10_000 - 257, new Set(["MailboxFull"])])
    assert.lengthOf(yield* moved("a"), 257)
    assert.strictEqual(yield* metric("varve_mailbox_depth"), 0)
  }, Effect.provide(stores))
)

it.effect(
  "has a place again as soon as the next command is begun",
  Effect.fnUntraced(function*() {
    const accounts = yield* startAccounts({ mailboxCapacity: 1 })
    const first = yield* holdNext
    const second = yield* holdNext
    yield* fork(accounts.of("a").deposit({ cents: 1 }))
    yield* fork(accounts.of("a").deposit({ cents: 2 }))
    assert.strictEqual(yield* tagOf(accounts.of("a").deposit({ cents: 3 })), "MailboxFull")
    yield* first.open
    yield* second.arrived
    const third = yield* fork(accounts.of("a").deposit({ cents: 4 }))
    yield* second.open
    assert.deepStrictEqual(yield* answerOf(third), { balanceCents: 7 })
  }, Effect.provide(stores))
)

it.effect(
  "serves commands in the order in which they came, also when thousands wait",
  Effect.fnUntraced(function*() {
    const accounts = yield* startAccounts({ mailboxCapacity: 5_000 })
    const gate = yield* holdNext
    const callers = yield* Effect.forEach(range(4_000), (index) => fork(accounts.of("a").deposit({ cents: index + 1 })))
    yield* gate.open
    yield* answersOf(callers)
    assert.deepStrictEqual(yield* moved("a"), range(4_000).map((index) => index + 1))
  }, Effect.provide(stores))
)

it.effect(
  "keeps the order of those who wait when one of them leaves at its deadline",
  Effect.fnUntraced(function*() {
    const accounts = yield* startAccounts()
    const gate = yield* holdNext
    const send = (cents: number, deadline?: number) =>
      fork(Effect.exit(accounts.of("a", { deadline }).deposit({ cents })))
    const callers = [
      yield* send(1),
      yield* send(2),
      yield* send(3, 0),
      yield* send(4),
      yield* send(5, 0),
      yield* send(6)
    ]
    yield* gate.open
    yield* answersOf(callers)
    assert.deepStrictEqual(yield* moved("a"), [1, 2, 4, 6])
  }, Effect.provide(stores))
)

it.effect(
  "does not hold up one aggregate because the store hangs for another",
  Effect.fnUntraced(function*() {
    const { always } = yield* FaultyStore.FaultyStore
    const gate = yield* FaultyStore.gate
    yield* always("append", gate.before, FaultyStore.onStream("a"))
    const accounts = yield* startAccounts()
    const hung = yield* fork(accounts.of("a").deposit({ cents: 1 }))
    yield* gate.arrived
    for (const index of range(300)) yield* accounts.of(`b${index % 3}`).deposit({ cents: 1 })
    assert.deepStrictEqual(yield* accounts.state("b0"), { balanceCents: 100 })
    assert.isUndefined(hung.pollUnsafe())
    yield* gate.open
    assert.deepStrictEqual(yield* answerOf(hung), { balanceCents: 1 })
  }, Effect.provide(stores))
)

it.effect(
  "does not hold up one aggregate because another one cannot be loaded",
  Effect.fnUntraced(function*() {
    const { always } = yield* FaultyStore.FaultyStore
    const gate = yield* FaultyStore.gate
    yield* always("readStream", gate.before, FaultyStore.onStream("a"))
    const accounts = yield* startAccounts()
    const hung = yield* fork(accounts.of("a").deposit({ cents: 1 }))
    yield* gate.arrived
    assert.deepStrictEqual(yield* accounts.of("b").deposit({ cents: 2 }), { balanceCents: 2 })
    yield* gate.open
    yield* answerOf(hung)
  }, Effect.provide(stores))
)

it.effect(
  "keeps the same id in two tenants apart",
  Effect.fnUntraced(function*() {
    const { always } = yield* FaultyStore.FaultyStore
    const gate = yield* FaultyStore.gate
    yield* always("append", gate.before, ({ args }) => JSON.stringify(args[0]).includes("\"tenant\":\"slow\""))
    const accounts = yield* startAccounts({ mailboxCapacity: 1 })
    const slow = yield* fork(accounts.of("a", { tenant: "slow" }).deposit({ cents: 1 }))
    assert.deepStrictEqual(yield* accounts.of("a").deposit({ cents: 2 }), { balanceCents: 2 })
    yield* gate.open
    assert.deepStrictEqual(yield* answerOf(slow), { balanceCents: 1 })
    assert.deepStrictEqual(yield* moved("a"), [2])
    assert.deepStrictEqual(yield* moved("a", "slow"), [1])
  }, Effect.provide(stores))
)
