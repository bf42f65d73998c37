/**
 * The life of the log that a resident's state was read in. Another one, after a restore or a failover that lost commits,
 * may hold other events at the same versions: nothing that is remembered, or was decided on it, counts there.
 */
import type { Registration } from "./registration.ts"
import type { Resident } from "./resident.ts"

/** Which life the log is in; see `EventStore.life`. */
const now = ({ sources: { events } }: Registration): number => events.life?.() ?? 0

/** Whether what a resident knows is of the life that the log is in. */
export const isKnown = (self: Registration, { life }: Resident): boolean => life === now(self)

/** Has a resident forget what it knows of another life. */
export const begin = (self: Registration, resident: Resident): void => {
  resident.life = now(self)
  resident.folded = undefined
}
