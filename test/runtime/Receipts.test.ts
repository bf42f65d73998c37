/** A command with an id is carried out once: whoever repeats it, wherever and whenever, gets the first answer. */
import { assert, it } from "@effect/vitest"
import { Effect, Fiber } from "effect"
import { decide } from "../../src/Aggregate.ts"
import { CommandIdReused } from "../../src/AggregateHost.ts"
import * as FaultyStore from "../../src/testing/FaultyStore.ts"
import { Accounts, behavior, InsufficientFunds, Supervisor } from "../fixtures/Account.ts"
import {
  answerOf,
  answersOf,
  deposited,
  foreign,
  fork,
  moved,
  reasonOf,
  sharedStores,
  start,
  startAccounts,
  stores,
  tagOf,
  withdrawn
} from "../fixtures/Runtimes.ts"

it.effect(
  "I5: a repeated command has one effect and gets the first answer",
  Effect.fnUntraced(function*() {
    const accounts = yield* startAccounts()
    const client = accounts.of("a", { commandId: "c", returning: "commit" })
    const first = yield* client.deposit({ cents: 5 })
    assert.deepStrictEqual(first, { reply: { balanceCents: 5 }, version: 1, position: 1n, duplicate: false })
    yield* accounts.of("a").deposit({ cents: 100 })
    for (let again = 0; again < 3; again++) {
      assert.deepStrictEqual(yield* client.deposit({ cents: 5 }), { ...first, duplicate: true })
    }
    assert.deepStrictEqual(yield* moved("a"), [5, 100])
  }, Effect.provide(stores))
)

it.effect(
  "I5: a repeated command has one effect also after a restart, and in another runtime",
  Effect.fnUntraced(function*() {
    const send = (accounts: Accounts["Service"]) =>
      accounts.of("a", { commandId: "c", returning: "commit" }).deposit({ cents: 5 })
    const first = yield* Effect.scoped(Effect.flatMap(startAccounts(), send))
    const restarted = yield* startAccounts()
    const beside = yield* startAccounts()
    assert.deepStrictEqual(yield* send(restarted), { ...first, duplicate: true })
    assert.deepStrictEqual(yield* send(beside), { ...first, duplicate: true })
    assert.deepStrictEqual(yield* moved("a"), [5])
  }, Effect.provide(stores))
)

it.effect(
  "I5: a command that two runtimes carry out at once has one effect",
  Effect.fnUntraced(function*() {
    const { always } = yield* FaultyStore.FaultyStore
    yield* always("append", FaultyStore.first(Effect.yieldNow))
    const runtimes = yield* Effect.replicateEffect(startAccounts(), 5)
    const commits = yield* Effect.forEach(
      runtimes,
      (accounts) => accounts.of("a", { commandId: "c", returning: "commit" }).deposit({ cents: 5 }),
      { concurrency: "unbounded" }
    )
    assert.deepStrictEqual(
      commits.map(({ position, reply, version }) => ({ position, reply, version })),
      Array.from({ length: 5 }, () => ({ position: 1n, reply: { balanceCents: 5 }, version: 1 }))
    )
    assert.lengthOf(commits.filter(({ duplicate }) => !duplicate), 1)
    assert.deepStrictEqual(yield* moved("a"), [5])
  }, Effect.provide(sharedStores))
)

it.effect(
  "I5: gives a repeated command its first rejection as the same typed error",
  Effect.fnUntraced(function*() {
    const first = new InsufficientFunds({ balanceCents: 0, requestedCents: 5 })
    yield* Effect.scoped(Effect.gen(function*() {
      const accounts = yield* startAccounts()
      assert.deepStrictEqual(yield* Effect.flip(accounts.of("a", { commandId: "c" }).withdraw({ cents: 5 })), first)
      yield* accounts.of("a").deposit({ cents: 50 })
      assert.deepStrictEqual(yield* Effect.flip(accounts.of("a", { commandId: "c" }).withdraw({ cents: 5 })), first)
    }))
    const accounts = yield* startAccounts()
    const again = yield* Effect.flip(accounts.of("a", { commandId: "c" }).withdraw({ cents: 5 }))
    assert.instanceOf(again, InsufficientFunds)
    assert.deepStrictEqual(again, first)
    assert.deepStrictEqual(yield* moved("a"), [50])
  }, Effect.provide(stores))
)

it.effect(
  "gives a repeated command its first answer though it was decided on nothing",
  Effect.fnUntraced(function*() {
    const accounts = yield* startAccounts()
    const client = accounts.of("a", { commandId: "c", returning: "commit" })
    const first = yield* client.touch()
    assert.deepStrictEqual(first, { reply: undefined, version: 0, position: undefined, duplicate: false })
    yield* foreign("a", deposited(1))
    assert.deepStrictEqual(yield* client.touch(), { ...first, duplicate: true })
  }, Effect.provide(stores))
)

