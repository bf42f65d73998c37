/**
 * Every statement finds its rows by an index: asked of the server, on tables that are empty and on tables that are long.
 */
import { assert, describe, it } from "@effect/vitest"
import { deepStrictEqual, strictEqual } from "@effect/vitest/utils"
import { Effect } from "effect"
import { EventStore } from "../../src/EventStore.ts"
import * as PostgresStatements from "../../src/postgres/PostgresStatements.ts"
import * as Sample from "../../src/testing/suites/Sample.ts"
import { snapshot } from "../../src/testing/suites/Snapshots.ts"
import { freshSchema, onPostgres, open, stranger } from "./server.ts"

/** What the server plans for each statement, for whatever it is given. */
const plans = Effect.fnUntraced(function*(schema: string) {
  const sql = yield* stranger
  yield* sql`SET enable_seqscan = off`
  yield* sql`SET jit = off`
  yield* sql`SET plan_cache_mode = force_generic_plan`
  const explain = Effect.fnUntraced(function*({ name, text }: PostgresStatements.Statement) {
    yield* sql.unsafe(`PREPARE "${name}" AS ${text}`).unprepared
    const count = new Set(text.match(/\$\d+/g)).size
    const values = count === 0 ? "" : `(${Array<string>(count).fill("NULL").join(", ")})`
    const rows = yield* sql.unsafe<{ readonly "QUERY PLAN": string }>(
      `EXPLAIN (COSTS OFF) EXECUTE "${name}"${values}`
    ).unprepared
    return { name, plan: rows.map((row) => row["QUERY PLAN"]).join("\n") }
  })
  return yield* Effect.forEach(Object.values(PostgresStatements.make(schema)), explain)
})

const indexConditions = (plan: string) =>
  plan.split("\n").filter((line) => line.includes("Index Cond")).map((line) => line.trim())

/** Only the one row that says which store this is need not be looked for. */
const checkPlans = Effect.fnUntraced(function*(schema: string) {
  const found = yield* plans(schema)
  assert.isAtLeast(found.length, 14)
  deepStrictEqual(found.filter(({ plan }) => /Seq Scan/.test(plan)).map(({ name }) => name), ["storeId"])
  for (const { name, plan } of found) assert.notMatch(plan, /Sort Key: e\.version|Sort Key: r\.recorded_at/, name)
  return new Map(found.map(({ name, plan }) => [name, plan]))
})

const useAll = Effect.fnUntraced(function*({ events, snapshots }: Effect.Success<ReturnType<typeof open>>) {
  const receipt = Sample.receipt("c", { events: 1, through: 1 })
  const write = Sample.write(Sample.stream(), 0, Sample.events(2), [receipt])
  const again = Sample.write(write.stream, "any", Sample.events(1), [Sample.receipt("d", { events: 1, through: 1 })])
  yield* events.append([[write]])
  yield* events.append([[write], [Sample.write(Sample.stream(), "exists", Sample.events(1))]])
  yield* events.append([[again]])
  yield* events.readStream(write.stream)
  yield* events.readStream(write.stream, { direction: "backwards", limit: 1 })
  yield* events.readAll({ after: 0n, limit: 5 })
  yield* events.readAll({ after: 0n, limit: 5, filter: { types: ["Happened"] } })
  yield* events.streams({ category: "suite", limit: 2 })
  yield* events.receipt(write.stream, "c")
  yield* events.head
  yield* snapshots.save(write.stream, snapshot(2))
  yield* snapshots.load(write.stream)
  yield* snapshots.discard(write.stream, 2)
})

/** How many rows were read one after the other from the beginning of a table. */
const walked = Effect.fnUntraced(function*(schema: string) {
  const sql = yield* stranger
  yield* Effect.sleep("1 second").pipe(Effect.andThen(sql`SELECT pg_stat_force_next_flush()`))
  return yield* sql`SELECT relname, seq_tup_read::int AS rows FROM pg_stat_user_tables
    WHERE schemaname = ${schema} AND relname IN ('events', 'receipts', 'snapshots') ORDER BY relname`
})

onPostgres(() =>
  describe("the statements of the stores", () => {
    it.live("have a name, which the server's log shows", () =>
      Effect.gen(function*() {
        const statements = PostgresStatements.make(yield* freshSchema)
        for (const [key, { name, text }] of Object.entries(statements)) {
          strictEqual(key, name)
          assert.isTrue(text.startsWith(`/* varve ${name} */ `))
        }
      }))

    it.live("find streams, receipts, positions and snapshots by index", () =>
      Effect.gen(function*() {
        const schema = yield* freshSchema
        yield* open({ schema })
        const found = yield* checkPlans(schema)
        const stream = "(tenant = $1) AND (category = $2) AND (stream_id = $3)"
        deepStrictEqual(indexConditions(found.get("readStream")!).toSorted(), [
          `Index Cond: (${stream} AND (version > $4) AND (version <= $5))`,
          `Index Cond: (${stream})`
        ])
        deepStrictEqual(indexConditions(found.get("readLog")!), ["Index Cond: (\"position\" > $1)"])
        deepStrictEqual(indexConditions(found.get("receipt")!), ["Index Cond: (command_key = $1)"])
        assert.include(indexConditions(found.get("pruneReceipts")!), "Index Cond: (recorded_at < $1)")
        for (const condition of indexConditions(found.get("streams")!)) assert.match(condition, /stream_id/)
      }))

    it.live("still do when the log is long and analysed, and plans that were made before are kept", () =>
      Effect.gen(function*() {
        const schema = yield* freshSchema
        const stores = yield* open({ schema })
        for (let times = 0; times < 8; times++) yield* useAll(stores)
        const fill = Effect.gen(function*() {
          yield* Sample.filled(20_000)
          for (let index = 0; index < 300; index++) {
            const receipt = Sample.receipt("c", { events: 1, through: 1 })
            yield* Sample.commit(Sample.write(Sample.stream(), 0, Sample.events(2), [receipt]))
          }
        })
        yield* Effect.provideService(fill, EventStore, stores.events)
        const before = yield* walked(schema)
        for (let times = 0; times < 8; times++) yield* useAll(stores)
        deepStrictEqual(yield* walked(schema), before)
        yield* stores.sql`ANALYZE ${stores.sql(`${schema}.events`)}`
        const analysed = yield* walked(schema)
        for (let times = 0; times < 8; times++) yield* useAll(stores)
        deepStrictEqual(yield* walked(schema), analysed)
        yield* checkPlans(schema)
      }))
  })
)
