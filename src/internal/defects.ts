/**
 * Commands that ended in a defect, counted by their ids: one that does so three times is not tried again.
 */
import { type Cause, Exit } from "effect"
import { CommandQuarantined } from "../AggregateHost.ts"
import type { StreamId } from "../Event.ts"
import type { Answer, Envelope } from "./envelope.ts"
import { failure } from "./failure.ts"
import { where } from "./replay.ts"

/** How often each command ended in a defect; the oldest are forgotten first. */
export type Defects = Map<string, number>

const allowed = 3
const remembered = 10_000

/** Counts a defect and gives it to the caller. */
export const count = (defects: Defects, { identity, stream }: Envelope, cause: Cause.Cause<never>): Answer => {
  if (identity !== undefined) {
    const key = keyOf(stream, identity.commandId)
    const sofar = defects.get(key) ?? 0
    defects.delete(key)
    defects.set(key, sofar + 1)
    if (defects.size > remembered) defects.delete(defects.keys().next().value!)
  }
  return Exit.failCause(cause)
}

/** The answer to a command that ended in a defect too often. */
export const quarantined = (defects: Defects, stream: StreamId, commandId: string): Answer | undefined =>
  defects.size === 0 || (defects.get(keyOf(stream, commandId)) ?? 0) < allowed
    ? undefined
    : failure(new CommandQuarantined({ ...where(stream), commandId }))

const keyOf = ({ category, id, tenant }: StreamId, commandId: string): string =>
  `${tenant}\0${category}\0${id}\0${commandId}`
