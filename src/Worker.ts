/**
 * The worker: aggregates and projections with everything that a long-lived process owes them, as one Layer for the
 * user's own program.
 *
 * It runs what it is given on the store that is provided, looks after the log (an auditor that counts it, and pruning
 * of old receipts), and drains when its scope closes.
 */
import { Duration, Effect, Layer, Metric, Schedule } from "effect"
import type { AggregateHost } from "./AggregateHost.ts"
import * as AggregateRuntime from "./AggregateRuntime.ts"
import type { CheckpointStore } from "./CheckpointStore.ts"
import type { DeadLetters } from "./DeadLetters.ts"
import { defaultTenant, type Position, type StreamId } from "./Event.ts"
import { EventStore, type LogGap } from "./EventStore.ts"
import type { InlineHost } from "./InlineHost.ts"
import * as InlineRuntime from "./InlineRuntime.ts"
import type { InlineViews } from "./InlineViews.ts"
import { settingOf } from "./internal/elapsed.ts"
import { untyped } from "./internal/types.ts"
import type { Lease } from "./Lease.ts"
import type { ProjectionHost } from "./ProjectionHost.ts"
import * as ProjectionRunner from "./ProjectionRunner.ts"
import type { SnapshotStore } from "./SnapshotStore.ts"

/** The Layer of an aggregate or a projection, whatever it provides and its handlers need. */
type AnyLayer = Layer.Layer<never, any, any>

/** What a worker runs, and how. A count out of its bounds is a defect when the Layer is built. */
export interface Options<
  Aggregates extends readonly [AnyLayer, ...ReadonlyArray<AnyLayer>],
  Projections extends ReadonlyArray<AnyLayer> = readonly [],
  Inline extends ReadonlyArray<AnyLayer> = readonly []
> {
  /** What `toLayer` of the aggregates made: one at least, each of its own category. */
  readonly aggregates: Aggregates
  /** What `toLayer` of the projections made, each with its own name. They may use the aggregates. */
  readonly projections?: Projections | undefined
  /** What `toInlineLayer` of the views made: they are there before the aggregates, and do not use them. */
  readonly inline?: Inline | undefined
  /** How many aggregates may be in memory at once, at least 1; 100,000 unless given. See `AggregateRuntime.Options`. */
  readonly maxActive?: number | undefined
  /** How long receipts are kept, so that a repeated command gets its first answer; 7 days unless given. */
  readonly receiptsKept?: Duration.Input | undefined
}

/** What a worker needs that has projections. */
type Readers<Projections> = Projections extends readonly [] ? never : CheckpointStore | DeadLetters | Lease

/** What a worker needs whose views are inline. */
type Inlines<Inline> = Inline extends readonly [] ? never : InlineViews

/** What a worker provides that has projections: the wait for one, among others. */
type Runner<Projections> = Projections extends readonly [] ? never : Layer.Success<typeof ProjectionRunner.layer>

/** What a worker provides whose views are inline: the store that others, too, had better append through. */
type Keeper<Inline> = Inline extends readonly [] ? never : EventStore

/**
 * A worker: it provides its aggregates and views, and counts the log and prunes receipts in the background. Provide a store to
 * it; launch it with `Layer.launch`. When its scope closes it refuses new commands and waits for those that have begun.
 *
 * A hole in the log stops nothing: it is logged as an error and counted in `varve_log_gaps_total`.
 *
 * @example
 * ```ts
 * import { Effect, Layer, Schema } from "effect"
 * import * as Aggregate from "varve/Aggregate"
 * import * as Event from "varve/Event"
 * import * as Memory from "varve/memory/Memory"
 * import * as Worker from "varve/Worker"
 *
 * const LampEvent = Event.union({ Switched: {} })
 * class Lamps extends Aggregate.Service<Lamps>()("Lamp", {
 *   state: Schema.Struct({ on: Schema.Boolean }),
 *   events: LampEvent,
 *   commands: [Aggregate.command("toggle", { success: Schema.Boolean })]
 * }) {}
 * const LampsLive = Lamps.toLayer({
 *   initial: { on: false },
 *   evolve: { Switched: ({ on }) => ({ on: !on }) },
 *   handlers: { toggle: ({ state }) => Aggregate.decide([LampEvent.cases.Switched.make({})], { reply: !state.on }) }
 * })
 *
 * const Live = Worker.layer({ aggregates: [LampsLive] }).pipe(Layer.provide(Memory.layer))
 * const program = Effect.flatMap(Lamps, (lamps) => lamps.of("hall").toggle())
 *
 * await Effect.runPromise(Effect.provide(program, Live)) // => true
 * ```
 */
export const layer = <
  const Aggregates extends readonly [AnyLayer, ...ReadonlyArray<AnyLayer>],
  const Projections extends ReadonlyArray<AnyLayer> = readonly [],
  const Inline extends ReadonlyArray<AnyLayer> = readonly []
