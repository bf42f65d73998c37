/**
 * The tables of the SQLite stores, made and changed by numbered migrations. Several processes may start at once.
 *
 * Everything of ours begins with `varve_`, so that an application may keep its own tables in the same file.
 */
import { Effect } from "effect"
import { SecureRandom } from "effect/crypto"
import { Migrator, SqlClient, SqlError } from "effect/sql"
import { StoreUnavailable } from "../EventStore.ts"
import { detailOf, isLasting } from "./SqliteErrors.ts"

/**
 * The log. `strict`, so that nobody can put a blob where text belongs; positions are the row ids, so the log is in
 * its own order on disk, and the unique key is what a stream is read by.
 */
const log = Effect.gen(function*() {
  const sql = yield* SqlClient.SqlClient
  yield* sql`CREATE TABLE varve_events (
    position INTEGER PRIMARY KEY,
    tenant TEXT NOT NULL,
    category TEXT NOT NULL,
    stream_id TEXT NOT NULL,
    version INTEGER NOT NULL,
    type TEXT NOT NULL,
    schema_version INTEGER NOT NULL,
    event_id TEXT NOT NULL,
    recorded_at INTEGER NOT NULL,
    data TEXT NOT NULL,
    metadata TEXT NOT NULL,
    UNIQUE (tenant, category, stream_id, version)
  ) STRICT`
  yield* sql`CREATE TABLE varve_receipts (
    number INTEGER PRIMARY KEY,
    tenant TEXT NOT NULL,
    category TEXT NOT NULL,
    stream_id TEXT NOT NULL,
    command_id TEXT NOT NULL,
    hash TEXT NOT NULL,
    version INTEGER NOT NULL,
    position INTEGER,
    outcome TEXT NOT NULL,
    recorded_at INTEGER NOT NULL,
    UNIQUE (tenant, category, stream_id, command_id)
  ) STRICT`
  yield* sql`CREATE TABLE varve_snapshots (
    tenant TEXT NOT NULL,
    category TEXT NOT NULL,
    stream_id TEXT NOT NULL,
    version INTEGER NOT NULL,
    fingerprint TEXT NOT NULL,
    state TEXT NOT NULL,
    checksum TEXT NOT NULL,
    PRIMARY KEY (tenant, category, stream_id)
  ) STRICT, WITHOUT ROWID`
  yield* sql`CREATE TABLE varve_store (store_id TEXT NOT NULL) STRICT`
  yield* sql`INSERT INTO varve_store (store_id) VALUES (${SecureRandom.uuidV7Unsafe()})`
})

/**
 * What readers of the log keep. A checkpoint without a position was removed: its revision is what the next one goes on
 * from. Documents of views have tables of their own, `varve_view_<name>_<version>`, made when a view is prepared.
 */
const readers = Effect.gen(function*() {
  const sql = yield* SqlClient.SqlClient
  yield* sql`CREATE TABLE varve_checkpoints (
    name TEXT NOT NULL,
    version INTEGER NOT NULL,
    partition INTEGER NOT NULL,
    position INTEGER,
    revision INTEGER NOT NULL,
    epoch TEXT NOT NULL,
    paused TEXT,
    updated_at INTEGER NOT NULL,
    PRIMARY KEY (name, version, partition)
  ) STRICT, WITHOUT ROWID`
  yield* sql`CREATE TABLE varve_dead_letters (
    reader TEXT NOT NULL,
    reader_version INTEGER NOT NULL,
    position INTEGER NOT NULL,
    tenant TEXT NOT NULL,
    category TEXT NOT NULL,
    stream_id TEXT NOT NULL,
    type TEXT NOT NULL,
    reason TEXT NOT NULL,
    error TEXT NOT NULL,
    attempts INTEGER NOT NULL,
    first_at INTEGER NOT NULL,
    last_at INTEGER NOT NULL,
    PRIMARY KEY (reader, reader_version, position)
  ) STRICT`
  yield* sql`CREATE INDEX varve_dead_letters_position ON varve_dead_letters (position, reader, reader_version)`
  yield* sql`CREATE TABLE varve_parked (
    reader TEXT NOT NULL,
    reader_version INTEGER NOT NULL,
    tenant TEXT NOT NULL,
    category TEXT NOT NULL,
    stream_id TEXT NOT NULL,
    from_position INTEGER NOT NULL,
    since INTEGER NOT NULL,
    PRIMARY KEY (reader, reader_version, tenant, category, stream_id)
  ) STRICT, WITHOUT ROWID`
  yield* sql`CREATE INDEX varve_parked_position ON varve_parked (reader, reader_version, from_position)`
  yield* sql`CREATE TABLE varve_leases (
    name TEXT NOT NULL PRIMARY KEY,
    holder TEXT NOT NULL,
    until INTEGER NOT NULL,
    term INTEGER NOT NULL
  ) STRICT, WITHOUT ROWID`
  yield* sql`CREATE TABLE varve_live_views (
    name TEXT NOT NULL PRIMARY KEY,
    version INTEGER NOT NULL,
    pinned INTEGER NOT NULL
  ) STRICT, WITHOUT ROWID`
})

