/**
 * Deciding ahead: while a batch is on its way to the store, the commands that wait are decided on the state that it
 * leads to, and form the next one. Should the first fail, the next is taken apart and decided again.
 *
 * Only handlers that answer at once do so. What has to be waited for, or cannot be committed, is decided by itself on
 * committed state.
 */
import { Effect, Exit } from "effect"
import { CommandTimeout } from "../AggregateHost.ts"
import * as Decision from "../Decision.ts"
import * as Batch from "./batch.ts"
import { elapsedMillis } from "./elapsed.ts"
import { type Answer, type Envelope, isOverdue } from "./envelope.ts"
import { failure } from "./failure.ts"
import { dismiss, finish } from "./finish.ts"
import * as Life from "./life.ts"
import * as Mailbox from "./mailbox.ts"
import * as Outcome from "./outcome.ts"
import type { Registration } from "./registration.ts"
import { type Folded, where } from "./replay.ts"
import { type Resident, wake, type Work } from "./resident.ts"
import { decide, type Recordable, type Verdict } from "./verdict.ts"

/** What a handler said of a state. */
export interface Judged {
  readonly folded: Folded
  readonly verdict: Verdict | Effect.Effect<Verdict>
}

/**
 * Why deciding stopped.
 *
 * - `Empty`: nothing waits
 * - `Held`: what waits has to wait for what is under way
 * - `Alone`: this command, taken from the mailbox, is to be handled by itself
 * - `Pause`: others shall have their turn
 */
export type Halt =
  | { readonly _tag: "Empty" | "Held" | "Pause" }
  | { readonly _tag: "Alone"; readonly envelope: Envelope; readonly judged: Judged | undefined }

const empty: Halt = { _tag: "Empty" }
const held: Halt = { _tag: "Held" }
const pause: Halt = { _tag: "Pause" }

/** Commands that are decided in one synchronous step at most. */
const stepMax = 256

/** Decides what waits, as far as that goes at once. */
export const decideWaiting = (self: Registration, resident: Resident, work: Work): Halt => {
  for (let count = 0; count < stepMax; count++) {
    const envelope = Mailbox.first(work.mailbox)
    if (envelope === undefined) return empty
    if (envelope === work.held) return held
    if (envelope.deadlineMillis !== undefined && isOverdue(envelope, elapsedMillis(self.clock))) {
      Mailbox.take(work.mailbox)
      dismiss(self, resident, work, envelope, failure(new CommandTimeout(where(envelope.stream))))
      continue
    }
    const halt = decideNext(self, resident, work, envelope)
    if (halt?._tag === "Held") work.held = envelope
    if (halt !== undefined) return halt
  }
  return pause
}

/** Decides the next command and lets it join; a halt if it cannot. */
const decideNext = (self: Registration, resident: Resident, work: Work, envelope: Envelope): Halt | undefined => {
  const folded = tip(resident, work)
  const committed = isCommitted(work)
  if (folded === undefined || !isDecidable(self, resident, envelope, folded, committed)) {
    return committed ? alone(work, envelope, undefined) : held
  }
  const verdict = judge(self, envelope, folded)
  if (Effect.isEffect(verdict)) {
    return committed || envelope.command!.speculative ? alone(work, envelope, { folded, verdict }) : held
  }
  const recorded = Outcome.record(envelope, verdict)
  if (recorded._tag !== "Recorded") return committed ? alone(work, envelope, { folded, verdict: recorded }) : held
  return joinNext(self, resident, work, envelope, folded, recorded)
}

const joinNext = (
  self: Registration,
  resident: Resident,
  work: Work,
  envelope: Envelope,
  folded: Folded,
  recorded: Outcome.Recorded
): Halt | undefined => {
  const given = isCommitted(work) ? answerAtOnce(self, resident, folded, recorded) : undefined
  if (given === undefined && !join(work, envelope, folded, recorded)) return held
  Mailbox.take(work.mailbox)
  if (given !== undefined) finish(self, resident, work, envelope, given)
  return undefined
}

/** The state that the next command is decided on. */
export const tip = (resident: Resident, { forming, writing }: Work): Folded | undefined =>
  (forming ?? writing)?.tip ?? resident.folded

/** Nothing is under way: the tip is committed state. */
export const isCommitted = ({ forming, writing }: Work): boolean => forming === undefined && writing === undefined

