/**
 * An app: what the command line has to know to carry out a file of commands. A module exports one as its default, and
 * `varve run --app FILE` takes it from there.
 */
import { type Effect, type Layer, Predicate } from "effect"
import type { AggregateHost, CommandFailed } from "../AggregateHost.ts"
import type { PureCodec } from "../Event.ts"
import type { InlineHost } from "../InlineHost.ts"
import type { ProjectionHost } from "../ProjectionHost.ts"
import type { ViewStore } from "../ViewStore.ts"

const TypeId = "~varve/App"

/** A rejection as a summary counts it: by its tag. */
export interface Rejection {
  readonly _tag: string
}

/** An app: the types of its lines and rejections are forgotten, the services that it runs on are not. */
export interface App<Services> extends Parts<any, Services, Rejection> {
  readonly [TypeId]: typeof TypeId
}

/** What an app is made of. */
export interface Parts<L extends PureCodec, Services, E extends Rejection> {
  /** Also that of its database, `data/NAME.sqlite`, unless another store is chosen. */
  readonly name: string
  /** The Layers of its aggregates, with everything that their handlers need. */
  readonly aggregates: Layer.Layer<Services, never, AggregateHost>
  /** The Layers of its projections, merged: what `views` tells of, and what `run` may fill. They may use aggregates. */
  readonly projections?: Layer.Layer<never, never, ProjectionHost | ViewStore | NoInfer<Services>> | undefined
  /** The Layers of its inline views, merged: `run` writes them too, with `--projections` or without. */
  readonly inline?: Layer.Layer<never, never, InlineHost | ProjectionHost | ViewStore> | undefined
  /** The schema of a line, which is a JSON value. A line that does not fit is bad. */
  readonly line: L
  /** Lines of the same key are carried out one after the other, in the order of the file; others beside each other. */
  readonly key: (line: L["Type"]) => string
  /** Carries out a line. Its command id is given, so that a line is carried out once however often the file is run. */
  readonly execute: (line: L["Type"], commandId: string) => Effect.Effect<unknown, E | CommandFailed, Services>
}

/**
 * Makes an app.
 *
 * @example
 * ```ts
 * import { Effect, Schema } from "effect"
 * import * as Aggregate from "varve/Aggregate"
 * import * as App from "varve/cli/App"
 * import * as Event from "varve/Event"
 *
 * const TallyEvent = Event.union({ Counted: {} })
 * class Tallies extends Aggregate.Service<Tallies>()("Tally", {
 *   state: Schema.Int,
 *   events: TallyEvent,
 *   commands: [Aggregate.command("count")]
 * }) {}
 * const TalliesLive = Tallies.toLayer({
 *   initial: 0,
 *   evolve: { Counted: (total) => total + 1 },
 *   handlers: { count: () => Aggregate.decide([TallyEvent.cases.Counted.make({})]) }
 * })
 *
 * const app = App.make({
 *   name: "tally",
 *   aggregates: TalliesLive,
 *   line: Schema.Struct({ word: Schema.String }),
 *   key: ({ word }) => word,
 *   execute: ({ word }, commandId) => Effect.flatMap(Tallies, (tallies) => tallies.of(word, { commandId }).count())
 * })
 * app.name // => "tally"
 * ```
 */
export const make = <L extends PureCodec, Services, E extends Rejection>(
  parts: Parts<L, Services, E>
): App<Services> => ({
  [TypeId]: TypeId,
  ...parts
})

/**
 * Whether a module really exported an app: for programs that load one.
 *
 * @example
 * ```ts
 * import * as App from "varve/cli/App"
 *
 * App.isApp({ name: "tally" }) // => false
 * ```
 */
export const isApp = (u: unknown): u is App<unknown> => Predicate.hasProperty(u, TypeId)
