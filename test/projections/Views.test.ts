/**
 * Views in the hands of those who read them: with commands, in tests of their own, across versions and tenants.
 */
import { assert, describe, it } from "@effect/vitest"
import { Context, type Duration, Effect, Fiber, Latch, Layer, Schema, Stream } from "effect"
import { TestClock } from "effect/testing"
import * as AggregateRuntime from "../../src/AggregateRuntime.ts"
import { CheckpointStore } from "../../src/CheckpointStore.ts"
import type { PureCodec } from "../../src/Event.ts"
import { EventStore } from "../../src/EventStore.ts"
import { untyped } from "../../src/internal/types.ts"
import { Lease } from "../../src/Lease.ts"
import * as Memory from "../../src/memory/Memory.ts"
import * as Projection from "../../src/Projection.ts"
import * as ProjectionRunner from "../../src/ProjectionRunner.ts"
import { Projections } from "../../src/Projections.ts"
import { hangs } from "../../src/testing/Faults.ts"
import * as FaultyReadSide from "../../src/testing/FaultyReadSide.ts"
import { unavailable } from "../../src/testing/FaultyStore.ts"
import * as TestRuntime from "../../src/testing/TestRuntime.ts"
import { ViewStore } from "../../src/ViewStore.ts"
import * as Worker from "../../src/Worker.ts"
import { AccountEvent, Accounts, behavior, MoneyDeposited, Supervisor } from "../fixtures/Account.ts"
import { metric, newEvent, tagOf } from "../fixtures/Runtimes.ts"
import { memory } from "./memory.ts"
import { append, caughtUp, eventually, scenario, start } from "./world.ts"

const Balance = Schema.Struct({ cents: Schema.Int, note: Schema.optionalKey(Schema.String) })

class Balances extends Projection.View<Balances>()("balances", {
  version: 2,
  document: Balance,
  indexes: ["cents", "note"],
  was: (
    was
  ) => [
    was({ version: 1, document: Schema.Struct({ euros: Schema.Finite }), up: (old) => ({ cents: old.euros * 100 }) })
  ]
}) {}

const sources: Parameters<typeof Balances.toLayer>[0] = (on) => [
  on(AccountEvent, {
    MoneyDeposited: (balance, { cents, note }) => ({
      cents: (balance?.cents ?? 0) + cents,
      ...note !== undefined && { note }
    }),
    MoneyWithdrawn: (balance, { cents }) => ({ ...balance, cents: (balance?.cents ?? 0) - cents })
  })
]

const BalancesLive = Balances.toLayer(sources, { drainDeadline: 0 })
const AccountsLive = Layer.provide(Accounts.toLayer(behavior, { drainDeadline: 0 }), Supervisor.layerYes)

