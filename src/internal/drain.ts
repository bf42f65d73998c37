/**
 * Draining: a registration ends. New commands are refused, those in the mailboxes are carried out as far as the deadline
 * allows, snapshots under way are finished; the rest is told honestly what is known.
 */
import { Effect, Fiber, FiberSet } from "effect"
import type { Registration } from "./registration.ts"
import { abandonAll } from "./supervision.ts"

/** Ends within `drainDeadline` and one second, whatever the handlers do. */
export const drain = (self: Registration, fibers: FiberSet.FiberSet<void>): Effect.Effect<void> =>
  Effect.suspend(() => {
    self.closing = true
    return FiberSet.awaitEmpty(fibers).pipe(
      Effect.timeoutOrElse({ duration: self.settings.drainDeadline, orElse: () => cutShort(self, fibers) }),
      Effect.ensuring(Effect.sync(() => self.telemetry.close()))
    )
  })

const interruptedWithin = "1 second"

/**
 * Interrupts what is under way. A handler that cannot be interrupted is not waited for: its caller and those behind it
 * are answered now, and what it decides later is written by nobody, since its fiber ends with the handler.
 */
const cutShort = Effect.fnUntraced(function*(self: Registration, fibers: FiberSet.FiberSet<void>) {
  const { name } = self.plan.definition
  yield* Effect.logWarning(`${name} did not drain in time; what is under way is interrupted`)
  const running = [...fibers]
  for (const fiber of running) fiber.interruptUnsafe()
  const ended = yield* Effect.timeoutOption(Fiber.awaitAll(running), interruptedWithin)
  if (ended._tag === "Some") return
  yield* Effect.logWarning(`A handler of ${name} cannot be interrupted; it is left behind`)
  abandonAll(self)
})
