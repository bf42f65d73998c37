/**
 * Passivation: aggregates that nobody asks leave memory, those idle for longest first. Their streams stay.
 */
import { Effect } from "effect"
import { elapsedMillis } from "./elapsed.ts"
import type { Capacity, Registration } from "./registration.ts"
import { oldestIdle, passivate, type Resident } from "./resident.ts"

/** Whether one more aggregate may come in; the one that has been idle for longest may have to go. */
export const makeRoom = (capacity: Capacity): boolean => {
  let count = 0
  for (const { residents } of capacity.registrations) count += residents.count
  return count < capacity.maxActive || letOldestGo(capacity)
}

const letOldestGo = ({ registrations }: Capacity): boolean => {
  let found: { readonly registration: Registration; readonly oldest: Resident } | undefined
  for (const registration of registrations) {
    const oldest = oldestIdle(registration.residents)
    if (oldest !== undefined && oldest.idleSinceMillis < (found?.oldest.idleSinceMillis ?? Infinity)) {
      found = { registration, oldest }
    }
  }
  return found !== undefined && letGo(found.registration, found.oldest)
}

const letGo = (registration: Registration, resident: Resident): boolean => {
  const gone = passivate(registration.residents, resident)
  if (gone) registration.telemetry.passivated()
  return gone
}

/** Lets those go that have been idle for `maxIdleMillis`. One whose snapshot is being saved waits for the next sweep. */
const sweepOnce = (registration: Registration, nowMillis: number): void => {
  const { residents, settings } = registration
  let resident = residents.oldest
  while (resident !== undefined && nowMillis - resident.idleSinceMillis >= settings.maxIdleMillis) {
    const { newer } = resident
    letGo(registration, resident)
    resident = newer
  }
}

/** Sweeps for ever, four times in the shortest idle time of all, at least every 30 seconds. */
export const sweep = ({ registrations }: Capacity): Effect.Effect<never> =>
  Effect.forever(Effect.suspend(() => {
    const shortest = Math.min(...Array.from(registrations, ({ settings }) => settings.maxIdleMillis), 120_000)
    return Effect.andThen(
      Effect.sleep(Math.max(shortest / 4, 10)),
      Effect.sync(() => {
        for (const registration of registrations) sweepOnce(registration, elapsedMillis(registration.clock))
      })
    )
  }))
