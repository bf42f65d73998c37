/**
 * Every statement finds its rows by an index: asked of the server, on tables that are empty and on tables that are long.
 */
import { assert, describe, it } from "@effect/vitest"
import { deepStrictEqual, strictEqual } from "@effect/vitest/utils"
import { Effect } from "effect"
import { EventStore } from "../../src/EventStore.ts"
import { planned } from "../../src/internal/documents.ts"
import { readerGuards } from "../../src/postgres/PostgresClient.ts"
import * as PostgresStatements from "../../src/postgres/PostgresStatements.ts"
import * as PostgresViewQueries from "../../src/postgres/PostgresViewQueries.ts"
import * as ViewStatements from "../../src/postgres/PostgresViewStatements.ts"
import * as Sample from "../../src/testing/suites/Sample.ts"
import { snapshot } from "../../src/testing/suites/Snapshots.ts"
import type { ViewDefinition, ViewQuery } from "../../src/ViewStore.ts"
import { freshSchema, onPostgres, open, roomOf, stranger } from "./server.ts"

const view: ViewDefinition = {
  name: "planned",
  version: 1,
  indexes: [{ field: "status", type: "text" }, { field: "total", type: "number" }]
}

const long = "long ".repeat(100)

/** Queries of all shapes. */
const queries: ReadonlyArray<ViewQuery> = [
  {},
  { after: { key: "k5" } },
  { where: [{ field: "status", equals: "open" }] },
  { where: [{ field: "status", equals: null }], after: { key: "k5" } },
  ...(["ascending", "descending"] as const).flatMap((direction) => {
    const orderBy = { field: "total", direction }
    return [{ orderBy }, { orderBy, after: { key: "k5", value: 5 } }, { orderBy, after: { key: "k5", value: null } }]
  }),
  ...(["ascending", "descending"] as const).flatMap((direction) => {
    const orderBy = { field: "status", direction }
    return [
      { orderBy },
      { orderBy, after: { key: "k5", value: "open" } },
      { orderBy, after: { key: "k5", value: long } },
      { orderBy, after: { key: "k5", value: null } }
    ]
  }),
  { where: [{ field: "status", equals: long }] }
].map((query) => ({ tenant: "t", limit: 10, ...query }))

const viewStatements = (schema: string) => {
  const { clear: _, drop: __, ...statements } = ViewStatements.make(schema, view)
  const listing = queries.map((query, index) => {
    const { statement } = PostgresViewQueries.list(roomOf(schema, view), planned(view, query)!)
    return { ...statement, name: `${statement.name} ${index}` }
  })
  const { statement: counting } = PostgresViewQueries.count(roomOf(schema, view), planned(view, queries[2]!)!)
  return [...Object.values(statements), ...listing, counting]
}

/** What the server plans for each statement, for whatever it is given. */
const plans = Effect.fnUntraced(function*(statements: ReadonlyArray<PostgresStatements.Statement>) {
  const sql = yield* stranger
  for (const [setting, value] of Object.entries(readerGuards)) {
    if (setting !== "tcp_user_timeout") yield* sql.unsafe(`SET ${setting} = '${value}'`)
  }
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
  return yield* Effect.forEach(statements, explain)
})

const indexConditions = (plan: string) =>
  plan.split("\n").filter((line) => line.includes("Index Cond")).map((line) => line.trim())

/** Only the one row that says which store this is need not be looked for. */
const checkPlans = Effect.fnUntraced(function*(schema: string) {
  const found = yield* plans([...Object.values(PostgresStatements.make(schema)), ...viewStatements(schema)])
  assert.isAtLeast(found.length, 45)
  deepStrictEqual(found.filter(({ plan }) => /Seq Scan/.test(plan)).map(({ name }) => name), ["storeId", "life"])
  for (const { name, plan } of found) assert.notMatch(plan, /Sort Key: e\.version|Sort Key: r\.recorded_at/, name)
  return new Map(found.map(({ name, plan }) => [name, plan]))
})

type Stores = Effect.Success<ReturnType<typeof open>>

const useReaders = Effect.fnUntraced(function*({ checkpoints, leases, letters, views }: Stores) {
  const id = { name: Sample.name("reader"), version: 1, partition: 0 }
  const stream = Sample.stream()
  const letter = { reader: id, position: 7n, stream, type: "Happened", reason: "HandlerFailed", error: "no" } as const
  yield* checkpoints.advance({ id, revision: 0, to: 1n, epoch: "e" }, Effect.void)
  yield* checkpoints.advance(
    { id, revision: 1, to: 2n, epoch: "e" },
    Effect.gen(function*() {
      const keys = Array.from({ length: 100 }, (_, index) => ({ tenant: "t", key: `k${index}` }))
      yield* views.read(view, keys)
      yield* views.write(
        view,
        keys.map((key, total) => ({ ...key, document: JSON.stringify({ status: "open", total }) }))
      )
      yield* views.write(view, keys.slice(50).map((key) => ({ ...key, document: undefined })))
      yield* letters.put(letter)
      yield* letters.park({ reader: id, stream, fromPosition: 7n })
    })
  )
  for (const query of queries) yield* views.list(view, query)
  yield* views.count(view, queries[2]!)
  yield* letters.list({ reader: id })
  yield* letters.list({ after: { position: 6n }, limit: 5 })
  yield* letters.get(id, 7n)
  yield* letters.parked(id)
  yield* letters.unpark({ reader: id, stream, fromPosition: 7n })
  yield* letters.remove(id, 7n)
  yield* leases.claim({ name: id.name, holder: "h", millis: 10 })
  yield* checkpoints.pause(id, "why", "e")
  yield* checkpoints.resume(id)
})

