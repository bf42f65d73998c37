/** Snapshots: they spare the replay of long streams, never hold a command up, and are discarded at the least doubt. */
import { assert, it } from "@effect/vitest"
import { Effect } from "effect"
import * as Aggregate from "../../src/Aggregate.ts"
import type { Settings } from "../../src/AggregateHost.ts"
import { sha256 } from "../../src/internal/fingerprint.ts"
import type { Snapshot } from "../../src/SnapshotStore.ts"
import { FaultySnapshotStore } from "../../src/testing/FaultySnapshotStore.ts"
import * as FaultyStore from "../../src/testing/FaultyStore.ts"
import { AccountEvent, Accounts, behavior, Supervisor } from "../fixtures/Account.ts"
import {
  accountStream,
  deposited,
  foreign,
  metric,
  moved,
  reasonOf,
  start,
  startAccounts,
  stores
} from "../fixtures/Runtimes.ts"

const discarded = metric("varve_snapshots_discarded_total")

/** Lets what goes on beside the commands come to its end. */
const settle = Effect.replicateEffect(Effect.yieldNow, 20, { discard: true })

const kept = (id: string) =>
  Effect.gen(function*() {
    yield* settle
    const { inner } = yield* FaultySnapshotStore
    return (yield* inner.load(accountStream(id))).snapshot
  })

const deposit = (accounts: Accounts["Service"], count: number) =>
  Effect.replicateEffect(accounts.of("a").deposit({ cents: 1 }), count, { discard: true })

/** Accounts whose `touch` deposits so many cents at once. */
const startBatching = (cents: number, settings: Settings) => {
  const touch = () => Aggregate.decide(Array.from({ length: cents }, () => deposited(1)))
  return start(Accounts, Accounts.toLayer({ ...behavior, handlers: { ...behavior.handlers, touch } }, settings)).pipe(
    Effect.provide(Supervisor.layerYes)
  )
}

it.effect(
  "keeps a snapshot of each multiple of `snapshotEvery`",
  Effect.fnUntraced(function*() {
    const accounts = yield* startAccounts({ snapshotEvery: 3 })
    const versions: Array<number | undefined> = []
    for (let version = 1; version <= 7; version++) {
      yield* deposit(accounts, 1)
      versions.push((yield* kept("a"))?.version)
    }
    assert.deepStrictEqual(versions, [undefined, undefined, 3, 3, 3, 6, 6])
  }, Effect.provide(stores))
)

it.effect(
  "W15: keeps a snapshot also when a commit crosses a multiple without meeting it",
  Effect.fnUntraced(function*() {
    const accounts = yield* startBatching(2, { snapshotEvery: 3 })
    yield* accounts.of("a").touch()
    assert.isUndefined(yield* kept("a"))
    yield* accounts.of("a").touch()
    assert.strictEqual((yield* kept("a"))?.version, 4)
  }, Effect.provide(stores))
)

it.effect(
  "keeps the state of its version, and no snapshot at all unless told to",
  Effect.fnUntraced(function*() {
    const accounts = yield* startAccounts({ snapshotEvery: 2 })
    yield* deposit(accounts, 2)
    assert.deepStrictEqual(JSON.parse((yield* kept("a"))!.state), { balanceCents: 2 })
    const { calls } = yield* FaultySnapshotStore
    const before = yield* calls()
    const without = yield* startAccounts()
    for (let cents = 1; cents <= 20; cents++) yield* without.of("b").deposit({ cents })
    assert.strictEqual(yield* calls(), before)
  }, Effect.provide(stores))
)

it.effect(
  "has at most one save in flight, and saves what became due meanwhile as one",
  Effect.fnUntraced(function*() {
    const { calls, next } = yield* FaultySnapshotStore
    const gate = yield* FaultyStore.gate
    yield* next("save", gate.before)
    const accounts = yield* startAccounts({ snapshotEvery: 1 })
    yield* deposit(accounts, 1)
    yield* gate.arrived
    yield* deposit(accounts, 5)
    yield* settle
    assert.strictEqual(yield* calls("save"), 1)
    yield* gate.open
    assert.strictEqual((yield* kept("a"))?.version, 6)
    assert.strictEqual(yield* calls("save"), 2)
  }, Effect.provide(stores))
)

it.effect(
  "does not hold a command up while it saves, nor another aggregate",
  Effect.fnUntraced(function*() {
    const { always } = yield* FaultySnapshotStore
    const gate = yield* FaultyStore.gate
    yield* always("save", gate.before)
    const accounts = yield* startAccounts({ snapshotEvery: 1 })
    yield* deposit(accounts, 10)
    yield* accounts.of("b").deposit({ cents: 1 })
    assert.lengthOf(yield* moved("a"), 10)
    yield* gate.open
  }, Effect.provide(stores))
)

