/** A command's walk when nothing goes wrong: one at a time, on the latest state, with the reply that was decided. */
import { assert, expectTypeOf, it } from "@effect/vitest"
import { Effect, Exit, Layer, Schema } from "effect"
import * as Aggregate from "../../src/Aggregate.ts"
import type { AggregateHost } from "../../src/AggregateHost.ts"
import * as AggregateRuntime from "../../src/AggregateRuntime.ts"
import * as Event from "../../src/Event.ts"
import * as FaultyStore from "../../src/testing/FaultyStore.ts"
import { AccountEvent, Accounts, behavior, InsufficientFunds, NotApproved, Supervisor } from "../fixtures/Account.ts"
import {
  accountStream,
  deposited,
  foreign,
  fork,
  moved,
  sharedStores,
  start,
  startAccounts,
  storedIn,
  stores
} from "../fixtures/Runtimes.ts"

it.effect(
  "answers a command with the reply that its handler decided on",
  Effect.fnUntraced(function*() {
    const accounts = yield* startAccounts()
    assert.deepStrictEqual(yield* accounts.of("a").deposit({ cents: 5 }), { balanceCents: 5 })
    assert.strictEqual(yield* accounts.of("a").withdraw({ cents: 2 }), 3)
    assert.strictEqual(yield* accounts.of("a").touch(), undefined)
  }, Effect.provide(stores))
)

it.effect(
  "tells the version and the position of a commit to those who ask for it",
  Effect.fnUntraced(function*() {
    const accounts = yield* startAccounts()
    yield* accounts.of("other").deposit({ cents: 1 })
    assert.deepStrictEqual(yield* accounts.of("a", { returning: "commit" }).deposit({ cents: 5 }), {
      reply: { balanceCents: 5 },
      version: 1,
      position: 2n,
      duplicate: false
    })
    assert.deepStrictEqual(yield* accounts.of("a", { returning: "commit" }).touch(), {
      reply: undefined,
      version: 1,
      position: undefined,
      duplicate: false
    })
  }, Effect.provide(stores))
)

it.effect(
  "has written the events once the answer is there",
  Effect.fnUntraced(function*() {
    const accounts = yield* startAccounts()
    yield* accounts.of("a").deposit({ cents: 5 })
    yield* accounts.of("a").withdraw({ cents: 2 })
    const events = yield* storedIn(accountStream("a"))
    assert.deepStrictEqual(events.map(({ data, type, version }) => ({ type, version, data })), [
      { type: "MoneyDeposited", version: 1, data: "{\"cents\":5}" },
      { type: "MoneyWithdrawn", version: 2, data: "{\"cents\":2}" }
    ])
  }, Effect.provide(stores))
)

it.effect(
  "fails a rejected command with its own typed error, and writes nothing",
  Effect.fnUntraced(function*() {
    const accounts = yield* startAccounts()
    yield* accounts.of("a").deposit({ cents: 5 })
    const plain = yield* Effect.flip(accounts.of("a").withdraw({ cents: 6 }))
    const effectful = yield* Effect.flip(accounts.of("a").withdrawApproved({ cents: 6 }))
    for (const error of [plain, effectful]) {
      assert.instanceOf(error, InsufficientFunds)
      assert.deepStrictEqual(error, new InsufficientFunds({ balanceCents: 5, requestedCents: 6 }))
    }
    assert.deepStrictEqual(yield* moved("a"), [5])
  }, Effect.provide(stores))
)

it.effect(
  "writes nothing for a decision without events, and answers it all the same",
  Effect.fnUntraced(function*() {
    const accounts = yield* startAccounts()
    assert.strictEqual(yield* accounts.of("a").touch(), undefined)
    assert.isFalse(yield* accounts.exists("a"))
  }, Effect.provide(stores))
)

it.effect(
  "decides each of many concurrent commands on the state that all before it led to",
  Effect.fnUntraced(function*() {
    const accounts = yield* startAccounts()
    yield* accounts.of("a").deposit({ cents: 30 })
    const exits = yield* Effect.forEach(
      Array.from({ length: 50 }),
      () => Effect.exit(accounts.of("a").withdrawApproved({ cents: 1 })),
      { concurrency: "unbounded" }
    )
    assert.lengthOf(exits.filter(Exit.isSuccess), 30)
    assert.deepStrictEqual(yield* accounts.state("a"), { balanceCents: 0 })
  }, Effect.provide(stores))
)

it.effect(
  "brings an aggregate back from the log as it was left",
  Effect.fnUntraced(function*() {
    yield* Effect.scoped(Effect.gen(function*() {
      const accounts = yield* startAccounts()
      yield* accounts.of("a").deposit({ cents: 5 })
      yield* accounts.of("a").withdraw({ cents: 2 })
    }))
    const accounts = yield* startAccounts()
    assert.strictEqual(yield* accounts.of("a").withdraw({ cents: 3 }), 0)
  }, Effect.provide(stores))
)

