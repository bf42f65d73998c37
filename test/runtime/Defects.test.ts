/** Defects: a bug in a handler is its caller's alone; the neighbours in the mailbox and the aggregate know nothing of it. */
import { assert, it } from "@effect/vitest"
import { Cause, Effect, Exit, Fiber } from "effect"
import { TestClock } from "effect/testing"
import { decide } from "../../src/Aggregate.ts"
import { CommandQuarantined } from "../../src/AggregateHost.ts"
import { untyped } from "../../src/internal/types.ts"
import * as FaultyStore from "../../src/testing/FaultyStore.ts"
import {
  type AccountEvent,
  Accounts,
  behavior,
  type InsufficientFunds,
  MoneyDeposited,
  Supervisor
} from "../fixtures/Account.ts"
import { answerOf, deposited, fork, metric, moved, reasonOf, start, stores, tagOf } from "../fixtures/Runtimes.ts"

/** Accounts whose `touch` is as buggy as the test wants it. */
const startWith = (touch: () => unknown, evolve: object = {}) =>
  start(
    Accounts,
    Accounts.toLayer({
      ...behavior,
      evolve: { ...behavior.evolve, ...evolve },
      handlers: { ...behavior.handlers, touch: untyped<() => ReturnType<typeof decide<AccountEvent>>>(touch) }
    })
  ).pipe(Effect.provide(Supervisor.layerYes))

const bug = new Error("a bug")
const bugs: ReadonlyArray<readonly [string, () => unknown]> = [
  ["that throws", () => {
    throw bug
  }],
  ["that throws what is no error", () => {
    throw "a bug"
  }],
  ["that throws nothing", () => {
    throw undefined
  }],
  ["whose Effect dies", () => Effect.die(bug)],
  ["whose Effect throws", () =>
    Effect.sync(() => {
      throw bug
    })],
  ["whose Effect interrupts itself", () => Effect.interrupt],
  ["whose child is interrupted", () => Effect.flatMap(Effect.forkChild(Effect.interrupt), Fiber.join)],
  ["that returns a Promise", () => Promise.resolve(decide([]))],
  ["that returns a Promise that rejects", () => Promise.reject(bug)],
  ["that returns nothing", () => undefined],
  ["that returns null", () => null],
  ["that returns events without a decision", () => [deposited(1)]],
  ["whose Effect succeeds with nothing", () => Effect.void],
  ["whose Effect succeeds with a Promise that rejects", () => Effect.succeed(untyped<unknown>(Promise.reject(bug)))],
  ["whose event does not fit its schema", () => decide([{ _tag: "MoneyDeposited", cents: -1 }])],
  ["whose event is of no known case", () => decide([{ _tag: "MoneyBurnt", cents: 1 }])],
  ["whose event is null", () => decide([null])],
  ["whose second event does not fit its schema", () => decide([deposited(1), { _tag: "MoneyDeposited" }])],
  ["whose decision has no list of events", () => decide(untyped<Array<AccountEvent>>(undefined))],
  ["that writes beside what is no write", () => decide([], { also: [untyped(null)] })],
  [
    "that writes an event beside that does not fit its schema",
    () => decide([], { also: [Accounts.write("b", [untyped({ _tag: "MoneyDeposited", cents: "1" })])] })
  ],
  ["that publishes what is no message", () => decide([], { publish: [untyped(null)] })],
  ["that publishes a function", () => decide([], { publish: [{ topic: "t", body: untyped(() => 1) }] })],
  ["that publishes a Map", () => decide([], { publish: [{ topic: "t", body: untyped(new Map([["a", 1]])) }] })],
  ["that publishes what is no number", () => decide([], { publish: [{ topic: "t", body: { n: Number.NaN } }] })],
  ["that publishes nothing at all", () => decide([], { publish: [{ topic: "t", body: untyped(undefined) }] })],
  [
    "that publishes what writes itself otherwise",
    () => decide([], { publish: [{ topic: "t", body: untyped({ toJSON: () => "secret" }) }] })
  ],
  [
    "that publishes a prototype",
    () => decide([], { publish: [{ topic: "t", body: untyped({ toJSON: () => JSON.parse(`{"__proto__":1}`) }) }] })
  ],
  [
    "whose message has headers of null",
    () => decide([], { publish: [{ topic: "t", body: 1, headers: untyped(null) }] })
  ],
  [
    "whose message has headers that are no texts",
    () => decide([], { publish: [{ topic: "t", body: 1, headers: untyped({ h: 1 }) }] })
  ],
  ["that gives an event a getter that throws", () =>
    decide([{
      _tag: "MoneyDeposited",
      get cents() {
        throw bug
      }
    }])]
]

