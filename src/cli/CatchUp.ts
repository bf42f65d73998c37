/**
 * The projections of an app beside a run of its commands, and the wait until they have all of it.
 */
import { Context, Data, type Duration, Effect, Layer } from "effect"
import type { CheckpointStore } from "../CheckpointStore.ts"
import type { DeadLetters } from "../DeadLetters.ts"
import type { Position } from "../Event.ts"
import { EventStore, type StoreUnavailable } from "../EventStore.ts"
import type { Lease } from "../Lease.ts"
import { type Definition, ProjectionHost } from "../ProjectionHost.ts"
import * as ProjectionRunner from "../ProjectionRunner.ts"
import type { ViewStore } from "../ViewStore.ts"
import type { App } from "./App.ts"
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
export class ProjectionsBehind
  extends Data.TaggedError("ProjectionsBehind")<{ readonly names: ReadonlyArray<string> }>
{
  override get message() {
    return `The commands were carried out, but not all projections have caught up: ${this.names.join(", ")}.`
  }
}

/** What is run here. */
class Running extends Context.Service<Running, {
  readonly host: ProjectionHost["Service"]
  readonly definitions: ReadonlyArray<Definition>
}>()("varve/cli/Running") {}

/** Runs the projections of an app as long as the scope is open. */
export const layer = <Services>(
  app: App<Services>
): Layer.Layer<Running, never, Services | EventStore | ViewStore | CheckpointStore | DeadLetters | Lease> => {
  const noted = Layer.effectContext(Effect.map(ProjectionHost, (host) => {
    const definitions: Array<Definition> = []
    const noting = ProjectionHost.of({
      ...host,
      register: (projection) => {
        definitions.push(projection.definition)
        return host.register(projection)
      }
    })
    return Context.make(ProjectionHost, noting).pipe(Context.add(Running, { host, definitions }))
  }))
  return (app.projections ?? Layer.empty).pipe(Layer.provideMerge(noted), Layer.provide(ProjectionRunner.layer))
}

/** Waits until all of them have what is in the log by now; for one that does not move, no longer than `patience`. */
export const wait = Effect.fnUntraced(function*(
  patience: Duration.Duration,
  status: StatusLine
): Effect.fn.Return<ReadonlyArray<CaughtUp>, StoreUnavailable, Running | EventStore> {
  const { definitions, host } = yield* Running
  const head = yield* (yield* EventStore).head
  const sorted = definitions.toSorted((a, b) => (a.name < b.name ? -1 : 1))
  const all = Effect.forEach(sorted, (definition) => follow(host, definition, head, patience), {
    concurrency: "unbounded"
  })
  return yield* status.during(Effect.map(ProjectionLag.describe, (lag) => lag.join(" · ")), all)
})

const follow = Effect.fnUntraced(function*(
  host: ProjectionHost["Service"],
  definition: Definition,
  head: Position,
  patience: Duration.Duration
): Effect.fn.Return<CaughtUp, StoreUnavailable> {
  const { name } = definition
  for (let last: Position | undefined;;) {
    const behind = yield* host.await(definition, head, { deadline: patience }).pipe(
      Effect.as(undefined),
      Effect.catchTag("ProjectionBehind", (behind) => Effect.succeed(behind))
    )
    if (behind === undefined) return { name, position: String(head) }
    if (behind.reached === last) return { name, position: String(last), problem: behind.problem }
    last = behind.reached
  }
})
