/**
 * The types that users see, pinned exactly: this file compiles, or they have changed.
 */
import { Effect, Layer, type Result, Schema, type Stream } from "effect"
import { SqlClient } from "effect/sql"
import * as Aggregate from "varve/Aggregate"
import type { AggregateHost, CommandFailed, Commit, StateAt } from "varve/AggregateHost"
import type * as AggregateRuntime from "varve/AggregateRuntime"
import type { CheckpointStore } from "varve/CheckpointStore"
import type { DeadLetters } from "varve/DeadLetters"
import * as Event from "varve/Event"
import type { EventStore, StoreUnavailable } from "varve/EventStore"
import type { InlineHost } from "varve/InlineHost"
import type { InlineViews } from "varve/InlineViews"
import type { Lease } from "varve/Lease"
import type * as Memory from "varve/memory/Memory"
import * as Projection from "varve/Projection"
import type { ChangesMissed, FieldPending, ProjectionHost } from "varve/ProjectionHost"
import type * as ProjectionRunner from "varve/ProjectionRunner"
import type { Projections } from "varve/Projections"
import type { SnapshotStore } from "varve/SnapshotStore"
import type * as Sqlite from "varve/sqlite/Sqlite"
import type * as FaultyReadSide from "varve/testing/FaultyReadSide"
import type * as FaultySnapshotStore from "varve/testing/FaultySnapshotStore"
import type * as FaultyStore from "varve/testing/FaultyStore"
import * as TestRuntime from "varve/testing/TestRuntime"
import type { ViewStore } from "varve/ViewStore"
import * as Worker from "varve/Worker"
import {
  type AlreadyPlaced,
  Carriers,
  evolve,
  handlers,
  initial,
  mails,
  NotShippable,
  OrderEvent,
  type OrderPlaced,
  Orders,
  OrderShipped,
  OrderSummaries,
  OrderSummariesLive,
  type Summary
} from "./Orders.ts"

type Equal<A, B> = (<T>() => T extends A ? 1 : 2) extends (<T>() => T extends B ? 1 : 2) ? true : false
const is = <T extends true>(): T | void => {}

// ── clients

export const clients = Effect.gen(function*() {
  const orders = yield* Orders
  const one = orders.of("o-1")
  type Client = typeof one
  is<Equal<keyof Client, "place" | "ship" | "note" | "touch">>()
  is<Equal<Parameters<Client["place"]>, [payload: { readonly totalCents: number }]>>()
  is<
    Equal<
      ReturnType<Client["place"]>,
      Effect.Effect<{ readonly totalCents: number }, AlreadyPlaced | CommandFailed, never>
    >
  >()
  is<Equal<ReturnType<Client["ship"]>, Effect.Effect<void, AlreadyPlaced | NotShippable | CommandFailed, never>>>()
  is<Equal<Parameters<Client["note"]>, [payload?: { readonly text?: string }]>>()
  is<Equal<Parameters<Client["touch"]>, []>>()
  is<Equal<ReturnType<Client["touch"]>, Effect.Effect<void, CommandFailed, never>>>()

  const committing = orders.of("o-1", { commandId: "c-1", returning: "commit" })
  is<
    Equal<
      ReturnType<(typeof committing)["place"]>,
      Effect.Effect<Commit<{ readonly totalCents: number }>, AlreadyPlaced | CommandFailed, never>
    >
  >()

  type State = { readonly status: "new" | "placed" | "shipped" }
  const state = orders.state("o-1")
  is<Equal<typeof state, Effect.Effect<State, CommandFailed, never>>>()
  const stateAt = orders.stateAt("o-1", { version: 1 })
  is<Equal<typeof stateAt, Effect.Effect<StateAt<State>, CommandFailed, never>>>()
  const history = orders.history("o-1")
  is<Equal<typeof history, Stream.Stream<Event.Recorded<typeof OrderEvent.Type>, CommandFailed, never>>>()
  const exists = orders.exists("o-1")
  is<Equal<typeof exists, Effect.Effect<boolean, CommandFailed, never>>>()
})

// ── events

const CounterEvent = Event.union({ Counted: { by: Schema.Int } })
const Evolved = Event.evolved(OrderEvent, (was) => [
  was("OrderSent@1", Schema.Struct({ by: Schema.optionalKey(Schema.String) }), (then) => {
    is<Equal<typeof then, { readonly by?: string }>>()
    return [OrderShipped.make({ carrier: then.by ?? "unknown" })]
  }, { yields: ["OrderShipped"] }),
  was("OrderViewed@1", Schema.Struct({}), () => [])
])
is<Equal<typeof Evolved, typeof OrderEvent>>()

