/** Group commit: the appends of a process travel together, and none of them can tell. */
import { assert, it } from "@effect/vitest"
import { Clock, Effect, Exit, Fiber } from "effect"
import { TestClock } from "effect/testing"
import { limits } from "../../src/Admission.ts"
import { decide } from "../../src/Aggregate.ts"
import type { HandleOptions, Settings } from "../../src/AggregateHost.ts"
import type { Decision } from "../../src/Decision.ts"
import * as FaultyStore from "../../src/testing/FaultyStore.ts"
import { type AccountEvent, Accounts, behavior, Supervisor } from "../fixtures/Account.ts"
import {
  accountStream,
  answerOf,
  answersOf,
  deposited,
  foreign,
  fork,
  forkAtOnce,
  moved,
  start,
  startAccounts,
  storedIn,
  tagOf
} from "../fixtures/Runtimes.ts"
import { SentGroups, watchedSharedStores, watchedStores } from "../fixtures/SentGroups.ts"

const { diesAfter, lostAfter, lostBefore, onStream, unavailable } = FaultyStore

const range = (length: number) => Array.from({ length }, (_, index) => index)

/** Accounts whose `touch` decides what the test wants of each. */
const startDeciding = (touch: (id: string) => Decision<AccountEvent, void>, settings?: Settings) =>
  start(
    Accounts,
    Accounts.toLayer({ ...behavior, handlers: { ...behavior.handlers, touch: ({ id }) => touch(id) } }, {
      drainDeadline: 0,
      ...settings
    })
  ).pipe(Effect.provide(Supervisor.layerYes))

/** Callers that are ready together. */
const together = <A, E, R>(...callers: ReadonlyArray<Effect.Effect<A, E, R>>) =>
  Effect.tap(Effect.forEach(callers, forkAtOnce), Effect.yieldNow)

/** Accounts of a runtime whose clock goes ahead at will: it knows of a deadline before the caller's timer rings. */
const startAhead = Effect.gen(function*() {
  const clock = yield* Clock.Clock
  let aheadNanos = 0n
  const ahead: Clock.Clock = Object.assign(Object.create(clock), {
    monotonicTimeNanosUnsafe: () => clock.monotonicTimeNanosUnsafe() + aheadNanos
  })
  const goAhead = () => {
    aheadNanos = 6_000_000n
  }
  return { accounts: yield* Effect.provideService(startAccounts(), Clock.Clock, ahead), goAhead }
})

const positionsOf = (id: string) =>
  Effect.map(storedIn(accountStream(id)), (events) => events.map(({ position }) => position))

it.effect(
  "sends the appends of aggregates that are ready together as one group",
  Effect.fnUntraced(function*() {
    const { shapes } = yield* SentGroups
    const accounts = yield* startAccounts()
    const send = (id: string) => accounts.of(id, { returning: "commit" }).deposit({ cents: 5 })
    const answers = yield* answersOf(yield* together(...["a", "b", "c"].map(send)))
    assert.deepStrictEqual(shapes(), [["a+1", "b+1", "c+1"]])
    assert.deepStrictEqual(answers.map(({ position, version }) => [version, position]), [[1, 1n], [1, 2n], [1, 3n]])
  }, Effect.provide(watchedStores))
)

it.effect(
  "waits for no company: what is ready alone goes alone, at once",
  Effect.fnUntraced(function*() {
    const { shapes } = yield* SentGroups
    const accounts = yield* startAccounts()
    for (const id of ["a", "b", "a"]) yield* answerOf(yield* fork(accounts.of(id).deposit({ cents: 1 })))
    assert.deepStrictEqual(shapes(), [["a+1"], ["b+1"], ["a+1"]])
  }, Effect.provide(watchedStores))
)

it.effect(
  "I18: lets two groups be under way, and keeps what is ready meanwhile for the next",
  Effect.fnUntraced(function*() {
    const { next } = yield* FaultyStore.FaultyStore
    const { shapes } = yield* SentGroups
    const accounts = yield* startAccounts()
    const gates = [yield* FaultyStore.gate, yield* FaultyStore.gate]
    yield* next("append", ...gates.map(({ before }) => before))
    const callers = yield* Effect.forEach(["a", "b", "c", "d"], (id) => fork(accounts.of(id).deposit({ cents: 1 })))
    assert.deepStrictEqual(shapes(), [["a+1"], ["b+1"]])
    yield* gates[1]!.open
    yield* answersOf(callers.slice(1))
    assert.deepStrictEqual(shapes(), [["a+1"], ["b+1"], ["c+1", "d+1"]])
    assert.isUndefined(callers[0]!.pollUnsafe())
    yield* gates[0]!.open
    yield* answersOf(callers)
  }, Effect.provide(watchedStores))
)

