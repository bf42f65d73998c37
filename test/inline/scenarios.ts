/**
 * Scenarios of inline views, as functions of the stores: whatever happens to those who append, every document is what the
 * events up to some position make of it, and whoever was answered finds his own.
 */
import { assert } from "@effect/vitest"
import { Context, Effect, Exit, Fiber, Latch } from "effect"
import { SecureRandom } from "effect/crypto"
import type { Commit } from "../../src/AggregateHost.ts"
import type { StreamId } from "../../src/Event.ts"
import { EventStore } from "../../src/EventStore.ts"
import { ProjectionHost } from "../../src/ProjectionHost.ts"
import type { Fault } from "../../src/testing/Faults.ts"
import * as FaultyStore from "../../src/testing/FaultyStore.ts"
import { randomOf, type Seeded } from "../../src/testing/Seeded.ts"
import * as Sample from "../../src/testing/suites/Sample.ts"
import { Accounts } from "../fixtures/Account.ts"
import { newEvent } from "../fixtures/Runtimes.ts"
import {
  areInline,
  assertFolded,
  assertSeen,
  Balances,
  becomeInline,
  foldLog,
  look,
  Notes,
  type Process,
  scenario,
  type Seen,
  start,
  type Stores
} from "./world.ts"

const accountOf = (random: Seeded) => `a-${random.below(6)}`

/** One command, whatever comes of it. */
const command = (random: Seeded, process: Process) => {
  const id = accountOf(random)
  const handle = Context.get(process.context, Accounts).of(id, {
    returning: "commit",
    commandId: SecureRandom.uuidV4Unsafe()
  })
  const cents = 1 + random.below(20)
  const kind = random.below(10)
  const sent: Effect.Effect<Commit<unknown>, unknown> = kind < 5
    ? handle.deposit(random.below(2) === 0 ? { cents } : { cents, note: `n-${random.below(3)}` })
    : kind < 8
    ? handle.withdraw({ cents })
    : handle.transfer({ cents, to: accountOf(random) })
  return { id, sent }
}

/** Sends so many commands, one after the other, and looks at the documents after each that was carried out. */
const client = Effect.fnUntraced(function*(process: Process, random: Seeded, count: number) {
  const seen: Array<Seen> = []
  let failed = 0
  for (let left = count; left > 0; left--) {
    const { id, sent } = command(random, process)
    const exit = yield* Effect.exit(sent)
    if (Exit.isFailure(exit) || exit.value.position === undefined) {
      failed++
      continue
    }
    seen.push(yield* look(process, "balances", id, exit.value.position))
    seen.push(yield* look(process, "notes", random.below(2) === 0 ? "all" : "n-1", exit.value.position))
  }
  return { seen, failed }
})

const clients = (process: Process, random: Seeded, count: number, commands: number) =>
  Effect.map(
    Effect.forEach(
      Array.from({ length: count }, () => randomOf(random.below(2 ** 31))),
      (own) => client(process, own, commands),
      { concurrency: "unbounded" }
    ),
    (all) => ({ seen: all.flatMap(({ seen }) => seen), failed: all.reduce((sum, { failed }) => sum + failed, 0) })
  )

/** Many clients at once: what they read right after each answer is the truth, and so is what the views tell. */
export const readsItsOwn = (stores: Stores, seed: number) =>
  scenario(
    stores,
    Effect.gen(function*() {
      const process = yield* start()
      assert.isTrue(yield* areInline)
      const { seen } = yield* clients(process, randomOf(seed), 12, 8)
      yield* process.told
      const folded = yield* foldLog
      assertSeen(folded, [...seen, ...process.changes])
      yield* assertFolded
      assert.isTrue(yield* areInline)
      return { looked: seen.length, told: process.changes.length }
    })
  )

const haveTold = (...processes: ReadonlyArray<Process>) =>
  Effect.forEach(processes, ({ told }) => told, { discard: true })

/** Two processes that write the same accounts, and the same documents. */
export const sideBySide = (stores: Stores, seed: number) =>
  scenario(
    stores,
    Effect.gen(function*() {
      const random = randomOf(seed)
      const [one, other] = [yield* start(), yield* start()]
      const both = yield* Effect.all([clients(one, random, 6, 6), clients(other, random, 6, 6)], {
        concurrency: "unbounded"
      })
      yield* haveTold(one, other)
      assertSeen(yield* foldLog, [...both.flatMap(({ seen }) => seen), ...one.changes, ...other.changes])
      yield* assertFolded
      assert.isTrue(yield* areInline)
    })
  )

/** Some of its appends are lost on the way, or their replies are; some are refused. */
const unreliable = (random: Seeded): Fault<never> => (call) => {
  const fault = ([FaultyStore.lostBefore, FaultyStore.lostAfter, FaultyStore.unavailable] as const)[random.below(9)]
  return fault === undefined ? call : (fault(call) as typeof call)
}

