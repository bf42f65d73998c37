/**
 * The life of one aggregate while it has work: take a command, see to it that the state is current, decide, append,
 * evolve, answer. One command at a time; nothing here fails, every outcome becomes somebody's answer.
 */
import { Effect, Option, Result } from "effect"
import { CommandTimeout, OutcomeUnknown, VersionConflict } from "../AggregateHost.ts"
import * as Decision from "../Decision.ts"
import type { Asker } from "./asking.ts"
import * as Commit from "./commit.ts"
import * as CurrentState from "./currentState.ts"
import * as Defects from "./defects.ts"
import { elapsedMillis } from "./elapsed.ts"
import { type Answer, answer, type Envelope, failure, isOverdue } from "./envelope.ts"
import * as Mailbox from "./mailbox.ts"
import type { Registration } from "./registration.ts"
import { type Folded, where } from "./replay.ts"
import { park, type Resident } from "./resident.ts"
import { decide, type Verdict, withServices } from "./verdict.ts"

/** Serves the mailbox until it is empty. To find it empty and to fall idle is one synchronous step. */
export const serve = (self: Registration, resident: Resident): Effect.Effect<void> =>
  Effect.suspend(() => {
    let given: Answer
    return Effect.whileLoop({
      while: () => next(self, resident, given),
      body: () => handle(self, resident, resident.current!),
      step: (answer) => {
        given = answer
      }
    })
  })

/**
 * Begins the next command, or falls idle, and answers the one before. Whoever is answered goes on within this very step
 * and may send again, here or elsewhere: so answers are given last, when all is in order.
 */
const next = (self: Registration, resident: Resident, given: Answer): boolean => {
  const done = resident.current
  if (done !== undefined) Mailbox.forget(resident.mailbox, done)
  const nowMillis = elapsedMillis(self.clock)
  let late: Array<Envelope> | undefined
  let envelope = Mailbox.take(resident.mailbox)
  while (envelope !== undefined && isOverdue(envelope, nowMillis)) {
    Mailbox.forget(resident.mailbox, envelope)
    ;(late ??= []).push(envelope)
    envelope = Mailbox.take(resident.mailbox)
  }
  resident.current = envelope
  if (envelope === undefined) {
    resident.serving = false
    park(self.residents, resident, nowMillis)
  } else envelope.stage = "begun"
  if (done !== undefined) finish(self, done, given)
  for (const overdue of late ?? []) answer(overdue, failure(new CommandTimeout(where(resident.stream))))
  return envelope !== undefined
}

const finish = ({ clock, telemetry }: Registration, envelope: Envelope, given: Answer): void => {
  if (envelope.command !== undefined) {
    const nanos = clock.monotonicTimeNanosUnsafe() - envelope.sentAtNanos
    telemetry.commandDone(envelope.command.tag, Number(nanos) / 1e6)
  }
  answer(envelope, given)
}

/** Decides, and decides again after each conflict, until there is an answer or the budget is spent. */
const handle = Effect.fnUntraced(function*(self: Registration, resident: Resident, envelope: Envelope) {
  let redecisions = 0
  while (true) {
    const folded = yield* Effect.result(CurrentState.read(self, resident, envelope))
    if (Result.isFailure(folded)) return yield* CurrentState.giveUp(self, resident, folded.failure)
    const round = yield* decideOnce(self, resident, envelope, folded.success)
    if (round._tag === "Answered") return round.answer
    resident.stale = true
    if (redecisions++ >= self.settings.redecisions) return failure(round.conflict)
  }
})

const decideOnce = Effect.fnUntraced(function*(
  self: Registration,
  resident: Resident,
  envelope: Envelope,
  folded: Folded
): Effect.fn.Return<Commit.Round> {
  const { ifVersion, stream } = envelope
  if (ifVersion !== undefined && ifVersion !== folded.version) {
    const conflict = new VersionConflict({ ...where(stream), expected: ifVersion, actual: folded.version })
    return yield* unlessRepeated(self, envelope, () => failure(conflict))
  }
  const verdict = yield* judge(self, resident, envelope, folded)
  if (Option.isNone(verdict)) return Commit.answered(failure(new OutcomeUnknown(where(stream))))
  const recorded = Commit.record(envelope, verdict.value)
  switch (recorded._tag) {
    case "Died":
      return yield* unlessRepeated(self, envelope, () => Defects.count(self.defects, envelope, recorded.cause))
    case "Refused":
      return yield* unlessRepeated(self, envelope, () => failure(recorded.reason))
    case "Recorded":
      return yield* Commit.commit(self, resident, envelope, folded, recorded)
  }
})

/** Where nothing will be written the store sees no receipt, so it is asked whether the command was carried out before. */
const unlessRepeated = Effect.fnUntraced(function*(
  { sources }: Registration,
  envelope: Envelope,
  given: () => Answer
): Effect.fn.Return<Commit.Round> {
  if (envelope.identity === undefined) return Commit.answered(given())
  const receipt = yield* Effect.result(sources.events.receipt(envelope.stream, envelope.identity.commandId))
  if (Result.isFailure(receipt)) return Commit.answered(failure(receipt.failure))
  return Commit.answered(receipt.success === undefined ? given() : Commit.repeated(envelope, [receipt.success]))
})

/** Asks the handler; none if nobody waits for its answer any more. */
const judge = (
  self: Registration,
  resident: Resident,
  envelope: Envelope,
  folded: Folded
): Effect.Effect<Option.Option<Verdict>> => {
  const { command, metadata, payload, stream } = envelope
  if (command === undefined) return Effect.succeedSome(unchanged(folded))
  const { state, version } = folded
  const verdict = decide({
    plan: self.plan,
    tag: command.tag,
    context: { id: stream.id, tenant: stream.tenant, version, state, payload, metadata: metadata.values },
    metadata: metadata.json,
    nextEventId: self.nextEventId
  })
  return Effect.isEffect(verdict) ? run(self, resident, envelope, verdict) : Effect.succeedSome(verdict)
}

/** A handler that is an Effect runs with its services, for its caller, and no longer than somebody waits. */
const run = (
  self: Registration,
  resident: Resident,
  envelope: Envelope,
  verdict: Effect.Effect<Verdict>
): Effect.Effect<Option.Option<Verdict>> => {
  const asker: Asker = { resident, running: true }
  const running = Effect.ensuring(
    withServices(self.services, envelope.context, asker)(verdict),
    Effect.sync(() => {
      asker.running = false
      resident.asks.length = 0
    })
  )
  if (envelope.deadlineMillis === undefined) return Effect.asSome(running)
  return Effect.raceFirst(Effect.asSome(running), Effect.as(untilOverdue(self, envelope), Option.none()))
}

/** Ends when nobody waits any more; who joins meanwhile puts that off. */
const untilOverdue = (self: Registration, envelope: Envelope): Effect.Effect<void> =>
  Effect.suspend(() => {
    const { deadlineMillis } = envelope
    if (deadlineMillis === undefined) return Effect.never
    const leftMillis = deadlineMillis - elapsedMillis(self.clock)
    return leftMillis <= 0 ? Effect.void : Effect.andThen(Effect.sleep(leftMillis), untilOverdue(self, envelope))
  })

/** A validated read: nothing is decided, and the reply is the state. */
const unchanged = ({ state }: Folded): Verdict => ({
  _tag: "Decided",
  state,
  events: [],
  also: [],
  decision: Decision.decide([], { reply: state })
})
