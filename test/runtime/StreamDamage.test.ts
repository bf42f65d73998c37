/** Damage in a stream: whoever asks learns at once what is wrong where, and loading is tried again when it may help. */
import { assert, it } from "@effect/vitest"
import { Effect } from "effect"
import { TestClock } from "effect/testing"
import { HandlerMissing, SchemaTooNew, StreamMismatch, StreamUnreadable } from "../../src/AggregateHost.ts"
import type { StreamPage } from "../../src/EventStore.ts"
import { untyped } from "../../src/internal/types.ts"
import * as FaultyStore from "../../src/testing/FaultyStore.ts"
import { Accounts, behavior, Supervisor } from "../fixtures/Account.ts"
import {
  accountStream,
  answersOf,
  deposited,
  foreign,
  fork,
  moved,
  newEvent,
  reasonOf,
  start,
  startAccounts,
  storedIn,
  stores,
  tagOf,
  withdrawn,
  writeForeign
} from "../fixtures/Runtimes.ts"

const names = { aggregate: "Account", id: "a" }

/** Three events, of which the second is as the test wants it. */
const writeAround = Effect.fnUntraced(function*(parts: Parameters<typeof newEvent>[0]) {
  yield* foreign("a", deposited(1))
  yield* writeForeign({ stream: accountStream("a"), expected: 1, events: [newEvent(parts)], receipts: [] })
  yield* foreign("a", deposited(4))
})

const unreadable = (type: string, problem: string) => new StreamUnreadable({ ...names, version: 2, type, problem })

const rows = [
  [
    "of a type that this build does not know",
    { type: "MoneyBurnt" },
    new HandlerMissing({ ...names, name: "MoneyBurnt" })
  ],
  [
    "that is newer than this build",
    { schemaVersion: 2 },
    new SchemaTooNew({
      ...names,
      version: 2,
      type: "MoneyDeposited",
      schemaVersion: 2
    })
  ],
  ["that is no JSON object", { data: [1] }, unreadable("MoneyDeposited", "a JSON object is expected")]
] as const

for (const [what, parts, reason] of rows) {
  it.effect(
    `names an event ${what}`,
    Effect.fnUntraced(function*() {
      yield* writeAround(parts)
      const accounts = yield* startAccounts()
      assert.deepStrictEqual(yield* reasonOf(accounts.of("a").deposit({ cents: 1 })), reason)
      assert.deepStrictEqual(yield* reasonOf(accounts.state("a")), reason)
      assert.deepStrictEqual(yield* reasonOf(accounts.stateAt("a", { version: 3 })), reason)
      assert.lengthOf(yield* storedIn(accountStream("a")), 3)
      assert.deepStrictEqual((yield* accounts.stateAt("a", { version: 1 })).state, { balanceCents: 1 })
    }, Effect.provide(stores))
  )
}

it.effect(
  "says in one line which field of a stored event is wrong",
  Effect.fnUntraced(function*() {
    yield* writeAround({ data: { cents: "secret" } })
    const accounts = yield* startAccounts()
    const reason = yield* reasonOf(accounts.of("a").touch())
    assert.instanceOf(reason, StreamUnreadable)
    assert.deepStrictEqual([reason.version, reason.type], [2, "MoneyDeposited"])
    assert.include(reason.problem, "cents")
    assert.notMatch(reason.message, /\n|secret/)
  }, Effect.provide(stores))
)

/** Damage that only a broken store shows. */
const shown = (alter: (page: StreamPage) => StreamPage) =>
  Effect.gen(function*() {
    yield* foreign("a", deposited(1), deposited(2), deposited(4))
    yield* (yield* FaultyStore.FaultyStore).damage(alter)
    return yield* startAccounts()
  })

it.effect.each(["tenant", "category", "id"] as const)(
  "names an event of another %s",
  (field) =>
    Effect.gen(function*() {
      const accounts = yield* shown((page) => ({
        ...page,
        events: page.events.map((event) => event.version === 2 ? { ...event, [field]: "other" } : event)
      }))
      const reason = new StreamMismatch({ ...names, version: 2 })
      assert.deepStrictEqual(yield* reasonOf(accounts.of("a").deposit({ cents: 1 })), reason)
    }).pipe(Effect.provide(stores))
)

it.effect(
  "names the version that is missing",
  Effect.fnUntraced(function*() {
    const accounts = yield* shown((page) => ({ ...page, events: page.events.filter(({ version }) => version !== 2) }))
    const reason = unreadable("MoneyDeposited", "version 3 stands in its place")
    assert.deepStrictEqual(yield* reasonOf(accounts.of("a").deposit({ cents: 1 })), reason)
  }, Effect.provide(stores))
)

