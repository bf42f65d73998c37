/** Asking other aggregates from a handler: what would wait for ever fails at once, and nothing else does. */
import { assert, it } from "@effect/vitest"
import { Effect, type Fiber, Latch } from "effect"
import { TestClock } from "effect/testing"
import { decide } from "../../src/Aggregate.ts"
import { AskRing, type Reason } from "../../src/AggregateHost.ts"
import * as FaultyStore from "../../src/testing/FaultyStore.ts"
import { Accounts, behavior, Supervisor } from "../fixtures/Account.ts"
import { answerOf, answersOf, deposited, fork, moved, reasonOf, start, stores, tagOf } from "../fixtures/Runtimes.ts"

type Script = (accounts: Accounts["Service"], id: string) => Effect.Effect<unknown, unknown>

/** Accounts whose `touch` does what the script of their id says, and then deposits a cent. */
const startWith = (scripts: Readonly<Record<string, Script>>, otherwise: Script = () => Effect.void) =>
  Effect.gen(function*() {
    const touch = ({ id }: { readonly id: string }) =>
      Effect.suspend(() => (scripts[id] ?? otherwise)(accounts, id)).pipe(
        Effect.orDie,
        Effect.as(decide([deposited(1)]))
      )
    const live = Accounts.toLayer({ ...behavior, handlers: { ...behavior.handlers, touch } }, { drainDeadline: 0 })
    const accounts: Accounts["Service"] = yield* start(Accounts, live).pipe(Effect.provide(Supervisor.layerYes))
    return accounts
  })

const ring = (id: string, ...path: ReadonlyArray<string>) =>
  new AskRing({ aggregate: "Account", id, path: path.map((name) => `Account ${name}`) })

it.effect(
  "refuses a handler that asks its own aggregate",
  Effect.fnUntraced(function*() {
    const reasons: Array<Reason> = []
    const accounts = yield* startWith({
      a: Effect.fnUntraced(function*(accounts) {
        reasons.push(yield* reasonOf(accounts.of("a").deposit({ cents: 1 })))
        reasons.push(yield* reasonOf(accounts.state("a")))
      })
    })
    yield* accounts.of("a").touch()
    assert.deepStrictEqual(reasons, [ring("a", "a", "a"), ring("a", "a", "a")])
    assert.deepStrictEqual(yield* moved("a"), [1])
  }, Effect.provide(stores))
)

it.effect(
  "lets a handler read what does not wait for its own aggregate",
  Effect.fnUntraced(function*() {
    const seen: Array<unknown> = []
    const accounts = yield* startWith({
      a: Effect.fnUntraced(function*(accounts) {
        seen.push(yield* accounts.state("a", { consistency: "resident" }))
        seen.push(yield* accounts.exists("a"))
        seen.push((yield* accounts.stateAt("a", { version: 1 })).state)
        seen.push(yield* accounts.state("a", { tenant: "another" }))
      })
    })
    yield* accounts.of("a").deposit({ cents: 5 })
    yield* accounts.of("a").touch()
    assert.deepStrictEqual(seen, [{ balanceCents: 5 }, true, { balanceCents: 5 }, { balanceCents: 0 }])
  }, Effect.provide(stores))
)

it.effect(
  "refuses the question that closes a ring, and tells the ring",
  Effect.fnUntraced(function*() {
    let reason: Reason | undefined
    const accounts = yield* startWith({
      a: (accounts) => accounts.of("b").touch(),
      b: (accounts) => accounts.of("c").touch(),
      c: (accounts) => Effect.map(reasonOf(accounts.of("a").deposit({ cents: 50 })), (found) => reason = found)
    })
    yield* accounts.of("a").touch()
    assert.deepStrictEqual(reason, ring("a", "c", "a", "b", "c"))
    for (const id of ["a", "b", "c"]) assert.deepStrictEqual(yield* moved(id), [1])
  }, Effect.provide(stores))
)

it.effect(
  "refuses one of two handlers that ask each other at the same time",
  Effect.fnUntraced(function*() {
    const bothRun = yield* Latch.make()
    const answers: Array<string> = []
    const ask = (other: string): Script => (accounts) =>
      bothRun.await.pipe(
        Effect.andThen(accounts.of(other).deposit({ cents: 7 })),
        Effect.as("answered"),
        Effect.catchTag("CommandFailed", ({ reason }) => Effect.succeed(reason._tag)),
        Effect.map((answer) => answers.push(answer))
      )
    const accounts = yield* startWith({ a: ask("b"), b: ask("a") })
    const callers = [yield* fork(accounts.of("a").touch()), yield* fork(accounts.of("b").touch())]
    yield* bothRun.open
    yield* answersOf(callers)
    assert.sameMembers(answers, ["answered", "AskRing"])
    assert.sameDeepMembers([yield* moved("a"), yield* moved("b")], [[1], [1, 7]])
  }, Effect.provide(stores))
)

