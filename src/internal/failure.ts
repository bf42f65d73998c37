/**
 * Failures of the machinery: one error, `CommandFailed`, whatever the reason.
 */
import { Effect, Exit, Result } from "effect"
import { CommandFailed, type Reason } from "../AggregateHost.ts"

/** The failure for a reason: an answer, and an Effect. */
export const failure = (reason: Reason): Exit.Exit<never, CommandFailed> => Exit.fail(new CommandFailed({ reason }))

/** Makes what a port fails with a failure of the machinery. */
export const orFailed = <A, R>(effect: Effect.Effect<A, Reason, R>): Effect.Effect<A, CommandFailed, R> =>
  Effect.mapError(effect, (reason) => new CommandFailed({ reason }))

/** What was refused is a failure; what was admitted goes on. */
export const admitted = <A>(result: Result.Result<A, Reason>): Effect.Effect<A, CommandFailed> =>
  Result.isSuccess(result) ? Effect.succeed(result.success) : failure(result.failure)
