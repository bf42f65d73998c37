/**
 * Each aggregate behaves as one, whoever runs it: the recorded histories of many clients, on two runtimes that know
 * nothing of each other and a store that fails, are those of one aggregate that does one thing after the other.
 */
import { assert, it } from "@effect/vitest"
import { Context, Effect, Exit, Fiber, Layer, Random, Scope } from "effect"
import { TestClock } from "effect/testing"
import type { AppendLost, StoreUnavailable } from "../../src/EventStore.ts"
import * as Sqlite from "../../src/sqlite/Sqlite.ts"
import type { Fault } from "../../src/testing/Faults.ts"
import * as FaultyStore from "../../src/testing/FaultyStore.ts"
import { randomOf, type Seeded } from "../../src/testing/Seeded.ts"
import type { Accounts } from "../fixtures/Account.ts"
import { accountModel } from "../fixtures/AccountModel.ts"
import { type Call, check, type Line, print } from "../fixtures/History.ts"
import { send, storedLine } from "../fixtures/Recording.ts"
import { fork, metric, sharedStores, startAccounts } from "../fixtures/Runtimes.ts"
import { freshFile } from "../sqlite/file.ts"

const clients = 12

/** Lets others go first, and now and then fails, loses, or delays the call. */
const trouble = (random: Seeded): Fault<StoreUnavailable | AppendLost> => (call) =>
  Effect.suspend(() => {
    const pause = Effect.replicateEffect(Effect.yieldNow, random.below(5), { discard: true })
    return Effect.andThen(pause, oneOf(random)(call))
  })

const oneOf = (random: Seeded): Fault<StoreUnavailable | AppendLost> => {
  const { lostAfter, lostBefore, unavailable } = FaultyStore
  const delayed: Fault = (call) => Effect.delay(call, random.below(200))
  return [lostAfter, lostBefore, unavailable, delayed, delayed, delayed][random.below(40)] ?? ((call) => call)
}

const nextCall = (
  random: Seeded,
  sent: ReadonlyArray<readonly [string, Call]>,
  op: string
): readonly [string, Call] => {
  const account = `a${random.below(20)}`
  const cents = 1 + random.below(9)
  switch (random.below(12)) {
    case 0:
    case 1:
      return [account, { tag: "state", payload: {} }]
    case 2:
      return [account, { tag: "touch", payload: {} }]
    case 3:
    case 4: {
      const earlier = sent.filter(([, { commandId }]) => commandId !== undefined)
      if (earlier.length > 0) return earlier[earlier.length - 1 - random.below(Math.min(earlier.length, 20))]!
      return [account, { tag: "deposit", payload: { cents } }]
    }
    default: {
      const tag = random.oneOf(["deposit", "deposit", "withdraw", "withdrawApproved"])
      const commandId = random.below(2) === 0 ? { commandId: op } : {}
      const ifVersion = random.below(20) === 0 ? { ifVersion: random.below(8) } : {}
      return [account, { tag, payload: { cents }, ...commandId, ...ifVersion }]
    }
  }
}

/** Clients on these runtimes, each doing one thing after the other; some do not wait for the answer. */
const record = Effect.fnUntraced(function*(
  runtimes: ReadonlyArray<Accounts["Service"]>,
  random: Seeded,
  operations: number
) {
  const lines: Array<Line> = []
  const sent: Array<readonly [string, Call]> = []
  let at = 0
  const recorder = { now: () => ++at, write: (line: Line) => lines.push(line) }
  const client = Effect.fnUntraced(function*(index: number) {
    for (let operation = 0; operation < operations; operation++) {
      const op = `c${index}-${operation}`
      const [account, call] = nextCall(random, sent, op)
      sent.push([account, call])
      const deadline = random.below(6) === 0 ? 1 + random.below(60) : undefined
      const asking = yield* fork(send(recorder, runtimes[index % runtimes.length]!, op, account, call, { deadline }))
      if (random.below(15) === 0) yield* Fiber.interrupt(asking)
      yield* Fiber.await(asking)
    }
  })
  const all = yield* Effect.forEach(Array.from({ length: clients }), (_, index) => fork(client(index)))
  while (all.some((fiber) => fiber.pollUnsafe() === undefined)) yield* TestClock.adjust(20)
  yield* Fiber.joinAll(all)
  // What nobody waits for any more is still carried out.
  yield* TestClock.adjust("1 minute")
  return lines
})

/** Adds to a history what the log holds. */
const withLog = Effect.fnUntraced(function*(lines: ReadonlyArray<Line>) {
  const { inner } = yield* FaultyStore.FaultyStore
  const stored: Array<Line> = []
  for (let after = 0n;;) {
    const { events, position } = yield* inner.readAll({ after })
    if (events.length === 0) return [...lines, ...stored]
    stored.push(...events.map((event) => storedLine(event)))
    after = position
  }
})

