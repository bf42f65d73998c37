/**
 * The schema of the Postgres stores, made and changed by numbered migrations. Several workers may start at once, and
 * workers of two builds may run side by side: what an older build calls stays until a migration says otherwise.
 */
import { Effect } from "effect"
import { SecureRandom } from "effect/crypto"
import { Migrator, SqlClient, type SqlError } from "effect/sql"
import { StoreUnavailable } from "../EventStore.ts"
import * as PostgresEpoch from "./PostgresEpoch.ts"
import { toUnavailable } from "./PostgresFailures.ts"
import * as PostgresFunctions from "./PostgresFunctions.ts"
import * as PostgresInlineFunctions from "./PostgresInlineFunctions.ts"

/**
 * The log. Names are compared by their bytes, whatever the locale of the server, and no index has to be rebuilt when
 * that changes. Payloads are `json`: they come back as they were written, and a query may look into them.
 *
 * `oldest_build` is the number of the newest migration that a build must know to work with this schema.
 */
const log = (schema: string) =>
  Effect.gen(function*() {
    const sql = yield* SqlClient.SqlClient
    const run = (text: string) => sql.unsafe(text).unprepared
    const s = `"${schema}"`
    yield* run(`CREATE TABLE ${s}.events (
      position bigint PRIMARY KEY,
      tenant text COLLATE "C" NOT NULL,
      category text COLLATE "C" NOT NULL,
      stream_id text COLLATE "C" NOT NULL,
      version int NOT NULL,
      type text COLLATE "C" NOT NULL,
      schema_version int NOT NULL,
      event_id uuid NOT NULL,
      recorded_at timestamptz NOT NULL,
      data json NOT NULL,
      metadata json NOT NULL,
      CONSTRAINT events_stream UNIQUE (tenant, category, stream_id, version)
    )`)
    yield* run(`CREATE TABLE ${s}.receipts (
      command_key uuid PRIMARY KEY,
      version int NOT NULL,
      position bigint,
      recorded_at timestamptz NOT NULL,
      hash text COLLATE "C" NOT NULL,
      outcome text NOT NULL
    )`)
    yield* run(`CREATE INDEX receipts_recorded_at ON ${s}.receipts (recorded_at)`)
    yield* run(`CREATE TABLE ${s}.snapshots (
      tenant text COLLATE "C" NOT NULL,
      category text COLLATE "C" NOT NULL,
      stream_id text COLLATE "C" NOT NULL,
      version int NOT NULL,
      fingerprint text NOT NULL,
      state text NOT NULL,
      checksum text NOT NULL,
      PRIMARY KEY (tenant, category, stream_id)
    )`)
    yield* run(`CREATE TABLE ${s}.store (store_id text NOT NULL, oldest_build int NOT NULL)`)
    yield* run(`INSERT INTO ${s}.store (store_id, oldest_build) VALUES ('${SecureRandom.uuidV7Unsafe()}', 1)`)
    yield* run(PostgresFunctions.clock(schema))
    yield* run(PostgresFunctions.append(schema))
    yield* run(PostgresFunctions.readAt(schema))
  })

/**
 * Readers of the log. A checkpoint that was removed stays as a row: its revisions go on where they were. A parked stream
 * is found by a hash of its names, which may together be longer than an index can hold. Each version of a view has a
 * table of its own besides, made when it is prepared.
 */
