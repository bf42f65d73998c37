/** Draining: the runtime stops as it promises, whatever it was doing. */
import { assert, it } from "@effect/vitest"
import { Effect, Exit, Latch, Layer, Scope, Stream } from "effect"
import { TestClock } from "effect/testing"
import { decide } from "../../src/Aggregate.ts"
import { RuntimeStopping } from "../../src/AggregateHost.ts"
import type { Settings } from "../../src/AggregateHost.ts"
import * as FaultySnapshotStore from "../../src/testing/FaultySnapshotStore.ts"
import * as FaultyStore from "../../src/testing/FaultyStore.ts"
import { Accounts, behavior, Supervisor } from "../fixtures/Account.ts"
import {
  accountStream,
  answerOf,
  answersOf,
  deposited,
  fork,
  metric,
  moved,
  reasonOf,
  start,
  startAccounts,
  stores,
  tagOf
} from "../fixtures/Runtimes.ts"

const stopping = new RuntimeStopping({ aggregate: "Account", id: "a" })

/** Accounts in a scope of their own, and what closes it. */
const startStoppable = Effect.fnUntraced(function*(settings?: Settings) {
  const scope = yield* Scope.make()
  const accounts = yield* Scope.provide(startAccounts({ drainDeadline: "10 seconds", ...settings }), scope)
  return { accounts, stop: Scope.close(scope, Exit.void) }
})

const holdNext = Effect.gen(function*() {
  const gate = yield* FaultyStore.gate
  yield* (yield* FaultyStore.FaultyStore).next("append", gate.before)
  return gate
})

it.effect(
  "I17: refuses new commands, finishes accepted ones, and only then has stopped",
  Effect.fnUntraced(function*() {
    const { accounts, stop } = yield* startStoppable()
    const gate = yield* holdNext
    const accepted = yield* Effect.forEach([1, 2, 3], (cents) => fork(accounts.of("a").deposit({ cents })))
    const stopped = yield* fork(stop)
    assert.deepStrictEqual(yield* reasonOf(accounts.of("a").deposit({ cents: 50 })), stopping)
    assert.deepStrictEqual(yield* reasonOf(accounts.state("a")), stopping)
    assert.strictEqual(yield* tagOf(accounts.of("never seen").deposit({ cents: 50 })), "RuntimeStopping")
    yield* TestClock.adjust(9_999)
    assert.isUndefined(stopped.pollUnsafe())
    yield* gate.open
    assert.deepStrictEqual(yield* answersOf(accepted), [
      { balanceCents: 1 },
      { balanceCents: 3 },
      { balanceCents: 6 }
    ])
    yield* answerOf(stopped)
    assert.deepStrictEqual(yield* moved("a"), [1, 2, 3])
  }, Effect.provide(stores))
)

it.effect(
  "stops at once when it has nothing to do",
  Effect.fnUntraced(function*() {
    const { accounts, stop } = yield* startStoppable()
    yield* accounts.of("a").deposit({ cents: 1 })
    yield* stop
    assert.deepStrictEqual(yield* reasonOf(accounts.of("a").deposit({ cents: 1 })), stopping)
    assert.strictEqual(yield* metric("varve_aggregates_active"), 0)
  }, Effect.provide(stores))
)

it.effect(
  "lets nobody join a command that it still carries out",
  Effect.fnUntraced(function*() {
    const { accounts, stop } = yield* startStoppable()
    const gate = yield* holdNext
    const send = accounts.of("a", { commandId: "c" }).deposit({ cents: 1 })
    const first = yield* fork(send)
    const stopped = yield* fork(stop)
    assert.deepStrictEqual(yield* reasonOf(send), stopping)
    yield* gate.open
    yield* answerOf(first)
    yield* answerOf(stopped)
  }, Effect.provide(stores))
)

it.effect(
  "I7: past the deadline, what was begun is unknown and what waited was not begun",
  Effect.fnUntraced(function*() {
    const { accounts, stop } = yield* startStoppable()
    yield* holdNext
    const begun = yield* fork(tagOf(accounts.of("a").deposit({ cents: 1 })))
    const waiting = yield* Effect.forEach([2, 3], (cents) => fork(reasonOf(accounts.of("a").deposit({ cents }))))
    const elsewhere = yield* fork(accounts.of("b").deposit({ cents: 4 }))
    const stopped = yield* fork(stop)
    yield* TestClock.adjust(9_999)
    assert.isUndefined(stopped.pollUnsafe())
    assert.isUndefined(begun.pollUnsafe())
    yield* TestClock.adjust(1)
    yield* answerOf(stopped)
    assert.strictEqual(yield* answerOf(begun), "OutcomeUnknown")
    assert.deepStrictEqual(yield* answersOf(waiting), [stopping, stopping])
    assert.deepStrictEqual(yield* answerOf(elsewhere), { balanceCents: 4 })
    assert.deepStrictEqual(yield* moved("a"), [])
  }, Effect.provide(stores))
)