describe("a view", () => {
  const Live = Worker.layer({ aggregates: [AccountsLive], projections: [BalancesLive] }).pipe(
    Layer.provideMerge(FaultyReadSide.layer),
    Layer.provideMerge(Memory.layer)
  )

  it.effect("shows what a command has done before it is answered, where that is wanted", () =>
    Effect.gen(function*() {
      const accounts = yield* Accounts
      const balances = yield* Balances
      for (let round = 1; round <= 20; round++) {
        yield* accounts.of("a", { consistent: [Balances] }).deposit({ cents: 5 })
        assert.deepStrictEqual(yield* balances.get("a"), { cents: round * 5 })
      }
      // A command that changes nothing has nothing to wait for.
      yield* (yield* Projections).pause("balances")
      yield* accounts.of("a", { consistent: [Balances] }).touch()
      const paused = accounts.of("a", { consistent: [Balances] }).deposit({ cents: 1 })
      assert.strictEqual(yield* tagOf(paused), "ViewsBehind")
      assert.deepStrictEqual(yield* accounts.state("a"), { balanceCents: 101 })
    }).pipe(Effect.provide(Live)))

  it.effect("is waited for no longer than the deadline of the command", () =>
    Effect.gen(function*() {
      const accounts = yield* Accounts
      yield* accounts.of("a", { consistent: [Balances] }).deposit({ cents: 5 })
      yield* (yield* FaultyReadSide.FaultyReadSide).always("checkpoints.advance", hangs)
      const late = yield* Effect.forkChild(
        tagOf(accounts.of("a", { consistent: [Balances], deadline: "2 seconds" }).deposit({ cents: 1 })),
        { startImmediately: true }
      )
      yield* TestClock.adjust("1900 millis")
      assert.isUndefined(late.pollUnsafe())
      yield* TestClock.adjust("200 millis")
      assert.strictEqual(yield* Fiber.join(late), "ViewsBehind")
    }).pipe(Effect.provide(Live)))

  it.effect("I22: is named by what it is: whoever names something else is refused before anything is written", () =>
    Effect.gen(function*() {
      const accounts = yield* Accounts
      for (
        const consistent of ["balances", ["balances"], [Balances, undefined], [{ definition: "balances" }], Balances]
      ) {
        const { reason } = yield* Effect.flip(
          accounts.of("a", { consistent: untyped(consistent) }).deposit({ cents: 1 })
        )
        assert.match(reason.message, /consistent .*a list of projections is expected, like \[OrderSummaries\]/)
      }
      assert.isFalse(yield* accounts.exists("a"))
    }).pipe(Effect.provide(Live)))

  it.effect("whom nobody runs is waited for until the deadline, and then it is said what is missing", () =>
    Effect.gen(function*() {
      const accounts = yield* Accounts
      const late = (deadline: Duration.Input) => {
        const asked = accounts.of("a", { consistent: [Balances], deadline }).deposit({ cents: 1 })
        return Effect.forkChild(Effect.map(Effect.flip(asked), ({ message }) => message), { startImmediately: true })
      }
      const soon = yield* late("100 millis")
      yield* TestClock.adjust("100 millis")
      assert.match(yield* Fiber.join(soon), /the wait took longer than 100ms, and no worker has begun it .* Worker/)
      // What is left of a deadline is no round number.
      const later = yield* late("998.4 millis")
      yield* TestClock.adjust("998 millis")
      assert.isUndefined(later.pollUnsafe())
      yield* TestClock.adjust("1 millis")
      assert.match(
        yield* Fiber.join(later),
        /"balances" is at 0, not yet at 2: the wait took longer than 999ms, and no worker runs it at the moment: .* Worker/
      )
      yield* (yield* Lease).claim({ name: "projection/balances/2/0", holder: "somebody", millis: 60_000 })
      const held = yield* late("1 second")
      yield* TestClock.adjust("1 second")
      assert.match(yield* Fiber.join(held), /: the wait took longer than 1s$/)
    }).pipe(
      Effect.provide(AccountsLive.pipe(
        Layer.provide(AggregateRuntime.layer),
        Layer.provide(ProjectionRunner.layer),
        Layer.provideMerge(Memory.layer)
      ))
    ))

  it.effect("cannot be waited for where nobody runs projections", () =>
    Effect.gen(function*() {
      const accounts = yield* Accounts
      assert.strictEqual(
        yield* tagOf(accounts.of("a", { consistent: [Balances] }).deposit({ cents: 1 })),
        "InputInvalid"
      )
      assert.isFalse(yield* accounts.exists("a"))
    }).pipe(
      Effect.provide(AccountsLive.pipe(Layer.provide(AggregateRuntime.layer), Layer.provide(Memory.layer)))
    ))

  it.effect("I21: keeps tenants apart, whatever their keys", () =>
    Effect.gen(function*() {
      const accounts = yield* Accounts
      const balances = yield* Balances
      yield* accounts.of("a", { tenant: "t", consistent: [Balances] }).deposit({ cents: 1 })
      yield* accounts.of("a", { tenant: "u", consistent: [Balances] }).deposit({ cents: 2 })
      assert.isUndefined(yield* balances.get("a"))
      assert.deepStrictEqual(yield* balances.get("a", { tenant: "t" }), { cents: 1 })
      assert.deepStrictEqual(yield* balances.get("a", { tenant: "u" }), { cents: 2 })
      assert.strictEqual(yield* balances.count({ tenant: "t", where: { cents: 2 } }), 0)
      assert.strictEqual((yield* Effect.flip(balances.list({ tenant: "" })))._tag, "InputInvalid")
    }).pipe(Effect.provide(Live)))

  it.effect("refuses what cannot be asked of it, in words", () =>
    Effect.gen(function*() {
      const balances = yield* Balances
      const problem = (query: object) =>
        Effect.map(Effect.flip(balances.list(untyped(query))), ({ message }) => message)
      assert.match(yield* problem({ where: { cents: undefined } }), /leave it out, or give null/)
      assert.match(yield* problem({ where: { other: 1 } }), /"other" is not valid: it is not indexed/)
      assert.match(yield* problem({ where: { cents: "many" } }), /the field "cents" is not valid/)
      assert.match(yield* problem({ orderBy: { field: "cents" }, after: "a" }), /the document is wanted too/)
      for (const direction of ["desc", "up", "", null, 1]) {
        const told = yield* problem({ orderBy: { field: "cents", direction } })
        assert.match(told, /orderBy\.direction .*"ascending" or "descending" is expected, not "(desc|up||null|1)"/)
      }
      assert.match(yield* problem({ limit: 0 }), /a whole number from 1 to 1,000/)
      assert.deepStrictEqual(yield* balances.list({ where: { note: null } }), [])
    }).pipe(Effect.provide(Live)))
})

