/**
 * Supervision: each aggregate with work has a fiber, and nobody waits in vain when that fiber ends otherwise than it
 * should.
 */
import { Cause, Effect, Exit } from "effect"
import { OutcomeUnknown, RuntimeStopping } from "../AggregateHost.ts"
import { serve, turn } from "./aggregateFiber.ts"
import { elapsedMillis } from "./elapsed.ts"
import { answer, type Envelope } from "./envelope.ts"
import { failure } from "./failure.ts"
import { dismiss } from "./finish.ts"
import * as Mailbox from "./mailbox.ts"
import type { Registration } from "./registration.ts"
import { where } from "./replay.ts"
import * as Resident from "./resident.ts"
import { takeApart } from "./speculation.ts"

/**
 * Gives an idle aggregate work. What can be done at once is done in the caller's step, unless something has to come
 * `before`; a fiber is there for what has to be waited for. The one that has just done the last goes on, if it is still
 * there.
 */
export const begin = (
  self: Registration,
  resident: Resident.Resident,
  envelope: Envelope,
  before: Effect.Effect<void> | undefined
): void => {
  const { lingering } = resident
  if (lingering === undefined) return start(self, resident, Mailbox.make(envelope), before)
  Resident.unpark(self.residents, resident)
  resident.work = lingering
  resident.lingering = undefined
  Mailbox.offer(lingering.mailbox, envelope)
}

const start = (
  self: Registration,
  resident: Resident.Resident,
  mailbox: Mailbox.Mailbox,
  before?: Effect.Effect<void>
): void => {
  Resident.unpark(self.residents, resident)
  const work = Resident.makeWork(mailbox)
  resident.work = work
  const first = before ?? attempt(() => turn(self, resident, work))
  if (first !== undefined) fork(self, resident, work, first)
}

const attempt = (step: () => Effect.Effect<void> | undefined): Effect.Effect<void> | undefined => {
  try {
    return step()
  } catch (error) {
    return Effect.die(error)
  }
}

/** The fiber of an aggregate, and what follows when it ends. */
const fork = (
  self: Registration,
  resident: Resident.Resident,
  work: Resident.Work,
  first: Effect.Effect<void>
): void => {
  self.fork(serve(self, resident, work, first)).addObserver((exit) => {
    if (resident.lingering === work) resident.lingering = undefined
    if (Exit.isSuccess(exit)) return
    if (self.closing && Cause.hasInterruptsOnly(exit.cause)) abandon(self, resident, work)
    else restart(self, resident, work, exit.cause)
  })
}

/** Answers everybody who still waits for an aggregate of a registration that does not end by itself. */
export const abandonAll = (self: Registration): void => {
  for (const resident of Resident.all(self.residents)) {
    if (resident.work !== undefined) abandon(self, resident, resident.work)
  }
}

/** The runtime stops: what has begun may have been written, what waits was not begun. */
const abandon = (self: Registration, resident: Resident.Resident, work: Resident.Work): void => {
  const names = where(resident.stream)
  const begun = layDown(self, resident, work)
  for (const envelope of begun) answer(envelope, failure(new OutcomeUnknown(names)))
  const { mailbox } = work
  for (let next = Mailbox.take(mailbox); next !== undefined; next = Mailbox.take(mailbox)) {
    dismiss(self, resident, work, next, failure(new RuntimeStopping(names)))
  }
}

/**
 * A defect below the handlers, of a store or of the runtime itself: the state is not trusted, what is under way may
 * have been written, and a new fiber goes on with what waits.
 */
const restart = (
  self: Registration,
  resident: Resident.Resident,
  work: Resident.Work,
  cause: Cause.Cause<never>
): void => {
  const names = where(resident.stream)
  self.telemetry.restarted()
  resident.folded = undefined
  self.fork(Effect.logError(`The fiber of ${names.aggregate} ${names.id} ended in a defect`, cause))
  const begun = layDown(self, resident, work)
  // First of all: whoever is answered may send again at once, and has to come after those who wait.
  if (resident.work === undefined && Mailbox.size(work.mailbox) > 0) start(self, resident, work.mailbox)
  for (const envelope of begun) answer(envelope, failure(new OutcomeUnknown(names)))
}

/** Ends the work: what was decided ahead waits again. What has begun is to be answered by whoever calls. */
const layDown = (
  self: Registration,
  resident: Resident.Resident,
  work: Resident.Work
): ReadonlyArray<Envelope> => {
  const begun = work.writing?.entries.map(({ envelope }) => envelope) ?? []
  if (work.running?.stage === "begun") begun.push(work.running)
  work.running = undefined
  takeApart(work)
  if (resident.work === work) Resident.park(self.residents, resident, elapsedMillis(self.clock))
  resident.lingering = undefined
  for (const envelope of begun) Mailbox.forget(work.mailbox, envelope)
  return begun
}
