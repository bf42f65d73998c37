/**
 * Aggregates in this process: one record each, a fiber while there is work, passivated when nobody asks for long.
 *
 * A command's walk: here its aggregate is found and its envelope put into the mailbox; the aggregate's fiber decides on
 * the latest state and appends; the answer goes back to whoever still waits. Any number of processes may run the same
 * aggregates on the same store: the version that an append expects is the fence.
 */
import { Clock, Context, Duration, Effect, Exit, FiberHandle, FiberSet, Layer, Option, Scope, Tracer } from "effect"
import { AggregateHost, type Definition, type Hosted, type Settings } from "./AggregateHost.ts"
import { outboxCategory } from "./Event.ts"
import { EventStore } from "./EventStore.ts"
import { consistently } from "./internal/consistent.ts"
import { drain } from "./internal/drain.ts"
import { settingOf } from "./internal/elapsed.ts"
import * as EventId from "./internal/eventId.ts"
import { execute } from "./internal/execute.ts"
import * as Groups from "./internal/groups.ts"
import { sweep } from "./internal/passivation.ts"
import * as Plan from "./internal/plan.ts"
import * as Reads from "./internal/reads.ts"
import type { Capacity, Registration, Resolved } from "./internal/registration.ts"
import * as Resident from "./internal/resident.ts"
import * as Telemetry from "./internal/telemetry.ts"
import { WatchWork } from "./internal/work.ts"
import { ProjectionHost } from "./ProjectionHost.ts"
import { SnapshotStore } from "./SnapshotStore.ts"

/** How a runtime treats all its aggregates together. A count out of its bounds is a defect when the Layer is built. */
export interface Options {
  /**
   * How many aggregates may be in memory at once, of all definitions, at least 1; 100,000 unless given. The one idle
   * for longest makes room; when all are busy, a command for another one fails with `MailboxFull`.
   */
  readonly maxActive?: number | undefined
}

const make = Effect.fnUntraced(function*(options: Options) {
  const maxActive = count("maxActive", options.maxActive ?? 100_000, 1)
  const events = yield* EventStore
  const snapshots = yield* SnapshotStore
  const clock = yield* Clock.Clock
  const nextEventId = yield* EventId.nextEventId
  const projections = Option.getOrUndefined(yield* Effect.serviceOption(ProjectionHost))
  const watchWork = yield* WatchWork
  const capacity: Capacity = { maxActive, registrations: new Set() }
  const senders = yield* FiberSet.make<void>()
  const send = yield* Effect.updateContext(FiberSet.runtime(senders)<never>(), withoutSpan)
  const groups = Groups.make(events, send, clock)
  const sweeper = yield* FiberHandle.make<never>()
  const runSweeper = yield* FiberHandle.runtime(sweeper)<never>()

  const register: AggregateHost["Service"]["register"] = Effect.fnUntraced(function*(aggregate) {
    yield* refuseTaken(capacity, aggregate.definition)
    const plan = Plan.make(aggregate.definition, aggregate.behavior)
    const taken = Plan.findTaken([...capacity.registrations].map((other) => other.plan), plan)
    if (taken !== undefined) return yield* Effect.die(taken)
    const settings = resolve(aggregate.settings)
    // A scope of their own, since closing it waits for all of them and draining does not.
    const supervised = yield* Scope.make()
    const fibers = yield* Scope.provide(FiberSet.make<void>(), supervised)
    watchWork(fibers)
    const residents = Resident.makeResidents()
    const self: Registration = {
      plan,
      settings,
      sources: { events, snapshots: settings.snapshotEvery === undefined ? undefined : snapshots },
      groups,
      services: withoutSpan(aggregate.services),
      clock,
      nextEventId,
      projections,
      residents,
      capacity,
      plain: new Set(),
      telemetry: Telemetry.make(aggregate.definition, yield* Effect.context<never>(), {
        active: () => residents.count,
        waiting: () => waiting(residents)
      }),
      defects: new Map(),
      fork: yield* Effect.updateContext(FiberSet.runtime(fibers)<never>(), withoutSpan),
      closing: false
    }
    capacity.registrations.add(self)
    // Begins anew: its pauses are as long as the shortest idle time of all wants them.
    runSweeper(sweep(capacity))
    yield* Effect.addFinalizer(() =>
      Effect.ensuring(
        drain(self, fibers),
        Effect.andThen(
          closeBeside(supervised, fibers),
          Effect.sync(() => capacity.registrations.delete(self))
        )
      )
    )
    return hosted(self)
  })
  return AggregateHost.of({ register })
})

/** Who has been left behind is not waited for; mostly there is nobody, and nothing is left to be done. */
const closeBeside = (scope: Scope.Closeable, fibers: FiberSet.FiberSet<void>): Effect.Effect<void> =>
  Effect.suspend(() => {
    const closed = Scope.close(scope, Exit.void)
    return [...fibers].length === 0 ? closed : Effect.asVoid(Effect.forkDetach(closed))
  })

