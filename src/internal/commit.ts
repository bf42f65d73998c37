/**
 * A verdict on its way into the log, and what the store says to it on its way back to the caller.
 */
import { Cause, Effect, Exit, Result, Schedule } from "effect"
import { CommandIdReused, StreamUnreadable, VersionConflict } from "../AggregateHost.ts"
import type { Append, EventStore, NewReceipt, Receipt, Status, StoreUnavailable, Write } from "../EventStore.ts"
import { type Answer, type Envelope, failure } from "./envelope.ts"
import * as Outcome from "./outcome.ts"
import type { Registration } from "./registration.ts"
import { type Folded, where } from "./replay.ts"
import type { Resident } from "./resident.ts"
import * as Snapshots from "./snapshots.ts"
import type { Recordable, Verdict } from "./verdict.ts"

/** What one round of deciding leads to: an answer, or the news that another writer was first. */
export type Round =
  | { readonly _tag: "Answered"; readonly answer: Answer }
  | { readonly _tag: "Overtaken"; readonly conflict: VersionConflict }

export const answered = (answer: Answer): Round => ({ _tag: "Answered", answer })

/**
 * Appends what was decided at exactly the version it was decided on, or checks that version where there is nothing to
 * append, so that every answer, also a "no", was true of the stream at that moment.
 */
export const commit = Effect.fnUntraced(function*(
  self: Registration,
  resident: Resident,
  envelope: Envelope,
  folded: Folded,
  { receipts, verdict }: Recorded
): Effect.fn.Return<Round> {
  const { events, also } = verdict._tag === "Decided" ? verdict : nothing
  if (events.length + also.length + receipts.length === 0 && isCurrent(self, envelope, folded)) {
    return answered(reply(verdict, { version: folded.version, position: undefined }))
  }
  const left = events.length + receipts.length === 0 && also.length > 0 ? [mark(self)] : receipts
  const append: Append = [{ stream: envelope.stream, expected: folded.version, events, receipts: left }, ...also]
  const sent = yield* Effect.result(send(self.sources.events, append))
  if (Result.isFailure(sent)) return answered(failure(sent.failure))
  return settle(self, resident, envelope, folded, verdict, append, sent.success)
})

/**
 * Where only other streams are written to, and at no certain version, neither an event nor a receipt would tell that
 * the append was written and its reply lost. So it leaves a receipt of its own, under an id that nobody else has.
 */
const mark = ({ nextEventId }: Registration): NewReceipt => ({
  commandId: nextEventId(),
  hash: "",
  events: 0,
  through: 0,
  outcome: "{}"
})

/** Turns the store's answer into the caller's. */
const settle = (
  self: Registration,
  resident: Resident,
  envelope: Envelope,
  folded: Folded,
  verdict: Recordable,
  append: Append,
  status: Status
): Round => {
  switch (status._tag) {
    case "Committed": {
      const written = status.writes[0]!
      if (verdict._tag === "Decided" && verdict.events.length > 0) {
        resident.folded = { state: verdict.state, version: written.version }
        Snapshots.request(self, resident, folded.version)
      }
      return answered(reply(verdict, written))
    }
    case "Duplicate":
      // What was found may be ahead of us: another process's, or this very append, lost on its first way.
      resident.stale ||= status.receipts.some(({ version }) => version > folded.version)
      return answered(
        envelope.identity === undefined ? reply(verdict, status.receipts[0]!) : repeated(envelope, status.receipts)
      )
    case "Conflict":
      return { _tag: "Overtaken", conflict: conflictOf(append[status.write]!, status.actual) }
    case "Refused":
      return answered(failure(status.reason))
  }
}

/**
 * Sends an append until its outcome is certain. Once it was lost it may have been written, so nothing less than an
 * answer to the same append settles it: 10, 20, 40 ms …, at most 1 s apart, give or take 20 %.
 */
export const send = (store: EventStore["Service"], append: Append): Effect.Effect<Status, StoreUnavailable> =>
  Effect.suspend(() => {
    let lost = false
    return store.append([append]).pipe(
      Effect.map(([status]) => status!),
      Effect.tapError((error) => Effect.sync(() => (lost ||= error._tag === "AppendLost"))),
      Effect.retry({ schedule: again, while: () => lost }),
      Effect.catchTag("AppendLost", Effect.die)
    )
  })

const again = Schedule.jittered(Schedule.min([Schedule.exponential("10 millis"), Schedule.spaced("1 second")]))

/** A store that owns its log alone knows at once whether the state is current. */
const isCurrent = (self: Registration, { stream }: Envelope, { version }: Folded): boolean =>
  self.sources.events.versionNow?.(stream) === version

/** A verdict with the receipt that it leaves, if its command has an id. */
export interface Recorded {
  readonly _tag: "Recorded"
  readonly verdict: Recordable
  readonly receipts: ReadonlyArray<NewReceipt>
}

/** Encodes the outcome of a command. What its schema or the log does not admit makes another verdict of it. */
export const record = (
  { command, identity }: Envelope,
  verdict: Verdict
): Recorded | Exclude<Verdict, Recordable> => {
  if (verdict._tag === "Died" || verdict._tag === "Refused") return verdict
  if (identity === undefined || command === undefined) return { _tag: "Recorded", verdict, receipts: [] }
  const outcome = Outcome.encode(command, verdict)
  if (Result.isFailure(outcome)) {
    return outcome.failure instanceof TypeError
      ? { _tag: "Died", cause: Cause.die(outcome.failure) }
      : { _tag: "Refused", reason: outcome.failure }
  }
  const events = verdict._tag === "Decided" ? verdict.events.length : 0
  return { _tag: "Recorded", verdict, receipts: [{ ...identity, events, through: events, outcome: outcome.success }] }
}

/** The first answer to a command that was carried out before. */
export const repeated = (envelope: Envelope, receipts: ReadonlyArray<Receipt>): Answer => {
  const { commandId, hash } = envelope.identity!
  const receipt = receipts.find((found) => found.commandId === commandId)!
  if (receipt.hash !== hash) return failure(new CommandIdReused({ ...where(envelope.stream), commandId }))
  const decoded = Outcome.decode(envelope.command!, receipt)
  if (Result.isSuccess(decoded)) return decoded.success
  return failure(
    new StreamUnreadable({
      ...where(envelope.stream),
      version: receipt.version,
      type: `outcome of "${envelope.command!.tag}"`,
      problem: decoded.failure
    })
  )
}

const reply = (verdict: Recordable, written: Pick<Receipt, "version" | "position">): Answer =>
  verdict._tag === "Rejected"
    ? Exit.fail(verdict.error)
    : Exit.succeed({
      reply: verdict.decision.reply,
      version: written.version,
      position: written.position,
      duplicate: false
    })

const conflictOf = ({ expected, stream }: Write, actual: number) =>
  new VersionConflict({ ...where(stream), expected, actual })

const nothing = { events: [], also: [] } as const
