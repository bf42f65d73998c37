/**
 * Commands whose answer waits until projections show what they have done.
 */
import { Duration, Effect, Predicate } from "effect"
import { InputInvalid } from "../Admission.ts"
import type { Commit, HandleOptions } from "../AggregateHost.ts"
import type { Position, StreamId } from "../Event.ts"
import { type Defined, type ProjectionHost, ViewsBehind } from "../ProjectionHost.ts"
import { durationOf, elapsedMillis } from "./elapsed.ts"
import { failure } from "./failure.ts"
import type { Registration } from "./registration.ts"
import { where } from "./replay.ts"

/** How long is waited where no deadline is given. */
const waitMillis = 10_000

/** Carries a command out, and waits for projections up to its last event. */
export const consistently = (
  { clock, projections }: Registration,
  stream: StreamId,
  { consistent = [], deadline }: HandleOptions,
  carriedOut: Effect.Effect<Commit<unknown>, unknown>
): Effect.Effect<Commit<unknown>, unknown> =>
  Effect.suspend(() => {
    if (projections === undefined) return invalid("no projections are run beside this runtime")
    const problem = refused(consistent)
    if (problem !== undefined) return invalid(problem)
    const sinceMillis = elapsedMillis(clock)
    const given = deadline === undefined ? undefined : durationOf(deadline)
    return Effect.flatMap(carriedOut, (commit) => {
      const { position } = commit
      if (position === undefined) return Effect.succeed(commit)
      const leftMillis = given === undefined
        ? waitMillis
        : Math.max(0, Duration.toMillis(given) - (elapsedMillis(clock) - sinceMillis))
      const shown = Effect.forEach(consistent, (defined) =>
        awaitOne(projections, stream, defined, position, leftMillis), {
        concurrency: "unbounded",
        discard: true
      })
      return Effect.as(shown, commit)
    })
  })

const invalid = (problem: string) => failure(new InputInvalid({ what: "consistent", problem }))

/** Who is not checked by a compiler is told before anything is written, and not after it. */
const refused = (consistent: unknown): string | undefined => {
  const wanted = "a list of projections is expected, like [OrderSummaries]"
  if (!Array.isArray(consistent)) return wanted
  const wrong = consistent.findIndex((defined) => !isDefined(defined))
  return wrong < 0 ? undefined : `${wanted}, and number ${wrong + 1} of it is none: name its class, not its name`
}

const isDefined = (value: unknown): boolean =>
  Predicate.hasProperty(value, "definition") && Predicate.hasProperty(value.definition, "kind")

const awaitOne = (
  projections: ProjectionHost["Service"],
  stream: StreamId,
  { definition }: Defined,
  position: Position,
  deadline: number
) => {
  const behind = (reached: Position, problem: string) =>
    failure(new ViewsBehind({ ...where(stream), projection: definition.name, position, reached, problem }))
  return Effect.catchTags(projections.awaitShown(definition, position, { deadline }), {
    ProjectionBehind: ({ problem, reached }) => behind(reached, problem),
    StoreUnavailable: ({ message }) => behind(0n, message)
  })
}