for (const [what, touch] of bugs) {
  it.effect(
    `gives the defect of a handler ${what} to its caller alone`,
    Effect.fnUntraced(function*() {
      const { next } = yield* FaultyStore.FaultyStore
      const gate = yield* FaultyStore.gate
      const accounts = yield* startWith(touch)
      yield* next("append", gate.before)
      const before = yield* fork(accounts.of("a").deposit({ cents: 5 }))
      const buggy = yield* fork(accounts.of("a").touch())
      const after = yield* fork(accounts.of("a").deposit({ cents: 7 }))
      yield* gate.open
      assert.deepStrictEqual(yield* answerOf(before), { balanceCents: 5 })
      const exit = yield* Fiber.await(buggy)
      assert.isTrue(Exit.hasDies(exit) && !Exit.hasFails(exit) && !Exit.hasInterrupts(exit), String(exit))
      assert.deepStrictEqual(yield* answerOf(after), { balanceCents: 12 })
      assert.deepStrictEqual(yield* moved("a"), [5, 7])
      assert.strictEqual(yield* metric("varve_aggregate_restarts_total"), 0)
    }, Effect.provide(stores))
  )
}

const returned = (what: string) =>
  `The handler "touch" of Account returned ${what}; return a decision or an Effect of one.`

const explained: ReadonlyArray<readonly [string, () => unknown]> = [
  [returned("null"), () => null],
  [returned("nothing"), () => undefined],
  [returned("a list"), () => [deposited(1)]],
  [returned("a Promise"), () => Promise.resolve(decide([]))],
  [returned("a string"), () => "done"],
  [returned("an Error that is no Effect (\"a bug\"; make it with Schema.TaggedError)"), () => bug],
  ["\"touch\" decided on `events` that are no list of objects", () => decide(untyped<Array<AccountEvent>>(null))],
  ["\"touch\" decided on `events` that are no list of objects", () => decide([null])],
  ["\"touch\" decided on `also` that are no list of objects", () => decide([], { also: [untyped(null)] })],
  ["\"touch\" decided on `publish` that are no list of objects", () => decide([], { publish: untyped(1) })]
]

for (const [problem, touch] of explained) {
  it.effect(
    `says of a handler that strays: ${problem}`,
    Effect.fnUntraced(function*() {
      const accounts = yield* startWith(touch)
      const exit = yield* Effect.exit(accounts.of("a").touch())
      assert.isTrue(Exit.isFailure(exit))
      if (Exit.isFailure(exit)) assert.strictEqual(untyped<Error>(Cause.squash(exit.cause)).message, problem)
    }, Effect.provide(stores))
  )
}

it.effect(
  "appends nothing when `evolve` throws on what was decided",
  Effect.fnUntraced(function*() {
    const MoneyWithdrawn = () => {
      throw bug
    }
    const accounts = yield* startWith(() => decide([deposited(1)]), { MoneyWithdrawn })
    yield* accounts.of("a").deposit({ cents: 5 })
    const exit = yield* Effect.exit(accounts.of("a").withdraw({ cents: 1 }))
    assert.isTrue(Exit.hasDies(exit))
    yield* accounts.of("a").touch()
    assert.deepStrictEqual(yield* moved("a"), [5, 1])
    assert.deepStrictEqual(yield* accounts.state("a"), { balanceCents: 6 })
  }, Effect.provide(stores))
)

it.effect(
  "goes on when a handler interrupts the fiber that serves the aggregate",
  Effect.fnUntraced(function*() {
    const { next } = yield* FaultyStore.FaultyStore
    const gate = yield* FaultyStore.gate
    const accounts = yield* startWith(() =>
      Effect.withFiber((fiber) => Effect.andThen(Effect.sync(() => fiber.interruptUnsafe()), Effect.never))
    )
    yield* next("append", gate.before)
    const before = yield* fork(accounts.of("a").deposit({ cents: 5 }))
    const buggy = yield* fork(tagOf(accounts.of("a").touch()))
    const after = yield* fork(accounts.of("a").deposit({ cents: 7 }))
    yield* gate.open
    yield* answerOf(before)
    assert.strictEqual(yield* answerOf(buggy), "OutcomeUnknown")
    assert.deepStrictEqual(yield* answerOf(after), { balanceCents: 12 })
  }, Effect.provide(stores))
)

/** Accounts that answer what is not in their protocol. */
const startMisanswering = start(
  Accounts,
  Accounts.toLayer({
    ...behavior,
    handlers: {
      ...behavior.handlers,
      deposit: ({ payload }) =>
        decide([MoneyDeposited.make(payload)], { reply: untyped<{ balanceCents: number }>("thanks") }),
      withdraw: () => untyped<InsufficientFunds>(Effect.fail("not a rejection of this command"))
    }
  })
).pipe(Effect.provide(Supervisor.layerYes))

