/**
 * Leases in the schema of the log, by the server's clock, so that workers whose clocks differ agree on who holds one.
 */
import * as PgTypes from "@effect/sql-pg/PgTypes"
import { Effect } from "effect"
import { assertClaim } from "../internal/readers.ts"
import { untyped } from "../internal/types.ts"
import { type Held, Lease } from "../Lease.ts"
import type { PostgresClient, Row } from "./PostgresClient.ts"
import * as Rows from "./PostgresRows.ts"
import type { PostgresStatements } from "./PostgresStatements.ts"

/** The leases over a schema that is up to date. Others see a claim at once, whatever transaction it is made in. */
export const make = ({ apart, read }: PostgresClient["Service"], statements: PostgresStatements): Lease["Service"] =>
  Lease.of({
    claim: (claim) =>
      Effect.suspend(() => {
        assertClaim(claim)
        const { holder, millis, name } = claim
        const parameters = [Rows.name(name), Rows.name(holder), PgTypes.float8(millis)]
        return Effect.map(apart(statements.claimLease, parameters), ([row]) => held(row!))
      }),
    release: ({ holder, name }) => Effect.asVoid(apart(statements.releaseLease, [Rows.name(name), Rows.name(holder)])),
    list: Effect.map(
      read(statements.leases, []),
      (rows) => rows.map((row) => ({ ...held(row), name: untyped<string>(row[3]) }))
    )
  })

const held = (row: Row): Held => {
  const [holder, until, term] = untyped<readonly [string, Date, bigint]>(row)
  return { holder, untilMillis: until.getTime(), term: Number(term) }
}
