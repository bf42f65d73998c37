/**
 * The flags that name an app and the store where its projections are kept, and the way to both.
 */
import { Data, Effect, Option } from "effect"
import { Flag } from "effect/cli"
import * as Store from "../Store.ts"
import type { App } from "./App.ts"
import * as AppFile from "./AppFile.ts"
import * as AppProjections from "./AppProjections.ts"
import * as StoreFlags from "./StoreFlags.ts"

/** Another name was wanted; `problem` tells those that there are. */
export class ProjectionUnknown extends Data.TaggedError("ProjectionUnknown")<{ readonly problem: string }> {
  override get message() {
    return this.problem
  }
}

const app = Flag.String("app").pipe(Flag.withMetavar("FILE"))

/** The flags. An app that goes without saying need not be named. */
export const make = (usual: App<unknown> | undefined) => ({
  ...StoreFlags.flags,
  app: usual === undefined
    ? app.pipe(
      Flag.withDescription("The module whose default export is the app, made by App.make"),
      Flag.map((file) => AppFile.load(file))
    )
    : app.pipe(
      Flag.withDescription(`The module whose default export is the app, made by App.make; ${usual.name} unless given`),
      Flag.optional,
      Flag.map(Option.match({ onNone: () => Effect.succeed(usual), onSome: (file) => AppFile.load(file) }))
    ),
  json: Flag.Boolean("json").pipe(
    Flag.withDescription("Print JSON on standard output"),
    Flag.withDefault(false)
  )
})

/** What they come to. */
export interface Given extends Store.Given {
  readonly app: Effect.Effect<App<unknown>, AppFile.UnusableApp>
}

/** The projections of an app on a store. */
export interface Kept extends AppProjections.AppProjections {
  readonly app: string
  /** Where they are kept, for people. */
  readonly place: string
}

/** Does something with the projections that are kept in a store. It is opened for that, and closed. */
export const onKept = <A, E, R>(given: Given, work: (kept: Kept) => Effect.Effect<A, E, R>) =>
  Effect.gen(function*() {
    const app = yield* given.app
    const choice = yield* StoreFlags.chooseKept(given, app.name)
    const working = Effect.gen(function*() {
      return yield* work({ app: app.name, place: Store.placeOf(choice), ...yield* AppProjections.of(app) })
    })
    return yield* Effect.provide(Effect.scoped(working), Store.layer(choice))
  })

/** The projection of a name, if anything is kept of it that could be seen to from here. */
export const findKept = (kept: Kept, name: string): Effect.Effect<AppProjections.Projection, ProjectionUnknown> =>
  Effect.flatMap(find(kept, name), (projection) =>
    projection.definition.kind === "fold"
      ? new ProjectionUnknown({
        problem: `"${name}" is a fold, in the memory of each worker: only a program there can see to it.`
      })
      : Effect.succeed(projection))

/** The projection of a name. */
export const find = ({ all, app }: Kept, name: string): Effect.Effect<AppProjections.Projection, ProjectionUnknown> => {
  const found = all.find(({ definition }) => definition.name === name)
  return found === undefined ? new ProjectionUnknown({ problem: unknown(app, name, all) }) : Effect.succeed(found)
}

const unknown = (app: string, name: string, all: ReadonlyArray<AppProjections.Projection>): string =>
  all.length === 0
    ? `The app ${app} has no projections: give App.make some as \`projections\`.`
    : `The app ${app} has no projection "${name}". It has: ${all.map(({ definition }) => definition.name).join(", ")}.`
