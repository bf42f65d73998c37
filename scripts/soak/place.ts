/**
 * A store by the place where it is: the URL of a PostgreSQL, or a file of SQLite. For campaigns that run on both.
 */
import { Effect, Layer, Option } from "effect"
import { SqlClient } from "effect/sql"
import { mkdtempSync, rmSync } from "node:fs"
import { tmpdir } from "node:os"
import { join } from "node:path"
import * as Postgres from "../../src/postgres/Postgres.ts"
import * as Sqlite from "../../src/sqlite/Sqlite.ts"
import * as Store from "../../src/Store.ts"

export const storeAt = (place: string) => {
  const store = Option.some(place.startsWith("postgres") ? "postgres" : "sqlite")
  return Layer.unwrap(Effect.map(Store.choose({ store, url: Option.some(place) }), Store.layer))
}

/** The stores there, with a `SqlClient` beside them, for tables of one's own. */
export const storesWithSqlAt = (place: string): ReturnType<typeof Sqlite.layer> =>
  place.startsWith("postgres")
    ? Postgres.layer({ url: place, schema: schemaOf(place) })
    : Sqlite.layer({ filename: place })

/** The schema that a URL of a PostgreSQL names; undefined if it is a file, or names none. */
export const schemaOf = (place: string): string | undefined => URL.parse(place)?.searchParams.get("schema") ?? undefined

/**
 * Does work in a place of its own, in a schema of a PostgreSQL or, without a URL, a file, with a folder beside it; all of
 * it is gone then.
 */
export const inOwnPlace = async <A>(
  url: string | undefined,
  name: string,
  work: (place: string, folder: string) => Promise<A>
): Promise<A> => {
  const folder = mkdtempSync(join(tmpdir(), `varve-${name}-`))
  const schema = `${name}_${process.pid}_${schemas++}`
  try {
    return await work(url === undefined ? join(folder, "log.sqlite") : `${url}?schema=${schema}`, folder)
  } finally {
    rmSync(folder, { recursive: true })
    if (url !== undefined) await dropSchema(url, schema)
  }
}

let schemas = 0

const dropSchema = (url: string, schema: string): Promise<unknown> =>
  Effect.flatMap(
    SqlClient.SqlClient,
    (sql) => sql`SET client_min_messages = error`.pipe(Effect.andThen(sql`DROP SCHEMA ${sql(schema)} CASCADE`))
  ).pipe(Effect.provide(storesWithSqlAt(`${url}?schema=${schema}`)), Effect.runPromise)