it.effect(
  "goes on after a ring was refused",
  Effect.fnUntraced(function*() {
    const accounts = yield* startWith({ a: (accounts) => tagOf(accounts.of("a").touch()) })
    for (let time = 1; time <= 3; time++) yield* accounts.of("a").touch()
    assert.deepStrictEqual(yield* accounts.of("a").deposit({ cents: 1 }), { balanceCents: 4 })
  }, Effect.provide(stores))
)

it.effect(
  "lets long chains be, and many who ask the same",
  Effect.fnUntraced(function*() {
    const accounts = yield* startWith({ end: () => Effect.void }, (accounts, id) => {
      const left = Number(id)
      return left === 0 ? accounts.of("end").touch() : accounts.of(`${left - 1}`).touch()
    })
    yield* accounts.of("100").touch()
    assert.deepStrictEqual(yield* moved("end"), [1])
    assert.deepStrictEqual(yield* moved("100"), [1])
  }, Effect.provide(stores))
)

it.effect(
  "follows a chain of thousands without running out of stack",
  Effect.fnUntraced(function*() {
    const accounts = yield* startWith(
      {},
      (accounts, id) => id === "0" ? Effect.void : accounts.of(`${Number(id) - 1}`).touch()
    )
    yield* accounts.of("3000").touch()
    assert.deepStrictEqual(yield* moved("0"), [1])
    assert.deepStrictEqual(yield* moved("3000"), [1])
  }, Effect.provide(stores))
)

it.effect(
  "lets a handler ask several at once, who ask the same one",
  Effect.fnUntraced(function*() {
    const both: Script = (accounts) => accounts.of("d").touch()
    const accounts = yield* startWith({
      a: (accounts) =>
        Effect.all([accounts.of("b").touch(), accounts.of("c").touch(), accounts.of("b").touch()], { concurrency: 3 }),
      b: both,
      c: both
    })
    yield* accounts.of("a").touch()
    assert.deepStrictEqual(yield* moved("d"), [1, 1, 1])
  }, Effect.provide(stores))
)

it.effect(
  "sees a ring through the fibers that a handler forks",
  Effect.fnUntraced(function*() {
    const seen: Array<string> = []
    const accounts = yield* startWith({
      a: (accounts) =>
        Effect.forEach([1, 2], () => Effect.map(tagOf(accounts.of("a").touch()), (tag) => seen.push(tag)), {
          concurrency: "unbounded"
        })
    })
    yield* accounts.of("a").touch()
    assert.deepStrictEqual(seen, ["AskRing", "AskRing"])
  }, Effect.provide(stores))
)

it.effect(
  "takes a question from a fiber that a finished handler left behind for nobody's",
  Effect.fnUntraced(function*() {
    const later = yield* Latch.make()
    let left: Fiber.Fiber<unknown, unknown> | undefined
    const accounts = yield* startWith({
      a: (accounts) =>
        Effect.map(
          Effect.forkDetach(Effect.andThen(later.await, accounts.of("a").deposit({ cents: 7 }))),
          (fiber) => left = fiber
        )
    })
    yield* accounts.of("a").touch()
    yield* later.open
    yield* answerOf(left!)
    assert.deepStrictEqual(yield* moved("a"), [1, 7])
  }, Effect.provide(stores))
)

it.effect(
  "does not hold a question against a handler that has given it up",
  Effect.fnUntraced(function*() {
    const { next } = yield* FaultyStore.FaultyStore
    const gate = yield* FaultyStore.gate
    const release = yield* Latch.make()
    const accounts = yield* startWith({
      a: (accounts) =>
        Effect.andThen(
          Effect.timeoutOption(accounts.of("b").deposit({ cents: 7 }), "1 second"),
          release.await
        ),
      b: (accounts) => accounts.of("a").deposit({ cents: 9 })
    })
    yield* next("append", gate.before)
    const first = yield* fork(accounts.of("a").touch())
    yield* TestClock.adjust("1 second")
    const second = yield* fork(accounts.of("b").touch())
    yield* gate.open
    yield* release.open
    yield* answersOf([first, second])
    assert.deepStrictEqual(yield* moved("a"), [1, 9])
    assert.deepStrictEqual(yield* moved("b"), [7, 1])
  }, Effect.provide(stores))
)

it.effect(
  "sees no ring where a handler asks who has asked it before",
  Effect.fnUntraced(function*() {
    const accounts = yield* startWith({
      a: (accounts) => accounts.of("b").touch(),
      c: (accounts) => accounts.of("a").touch()
    })
    yield* accounts.of("a").touch()
    yield* accounts.of("c").touch()
    assert.deepStrictEqual(yield* moved("b"), [1, 1])
  }, Effect.provide(stores))
)
