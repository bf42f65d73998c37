/**
 * Everything that a test of aggregates needs, as one Layer: stores in memory that fail on command, a runtime, virtual
 * time, the same event ids and the same chance each time, and handlers that cannot write to what they are given.
 *
 * For users of Varve, in `it.effect`, in `layer(…)` of `@effect/vitest`, or under a plain `Effect.runPromise`.
 */
import { Clock, Context, Effect, FiberSet, Layer, Random, Result, Scheduler } from "effect"
import { TestClock } from "effect/testing"
import type { ServiceClass } from "../Aggregate.ts"
import { AggregateHost } from "../AggregateHost.ts"
import * as AggregateRuntime from "../AggregateRuntime.ts"
import type { CheckpointStore } from "../CheckpointStore.ts"
import type * as Command from "../Command.ts"
import type { DeadLetters } from "../DeadLetters.ts"
import type { Also } from "../Decision.ts"
import {
  defaultTenant,
  type Events,
  type Metadata,
  type Position,
  type PureCodec,
  type Stored,
  type Version
} from "../Event.ts"
import type { EventStore } from "../EventStore.ts"
import type { InlineHost } from "../InlineHost.ts"
import * as InlineRuntime from "../InlineRuntime.ts"
import type { InlineViews } from "../InlineViews.ts"
import * as EventId from "../internal/eventId.ts"
import { eventCodec } from "../internal/evolution.ts"
import { untyped } from "../internal/types.ts"
import { type WatchedReaders, WatchReaders, WatchWork } from "../internal/work.ts"
import type { Lease } from "../Lease.ts"
import * as Memory from "../memory/Memory.ts"
import { type Definition, ProjectionHost, type Target } from "../ProjectionHost.ts"
import * as ProjectionRunner from "../ProjectionRunner.ts"
import { Projections } from "../Projections.ts"
import type { SnapshotStore } from "../SnapshotStore.ts"
import type { ViewStore } from "../ViewStore.ts"
import * as FaultyReadSide from "./FaultyReadSide.ts"
import * as FaultySnapshotStore from "./FaultySnapshotStore.ts"
import * as FaultyStore from "./FaultyStore.ts"
import * as EventIds from "./runtime/EventIds.ts"
import { frozen, frozenSource } from "./runtime/Frozen.ts"
import * as Turns from "./runtime/Turns.ts"
import * as Writes from "./runtime/Writes.ts"

export { Mutated } from "./runtime/Frozen.ts"

/** What a test may want otherwise. */
export interface Options extends AggregateRuntime.Options, ProjectionRunner.Options {
  /**
   * Of the event ids and of all chance (Effect's `Random`); 1 unless given. A second runtime on the same log needs
   * another one: two events with one id are one event to a store.
   */
  readonly seed?: number | undefined
  /** Whether others may write to the log too, so that a stream's version is not known without asking; false unless given. */
  readonly shared?: boolean | undefined
}

/** What the Layers of this module provide, beside the clock, the scheduler and the chance that they put in place. */
export type Provided =
  | AggregateHost
  | ProjectionHost
  | InlineHost
  | Projections
  | EventStore
  | SnapshotStore
  | FaultyStore.FaultyStore
  | FaultySnapshotStore.FaultySnapshotStore
  | FaultyReadSide.Provided
  | TestRuntime

/** What a test may ask of its runtime; the functions of this module do so. */
export class TestRuntime extends Context.Service<TestRuntime, {
  /** See `idle`. */
  readonly idle: Effect.Effect<void>
  /** See `settled`. */
  readonly settled: Effect.Effect<number>
}>()("varve/testing/TestRuntime") {}

/**
 * Ends when nothing is left to do: no command is under way or waits in a mailbox, also none whose caller was
 * interrupted, no snapshot is being saved, no projection is behind the log, and no fiber of the test is ready to run. It takes no time, virtual or real,
 * and does not move the clock.
 *
 * As long as a handler, a store or a retry waits for virtual time, or for something that the test holds (a `gate`, a
 * `Deferred`), there is something left to do, and this waits too: adjust the clock or let go first, or beside it. To go
 * on in such a moment, use `settled`.
 */
export const idle: Effect.Effect<void, never, TestRuntime> = Effect.flatMap(TestRuntime, ({ idle }) => idle)