it.effect(
  "I7: past the deadline, a command whose append was written but not answered is unknown too",
  Effect.fnUntraced(function*() {
    const { accounts, stop } = yield* startStoppable({ drainDeadline: "1 second" })
    const gate = yield* FaultyStore.gate
    yield* (yield* FaultyStore.FaultyStore).next("append", gate.after)
    const send = (to: Accounts["Service"]) => to.of("a", { commandId: "c" }).deposit({ cents: 1 })
    const begun = yield* fork(tagOf(send(accounts)))
    const stopped = yield* fork(stop)
    yield* TestClock.adjust("1 second")
    yield* answerOf(stopped)
    assert.strictEqual(yield* answerOf(begun), "OutcomeUnknown")
    assert.deepStrictEqual(yield* send(yield* startAccounts()), { balanceCents: 1 })
    assert.deepStrictEqual(yield* moved("a"), [1])
  }, Effect.provide(stores))
)

it.effect(
  "refuses reads of all kinds once it is closing, like commands",
  Effect.fnUntraced(function*() {
    const { accounts, stop } = yield* startStoppable()
    yield* accounts.of("a").deposit({ cents: 1 })
    const history = yield* Stream.runCollect(accounts.history("a"))
    assert.lengthOf(history, 1)
    yield* stop
    for (
      const read of [
        accounts.state("a"),
        accounts.state("a", { consistency: "resident" }),
        accounts.state("never seen", { consistency: "resident" }),
        accounts.stateAt("a", { version: 1 }),
        accounts.stateAt("a", { time: new Date(0) }),
        accounts.exists("a"),
        Stream.runCollect(accounts.history("a"))
      ]
    ) {
      assert.strictEqual(yield* tagOf<unknown, never>(read), "RuntimeStopping")
    }
    assert.match(stopping.message, /shutting down; what was asked of Account a was not begun/)
  }, Effect.provide(stores))
)

it.effect(
  "I17: past the deadline and a second, closing does not wait for a handler that cannot be interrupted",
  Effect.fnUntraced(function*() {
    const scope = yield* Scope.make()
    const latch = yield* Latch.make()
    const happened: Array<string> = []
    const touch = () =>
      latch.await.pipe(
        Effect.andThen(Effect.sync(() => happened.push("handled"))),
        Effect.as(decide([deposited(1)])),
        Effect.uninterruptible
      )
    const live = Layer.provide(
      Accounts.toLayer({ ...behavior, handlers: { ...behavior.handlers, touch } }, { drainDeadline: "1 second" }),
      Supervisor.layerYes
    )
    const accounts = yield* Scope.provide(start(Accounts, live), scope)
    const begun = yield* fork(tagOf(accounts.of("a", { commandId: "c" }).touch()))
    const waiting = yield* fork(reasonOf(accounts.of("a").deposit({ cents: 2 })))
    const stopped = yield* fork(Scope.close(scope, Exit.void))
    yield* TestClock.adjust("1999 millis")
    assert.isUndefined(stopped.pollUnsafe())
    yield* TestClock.adjust("1 milli")
    yield* answerOf(stopped)
    assert.strictEqual(yield* answerOf(begun), "OutcomeUnknown")
    assert.deepStrictEqual(yield* answerOf(waiting), stopping)
    yield* latch.open
    yield* TestClock.adjust("1 minute")
    assert.deepStrictEqual([happened, yield* moved("a")], [["handled"], []])
  }, Effect.provide(stores))
)

/** Accounts whose `touch` waits, with a supervisor whose end is seen. */
const startServed = Effect.fnUntraced(function*(happened: Array<string>, latch: Latch.Latch) {
  const supervisor = Layer.effect(
    Supervisor,
    Effect.acquireRelease(
      Effect.succeed(Supervisor.of({ approve: () => Effect.succeed(true) })),
      () => Effect.sync(() => happened.push("released"))
    )
  )
  const touch = Effect.fnUntraced(function*() {
    yield* latch.await
    yield* Effect.flatMap(Supervisor, ({ approve }) => approve("a", 1))
    happened.push("handled")
    return decide([deposited(1)])
  }, Effect.onInterrupt(() => Effect.sync(() => happened.push("interrupted"))))
  const live = Accounts.toLayer({ ...behavior, handlers: { ...behavior.handlers, touch } }, {
    drainDeadline: "10 seconds"
  })
  const scope = yield* Scope.make()
  const accounts = yield* Scope.provide(start(Accounts, Layer.provide(live, supervisor)), scope)
  return { accounts, stop: Scope.close(scope, Exit.void) }
})

