/**
 * The life of one aggregate while it has work: decide what waits, have it written, wait for news. A command that has to
 * be waited for itself is handled here. Nothing fails; every outcome becomes somebody's answer.
 */
import { Effect, Option, Result } from "effect"
import { OutcomeUnknown, VersionConflict } from "../AggregateHost.ts"
import { type Asker, withServices } from "./asking.ts"
import { submit } from "./commit.ts"
import * as CurrentState from "./currentState.ts"
import * as Defects from "./defects.ts"
import { elapsedMillis } from "./elapsed.ts"
import type { Answer, Envelope } from "./envelope.ts"
import { failure } from "./failure.ts"
import { finish, retireIfDone } from "./finish.ts"
import * as Mailbox from "./mailbox.ts"
import * as Outcome from "./outcome.ts"
import type { Registration } from "./registration.ts"
import { type Folded, where } from "./replay.ts"
import { awaitNews, type Resident, type Work } from "./resident.ts"
import {
  answerAtOnce,
  decideWaiting,
  type Halt,
  isCommitted,
  join,
  judge,
  type Judged,
  renew,
  tip
} from "./speculation.ts"
import type { Verdict } from "./verdict.ts"

/** Serves until nothing waits and nothing is under way, beginning with what the first turn left to be waited for. */
export const serve = (
  self: Registration,
  resident: Resident,
  work: Work,
  first: Effect.Effect<void>
): Effect.Effect<void> => {
  let next: Effect.Effect<void> | undefined = first
  return Effect.whileLoop({
    while: () => next !== undefined,
    body: () => next!,
    step: () => {
      next = turn(self, resident, work)
    }
  })
}

/** Rounds of one turn: a store that answers at once must not keep the others from theirs. */
const roundsMax = 64

/**
 * Does what can be done at once; what is left has to be waited for. Undefined: nothing is, or another fiber serves. To
 * find that nothing is and to fall idle is one synchronous step.
 */
export const turn = (self: Registration, resident: Resident, work: Work): Effect.Effect<void> | undefined => {
  for (let round = 0; round < roundsMax; round++) {
    if (work.broken !== undefined) return Effect.failCause(work.broken)
    if (resident.work !== work) return leave(resident, work)
    renew(self, resident, work)
    work.news = false
    const halt = decideWaiting(self, resident, work)
    submit(self, resident, work)
    if (halt._tag === "Alone") return handle(self, resident, work, halt)
    if (halt._tag === "Pause") break
    if (!work.news) return retireIfDone(self, resident, work) ? leave(resident, work) : awaitNews(work)
  }
  return Effect.yieldNow
}

/** The fiber ends. */
const leave = (resident: Resident, work: Work): undefined => {
  if (resident.lingering === work) resident.lingering = undefined
}

/** What one command by itself leads to: a batch to be written, an answer, or another try. */
type Handled =
  | { readonly _tag: "Answered"; readonly answer: Answer }
  | { readonly _tag: "Recorded"; readonly folded: Folded; readonly recorded: Outcome.Recorded }
  | { readonly _tag: "Again" }

const answered = (answer: Answer): Handled => ({ _tag: "Answered", answer })
const again: Handled = { _tag: "Again" }

/** Handles one command by itself. While its handler runs, what was decided before it is written. */
const handle = Effect.fnUntraced(function*(
  self: Registration,
  resident: Resident,
  work: Work,
  { envelope, judged }: Extract<Halt, { readonly _tag: "Alone" }>
): Effect.fn.Return<void> {
  const folded = judged === undefined
    ? yield* Effect.result(CurrentState.read(self, resident, envelope))
    : Result.succeed(judged.folded)
  const handled = Result.isFailure(folded)
    ? answered(yield* CurrentState.giveUp(self, resident, work, folded.failure))
    : yield* decide(self, resident, work, envelope, folded.success, judged?.verdict)
  work.running = undefined
  // Taken back meanwhile: it waits again, behind those that were decided before it.
  if (envelope.stage !== "begun") return
  switch (handled._tag) {
    case "Answered":
      return finish(self, resident, work, envelope, handled.answer)
    case "Recorded":
      if (join(work, envelope, handled.folded, handled.recorded)) return
      // No room in the batch: its handler is not run again before that has left.
      work.held = envelope
  }
  envelope.stage = "waiting"
  Mailbox.putBack(work.mailbox, [envelope])
})

const decide = Effect.fnUntraced(function*(
  self: Registration,
  resident: Resident,
  work: Work,
  envelope: Envelope,
  folded: Folded,
  known: Judged["verdict"] | undefined
): Effect.fn.Return<Handled> {
  const { ifVersion, stream } = envelope
  if (ifVersion !== undefined && ifVersion !== folded.version) {
    const conflict = new VersionConflict({ ...where(stream), expected: ifVersion, actual: folded.version })
    return yield* unlessRepeated(self, envelope, () => failure(conflict))
  }
  const judged = known ?? judge(self, envelope, folded)
  const verdict = Effect.isEffect(judged) ? yield* run(self, resident, work, envelope, judged) : Option.some(judged)
  if (Option.isNone(verdict)) return answered(failure(new OutcomeUnknown(where(stream))))
  // What it was decided on may have come to nothing meanwhile.
  if (tip(resident, work) !== folded) return again
  const recorded = Outcome.record(envelope, verdict.value)
  if (recorded._tag === "Recorded") return recordedOn(self, resident, work, folded, recorded)
  if (!isCommitted(work)) {
    envelope.alone = true
    return again
  }
  return yield* unlessRepeated(
    self,
    envelope,
    () => recorded._tag === "Died" ? Defects.count(self.defects, envelope, recorded.cause) : failure(recorded.reason)
  )
})

const recordedOn = (
  self: Registration,
  resident: Resident,
  work: Work,
  folded: Folded,
  recorded: Outcome.Recorded
): Handled => {
  const given = isCommitted(work) ? answerAtOnce(self, resident, folded, recorded) : undefined
  return given === undefined ? { _tag: "Recorded", folded, recorded } : answered(given)
}

/** Where nothing will be written the store sees no receipt, so it is asked whether the command was carried out before. */
const unlessRepeated = Effect.fnUntraced(function*(
  { sources }: Registration,
  envelope: Envelope,
  given: () => Answer
): Effect.fn.Return<Handled> {
  if (envelope.identity === undefined) return answered(given())
  const receipt = yield* Effect.result(sources.events.receipt(envelope.stream, envelope.identity.commandId))
  if (Result.isFailure(receipt)) return answered(failure(receipt.failure))
  return answered(receipt.success === undefined ? given() : Outcome.repeated(envelope, receipt.success))
})

/**
 * A handler that is an Effect runs with its services, for its caller, and no longer than somebody waits: none if nobody
 * waits for its answer any more.
 */
const run = (
  self: Registration,
  resident: Resident,
  work: Work,
  envelope: Envelope,
  verdict: Effect.Effect<Verdict>
): Effect.Effect<Option.Option<Verdict>> => {
  const asker: Asker = { resident, running: true }
  const running = Effect.ensuring(
    withServices(self.services, envelope.context, asker)(verdict),
    Effect.sync(() => {
      asker.running = false
      work.asks.length = 0
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