describe("a mistake in the declaration of a view", () => {
  it("is found where it is declared: an index that is there twice", () => {
    assert.throws(
      () => Projection.View()("twice", { version: 1, document: Balance, indexes: ["cents", "cents"] }),
      /"cents" is indexed twice/
    )
  })

  it("is found where it is declared: documents that are no objects", () => {
    const declare = (document: PureCodec, then: PureCodec = Balance) => () =>
      Projection.View()("odd", {
        version: 2,
        document,
        was: (was) => [was({ version: 1, document: then, up: untyped })]
      })
    const others = [Schema.String, Schema.Array(Balance), Schema.Int, Schema.NullOr(Schema.Date), Schema.Literal("a")]
    for (const schema of others) {
      assert.throws(
        declare(schema),
        /A document of "odd" must be an object, .* like Schema\.Struct\(\{ value: … \}\)\.$/
      )
      assert.throws(declare(Balance, schema), /must be an object/)
    }
    class Bill extends Schema.Class<Bill>("Bill")({ cents: Schema.Int }) {}
    const objects = [Bill, Schema.Union([Balance, Bill]), Schema.Record(Schema.String, Schema.Int), Schema.Unknown]
    for (const schema of objects) assert.doesNotThrow(declare(schema))
  })

  it.effect("is found when it is built: a way to fail that there is not", () =>
    Effect.gen(function*() {
      const live = Worker.layer({
        aggregates: [AccountsLive],
        projections: [Balances.toLayer(sources, { onFailure: untyped("stop") })]
      })
      const exit = yield* Effect.exit(Effect.scoped(Layer.build(Layer.provide(live, Memory.layer))))
      assert.match(String(exit), /onFailure must be one of pause, skip, quarantine, not stop/)
    }))

  it.effect("I14: is found when it happens: a handler that changes its document in place is not passed over", () => {
    class Careless extends Projection.View<Careless>()("careless", { version: 1, document: Balance }) {}
    const live = Careless.toLayer((on) => [
      on(AccountEvent, {
        MoneyDeposited: (kept, { cents }) => Object.assign(kept ?? { cents: 0 }, { cents: (kept?.cents ?? 0) + cents })
      })
    ], { drainDeadline: 0 })
    const run = Effect.gen(function*() {
      const accounts = yield* Accounts
      yield* accounts.of("a", { consistent: [Careless] }).deposit({ cents: 5 })
      const behind = accounts.of("a", { consistent: [Careless], deadline: "2 seconds" }).deposit({ cents: 6 })
      const late = yield* Effect.forkChild(tagOf(behind), { startImmediately: true })
      yield* TestClock.adjust("30 seconds")
      assert.strictEqual(yield* Fiber.join(late), "ViewsBehind")
      const [letter] = yield* (yield* Projections).deadLetters("careless")
      assert.match(letter!.error, /read only property 'cents'/)
      assert.deepStrictEqual(yield* (yield* Careless).get("a"), { cents: 5 })
    })
    return Effect.provide(
      run,
      Worker.layer({ aggregates: [AccountsLive], projections: [live] }).pipe(Layer.provide(Memory.layer))
    )
  })
})

