/** Interruption ends a caller's wait, and never the command. */
import { assert, it } from "@effect/vitest"
import { Effect, Exit, Fiber, Latch } from "effect"
import { decide } from "../../src/Aggregate.ts"
import { isCommandFailed } from "../../src/AggregateHost.ts"
import * as FaultyStore from "../../src/testing/FaultyStore.ts"
import { randomOf } from "../../src/testing/Seeded.ts"
import { Accounts, behavior, Supervisor } from "../fixtures/Account.ts"
import {
  accountStream,
  answerOf,
  deposited,
  fork,
  forkAtOnce,
  moved,
  start,
  startAccounts,
  storedIn,
  stores
} from "../fixtures/Runtimes.ts"

const points = [
  ["while the stream is read", "readStream", "before"],
  ["after the stream was read", "readStream", "after"],
  ["while the append is under way", "append", "before"],
  ["after the append was written", "append", "after"]
] as const

for (const [when, operation, side] of points) {
  it.effect(
    `I7: carries a command out though its caller was interrupted ${when}`,
    Effect.fnUntraced(function*() {
      const { next } = yield* FaultyStore.FaultyStore
      const gate = yield* FaultyStore.gate
      const accounts = yield* startAccounts()
      yield* next(operation, gate[side])
      const caller = yield* fork(accounts.of("a").deposit({ cents: 5 }))
      yield* gate.arrived
      yield* Fiber.interrupt(caller)
      assert.isTrue(Exit.hasInterrupts(yield* Fiber.await(caller)))
      yield* gate.open
      assert.deepStrictEqual(yield* accounts.of("a").deposit({ cents: 1 }), { balanceCents: 6 })
      assert.deepStrictEqual(yield* moved("a"), [5, 1])
    }, Effect.provide(stores))
  )
}

it.effect(
  "carries a command out though its caller was interrupted while its handler ran",
  Effect.fnUntraced(function*() {
    const latch = yield* Latch.make()
    const touch = () => Effect.as(latch.await, decide([deposited(5)]))
    const live = Accounts.toLayer({ ...behavior, handlers: { ...behavior.handlers, touch } })
    const accounts = yield* start(Accounts, live).pipe(Effect.provide(Supervisor.layerYes))
    const caller = yield* fork(accounts.of("a").touch())
    yield* Fiber.interrupt(caller)
    yield* latch.open
    assert.deepStrictEqual(yield* accounts.state("a"), { balanceCents: 5 })
  }, Effect.provide(stores))
)

it.effect(
  "I17: carries a command out in its turn though its caller was interrupted while it waited",
  Effect.fnUntraced(function*() {
    const { next } = yield* FaultyStore.FaultyStore
    const gate = yield* FaultyStore.gate
    const accounts = yield* startAccounts()
    yield* next("append", gate.before)
    yield* fork(accounts.of("a").deposit({ cents: 1 }))
    const gone = yield* fork(accounts.of("a").deposit({ cents: 2 }))
    const last = yield* fork(accounts.of("a").deposit({ cents: 3 }))
    yield* Fiber.interrupt(gone)
    yield* gate.open
    yield* answerOf(last)
    assert.deepStrictEqual(yield* moved("a"), [1, 2, 3])
  }, Effect.provide(stores))
)

it.effect(
  "does not send what was interrupted before it began",
  Effect.fnUntraced(function*() {
    const accounts = yield* startAccounts()
    const caller = yield* Effect.forkChild(accounts.of("a").deposit({ cents: 1 }))
    yield* Fiber.interrupt(caller)
    yield* accounts.state("a")
    assert.deepStrictEqual(yield* moved("a"), [])
  }, Effect.provide(stores))
)

it.effect.each([1, 2, 3])(
  "I17: a thousand interruptions at random lose no command and repeat none (seed %i)",
  (seed) =>
    Effect.gen(function*() {
      const { always, inner } = yield* FaultyStore.FaultyStore
      const random = randomOf(seed)
      const pause = Effect.suspend(() => Effect.replicateEffect(Effect.yieldNow, random.below(8), { discard: true }))
      yield* always("append", FaultyStore.first(pause))
      const accounts = yield* startAccounts({ mailboxCapacity: 2 })
      const callers: Array<Fiber.Fiber<unknown, unknown>> = []
      for (let interrupted = 0; interrupted < 1_000;) {
        const client = accounts.of("a", { commandId: `c${callers.length}` })
        const command = random.below(4) === 0 ? client.withdrawApproved({ cents: 3 }) : client.deposit({ cents: 1 })
        callers.push(yield* forkAtOnce(Effect.asVoid(command)))
        if (random.below(4) > 0) continue
        const waiting = callers.slice(-10).filter((caller) => caller.pollUnsafe() === undefined)
        if (waiting.length > 0 && random.below(2) === 0) {
          yield* Fiber.interrupt(waiting[random.below(waiting.length)]!)
          interrupted++
        }
        yield* pause
      }
      const exits = yield* Effect.forEach(callers, Fiber.await)
      yield* accounts.state("a")

      const causes = (yield* storedIn(accountStream("a"))).map(({ metadata }) => JSON.parse(metadata).causationId)
      assert.strictEqual(new Set(causes).size, causes.length, "one event for each command")
      const seen = { answered: 0, full: 0, interrupted: 0 }
      for (const [sent, exit] of exits.entries()) {
        const receipt = yield* inner.receipt(accountStream("a"), `c${sent}`)
        const accepted = !isFull(exit)
        seen[!accepted ? "full" : Exit.hasInterrupts(exit) ? "interrupted" : "answered"]++
        assert.strictEqual(receipt !== undefined, accepted)
        assert.strictEqual(causes.includes(`c${sent}`), accepted && !receipt!.outcome.startsWith("{\"error\""))
      }
      assert.strictEqual(seen.interrupted, 1_000)
      assert.isTrue(seen.answered > 100 && seen.full > 100, JSON.stringify(seen))
    }).pipe(Effect.provide(stores))
)

const isFull = (exit: Exit.Exit<unknown, unknown>): boolean => {
  const error = Exit.findErrorOption(exit)
  return error._tag === "Some" && isCommandFailed(error.value) && error.value.reason._tag === "MailboxFull"
}
