/**
 * The outcome of a command as its receipt keeps it: the reply or the rejection, in the command's own schemas, so that
 * whoever repeats the command gets the first answer with its type.
 */
import { Cause, Exit, Result } from "effect"
import { admitJson, limits, type Refusal } from "../Admission.ts"
import { CommandIdReused, StreamUnreadable } from "../AggregateHost.ts"
import type { NewReceipt, Receipt } from "../EventStore.ts"
import { parseObject } from "./codec.ts"
import { type Answer, type Envelope, failure } from "./envelope.ts"
import type { CommandPlan } from "./plan.ts"
import { where } from "./replay.ts"
import type { Recordable, Verdict } from "./verdict.ts"

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
  const outcome = encode(command, verdict)
  if (Result.isFailure(outcome)) {
    return outcome.failure instanceof TypeError
      ? { _tag: "Died", cause: Cause.die(outcome.failure) }
      : { _tag: "Refused", reason: outcome.failure }
  }
  const events = verdict._tag === "Decided" ? verdict.events.length : 0
  return { _tag: "Recorded", verdict, receipts: [{ ...identity, events, through: events, outcome: outcome.success }] }
}

/** The first answer to a command that was carried out before. */
export const repeated = (envelope: Envelope, receipt: Receipt): Answer => {
  const { commandId, hash } = envelope.identity!
  if (receipt.hash !== hash) return failure(new CommandIdReused({ ...where(envelope.stream), commandId }))
  const decoded = decode(envelope.command!, receipt)
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

/** The log does not admit the outcome, or the handler gave one that does not fit the command. */
type Unrecordable = Refusal | TypeError

/** The outcome as JSON text. */
const encode = (command: CommandPlan, verdict: Recordable): Result.Result<string, Unrecordable> => {
  const { data, what } = verdict._tag === "Decided"
    ? { data: command.success.encode(verdict.decision.reply), what: "reply" }
    : { data: command.error.encode(verdict.error), what: "error" }
  if (Result.isFailure(data)) {
    return Result.fail(new TypeError(`The ${what} of "${command.tag}" does not fit its schema: ${data.failure}`))
  }
  const outcome = { [what]: data.success ?? null }
  return Result.map(admitJson(`the outcome of "${command.tag}"`, outcome, limits.outcomeBytesMax), ({ text }) => text)
}

/** The answer that a stored outcome stands for. A failure says why this build cannot read it. */
const decode = (
  command: CommandPlan,
  { outcome, position, version }: Receipt
): Result.Result<Answer, string> =>
  Result.flatMap(parseObject(outcome), (stored): Result.Result<Answer, string> =>
    "error" in stored
      ? Result.map(command.error.decode(stored.error), (error) => Exit.fail(error))
      : Result.map(
        command.success.decode(stored.reply),
        (reply) => Exit.succeed({ reply, version, position, duplicate: true })
      ))