const registry = Event.registry([Evolved, CounterEvent])
is<Equal<typeof registry, Event.Registry<typeof OrderEvent.Type | typeof CounterEvent.Type>>>()
const shipments = registry.only(["OrderShipped"])
is<Equal<typeof shipments, Event.Registry<typeof OrderShipped.Type>>>()
is<
  Equal<
    ReturnType<typeof shipments.decode>,
    Result.Result<ReadonlyArray<Event.Recorded<typeof OrderShipped.Type>>, Event.EventUndecodable>
  >
>()

// ── Layers

const Plain = Orders.toLayer({ initial, evolve, handlers })
is<Equal<typeof Plain, Layer.Layer<Orders, never, AggregateHost>>>()

const Asking = Orders.toLayer({
  initial,
  evolve,
  handlers: {
    ...handlers,
    ship: Effect.fnUntraced(function*({ payload, state }) {
      if (!(yield* (yield* Carriers).known(payload.carrier))) return yield* new NotShippable({ status: state.status })
      return Aggregate.decide([OrderShipped.make(payload)])
    })
  }
})
is<Equal<typeof Asking, Layer.Layer<Orders, never, AggregateHost | Carriers>>>()

is<Equal<typeof AggregateRuntime.layer, Layer.Layer<AggregateHost, never, EventStore | SnapshotStore>>>()
type ReadSide = CheckpointStore | ViewStore | DeadLetters | Lease
is<Equal<typeof Memory.layer, Layer.Layer<EventStore | SnapshotStore | ReadSide | InlineViews, never, never>>>()
is<
  Equal<
    ReturnType<typeof Sqlite.layer>,
    Layer.Layer<EventStore | SnapshotStore | ReadSide | InlineViews | SqlClient.SqlClient, StoreUnavailable, never>
  >
>()

const worker = Worker.layer({ aggregates: [Asking] })
is<Equal<typeof worker, Layer.Layer<Orders, never, Carriers | EventStore | SnapshotStore>>>()

const workerWithViews = Worker.layer({ aggregates: [Asking], projections: [OrderSummariesLive, mails.toLayer()] })
is<
  Equal<
    typeof workerWithViews,
    Layer.Layer<
      Orders | OrderSummaries | ProjectionHost | Projections,
      never,
      Carriers | EventStore | SnapshotStore | ReadSide
    >
  >
>()

const inlineSummaries = OrderSummaries.toInlineLayer((on) => [
  on(OrderEvent, {
    OrderPlaced: (_, { totalCents }, meta) => {
      is<Equal<typeof meta, Projection.InlineMeta>>()
      return { status: "placed", cents: totalCents, note: "" }
    }
  }, { key: (_, { id, tenant }) => `${tenant}/${id}` })
])
is<Equal<typeof inlineSummaries, Layer.Layer<OrderSummaries, never, InlineHost | ProjectionHost | ViewStore>>>()

const workerWithInline = Worker.layer({ aggregates: [Asking], inline: [inlineSummaries] })
is<
  Equal<
    typeof workerWithInline,
    Layer.Layer<
      Orders | OrderSummaries | ProjectionHost | Projections | EventStore,
      never,
      Carriers | EventStore | SnapshotStore | ReadSide | InlineViews
    >
  >
>()

// ── projections

is<Equal<typeof OrderSummariesLive, Layer.Layer<OrderSummaries, never, ProjectionHost | ViewStore>>>()
is<Equal<typeof ProjectionRunner.layer, Layer.Layer<ProjectionHost | Projections, never, ProjectionRunner.Stores>>>()

export const views = Effect.gen(function*() {
  const summaries = yield* OrderSummaries
  const one = summaries.get("o-1")
  is<Equal<typeof one, Effect.Effect<Summary | undefined, Projection.ReadFailure, never>>>()
  const placed = summaries.list({ where: { status: "placed" }, orderBy: { field: "cents" }, limit: 10 })
  is<
    Equal<
      typeof placed,
      Effect.Effect<ReadonlyArray<Projection.Entry<Summary>>, Projection.ReadFailure | FieldPending, never>
    >
  >()
  void summaries.list({ orderBy: { field: "cents" }, after: { key: "o-1", document: { status: "placed", cents: 3 } } })
  void summaries.list({ after: "o-1", where: { status: null } })
  const count = summaries.count({ where: { cents: 5 }, tenant: "t" })
  is<Equal<typeof count, Effect.Effect<number, Projection.ReadFailure | FieldPending, never>>>()
  is<Equal<typeof summaries.changes, Stream.Stream<Projection.Change<Summary>, ChangesMissed, never>>>()
})