it.effect(
  "replaces an older snapshot only",
  Effect.fnUntraced(function*() {
    const { next } = yield* FaultySnapshotStore
    const gate = yield* FaultyStore.gate
    const slow = yield* startAccounts({ snapshotEvery: 1 })
    yield* next("save", gate.before)
    yield* deposit(slow, 1)
    yield* gate.arrived
    const quick = yield* startAccounts({ snapshotEvery: 1 })
    yield* deposit(quick, 3)
    assert.strictEqual((yield* kept("a"))?.version, 4)
    yield* gate.open
    assert.strictEqual((yield* kept("a"))?.version, 4)
  }, Effect.provide(stores))
)

it.effect(
  "reads a long stream from its snapshot on, in one round trip",
  Effect.fnUntraced(function*() {
    yield* Effect.scoped(Effect.gen(function*() {
      const accounts = yield* startAccounts({ snapshotEvery: 100 })
      yield* deposit(accounts, 100)
      yield* settle
      yield* deposit(accounts, 50)
    }))
    let evolved = 0
    const evolve = {
      ...behavior.evolve,
      MoneyDeposited: (state: { balanceCents: number }, event: ReturnType<typeof deposited>) => {
        evolved++
        return behavior.evolve.MoneyDeposited(state, event)
      }
    }
    const accounts = yield* start(Accounts, Accounts.toLayer({ ...behavior, evolve }, { snapshotEvery: 100 })).pipe(
      Effect.provide(Supervisor.layerYes)
    )
    const store = yield* FaultyStore.FaultyStore
    const snapshots = yield* FaultySnapshotStore
    const before = [yield* store.calls("readStream"), yield* snapshots.calls("load")] as const
    assert.deepStrictEqual(yield* accounts.state("a"), { balanceCents: 150 })
    assert.strictEqual(evolved, 50)
    assert.deepStrictEqual([yield* store.calls("readStream"), yield* snapshots.calls("load")], [
      before[0],
      before[1] + 1
    ])
  }, Effect.provide(stores))
)

it.effect(
  "I15: discards none in health, whatever comes and goes",
  Effect.fnUntraced(function*() {
    for (let restart = 1; restart <= 5; restart++) {
      yield* Effect.scoped(Effect.gen(function*() {
        const accounts = yield* startAccounts({ drainDeadline: "1 second", snapshotEvery: 3 })
        yield* foreign("a", deposited(1), deposited(1))
        yield* deposit(accounts, 5)
        assert.deepStrictEqual(yield* accounts.state("a"), { balanceCents: 7 * restart })
      }))
    }
    assert.strictEqual(yield* discarded, 0)
  }, Effect.provide(stores))
)

const doubts: ReadonlyArray<readonly [string, (snapshot: Snapshot) => Snapshot]> = [
  ["that other code has folded", (snapshot) => ({ ...snapshot, fingerprint: sha256("other") })],
  ["whose checksum is wrong (W15)", (snapshot) => ({ ...snapshot, state: "{\"balanceCents\":999}" })],
  ["that is newer than its stream", (snapshot) => ({ ...snapshot, version: 9 })],
  ["that is no JSON", (snapshot) => ({ ...snapshot, state: "{", checksum: sha256("{") })],
  [
    "that does not decode",
    (snapshot) => ({ ...snapshot, state: "{\"balanceCents\":\"1\"}", checksum: sha256("{\"balanceCents\":\"1\"}") })
  ]
]

/** A stream of eight events with a snapshot of version 6, made doubtful. */
const plant = (spoil: (snapshot: Snapshot) => Snapshot) =>
  Effect.gen(function*() {
    const { inner } = yield* FaultySnapshotStore
    yield* Effect.scoped(Effect.gen(function*() {
      const accounts = yield* startAccounts({ snapshotEvery: 6 })
      yield* deposit(accounts, 6)
      yield* settle
      yield* deposit(accounts, 2)
    }))
    const snapshot = (yield* kept("a"))!
    assert.strictEqual(snapshot.version, 6)
    yield* inner.discard(accountStream("a"), 6)
    yield* inner.save(accountStream("a"), spoil(snapshot))
  })

