/**
 * The store in memory and another one are told the same, group by group, and must answer the same.
 *
 * The memory store is small enough to be read; SQLite and PostgreSQL are not. `VARVE_FUZZ_GROUPS` and `VARVE_FUZZ_SEED` set how long
 * and what; a failure says with which seed it comes back.
 */
import { assert, it } from "@effect/vitest"
import { deepStrictEqual } from "@effect/vitest/utils"
import { Context, Effect, Exit, Layer, Random, type Scope } from "effect"
import { SecureRandom } from "effect/crypto"
import { TestClock } from "effect/testing"
import type { Refusal } from "../src/Admission.ts"
import { type Append, EventStore, type Status } from "../src/EventStore.ts"
import * as Memory from "../src/memory/Memory.ts"
import * as Postgres from "../src/postgres/Postgres.ts"
import { SnapshotStore } from "../src/SnapshotStore.ts"
import * as Sample from "../src/testing/suites/Sample.ts"
import { type Dice, dice } from "./fuzz/dice.ts"
import * as Groups from "./fuzz/groups.ts"
import { change, type Read, reads, type Stores } from "./fuzz/reads.ts"
import { freshSchema, onPostgres, place, stranger, turnClock } from "./postgres/server.ts"
import { layerFresh } from "./sqlite/file.ts"

const groupCounts = (usual: number) => Number(process.env["VARVE_FUZZ_GROUPS"] ?? usual)
const seed = process.env["VARVE_FUZZ_SEED"] ?? SecureRandom.uuidV4Unsafe()
const readEvery = 100

const build = (layer: Layer.Layer<EventStore | SnapshotStore, unknown>) =>
  Effect.map(Layer.build(layer), (context): Stores => ({
    events: Context.get(context, EventStore),
    snapshots: Context.get(context, SnapshotStore)
  }))

/** How often each kind of answer was given. */
type Tally = Map<string, number>

const count = (tally: Tally, append: Append, status: Status, answered: Set<Append>): void => {
  const kind = kindOf(append, status, answered.has(append))
  tally.set(kind, (tally.get(kind) ?? 0) + 1)
  if (status._tag === "Committed") answered.add(append)
}

const kindOf = (append: Append, status: Status, isKnown: boolean): string => {
  switch (status._tag) {
    case "Committed":
      if (append.every(({ events }) => events.length === 0)) return "checked"
      return isKnown ? "recognized" : append.length === 1 ? "committed" : "committed as a whole"
    case "Duplicate":
      return status.receipts.length === 1 ? "duplicate" : "duplicate of several"
    case "Conflict":
      return status.write === 0 ? "conflict on the first write" : "conflict on a later write"
    case "DocumentConflict":
      return status.write === 0 ? "document conflict on the first write" : "document conflict on a later write"
    case "ViewsChanged":
      return `view is ${status.state}`
    case "Refused":
      return status.reason._tag === "ViewRefused"
        ? "refused by a view"
        : `refused: ${status.reason.what}, ${wordsOf(status.reason)}`
  }
}

const wordsOf = (reason: Refusal): string =>
  reason._tag === "LimitExceeded" ? reason.unit : reason.problem.replaceAll(/\d+/g, "n")

/** Every kind of answer that a store can give, and how often in ten thousand groups at least. */
const kinds: Readonly<Record<string, number>> = {
  committed: 3_000,
  "committed as a whole": 1_000,
  checked: 500,
  recognized: 500,
  duplicate: 1_000,
  "duplicate of several": 1_000,
  "conflict on the first write": 1_000,
  "conflict on a later write": 200,
  "refused: the append, writes": 50,
  "refused: the append, it holds no write": 50,
  "refused: the append, its stream is already in the group": 500,
  "refused: the write, events": 50,
  "refused: the write, bytes": 50,
  "refused: the write, it carries a command id twice": 50,
  "refused: the tenant, it is empty": 50,
  "refused: the category, it contains a NUL character": 50,
  "refused: the id, it contains a lone surrogate": 50,
  "refused: the id, characters": 50,
  "refused: the command id, characters": 50,
  "refused: the command id, it is empty": 50,
  "refused: the expectation, a version, noStream, exists or any is expected": 50,
  "refused: a receipt, it counts n events through n of n": 50,
  "refused: an outcome, bytes": 50
}

