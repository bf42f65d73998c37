/**
 * The outcome of a command as its receipt keeps it: the reply or the rejection, in the command's own schemas, so that
 * whoever repeats the command gets the first answer with its type.
 */
import { Exit, Result } from "effect"
import { admitJson, limits, type Refusal } from "../Admission.ts"
import type { Receipt } from "../EventStore.ts"
import { parseObject } from "./codec.ts"
import type { Answer } from "./envelope.ts"
import type { CommandPlan } from "./plan.ts"
import type { Recordable } from "./verdict.ts"

/** The log does not admit the outcome, or the handler gave one that does not fit the command. */
export type Unrecordable = Refusal | TypeError

/** The outcome as JSON text. */
export const encode = (command: CommandPlan, verdict: Recordable): Result.Result<string, Unrecordable> => {
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
export const decode = (
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
