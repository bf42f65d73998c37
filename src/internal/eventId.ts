/**
 * Where event ids come from: version 7 UUIDs, so that ids sort by time. A reference, so that a simulation can make the
 * same ids from the same seed.
 */
import { Context } from "effect"
import { SecureRandom } from "effect/crypto"

/** Makes the id of the next event. */
export const NextEventId = Context.Reference<() => string>("varve/NextEventId", {
  defaultValue: () => () => SecureRandom.uuidV7Unsafe()
})