const readers = (schema: string) =>
  Effect.gen(function*() {
    const sql = yield* SqlClient.SqlClient
    const run = (text: string) => sql.unsafe(text).unprepared
    const s = `"${schema}"`
    yield* run(`CREATE TABLE ${s}.checkpoints (
      name text COLLATE "C" NOT NULL,
      version int NOT NULL,
      partition int NOT NULL,
      position bigint NOT NULL,
      epoch text NOT NULL,
      revision bigint NOT NULL,
      paused text,
      removed boolean NOT NULL DEFAULT false,
      updated_at timestamptz NOT NULL,
      PRIMARY KEY (name, version, partition)
    )`)
    yield* run(`CREATE TABLE ${s}.leases (
      name text COLLATE "C" PRIMARY KEY,
      holder text COLLATE "C" NOT NULL,
      until timestamptz NOT NULL,
      term bigint NOT NULL
    )`)
    yield* run(`CREATE TABLE ${s}.dead_letters (
      reader_name text COLLATE "C" NOT NULL,
      reader_version int NOT NULL,
      position bigint NOT NULL,
      tenant text COLLATE "C" NOT NULL,
      category text COLLATE "C" NOT NULL,
      stream_id text COLLATE "C" NOT NULL,
      type text COLLATE "C" NOT NULL,
      reason text COLLATE "C" NOT NULL,
      error text NOT NULL,
      attempts int NOT NULL,
      first_at timestamptz NOT NULL,
      last_at timestamptz NOT NULL,
      PRIMARY KEY (reader_name, reader_version, position)
    )`)
    yield* run(`CREATE INDEX dead_letters_position ON ${s}.dead_letters (position, reader_name, reader_version)`)
    yield* run(`CREATE TABLE ${s}.parked (
      reader_name text COLLATE "C" NOT NULL,
      reader_version int NOT NULL,
      stream_key uuid NOT NULL,
      tenant text COLLATE "C" NOT NULL,
      category text COLLATE "C" NOT NULL,
      stream_id text COLLATE "C" NOT NULL,
      from_position bigint NOT NULL,
      since timestamptz NOT NULL,
      PRIMARY KEY (reader_name, reader_version, stream_key)
    )`)
    yield* run(`CREATE INDEX parked_from ON ${s}.parked (reader_name, reader_version, from_position)`)
    yield* run(`CREATE TABLE ${s}.live_views (
      name text COLLATE "C" PRIMARY KEY,
      version int NOT NULL,
      pinned boolean NOT NULL
    )`)
    yield* run(`CREATE TABLE ${s}.epochs (
      one boolean PRIMARY KEY CHECK (one),
      epoch int NOT NULL,
      database oid NOT NULL,
      timeline text,
      mark xid8 NOT NULL
    )`)
    for (const text of [...PostgresFunctions.fields(schema), ...PostgresEpoch.functions(schema)]) yield* run(text)
    yield* run(PostgresEpoch.begin(schema))
  })

/** Appends within transactions of the application. */
const transactions = (schema: string) =>
  Effect.gen(function*() {
    const sql = yield* SqlClient.SqlClient
    for (const text of PostgresFunctions.staged(schema)) yield* sql.unsafe(text).unprepared
  })

/** Roles that read one tenant at a time; see `PostgresTenants`. */
const tenants = (schema: string) =>
  Effect.gen(function*() {
    const sql = yield* SqlClient.SqlClient
    yield* sql.unsafe(`CREATE TABLE "${schema}".tenant_readers (role text COLLATE "C" PRIMARY KEY)`).unprepared
    for (const text of PostgresFunctions.ofTenants(schema)) yield* sql.unsafe(text).unprepared
  })

/** Inline views. What older builds append ends them, so that these need not know. */
const inline = (schema: string) =>
  Effect.gen(function*() {
    const sql = yield* SqlClient.SqlClient
    const texts = [
      PostgresInlineFunctions.table(schema),
      ...PostgresInlineFunctions.entering(schema),
      PostgresInlineFunctions.writeDocuments(schema),
      PostgresInlineFunctions.append(schema),
      PostgresFunctions.appendBesideInline(schema)
    ]
    for (const text of texts) yield* sql.unsafe(text).unprepared
  })

const migrations = (schema: string) => ({
  "0001_log": log(schema),
  "0002_readers": readers(schema),
  "0003_transactions": transactions(schema),
  "0004_tenants": tenants(schema),
  "0005_inline": inline(schema)
})
const newest = 5
const tableOf = (schema: string) => `${schema}.migrations`

/** Where a schema stands. */
export interface Standing {
  /** Of the last migration that was carried out; 0 if there was none. */
  readonly current: number
  /** Of the last migration that this build knows. */
  readonly newest: number
  /** What a build must know at least to work with the schema. */
  readonly oldestBuild: number
}