const hosted = (self: Registration): Hosted => ({
  execute: (stream, command, payload, options) => {
    const carriedOut = execute(self, stream, command.tag, payload, options)
    return options.consistent === undefined ? carriedOut : consistently(self, stream, options, carriedOut)
  },
  state: (stream, consistency) => Reads.state(self, stream, consistency),
  stateAt: (stream, point) => Reads.stateAt(self, stream, point),
  history: (stream, range) => Reads.history(self, stream, range),
  exists: (stream) => Reads.exists(self, stream)
})

const resolve = (settings: Settings): Resolved => ({
  snapshotEvery: settings.snapshotEvery === undefined ? undefined : count("snapshotEvery", settings.snapshotEvery, 1),
  mailboxCapacity: count("mailboxCapacity", settings.mailboxCapacity ?? 256, 1),
  maxIdleMillis: Duration.toMillis(settingOf("maxIdleTime", settings.maxIdleTime ?? "2 minutes")),
  redecisions: count("redecisions", settings.redecisions ?? 10, 0),
  drainDeadline: settingOf("drainDeadline", settings.drainDeadline ?? "10 seconds")
})

/** A setting that is no count is a mistake in the program, which should not start with it. */
const count = (name: string, value: number, min: number): number => {
  if (Number.isSafeInteger(value) && value >= min) return value
  throw new RangeError(`${name} must be a whole number of at least ${min}, not ${value}.`)
}

/** The span under which a Layer is built has ended long before commands come, and is none of their callers'. */
const withoutSpan = (context: Context.Context<never>): Context.Context<never> =>
  Context.omit(Tracer.ParentSpan)(context)

/** Two behaviours for one category would decide on each other's streams; messages have a category of their own. */
const refuseTaken = ({ registrations }: Capacity, { name }: Definition): Effect.Effect<void> => {
  if (name === outboxCategory) return Effect.die(new TypeError(`"${outboxCategory}" is reserved for messages.`))
  for (const { plan } of registrations) {
    if (plan.definition.name === name) {
      return Effect.die(new TypeError(`The aggregate "${name}" is already registered.`))
    }
  }
  return Effect.void
}

const waiting = (residents: Resident.Residents): number => {
  let count = 0
  for (const resident of Resident.all(residents)) {
    count += resident.work === undefined
      ? 0
      : Resident.waiting(resident.work)
  }
  return count
}

/**
 * A runtime with options: provide it to the Layers of aggregates, and a store to it.
 *
 * @example
 * ```ts
 * import { Effect, Layer, Schema } from "effect"
 * import * as Aggregate from "varve/Aggregate"
 * import * as AggregateRuntime from "varve/AggregateRuntime"
 * import * as Event from "varve/Event"
 * import * as Memory from "varve/memory/Memory"
 *
 * const BellEvent = Event.union({ BellRung: {} })
 * class Bells extends Aggregate.Service<Bells>()("Bell", {
 *   state: Schema.Int,
 *   events: BellEvent,
 *   commands: [Aggregate.command("ring", { success: Schema.Int })]
 * }) {}
 * const BellsLive = Bells.toLayer({
 *   initial: 0,
 *   evolve: { BellRung: (count) => count + 1 },
 *   handlers: { ring: ({ state }) => Aggregate.decide([BellEvent.cases.BellRung.make({})], { reply: state + 1 }) }
 * })
 *
 * // One bell at a time in memory: the other makes room, and is replayed when it is asked again.
 * const Live = BellsLive.pipe(Layer.provide(AggregateRuntime.layerWith({ maxActive: 1 })), Layer.provide(Memory.layer))
 * const program = Effect.gen(function*() {
 *   const bells = yield* Bells
 *   yield* bells.of("door").ring()
 *   yield* bells.of("gate").ring()
 *   return yield* bells.of("door").ring()
 * })
 * await Effect.runPromise(Effect.provide(program, Live)) // => 2
 * ```
 */
export const layerWith = (options: Options): Layer.Layer<AggregateHost, never, EventStore | SnapshotStore> =>
  Layer.effect(AggregateHost, make(options))

/**
 * A runtime: provide it to the Layers of aggregates, and a store to it. When its scope closes, new commands are refused
 * (`RuntimeStopping`) and those that have begun are waited for.
 *
 * @example
 * ```ts
 * import { Effect, Layer, Schema } from "effect"
 * import * as Aggregate from "varve/Aggregate"
 * import * as AggregateRuntime from "varve/AggregateRuntime"
 * import * as Event from "varve/Event"
 * import * as Memory from "varve/memory/Memory"
 *
 * class Bells extends Aggregate.Service<Bells>()("Bell", {
 *   state: Schema.Int,
 *   events: Event.union({ BellRung: {} }),
 *   commands: []
 * }) {}
 * const BellsLive = Bells.toLayer({ initial: 0, evolve: { BellRung: (count) => count + 1 }, handlers: {} })
 *
 * const Live = BellsLive.pipe(Layer.provide(AggregateRuntime.layer), Layer.provide(Memory.layer))
 * const state = Effect.flatMap(Bells, (bells) => bells.state("door"))
 * await Effect.runPromise(Effect.provide(state, Live)) // => 0
 * ```
 */
export const layer: Layer.Layer<AggregateHost, never, EventStore | SnapshotStore> = layerWith({})