it.effect(
  "carries one id out once for each aggregate and each tenant",
  Effect.fnUntraced(function*() {
    const accounts = yield* startAccounts()
    yield* accounts.of("a", { commandId: "c" }).deposit({ cents: 1 })
    yield* accounts.of("b", { commandId: "c" }).deposit({ cents: 2 })
    yield* accounts.of("a", { commandId: "c", tenant: "t" }).deposit({ cents: 3 })
    assert.deepStrictEqual(yield* moved("a"), [1])
    assert.deepStrictEqual(yield* moved("b"), [2])
    assert.deepStrictEqual(yield* moved("a", "t"), [3])
  }, Effect.provide(stores))
)

it.effect(
  "I5: refuses another payload, or another command, under an id that was used",
  Effect.fnUntraced(function*() {
    const reused = new CommandIdReused({ aggregate: "Account", id: "a", commandId: "c" })
    yield* Effect.scoped(
      Effect.flatMap(startAccounts(), (accounts) => accounts.of("a", { commandId: "c" }).deposit({ cents: 5 }))
    )
    const accounts = yield* startAccounts()
    const client = accounts.of("a", { commandId: "c" })
    assert.deepStrictEqual(yield* reasonOf(client.deposit({ cents: 6 })), reused)
    assert.deepStrictEqual(yield* reasonOf(client.deposit({ cents: 5, note: "x" })), reused)
    assert.deepStrictEqual(yield* reasonOf(client.withdraw({ cents: 5 })), reused)
    assert.deepStrictEqual(yield* reasonOf(client.withdraw({ cents: 500 })), reused)
    assert.deepStrictEqual(yield* reasonOf(client.withdrawApproved({ cents: 5 })), reused)
    assert.deepStrictEqual(yield* reasonOf(client.touch()), reused)
    assert.deepStrictEqual(yield* moved("a"), [5])
  }, Effect.provide(stores))
)

it.effect(
  "takes a payload for the same whatever the order of its fields",
  Effect.fnUntraced(function*() {
    const accounts = yield* startAccounts()
    yield* accounts.of("a", { commandId: "c" }).deposit({ cents: 5, note: "x" })
    yield* accounts.of("a", { commandId: "c" }).deposit({ note: "x", cents: 5 })
    assert.deepStrictEqual(yield* moved("a"), [5])
  }, Effect.provide(stores))
)

it.effect(
  "I5: gives the first answer to a repeated command that would now be rejected",
  Effect.fnUntraced(function*() {
    const accounts = yield* startAccounts()
    yield* accounts.of("a").deposit({ cents: 5 })
    const client = accounts.of("a", { commandId: "c", returning: "commit" })
    const first = yield* client.withdraw({ cents: 5 })
    assert.deepStrictEqual(yield* client.withdraw({ cents: 5 }), { ...first, duplicate: true })
    assert.deepStrictEqual(yield* moved("a"), [5, -5])
  }, Effect.provide(sharedStores))
)

it.effect(
  "gives the first answer to a repeated command whose `ifVersion` is stale by now",
  Effect.fnUntraced(function*() {
    const accounts = yield* startAccounts()
    const client = accounts.of("a", { commandId: "c", ifVersion: 0, returning: "commit" })
    const first = yield* client.deposit({ cents: 5 })
    assert.deepStrictEqual(yield* client.deposit({ cents: 5 }), { ...first, duplicate: true })
    yield* foreign("a", withdrawn(1))
    assert.deepStrictEqual(yield* client.deposit({ cents: 5 }), { ...first, duplicate: true })
    assert.deepStrictEqual(yield* moved("a"), [5, -1])
  }, Effect.provide(stores))
)

/** Accounts that carry `touch` out once and die of it from then on. */
const startDyingLater = Effect.gen(function*() {
  let runs = 0
  const touch = () => {
    if (runs++ > 0) throw new Error("a bug")
    return decide([deposited(1)])
  }
  const live = Accounts.toLayer({ ...behavior, handlers: { ...behavior.handlers, touch } })
  return yield* start(Accounts, live).pipe(Effect.provide(Supervisor.layerYes))
})

it.effect(
  "I5: gives the first answer to a repeated command that would now end in a defect, however often",
  Effect.fnUntraced(function*() {
    const accounts = yield* startDyingLater
    const client = accounts.of("a", { commandId: "c", returning: "commit" })
    const first = yield* client.touch()
    for (let again = 0; again < 5; again++) {
      assert.deepStrictEqual(yield* client.touch(), { ...first, duplicate: true })
    }
  }, Effect.provide(stores))
)

it.effect(
  "refuses another payload under a used id also where the command would be rejected or die",
  Effect.fnUntraced(function*() {
    const accounts = yield* startDyingLater
    yield* accounts.of("a", { commandId: "c" }).touch()
    yield* accounts.of("a", { commandId: "d" }).deposit({ cents: 1 })
    assert.strictEqual(yield* tagOf(accounts.of("a", { commandId: "d" }).touch()), "CommandIdReused")
    assert.strictEqual(yield* tagOf(accounts.of("a", { commandId: "d", ifVersion: 0 }).touch()), "CommandIdReused")
  }, Effect.provide(stores))
)

