/**
 * An envelope: one command under way, and everybody who waits for its answer.
 *
 * It is answered exactly once. A caller may leave before that; the command stays. Whoever sends the same command id
 * while it is under way waits for the same answer.
 */
import { type Context, type Duration, Effect, type Exit } from "effect"
import type { AdmittedJson } from "../Admission.ts"
import { CommandTimeout, type Commit, OutcomeUnknown } from "../AggregateHost.ts"
import type { Metadata, StreamId, Version } from "../Event.ts"
import { failure } from "./failure.ts"
import type { CommandPlan } from "./plan.ts"
import { where } from "./replay.ts"

/** The answer to a command: what became of it, a rejection, `CommandFailed`, or a defect. */
export type Answer = Exit.Exit<Commit<unknown>, unknown>

/** How long a caller waits, and when that ends, by `elapsedMillis`. */
export interface Deadline {
  readonly duration: Duration.Duration
  readonly atMillis: number
}

/** A command under way. */
export interface Envelope {
  readonly stream: StreamId
  /** Undefined: a validated read of the state. */
  readonly command: CommandPlan | undefined
  readonly payload: unknown
  readonly identity: { readonly commandId: string; readonly hash: string } | undefined
  readonly ifVersion: Version | undefined
  readonly metadata: { readonly values: Metadata; readonly json: AdmittedJson }
  /** Of the caller: its span and log annotations, for the handler. */
  readonly context: Context.Context<never>
  readonly sentAtNanos: bigint
  /** When nobody waits any more, by `elapsedMillis`; undefined while somebody waits without a deadline. */
  deadlineMillis: number | undefined
  /**
   * "begun" once its handler runs as an Effect, or its batch has left for the store: from then on its outcome may be
   * unknown. What is decided and has not left is "waiting" still.
   */
  stage: "waiting" | "begun" | "answered"
  /** How often another writer was first. */
  redecisions: number
  /** To be decided on committed state, in nobody's company. */
  alone: boolean
  answer: Answer | undefined
  readonly waiters: Array<(answer: Answer) => void>
}

/** Gives the answer to all who wait. A second answer is ignored. */
export const answer = (envelope: Envelope, given: Answer): void => {
  if (envelope.stage === "answered") return
  envelope.stage = "answered"
  envelope.answer = given
  for (const waiter of envelope.waiters.splice(0)) {
    // What observes a caller's fiber runs here too. Should it throw, that is nobody else's business.
    try {
      waiter(given)
    } catch (error) {
      Effect.runForkWith(envelope.context)(Effect.logError("What observes the caller of a command threw", error))
    }
  }
}

/** Waits for the answer. Interruption ends the wait, not the command. */
export const awaitAnswer = (envelope: Envelope): Effect.Effect<Commit<unknown>, unknown> =>
  Effect.callback((resume) => {
    if (envelope.answer !== undefined) return resume(envelope.answer)
    const waiter = (given: Answer) => resume(given)
    envelope.waiters.push(waiter)
    return Effect.sync(() => {
      const index = envelope.waiters.indexOf(waiter)
      if (index >= 0) envelope.waiters.splice(index, 1)
    })
  })

/** Another caller waits: the later deadline counts. */
export const extendDeadline = (envelope: Envelope, deadlineMillis: number | undefined): void => {
  envelope.deadlineMillis = envelope.deadlineMillis === undefined || deadlineMillis === undefined
    ? undefined
    : Math.max(envelope.deadlineMillis, deadlineMillis)
}

/** Whether the last deadline of those who wait has passed. */
export const isOverdue = (envelope: Envelope, nowMillis: number): boolean =>
  envelope.deadlineMillis !== undefined && envelope.deadlineMillis <= nowMillis

/** What a caller learns at its deadline: certain only while the command waits and nobody else waits for it longer. */
export const atDeadline = (envelope: Envelope, { atMillis }: Deadline): Answer => {
  if (envelope.answer !== undefined) return envelope.answer
  // The clock is not asked again: the caller's timer has decided, and may be a little ahead of it.
  return envelope.stage === "waiting" && isOverdue(envelope, atMillis)
    ? failure(new CommandTimeout(where(envelope.stream)))
    : failure(new OutcomeUnknown(where(envelope.stream)))
}