it.effect(
  "I18: lets no third group leave for a command whose neighbour is given up as the second is formed",
  Effect.fnUntraced(function*() {
    const { next } = yield* FaultyStore.FaultyStore
    const { shapes } = yield* SentGroups
    const { accounts, goAhead } = yield* startAhead
    yield* accounts.of("a").deposit({ cents: 10 })
    const gates = yield* Effect.forEach(range(3), () => FaultyStore.gate)
    yield* next("append", ...gates.map(({ before }) => before))
    yield* fork(accounts.of("x").deposit({ cents: 1 }))
    yield* fork(accounts.of("y").deposit({ cents: 1 }))
    const late = yield* fork(tagOf(accounts.of("a", { deadline: 5 }).deposit({ cents: 1 })))
    const behind = yield* fork(accounts.of("a").deposit({ cents: 2 }))
    const others = yield* Effect.forEach(range(512), (n) => fork(accounts.of(`n${n}`).deposit({ cents: 1 })))
    goAhead()
    yield* gates[0]!.open
    yield* gates[2]!.arrived
    assert.strictEqual(yield* answerOf(late), "CommandTimeout")
    assert.deepStrictEqual(shapes().map(({ length }) => length), [1, 1, 1, 512])
    for (const { open } of gates) yield* open
    assert.deepStrictEqual(yield* answerOf(behind), { balanceCents: 12 })
    yield* answersOf(others)
    assert.deepStrictEqual(yield* moved("a"), [10, 2])
  }, Effect.provide(watchedStores))
)

it.effect(
  "I7: leaves behind whom nobody waits for any more when the group leaves, and decides again what stood on that",
  Effect.fnUntraced(function*() {
    const { next } = yield* FaultyStore.FaultyStore
    const { accounts, goAhead } = yield* startAhead
    yield* accounts.of("a").deposit({ cents: 10 })
    const gate = yield* FaultyStore.gate
    yield* next("append", gate.before)
    yield* fork(accounts.of("a").deposit({ cents: 1 }))
    const late = yield* fork(tagOf(accounts.of("a", { deadline: 5 }).deposit({ cents: 2 })))
    const behind = yield* fork(accounts.of("a").deposit({ cents: 4 }))
    goAhead()
    yield* gate.open
    assert.strictEqual(yield* answerOf(late), "CommandTimeout")
    assert.deepStrictEqual(yield* answerOf(behind), { balanceCents: 15 })
    assert.deepStrictEqual(yield* moved("a"), [10, 1, 4])
  }, Effect.provide(watchedStores))
)

it.effect(
  "I19: lost groups hold up nobody who is not in them, however many there are",
  Effect.fnUntraced(function*() {
    const { always, heal } = yield* FaultyStore.FaultyStore
    const accounts = yield* startAccounts()
    const lost = ["a", "b", "c", "d"]
    for (const id of lost) yield* always("append", lostBefore, onStream(id))
    const callers = yield* Effect.forEach(lost, (id) => fork(accounts.of(id).deposit({ cents: 1 })))
    assert.deepStrictEqual(yield* answerOf(yield* fork(accounts.of("e").deposit({ cents: 5 }))), { balanceCents: 5 })
    yield* heal
    yield* TestClock.adjust("10 seconds")
    yield* answersOf(callers)
  }, Effect.provide(watchedStores))
)

it.effect(
  "I18: puts at most 512 events into a group",
  Effect.fnUntraced(function*() {
    const { all } = yield* SentGroups
    const accounts = yield* startDeciding(() => decide([deposited(1), deposited(2)]))
    const callers = yield* together(...range(300).map((n) => accounts.of(`a${n}`).touch()))
    yield* answersOf(callers)
    assert.deepStrictEqual(all.map((group) => group.length), [256, 44])
  }, Effect.provide(watchedStores))
)