/** Looks, and changes nothing. `StoreUnavailable`: it cannot be looked at, or needs a newer build. */
export const standing = (schema: string): Effect.Effect<Standing, StoreUnavailable, SqlClient.SqlClient> =>
  Effect.gen(function*() {
    const sql = yield* SqlClient.SqlClient
    const [found] = yield* sql<{ readonly isThere: boolean }>`
      SELECT to_regclass(${`"${schema}".migrations`}) IS NOT NULL AND to_regclass(${`"${schema}".store`}) IS NOT NULL
        AS "isThere"`
    if (found?.isThere !== true) return { current: 0, newest, oldestBuild: 0 }
    const [row] = yield* sql<{ readonly current: number | null; readonly oldestBuild: number | null }>`
      SELECT (SELECT max(migration_id) FROM ${sql(tableOf(schema))}) AS "current",
        (SELECT oldest_build FROM ${sql(`${schema}.store`)}) AS "oldestBuild"`
    const { current, oldestBuild } = { current: row?.current ?? 0, oldestBuild: row?.oldestBuild ?? 0 }
    return oldestBuild <= newest
      ? { current, newest, oldestBuild }
      : yield* unavailable(`the schema needs a build that knows migration ${oldestBuild}, this one knows ${newest}`)
  }).pipe(Effect.catchTag("SqlError", (error) => Effect.fail(failed(error))))

/**
 * Brings a schema up to date, and answers where it stood before. A schema that is up to date is only looked at, so a
 * worker needs no right to change it. `StoreUnavailable`: it cannot be brought up to date, or needs a newer build.
 */
export const run = (schema: string): Effect.Effect<Standing, StoreUnavailable, SqlClient.SqlClient> =>
  Effect.gen(function*() {
    const before = yield* standing(schema)
    if (before.current < before.newest) yield* migrate(schema)
    yield* requireUsable(schema)
    return before
  })

/** Refuses a schema that this build cannot work with. */
export const requireUsable = (schema: string): Effect.Effect<void, StoreUnavailable, SqlClient.SqlClient> =>
  Effect.flatMap(standing(schema), ({ current, newest }) =>
    current < newest
      ? unavailable(`the schema is at ${current}, this build needs ${newest}: migrate first`)
      : Effect.void)

const migrate = (schema: string) =>
  Effect.andThen(
    makeSchema(schema),
    Migrator.make({})({ loader: Migrator.fromRecord(migrations(schema)), table: tableOf(schema) })
  ).pipe(
    Effect.catchTags({
      SqlError: (error) => Effect.fail(failed(error)),
      MigrationError: ({ cause }) =>
        isSqlError(cause)
          ? Effect.fail(failed(cause))
          : unavailable("a migration failed; nothing of it was kept")
    })
  )

/** Who owns nothing but a schema cannot make one, and need not: it is there. Of several at once, one makes it. */
const makeSchema = Effect.fnUntraced(function*(schema: string) {
  const sql = yield* SqlClient.SqlClient
  yield* sql.withTransaction(Effect.gen(function*() {
    yield* sql`SELECT pg_advisory_xact_lock(1986098789, hashtext(${schema}))`
    const [found] = yield* sql`SELECT 1 FROM pg_namespace WHERE nspname = ${schema}`
    if (found === undefined) yield* sql`CREATE SCHEMA ${sql(schema)}`
  }))
})

const isSqlError = (cause: unknown): cause is SqlError.SqlError =>
  typeof cause === "object" && cause !== null && "_tag" in cause && cause._tag === "SqlError"

/** It is the first that is asked of a database: who is not let in has migrated nothing. */
const failed = (error: SqlError.SqlError): StoreUnavailable =>
  toUnavailable({ name: error.reason.operation === "connect" ? "open" : "migrate" })(error)

const unavailable = (detail: string) => Effect.fail(new StoreUnavailable({ operation: "migrate", detail }))
