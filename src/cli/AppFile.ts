/**
 * The file that `--app` names: a module whose default export is the app, and the aggregates that are in it.
 */
import { Data, Effect, Layer, Stream } from "effect"
import { statSync } from "node:fs"
import { resolve } from "node:path"
import { pathToFileURL } from "node:url"
import { AggregateHost, type Behavior, type Definition, type Hosted } from "../AggregateHost.ts"
import * as Plan from "../internal/plan.ts"
import { type App, isApp } from "./App.ts"
import { describe } from "./Problem.ts"

/** The module that `--app` names cannot be used; `problem` says why and what it needs. */
export class UnusableApp extends Data.TaggedError("UnusableApp")<{ readonly problem: string }> {
  override get message() {
    return this.problem
  }
}

/** Loads the app of a module. */
export const load = Effect.fnUntraced(function*(file: string): Effect.fn.Return<App<unknown>, UnusableApp> {
  const cannot = (problem: string) => new UnusableApp({ problem: `Cannot load the app ${file}: ${problem}` })
  const found = statSync(file, { throwIfNoEntry: false })
  if (found === undefined) return yield* cannot("there is no such file.")
  if (found.isDirectory()) return yield* cannot("it is a folder.")
  const module = yield* Effect.tryPromise({
    try: (): Promise<{ readonly default?: unknown }> => import(pathToFileURL(resolve(file)).href),
    catch: (cause) => cannot(describe(cause))
  })
  if (isApp(module.default)) return module.default
  return yield* new UnusableApp({ problem: `${file} has no app: its default export must be made by App.make.` })
})

/** The aggregates of an app, compiled as a runtime would, without running them. */
export const plans = Effect.fnUntraced(
  function*(app: App<unknown>): Effect.fn.Return<ReadonlyArray<Plan.Plan>, UnusableApp> {
    const found: Array<{ readonly definition: Definition; readonly behavior: Behavior }> = []
    const host = AggregateHost.of({
      register: (aggregate) => {
        found.push(aggregate)
        return Effect.succeed(notRunning)
      }
    })
    yield* Effect.scoped(Layer.build(Layer.provide(app.aggregates, Layer.succeed(AggregateHost, host))))
    return yield* Effect.try({
      try: () => compile(found),
      catch: (cause) => new UnusableApp({ problem: `The app ${app.name} cannot run: ${describe(cause)}` })
    })
  }
)

/** A Layer of the app that sends commands while it is built is answered so. */
const here = Effect.die(new Error("The aggregates of this app are looked at, not run."))
const notRunning: Hosted = {
  execute: () => here,
  state: () => here,
  stateAt: () => here,
  history: () => Stream.fromEffect(here),
  exists: () => here
}

const compile = (
  aggregates: ReadonlyArray<{ readonly definition: Definition; readonly behavior: Behavior }>
): ReadonlyArray<Plan.Plan> => {
  const compiled: Array<Plan.Plan> = []
  for (const { behavior, definition } of aggregates) {
    const plan = Plan.make(definition, behavior)
    const taken = Plan.findTaken(compiled, plan)
    if (taken !== undefined) throw taken
    compiled.push(plan)
  }
  return compiled
}