it.effect(
  "I18: lets a write that is larger than a group travel alone, and others before and after it together",
  Effect.fnUntraced(function*() {
    const { shapes } = yield* SentGroups
    const accounts = yield* startDeciding((id) => decide(range(id === "large" ? 513 : 1).map(() => deposited(1))))
    yield* answersOf(yield* together(...["a", "b", "large", "c", "d"].map((id) => accounts.of(id).touch())))
    assert.deepStrictEqual(shapes(), [["a+1", "b+1"], ["large+513"], ["c+1", "d+1"]])
  }, Effect.provide(watchedStores))
)

it.effect(
  "I18: puts at most 4 MiB into a group",
  Effect.fnUntraced(function*() {
    const { all } = yield* SentGroups
    const accounts = yield* startAccounts()
    const note = "n".repeat(limits.eventBytesMax - 100)
    yield* answersOf(yield* together(...range(20).map((n) => accounts.of(`a${n}`).deposit({ cents: 1, note }))))
    assert.deepStrictEqual(all.map((group) => group.length), [16, 4])
  }, Effect.provide(watchedStores))
)

it.effect(
  "I1: puts a stream into a group once: who writes to the same one waits for the next, and nobody else does",
  Effect.fnUntraced(function*() {
    const { shapes } = yield* SentGroups
    const accounts = yield* startAccounts()
    for (const id of ["a", "b"]) yield* foreign(id, deposited(10))
    const transfer = (id: string) => accounts.of(id).transfer({ cents: 3, to: "x" })
    const callers = yield* together(transfer("a"), transfer("b"), Effect.asVoid(accounts.of("c").deposit({ cents: 1 })))
    yield* answersOf(callers)
    assert.deepStrictEqual(shapes(), [["a+1&x+1", "c+1"], ["b+1&x+1"]])
    assert.deepStrictEqual(yield* moved("x"), [3, 3])
  }, Effect.provide(watchedStores))
)

it.effect(
  "I1: puts a stream into a group once: an aggregate's own, and what another writes beside its own",
  Effect.fnUntraced(function*() {
    const { shapes } = yield* SentGroups
    const accounts = yield* startAccounts()
    yield* foreign("a", deposited(10))
    const callers = yield* together<unknown, unknown, never>(
      accounts.of("a").transfer({ cents: 3, to: "x" }),
      accounts.of("x").deposit({ cents: 4 }),
      accounts.of("c").deposit({ cents: 1 })
    )
    yield* answersOf(callers)
    // "x" was decided on the empty stream: it lost against the transfer, and was decided again.
    assert.deepStrictEqual(shapes(), [["a+1&x+1", "c+1"], ["x+1"], ["x+1"]])
    assert.deepStrictEqual(yield* moved("x"), [3, 4])
  }, Effect.provide(watchedStores))
)

it.effect(
  "I1: puts the messages under one key of two aggregates into two groups",
  Effect.fnUntraced(function*() {
    const { shapes } = yield* SentGroups
    const accounts = yield* startDeciding((id) => decide([], { publish: [{ topic: id, key: "k", body: 1 }] }))
    yield* answersOf(yield* together(accounts.of("a").touch(), accounts.of("b").touch()))
    assert.deepStrictEqual(shapes(), [["a+0&k+1"], ["b+0&k+1"]])
    assert.lengthOf(yield* storedIn({ ...accountStream("k"), category: "outbox" }), 2)
  }, Effect.provide(watchedStores))
)

/** With and without a receipt, and both in one group. */
const identities: ReadonlyArray<readonly [string, (n: number) => HandleOptions]> = [
  ["without ids", () => ({})],
  ["with ids", (n) => ({ commandId: `c${n}` })],
  ["with and without ids", (n) => n % 2 === 0 ? { commandId: `c${n}` } : {}]
]

