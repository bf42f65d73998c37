/**
 * One of several processes that run the same projections on the same store, for `projections.ts`. It says that it is
 * there, and ends in good order when it is told to.
 *
 * `reader.ts PLACE FILE LEASE_MILLIS`
 */
import { Effect, Layer } from "effect"
import * as ProjectionRunner from "../../src/ProjectionRunner.ts"
import { storesWithSqlAt } from "./place.ts"
import { all } from "./readModels.ts"

const [place, file, leaseMillis] = process.argv.slice(2) as [string, string, string]

const Live = all(place, file).pipe(
  Layer.provide(ProjectionRunner.layerWith({ lease: Number(leaseMillis) })),
  Layer.provide(storesWithSqlAt(place))
)

const told = Effect.callback<void>((resume) => {
  process.once("SIGTERM", () => resume(Effect.void))
})

await Effect.runPromise(Effect.provide(Effect.andThen(Effect.sync(() => process.send?.("ready")), told), Live))
process.disconnect?.()
