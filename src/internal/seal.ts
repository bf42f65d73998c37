/**
 * Sealing an envelope: everything that a caller gave is checked here, once, before it can touch an aggregate.
 */
import { type Clock, type Context, Duration, Result } from "effect"
import { admitMetadata, InputInvalid, type Refusal, refuseName } from "../Admission.ts"
import { type HandleOptions, HandlerMissing, type Reason } from "../AggregateHost.ts"
import type { StreamId } from "../Event.ts"
import { durationOf, elapsedMillis } from "./elapsed.ts"
import type { Deadline, Envelope } from "./envelope.ts"
import type { CommandPlan, Plan } from "./plan.ts"
import { where } from "./replay.ts"

/** An envelope, and how long its sender waits for the answer. */
export interface Sealed {
  readonly envelope: Envelope
  readonly deadline: Deadline | undefined
}

/** What a sealed envelope holds of its surroundings. */
interface Surroundings {
  readonly clock: Clock.Clock
  readonly context: Context.Context<never>
}

/** The envelope of a command. */
export const seal = (
  plan: Plan,
  stream: StreamId,
  tag: string,
  input: unknown,
  options: HandleOptions,
  surroundings: Surroundings
): Result.Result<Sealed, Reason> => {
  const command = plan.commands.get(tag)
  if (command === undefined || !Object.hasOwn(plan.behavior.handlers, tag)) {
    return Result.fail(new HandlerMissing({ ...where(stream), name: tag }))
  }
  const names = refuseNames(stream)
  if (Result.isFailure(names)) return Result.fail(names.failure)
  const payload = command.make(input)
  if (Result.isFailure(payload)) return invalid(`the payload of "${tag}"`, payload.failure)
  return saysNothing(options)
    ? Result.succeed(sealed(stream, command, payload.success, plain, undefined, surroundings))
    : sealWith(stream, command, payload.success, options, surroundings)
}

const sealWith = (
  stream: StreamId,
  command: CommandPlan,
  payload: unknown,
  { commandId, deadline, ifVersion, metadata = {} }: HandleOptions,
  surroundings: Surroundings
): Result.Result<Sealed, Reason> => {
  const identity = identify(command, payload, commandId)
  if (Result.isFailure(identity)) return Result.fail(identity.failure)
  const expected = refuseVersion("ifVersion", ifVersion)
  if (Result.isFailure(expected)) return Result.fail(expected.failure)
  const json = admitMetadata(metadata, commandId)
  if (Result.isFailure(json)) return Result.fail(json.failure)
  const duration = readDeadline(deadline)
  if (Result.isFailure(duration)) return Result.fail(duration.failure)
  const said: Said = { identity: identity.success, ifVersion, metadata: { values: metadata, json: json.success } }
  return Result.succeed(sealed(stream, command, payload, said, duration.success, surroundings))
}

/** The envelope of a validated read. */
export const sealRead = (stream: StreamId, surroundings: Surroundings): Result.Result<Sealed, Reason> =>
  Result.map(refuseNames(stream), () => sealed(stream, undefined, undefined, plain, undefined, surroundings))

/** What the options of a command say of it. */
type Said = Pick<Envelope, "identity" | "ifVersion" | "metadata">

/** Nothing. */
const plain: Said = {
  identity: undefined,
  ifVersion: undefined,
  metadata: { values: {}, json: { text: "{}", bytes: 2 } }
}

const saysNothing = ({ commandId, deadline, ifVersion, metadata }: HandleOptions): boolean =>
  commandId === undefined && deadline === undefined && ifVersion === undefined && metadata === undefined

const sealed = (
  stream: StreamId,
  command: CommandPlan | undefined,
  payload: unknown,
  { identity, ifVersion, metadata }: Said,
  deadline: Duration.Duration | undefined,
  { clock, context }: Surroundings
): Sealed => {
  const atMillis = deadline && elapsedMillis(clock) + Duration.toMillis(deadline)
  return {
    envelope: {
      stream,
      command,
      payload,
      identity,
      ifVersion,
      metadata,
      context,
      sentAtNanos: clock.monotonicTimeNanosUnsafe(),
      deadlineMillis: atMillis,
      stage: "waiting",
      redecisions: 0,
      alone: false,
      answer: undefined,
      waiters: []
    },
    deadline: deadline && { duration: deadline, atMillis: atMillis! }
  }
}

/** Refuses a stream whose tenant or id cannot be a name. */
export const refuseNames = ({ id, tenant }: StreamId): Result.Result<void, Refusal> => {
  const refusal = refuseName("the id", id) ?? refuseName("the tenant", tenant)
  return refusal === undefined ? Result.void : Result.fail(refusal)
}

/** Refuses what is no count of events. */
export const refuseVersion = (what: string, version: number | undefined): Result.Result<void, Refusal> =>
  version === undefined || (Number.isSafeInteger(version) && version >= 0)
    ? Result.void
    : Result.fail(new InputInvalid({ what, problem: "a count of events is expected: 0, 1, 2, …" }))

const identify = (
  command: CommandPlan,
  payload: unknown,
  commandId: string | undefined
): Result.Result<Envelope["identity"], Refusal> => {
  if (commandId === undefined) return Result.succeed(undefined)
  const refusal = refuseName("the command id", commandId)
  if (refusal !== undefined) return Result.fail(refusal)
  const hash = command.hash(payload)
  return Result.isFailure(hash)
    ? invalid(`the payload of "${command.tag}"`, hash.failure)
    : Result.succeed({ commandId, hash: hash.success })
}

const readDeadline = (deadline: Duration.Input | undefined): Result.Result<Duration.Duration | undefined, Refusal> => {
  if (deadline === undefined) return Result.succeed(undefined)
  const duration = durationOf(deadline)
  if (duration === undefined) {
    return Result.fail(
      new InputInvalid({ what: "the deadline", problem: "a duration is expected, of 0 at least, like \"5 seconds\"" })
    )
  }
  return Result.succeed(Duration.isFinite(duration) ? duration : undefined)
}

const invalid = (what: string, problem: string): Result.Result<never, InputInvalid> =>
  Result.fail(new InputInvalid({ what, problem }))