/** What two runtimes make of a seed. */
const historyOf = Effect.fnUntraced(function*(seed: number) {
  const random = randomOf(seed)
  const { always } = yield* FaultyStore.FaultyStore
  yield* always("append", trouble(random))
  yield* always("readStream", (call) => Effect.andThen(Effect.yieldNow, call))
  const settings = { maxIdleTime: 100, mailboxCapacity: 8, snapshotEvery: 4 }
  const runtimes = yield* Effect.replicateEffect(startAccounts(settings, { maxActive: 15 }), 2)
  return yield* withLog(yield* record(runtimes, random, 150))
}, (history, seed) => Random.withSeed(history, seed))

it.effect.each([1, 2, 3, 4, 5, 6])(
  "I4: two runtimes on one failing store are as one aggregate each (seed %i)",
  (seed) =>
    Effect.gen(function*() {
      const history = yield* historyOf(seed)
      assert.deepStrictEqual(check(history, accountModel), [])

      const counted = (of: (line: Line) => boolean) => history.filter(of).length
      const told = (tag: string) => counted((line) => line._tag === "Returned" && line.outcome._tag === tag)
      assert.isAbove(counted(({ _tag }) => _tag === "Stored"), 300)
      for (const tag of ["Replied", "Rejected", "Failed", "Unknown"]) assert.isAbove(told(tag), 5, tag)
      assert.isAbove(yield* metric("varve_aggregate_passivations_total"), 20)
      assert.strictEqual(yield* metric("varve_snapshots_discarded_total"), 0)
      assert.strictEqual(yield* metric("varve_aggregate_restarts_total"), 0)
    }).pipe(Effect.provide(sharedStores))
)

it.effect("the same seed leads to the same history, so that a failure can be had again", () => {
  const printed = Effect.map(historyOf(1), print).pipe(Effect.provide(sharedStores), Effect.scoped)
  return Effect.map(Effect.all([printed, printed]), ([once, again]) => assert.strictEqual(once, again))
})

/** Stores over connections of their own to one SQLite file, with faults on command. */
const connections = Effect.gen(function*() {
  const filename = yield* freshFile
  const connection = FaultyStore.layerShared.pipe(Layer.provideMerge(Sqlite.layer({ filename })), Layer.build)
  return [yield* connection, yield* connection] as const
})

it.effect(
  "I4: two runtimes on one SQLite file, each with a connection of its own, are as one aggregate each",
  Effect.fnUntraced(function*() {
    const random = randomOf(8)
    const runtimes: Array<Accounts["Service"]> = []
    const stores = yield* connections
    for (const store of stores) {
      yield* Context.get(store, FaultyStore.FaultyStore).always("append", trouble(random))
      runtimes.push(yield* Effect.provideContext(startAccounts({ snapshotEvery: 4 }), store))
    }
    const history = yield* Effect.provideContext(Effect.flatMap(record(runtimes, random, 40), withLog), stores[0])
    assert.deepStrictEqual(check(history, accountModel), [])
    assert.isAbove(history.filter(({ _tag }) => _tag === "Stored").length, 100)
  })
)

/** Up to three small runtimes at a time, some of which stop in the middle of everything. */
const recordRestarts = Effect.fnUntraced(function*(random: Seeded) {
  const lines: Array<Line> = []
  const sent: Array<readonly [string, Call]> = []
  let at = 0
  const recorder = { now: () => ++at, write: (line: Line) => lines.push(line) }
  for (let run = 0; run < 10; run++) {
    const scope = yield* Scope.make()
    const settings = {
      drainDeadline: random.below(3) * 50,
      snapshotEvery: 3,
      mailboxCapacity: 2 + random.below(4),
      maxIdleTime: 40
    }
    const runtimes = yield* Effect.replicateEffect(startAccounts(settings, { maxActive: 8 }), 1 + random.below(3)).pipe(
      Scope.provide(scope)
    )
    for (let operation = 0; operation < 60; operation++) {
      const op = `r${run}-${operation}`
      const [account, call] = nextCall(random, sent, op)
      sent.push([account, call])
      const accounts = runtimes[random.below(runtimes.length)]!
      const deadline = random.below(4) === 0 ? random.below(60) : undefined
      const asking = yield* fork(send(recorder, accounts, op, account, call, { deadline }))
      if (random.below(10) === 0) yield* Fiber.interrupt(asking)
      yield* random.below(6) === 0 ? TestClock.adjust(random.below(30)) : Effect.yieldNow
    }
    const stopped = yield* fork(Scope.close(scope, Exit.void))
    // The next ones may start before these have stopped.
    if (random.below(2) === 0) { while (stopped.pollUnsafe() === undefined) yield* TestClock.adjust(10) }
  }
  yield* TestClock.adjust("1 minute")
  return lines
})

it.effect.each([1, 2, 3, 4])(
  "I4: runtimes that stop and start leave no trace in a history (seed %i)",
  (seed) =>
    Effect.gen(function*() {
      const random = randomOf(seed)
      const { always } = yield* FaultyStore.FaultyStore
      yield* always("append", trouble(random))
      const history = yield* withLog(yield* recordRestarts(random))
      assert.deepStrictEqual(check(history, accountModel), [])
      assert.isAbove(history.filter((line) => line._tag === "Returned" && line.outcome._tag === "Replied").length, 100)
      assert.strictEqual(yield* metric("varve_snapshots_discarded_total"), 0)
    }).pipe(Random.withSeed(seed), Effect.provide(sharedStores))
)