it.effect(
  "names the version that comes twice",
  Effect.fnUntraced(function*() {
    const accounts = yield* shown((page) => ({ ...page, events: [page.events[0]!, ...page.events] }))
    const reason = unreadable("MoneyDeposited", "version 1 stands in its place")
    assert.deepStrictEqual(yield* reasonOf(accounts.of("a").deposit({ cents: 1 })), reason)
  }, Effect.provide(stores))
)

it.effect(
  "names the version that is missing at the end",
  Effect.fnUntraced(function*() {
    const accounts = yield* shown((page) => ({ ...page, events: page.events.filter(({ version }) => version < 2) }))
    const reason = yield* reasonOf(accounts.of("a").deposit({ cents: 1 }))
    assert.deepStrictEqual(reason, unreadable("?", "it is missing"))
  }, Effect.provide(stores))
)

it.effect(
  "does not quote data that is no JSON",
  Effect.fnUntraced(function*() {
    const accounts = yield* shown((page) => ({
      ...page,
      events: page.events.map((event) => event.version === 2 ? { ...event, data: "{\"pin\": 1234" } : event)
    }))
    const reason = yield* reasonOf(accounts.of("a").deposit({ cents: 1 }))
    assert.deepStrictEqual(reason, unreadable("MoneyDeposited", "it is not valid JSON"))
  }, Effect.provide(stores))
)

/** Accounts whose `evolve` is as the test wants it. */
const startWith = (evolve: object) =>
  start(Accounts, Accounts.toLayer({ ...behavior, evolve: untyped<typeof behavior.evolve>(evolve) })).pipe(
    Effect.provide(Supervisor.layerYes)
  )

it.effect(
  "names the event that `evolve` throws on",
  Effect.fnUntraced(function*() {
    yield* foreign("a", deposited(1), withdrawn(1))
    const MoneyWithdrawn = () => {
      throw new Error("a bug")
    }
    const accounts = yield* startWith({ ...behavior.evolve, MoneyWithdrawn })
    const reason = unreadable("MoneyWithdrawn", "evolve threw: a bug")
    assert.deepStrictEqual(yield* reasonOf(accounts.of("a").deposit({ cents: 1 })), reason)
  }, Effect.provide(stores))
)

it.effect(
  "names the stored event that `evolve` has no case for",
  Effect.fnUntraced(function*() {
    yield* foreign("a", deposited(1), withdrawn(1))
    const accounts = yield* startWith({ MoneyDeposited: behavior.evolve.MoneyDeposited })
    const reason = new HandlerMissing({ ...names, name: "MoneyWithdrawn" })
    assert.deepStrictEqual(yield* reasonOf(accounts.of("a").deposit({ cents: 1 })), reason)
  }, Effect.provide(stores))
)

it.effect(
  "tells all who wait at once when loading fails",
  Effect.fnUntraced(function*() {
    const { next } = yield* FaultyStore.FaultyStore
    const gate = yield* FaultyStore.gate
    yield* writeAround({ type: "MoneyBurnt" })
    const accounts = yield* startAccounts()
    yield* next("readStream", gate.before)
    const callers = yield* Effect.replicateEffect(fork(tagOf(accounts.of("a").deposit({ cents: 1 }))), 5)
    yield* gate.open
    assert.deepStrictEqual(yield* answersOf(callers), Array.from({ length: 5 }, () => "HandlerMissing" as const))
  }, Effect.provide(stores))
)

it.effect(
  "leaves other aggregates alone",
  Effect.fnUntraced(function*() {
    yield* writeAround({ type: "MoneyBurnt" })
    const accounts = yield* startAccounts()
    yield* reasonOf(accounts.of("a").deposit({ cents: 1 }))
    assert.deepStrictEqual(yield* accounts.of("b").deposit({ cents: 5 }), { balanceCents: 5 })
    assert.deepStrictEqual(yield* accounts.of("a", { tenant: "t" }).deposit({ cents: 6 }), { balanceCents: 6 })
  }, Effect.provide(stores))
)

it.effect(
  "does not load a damaged stream again before its pause is over",
  Effect.fnUntraced(function*() {
    const { calls } = yield* FaultyStore.FaultyStore
    yield* writeAround({ type: "MoneyBurnt" })
    const accounts = yield* startAccounts()
    yield* reasonOf(accounts.of("a").touch())
    assert.strictEqual(yield* calls("readStream"), 1)
    yield* TestClock.adjust(79)
    yield* reasonOf(accounts.of("a").touch())
    assert.strictEqual(yield* calls("readStream"), 1)
    yield* TestClock.adjust(41)
    yield* reasonOf(accounts.of("a").touch())
    assert.strictEqual(yield* calls("readStream"), 2)
  }, Effect.provide(stores))
)