/**
 * Lets everything run that can run without time passing and without anything from outside, and answers how much is still
 * under way after that: for each aggregate that has commands 1, for each snapshot that is being saved 1, for each partition
 * of a projection that is behind the log or tries again 1; 0 is what `idle` waits for.
 *
 * "From outside" is what this process has to wait for: a file, a socket, a timer of the machine. In the memory stores there
 * is none. A fiber that yields for ever never settles.
 */
export const settled: Effect.Effect<number, never, TestRuntime> = Effect.flatMap(TestRuntime, ({ settled }) => settled)

/** The definitions and projections whose work is watched. Those that have ended are forgotten. */
const makeWatched = () => {
  const watched = new Set<FiberSet.FiberSet<void>>()
  const readers = new Set<WatchedReaders>()
  const open = () => {
    for (const fibers of watched) if (fibers.state._tag === "Closed") watched.delete(fibers)
    for (const reader of readers) if (reader.isClosed()) readers.delete(reader)
    return { fibers: [...watched], readers: [...readers] }
  }
  return {
    watch: (fibers: FiberSet.FiberSet<void>): void => {
      watched.add(fibers)
    },
    watchReaders: (reader: WatchedReaders): void => {
      readers.add(reader)
    },
    /** How much there is to do, and what ends when some of it may be done: also if that is at once. */
    look: Effect.suspend(() => {
      const { fibers, readers } = open()
      const busy = fibers.filter(({ state }) => state._tag !== "Closed" && state.backing.size > 0)
      const running = busy.reduce((sum, { state }) => sum + (state._tag === "Closed" ? 0 : state.backing.size), 0)
      const changes = [
        ...busy.map((fibers) => FiberSet.awaitEmpty(fibers)),
        ...readers.map(({ changed, changes }) => changed(changes()))
      ]
      return Effect.map(Effect.forEach(readers, ({ underWay }) => underWay), (counts) => ({
        count: counts.reduce((sum, count) => sum + count, running),
        change: Effect.raceAllFirst([Effect.never, ...changes])
      }))
    })
  }
}

/** Virtual time, unless it is virtual already: there shall be one clock, or a test turns one and waits by the other. */
const virtualTime: Layer.Layer<never> = Layer.unwrap(
  Effect.map(Clock.Clock, (clock) => "adjust" in clock ? Layer.empty : untyped<Layer.Layer<never>>(TestClock.layer()))
)

/** References that all fibers of the test shall see, and the service that knows what is under way. */
const surroundings = ({ seed = 1 }: Options): Layer.Layer<TestRuntime> =>
  Layer.effectContext(Effect.gen(function*() {
    const clock = yield* Clock.Clock
    const { scheduler, stillness } = yield* Turns.current
    const random = yield* Random.withSeed(Random.Random, seed)
    const work = makeWatched()
    const look = Effect.andThen(stillness, work.look)
    const settled = Effect.map(look, ({ count }) => count)
    const idle: Effect.Effect<void> = Effect.flatMap(
      look,
      ({ change, count }) => count === 0 ? Effect.void : Effect.andThen(change, idle)
    )
    return Context.make(TestRuntime, { idle, settled }).pipe(
      Context.add(Clock.Clock, clock),
      Context.add(Scheduler.Scheduler, scheduler),
      Context.add(Random.Random, random),
      Context.add(EventId.EventIds, EventIds.make(seed, clock)),
      Context.add(WatchWork, work.watch),
      Context.add(WatchReaders, work.watchReaders)
    )
  })).pipe(Layer.provide(virtualTime))

/**
 * A host that runs each behaviour on frozen inputs, and that a test need not wait for when it ends: what can be done
 * without time passing is done, the rest is interrupted, unless the aggregate has a `drainDeadline` of its own.
 */
const hostOfTests: Layer.Layer<AggregateHost, never, AggregateHost> = Layer.effect(
  AggregateHost,
  Effect.gen(function*() {
    const { register } = yield* AggregateHost
    const { stillness } = yield* Turns.current
    return AggregateHost.of({
      register: Effect.fnUntraced(function*({ behavior, definition, services, settings }) {
        const hosted = yield* register({
          definition,
          behavior: frozen(definition.name, behavior),
          settings: { ...settings, drainDeadline: settings.drainDeadline ?? 0 },
          services
        })
        yield* Effect.addFinalizer(() => stillness)
        return hosted
      })
    })
  })
)

