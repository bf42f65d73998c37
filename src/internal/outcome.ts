/**
 * The outcome of a command as its receipt keeps it: the reply or the rejection, in the command's own schemas, so that
 * whoever repeats the command gets the first answer with its type.
 */
import { Cause, Exit, Result } from "effect"
import { admitJson, limits } from "../Admission.ts"
import { CommandIdReused, StreamUnreadable } from "../AggregateHost.ts"
import type { NewReceipt, Receipt } from "../EventStore.ts"
import { parseObject } from "./codec.ts"
import type { Answer, Envelope } from "./envelope.ts"
import { failure } from "./failure.ts"
import type { CommandPlan } from "./plan.ts"
import { where } from "./replay.ts"
import type { Recordable, Verdict } from "./verdict.ts"

/** A verdict with the receipt that it leaves, if its command has an id. */
export interface Recorded {
  readonly _tag: "Recorded"
  readonly verdict: Recordable
  readonly receipts: ReadonlyArray<NewReceipt>
}

/**
 * Checks the outcome of a command against its schemas, and encodes it if the command has an id. What a schema or the log
 * does not admit makes another verdict of it.
 */
export const record = (
  { command, identity }: Envelope,
  verdict: Verdict
): Recorded | Exclude<Verdict, Recordable> => {
  if (verdict._tag === "Died" || verdict._tag === "Refused") return verdict
  if (command === undefined) return { _tag: "Recorded", verdict, receipts: [] }
  const data = encode(command, verdict)
  if (Result.isFailure(data)) return misfit(command, verdict, `does not fit its schema: ${data.failure}`)
  if (identity === undefined) return { _tag: "Recorded", verdict, receipts: [] }
  const outcome = admitJson(`the outcome of "${command.tag}"`, data.success, limits.outcomeBytesMax)
  if (Result.isFailure(outcome)) return { _tag: "Refused", reason: outcome.failure }
  // The first answer is the one that a repeated command gets, even where a schema reads something else than it wrote.
  const told = retold(command, verdict, outcome.success.text)
  if (Result.isFailure(told)) return misfit(command, verdict, `cannot be read back: ${told.failure}`)
  const events = verdict._tag === "Decided" ? verdict.events.length : 0
  const receipt = { ...identity, events, through: events, outcome: outcome.success.text }
  return { _tag: "Recorded", verdict: told.success, receipts: [receipt] }
}

const misfit = ({ tag }: CommandPlan, { _tag }: Recordable, problem: string): Exclude<Verdict, Recordable> => ({
  _tag: "Died",
  cause: Cause.die(new TypeError(`The ${_tag === "Decided" ? "reply" : "error"} of "${tag}" ${problem}`))
})

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

/** The outcome as JSON data. */
const encode = (command: CommandPlan, verdict: Recordable): Result.Result<object, string> =>
  verdict._tag === "Decided"
    ? Result.map(command.success.encode(verdict.reply), (reply) => ({ reply: reply ?? null }))
    : Result.map(command.error.encode(verdict.error), (error) => ({ error: error ?? null }))

/** The verdict as its recorded outcome tells it. */
const retold = (command: CommandPlan, verdict: Recordable, outcome: string): Result.Result<Recordable, string> =>
  Result.flatMap(
    parseObject(outcome),
    ({ error, reply }): Result.Result<Recordable, string> =>
      verdict._tag === "Decided"
        ? Result.map(command.success.decode(reply), (reply) => ({ ...verdict, reply }))
        : Result.map(command.error.decode(error), (error) => ({ ...verdict, error }))
  )

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
