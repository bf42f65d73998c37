/** Reads: the state now and then, the history, whether there is any. */
import { assert, it } from "@effect/vitest"
import { Effect, Stream } from "effect"
import { TestClock } from "effect/testing"
import { ReadPastEnd } from "../../src/AggregateHost.ts"
import type { HistoryRange } from "../../src/AggregateHost.ts"
import * as FaultyStore from "../../src/testing/FaultyStore.ts"
import type { Accounts } from "../fixtures/Account.ts"
import {
  answerOf,
  deposited,
  foreign,
  fork,
  reasonOf,
  sharedStores,
  startAccounts,
  stores,
  tagOf,
  withdrawn
} from "../fixtures/Runtimes.ts"

it.effect(
  "shows the initial state of what nobody has ever written to, and remembers nothing of it",
  Effect.fnUntraced(function*() {
    const accounts = yield* startAccounts()
    assert.deepStrictEqual(yield* accounts.state("a"), { balanceCents: 0 })
    assert.deepStrictEqual(yield* accounts.state("a", { consistency: "resident" }), { balanceCents: 0 })
    assert.deepStrictEqual(yield* accounts.stateAt("a", { version: 0 }), {
      state: { balanceCents: 0 },
      version: 0,
      settled: true
    })
    assert.isFalse(yield* accounts.exists("a"))
    assert.deepStrictEqual(yield* Stream.runCollect(accounts.history("a")), [])
    const { inner } = yield* FaultyStore.FaultyStore
    assert.deepStrictEqual(yield* inner.streams({ category: "Account" }), [])
  }, Effect.provide(stores))
)

it.effect(
  "I4: shows a validated state that was true between the question and the answer",
  Effect.fnUntraced(function*() {
    const { inner, next } = yield* FaultyStore.FaultyStore
    const accounts = yield* startAccounts()
    yield* accounts.of("a").deposit({ cents: 5 })
    const gate = yield* FaultyStore.gate
    yield* next("append", gate.before)
    const reader = yield* fork(accounts.state("a"))
    yield* gate.arrived
    yield* foreign("a", deposited(100))
    yield* gate.open
    assert.deepStrictEqual(yield* answerOf(reader), { balanceCents: 105 })
    assert.strictEqual(yield* inner.head, 2n)
  }, Effect.provide(sharedStores))
)

it.effect(
  "shows a resident state at once, as it was last seen, and loads it where nothing was seen",
  Effect.fnUntraced(function*() {
    const { calls } = yield* FaultyStore.FaultyStore
    yield* foreign("a", deposited(5))
    const accounts = yield* startAccounts()
    const resident = accounts.state("a", { consistency: "resident" })
    assert.deepStrictEqual(yield* resident, { balanceCents: 5 })
    yield* foreign("a", deposited(100))
    const before = yield* calls()
    assert.deepStrictEqual(yield* resident, { balanceCents: 5 })
    assert.strictEqual(yield* calls(), before)
  }, Effect.provide(sharedStores))
)

it.effect(
  "shows a resident state while a command hangs",
  Effect.fnUntraced(function*() {
    const { next } = yield* FaultyStore.FaultyStore
    const gate = yield* FaultyStore.gate
    const accounts = yield* startAccounts()
    yield* accounts.of("a").deposit({ cents: 5 })
    yield* next("append", gate.before)
    yield* fork(accounts.of("a").deposit({ cents: 1 }))
    assert.deepStrictEqual(yield* accounts.state("a", { consistency: "resident" }), { balanceCents: 5 })
    yield* gate.open
  }, Effect.provide(stores))
)

it.effect(
  "says whether there is anything, after the first event and for each tenant",
  Effect.fnUntraced(function*() {
    const accounts = yield* startAccounts()
    yield* accounts.of("a", { commandId: "c" }).touch()
    assert.isFalse(yield* accounts.exists("a"))
    yield* accounts.of("a").deposit({ cents: 5 })
    assert.isTrue(yield* accounts.exists("a"))
    assert.isFalse(yield* accounts.exists("a", { tenant: "t" }))
  }, Effect.provide(stores))
)

it.effect(
  "shows the state after each count of events, and says where the stream ends",
  Effect.fnUntraced(function*() {
    yield* foreign("a", deposited(5), deposited(7), withdrawn(1))
    const accounts = yield* startAccounts()
    for (const [version, balanceCents] of [0, 5, 12, 11].entries()) {
      const expected = { state: { balanceCents }, version, settled: true }
      assert.deepStrictEqual(yield* accounts.stateAt("a", { version }), expected)
    }
    const past = new ReadPastEnd({ aggregate: "Account", id: "a", version: 4, actual: 3 })
    assert.deepStrictEqual(yield* reasonOf(accounts.stateAt("a", { version: 4 })), past)
  }, Effect.provide(stores))
)

