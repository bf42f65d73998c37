/**
 * The end of connections. The driver waits for the answers to all that is under way before it lets go, and to a farewell
 * besides: of a server that is silent, for ever. A worker that is told to end must end all the same.
 */
import { type Duration, Effect, type Exit, Fiber, Scope } from "effect"
import { inRealTime } from "./PostgresClock.ts"

/**
 * What is acquired is let go when the scope closes, but that is waited for so long only. Finalizers cannot be
 * interrupted, so it goes on beside, and the process may end without it.
 */
export const bounded = <A, E, R>(
  acquire: Effect.Effect<A, E, R>,
  patience: Duration.Input
): Effect.Effect<A, E, Exclude<R, Scope.Scope> | Scope.Scope> =>
  Effect.flatMap(
    Effect.acquireRelease(Scope.make(), (scope, exit) => closeWithin(patience, scope, exit)),
    (own) => Scope.provide(acquire, own)
  )

const closeWithin = (
  patience: Duration.Input,
  scope: Scope.Closeable,
  exit: Exit.Exit<unknown, unknown>
): Effect.Effect<void> =>
  Effect.flatMap(
    Effect.forkDetach(Scope.close(scope, exit), { startImmediately: true }),
    (closing) => Effect.asVoid(inRealTime(Effect.timeoutOption(Fiber.await(closing), patience)))
  )