/** The same for projections. */
const readersOfTests = (options: Options): Layer.Layer<ProjectionHost | Projections, never, ProjectionRunner.Stores> =>
  Layer.effectContext(Effect.gen(function*() {
    const host = yield* ProjectionHost
    const { stillness } = yield* Turns.current
    const register: ProjectionHost["Service"]["register"] = Effect.fnUntraced(function*(projection) {
      const hosted = yield* host.register({
        ...projection,
        target: frozenTarget(projection.definition, projection.target),
        settings: { ...projection.settings, drainDeadline: projection.settings.drainDeadline ?? 0 }
      })
      yield* Effect.addFinalizer(() => stillness)
      return hosted
    })
    return Context.make(ProjectionHost, { ...host, register }).pipe(Context.add(Projections, yield* Projections))
  })).pipe(Layer.provide(ProjectionRunner.layerWith(options)))

const frozenTarget = ({ kind, name }: Definition, target: Target): Target =>
  "sources" in target
    ? { ...target, sources: target.sources.map((source) => frozenSource(name, kind, source)) }
    : target

/**
 * The same over the stores at hand, which a second runtime or another technology may share: faults, runtime, virtual
 * time, ids, frozen inputs. A store that waits for the machine is not waited for by `settled`, only by `idle`.
 */
export const layerOver = (
  options: Options = {}
): Layer.Layer<
  Provided,
  never,
  EventStore | SnapshotStore | CheckpointStore | ViewStore | InlineViews | DeadLetters | Lease
> =>
  hostOfTests.pipe(
    Layer.provide(AggregateRuntime.layerWith(options)),
    Layer.provideMerge(readersOfTests(options)),
    Layer.provideMerge(InlineRuntime.layer),
    Layer.provideMerge(Layer.mergeAll(
      options.shared === true ? FaultyStore.layerShared : FaultyStore.layer,
      FaultySnapshotStore.layer,
      FaultyReadSide.layer
    )),
    Layer.provideMerge(surroundings(options))
  )

/** A test's runtime with options. */
export const layerWith = (options: Options): Layer.Layer<Provided> => Layer.provide(layerOver(options), Memory.layer)

/**
 * A test's runtime. Merge it (`Layer.provideMerge`), so that the test itself is on its clock too and can reach the stores;
 * each time it is built the log is new and empty.
 *
 * It brings a `TestClock`, unless there is one already, as there is in `it.effect`. When it ends, it waits for nothing
 * that waits for time: what is under way then is interrupted, unless the aggregate has a `drainDeadline` of its own.
 *
 * A handler, or an `evolve`, that writes to the state, the payload or the event it is given ends in a defect that names
 * it and the property, `Mutated`. What it is given is frozen in place for that.
 *
 * @example
 * ```ts
 * import { Effect, Fiber, Layer, Schema } from "effect"
 * import { TestClock } from "effect/testing"
 * import * as Aggregate from "varve/Aggregate"
 * import * as Event from "varve/Event"
 * import * as FaultyStore from "varve/testing/FaultyStore"
 * import * as TestRuntime from "varve/testing/TestRuntime"
 *
 * const LampEvent = Event.union({ Lit: {}, WentOut: {} })
 * const { Lit, WentOut } = LampEvent.cases
 * class Lamps extends Aggregate.Service<Lamps>()("Lamp", {
 *   state: Schema.Boolean,
 *   events: LampEvent,
 *   commands: [Aggregate.command("light"), Aggregate.command("lightFor1Hour")]
 * }) {}
 * const LampsLive = Lamps.toLayer({
 *   initial: false,
 *   evolve: { Lit: () => true, WentOut: () => false },
 *   handlers: {
 *     light: ({ state }) => Aggregate.decide(state ? [] : [Lit.make({})]),
 *     lightFor1Hour: () => Effect.delay(Effect.succeed(Aggregate.decide([Lit.make({}), WentOut.make({})])), "1 hour")
 *   }
 * })
 * const Live = LampsLive.pipe(Layer.provideMerge(TestRuntime.layer))
 *
 * // What was, what is asked, what was appended.
 * const relit = Effect.gen(function*() {
 *   const lamps = yield* Lamps
 *   yield* TestRuntime.given([Lamps.write("l-1", [Lit.make({}), WentOut.make({})])])
 *   const [, appended] = yield* TestRuntime.appendedBy(lamps.of("l-1").light())
 *   return appended
 * })
 * await Effect.runPromise(Effect.provide(relit, Live)) // => [{ category: "Lamp", id: "l-1", version: 3, type: "Lit", data: {}, metadata: {} }]
 *
 * // Time passes when the test says so, and the store fails when it says so.
 * const patient = Effect.gen(function*() {
 *   const lamps = yield* Lamps
 *   yield* (yield* FaultyStore.FaultyStore).next("append", FaultyStore.lostAfter)
 *   yield* Effect.forkChild(lamps.of("l-1").lightFor1Hour())
 *   const underWay = yield* TestRuntime.settled
 *   yield* TestClock.adjust("61 minutes")
 *   yield* TestRuntime.idle
 *   return [underWay, yield* TestRuntime.events(Lamps, "l-1")]
 * })
 * await Effect.runPromise(Effect.provide(patient, Live)) // => [1, [Lit.make({}), WentOut.make({})]]
 * ```
 */