describe("a view while its new version is filled", () => {
  /** Documents as version 1 wrote them, which nobody has caught up with yet. */
  const before = Effect.gen(function*() {
    const views = yield* ViewStore
    const old = { name: "balances", version: 1 }
    yield* views.prepare({ ...old, indexes: [] })
    yield* views.flip("balances", { from: undefined, to: { version: 1, pinned: true } })
    yield* views.write(old, [
      { tenant: "default", key: "a", document: JSON.stringify({ euros: 3 }) },
      { tenant: "default", key: "b", document: JSON.stringify({ dollars: 3 }) },
      { tenant: "default", key: "half", document: JSON.stringify({ euros: 0.005 }) }
    ])
  })

  it.effect("I16: shows documents of the old one as today's", () =>
    scenario(
      memory,
      Effect.gen(function*() {
        yield* before
        const process = yield* start(BalancesLive, { lease: memory.lease })
        const balances = Context.get(process.context, Balances)
        assert.deepStrictEqual(yield* balances.get("a"), { cents: 300 })
        const unreadable = yield* Effect.flip(balances.get("b"))
        assert.deepInclude(unreadable, { _tag: "DocumentUnreadable", view: "balances", version: 1, key: "b" })
        const notToday = yield* Effect.flip(balances.get("half"))
        assert.deepInclude(notToday, { _tag: "DocumentUnreadable", version: 1, key: "half" })
        assert.match(
          notToday.message,
          /its upgrade is no document of today.* `was` says what documents of version 1 are in/
        )
        const pending = yield* Effect.flip(balances.list({ where: { cents: 300 } }))
        assert.deepInclude(pending, { _tag: "FieldPending", field: "cents", live: 1 })
        yield* append("c", newEvent({ data: { cents: 7 } }))
        yield* caughtUp(process, Balances)
        assert.isUndefined(yield* balances.get("c"), "the old one is pinned")
        yield* Context.get(process.context, Projections).unpin("balances")
        yield* eventually("the new one is read", balances.get("c"), (balance) => balance !== undefined)
        assert.deepStrictEqual(yield* balances.get("c"), { cents: 7 })
        assert.isUndefined(yield* balances.get("a"))
      })
    ))

  it.effect("I14: does not write over a document of its own that it cannot read", () =>
    scenario(
      memory,
      Effect.gen(function*() {
        const views = yield* ViewStore
        const own = { name: "balances", version: 2 }
        yield* views.prepare({ ...own, indexes: [] })
        yield* views.write(own, [{ tenant: "default", key: "c", document: JSON.stringify({ cents: "many" }) }])
        yield* append("c", newEvent({ data: { cents: 7 } }))
        const process = yield* start(Balances.toLayer(sources, { tries: 1, onFailure: "skip" }), {
          lease: memory.lease
        })
        yield* caughtUp(process, Balances)
        const [letter] = yield* Context.get(process.context, Projections).deadLetters("balances")
        const advice =
          /If its schema was changed, give the view a new version \(version: 3\), which is filled beside the old$/
        assert.match(letter?.error ?? "", /its document "c" cannot be read/)
        assert.match(letter?.error ?? "", advice)
        const { message } = yield* Effect.flip(Context.get(process.context, Balances).get("c"))
        assert.match(message, /^Document "c" of balances \(version 2\) cannot be read: /)
        assert.match(message, advice)
      })
    ))
})

describe("a listener of a view", () => {
  it.effect("is told that he has missed changes if he is too slow, and holds nobody up", () =>
    scenario(
      memory,
      Effect.gen(function*() {
        const process = yield* start(Balances.toLayer(sources, { pageEvents: 1 }), { lease: memory.lease })
        const { changes } = Context.get(process.context, Balances)
        const goOn = yield* Latch.make()
        const slow = yield* Effect.forkChild(Effect.flip(Stream.runForEach(changes, () => goOn.await)))
        yield* Effect.sleep("10 millis")
        for (let at = 0; at < 300; at++) yield* append("a", newEvent({ data: { cents: 1 } }))
        yield* caughtUp(process, Balances)
        yield* goOn.open
        assert.strictEqual((yield* Fiber.join(slow))._tag, "ChangesMissed")
      })
    ))
})

