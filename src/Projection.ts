/**
 * What users write to read: views, folds, SQL and effects, all of them made from the log and kept up to date with it by a
 * `ProjectionRunner`.
 *
 * A view is a read model and the service that asks it, in one. That a projection's work and its checkpoint are one
 * transaction, so that it is done exactly once, is pyeventsourcing's and Marten's; two versions side by side are Marten's.
 */
import { Context, Effect, Layer } from "effect"
import type { Events, PureCodec, Recorded } from "./Event.ts"
import type { StoreUnavailable } from "./EventStore.ts"
import type { InlineHost } from "./InlineHost.ts"
import { define, on, register } from "./internal/declaration.ts"
import {
  type EffectSource,
  type Folds,
  type Indexable,
  type OnDocuments,
  type OnEvents,
  type OnInline,
  type OnState,
  untyped,
  type Views
} from "./internal/types.ts"
import * as ViewLayers from "./internal/viewLayers.ts"
import type {
  Definition,
  InlineSettings,
  ProjectionHost,
  Settings,
  Source,
  SqlContext,
  Target
} from "./ProjectionHost.ts"
import { ViewStore } from "./ViewStore.ts"

export type { Asked, Entry, Folds, Query, ReadFailure, Views } from "./internal/types.ts"
export type {
  Change,
  Defined,
  InlineMeta,
  InlineSettings,
  Keys,
  Meta,
  Settings,
  Source,
  SqlContext
} from "./ProjectionHost.ts"

/** A document that an older version of a view wrote, and what it is today. */
export interface Earlier<Doc, Then extends PureCodec = PureCodec> {
  readonly version: number
  readonly document: Then
  readonly up: (document: Then["Type"]) => Doc
}

/** What a view keeps. */
export interface ViewOptions<D extends PureCodec, Ix extends ReadonlyArray<string>> {
  /**
   * 1 to 999,999. Raise it when the documents shall be made otherwise: the new version is filled from the beginning of
   * the log while the old one is read, and takes its place when it has come to the end of the log.
   */
  readonly version: number
  /** The schema of a document: an object, at most 1 MiB as JSON. */
  readonly document: D
  /** Fields that may be asked for, each once: text, numbers, truth values or times, at the top level. */
  readonly indexes?: Ix | undefined
  /**
   * How documents of older versions are read as today's, for as long as this version catches up: `was({ version: 1,
   * document: Old, up: (old) => … })`. Those of a version that is not named are read by today's schema. What is
   * no document of today then fails with `DocumentUnreadable`.
   */
  readonly was?: (
    was: <Then extends PureCodec>(earlier: Earlier<D["Type"], Then>) => Earlier<D["Type"]>
  ) => ReadonlyArray<Earlier<D["Type"]>>
}

/** The class that `View` makes: a service, and the maker of its Layer. */
export interface ViewClass<Self, Name extends string, Doc, Ix extends string>
  extends Context.ServiceClass<Self, `varve/view/${Name}`, Views<Doc, Ix>>
{
  readonly definition: Definition & { readonly name: Name }
  /**
   * Fills the view on a host, and answers what is asked of it. A handler is given the document of its key as it is,
   * undefined if there is none, and returns what it becomes, undefined to delete it. It is pure and total: it runs again
   * whenever the view is filled anew. Plain objects and arrays in a document are frozen: whoever writes to one fails.
   *
   * Mistakes in the program are defects of the Layer: a name that another projection on the same host has, a setting out
   * of its bounds, `StoresDiffer` if the checkpoints are in another store, `ReleasedShapeInvalid` and `EventTypeTaken` as
   * for aggregates.
   */
  readonly toLayer: (
    sources: (on: OnDocuments<Doc>) => ReadonlyArray<Source>,
    settings?: Settings
  ) => Layer.Layer<Self, never, ProjectionHost | ViewStore>
  /**
   * The same, but inline: once the view has caught up, its documents are written by the very append that writes the
   * events. Whoever was answered by an aggregate finds them as they are then, without waiting. Until then it is followed
   * like any other, as it is again, for a while, when somebody appends its events who does not run it, as the workers of
   * an older build: it may be late then, and is never wrong. To make it one that is only followed, raise its version.
   *
   * A handler knows nothing of an event's place and time, since it has none yet. One that throws, or a document that
   * cannot be kept, refuses the append: its command fails with `ViewRefused`. Aggregates must append through the
   * `EventStore` of `InlineRuntime.layer`, as they do in a `Worker` that has the view among its `inline` ones.
   */
  readonly toInlineLayer: (
    sources: (on: OnInline<Doc>) => ReadonlyArray<Source>,
    settings?: InlineSettings
  ) => Layer.Layer<Self, never, InlineHost | ProjectionHost | ViewStore>
}