export const layer: Layer.Layer<Provided> = layerWith({})

/**
 * What has happened before: writes these events as another writer would, all or nothing, past the runtime and all faults.
 * Name streams by their aggregates: `given([Orders.write("o-1", [OrderPlaced.make({ … })])])`.
 *
 * What does not fit its schema, or meets an expectation that does not hold, is a mistake of the test: a defect.
 */
export const given = (
  writes: ReadonlyArray<Also>,
  options?: Writes.Options
): Effect.Effect<void, never, FaultyStore.FaultyStore> =>
  Effect.gen(function*() {
    const { inner } = yield* FaultyStore.FaultyStore
    yield* Writes.write(inner, yield* EventId.nextEventId, writes, options)
  })

/**
 * The events of a stream as they are in the log, decoded to today's, past the runtime and all faults; none if there is no
 * such stream. One that does not decode is a defect.
 */
export const events = <Self, Name extends string, S extends PureCodec, Ev extends Events, C extends Command.Any>(
  { definition }: ServiceClass<Self, Name, S, Ev, C>,
  id: string,
  { tenant = defaultTenant }: { readonly tenant?: string | undefined } = {}
): Effect.Effect<ReadonlyArray<Ev["Type"]>, never, FaultyStore.FaultyStore> =>
  Effect.gen(function*() {
    const { inner } = yield* FaultyStore.FaultyStore
    const codec = eventCodec(definition.events)
    const found: Array<Ev["Type"]> = []
    let after = 0
    while (true) {
      const page = yield* Effect.orDie(inner.readStream({ tenant, category: definition.name, id }, { after }))
      for (const stored of page.events) {
        found.push(...Result.getOrThrowWith(codec.decode(stored), (why) => undecodable(stored, why)))
        after = stored.version
      }
      if (page.events.length === 0 || after >= page.version) return found
    }
  })

const undecodable = ({ category, id, type, version }: Stored, why: unknown) =>
  new Error(`Event ${version} of ${category} ${id} (${type}) does not decode: ${JSON.stringify(why)}`)

/** An event in the log, of whatever aggregate, as its JSON data. */
export interface Appended {
  /** Absent for the default tenant. */
  readonly tenant?: string
  readonly category: string
  readonly id: string
  readonly version: Version
  readonly type: string
  readonly data: unknown
  readonly metadata: Metadata
}

/**
 * Runs an effect, and answers its result with what came to the log meanwhile, by whomever, in order: its own events, those
 * for other streams, messages for the outbox. Past all faults. For an effect that fails, run its `Effect.exit`.
 */
export const appendedBy = <A, E, R>(
  effect: Effect.Effect<A, E, R>
): Effect.Effect<readonly [A, ReadonlyArray<Appended>], E, R | FaultyStore.FaultyStore> =>
  Effect.gen(function*() {
    const { inner } = yield* FaultyStore.FaultyStore
    const before = yield* Effect.orDie(inner.head)
    const result = yield* effect
    return [result, yield* appendedAfter(inner, before)] as const
  })

const appendedAfter = Effect.fnUntraced(function*(store: EventStore["Service"], after: Position) {
  const found: Array<Appended> = []
  for (let next = after;;) {
    const { events, position } = yield* Effect.orDie(store.readAll({ after: next }))
    if (events.length === 0) return found
    found.push(...events.map(appended))
    next = position
  }
})

const appended = ({ category, data, id, metadata, tenant, type, version }: Stored): Appended => ({
  ...tenant !== defaultTenant && { tenant },
  category,
  id,
  version,
  type,
  data: JSON.parse(data),
  metadata: JSON.parse(metadata)
})