describe("a test of a projection", () => {
  const Tested = Layer.mergeAll(AccountsLive, BalancesLive).pipe(Layer.provideMerge(TestRuntime.layer))

  it.effect("idle: ends when projections have caught up, without time passing", () =>
    Effect.gen(function*() {
      const accounts = yield* Accounts
      const balances = yield* Balances
      for (let round = 1; round <= 5; round++) {
        yield* TestRuntime.given([Accounts.write("b", [MoneyDeposited.make({ cents: 1 })])])
        yield* accounts.of("a").deposit({ cents: 2 })
        yield* TestRuntime.idle
        assert.deepStrictEqual(yield* balances.get("a"), { cents: round * 2 })
        assert.deepStrictEqual(yield* balances.get("b"), { cents: round })
      }
      assert.strictEqual(yield* TestRuntime.settled, 0)
      // What tries again is not done.
      yield* (yield* FaultyReadSide.FaultyReadSide).next("views.write", unavailable)
      yield* accounts.of("a").deposit({ cents: 2 })
      assert.strictEqual(yield* TestRuntime.settled, 1)
      yield* TestClock.adjust("1 second")
      yield* TestRuntime.idle
      assert.deepStrictEqual(yield* balances.get("a"), { cents: 12 })
    }).pipe(Effect.provide(Tested)))

  class Careless extends Projection.View<Careless>()("careless", {
    version: 1,
    document: Schema.Struct({ cents: Schema.Int })
  }) {}

  it.effect("frozen: names the handler that writes to its document", () =>
    Effect.gen(function*() {
      yield* TestRuntime.given([Accounts.write("a", [MoneyDeposited.make({ cents: 1 })])])
      yield* TestRuntime.given([Accounts.write("a", [MoneyDeposited.make({ cents: 1 })])])
      const runs = yield* Effect.forkChild(TestRuntime.idle)
      yield* TestClock.adjust("1 minute")
      yield* Fiber.join(runs)
      const [status] = yield* (yield* Projections).status("careless")
      assert.strictEqual(status?.state, "paused")
      assert.match(status?.why ?? "", /careless: the handler of MoneyDeposited wrote to document.cents/)
    }).pipe(Effect.provide(
      Careless.toLayer((on) => [
        on(AccountEvent, {
          MoneyDeposited: (document, { cents }) => {
            if (document === undefined) return { cents }
            untyped<{ cents: number }>(document).cents += cents
            return document
          }
        })
      ]).pipe(Layer.provideMerge(TestRuntime.layer))
    )))
})

describe("the numbers of a projection", () => {
  it.effect("say how far it is, and what has gone wrong", () =>
    scenario(
      memory,
      Effect.gen(function*() {
        const process = yield* start(
          Balances.toLayer(sources, { tries: 1, onFailure: "skip", pageEvents: 2 }),
          { lease: memory.lease }
        )
        const read = (name: string) => Effect.provideContext(metric(name), process.context)
        for (let at = 0; at < 5; at++) yield* append("a", newEvent({ data: { cents: at === 3 ? "many" : 1 } }))
        yield* caughtUp(process, Balances)
        assert.strictEqual(yield* read("varve_projection_position"), 5)
        assert.strictEqual(yield* read("varve_projection_lag_events"), 0)
        assert.strictEqual(yield* read("varve_projection_letters_total"), 1)
        assert.strictEqual(yield* read("varve_projection_events_total"), 4)
        assert.isAtLeast(yield* read("varve_projection_batches_total"), 3)
        assert.strictEqual(yield* read("varve_projection_held"), 0)
        yield* Context.get(process.context, Projections).pause("balances")
        yield* append("a", newEvent({ data: { cents: 1 } }))
        yield* Effect.sleep("2 seconds")
        assert.strictEqual(yield* read("varve_projection_held"), 1)
      })
    ))
})

describe("a runner that stops", () => {
  it.effect("finishes the batch that it works on, and begins no other", () =>
    Effect.gen(function*() {
      const stores = yield* Layer.build(Layer.merge(Memory.layer, Layer.empty))
      const store = Context.get(stores, EventStore)
      yield* store.append([[{
        stream: { tenant: "default", category: "Account", id: "a" },
        expected: "any",
        events: Array.from({ length: 5 }, () => newEvent({ data: { cents: 1 } })),
        receipts: []
      }]])
      const done: Array<bigint> = []
      const slow = Projection.effect("slow", {
        from: "beginning",
        sources: (on) => [
          on(AccountEvent, {
            MoneyDeposited: (_, { position }) => Effect.delay(Effect.sync(() => done.push(position)), "3 seconds")
          })
        ]
      })
      const running = yield* Effect.forkChild(
        Effect.scoped(Effect.andThen(
          Layer.build(
            slow.toLayer().pipe(Layer.provide(ProjectionRunner.layer), Layer.provide(Layer.succeedContext(stores)))
          ),
          Effect.sleep("4 seconds")
        ))
      )
      for (let at = 0; at < 80; at++) yield* TestClock.adjust("100 millis")
      assert.deepStrictEqual(done, [1n, 2n])
      yield* Fiber.join(running)
      yield* TestClock.adjust("1 minute")
      assert.deepStrictEqual(done, [1n, 2n])
      const [checkpoint] = yield* Context.get(stores, CheckpointStore).list("slow")
      assert.strictEqual(checkpoint?.position, 2n)
    }).pipe(Effect.scoped))
})
