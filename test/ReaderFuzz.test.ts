/**
 * The stores of readers in memory and others are told the same, deed by deed, and must answer the same.
 *
 * `VARVE_FUZZ_DEEDS` and `VARVE_FUZZ_SEED` set how long and what; a failure says with which seed it comes back.
 */
import { assert, it } from "@effect/vitest"
import { deepStrictEqual } from "@effect/vitest/utils"
import { Cause, Context, Effect, Exit, Layer, Random, type Scope } from "effect"
import { SecureRandom } from "effect/crypto"
import { TestClock } from "effect/testing"
import { CheckpointStore } from "../src/CheckpointStore.ts"
import { DeadLetters } from "../src/DeadLetters.ts"
import { Lease } from "../src/Lease.ts"
import * as Memory from "../src/memory/Memory.ts"
import * as Postgres from "../src/postgres/Postgres.ts"
import { ViewStore } from "../src/ViewStore.ts"
import { dice } from "./fuzz/dice.ts"
import { type Deed, everything, next, type Readers } from "./fuzz/readers.ts"
import { freshSchema, onPostgres, place, turnClock } from "./postgres/server.ts"
import { layerFresh } from "./sqlite/file.ts"

const deedCounts = (usual: number) => Number(process.env["VARVE_FUZZ_DEEDS"] ?? usual)
const seed = process.env["VARVE_FUZZ_SEED"] ?? SecureRandom.uuidV4Unsafe()
const lookEvery = 20

const build = (layer: Layer.Layer<CheckpointStore | ViewStore | DeadLetters | Lease, unknown>) =>
  Effect.map(Layer.build(layer), (context): Readers => ({
    checkpoints: Context.get(context, CheckpointStore),
    views: Context.get(context, ViewStore),
    letters: Context.get(context, DeadLetters),
    leases: Context.get(context, Lease)
  }))

/** How something ended, without what tells one fiber from another. */
const outcomeOf = (exit: Exit.Exit<unknown, unknown>): readonly [kind: string, value: unknown] => {
  if (Exit.isSuccess(exit)) return ["answered", exit.value]
  if (Exit.hasInterrupts(exit)) return ["interrupted", undefined]
  const problem = Cause.squash(exit.cause)
  return [Exit.hasDies(exit) ? "died" : "failed", problem]
}

const kindOf = (what: string, [kind, value]: ReturnType<typeof outcomeOf>): string => {
  const tag = typeof value === "object" && value !== null && "_tag" in value ? ` of ${String(value._tag)}` : ""
  return `${what.split(" ")[0]} ${kind}${kind === "answered" ? "" : tag}`
}

/** What ten thousand deeds must reach, and how often at least. */
const kinds: Readonly<Record<string, number>> = {
  "step answered": 500,
  "step failed": 100,
  "step failed of CheckpointMoved": 500,
  "step failed of StoreUnavailable": 15,
  "step died": 70,
  "step died of InputInvalid": 10,
  "step interrupted": 70,
  "transaction answered": 300,
  "transaction failed": 70,
  "transaction failed of CheckpointMoved": 5,
  "transaction died": 50,
  "transaction interrupted": 40,
  "write answered": 400,
  "write failed of StoreUnavailable": 80,
  "write failed of InputInvalid": 40,
  "write failed of LimitExceeded": 3,
  "list answered": 400,
  "list failed of StoreUnavailable": 50,
  "flip answered": 80,
  "put answered": 200,
  "put died of InputInvalid": 4,
  "unpark answered": 60,
  "claim answered": 100
}

/** Stores to compare, and how their clock is told the time. */
interface Other {
  readonly readers: Readers
  readonly setClock: (millis: number) => Effect.Effect<void>
}

const byTestClock = (readers: Readers): Other => ({ readers, setClock: () => Effect.void })

const memory = Effect.map(build(Memory.layer), byTestClock)

const sqlite = Effect.map(build(layerFresh), byTestClock)

const postgres = Effect.gen(function*() {
  const schema = yield* freshSchema
  const readers = yield* build(Postgres.layer({ ...place, schema }))
  return { readers, setClock: yield* turnClock(schema) } satisfies Other
})

/** Tells all of them the same, and counts how it ended; what they answer must be what the first one answers. */
const play = Effect.fnUntraced(
  function*([first, ...others]: readonly [Other, ...ReadonlyArray<Other>], deedCount: number) {
    const by = yield* dice
    const tally = new Map<string, number>()
    let nowMillis = 1e12
    const askAll = Effect.fnUntraced(function*({ ask, what }: Deed, number: number) {
      const expected = outcomeOf(yield* Effect.exit(ask(first.readers)))
      for (const { readers } of others) {
        deepStrictEqual(outcomeOf(yield* Effect.exit(ask(readers))), expected, `deed ${number}: ${what}`)
      }
      return expected
    })
    for (let number = 1; number <= deedCount; number++) {
      nowMillis += by.below(900) / 3
      yield* TestClock.setTime(nowMillis)
      yield* Effect.forEach([first, ...others], ({ setClock }) => setClock(nowMillis), { discard: true })
      const deed = next(by)
      const kind = kindOf(deed.what, yield* askAll(deed, number))
      tally.set(kind, (tally.get(kind) ?? 0) + 1)
      if (number % lookEvery === 0) { for (const look of everything) yield* askAll(look, number) }
    }
    return tally
  }
)

// A seed of its own: what chance makes rare would now and then be missing.
it.effect("ten thousand deeds reach every way to end", () =>
  Effect.gen(function*() {
    const tally = yield* Random.withSeed(play([yield* memory], 10_000), "every way to end")
    for (const [kind, times] of Object.entries(kinds)) assert.isAtLeast(tally.get(kind) ?? 0, times, kind)
  }))

const answersAlike = <E>(name: string, opened: Effect.Effect<Other, E, Scope.Scope>, deedCount: number) =>
  it.effect(`I11, I12: ${name} answers as memory does, whatever readers do`, () =>
    Effect.gen(function*() {
      const exit = yield* Effect.exit(Random.withSeed(play([yield* memory, yield* opened], deedCount), seed))
      if (Exit.isFailure(exit)) yield* Effect.logError(`VARVE_FUZZ_SEED=${seed} brings this failure back`)
      assert.isAbove((yield* exit).size, 20)
    }), 300_000)

answersAlike("SQLite", sqlite, deedCounts(5_000))
onPostgres(() => answersAlike("PostgreSQL", postgres, deedCounts(1_000)))
