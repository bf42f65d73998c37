/**
 * The end of a command: it is no longer under way, and whoever waits is answered.
 *
 * Whoever is answered goes on within this very step and may send again, here or elsewhere. So the answer comes last,
 * when all is in order: an aggregate that has nothing left to do idles by then, and may make room for another.
 */
import { elapsedMillis } from "./elapsed.ts"
import { type Answer, answer, type Envelope } from "./envelope.ts"
import * as Mailbox from "./mailbox.ts"
import type { Registration } from "./registration.ts"
import { park, type Resident, type Work } from "./resident.ts"

/** Answers a command that was decided, and counts it. */
export const finish = (
  self: Registration,
  resident: Resident,
  work: Work,
  envelope: Envelope,
  given: Answer
): void => {
  if (envelope.command !== undefined) {
    const nanos = self.clock.monotonicTimeNanosUnsafe() - envelope.sentAtNanos
    self.telemetry.commandDone(envelope.command.tag, Number(nanos) / 1e6)
  }
  dismiss(self, resident, work, envelope, given)
}

/** Answers a command that was not. */
export const dismiss = (
  self: Registration,
  resident: Resident,
  work: Work,
  envelope: Envelope,
  given: Answer
): void => {
  Mailbox.forget(work.mailbox, envelope)
  retireIfDone(self, resident, work)
  answer(envelope, given)
}

/** Lets an aggregate idle that has nothing left to do. To find that and to fall idle is one synchronous step. */
export const retireIfDone = (self: Registration, resident: Resident, work: Work): boolean => {
  const { forming, mailbox, running, writing } = work
  if (resident.work !== work) return true
  if (forming !== undefined || writing !== undefined || running !== undefined || Mailbox.size(mailbox) > 0) return false
  park(self.residents, resident, elapsedMillis(self.clock))
  return true
}
