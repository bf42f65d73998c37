/**
 * Databases on the bench's PostgreSQL, one for each store that a contestant opens: nobody meets the tables of another.
 */
import * as PgClient from "@effect/sql-pg/PgClient"
import { Effect, Redacted } from "effect"
import { SecureRandom } from "effect/crypto"
import { Reactivity } from "effect/reactivity"

/** Where the bench's servers are; each is undefined if no row needs it. */
export interface Servers {
  readonly postgres: string | undefined
  /** A PgBouncer in front of it. */
  readonly pgbouncer: string | undefined
}

/** A database that was made for one store. */
export interface Database {
  readonly url: string
  /** What was written before is no part of what is measured next. */
  readonly settle: () => Promise<void>
  readonly drop: () => Promise<void>
}

/** Makes one, and says where it is to be found: at the server, or at the pooler. */
export const makeDatabase = async ({ pgbouncer, postgres }: Servers, pooled: boolean): Promise<Database> => {
  if (postgres === undefined || (pooled && pgbouncer === undefined)) throw new Error("its server was not started")
  const name = `bench_${SecureRandom.uuidV4Unsafe().replaceAll("-", "")}`
  await command(postgres, `CREATE DATABASE ${name}`)
  return {
    url: databaseAt(pooled ? pgbouncer! : postgres, name),
    settle: () => command(postgres, "CHECKPOINT"),
    // It waits a little for connections that are just being closed; a pooler keeps those that nobody uses any more.
    drop: () => command(postgres, `DROP DATABASE ${name} ${pooled ? "WITH (FORCE)" : ""}`)
  }
}

/** Which PostgreSQL it is. */
export const versionOf = async (url: string): Promise<string> => {
  const [row] = await ask<{ readonly version: string }>(url, "SELECT split_part(version(), ' ', 2) AS version")
  return row!.version
}

const databaseAt = (server: string, name: string): string => {
  const url = new URL(server)
  url.pathname = `/${name}`
  return String(url)
}

const command = async (url: string, text: string): Promise<void> => {
  await ask(url, text)
}

const ask = <A extends object>(url: string, text: string): Promise<ReadonlyArray<A>> =>
  PgClient.makeClient({ url: Redacted.make(url) }).pipe(
    Effect.flatMap((sql) => sql.unsafe<A>(text).unprepared),
    Effect.provide(Reactivity.layer),
    Effect.scoped,
    Effect.runPromise
  )
