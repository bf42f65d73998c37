/** Every outcome passes the store: what was decided on a state that is no longer true is decided again. */
import { assert, it } from "@effect/vitest"
import { Effect } from "effect"
import { decide } from "../../src/Aggregate.ts"
import { VersionConflict } from "../../src/AggregateHost.ts"
import * as FaultyStore from "../../src/testing/FaultyStore.ts"
import { Accounts, behavior, InsufficientFunds, Supervisor } from "../fixtures/Account.ts"
import {
  deposited,
  foreign,
  moved,
  reasonOf,
  sharedStores,
  start,
  startAccounts,
  stores,
  withdrawn
} from "../fixtures/Runtimes.ts"

/** Accounts whose `touch` counts how often it is decided. */
const startCounting = Effect.fnUntraced(function*(settings?: { readonly redecisions: number }) {
  const counted = { decisions: 0 }
  const live = Accounts.toLayer({
    ...behavior,
    handlers: {
      ...behavior.handlers,
      touch: () => {
        counted.decisions++
        return decide([])
      },
      deposit: (given) => {
        counted.decisions++
        return behavior.handlers.deposit(given)
      }
    }
  }, settings)
  const accounts = yield* start(Accounts, live).pipe(Effect.provide(Supervisor.layerYes))
  return { accounts, counted }
})

for (const [name, layer] of [["that owns its log", stores], ["that others write to", sharedStores]] as const) {
  it.effect(
    `I3: decides events again on what another writer left, in a store ${name}`,
    Effect.fnUntraced(function*() {
      const accounts = yield* startAccounts()
      yield* accounts.of("a").deposit({ cents: 5 })
      yield* foreign("a", deposited(100))
      assert.deepStrictEqual(yield* accounts.of("a", { returning: "commit" }).deposit({ cents: 1 }), {
        reply: { balanceCents: 106 },
        version: 3,
        position: 3n,
        duplicate: false
      })
    }, Effect.provide(layer))
  )

  it.effect(
    `I4: decides a "no" again on what another writer left, in a store ${name}`,
    Effect.fnUntraced(function*() {
      const accounts = yield* startAccounts()
      yield* accounts.of("a").deposit({ cents: 5 })
      yield* foreign("a", deposited(100))
      assert.strictEqual(yield* accounts.of("a").withdraw({ cents: 50 }), 55)
    }, Effect.provide(layer))
  )

  it.effect(
    `decides the "no" of an Effect again too, in a store ${name}`,
    Effect.fnUntraced(function*() {
      const accounts = yield* startAccounts()
      yield* accounts.of("a").deposit({ cents: 5 })
      yield* foreign("a", deposited(100))
      yield* accounts.of("a").withdrawApproved({ cents: 50 })
      assert.deepStrictEqual(yield* moved("a"), [5, 100, -50])
    }, Effect.provide(layer))
  )

  it.effect(
    `says "no" for the balance that another writer left, in a store ${name}`,
    Effect.fnUntraced(function*() {
      const accounts = yield* startAccounts()
      yield* accounts.of("a").deposit({ cents: 5 })
      yield* foreign("a", withdrawn(4))
      const error = yield* Effect.flip(accounts.of("a").withdraw({ cents: 2 }))
      assert.deepStrictEqual(error, new InsufficientFunds({ balanceCents: 1, requestedCents: 2 }))
    }, Effect.provide(layer))
  )

  it.effect(
    `decides an empty decision again on what another writer left, in a store ${name}`,
    Effect.fnUntraced(function*() {
      const { accounts, counted } = yield* startCounting()
      yield* accounts.of("a").touch()
      yield* foreign("a", deposited(100))
      counted.decisions = 0
      const { version } = yield* accounts.of("a", { returning: "commit" }).touch()
      assert.strictEqual(version, 1)
      assert.strictEqual(counted.decisions, 2)
    }, Effect.provide(layer))
  )

  it.effect(
    `I4: shows a validated state as another writer left it, in a store ${name}`,
    Effect.fnUntraced(function*() {
      const accounts = yield* startAccounts()
      yield* accounts.of("a").deposit({ cents: 5 })
      yield* foreign("a", deposited(100))
      assert.deepStrictEqual(yield* accounts.state("a", { consistency: "resident" }), { balanceCents: 5 })
      assert.deepStrictEqual(yield* accounts.state("a"), { balanceCents: 105 })
      assert.deepStrictEqual(yield* accounts.state("a", { consistency: "resident" }), { balanceCents: 105 })
    }, Effect.provide(layer))
  )
}