it.effect(
  "keeps the handlers' services until the last handler is done",
  Effect.fnUntraced(function*() {
    const happened: Array<string> = []
    const latch = yield* Latch.make()
    const { accounts, stop } = yield* startServed(happened, latch)
    const callers = [yield* fork(accounts.of("a").touch()), yield* fork(accounts.of("a").touch())]
    const stopped = yield* fork(stop)
    yield* TestClock.adjust("9 seconds")
    yield* latch.open
    yield* answersOf(callers)
    yield* answerOf(stopped)
    assert.deepStrictEqual(happened, ["handled", "handled", "released"])
  }, Effect.provide(stores))
)

it.effect(
  "keeps the handlers' services until those past the deadline are ended",
  Effect.fnUntraced(function*() {
    const happened: Array<string> = []
    const { accounts, stop } = yield* startServed(happened, yield* Latch.make())
    const callers = [yield* fork(tagOf(accounts.of("a").touch())), yield* fork(tagOf(accounts.of("a").touch()))]
    const stopped = yield* fork(stop)
    yield* TestClock.adjust("10 seconds")
    yield* answerOf(stopped)
    assert.deepStrictEqual(yield* answersOf(callers), ["OutcomeUnknown", "RuntimeStopping"])
    assert.deepStrictEqual(happened, ["interrupted", "released"])
  }, Effect.provide(stores))
)

it.effect(
  "lets the handlers of accepted commands ask other aggregates while it stops",
  Effect.fnUntraced(function*() {
    const latch = yield* Latch.make()
    const touch = (): Effect.Effect<ReturnType<typeof decide<never>>> =>
      latch.await.pipe(
        Effect.andThen(Effect.suspend(() => accounts.of("b").deposit({ cents: 7 }))),
        Effect.orDie,
        Effect.as(decide([]))
      )
    const scope = yield* Scope.make()
    const live = Accounts.toLayer({ ...behavior, handlers: { ...behavior.handlers, touch } })
    const accounts: Accounts["Service"] = yield* start(Accounts, Layer.provide(live, Supervisor.layerYes)).pipe(
      Scope.provide(scope)
    )
    const caller = yield* fork(accounts.of("a").touch())
    const stopped = yield* fork(Scope.close(scope, Exit.void))
    yield* latch.open
    yield* answerOf(caller)
    yield* answerOf(stopped)
    assert.deepStrictEqual(yield* moved("b"), [7])
  }, Effect.provide(stores))
)

it.effect(
  "finishes saving a snapshot",
  Effect.fnUntraced(function*() {
    const { inner, next } = yield* FaultySnapshotStore.FaultySnapshotStore
    const gate = yield* FaultyStore.gate
    yield* next("save", gate.before)
    const { accounts, stop } = yield* startStoppable({ snapshotEvery: 1 })
    yield* accounts.of("a").deposit({ cents: 1 })
    const stopped = yield* fork(stop)
    yield* TestClock.adjust("9 seconds")
    assert.isUndefined(stopped.pollUnsafe())
    yield* gate.open
    yield* answerOf(stopped)
    assert.strictEqual((yield* inner.load(accountStream("a"))).snapshot?.version, 1)
  }, Effect.provide(stores))
)

it.effect(
  "takes a snapshot that became due with the last command",
  Effect.fnUntraced(function*() {
    const { inner } = yield* FaultySnapshotStore.FaultySnapshotStore
    const { accounts, stop } = yield* startStoppable({ snapshotEvery: 1 })
    const gate = yield* holdNext
    const caller = yield* fork(accounts.of("a").deposit({ cents: 1 }))
    const stopped = yield* fork(stop)
    yield* gate.open
    yield* answerOf(caller)
    yield* answerOf(stopped)
    assert.strictEqual((yield* inner.load(accountStream("a"))).snapshot?.version, 1)
  }, Effect.provide(stores))
)

it.effect(
  "lets the same aggregate be started again once it has stopped",
  Effect.fnUntraced(function*() {
    const { accounts, stop } = yield* startStoppable()
    yield* accounts.of("a").deposit({ cents: 1 })
    yield* stop
    const again = yield* startStoppable()
    assert.deepStrictEqual(yield* again.accounts.of("a").deposit({ cents: 2 }), { balanceCents: 3 })
    yield* again.stop
  }, Effect.provide(stores))
)

it.effect(
  "answers a handler that asks an aggregate which has stopped already",
  Effect.fnUntraced(function*() {
    const { accounts, stop } = yield* startStoppable()
    const touch = () =>
      Effect.as(Effect.flip(Effect.suspend(() => accounts.of("a").deposit({ cents: 1 }))), decide([])).pipe(
        Effect.orDie
      )
    const live = Accounts.toLayer({ ...behavior, handlers: { ...behavior.handlers, touch } })
    const asking = yield* start(Accounts, Layer.provide(live, Supervisor.layerYes))
    yield* stop
    yield* asking.of("b").touch()
    assert.deepStrictEqual(yield* moved("a"), [])
  }, Effect.provide(stores))
)
