/**
 * Sealing an envelope: everything that a caller gave is checked here, once, before it can touch an aggregate.
 */
import { type Clock, type Context, Duration, Result } from "effect"
import { admitMetadata, InputInvalid, type Refusal, refuseName } from "../Admission.ts"
import { type HandleOptions, HandlerMissing, type Reason } from "../AggregateHost.ts"
import type { Metadata, StreamId } from "../Event.ts"
import { elapsedMillis } from "./elapsed.ts"
import type { Deadline, Envelope } from "./envelope.ts"
import { isPlainObject } from "./json.ts"
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
): Result.Result<Sealed, Reason> =>
  Result.gen(function*() {
    const command = plan.commands.get(tag)
    if (command === undefined || !Object.hasOwn(plan.behavior.handlers, tag)) {
      return yield* Result.fail(new HandlerMissing({ ...where(stream), name: tag }))
    }
    yield* refuseNames(stream)
    const payload = yield* invalid(`the payload of "${tag}"`, command.make(input))
    const identity = yield* identify(command, payload, options.commandId)
    yield* refuseVersion("ifVersion", options.ifVersion)
    const values = options.metadata === undefined ? {} : options.metadata
    const json = yield* admitMetadata(withCause(values, options.commandId))
    const deadline = yield* readDeadline(options.deadline)
    return sealed(
      stream,
      { command, payload, identity, ifVersion: options.ifVersion, metadata: { values, json } },
      deadline,
      surroundings
    )
  })

/** The envelope of a validated read. */
export const sealRead = (stream: StreamId, surroundings: Surroundings): Result.Result<Sealed, Reason> =>
  Result.map(refuseNames(stream), () => sealed(stream, reading, undefined, surroundings))

type Contents = Pick<Envelope, "command" | "payload" | "identity" | "ifVersion" | "metadata">

const reading: Contents = {
  command: undefined,
  payload: undefined,
  identity: undefined,
  ifVersion: undefined,
  metadata: { values: {}, json: { text: "{}", bytes: 2 } }
}

const sealed = (
  stream: StreamId,
  contents: Contents,
  deadline: Duration.Duration | undefined,
  { clock, context }: Surroundings
): Sealed => {
  const atMillis = deadline && elapsedMillis(clock) + Duration.toMillis(deadline)
  return {
    envelope: {
      stream,
      ...contents,
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
  return Result.map(
    invalid(`the payload of "${command.tag}"`, command.hash(payload)),
    (hash) => ({ commandId, hash })
  )
}

/** An event says which command caused it, unless its sender knows better. */
const withCause = (metadata: Metadata, commandId: string | undefined): Metadata =>
  commandId === undefined || !isPlainObject(metadata) || Object.hasOwn(metadata, "causationId")
    ? metadata
    : { ...metadata, causationId: commandId }

const readDeadline = (deadline: Duration.Input | undefined): Result.Result<Duration.Duration | undefined, Refusal> => {
  if (deadline === undefined) return Result.succeed(undefined)
  const duration = Duration.fromInput(deadline)
  if (duration._tag === "None") {
    return Result.fail(
      new InputInvalid({ what: "the deadline", problem: "a duration is expected, like \"5 seconds\"" })
    )
  }
  return Result.succeed(Duration.isFinite(duration.value) ? duration.value : undefined)
}

const invalid = <A>(what: string, result: Result.Result<A, string>): Result.Result<A, InputInvalid> =>
  Result.mapError(result, (problem) => new InputInvalid({ what, problem }))