it.effect(
  "asks a store that owns its log nothing for a rejection, an empty decision or a read",
  Effect.fnUntraced(function*() {
    const { calls } = yield* FaultyStore.FaultyStore
    const accounts = yield* startAccounts()
    yield* accounts.of("a").deposit({ cents: 5 })
    const before = yield* calls()
    yield* Effect.flip(accounts.of("a").withdraw({ cents: 6 }))
    yield* Effect.flip(accounts.of("a").withdrawApproved({ cents: 6 }))
    yield* accounts.of("a").touch()
    yield* accounts.state("a")
    assert.strictEqual(yield* calls(), before)
  }, Effect.provide(stores))
)

it.effect(
  "checks each of them with exactly one append in a store that others write to",
  Effect.fnUntraced(function*() {
    const { calls } = yield* FaultyStore.FaultyStore
    const accounts = yield* startAccounts()
    yield* accounts.of("a").deposit({ cents: 5 })
    const asks = [
      Effect.asVoid(Effect.flip(accounts.of("a").withdraw({ cents: 6 }))),
      Effect.asVoid(Effect.flip(accounts.of("a").withdrawApproved({ cents: 6 }))),
      accounts.of("a").touch(),
      Effect.asVoid(accounts.state("a"))
    ]
    for (const ask of asks) {
      const before = [yield* calls("append"), yield* calls()] as const
      yield* Effect.ignore(ask)
      assert.deepStrictEqual([yield* calls("append"), yield* calls()], [before[0] + 1, before[1] + 1])
    }
    assert.deepStrictEqual(yield* moved("a"), [5])
  }, Effect.provide(sharedStores))
)

it.effect(
  "decides up to eleven times, then says who was in the way",
  Effect.fnUntraced(function*() {
    const { always, overtakenBy } = yield* FaultyStore.FaultyStore
    const { accounts, counted } = yield* startCounting()
    yield* always("append", overtakenBy(Accounts.write("a", [deposited(1)])))
    const reason = yield* reasonOf(accounts.of("a").deposit({ cents: 500 }))
    assert.deepStrictEqual(reason, new VersionConflict({ aggregate: "Account", id: "a", expected: 10, actual: 11 }))
    assert.strictEqual(counted.decisions, 11)
    assert.deepStrictEqual(yield* moved("a"), Array.from({ length: 11 }, () => 1))
  }, Effect.provide(stores))
)

it.effect(
  "carries a command out at the eleventh decision",
  Effect.fnUntraced(function*() {
    const { next, overtakenBy } = yield* FaultyStore.FaultyStore
    const { accounts, counted } = yield* startCounting()
    yield* next(
      "append",
      ...Array.from({ length: 10 }, () => overtakenBy(Accounts.write("a", [deposited(1)])))
    )
    assert.deepStrictEqual(yield* accounts.of("a").deposit({ cents: 500 }), { balanceCents: 510 })
    assert.strictEqual(counted.decisions, 11)
  }, Effect.provide(stores))
)

it.effect(
  "decides a \"no\" as often as a \"yes\" before it gives up",
  Effect.fnUntraced(function*() {
    const { always, overtakenBy } = yield* FaultyStore.FaultyStore
    const { accounts, counted } = yield* startCounting()
    yield* always("append", overtakenBy(Accounts.write("a", [deposited(1)])))
    const reason = yield* reasonOf(accounts.of("a").touch())
    assert.deepStrictEqual(reason, new VersionConflict({ aggregate: "Account", id: "a", expected: 10, actual: 11 }))
    assert.strictEqual(counted.decisions, 11)
  }, Effect.provide(sharedStores))
)

