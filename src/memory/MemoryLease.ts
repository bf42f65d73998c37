/**
 * Leases in memory, for the workers of one process.
 */
import { Clock, Effect, HashMap, Option } from "effect"
import { byCodePoints } from "../internal/order.ts"
import { assertClaim } from "../internal/readers.ts"
import { type Held, Lease } from "../Lease.ts"
import * as MemoryLog from "./MemoryLog.ts"
import * as MemoryTables from "./MemoryTables.ts"

/** The leases over tables in memory. */
export const make = (tables: MemoryTables.MemoryTables): Lease["Service"] =>
  Lease.of({
    claim: (claim) =>
      Effect.suspend(() => {
        assertClaim(claim)
        const { holder, millis, name } = claim
        return MemoryTables.write(tables, (state, nowMillis) => {
          const last = Option.getOrUndefined(HashMap.get(state.leases, name))
          const isTaken = last !== undefined && last.holder !== holder && last.untilMillis > nowMillis
          if (isTaken) return [held(last), state]
          const term = last?.holder === holder ? last.term : (last?.term ?? 0) + 1
          const lease = { name, holder, untilMillis: nowMillis + millis, term }
          return [held(lease), { ...state, leases: HashMap.set(state.leases, name, lease) }]
        })
      }),
    release: ({ holder, name }) =>
      MemoryTables.write(tables, (state, nowMillis) => {
        const last = Option.getOrUndefined(HashMap.get(state.leases, name))
        if (last?.holder !== holder) return [undefined, state]
        const ended = { ...last, untilMillis: Math.min(last.untilMillis, nowMillis) }
        return [undefined, { ...state, leases: HashMap.set(state.leases, name, ended) }]
      }),
    list: Effect.flatMap(Clock.currentTimeMillis, (millis) =>
      MemoryTables.read(tables, ({ leases }) => {
        const nowMillis = MemoryLog.tick(tables.log, millis)
        return Array.from(HashMap.values(leases))
          .filter(({ untilMillis }) => untilMillis > nowMillis)
          .sort((a, b) => byCodePoints(a.name, b.name))
          .map((lease) => ({ ...lease }))
      }))
  })

const held = ({ holder, term, untilMillis }: Held): Held => ({ holder, untilMillis, term })