it.effect(
  "writes nothing of a command with an id whose reply or error could not be repeated",
  Effect.fnUntraced(function*() {
    const accounts = yield* startMisanswering
    const reply = Effect.asVoid(accounts.of("a", { commandId: "c" }).deposit({ cents: 1 }))
    const error = Effect.asVoid(accounts.of("a", { commandId: "d" }).withdraw({ cents: 1 }))
    for (const exit of [yield* Effect.exit(reply), yield* Effect.exit(error)]) {
      assert.isTrue(Exit.hasDies(exit) && !Exit.hasFails(exit), String(exit))
    }
    yield* accounts.of("a").touch()
    assert.deepStrictEqual(yield* moved("a"), [])
  }, Effect.provide(stores))
)

it.effect(
  "says in a defect what is wrong, in one line",
  Effect.fnUntraced(function*() {
    const accounts = yield* startMisanswering
    const exit = yield* Effect.exit(accounts.of("a", { commandId: "c" }).deposit({ cents: 1 }))
    const defect = Exit.isFailure(exit) ? Cause.squash(exit.cause) : undefined
    assert.instanceOf(defect, TypeError)
    assert.match(defect.message, /^The reply of "deposit" does not fit its schema: /)
    assert.notMatch(defect.message, /\n/)
  }, Effect.provide(stores))
)

it.effect(
  "does not try a command again that ended in a defect three times",
  Effect.fnUntraced(function*() {
    let runs = 0
    const accounts = yield* startWith(() => {
      runs++
      throw bug
    })
    const send = accounts.of("a", { commandId: "c" }).touch()
    for (let time = 1; time <= 3; time++) {
      assert.isTrue(Exit.hasDies(yield* Effect.exit(send)))
      assert.strictEqual(runs, time)
    }
    for (let time = 4; time <= 6; time++) {
      const reason = yield* reasonOf(send)
      assert.deepStrictEqual(reason, new CommandQuarantined({ aggregate: "Account", id: "a", commandId: "c" }))
    }
    assert.strictEqual(runs, 3)
  }, Effect.provide(stores))
)

it.effect(
  "quarantines one command, not another id, another aggregate, another tenant, or those without an id",
  Effect.fnUntraced(function*() {
    let runs = 0
    const accounts = yield* startWith(() => {
      if (runs++ < 3) throw bug
      return decide([deposited(1)])
    })
    yield* Effect.replicateEffect(Effect.exit(accounts.of("a", { commandId: "c" }).touch()), 3)
    assert.strictEqual(yield* tagOf(accounts.of("a", { commandId: "c" }).touch()), "CommandQuarantined")
    yield* accounts.of("a", { commandId: "d" }).touch()
    yield* accounts.of("b", { commandId: "c" }).touch()
    yield* accounts.of("a", { commandId: "c", tenant: "t" }).touch()
    yield* accounts.of("a").touch()
    assert.deepStrictEqual(yield* moved("a"), [1, 1])
  }, Effect.provide(stores))
)

it.effect(
  "does not count the defects of commands without an id",
  Effect.fnUntraced(function*() {
    const accounts = yield* startWith(() => {
      throw bug
    })
    for (let time = 0; time < 5; time++) {
      assert.isTrue(Exit.hasDies(yield* Effect.exit(accounts.of("a").touch())))
    }
  }, Effect.provide(stores))
)

it.effect(
  "quarantines in one process only: another one may run better code",
  Effect.fnUntraced(function*() {
    const broken = yield* startWith(() => {
      throw bug
    })
    yield* Effect.replicateEffect(Effect.exit(broken.of("a", { commandId: "c" }).touch()), 4)
    const mended = yield* startWith(() => decide([deposited(1)]))
    yield* mended.of("a", { commandId: "c" }).touch()
    assert.deepStrictEqual(yield* moved("a"), [1])
  }, Effect.provide(stores))
)

it.effect(
  "goes on when what observes a caller throws, and answers all others",
  Effect.fnUntraced(function*() {
    const { next } = yield* FaultyStore.FaultyStore
    const gate = yield* FaultyStore.gate
    yield* next("append", gate.before)
    const accounts = yield* startWith(() => decide([]))
    const send = accounts.of("a", { commandId: "c" }).deposit({ cents: 5 })
    const observed = yield* fork(send)
    observed.addObserver(() => {
      throw bug
    })
    const joined = yield* fork(send)
    yield* gate.open
    assert.deepStrictEqual(yield* answerOf(observed), { balanceCents: 5 })
    assert.deepStrictEqual(yield* answerOf(joined), { balanceCents: 5 })
    for (let cents = 1; cents <= 3; cents++) yield* accounts.of("a").deposit({ cents })
    yield* TestClock.adjust("10 minutes")
    assert.strictEqual(yield* metric("varve_aggregates_active"), 0)
    assert.deepStrictEqual(yield* accounts.state("a"), { balanceCents: 11 })
  }, Effect.provide(stores))
)