it.effect(
  "pauses 100, 200, 400 ms …, at most 30 s, give or take 20 %",
  Effect.fnUntraced(function*() {
    const { calls } = yield* FaultyStore.FaultyStore
    yield* writeAround({ type: "MoneyBurnt" })
    const accounts = yield* startAccounts()
    yield* reasonOf(accounts.of("a").touch())
    const pauses: Array<number> = []
    let millis = 0
    while (pauses.length < 12) {
      const before = yield* calls("readStream")
      yield* TestClock.adjust(10)
      millis += 10
      yield* reasonOf(accounts.of("a").touch())
      if ((yield* calls("readStream")) === before) continue
      pauses.push(millis)
      millis = 0
    }
    for (const [attempt, pause] of pauses.entries()) {
      const expected = Math.min(100 * 2 ** attempt, 30_000)
      assert.isTrue(pause >= expected * 0.8 && pause <= expected * 1.2 + 10, `pause ${attempt}: ${pause} ms`)
    }
    assert.isAtLeast(new Set(pauses.slice(-3)).size, 2, "the pauses are jittered")
  }, Effect.provide(stores))
)

it.effect(
  "goes on when the damage is gone",
  Effect.fnUntraced(function*() {
    const { heal } = yield* FaultyStore.FaultyStore
    const accounts = yield* shown((page) => ({ ...page, events: page.events.map((event) => ({ ...event, id: "b" })) }))
    yield* reasonOf(accounts.of("a").touch())
    yield* heal
    assert.strictEqual(yield* tagOf(accounts.of("a").touch()), "StreamMismatch")
    yield* TestClock.adjust(120)
    assert.deepStrictEqual(yield* accounts.of("a").deposit({ cents: 8 }), { balanceCents: 15 })
    assert.deepStrictEqual(yield* moved("a"), [1, 2, 4, 8])
  }, Effect.provide(stores))
)

it.effect(
  "begins with a short pause again after a time in health",
  Effect.fnUntraced(function*() {
    const { calls, damage, heal } = yield* FaultyStore.FaultyStore
    const alter = (page: StreamPage) => ({ ...page, events: page.events.map((event) => ({ ...event, id: "b" })) })
    const accounts = yield* shown(alter)
    for (let attempt = 0; attempt < 4; attempt++) {
      yield* reasonOf(accounts.of("a").touch())
      yield* TestClock.adjust("10 seconds")
    }
    yield* heal
    yield* accounts.of("a").touch()
    yield* foreign("a", deposited(8))
    yield* damage(alter)
    yield* reasonOf(accounts.of("a").deposit({ cents: 1 }))
    const before = yield* calls("readStream")
    yield* TestClock.adjust(121)
    yield* reasonOf(accounts.of("a").deposit({ cents: 1 }))
    assert.isAbove(yield* calls("readStream"), before)
  }, Effect.provide(stores))
)

it.effect(
  "does not pause after the store was out of reach",
  Effect.fnUntraced(function*() {
    const { next } = yield* FaultyStore.FaultyStore
    const accounts = yield* startAccounts()
    yield* next("readStream", FaultyStore.unavailable)
    assert.strictEqual(yield* tagOf(accounts.of("a").touch()), "StoreUnavailable")
    assert.deepStrictEqual(yield* accounts.of("a").deposit({ cents: 1 }), { balanceCents: 1 })
  }, Effect.provide(stores))
)

it.effect(
  "keeps the state that it has when the store is out of reach, and reads on from there",
  Effect.fnUntraced(function*() {
    const { always, heal, next } = yield* FaultyStore.FaultyStore
    yield* foreign("a", deposited(1), deposited(2))
    const accounts = yield* startAccounts()
    yield* accounts.of("a").touch()
    yield* foreign("a", deposited(4))
    yield* next("readStream", FaultyStore.unavailable)
    assert.strictEqual(yield* tagOf(accounts.of("a").deposit({ cents: 8 })), "StoreUnavailable")
    const ranges: Array<unknown> = []
    yield* always("readStream", (call) => call, ({ args: [, range] }) => ranges.push(range) > 0)
    assert.deepStrictEqual(yield* accounts.of("a").deposit({ cents: 8 }), { balanceCents: 15 })
    assert.deepStrictEqual(ranges, [{ after: 2 }])
    yield* heal
  }, Effect.provide(stores))
)