for (const [who, identity] of identities) {
  for (const [when, fault] of [["before", lostBefore], ["after", lostAfter]] as const) {
    it.effect(
      `I7: a group ${who} that was lost ${when} it was written is sent again as it was, and written once`,
      Effect.fnUntraced(function*() {
        const { next } = yield* FaultyStore.FaultyStore
        const { all, shapes } = yield* SentGroups
        const accounts = yield* startAccounts()
        yield* next("append", fault)
        const callers = yield* together(
          ...["a", "b", "c"].map((id, n) =>
            accounts.of(id, { ...identity(n), returning: "commit" }).deposit({ cents: n + 1 })
          )
        )
        // Nobody else is held up, and nothing of them is mixed into what is in doubt.
        assert.deepStrictEqual(yield* answerOf(yield* fork(accounts.of("d").deposit({ cents: 9 }))), {
          balanceCents: 9
        })
        for (const caller of callers) assert.isUndefined(caller.pollUnsafe())
        yield* next("append", fault)
        yield* TestClock.adjust("1 minute")
        const answers = yield* answersOf(callers)
        const lost = ["a+1", "b+1", "c+1"]
        assert.deepStrictEqual(shapes(), [lost, ["d+1"], lost, lost])
        for (const again of [all[2], all[3]]) assert.deepStrictEqual(again, all[0])
        const first = when === "after" ? 1n : 2n
        for (const [n, id] of ["a", "b", "c"].entries()) {
          const { duplicate, position, reply, version } = answers[n]!
          assert.deepStrictEqual([duplicate, position, reply.balanceCents, version], [
            false,
            first + BigInt(n),
            n + 1,
            1
          ])
          assert.deepStrictEqual(yield* moved(id), [n + 1])
        }
      }, Effect.provide(watchedStores))
    )
  }

  it.effect(
    `I1: in a group ${who}, the store dying of one append costs its neighbours nothing`,
    Effect.fnUntraced(function*() {
      const { always, heal } = yield* FaultyStore.FaultyStore
      const accounts = yield* startAccounts()
      const dies: <A, E>(call: Effect.Effect<A, E>) => Effect.Effect<A, E> = () => Effect.die("a bug of the adapter")
      yield* always("append", dies, onStream("b"))
      const send = (id: string, n: number) => accounts.of(id, identity(n)).deposit({ cents: n + 1 })
      const [a, b, c] = yield* together<unknown, unknown, never>(send("a", 0), tagOf(send("b", 1)), send("c", 2))
      assert.deepStrictEqual(yield* answerOf(a!), { balanceCents: 1 })
      assert.deepStrictEqual(yield* answerOf(c!), { balanceCents: 3 })
      assert.strictEqual(yield* answerOf(b!), "OutcomeUnknown")
      yield* heal
      assert.deepStrictEqual([yield* moved("a"), yield* moved("b"), yield* moved("c")], [[1], [], [3]])
      assert.deepStrictEqual(yield* accounts.of("b", identity(1)).deposit({ cents: 2 }), { balanceCents: 2 })
    }, Effect.provide(watchedStores))
  )

  it.effect(
    `I1: in a group ${who}, the store dying once it has written is no news to anybody`,
    Effect.fnUntraced(function*() {
      const { next } = yield* FaultyStore.FaultyStore
      const accounts = yield* startAccounts()
      yield* next("append", diesAfter("a bug of the adapter"))
      const send = (id: string, n: number) =>
        accounts.of(id, { ...identity(n), returning: "commit" }).deposit({ cents: n + 1 })
      const answers = yield* answersOf(yield* together(...["a", "b", "c"].map(send)))
      assert.deepStrictEqual(answers.map(({ position, version }) => [version, position]), [[1, 1n], [1, 2n], [1, 3n]])
      for (const id of ["a", "b", "c"]) assert.lengthOf(yield* moved(id), 1)
    }, Effect.provide(watchedStores))
  )

  it.effect(
    `I7: in a group ${who} that the store refuses for one append, that one is not written and its neighbours are`,
    Effect.fnUntraced(function*() {
      const { always, heal } = yield* FaultyStore.FaultyStore
      const accounts = yield* startAccounts()
      yield* always("append", unavailable, onStream("b"))
      const send = (id: string, n: number) => accounts.of(id, identity(n)).deposit({ cents: n + 1 })
      const [a, b, c] = yield* together<unknown, unknown, never>(send("a", 0), tagOf(send("b", 1)), send("c", 2))
      assert.deepStrictEqual(yield* answersOf([a!, c!]), [{ balanceCents: 1 }, { balanceCents: 3 }])
      assert.strictEqual(yield* answerOf(b!), "StoreUnavailable")
      yield* heal
      assert.deepStrictEqual([yield* moved("a"), yield* moved("b"), yield* moved("c")], [[1], [], [3]])
    }, Effect.provide(watchedStores))
  )

  it.effect(
    `I1: in a group ${who}, an append that another writer overtook is decided again by itself`,
    Effect.fnUntraced(function*() {
      const { next, overtakenBy } = yield* FaultyStore.FaultyStore
      const { shapes } = yield* SentGroups
      const accounts = yield* startAccounts()
      yield* next("append", overtakenBy(Accounts.write("b", [deposited(50)])))
      const send = (id: string, n: number) => accounts.of(id, identity(n)).deposit({ cents: n + 1 })
      const answers = yield* answersOf(yield* together(...["a", "b", "c"].map(send)))
      assert.deepStrictEqual(answers.map(({ balanceCents }) => balanceCents), [1, 52, 3])
      assert.deepStrictEqual(shapes(), [["a+1", "b+1", "c+1"], ["b+1"]])
    }, Effect.provide(watchedStores))
  )
}

