/**
 * Saving snapshots, off the command path: when a commit crosses a multiple of `snapshotEvery`, at most one save in
 * flight for a stream. A snapshot that cannot be saved costs time later and nothing now.
 */
import { Effect, Result } from "effect"
import type { Version } from "../Event.ts"
import * as Life from "./life.ts"
import type { Registration } from "./registration.ts"
import { snapshotOf } from "./replay.ts"
import type { Resident } from "./resident.ts"

/** Whether going from `before` to `after` events crosses a multiple of `every`. */
const crosses = (every: number, before: Version, after: Version): boolean =>
  Math.floor(after / every) > Math.floor(before / every)

/** Has the resident's state saved if a commit that began at `before` makes one due. */
export const request = (self: Registration, resident: Resident, before: Version): void => {
  const { snapshotEvery } = self.settings
  const version = resident.folded!.version
  if (snapshotEvery === undefined || !crosses(snapshotEvery, before, version)) return
  resident.snapshotDue = true
  if (resident.saving) return
  resident.saving = true
  self.fork(saveWhileDue(self, resident))
}

/** What was crossed while a save was in flight is saved next, as one. */
const saveWhileDue = (self: Registration, resident: Resident): Effect.Effect<void> =>
  Effect.yieldNow.pipe(
    Effect.andThen(Effect.whileLoop({
      while: () => resident.snapshotDue && resident.folded !== undefined && Life.isKnown(self, resident),
      body: () => {
        resident.snapshotDue = false
        return save(self, resident)
      },
      step: () => {}
    })),
    Effect.ensuring(Effect.sync(() => (resident.saving = false)))
  )

const save = (self: Registration, { folded, stream }: Resident): Effect.Effect<void> => {
  const snapshot = snapshotOf(self.plan, folded!)
  if (Result.isFailure(snapshot)) return notSaved(self, `its state does not fit its schema: ${snapshot.failure}`)
  return Effect.catch(
    Effect.asVoid(self.sources.snapshots!.save(stream, snapshot.success)),
    ({ message }) => notSaved(self, message)
  )
}

const notSaved = (self: Registration, why: string) =>
  Effect.logWarning(`A snapshot of ${self.plan.definition.name} was not saved: ${why}`)
