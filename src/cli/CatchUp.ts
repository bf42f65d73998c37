/**
 * The wait of a run until the projections that are run beside it have all of it.
 */
import { Data, type Duration, Effect } from "effect"
import type { Position } from "../Event.ts"
import { EventStore } from "../EventStore.ts"
import { type OperationFailure, Projections } from "../Projections.ts"
import * as ProjectionLag from "./ProjectionLag.ts"
import type { StatusLine } from "./StatusLine.ts"

/** How far a projection has come when a run ended. */
export interface CaughtUp {
  readonly name: string
  readonly position: string
  /** Why it has not caught up, if so. */
  readonly problem?: string
}

/** The commands were carried out; projections are behind. */
export class ProjectionsBehind extends Data.TaggedError("ProjectionsBehind")<{
  readonly names: ReadonlyArray<string>
}> {
  override get message() {
    return `The commands were carried out, but not all projections have caught up: ${this.names.join(", ")}.`
  }
}

/** Waits until all of them have what is in the log by now; for one that does not move, no longer than `patience`. */
export const wait = Effect.fnUntraced(function*(
  patience: Duration.Duration,
  status: StatusLine
): Effect.fn.Return<ReadonlyArray<CaughtUp>, OperationFailure, Projections | EventStore> {
  const projections = yield* Projections
  const head = yield* (yield* EventStore).head
  const all = Effect.forEach(yield* projections.status(), ({ name }) => follow(projections, name, head, patience), {
    concurrency: "unbounded"
  })
  return yield* status.during(Effect.map(ProjectionLag.describe, (lag) => lag.join(" · ")), all)
})

const follow = Effect.fnUntraced(function*(
  { await: reached }: Projections["Service"],
  name: string,
  head: Position,
  patience: Duration.Duration
): Effect.fn.Return<CaughtUp, OperationFailure> {
  for (let last: Position | undefined;;) {
    const behind = yield* reached(name, head, { deadline: patience }).pipe(
      Effect.as(undefined),
      Effect.catchTag("ProjectionBehind", (behind) => Effect.succeed(behind))
    )
    if (behind === undefined) return { name, position: String(head) }
    if (behind.reached === last) return { name, position: String(last), problem: behind.problem }
    last = behind.reached
  }
})
