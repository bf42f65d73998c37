/**
 * Leases in the file of the log, for the workers of one machine, whose clock they share.
 */
import { Effect } from "effect"
import { assertClaim } from "../internal/readers.ts"
import { type Held, Lease } from "../Lease.ts"
import type { SqliteReaderStatements } from "./SqliteReaderStatements.ts"
import type { SqliteTurns } from "./SqliteTurns.ts"

/** The leases over an open file whose tables are up to date. */
export const make = (statements: SqliteReaderStatements, { read, write }: SqliteTurns): Lease["Service"] =>
  Lease.of({
    claim: ({ holder, millis, name }) =>
      Effect.suspend(() => {
        assertClaim({ holder, millis, name })
        return write("claim", (nowMillis): Held => {
          const last = statements.lease(name)
          if (last !== undefined && last.holder !== holder && last.untilMillis > nowMillis) return held(last)
          const term = last?.holder === holder ? last.term : (last?.term ?? 0) + 1
          const lease = { name, holder, untilMillis: nowMillis + millis, term }
          statements.upsertLease(lease)
          return held(lease)
        })
      }),
    release: ({ holder, name }) =>
      write("release", (nowMillis) => {
        const last = statements.lease(name)
        if (last?.holder !== holder) return
        statements.upsertLease({ ...last, untilMillis: Math.min(last.untilMillis, nowMillis) })
      }),
    list: read("list", (nowMillis) => statements.leases(nowMillis).map((lease) => ({ ...lease })))
  })

const held = ({ holder, term, untilMillis }: Held): Held => ({ holder, untilMillis, term })