it.effect(
  "replays a stream that is longer than a page",
  Effect.fnUntraced(function*() {
    for (let page = 0; page < 3; page++) yield* foreign("a", ...Array.from({ length: 900 }, () => deposited(1)))
    const accounts = yield* startAccounts()
    assert.deepStrictEqual(yield* accounts.state("a"), { balanceCents: 2_700 })
  }, Effect.provide(stores))
)

it.effect(
  "lets a client's method be taken off it",
  Effect.fnUntraced(function*() {
    const accounts = yield* startAccounts()
    const { deposit } = accounts.of("a")
    assert.deepStrictEqual(yield* deposit({ cents: 5 }), { balanceCents: 5 })
  }, Effect.provide(stores))
)

it.effect(
  "sends a command anew each time its effect is run",
  Effect.fnUntraced(function*() {
    const accounts = yield* startAccounts()
    const deposit = accounts.of("a").deposit({ cents: 5 })
    yield* deposit
    yield* deposit
    assert.deepStrictEqual(yield* moved("a"), [5, 5])
  }, Effect.provide(stores))
)

it.effect(
  "lets handlers ask the services of their Layer",
  Effect.fnUntraced(function*() {
    const asked: Array<readonly [string, number]> = []
    const approve = (account: string, cents: number) =>
      Effect.sync(() => {
        asked.push([account, cents])
        return cents < 10
      })
    const accounts = yield* start(Accounts, Accounts.toLayer(behavior)).pipe(
      Effect.provideService(Supervisor, { approve })
    )
    yield* accounts.of("a").deposit({ cents: 50 })
    yield* accounts.of("a").withdrawApproved({ cents: 9 })
    const refused = yield* Effect.flip(accounts.of("a").withdrawApproved({ cents: 10 }))
    assert.deepStrictEqual(refused, new NotApproved({ cents: 10 }))
    assert.deepStrictEqual(asked, [["a", 9], ["a", 10]])
  }, Effect.provide(stores))
)

const mistakes = [
  { mailboxCapacity: 0 },
  { mailboxCapacity: 1.5 },
  { snapshotEvery: 0 },
  { snapshotEvery: -1 },
  { redecisions: -1 },
  { redecisions: NaN }
]

const mistakenTimes = [{ maxIdleTime: -1 }, { maxIdleTime: NaN }, { drainDeadline: NaN }, { drainDeadline: -5 }]

it.effect.each(mistakes)("does not start with the setting %o", (settings) =>
  Effect.gen(function*() {
    const exit = yield* Effect.exit(startAccounts(settings))
    assert.isTrue(Exit.hasDies(exit))
    assert.match(String(exit), new RegExp(`${Object.keys(settings)[0]} must be a whole number`))
  }).pipe(Effect.provide(stores)))

it.effect.each(mistakenTimes)("does not start with the time %o", (settings) =>
  Effect.gen(function*() {
    const exit = yield* Effect.exit(startAccounts(settings))
    assert.isTrue(Exit.hasDies(exit))
    assert.match(String(exit), new RegExp(`${Object.keys(settings)[0]} must be a duration of 0 at least`))
  }).pipe(Effect.provide(stores)))

it.effect(
  "does not start the same aggregate twice, nor one that is named like the category of messages",
  Effect.fnUntraced(function*() {
    const twice = Layer.mergeAll(Accounts.toLayer(behavior), Accounts.toLayer(behavior)).pipe(
      Layer.provide([AggregateRuntime.layer, Supervisor.layerYes])
    )
    assert.isTrue(Exit.hasDies(yield* Effect.exit(Layer.build(twice))))
    class Outbox
      extends Aggregate.Service<Outbox>()("outbox", { state: Schema.Void, events: AccountEvent, commands: [] })
    {}
    const evolve = { MoneyDeposited: () => undefined, MoneyWithdrawn: () => undefined }
    const exit = yield* Effect.exit(start(Outbox, Outbox.toLayer({ initial: undefined, evolve, handlers: {} })))
    assert.isTrue(Exit.hasDies(exit))
  }, Effect.provide(stores))
)

it("lists what handlers use among the requirements of their Layer", () => {
  expectTypeOf(Accounts.toLayer(behavior)).toEqualTypeOf<Layer.Layer<Accounts, never, AggregateHost | Supervisor>>()
  const { withdrawApproved: _, ...plain } = behavior.handlers
  const handlers = { ...plain, withdrawApproved: () => Aggregate.decide([]) }
  expectTypeOf(Accounts.toLayer({ ...behavior, handlers })).toEqualTypeOf<Layer.Layer<Accounts, never, AggregateHost>>()
})