it.effect(
  "I1: settles the lost checks of a group, each with its own answer",
  Effect.fnUntraced(function*() {
    const { next } = yield* FaultyStore.FaultyStore
    const { shapes } = yield* SentGroups
    const accounts = yield* startAccounts()
    yield* next("append", lostAfter)
    const callers = yield* together<unknown, unknown, never>(
      Effect.flip(accounts.of("a", { commandId: "c" }).withdraw({ cents: 5 })),
      accounts.state("b"),
      accounts.of("c", { commandId: "d", returning: "commit" }).touch(),
      accounts.of("d").deposit({ cents: 1 })
    )
    yield* TestClock.adjust("1 second")
    const [no, state, touched, deposit] = yield* answersOf(callers)
    assert.propertyVal(no, "_tag", "InsufficientFunds")
    assert.deepStrictEqual(state, { balanceCents: 0 })
    assert.propertyVal(touched, "version", 0)
    assert.deepStrictEqual(deposit, { balanceCents: 1 })
    const checks = ["a+0", "b+0", "c+0", "d+1"]
    assert.deepStrictEqual(shapes(), [checks, checks])
  }, Effect.provide(watchedSharedStores))
)

/** Answers of a store that breaks its promise. */
const malformed = [["no writes", [{ _tag: "Committed", writes: [] }]], ["no status", []], ["nonsense", [{}]]] as const
for (const [what, statuses] of malformed) {
  it.effect(
    `I17: nobody waits for ever for a store that answers with ${what}`,
    Effect.fnUntraced(function*() {
      const { next } = yield* FaultyStore.FaultyStore
      const accounts = yield* startAccounts()
      const garble = (call: Effect.Effect<any, any>): Effect.Effect<any, any> => Effect.as(call, statuses)
      yield* next("append", garble)
      const first = yield* fork(tagOf(accounts.of("a").deposit({ cents: 1 })))
      assert.strictEqual(yield* answerOf(first), "OutcomeUnknown")
      assert.deepStrictEqual(yield* answerOf(yield* fork(accounts.of("a").deposit({ cents: 2 }))), { balanceCents: 3 })
    }, Effect.provide(watchedStores))
  )
}

it.effect(
  "I2: positions follow each other over all groups, and every answer names its own",
  Effect.fnUntraced(function*() {
    const accounts = yield* startAccounts()
    const callers = yield* Effect.forEach(
      range(200),
      (n) => forkAtOnce(accounts.of(`a${n % 17}`, { returning: "commit" }).deposit({ cents: 1 }))
    )
    const answers = yield* answersOf(callers)
    const { inner } = yield* FaultyStore.FaultyStore
    assert.strictEqual(yield* inner.head, 200n)
    for (const [n, { position, reply, version }] of answers.entries()) {
      assert.deepStrictEqual([reply.balanceCents, version], [Math.floor(n / 17) + 1, Math.floor(n / 17) + 1])
      assert.strictEqual((yield* positionsOf(`a${n % 17}`))[version - 1], position)
    }
  }, Effect.provide(watchedStores))
)

it.effect(
  "I17: two aggregates that move money to each other and back are both answered, again and again",
  Effect.fnUntraced(function*() {
    const accounts = yield* startAccounts()
    for (const id of ["a", "b"]) yield* foreign(id, deposited(1_000))
    const callers = yield* Effect.forEach(range(100), (n) =>
      forkAtOnce(
        n % 2 === 0
          ? accounts.of("a").transfer({ cents: 1, to: "b" })
          : accounts.of("b").transfer({ cents: 1, to: "a" })
      ))
    const exits = yield* Effect.forEach(callers, Fiber.await)
    assert.isTrue(exits.every(Exit.isSuccess))
    const sum = (cents: ReadonlyArray<number>) => cents.reduce((total, each) => total + each, 0)
    assert.deepStrictEqual([sum(yield* moved("a")), sum(yield* moved("b"))], [1_000, 1_000])
    assert.lengthOf(yield* moved("a"), 101)
  }, Effect.provide(watchedStores))
)
