/**
 * Whether the log is still the one that this process knows. It can be put back under it, by a restore or by a failover
 * that loses commits, but not without the connections being lost: so each new one is asked before it is used.
 *
 * Behind a pooler there is nothing to ask: the connection stays, whatever becomes of the server behind it.
 */
import type * as PgConnection from "@effect/sql-pg/PgConnection"
import { Effect } from "effect"
import type { SqlError } from "effect/sql"
import type { Statement } from "./PostgresStatements.ts"

/** What is known of it. */
export interface PostgresLife {
  /** How often it turned out to be another one. */
  count: number
  /** What tells one life from another, and the one that was found last; undefined as long as nobody wants to know. */
  told: { readonly statement: Statement; life: unknown } | undefined
  readonly met: WeakSet<PgConnection.PgConnection>
}

/** Nobody is asked before `begin`. */
export const make = (): PostgresLife => ({ count: 0, told: undefined, met: new WeakSet() })

/** From now on each connection is asked. */
export const begin = (self: PostgresLife, statement: Statement, life: unknown): void => {
  self.told = { statement, life }
}

/** Asks a connection that is new. */
export const greet = (
  self: PostgresLife,
  connection: PgConnection.PgConnection
): Effect.Effect<void, SqlError.SqlError> | undefined => {
  const { told } = self
  if (told === undefined || self.met.has(connection)) return undefined
  return Effect.map(connection.queryValues(told.statement.text), ([row]) => {
    const [life] = row!
    if (life !== told.life) self.count++
    told.life = life
    self.met.add(connection)
  })
}