it.effect(
  "I3: every winner has seen all events before its own, whichever runtime it went to",
  Effect.fnUntraced(function*() {
    const { always } = yield* FaultyStore.FaultyStore
    // Each append lets the others go first, so that the runtimes overtake each other.
    yield* always("append", FaultyStore.first(Effect.yieldNow))
    const runtimes = [yield* startAccounts(), yield* startAccounts(), yield* startAccounts()]
    yield* runtimes[0]!.of("a").deposit({ cents: 7 })
    const exits = yield* Effect.forEach(
      Array.from({ length: 30 }, (_, index) => runtimes[index % 3]!),
      (accounts) => Effect.exit(accounts.of("a").withdrawApproved({ cents: 1 })),
      { concurrency: "unbounded" }
    )
    assert.lengthOf(exits.filter(Exit.isSuccess), 7)
    assert.deepStrictEqual(yield* moved("a"), [7, -1, -1, -1, -1, -1, -1, -1])
  }, Effect.provide(sharedStores))
)

it.effect(
  "I3: of ten runtimes that decide on the same version at once, exactly one writes it",
  Effect.fnUntraced(function*() {
    const runtimes = yield* Effect.replicateEffect(startAccounts({ redecisions: 0 }), 10)
    for (const accounts of runtimes) yield* accounts.state("a")
    const callers = yield* Effect.forEach(
      runtimes,
      (accounts) => fork(Effect.exit(accounts.of("a").deposit({ cents: 1 })))
    )
    const exits = yield* Effect.forEach(callers, (caller) => Effect.flatten(Effect.sync(() => caller.pollUnsafe()!)))
    assert.lengthOf(exits.filter(Exit.isSuccess), 1)
    assert.deepStrictEqual(yield* moved("a"), [1])
  }, Effect.provide(sharedStores))
)

/** An aggregate whose schemas write less, or read something else, than its handlers give. */
const Ambiguous = Event.union({
  Said: { what: Schema.Union([Schema.Number, Schema.String]) },
  Given: { any: Schema.Any }
})
class Loose extends Aggregate.Service<Loose>()("Loose", {
  state: Schema.Unknown,
  events: Ambiguous,
  commands: [
    Aggregate.command("say", { payload: { what: Schema.Unknown } }),
    Aggregate.command("give", { payload: { any: Schema.Any } }),
    Aggregate.command("answer", {
      payload: { with: Schema.Unknown },
      success: Schema.Union([Schema.Number, Schema.String])
    })
  ]
}) {}
const { Given, Said } = Ambiguous.cases
const LooseLive = Loose.toLayer({
  initial: undefined,
  evolve: { Said: (_, event) => event, Given: (_, event) => event },
  handlers: {
    say: ({ payload }) =>
      Aggregate.decide([Object.assign(Said.make({ what: 1 }), { what: payload.what }, { extra: 1 })]),
    give: ({ payload }) => Aggregate.decide([Given.make(payload)]),
    answer: (given) => Aggregate.decide([], { reply: given.payload.with as string })
  }
})

it.effect.each([1.5, "text", -0, "Infinity", "NaN"])(
  "I2: the state in memory is the one that a replay leads to, whatever a handler gave (%s)",
  (what) =>
    Effect.gen(function*() {
      const loose = yield* start(Loose, LooseLive)
      yield* loose.of("a").say({ what })
      const live = yield* loose.state("a")
      assert.deepStrictEqual(live, (yield* loose.stateAt("a", { version: 1 })).state)
      assert.notProperty(live, "extra")
    }).pipe(Effect.provide(stores))
)

it.effect(
  "writes no event that could not be read again",
  Effect.fnUntraced(function*() {
    const loose = yield* start(Loose, LooseLive)
    yield* loose.of("a").give({ any: 1 })
    for (const any of [undefined, () => 1, Symbol("s")]) {
      const exit = yield* Effect.exit(loose.of("a").give({ any }))
      assert.isTrue(Exit.hasDies(exit))
    }
    yield* loose.of("a").give({ any: 2 })
    const again = yield* start(Loose, LooseLive)
    assert.deepStrictEqual(yield* again.state("a"), { _tag: "Given", any: 2 })
  }, Effect.provide(stores))
)

it.effect(
  "refuses a reply that does not fit its schema, with a command id and without",
  Effect.fnUntraced(function*() {
    const loose = yield* start(Loose, LooseLive)
    for (const options of [{}, { commandId: "c" }]) {
      const exit = yield* Effect.exit(loose.of("a", options).answer({ with: { an: "object" } }))
      assert.isTrue(Exit.hasDies(exit))
    }
  }, Effect.provide(stores))
)

it.effect.each([1, "text", "Infinity", "NaN"])(
  "I5: the first answer is the one that a repeated command gets, also where a schema reads something else (%s)",
  (reply) =>
    Effect.gen(function*() {
      const client = (yield* start(Loose, LooseLive)).of("a", { commandId: "c" })
      assert.deepStrictEqual(yield* client.answer({ with: reply }), yield* client.answer({ with: reply }))
    }).pipe(Effect.provide(stores))
)