/**
 * Declares a view: documents by key, made from the events of one or several aggregates. The class is the service that
 * answers what is asked of it; `toLayer` says how it is made.
 *
 * The key of a document is the id of the event's stream, unless `key` says otherwise: from the event and what is recorded
 * of it, one key, several or none. Documents of a tenant are made from that tenant's events.
 *
 * @example
 * ```ts
 * import { Effect, Layer, Schema } from "effect"
 * import * as Aggregate from "varve/Aggregate"
 * import * as Event from "varve/Event"
 * import * as Memory from "varve/memory/Memory"
 * import * as Projection from "varve/Projection"
 * import * as Worker from "varve/Worker"
 *
 * const OrderEvent = Event.union({ OrderPlaced: { cents: Schema.Int }, OrderShipped: {}, OrderDropped: {} })
 * const { OrderPlaced } = OrderEvent.cases
 *
 * class Orders extends Aggregate.Service<Orders>()("Order", {
 *   state: Schema.Struct({}),
 *   events: OrderEvent,
 *   commands: [Aggregate.command("place", { payload: { cents: Schema.Int } })]
 * }) {}
 * const OrdersLive = Orders.toLayer({
 *   initial: {},
 *   evolve: { OrderPlaced: (state) => state, OrderShipped: (state) => state, OrderDropped: (state) => state },
 *   handlers: { place: ({ payload }) => Aggregate.decide([OrderPlaced.make(payload)]) }
 * })
 *
 * class Summaries extends Projection.View<Summaries>()("order-summaries", {
 *   version: 1,
 *   document: Schema.Struct({ status: Schema.Literals(["placed", "shipped"]), cents: Schema.Int }),
 *   indexes: ["status", "cents"]
 * }) {}
 * const SummariesLive = Summaries.toLayer((on) => [
 *   on(OrderEvent, {
 *     OrderPlaced: (_, { cents }) => ({ status: "placed", cents }),
 *     OrderShipped: (summary) => summary && { ...summary, status: "shipped" },
 *     OrderDropped: () => undefined
 *   })
 * ])
 *
 * const program = Effect.gen(function*() {
 *   const orders = yield* Orders
 *   // Answered when the view shows it.
 *   yield* orders.of("o-1", { consistent: [Summaries] }).place({ cents: 250 })
 *   yield* orders.of("o-2", { consistent: [Summaries] }).place({ cents: 100 })
 *   const summaries = yield* Summaries
 *   const cheapest = yield* summaries.list({ where: { status: "placed" }, orderBy: { field: "cents" }, limit: 1 })
 *   return [yield* summaries.get("o-1"), cheapest.map(({ key }) => key)]
 * })
 *
 * const Live = Worker.layer({ aggregates: [OrdersLive], projections: [SummariesLive] }).pipe(Layer.provide(Memory.layer))
 * await Effect.runPromise(Effect.provide(program, Live)) // => [{ status: "placed", cents: 250 }, ["o-2"]]
 * ```
 */
export const View = <Self>() =>
<
  const Name extends string,
  D extends PureCodec,
  const Ix extends ReadonlyArray<Indexable<D>> = readonly []
>(
  name: Name,
  options: ViewOptions<D, Ix>
): ViewClass<Self, Name, D["Type"], Ix[number]> => {
  const definition = define("view", name, options.version)
  const readable = ViewLayers.readableOf(name, untyped(options))
  const Base = Context.Service<Self, unknown>()(`varve/view/${name}`)
  return untyped(Object.assign(Base, {
    definition,
    toLayer: (sources: ViewLayers.Sources, settings: Settings = {}) =>
      Layer.effect(Base, ViewLayers.followed(definition, readable, sources, settings)),
    toInlineLayer: (sources: ViewLayers.Sources, settings: InlineSettings = {}) =>
      Layer.effect(Base, ViewLayers.inline(definition, readable, sources, settings))
  }))
}

// ── Folds

/** What a fold does. */
export interface FoldOptions<S> {
  /** Makes the state that it begins with, each time that it begins. */
  readonly initial: () => S
  /** How events change it. A handler may change the state that it is given in place, and return it. */
  readonly sources: (on: OnState<S>) => ReadonlyArray<Source>
}

