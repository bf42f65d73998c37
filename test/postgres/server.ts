/**
 * The PostgreSQL that the tests share, and schemas on it: each in a schema of its own, which is dropped with the scope.
 */
import * as PgClient from "@effect/sql-pg/PgClient"
import { Context, Effect, Layer, Redacted } from "effect"
import { SecureRandom } from "effect/crypto"
import { Reactivity } from "effect/reactivity"
import { inject, it } from "vitest"
import * as Server from "../../scripts/postgres.ts"
import { CheckpointStore } from "../../src/CheckpointStore.ts"
import { DeadLetters } from "../../src/DeadLetters.ts"
import { EventStore } from "../../src/EventStore.ts"
import { Lease } from "../../src/Lease.ts"
import * as Postgres from "../../src/postgres/Postgres.ts"
import { inRealTime } from "../../src/postgres/PostgresClock.ts"
import { PostgresTransaction } from "../../src/postgres/PostgresTransaction.ts"
import * as ViewStatements from "../../src/postgres/PostgresViewStatements.ts"
import { SnapshotStore } from "../../src/SnapshotStore.ts"
import { type ViewDefinition, ViewStore } from "../../src/ViewStore.ts"

const shared = inject("postgres")
const found = "missing" in shared ? shared : await Server.whenReady(shared)

/** Declares tests where there is a server. Where there is none, one says why, and what to do about it. */
export const onPostgres = (declare: () => void): void => {
  if ("missing" in found) it("PostgreSQL", ({ skip }) => skip(found.missing))
  else declare()
}

/** The server's URL. */
export const url = "url" in found ? found.url : ""

const poolerUrl = process.env["VARVE_TEST_POSTGRES_POOLER_URL"]

/** Where the stores find it: there, or at a pooler that the environment says stands before it. */
export const place: Pick<Postgres.Options, "behindPooler" | "url"> = poolerUrl === undefined
  ? { url }
  : { url: poolerUrl, behindPooler: true }

/** A connection of its own to a database, as another process would have it: it knows nothing of Varve. */
export const strangerAt = (url: string) =>
  inRealTime(PgClient.makeClient({ url: Redacted.make(url) })).pipe(Effect.provide(Reactivity.layer))

/** A connection of its own to the database of the tests. */
export const stranger = strangerAt(url)

/** The name of a schema that does not exist yet, and is dropped with the scope. */
export const freshSchema = Effect.acquireRelease(
  Effect.sync(() => `test_${SecureRandom.uuidV4Unsafe().replaceAll("-", "").slice(0, 30)}`),
  (schema) =>
    Effect.flatMap(stranger, (sql) =>
      sql`SET client_min_messages = error`.pipe(
        Effect.andThen(sql`DROP SCHEMA IF EXISTS ${sql(schema)} CASCADE`)
      )).pipe(Effect.scoped, Effect.orDie)
)

/** The stores in a schema of their own. */
export const layerFresh = Layer.unwrap(Effect.map(freshSchema, (schema) => Postgres.layer({ ...place, schema })))

/** Opens a schema until the scope closes: connections of its own each time, as another worker has them. */
export const open = (options: Partial<Postgres.Options>) =>
  Effect.map(Layer.build(Postgres.layer({ ...place, ...options })), (context) => ({
    events: Context.get(context, EventStore),
    snapshots: Context.get(context, SnapshotStore),
    checkpoints: Context.get(context, CheckpointStore),
    views: Context.get(context, ViewStore),
    leases: Context.get(context, Lease),
    letters: Context.get(context, DeadLetters),
    transaction: Context.get(context, PostgresTransaction),
    sql: Context.get(context, PgClient.PgClient)
  }))

/**
 * Takes a schema's clock in hand, and answers how to turn it. The server's own cannot be turned, but the stores ask for
 * it in one place. It has nothing to go back to.
 */
export const turnClock = Effect.fnUntraced(function*(schema: string) {
  const sql = yield* stranger
  const table = sql(`${schema}.test_clock`)
  yield* sql`CREATE TABLE ${table} AS SELECT 'epoch'::timestamptz AS at`
  yield* sql.unsafe(`CREATE OR REPLACE FUNCTION ${schema}.clock_v1() RETURNS timestamptz LANGUAGE sql VOLATILE
    AS $$ SELECT at FROM ${schema}.test_clock $$`)
  let latest = 0
  return (millis: number) => {
    latest = Math.max(latest, Math.floor(millis))
    return Effect.orDie(Effect.asVoid(sql`UPDATE ${table} SET at = to_timestamp(${latest / 1_000}::float8)`))
  }
})

/** The table of a view that was prepared like this. */
export const roomOf = (schema: string, view: ViewDefinition) => ({
  schema,
  view,
  columns: new Set(ViewStatements.columnsOf(view).keys())
})