for (const [what, spoil] of doubts) {
  it.effect(
    `I15: discards and counts a snapshot ${what}, and replays in full`,
    Effect.fnUntraced(function*() {
      yield* plant(spoil)
      const accounts = yield* startAccounts({ snapshotEvery: 6 })
      assert.deepStrictEqual(yield* accounts.state("a"), { balanceCents: 8 })
      assert.strictEqual(yield* discarded, 1)
      assert.isUndefined(yield* kept("a"))
      yield* deposit(accounts, 4)
      assert.strictEqual((yield* kept("a"))?.version, 12)
      assert.strictEqual(yield* discarded, 1)
    }, Effect.provide(stores))
  )

  it.effect(
    `I15: carries a command out though the store cannot discard a snapshot ${what}`,
    Effect.fnUntraced(function*() {
      yield* plant(spoil)
      yield* (yield* FaultySnapshotStore).always("discard", FaultyStore.unavailable)
      const accounts = yield* startAccounts({ snapshotEvery: 6 })
      assert.deepStrictEqual(yield* accounts.of("a").deposit({ cents: 1 }), { balanceCents: 9 })
    }, Effect.provide(stores))
  )
}

/** The same accounts in a later build, whose states mean something else. */
class LaterAccounts extends Aggregate.Service<LaterAccounts>()("Account", {
  state: Accounts.definition.state,
  events: AccountEvent,
  commands: [],
  stateVersion: 2
}) {}

it.effect(
  "I15: trusts no snapshot of another `stateVersion`",
  Effect.fnUntraced(function*() {
    yield* plant((snapshot) => snapshot)
    const evolve = { MoneyDeposited: () => "doubled", MoneyWithdrawn: () => "never" }
    const live = LaterAccounts.toLayer({ initial: undefined, evolve, handlers: {} }, { snapshotEvery: 6 })
    const accounts = yield* start(LaterAccounts, live)
    assert.strictEqual(yield* accounts.state("a"), "doubled")
    assert.strictEqual(yield* discarded, 1)
  }, Effect.provide(stores))
)

it.effect.each(
  [["is out of reach", FaultyStore.unavailable], ["dies", FaultyStore.diesAfter(new Error("a bug"))]] as const
)(
  "carries commands out though the snapshot store %s when it shall save",
  ([, fault]) =>
    Effect.gen(function*() {
      const { always, calls, heal } = yield* FaultySnapshotStore
      yield* always("save", fault)
      const accounts = yield* startAccounts({ snapshotEvery: 1 })
      yield* deposit(accounts, 3)
      yield* settle
      assert.lengthOf(yield* moved("a"), 3)
      assert.isAtLeast(yield* calls("save"), 1)
      yield* heal
      yield* deposit(accounts, 1)
      assert.strictEqual((yield* kept("a"))?.version, 4)
    }).pipe(Effect.provide(stores))
)

it.effect(
  "says StoreUnavailable when the snapshot cannot be read, and goes on later",
  Effect.fnUntraced(function*() {
    const { next } = yield* FaultySnapshotStore
    yield* next("load", FaultyStore.unavailable)
    const accounts = yield* startAccounts({ snapshotEvery: 1 })
    assert.strictEqual((yield* reasonOf(accounts.of("a").deposit({ cents: 1 })))._tag, "StoreUnavailable")
    assert.deepStrictEqual(yield* accounts.of("a").deposit({ cents: 1 }), { balanceCents: 1 })
  }, Effect.provide(stores))
)

it.effect(
  "reads an earlier state from a snapshot at or below it only",
  Effect.fnUntraced(function*() {
    yield* plant((snapshot) => snapshot)
    const accounts = yield* startAccounts({ snapshotEvery: 6 })
    for (let version = 0; version <= 8; version++) {
      const at = yield* accounts.stateAt("a", { version })
      assert.deepStrictEqual(at, { state: { balanceCents: version }, version, settled: true })
    }
    for (const version of [9, 1_000]) {
      assert.strictEqual((yield* reasonOf(accounts.stateAt("a", { version })))._tag, "ReadPastEnd")
    }
    assert.strictEqual(yield* discarded, 0)
  }, Effect.provide(stores))
)

it.effect(
  "reads an earlier state of a stream that is longer than a page",
  Effect.fnUntraced(function*() {
    const accounts = yield* startBatching(900, { snapshotEvery: 1_000 })
    yield* Effect.replicateEffect(accounts.of("a").touch(), 5)
    yield* settle
    for (const version of [1, 1_800, 1_801, 2_999, 3_700, 4_499, 4_500]) {
      assert.deepStrictEqual((yield* accounts.stateAt("a", { version })).state, { balanceCents: version })
    }
    assert.strictEqual((yield* reasonOf(accounts.stateAt("a", { version: 4_501 })))._tag, "ReadPastEnd")
  }, Effect.provide(stores))
)