>(
  { aggregates, inline, maxActive, projections, receiptsKept = "7 days" }: Options<Aggregates, Projections, Inline>
): Layer.Layer<
  | Layer.Success<Aggregates[number] | Projections[number] | Inline[number]>
  | Runner<Projections | Inline>
  | Keeper<Inline>,
  Layer.Error<Aggregates[number] | Projections[number] | Inline[number]>,
  | Exclude<Layer.Services<Aggregates[number]>, AggregateHost | Layer.Success<Inline[number]>>
  | Exclude<
    Layer.Services<Projections[number]>,
    ProjectionHost | Layer.Success<Aggregates[number] | Inline[number]>
  >
  | Exclude<Layer.Services<Inline[number]>, ProjectionHost | InlineHost>
  | EventStore
  | SnapshotStore
  | Readers<Projections | Inline>
  | Inlines<Inline>
> =>
  merged(projections).pipe(
    Layer.provideMerge(Layer.mergeAll(...aggregates)),
    Layer.provide(AggregateRuntime.layerWith({ maxActive })),
    Layer.provideMerge(merged(inline)),
    // Below the aggregates too: a command may wait for a projection.
    Layer.provideMerge(runner<Projections | Inline>([...projections ?? [], ...inline ?? []])),
    Layer.provideMerge(keeper(inline)),
    Layer.merge(Layer.effectDiscard(Effect.forkScoped(audit))),
    Layer.merge(Layer.effectDiscard(Effect.forkScoped(pruneReceipts(settingOf("receiptsKept", receiptsKept)))))
  )

/** A runner only where there is something to run. */
const runner = <Projections extends ReadonlyArray<AnyLayer>>(projections: ReadonlyArray<AnyLayer>) =>
  untyped<Layer.Layer<Runner<Projections>, never, EventStore | Readers<Projections>>>(
    projections.length === 0 ? Layer.empty : ProjectionRunner.layer
  )

/** Appends go straight to the store where nothing is inline. */
const keeper = <Inline extends ReadonlyArray<AnyLayer>>(inline: Inline | undefined) =>
  untyped<Layer.Layer<Keeper<Inline> | InlineHost, never, EventStore | Inlines<Inline>>>(
    inline === undefined || inline.length === 0 ? Layer.empty : InlineRuntime.layer
  )

const merged = <Projections extends ReadonlyArray<AnyLayer>>(projections: Projections | undefined) => {
  const [first, ...others] = projections ?? []
  return untyped<
    Layer.Layer<
      Layer.Success<Projections[number]>,
      Layer.Error<Projections[number]>,
      Exclude<Layer.Services<Projections[number]>, ProjectionHost>
    >
  >(first === undefined ? Layer.empty : Layer.mergeAll(first, ...others))
}

const gaps = Metric.counter("varve_log_gaps_total", {
  description: "Holes that the auditor found in the log; 0 in health",
  incremental: true
})

/** Counts the log as it grows, from its beginning once and then what is new every 10 seconds; each hole alarms once. */
const audit = Effect.gen(function*() {
  const store = yield* EventStore
  let position: Position = 0n
  const goOn = (reached: Position) => {
    const more = reached > position
    position = reached
    return more
  }
  const step = Effect.map(Effect.suspend(() => store.audit(position)), goOn).pipe(
    Effect.catchTag("LogGap", (gap) => Effect.map(alarm(gap), () => goOn(gap.found - 1n)))
  )
  yield* step.pipe(
    Effect.repeat({ while: (more) => more }),
    // A store that is away for a while is asked again.
    Effect.catch(({ message }) => Effect.logDebug(message)),
    Effect.repeat(Schedule.spaced("10 seconds"))
  )
})

/** A hole is damage that nobody may pass over in silence. */
const alarm = (gap: LogGap) => Effect.andThen(Metric.update(gaps, 1), Effect.logError(gap.message))

const prunedAtOnce = 1_000

/** Nobody writes to it: it is asked for the time. */
const nowhere: StreamId = { tenant: defaultTenant, category: "varve", id: "clock" }

/**
 * Forgets receipts that are older, in pages, every hour. How old they are is told by the store's clock, which they were
 * given their time by: a worker whose own runs ahead would forget everybody's.
 */
const pruneReceipts = Effect.fnUntraced(function*(kept: Duration.Duration) {
  const store = yield* EventStore
  const page = Effect.flatMap(
    store.readStream(nowhere, { limit: 1 }),
    ({ readAtMillis }) =>
      store.pruneReceipts({ beforeMillis: readAtMillis - Duration.toMillis(kept), limit: prunedAtOnce })
  )
  yield* page.pipe(
    Effect.repeat({ while: (count) => count === prunedAtOnce }),
    Effect.catch(({ message }) => Effect.logDebug(message)),
    Effect.repeat(Schedule.spaced("1 hour"))
  )
})