/** Appends that are lost and sent again are taken in once. */
export const losesAppends = (stores: Stores, seed: number) =>
  scenario(
    stores,
    Effect.gen(function*() {
      const random = randomOf(seed)
      const [one, other] = [yield* start(), yield* start()]
      one.trouble(unreliable(random))
      const both = yield* Effect.all([clients(one, random, 6, 6), clients(other, random, 3, 6)], {
        concurrency: "unbounded"
      })
      one.trouble(undefined)
      yield* haveTold(one, other)
      assertSeen(yield* foldLog, [...both.flatMap(({ seen }) => seen), ...one.changes, ...other.changes])
      yield* assertFolded
    })
  )

/** A process dies at its `nth` append, before it was made or after, and another one goes on. */
export const killed = (stores: Stores, seed: number, nth: number, side: "before" | "after") =>
  scenario(
    stores,
    Effect.gen(function*() {
      const random = randomOf(seed)
      const [one, other] = [yield* start(), yield* start()]
      const died = yield* Latch.make()
      let calls = 0
      one.trouble((call) => {
        if (died.isOpen() || ++calls < nth) return died.isOpen() ? Effect.never : call
        died.openUnsafe()
        return side === "before" ? Effect.never : Effect.andThen(call, Effect.never)
      })
      const own = yield* Effect.forkChild(clients(one, random, 6, 6), { startImmediately: true })
      const { seen } = yield* clients(other, random, 3, 6)
      yield* Effect.raceFirst(Fiber.await(own), died.await)
      yield* one.kill
      yield* one.answered
      const after = yield* clients(other, random, 3, 3)
      yield* other.told
      assertSeen(yield* foldLog, [...seen, ...after.seen, ...one.changes, ...other.changes])
      yield* assertFolded
      assert.isTrue(yield* areInline)
      return died.isOpen()
    })
  )

const stream = (id: string): StreamId => ({ tenant: "default", category: "Account", id })

/** Somebody who does not know the views writes some events. */
const stranger = Effect.fnUntraced(function*(random: Seeded, count: number) {
  const store = yield* EventStore
  for (let left = count; left > 0; left--) {
    const cents = 1 + random.below(20)
    const data = random.below(2) === 0 ? { cents } : { cents, note: `n-${random.below(3)}` }
    const write = { expected: "any", events: [newEvent({ type: "MoneyDeposited", data })], receipts: [] } as const
    const [status] = yield* store.append([[{ ...write, stream: stream(accountOf(random)) }]])
    assert.strictEqual(status!._tag, "Committed")
    if (random.below(4) === 0) yield* Effect.yieldNow
  }
})

/** A log is there, and commands come without pause, while the views are filled and become inline. */
export const handsOver = (stores: Stores, seed: number, before: number) =>
  scenario(
    stores,
    Effect.gen(function*() {
      const random = randomOf(seed)
      yield* stranger(random, before)
      const [one, other] = [yield* start(), yield* start()]
      const clientsOf = (process: Process) => clients(process, random, 4, 25)
      yield* Effect.all([clientsOf(one), clientsOf(other)], { concurrency: "unbounded" })
      yield* becomeInline([one, other])
      yield* assertFolded
      const { seen } = yield* clients(one, random, 4, 5)
      assertSeen(yield* foldLog, seen)
      yield* assertFolded
      assert.isTrue(yield* areInline)
    })
  )

/** Somebody who does not know the views appends now and then, while they are inline and while they are filled. */
export const amongStrangers = (stores: Stores, seed: number, times = 5) =>
  scenario(
    stores,
    Effect.gen(function*() {
      const random = randomOf(seed)
      const [one, other] = [yield* start(), yield* start()]
      const strange = Effect.gen(function*() {
        for (let left = times; left > 0; left--) {
          yield* Effect.sleep(500 + random.below(4_000))
          yield* stranger(random, 1 + random.below(5))
        }
      })
      const steady = (process: Process) =>
        Effect.forEach(
          Array.from({ length: 2 * times }),
          () => Effect.andThen(clients(process, random, 3, 3), Effect.sleep(random.below(2_000))),
          { discard: true }
        )
      yield* Effect.all([steady(one), steady(other), strange], { concurrency: "unbounded" })
      const head = yield* Sample.head
      for (const { definition } of [Balances, Notes]) {
        yield* Context.get(one.context, ProjectionHost).await(definition, head, { deadline: "1 minute" })
      }
      yield* assertFolded
      yield* becomeInline([one, other])
      yield* assertFolded
      const { seen } = yield* clients(other, random, 3, 3)
      assertSeen(yield* foldLog, seen)
      yield* assertFolded
    })
  )
