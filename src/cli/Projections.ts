/**
 * The projections of an app, looked at and not run: what they are, and how its views are asked.
 */
import { Context, Effect, Layer, type Scope, Stream } from "effect"
import { untyped } from "../internal/types.ts"
import type { Views } from "../Projection.ts"
import { type Definition, type Hosted, ProjectionHost, type Settings, type Target } from "../ProjectionHost.ts"
import { ViewStore } from "../ViewStore.ts"
import type { App } from "./App.ts"
import { aggregates, UnusableApp } from "./AppFile.ts"
import { describe } from "./Problem.ts"

/** A projection of an app. */
export interface Projection {
  readonly definition: Definition
  readonly target: Target
  readonly settings: Settings
}

/** What is asked of a view, whichever it is. */
export type AnyViews = Views<unknown, never>

/** The projections of an app. */
export interface Projections {
  /** By name. */
  readonly all: ReadonlyArray<Projection>
  /** The service of a view, as a program has it. */
  readonly views: (name: string) => AnyViews
}

/** Finds them, on the store that keeps what they make. Nothing is run, and nothing is changed. */
export const of = Effect.fnUntraced(
  function*<Services>(app: App<Services>): Effect.fn.Return<Projections, UnusableApp, ViewStore | Scope.Scope> {
    const store = yield* ViewStore
    const found = new Map<string, Projection>()
    const register: ProjectionHost["Service"]["register"] = ({ definition, settings, target }) =>
      Effect.sync(() => {
        if (found.has(definition.name)) throw new TypeError(`The projection "${definition.name}" is already registered.`)
        found.set(definition.name, { definition, settings, target })
        return lookedAt(definition, store)
      })
    const host = ProjectionHost.of({ register, await: () => here })
    const context = yield* (app.projections ?? Layer.empty).pipe(
      Layer.provide([Layer.succeed(ProjectionHost, host), aggregates(app, () => {})]),
      Layer.build,
      Effect.catchDefect((cause) =>
        Effect.fail(new UnusableApp({ problem: `The app ${app.name} cannot run: ${describe(cause)}` }))
      )
    )
    return {
      all: [...found.values()].toSorted((a, b) => (a.definition.name < b.definition.name ? -1 : 1)),
      views: (name) => untyped(Context.getUnsafe(context, Context.Service<AnyViews>(`varve/view/${name}`)))
    }
  }
)

const here = Effect.die(new Error("The projections of this app are looked at, not run."))

/** What is read is whatever a worker has made room for. */
const lookedAt = ({ name }: Definition, store: ViewStore["Service"]): Hosted => ({
  prepared: Effect.void,
  live: store.live(name),
  changes: Stream.fromEffect(here),
  folded: here
})