it.effect.each([0, 1, 3])(
  "decides no more than `redecisions: %i` times again",
  (redecisions) =>
    Effect.gen(function*() {
      const { always, overtakenBy } = yield* FaultyStore.FaultyStore
      const { accounts, counted } = yield* startCounting({ redecisions })
      yield* always("append", overtakenBy(Accounts.write("a", [deposited(1)])))
      const reason = yield* reasonOf(accounts.of("a").deposit({ cents: 500 }))
      assert.strictEqual(reason._tag, "VersionConflict")
      assert.strictEqual(counted.decisions, redecisions + 1)
    }).pipe(Effect.provide(stores))
)

it.effect(
  "goes on deciding on the new state after it has given a command up",
  Effect.fnUntraced(function*() {
    const { next, overtakenBy } = yield* FaultyStore.FaultyStore
    const { accounts } = yield* startCounting({ redecisions: 0 })
    yield* next("append", overtakenBy(Accounts.write("a", [deposited(1)])))
    yield* reasonOf(accounts.of("a").deposit({ cents: 500 }))
    assert.deepStrictEqual(yield* accounts.of("a").deposit({ cents: 10 }), { balanceCents: 11 })
  }, Effect.provide(stores))
)

it.effect(
  "carries a command with `ifVersion` out at exactly that version",
  Effect.fnUntraced(function*() {
    const accounts = yield* startAccounts()
    yield* accounts.of("a", { ifVersion: 0 }).deposit({ cents: 5 })
    for (const ifVersion of [0, 2]) {
      const reason = yield* reasonOf(accounts.of("a", { ifVersion }).deposit({ cents: 1 }))
      assert.deepStrictEqual(
        reason,
        new VersionConflict({ aggregate: "Account", id: "a", expected: ifVersion, actual: 1 })
      )
    }
    yield* accounts.of("a", { ifVersion: 1 }).deposit({ cents: 7 })
    assert.deepStrictEqual(yield* moved("a"), [5, 7])
  }, Effect.provide(stores))
)

it.effect(
  "holds `ifVersion` against the stream, not against what it last saw of it",
  Effect.fnUntraced(function*() {
    const accounts = yield* startAccounts()
    yield* accounts.of("a").deposit({ cents: 5 })
    yield* foreign("a", deposited(100))
    const reason = yield* reasonOf(accounts.of("a", { ifVersion: 1 }).deposit({ cents: 1 }))
    assert.deepStrictEqual(reason, new VersionConflict({ aggregate: "Account", id: "a", expected: 1, actual: 2 }))
    yield* foreign("a", deposited(1_000))
    yield* accounts.of("a", { ifVersion: 3 }).deposit({ cents: 7 })
    assert.deepStrictEqual(yield* moved("a"), [5, 100, 1_000, 7])
  }, Effect.provide(sharedStores))
)

it.effect(
  "holds `ifVersion` against the stream for a \"no\" and for an empty decision too",
  Effect.fnUntraced(function*() {
    const accounts = yield* startAccounts()
    yield* accounts.of("a").deposit({ cents: 5 })
    yield* foreign("a", deposited(1))
    assert.strictEqual(
      (yield* reasonOf(accounts.of("a", { ifVersion: 1 }).withdraw({ cents: 50 })))._tag,
      "VersionConflict"
    )
    yield* foreign("a", deposited(1))
    assert.strictEqual((yield* reasonOf(accounts.of("a", { ifVersion: 2 }).touch()))._tag, "VersionConflict")
  }, Effect.provide(sharedStores))
)

it.effect(
  "does not ask the handler when `ifVersion` is not met",
  Effect.fnUntraced(function*() {
    const { accounts, counted } = yield* startCounting()
    yield* foreign("a", deposited(1))
    yield* reasonOf(accounts.of("a", { ifVersion: 0 }).touch())
    assert.strictEqual(counted.decisions, 0)
  }, Effect.provide(stores))
)
