/**
 * From the caller to the aggregate: finds or starts it, puts the envelope into its mailbox, and waits for the answer.
 * Everything up to the wait is one synchronous step, so a mailbox cannot go away between finding and offering.
 */
import { Context, Effect, Result, Tracer } from "effect"
import {
  AskRing,
  type CommandFailed,
  CommandIdReused,
  type Commit,
  type HandleOptions,
  isCommandFailed,
  MailboxFull,
  RuntimeStopping
} from "../AggregateHost.ts"
import type { StreamId } from "../Event.ts"
import * as Asking from "./asking.ts"
import * as Defects from "./defects.ts"
import { answer, atDeadline, awaitAnswer, type Deadline, type Envelope, extendDeadline, isOverdue } from "./envelope.ts"
import { failure } from "./failure.ts"
import * as Mailbox from "./mailbox.ts"
import { makeRoom } from "./passivation.ts"
import type { Registration } from "./registration.ts"
import { where } from "./replay.ts"
import * as Resident from "./resident.ts"
import { seal, type Sealed, sealRead } from "./seal.ts"
import { withdraw } from "./speculation.ts"
import { begin } from "./supervision.ts"

type Answering = Effect.Effect<Commit<unknown>, unknown>

/** Carries out a command. */
export const execute = (
  self: Registration,
  stream: StreamId,
  tag: string,
  payload: unknown,
  options: HandleOptions
): Answering =>
  Effect.withFiber(({ context }) => {
    const isTraced = Context.getOrUndefined(context, Tracer.ParentSpan) !== undefined
    return isTraced
      ? traced(self, stream, tag, payload, options)
      : carryOut(self, stream, tag, payload, options, context)
  })

/** A span only where the caller has one: it covers the wait, and the handler's spans hang below it. */
const traced = (
  self: Registration,
  stream: StreamId,
  tag: string,
  payload: unknown,
  options: HandleOptions
): Answering =>
  Effect.withSpan(
    Effect.withFiber(({ context }) => carryOut(self, stream, tag, payload, options, context)),
    `${self.plan.definition.name}.${tag}`,
    {
      attributes: { "varve.aggregate": stream.category, "varve.id": stream.id, "varve.tenant": stream.tenant },
      captureStackTrace: false
    }
  )

const carryOut = (
  self: Registration,
  stream: StreamId,
  tag: string,
  payload: unknown,
  options: HandleOptions,
  context: Context.Context<never>
): Answering => {
  const sealed = seal(self.plan, stream, tag, payload, options, { clock: self.clock, context })
  return Result.isFailure(sealed) ? failure(sealed.failure) : send(self, sealed.success)
}

/** The state, true of the stream at the moment of the answer. */
export const read = (self: Registration, stream: StreamId): Effect.Effect<unknown, CommandFailed> =>
  Effect.withFiber(({ context }) => {
    const sealed = sealRead(stream, { clock: self.clock, context })
    if (Result.isFailure(sealed)) return failure(sealed.failure)
    return Effect.matchEffect(send(self, sealed.success), {
      onFailure: (error) => isCommandFailed(error) ? Effect.fail(error) : Effect.die(error),
      onSuccess: ({ reply }) => Effect.succeed(reply)
    })
  })

const send = (self: Registration, sealed: Sealed): Answering => {
  const { envelope } = sealed
  const { context, identity, stream } = envelope
  const asker = Context.get(context, Asking.CurrentAsker)
  // What a handler asks is part of its own command, and that one shall still be finished.
  if (self.closing && !asker?.running) return failure(new RuntimeStopping(where(stream)))
  const quarantined = identity && Defects.quarantined(self.defects, stream, identity.commandId)
  if (quarantined !== undefined) return quarantined
  const resident = residentOf(self, stream)
  if (resident === undefined) {
    return failure(new MailboxFull({ ...where(stream), capacity: self.capacity.maxActive, of: "maxActive" }))
  }
  return asker?.running ? ask(self, asker.resident, resident, sealed) : post(self, resident, sealed)
}

/**
 * A handler's question. It counts as waiting before it is posted: the answer may be in the making at once. Neither the
 * asked aggregate nor, with the answer, the asking one goes on within this very step: long chains would pile up on the
 * stack.
 */
const ask = (
  self: Registration,
  asker: Resident.Resident,
  asked: Resident.Resident,
  sealed: Sealed
): Answering => {
  const path = Asking.ring(asker, asked)
  if (path !== undefined) return failure(new AskRing({ ...where(asked.stream), path }))
  const answered = Asking.wait(asker, asked)
  return Effect.ensuring(
    post(self, asked, sealed, Effect.yieldNow),
    Effect.andThen(Effect.sync(answered), Effect.yieldNow)
  )
}

/** Puts the envelope into the mailbox, or joins the one that is under way with the same command id. */
const post = (
  self: Registration,
  resident: Resident.Resident,
  { deadline, envelope }: Sealed,
  before?: Effect.Effect<void>
): Answering => {
  const { identity, stream } = envelope
  const { work } = resident
  const earlier = identity && work?.mailbox.byCommandId?.get(identity.commandId)
  if (earlier !== undefined) {
    if (earlier.identity!.hash !== identity!.hash) {
      return failure(new CommandIdReused({ ...where(stream), commandId: identity!.commandId }))
    }
    extendDeadline(earlier, envelope.deadlineMillis)
    return Effect.map(wait(resident, { envelope: earlier, deadline }), (commit) => ({ ...commit, duplicate: true }))
  }
  if (work === undefined) {
    begin(self, resident, envelope, before)
    return wait(resident, { deadline, envelope })
  }
  const capacity = self.settings.mailboxCapacity
  if (Resident.waiting(work) >= capacity) return failure(new MailboxFull({ ...where(stream), capacity, of: "mailbox" }))
  Mailbox.offer(work.mailbox, envelope)
  if (!work.answering) Resident.wake(work)
  return wait(resident, { deadline, envelope })
}

/** Waits for the answer, no longer than the deadline. */
const wait = (resident: Resident.Resident, { deadline, envelope }: Sealed): Answering => {
  if (envelope.answer !== undefined) return envelope.answer
  if (deadline === undefined) return awaitAnswer(envelope)
  return Effect.timeoutOrElse(awaitAnswer(envelope), {
    duration: deadline.duration,
    orElse: () => Effect.suspend(() => expire(resident, envelope, deadline))
  })
}

/** What still waits here when nobody waits for it any more is taken out. */
const expire = (resident: Resident.Resident, envelope: Envelope, deadline: Deadline): Answering => {
  const given = atDeadline(envelope, deadline)
  if (envelope.stage === "waiting" && isOverdue(envelope, deadline.atMillis)) {
    if (resident.work !== undefined) withdraw(resident.work, envelope)
    answer(envelope, given)
  }
  return given
}

/** The aggregate in memory, a new one if there is room. */
const residentOf = (self: Registration, stream: StreamId): Resident.Resident | undefined => {
  const known = Resident.find(self.residents, stream)
  if (known !== undefined) return known
  if (!makeRoom(self.capacity)) return undefined
  const resident = Resident.make(stream)
  Resident.add(self.residents, resident)
  return resident
}