it.effect(
  "refuses what is no count of events",
  Effect.fnUntraced(function*() {
    const accounts = yield* startAccounts()
    for (const version of [-1, 0.5, NaN, Infinity, 2 ** 53]) {
      assert.strictEqual(yield* tagOf(accounts.stateAt("a", { version })), "InputInvalid")
      assert.strictEqual(yield* tagOf(Stream.runDrain(accounts.history("a", { after: version }))), "InputInvalid")
      assert.strictEqual(yield* tagOf(Stream.runDrain(accounts.history("a", { to: version }))), "InputInvalid")
      assert.strictEqual(yield* tagOf(accounts.of("a", { ifVersion: version }).touch()), "InputInvalid")
    }
    assert.strictEqual(yield* tagOf(accounts.stateAt("a", { time: new Date(NaN) })), "InputInvalid")
  }, Effect.provide(stores))
)

/** Events at 10 s (two), 20 s, and 30 s (three, one after the other). */
const writeInTime = Effect.gen(function*() {
  yield* TestClock.adjust("10 seconds")
  yield* foreign("a", deposited(1), deposited(2))
  yield* TestClock.adjust("10 seconds")
  yield* foreign("a", deposited(4))
  yield* TestClock.adjust("10 seconds")
  for (const cents of [8, 16, 32]) yield* foreign("a", deposited(cents))
  yield* TestClock.adjust("10 seconds")
})

const moments = [
  [0, 0, true],
  [9_999, 0, true],
  [10_000, 2, true],
  [10_001, 2, true],
  [19_999, 2, true],
  [20_000, 3, true],
  [29_999, 3, true],
  [30_000, 6, true],
  [39_999, 6, true],
  // At this very millisecond something may still be recorded.
  [40_000, 6, false],
  [50_000, 6, false]
] as const

for (const snapshotEvery of [undefined, 1]) {
  const how = snapshotEvery === undefined ? "" : ", with snapshots"
  it.effect(
    `shows the state at a time, with all that was recorded at that millisecond${how}`,
    Effect.fnUntraced(function*() {
      const accounts = yield* startAccounts({ snapshotEvery })
      yield* writeInTime
      for (const [millis, version, settled] of moments) {
        assert.deepStrictEqual(
          yield* accounts.stateAt("a", { time: new Date(millis) }),
          { state: { balanceCents: 2 ** version - 1 }, version, settled },
          `at ${millis}`
        )
      }
    }, Effect.provide(stores))
  )
}

it.effect(
  "never changes a settled answer",
  Effect.fnUntraced(function*() {
    const accounts = yield* startAccounts()
    yield* writeInTime
    const time = new Date(39_999)
    const before = yield* accounts.stateAt("a", { time })
    yield* foreign("a", deposited(64))
    assert.deepStrictEqual(yield* accounts.stateAt("a", { time }), before)
    const now = new Date(40_000)
    assert.strictEqual((yield* accounts.stateAt("a", { time: now })).version, 7)
  }, Effect.provide(stores))
)

it.effect(
  "finds a time in a stream of several pages",
  Effect.fnUntraced(function*() {
    const accounts = yield* startAccounts()
    for (let page = 0; page < 3; page++) {
      yield* TestClock.adjust("1 second")
      yield* foreign("a", ...Array.from({ length: 1_000 }, () => deposited(1)))
    }
    for (const [millis, version] of [[999, 0], [1_000, 1_000], [2_500, 2_000], [3_000, 3_000]] as const) {
      assert.strictEqual((yield* accounts.stateAt("a", { time: new Date(millis) })).version, version)
    }
  }, Effect.provide(stores))
)

const versionsOf = (accounts: Accounts["Service"], range?: HistoryRange) =>
  Effect.map(Stream.runCollect(accounts.history("a", range)), (events) => events.map(({ version }) => version))