const askBoth = Effect.fnUntraced(function*(memory: Stores, other: Stores, { ask, what }: Read) {
  deepStrictEqual(yield* Effect.exit(ask(other)), yield* Effect.exit(ask(memory)), what)
})

/** A store to compare, and how its clock is told the time. */
interface Other {
  readonly stores: Stores
  readonly setClock: (millis: number) => Effect.Effect<void>
}

const sqlite = Effect.map(build(layerFresh), (stores): Other => ({ stores, setClock: () => Effect.void }))

const postgres = Effect.gen(function*() {
  const schema = yield* freshSchema
  const stores = yield* build(Postgres.layer({ ...place, schema }))
  const sql = yield* stranger
  // Receipts of one moment are told apart by their place.
  yield* sql`ALTER TABLE ${sql(`${schema}.receipts`)} SET (autovacuum_enabled = off)`
  return { stores, setClock: yield* turnClock(schema) } satisfies Other
})

/** Time goes on by fits and starts, and back now and then. */
const tick = Effect.fnUntraced(function*(dice: Dice, now: { millis: number }) {
  now.millis += dice.chance(5) ? -dice.below(10_000) : dice.below(300) / 3
  yield* TestClock.setTime(now.millis)
})

const compare = Effect.fnUntraced(function*<E, R>(opened: Effect.Effect<Other, E, R>, groupCount: number) {
  const [memory, { setClock, stores: other }, by] = [yield* build(Memory.layer), yield* opened, yield* dice]
  const groups = Groups.make(by)
  const [tally, answered, now]: [Tally, Set<Append>, { millis: number }] = [new Map(), new Set(), { millis: 1e12 }]
  for (let number = 1; number <= groupCount; number++) {
    yield* tick(by, now)
    yield* setClock(now.millis)
    const group = groups.next()
    const statuses = yield* memory.events.append(group)
    deepStrictEqual(yield* other.events.append(group), statuses, `group ${number}`)
    statuses.forEach((status, index) => count(tally, group[index]!, status, answered))
    groups.learn(group, statuses)
    if (by.chance(15)) yield* askBoth(memory, other, change(by, now.millis))
    if (number % readEvery === 0) {
      for (const read of reads(by, yield* memory.events.head)) yield* askBoth(memory, other, read)
    }
  }
  const logs = [memory, other].map(({ events }) => Effect.provideService(Sample.wholeLog(0n), EventStore, events))
  const [expected, actual] = yield* Effect.all(logs)
  deepStrictEqual(actual, expected)
  deepStrictEqual(expected!.map(({ position }) => position), expected!.map((_, index) => BigInt(index + 1)))
  return tally
})

const answersAlike = <E>(name: string, opened: Effect.Effect<Other, E, Scope.Scope>, groupCount: number) =>
  it.effect(`${name} answers as memory does, whatever it is told`, () =>
    Effect.gen(function*() {
      const exit = yield* Effect.exit(Random.withSeed(compare(opened, groupCount), seed))
      if (Exit.isFailure(exit)) yield* Effect.logError(`VARVE_FUZZ_SEED=${seed} brings this failure back`)
      const tally = yield* exit
      for (const [kind, times] of Object.entries(kinds)) {
        assert.isAtLeast(tally.get(kind) ?? 0, Math.floor(times * groupCount / 10_000), `${kind} (seed ${seed})`)
      }
    }), 300_000)

answersAlike("SQLite", sqlite, groupCounts(10_000))
onPostgres(() => answersAlike("PostgreSQL", postgres, groupCounts(2_000)))