OrderSummaries.toLayer((on) => [
  on(OrderEvent, {
    OrderPlaced: (before, event, meta) => {
      is<Equal<typeof before, Summary | undefined>>()
      is<Equal<typeof event, typeof OrderPlaced.Type>>()
      is<Equal<typeof meta, Projection.Meta>>()
      return undefined
    }
  }, {
    key: (event) => {
      is<Equal<typeof event, typeof OrderPlaced.Type>>()
      return [String(event.totalCents)]
    }
  })
])

class Total extends Projection.Fold<Total, number>()("total") {}
const TotalLive = Total.toLayer({
  initial: () => 0,
  sources: (on) => [on(OrderEvent, { OrderPlaced: (sum, { totalCents }) => sum + totalCents })]
})
is<Equal<typeof TotalLive, Layer.Layer<Total, never, ProjectionHost>>>()
export const total = Effect.gen(function*() {
  const { state } = yield* Total
  is<Equal<typeof state, Effect.Effect<number, never, never>>>()
})

const rows = Projection.sql("rows", {
  version: 1,
  events: [OrderEvent, CounterEvent],
  apply: Effect.fnUntraced(function*(batch, { suffix }) {
    is<Equal<typeof suffix, string>>()
    const [first] = batch
    is<Equal<typeof first, Event.Recorded<typeof OrderEvent.Type | typeof CounterEvent.Type> | undefined>>()
    yield* SqlClient.SqlClient
  })
})
const RowsLive = rows.toLayer()
is<Equal<typeof RowsLive, Layer.Layer<never, never, ProjectionHost | ViewStore | SqlClient.SqlClient>>>()
is<Equal<typeof rows.suffix, Effect.Effect<string, StoreUnavailable, ViewStore>>>()

const asking = Projection.effect("asking", {
  from: "now",
  sources: (on) => [
    on(OrderEvent, { OrderShipped: ({ carrier }) => Effect.flatMap(Carriers, ({ known }) => known(carrier)) }),
    on(CounterEvent, { Counted: () => Effect.void })
  ]
})
const AskingEffect = asking.toLayer()
is<Equal<typeof AskingEffect, Layer.Layer<never, never, ProjectionHost | Carriers>>>()

// ── tests

is<Equal<typeof TestRuntime.layer, Layer.Layer<TestRuntime.Provided, never, never>>>()
is<
  Equal<
    TestRuntime.Provided,
    | AggregateHost
    | ProjectionHost
    | InlineHost
    | Projections
    | EventStore
    | SnapshotStore
    | ReadSide
    | FaultyStore.FaultyStore
    | FaultySnapshotStore.FaultySnapshotStore
    | FaultyReadSide.FaultyReadSide
    | TestRuntime.TestRuntime
  >
>()
is<
  Equal<
    ReturnType<typeof TestRuntime.layerOver>,
    Layer.Layer<TestRuntime.Provided, never, EventStore | SnapshotStore | ReadSide | InlineViews>
  >
>()
is<Equal<typeof FaultyStore.layer, Layer.Layer<EventStore | FaultyStore.FaultyStore, never, EventStore>>>()

const tested = Layer.provideMerge(Asking, TestRuntime.layer)
is<Equal<typeof tested, Layer.Layer<Orders | TestRuntime.Provided, never, Carriers>>>()

const events = TestRuntime.events(Orders, "o-1")
is<Equal<typeof events, Effect.Effect<ReadonlyArray<typeof OrderEvent.Type>, never, FaultyStore.FaultyStore>>>()

const appended = TestRuntime.appendedBy(Effect.flatMap(Orders, (orders) => orders.of("o-1").touch()))
is<
  Equal<
    typeof appended,
    Effect.Effect<
      readonly [void, ReadonlyArray<TestRuntime.Appended>],
      CommandFailed,
      Orders | FaultyStore.FaultyStore
    >
  >
>()
