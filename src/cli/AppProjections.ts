/**
 * The projections of an app on a store, for those who look after them: nothing of them is run here.
 */
import { Context, Effect, Layer, type Scope } from "effect"
import * as AggregateRuntime from "../AggregateRuntime.ts"
import * as InlineRuntime from "../InlineRuntime.ts"
import { untyped } from "../internal/types.ts"
import type { Views } from "../Projection.ts"
import { type Definition, ProjectionHost, type Target } from "../ProjectionHost.ts"
import * as ProjectionRunner from "../ProjectionRunner.ts"
import { Projections } from "../Projections.ts"
import type * as Store from "../Store.ts"
import type { App } from "./App.ts"
import { UnusableApp } from "./AppFile.ts"
import { describe } from "./Problem.ts"

/** A projection of an app. */
export interface Projection {
  readonly definition: Definition
  readonly target: Target
}

/** What is asked of a view, whichever it is. */
export type AnyViews = Views<unknown, never>

/** The projections of an app. */
export interface AppProjections {
  /** By name. */
  readonly all: ReadonlyArray<Projection>
  /** What may be done with them. */
  readonly operations: Projections["Service"]
  /** The service of a view, as a program has it. */
  readonly views: (name: string) => AnyViews
}

/** Finds them. */
export const of = Effect.fnUntraced(
  function*<Services>(
    app: App<Services>
  ): Effect.fn.Return<AppProjections, UnusableApp, Store.Stores | Scope.Scope> {
    const found: Array<Projection> = []
    const idle = yield* Layer.build(ProjectionRunner.layerIdle)
    const host = Context.get(idle, ProjectionHost)
    const noting = ProjectionHost.of({
      ...host,
      register: (projection) =>
        Effect.map(host.register(projection), (hosted) => {
          found.push(projection)
          // Room for documents is made by workers; who only reads may not be allowed to.
          return { ...hosted, prepared: Effect.void }
        })
    })
    const context = yield* Layer.merge(app.projections ?? Layer.empty, app.inline ?? Layer.empty).pipe(
      Layer.provide(Layer.succeed(ProjectionHost, noting)),
      Layer.provide(InlineRuntime.layer),
      // An effect that is tried again may send commands.
      Layer.provide(Layer.provide(app.aggregates, AggregateRuntime.layer)),
      Layer.build,
      Effect.catchDefect((cause) =>
        Effect.fail(new UnusableApp({ problem: `The app ${app.name} cannot run: ${describe(cause)}` }))
      )
    )
    return {
      all: found.toSorted((a, b) => (a.definition.name < b.definition.name ? -1 : 1)),
      operations: Context.get(idle, Projections),
      views: (name) => untyped(Context.getUnsafe(context, Context.Service<AnyViews>(`varve/view/${name}`)))
    }
  }
)
