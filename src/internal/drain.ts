/**
 * Draining: a registration ends. New commands are refused, those in the mailboxes are carried out as far as the deadline
 * allows, snapshots under way are finished; the rest is told honestly what is known.
 */
import { Effect, FiberSet } from "effect"
import type { Registration } from "./registration.ts"

export const drain = (self: Registration, fibers: FiberSet.FiberSet<void>): Effect.Effect<void> =>
  Effect.suspend(() => {
    self.closing = true
    return FiberSet.awaitEmpty(fibers).pipe(
      Effect.timeoutOrElse({
        duration: self.settings.drainDeadline,
        orElse: () =>
          Effect.andThen(
            Effect.logWarning(`${self.plan.definition.name} did not drain in time; what is under way is interrupted`),
            FiberSet.clear(fibers)
          )
      }),
      Effect.ensuring(Effect.sync(() => self.telemetry.close()))
    )
  })