/** The class that `Fold` makes. */
export interface FoldClass<Self, Name extends string, S>
  extends Context.ServiceClass<Self, `varve/fold/${Name}`, Folds<S>>
{
  readonly definition: Definition & { readonly name: Name }
  /** Folds on a host, from the beginning of the log each time, in each process. */
  readonly toLayer: (options: FoldOptions<S>, settings?: Settings) => Layer.Layer<Self, never, ProjectionHost>
}

/**
 * Declares a fold: one state in memory, made from the log anew at each start, in each process. For what is small, or asked
 * so often that no database shall be in between. It has no versions: nothing of it is kept.
 *
 * @example
 * ```ts
 * import { Effect, Layer, Schema } from "effect"
 * import * as Event from "varve/Event"
 * import * as Memory from "varve/memory/Memory"
 * import * as Projection from "varve/Projection"
 * import { ProjectionHost } from "varve/ProjectionHost"
 * import * as ProjectionRunner from "varve/ProjectionRunner"
 *
 * const SaleEvent = Event.union({ Sold: { cents: Schema.Int } })
 *
 * class Turnover extends Projection.Fold<Turnover, number>()("turnover") {}
 * const TurnoverLive = Turnover.toLayer({
 *   initial: () => 0,
 *   sources: (on) => [on(SaleEvent, { Sold: (sum, { cents }) => sum + cents })]
 * })
 *
 * const program = Effect.gen(function*() {
 *   yield* (yield* ProjectionHost).await(Turnover.definition, 0n, { deadline: "5 seconds" })
 *   return yield* (yield* Turnover).state
 * })
 *
 * const Live = TurnoverLive.pipe(Layer.provideMerge(ProjectionRunner.layer), Layer.provide(Memory.layer))
 * await Effect.runPromise(Effect.provide(program, Live)) // => 0
 * ```
 */
export const Fold = <Self, S>() => <const Name extends string>(name: Name): FoldClass<Self, Name, S> => {
  const definition = define("fold", name, 1)
  const Base = Context.Service<Self, unknown>()(`varve/fold/${name}`)
  return untyped(Object.assign(Base, {
    definition,
    toLayer: ({ initial, sources }: FoldOptions<S>, settings: Settings = {}) =>
      Layer.effect(
        Base,
        Effect.map(
          register(definition, { _tag: "Fold", initial, sources: sources(untyped(on)) }, settings),
          ({ folded }) => ({ folded, state: Effect.map(folded, ({ state }) => state) })
        )
      )
  }))
}

// ── SQL

/** What an SQL projection does. */
export interface SqlOptions<Us extends ReadonlyArray<Events>, R> {
  /** 1 to 999,999. A new version is filled beside the old, under another suffix. */
  readonly version: number
  /** Whose events it is given. */
  readonly events: Us
  /**
   * Applies events, in the order of the log, in the transaction that moves the checkpoint: through the `SqlClient` of the
   * store. It may run and not be kept, so it does nothing else.
   */
  readonly apply: (
    batch: ReadonlyArray<Recorded<Us[number]["Type"]>>,
    context: SqlContext
  ) => Effect.Effect<void, unknown, R>
  /** Makes the tables of a version, if they are not there. Several workers may do so at once. */
  readonly setUp?: ((context: SqlContext) => Effect.Effect<void, unknown, R>) | undefined
  /** Empties the tables of a version, or drops them: for `reset` and `drop`, which are refused without it. */
  readonly clear?: ((context: SqlContext) => Effect.Effect<void, unknown, R>) | undefined
}

/** An SQL projection. */
export interface SqlProjection<Name extends string, R> {
  readonly definition: Definition & { readonly name: Name }
  /** Runs it on a host. */
  readonly toLayer: (settings?: Settings) => Layer.Layer<never, never, ProjectionHost | ViewStore | R>
  /** The suffix of the tables that are to be read: those of this version, unless an older one is still read. */
  readonly suffix: Effect.Effect<string, StoreUnavailable, ViewStore>
}

