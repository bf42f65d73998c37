/**
 * Backups of a schema as operators make and restore them: with pg_dump, where this machine has one that is not older
 * than the server; else by what it does, one snapshot of all tables.
 */
import { Effect } from "effect"
import type { SqlClient } from "effect/sql"
import { spawnSync } from "node:child_process"
import * as Postgres from "../../src/postgres/Postgres.ts"
import { freshSchema, stranger, strangerAt, url } from "./server.ts"

/** A backup. */
export interface Dump {
  /** Who made it. */
  readonly by: "pg_dump" | "snapshot"
  /** Puts it into a database, in which the schema does not exist. */
  readonly restore: (url: string) => Effect.Effect<void>
}

/** Makes a backup of a schema, while others write. */
export const dump = Effect.fnUntraced(function*(schema: string) {
  const sql = yield* stranger
  return (yield* hasClient(sql)) ? pgDump(schema) : yield* Effect.orDie(snapshot(sql, schema))
}, Effect.scoped)

const hasClient = Effect.fnUntraced(function*(sql: SqlClient.SqlClient) {
  const [server] = yield* Effect.orDie(sql<{ readonly major: number }>`
    SELECT current_setting('server_version_num')::int / 10000 AS major`)
  const { stdout } = spawnSync("pg_dump", ["--version"], { encoding: "utf8" })
  return Number(/ (\d+)\./.exec(stdout ?? "")?.[1] ?? 0) >= server!.major
})

const run = (program: string, args: ReadonlyArray<string>, input = ""): string => {
  const { error, status, stderr, stdout } = spawnSync(program, args, { encoding: "utf8", input, maxBuffer: 2 ** 30 })
  if (error !== undefined) throw error
  if (status !== 0) throw new Error(stderr)
  return stdout
}

const pgDump = (schema: string): Dump => {
  const text = run("pg_dump", ["--schema", schema, "--dbname", url])
  return {
    by: "pg_dump",
    restore: (url) => Effect.sync(() => run("psql", ["--quiet", "--set", "ON_ERROR_STOP=1", "--dbname", url], text))
  }
}

const snapshot = (sql: SqlClient.SqlClient, schema: string) =>
  sql.withTransaction(Effect.gen(function*() {
    yield* sql`SET TRANSACTION ISOLATION LEVEL REPEATABLE READ`
    const tables = yield* sql<{ readonly name: string }>`
      SELECT tablename AS name FROM pg_tables WHERE schemaname = ${schema}`
    const contents = yield* Effect.forEach(tables, ({ name }) =>
      Effect.map(
        sql<{ readonly rows: string }>`
          SELECT coalesce(json_agg(t), '[]')::text AS rows FROM ${sql(`${schema}.${name}`)} t`,
        ([first]) => ({ name, rows: first!.rows })
      ))
    return { by: "snapshot", restore: (url) => Effect.orDie(refill(url, schema, contents)) } satisfies Dump
  }))

const refill = Effect.fnUntraced(function*(
  url: string,
  schema: string,
  contents: ReadonlyArray<{ readonly name: string; readonly rows: string }>
) {
  yield* Postgres.migrate({ url, schema })
  const sql = yield* strangerAt(url)
  yield* sql.withTransaction(Effect.forEach(contents, ({ name, rows }) =>
    Effect.gen(function*() {
      const table = sql(`${schema}.${name}`)
      yield* sql`TRUNCATE ${table}`
      yield* sql`INSERT INTO ${table} SELECT * FROM json_populate_recordset(NULL::${table}, ${rows}::json)`
    })))
}, Effect.scoped)

/** A database of its own, or one that is a copy of another, which nobody may use meanwhile; dropped with the scope. */
export const freshDatabase = (template = "template1") =>
  Effect.gen(function*() {
    const name = yield* freshSchema
    const sql = yield* stranger
    yield* sql`CREATE DATABASE ${sql(name)} TEMPLATE ${sql(template)}`
    yield* Effect.addFinalizer(() =>
      Effect.orDie(Effect.scoped(Effect.flatMap(stranger, (sql) => sql`DROP DATABASE ${sql(name)} WITH (FORCE)`)))
    )
    return { name, url: urlOf(name) }
  })

const urlOf = (database: string): string => {
  const other = new URL(url)
  other.pathname = `/${database}`
  return other.href
}