const ranges: ReadonlyArray<readonly [string, HistoryRange | undefined, ReadonlyArray<number>]> = [
  ["all of it", undefined, [1, 2, 3, 4, 5]],
  ["after a version", { after: 3 }, [4, 5]],
  ["up to a version", { to: 2 }, [1, 2]],
  ["between two versions", { after: 1, to: 4 }, [2, 3, 4]],
  ["nothing between a version and itself", { after: 3, to: 3 }, []],
  ["nothing where the range is the wrong way round", { after: 4, to: 2 }, []],
  ["nothing up to zero", { to: 0 }, []],
  ["what there is of a range that goes on beyond the end", { after: 3, to: 99 }, [4, 5]],
  ["nothing beyond the end", { after: 99 }, []],
  ["all of it backwards", { direction: "backwards" }, [5, 4, 3, 2, 1]],
  ["backwards down to a version", { after: 3, direction: "backwards" }, [5, 4]],
  ["backwards from a version", { to: 2, direction: "backwards" }, [2, 1]],
  ["backwards between two versions", { after: 1, to: 4, direction: "backwards" }, [4, 3, 2]],
  ["backwards from beyond the end", { to: 99, direction: "backwards" }, [5, 4, 3, 2, 1]],
  ["nothing backwards beyond the end", { after: 99, direction: "backwards" }, []]
]

for (const [what, range, expected] of ranges) {
  it.effect(
    `shows of a history ${what}`,
    Effect.fnUntraced(function*() {
      yield* foreign("a", ...Array.from({ length: 5 }, (_, index) => deposited(index + 1)))
      assert.deepStrictEqual(yield* versionsOf(yield* startAccounts(), range), [...expected])
    }, Effect.provide(stores))
  )
}

it.effect(
  "W15: shows a history over several pages, both ways, without hole or repeat",
  Effect.fnUntraced(function*() {
    for (let page = 0; page < 5; page++) yield* foreign("a", ...Array.from({ length: 700 }, () => deposited(1)))
    const accounts = yield* startAccounts()
    const all = Array.from({ length: 3_500 }, (_, index) => index + 1)
    assert.deepStrictEqual(yield* versionsOf(accounts), all)
    assert.deepStrictEqual(yield* versionsOf(accounts, { direction: "backwards" }), all.toReversed())
    assert.deepStrictEqual(yield* versionsOf(accounts, { after: 999, to: 3_001 }), all.slice(999, 3_001))
    assert.deepStrictEqual(
      yield* versionsOf(accounts, { after: 999, to: 3_001, direction: "backwards" }),
      all.slice(999, 3_001).toReversed()
    )
  }, Effect.provide(stores))
)

it.effect(
  "reads no more pages of a history than are taken",
  Effect.fnUntraced(function*() {
    const { calls } = yield* FaultyStore.FaultyStore
    for (let page = 0; page < 3; page++) yield* foreign("a", ...Array.from({ length: 1_000 }, () => deposited(1)))
    const accounts = yield* startAccounts()
    const first = yield* Stream.runCollect(Stream.take(accounts.history("a"), 10))
    assert.lengthOf(first, 10)
    assert.strictEqual(yield* calls("readStream"), 1)
  }, Effect.provide(stores))
)

it.effect(
  "shows each event of a history with all that is known of it",
  Effect.fnUntraced(function*() {
    const accounts = yield* startAccounts()
    yield* accounts.of("other").deposit({ cents: 1 })
    yield* TestClock.adjust(1_500)
    yield* accounts.of("a", { commandId: "c", metadata: { user: "ada" } }).deposit({ cents: 5, note: "n" })
    const [event] = yield* Stream.runCollect(accounts.history("a"))
    const { eventId, ...rest } = event!
    assert.match(eventId, /^[0-9a-f]{8}-[0-9a-f]{4}-7[0-9a-f]{3}-[89ab][0-9a-f]{3}-[0-9a-f]{12}$/)
    assert.deepStrictEqual(rest, {
      tenant: "default",
      category: "Account",
      id: "a",
      event: { _tag: "MoneyDeposited", cents: 5, note: "n" },
      version: 1,
      position: 2n,
      type: "MoneyDeposited",
      schemaVersion: 1,
      metadata: { user: "ada", causationId: "c" },
      recordedAt: new Date(1_500)
    })
  }, Effect.provide(stores))
)

it.effect(
  "says StoreUnavailable to whoever reads while the store is out of reach",
  Effect.fnUntraced(function*() {
    const { always } = yield* FaultyStore.FaultyStore
    yield* always("readStream", FaultyStore.unavailable)
    const accounts = yield* startAccounts()
    assert.strictEqual(yield* tagOf(accounts.state("a")), "StoreUnavailable")
    assert.strictEqual(yield* tagOf(accounts.exists("a")), "StoreUnavailable")
    assert.strictEqual(yield* tagOf(accounts.stateAt("a", { version: 1 })), "StoreUnavailable")
    assert.strictEqual(yield* tagOf(accounts.stateAt("a", { time: new Date(0) })), "StoreUnavailable")
    assert.strictEqual(yield* tagOf(Stream.runDrain(accounts.history("a"))), "StoreUnavailable")
  }, Effect.provide(stores))
)