/**
 * Declares an SQL projection: rows in the database of the log, written in the transaction that moves the checkpoint, so
 * that each event is in them exactly once. It is the user's to name tables by the suffix, so that a new version can be
 * filled beside the old, and to read those of `suffix`.
 *
 * @example
 * ```ts
 * import { Effect, Schema } from "effect"
 * import { SqlClient } from "effect/sql"
 * import * as Event from "varve/Event"
 * import * as Projection from "varve/Projection"
 *
 * const SaleEvent = Event.union({ Sold: { sku: Schema.String, cents: Schema.Int } })
 *
 * const sales = Projection.sql("sales", {
 *   version: 2,
 *   events: [SaleEvent],
 *   setUp: Effect.fnUntraced(function*({ suffix }) {
 *     const sql = yield* SqlClient.SqlClient
 *     yield* sql`CREATE TABLE IF NOT EXISTS ${sql(`sales${suffix}`)} (sku TEXT NOT NULL, cents INTEGER NOT NULL)`
 *   }),
 *   apply: Effect.fnUntraced(function*(batch, { suffix }) {
 *     const sql = yield* SqlClient.SqlClient
 *     for (const { event: { cents, sku } } of batch) {
 *       yield* sql`INSERT INTO ${sql(`sales${suffix}`)} (sku, cents) VALUES (${sku}, ${cents})`
 *     }
 *   })
 * })
 *
 * sales.definition // => { name: "sales", version: 2, kind: "sql" }
 * ```
 */
export const sql = <const Name extends string, const Us extends ReadonlyArray<Events>, R = never>(
  name: Name,
  { apply, clear, events, setUp, version }: SqlOptions<Us, R>
): SqlProjection<Name, R> => {
  const definition = define("sql", name, version)
  return {
    definition,
    toLayer: (settings = {}) =>
      untyped(Layer.effectDiscard(Effect.gen(function*() {
        const store = yield* ViewStore
        const target: Target = untyped({ _tag: "Sql", store, events, apply, setUp, clear })
        yield* register(definition, target, settings)
      }))),
    suffix: Effect.flatMap(
      ViewStore,
      ({ live }) => Effect.map(live(name), (live) => `_v${Math.min(live?.version ?? version, version)}`)
    )
  }
}

// ── Effects

/** What an effect does. */
export interface EffectOptions<S> {
  /** Where it begins when it runs for the first time: at the first event, or with what comes from then on. */
  readonly from: "beginning" | "now"
  /** What is done at which event: at least once each, in the order of its stream. */
  readonly sources: (on: OnEvents) => ReadonlyArray<S>
}

/** A projection that acts on the world. */
export interface EffectProjection<Name extends string, R> {
  readonly definition: Definition & { readonly name: Name }
  /** Runs it on a host. */
  readonly toLayer: (settings?: Settings) => Layer.Layer<never, never, ProjectionHost | R>
}

type ServicesOfSource<S> = S extends EffectSource<infer R> ? R : never

/**
 * Declares an effect: something that is done in the world at events, in their order, at least once each; more than once
 * only where it failed half way, where its process, its lease or the store was lost before the checkpoint was set, or
 * where another process took a stream back meanwhile. A handler that must not do a thing twice goes by `meta.eventId`.
 * It has no versions: other code goes on where the last one was, and no rebuild of a view does anything again.
 *
 * @example
 * ```ts
 * import { Effect, Layer, Schema } from "effect"
 * import * as Event from "varve/Event"
 * import * as Memory from "varve/memory/Memory"
 * import * as Projection from "varve/Projection"
 * import { ProjectionHost } from "varve/ProjectionHost"
 * import * as ProjectionRunner from "varve/ProjectionRunner"
 *
 * const AccountEvent = Event.union({ AccountOpened: { mail: Schema.String } })
 * const sent: Array<string> = []
 *
 * const welcome = Projection.effect("welcome", {
 *   from: "now",
 *   sources: (on) => [on(AccountEvent, { AccountOpened: ({ mail }) => Effect.sync(() => sent.push(mail)) })]
 * })
 *
 * const program = Effect.flatMap(
 *   ProjectionHost,
 *   (host) => host.await(welcome.definition, 0n, { deadline: "5 seconds" })
 * )
 * const Live = welcome.toLayer().pipe(Layer.provideMerge(ProjectionRunner.layer), Layer.provide(Memory.layer))
 * await Effect.runPromise(Effect.provide(program, Live))
 * sent // => []
 * ```
 */
export const effect = <const Name extends string, S extends EffectSource<any>>(
  name: Name,
  { from, sources }: EffectOptions<S>
): EffectProjection<Name, ServicesOfSource<S>> => {
  const definition = define("effect", name, 1)
  return {
    definition,
    toLayer: (settings = {}) =>
      untyped(Layer.effectDiscard(
        register(definition, { _tag: "Effect", from, sources: sources(untyped(on)) }, settings)
      ))
  }
}