/** Which views are inline, or about to be, or were until somebody appended who did not know them. */
const inline = Effect.gen(function*() {
  const sql = yield* SqlClient.SqlClient
  yield* sql`CREATE TABLE varve_inline_views (
    name TEXT NOT NULL,
    version INTEGER NOT NULL,
    types TEXT NOT NULL,
    state TEXT NOT NULL,
    until INTEGER NOT NULL,
    ended_at INTEGER NOT NULL,
    PRIMARY KEY (name, version)
  ) STRICT, WITHOUT ROWID`
})

const migrations = { "0001_log": log, "0002_readers": readers, "0003_inline": inline }
const newest = Object.keys(migrations).length
const table = "varve_migrations"

const tables = [
  "events",
  "receipts",
  "snapshots",
  "store",
  "checkpoints",
  "dead_letters",
  "parked",
  "leases",
  "live_views",
  "inline_views"
]
  .map((name) => `varve_${name}`)

/**
 * Brings the file up to date. `StoreUnavailable` if it cannot be, or if a newer build has changed it already.
 */
export const run: Effect.Effect<void, StoreUnavailable, SqlClient.SqlClient> = Effect.gen(function*() {
  const sql = yield* SqlClient.SqlClient
  yield* refuseForeign(sql)
  yield* Migrator.make({})({ loader: Migrator.fromRecord(migrations), table })
  const [latest] = yield* sql<{ readonly id: number }>`SELECT max(migration_id) AS id FROM ${sql(table)}`
  if (latest !== undefined && latest.id > newest) {
    const problem = `the file is of schema ${latest.id}, this build knows ${newest}; deploy the newer build`
    return yield* unavailable(problem, true)
  }
}).pipe(
  Effect.catchTags({
    SqlError: (error) => unavailable(detailOf(error), isLasting(error)),
    MigrationError: ({ cause, kind, message }) =>
      SqlError.isSqlError(cause)
        ? unavailable(`its tables cannot be made: ${detailOf(cause)}`, isLasting(cause))
        : unavailable(message, kind !== "Locked")
  })
)

/** The migrations' own table is made first, so where it is missing, none of the others is ours. */
const refuseForeign = Effect.fnUntraced(function*(sql: SqlClient.SqlClient) {
  const [foreign] = yield* sql<{ readonly name: string }>`SELECT name FROM sqlite_schema
    WHERE name IN ${sql.in(tables)} AND NOT EXISTS (SELECT 1 FROM sqlite_schema WHERE name = ${table})`
  if (foreign === undefined) return
  return yield* unavailable(
    `the file has a table ${foreign.name} that another program has made; name another file`,
    true
  )
})

const unavailable = (detail: string, lasting: boolean) =>
  Effect.fail(new StoreUnavailable({ operation: "migrate", detail, lasting }))