it.effect(
  "lets a repeated command try again when the store cannot look for its receipt",
  Effect.fnUntraced(function*() {
    const { next } = yield* FaultyStore.FaultyStore
    const accounts = yield* startAccounts()
    const client = accounts.of("a", { commandId: "c", ifVersion: 0 })
    yield* client.deposit({ cents: 5 })
    yield* next("receipt", FaultyStore.unavailable)
    assert.strictEqual(yield* tagOf(client.deposit({ cents: 5 })), "StoreUnavailable")
    assert.deepStrictEqual(yield* client.deposit({ cents: 5 }), { balanceCents: 5 })
  }, Effect.provide(stores))
)

it.effect(
  "I5: lets a second caller of a command under way wait for the same execution",
  Effect.fnUntraced(function*() {
    const { calls, next } = yield* FaultyStore.FaultyStore
    const gate = yield* FaultyStore.gate
    yield* next("append", gate.before)
    const accounts = yield* startAccounts()
    const send = accounts.of("a", { commandId: "c", returning: "commit" }).deposit({ cents: 5 })
    const first = yield* fork(send)
    const second = yield* fork(send)
    yield* gate.open
    const commit = { reply: { balanceCents: 5 }, version: 1, position: 1n }
    assert.deepStrictEqual(yield* answerOf(first), { ...commit, duplicate: false })
    assert.deepStrictEqual(yield* answerOf(second), { ...commit, duplicate: true })
    assert.strictEqual(yield* calls("append"), 1)
    assert.deepStrictEqual(yield* moved("a"), [5])
  }, Effect.provide(stores))
)

it.effect(
  "lets a second caller join a command that still waits in the mailbox, without a place of its own",
  Effect.fnUntraced(function*() {
    const { next } = yield* FaultyStore.FaultyStore
    const gate = yield* FaultyStore.gate
    yield* next("append", gate.before)
    const accounts = yield* startAccounts({ mailboxCapacity: 1 })
    yield* fork(accounts.of("a").deposit({ cents: 1 }))
    const send = accounts.of("a", { commandId: "c" }).withdraw({ cents: 5 })
    const callers = [yield* fork(Effect.flip(send)), yield* fork(Effect.flip(send))]
    yield* gate.open
    for (const caller of callers) {
      const error = yield* answerOf(caller)
      assert.deepStrictEqual(error, new InsufficientFunds({ balanceCents: 1, requestedCents: 5 }))
    }
  }, Effect.provide(stores))
)

it.effect(
  "refuses another payload under the id of a command under way at once",
  Effect.fnUntraced(function*() {
    const { next } = yield* FaultyStore.FaultyStore
    const gate = yield* FaultyStore.gate
    yield* next("append", gate.before)
    const accounts = yield* startAccounts()
    const first = yield* fork(accounts.of("a", { commandId: "c" }).deposit({ cents: 5 }))
    assert.strictEqual(yield* tagOf(accounts.of("a", { commandId: "c" }).deposit({ cents: 6 })), "CommandIdReused")
    yield* gate.open
    assert.deepStrictEqual(yield* answerOf(first), { balanceCents: 5 })
  }, Effect.provide(stores))
)

it.effect(
  "I17: answers everybody who waits for one command",
  Effect.fnUntraced(function*() {
    const { next } = yield* FaultyStore.FaultyStore
    const gate = yield* FaultyStore.gate
    yield* next("append", gate.before)
    const accounts = yield* startAccounts()
    const callers = yield* Effect.replicateEffect(fork(accounts.of("a", { commandId: "c" }).deposit({ cents: 5 })), 5)
    yield* gate.open
    assert.deepStrictEqual(yield* answersOf(callers), Array.from({ length: 5 }, () => ({ balanceCents: 5 })))
    assert.deepStrictEqual(yield* moved("a"), [5])
  }, Effect.provide(stores))
)

it.effect(
  "I17: answers a caller who joined when the first one has gone",
  Effect.fnUntraced(function*() {
    const { next } = yield* FaultyStore.FaultyStore
    const gate = yield* FaultyStore.gate
    yield* next("append", gate.before)
    const accounts = yield* startAccounts()
    const send = accounts.of("a", { commandId: "c" }).deposit({ cents: 5 })
    const first = yield* fork(send)
    const second = yield* fork(send)
    yield* Fiber.interrupt(first)
    yield* gate.open
    assert.deepStrictEqual(yield* answerOf(second), { balanceCents: 5 })
    assert.deepStrictEqual(yield* moved("a"), [5])
  }, Effect.provide(stores))
)

it.effect(
  "carries a command out again once its receipt was pruned",
  Effect.fnUntraced(function*() {
    const { inner } = yield* FaultyStore.FaultyStore
    const accounts = yield* startAccounts()
    yield* accounts.of("a", { commandId: "c" }).deposit({ cents: 5 })
    assert.strictEqual(yield* inner.pruneReceipts({ beforeMillis: 1, limit: 10 }), 1)
    yield* accounts.of("a", { commandId: "c" }).deposit({ cents: 5 })
    assert.deepStrictEqual(yield* moved("a"), [5, 5])
  }, Effect.provide(stores))
)