const useAll = Effect.fnUntraced(function*(stores: Stores) {
  yield* useReaders(stores)
  const { events, snapshots } = stores
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
    WHERE schemaname = ${schema} AND relname IN ('events', 'receipts', 'snapshots', 'checkpoints', 'leases', 'dead_letters',
      'parked', 'view_planned_1') ORDER BY relname`
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
        const { views } = yield* open({ schema })
        yield* views.prepare(view)
        const found = yield* checkPlans(schema)
        const stream = "(tenant = $1) AND (category = $2) AND (stream_id = $3)"
        deepStrictEqual(indexConditions(found.get("readStream")!).toSorted(), [
          `Index Cond: (${stream} AND (version > $4) AND (version <= $5))`,
          `Index Cond: (${stream})`
        ])
        deepStrictEqual(indexConditions(found.get("readLog")!), ["Index Cond: (\"position\" > $1)"])
        // Only what is in the page is put in order, once.
        const filtered = found.get("readLogFiltered")!
        assert.notMatch(filtered, /Bitmap/)
        strictEqual(filtered.match(/Sort Key/g)?.length, 1)
        deepStrictEqual(indexConditions(found.get("receipt")!), ["Index Cond: (command_key = $1)"])
        assert.include(indexConditions(found.get("pruneReceipts")!), "Index Cond: (recorded_at < $1)")
        for (const condition of indexConditions(found.get("streams")!)) assert.match(condition, /stream_id/)
      }))

    it.live("find documents by key and by field, in order, without sorting more than what is asked for", () =>
      Effect.gen(function*() {
        const schema = yield* freshSchema
        const { views } = yield* open({ schema })
        yield* views.prepare(view)
        const found = yield* checkPlans(schema)
        const plan = (name: string) => found.get(name) ?? assert.fail(`no plan of ${name}`)
        const conditions = (name: string) => indexConditions(plan(name))
        deepStrictEqual(conditions("readDocuments"), ["Index Cond: ((tenant = k.tenant) AND (key = k.key))"])
        deepStrictEqual(conditions("listDocuments 1"), ["Index Cond: ((tenant = $1) AND (key > $3))"])
        deepStrictEqual(conditions("listDocuments 2"), ["Index Cond: ((tenant = $1) AND (text_status = $3))"])
        deepStrictEqual(conditions("countDocuments"), ["Index Cond: ((tenant = $1) AND (text_status = $2))"])
        deepStrictEqual(conditions("listDocuments 5"), [
          "Index Cond: ((tenant = $1) AND (ROW(number_total, key) > ROW($4, $3)))",
          "Index Cond: ((tenant = $1) AND (number_total IS NULL))"
        ])
        for (const number of [4, 5, 7, 8]) {
          const lines = plan(`listDocuments ${number}`).split("\n")
          strictEqual(lines.filter((line) => line.includes("Sort Key")).length, 1, `listDocuments ${number}`)
          assert.include(lines[2], "Sort Key: (0),")
        }
        for (const number of [0, 1, 2, 3, 6, 9, 13, 17, 18]) assert.notMatch(plan(`listDocuments ${number}`), /Sort/)
        // Long texts have an index of their own, whose few entries are put in order.
        for (const number of [10, 11, 12, 14, 15, 16]) {
          const sorted = plan(`listDocuments ${number}`).split("\n").filter((line) => line.includes("Sort Key"))
          const [whole, ofLong, ...others] = sorted
          strictEqual(others.length, 0)
          assert.include(whole, "Sort Key: (0),")
          assert.include(ofLong, "text_v1(")
          for (const condition of conditions(`listDocuments ${number}`)) assert.match(condition, /tenant = \$1/)
        }
      }))

    it.live("still do when the log is long and analysed, and plans that were made before are kept", () =>
      Effect.gen(function*() {
        const schema = yield* freshSchema
        const stores = yield* open({ schema })
        yield* stores.views.prepare(view)
        for (let times = 0; times < 8; times++) yield* useAll(stores)
        const fill = Effect.gen(function*() {
          yield* Sample.filled(20_000)
          for (let index = 0; index < 300; index++) {
            const receipt = Sample.receipt("c", { events: 1, through: 1 })
            yield* Sample.commit(Sample.write(Sample.stream(), 0, Sample.events(2), [receipt]))
          }
        })
        yield* Effect.provideService(fill, EventStore, stores.events)
        for (let page = 0; page < 20; page++) {
          const document = JSON.stringify({ status: "open", total: page })
          const changes = Array.from({ length: 1_000 }, (_, n) => ({ tenant: "t", key: `${page}-${n}`, document }))
          yield* stores.views.write(view, changes)
        }
        const before = yield* walked(schema)
        for (let times = 0; times < 8; times++) yield* useAll(stores)
        deepStrictEqual(yield* walked(schema), before)
        yield* stores.sql`ANALYZE ${stores.sql(`${schema}.events`)}, ${stores.sql(`${schema}.view_planned_1`)}`
        const analysed = yield* walked(schema)
        for (let times = 0; times < 8; times++) yield* useAll(stores)
        deepStrictEqual(yield* walked(schema), analysed)
        yield* checkPlans(schema)
      }))
  })
)