const isDecidable = (
  self: Registration,
  { stale, unreadable }: Resident,
  { alone, command, ifVersion }: Envelope,
  folded: Folded,
  committed: boolean
): boolean => {
  if (stale || unreadable !== undefined || (ifVersion !== undefined && ifVersion !== folded.version)) return false
  if (committed) return true
  return !alone && (command === undefined || command.speculative || self.plain.has(command))
}

/** Out of the mailbox and running in one step: the fiber may be interrupted before it has come to the handling. */
const alone = (work: Work, envelope: Envelope, judged: Judged | undefined): Halt => {
  Mailbox.take(work.mailbox)
  envelope.stage = "begun"
  work.running = envelope
  return { _tag: "Alone", envelope, judged }
}

/** Asks the handler. */
export const judge = (self: Registration, envelope: Envelope, folded: Folded): Judged["verdict"] => {
  const { command, metadata, payload, stream } = envelope
  if (command === undefined) return unchanged(folded)
  const { state, version } = folded
  const verdict = decide({
    plan: self.plan,
    tag: command.tag,
    context: { id: stream.id, tenant: stream.tenant, version, state, payload, metadata: metadata.values },
    metadata: metadata.json,
    nextEventId: self.nextEventId
  })
  // What is made ahead and thrown away may hold more than an Effect, a running Promise say: so it is made ahead only
  // where nothing of that kind is to be expected.
  if (Effect.isEffect(verdict)) self.plain.delete(command)
  else self.plain.add(command)
  return verdict
}

/** A validated read: nothing is decided, and the reply is the state. */
const unchanged = ({ state }: Folded): Verdict => ({
  _tag: "Decided",
  state,
  events: [],
  also: [],
  reply: state,
  decision: nothing
})

const nothing = Decision.decide([])

/** Lets a command that was decided on the tip join the batch that is forming; false if that one cannot take it. */
export const join = (work: Work, envelope: Envelope, folded: Folded, recorded: Outcome.Recorded): boolean => {
  const batch = work.forming ?? Batch.make(folded)
  if (!Batch.admits(batch, envelope, recorded)) return false
  Batch.join(batch, envelope, recorded)
  work.forming = batch
  return true
}

/**
 * The answer to a command that leaves nothing to write, from a store that owns its log alone and knows that the state
 * is current.
 */
export const answerAtOnce = (
  self: Registration,
  { stream }: Resident,
  { version }: Folded,
  { receipts, verdict }: Outcome.Recorded
): Answer | undefined => {
  if (receipts.length > 0) return undefined
  if (verdict._tag === "Decided" && verdict.events.length + verdict.also.length > 0) return undefined
  if (self.sources.events.versionNow?.(stream) !== version) return undefined
  return reply(verdict, version, undefined)
}

/** The caller's answer. */
export const reply = (verdict: Recordable, version: number, position: bigint | undefined): Answer =>
  verdict._tag === "Rejected"
    ? Exit.fail(verdict.error)
    : Exit.succeed({ reply: verdict.reply, version, position, duplicate: false })

/** Takes a command out that nobody waits for any more; what was decided on top of it is decided again. */
export const withdraw = (work: Work, envelope: Envelope): void => {
  const isDecided = work.forming?.entries.some((entry) => entry.envelope === envelope)
  if (isDecided) takeApart(work)
  Mailbox.remove(work.mailbox, envelope)
  if (isDecided) wake(work)
}

/** Where the log is in another life, all is forgotten and decided again. Answers whether it is. */
export const renew = (self: Registration, resident: Resident, work: Work): boolean => {
  if (Life.isKnown(self, resident)) return false
  Life.begin(self, resident)
  takeApart(work)
  return true
}

/**
 * Takes the batch that is forming apart: its commands wait again, in their order, behind `first`. So does the one whose
 * handler runs on what they lead to.
 */
export const takeApart = (work: Work, first: ReadonlyArray<Envelope> = []): void => {
  const again = [...first, ...(work.forming?.entries ?? []).map(({ envelope }) => envelope)]
  work.forming = undefined
  work.held = undefined
  if (work.running?.stage === "begun") again.push(work.running)
  const waiting = again.filter(({ stage }) => stage !== "answered")
  for (const envelope of waiting) envelope.stage = "waiting"
  Mailbox.putBack(work.mailbox, waiting)
}
