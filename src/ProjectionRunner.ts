/**
 * Projections in this process: one supervised fiber for each of their partitions, which follows the log, applies it page
 * by page and sets a checkpoint with each. Any number of processes may run the same projections on the same store: a
 * lease keeps all but one from working, and the checkpoint's revision keeps what they do exactly once.
 */
import { Clock, Context, Duration, Effect, Fiber, Layer, Option, Tracer } from "effect"
import { SecureRandom } from "effect/crypto"
import { CheckpointStore } from "./CheckpointStore.ts"
import { DeadLetters } from "./DeadLetters.ts"
import { EventStore } from "./EventStore.ts"
import { InlineViews } from "./InlineViews.ts"
import * as Attention from "./internal/attention.ts"
import * as Chain from "./internal/chain.ts"
import { settingOf } from "./internal/elapsed.ts"
import * as HandBack from "./internal/handBack.ts"
import { isInlineNow, keptOf } from "./internal/handover.ts"
import * as Listeners from "./internal/listeners.ts"
import * as LiveVersions from "./internal/liveVersions.ts"
import { idle, type Ports, type Reader, type Running } from "./internal/reader.ts"
import * as Reports from "./internal/reports.ts"
import * as Projecting from "./internal/running.ts"
import { step } from "./internal/stepping.ts"
import * as Tenure from "./internal/tenure.ts"
import * as Upkeep from "./internal/upkeep.ts"
import { until } from "./internal/waits.ts"
import { type WatchedReaders, WatchReaders } from "./internal/work.ts"
import { Lease } from "./Lease.ts"
import { type Definition, type Hosted, ProjectionHost, StoresDiffer, type Target } from "./ProjectionHost.ts"
import { Projections, ProjectionUnknown } from "./Projections.ts"

/** What a runner works with. */
export type Stores = EventStore | CheckpointStore | DeadLetters | Lease

/** How a runner treats all its projections. */
export interface Options {
  /**
   * How long a crashed runner keeps others waiting, since nobody knows that it has crashed; 10 seconds unless given. It
   * is prolonged three times as often. What is done is done once in any case.
   */
  readonly lease?: Duration.Input | undefined
}

const make = Effect.fnUntraced(
  function*({ isIdle = false, lease = "10 seconds" }: Options & { readonly isIdle?: boolean }) {
    const ports: Ports = {
      events: yield* EventStore,
      checkpoints: yield* CheckpointStore,
      letters: yield* DeadLetters,
      leases: yield* Lease,
      inline: Option.getOrUndefined(yield* Effect.serviceOption(InlineViews)),
      clock: yield* Clock.Clock,
      leaseMillis: Math.ceil(Duration.toMillis(settingOf("lease", lease))),
      holder: SecureRandom.uuidV7Unsafe()
    }
    const context = yield* Effect.context<never>()
    const watchReaders = yield* WatchReaders
    const all = new Map<string, Running>()

    const register: ProjectionHost["Service"]["register"] = Effect.fnUntraced(function*(projection) {
      const { definition, target } = projection
      yield* refuse(all, ports, definition, target)
      const projecting = Projecting.make({ ...projection, context, ports })
      const { running } = projecting
      all.set(definition.name, running)
      watchReaders(watched(running, () => all.get(definition.name) !== running))
      const leased = target._tag !== "Fold"
      const serve = (reader: Reader) =>
        Effect.forkDetach(Effect.updateContext(Tenure.serve(reader, leased), withoutSpan))
      const close = Effect.sync(() => {
        running.telemetry.close()
        all.delete(definition.name)
      })
      // Where nothing is to be caught up with it is inline from the first command on. If not, its reader sees to it.
      const kept = keptOf(running)
      if (!isIdle && kept !== undefined) yield* Effect.ignore(Effect.andThen(running.prepared, kept.enter))
      if (!isIdle) yield* beginNow(running)
      yield* Effect.acquireRelease(
        Effect.forEach(isIdle ? [] : running.readers, serve),
        (fibers) => Effect.ensuring(drain(running, fibers), close)
      )
      return hosted(projecting)
    })
    const awaitedOf = (definition: Definition) => {
      const { checkpoints, leases } = ports
      const isInline = (version: number) =>
        definition.kind === "view" ? isInlineNow(ports, { name: definition.name, version }) : Effect.succeed(false)
      return { definition, running: all.get(definition.name), live: undefined, checkpoints, leases, isInline }
    }
    const awaited: ProjectionHost["Service"]["await"] = (definition, position, { deadline }) =>
      until(awaitedOf(definition), position, deadline)
    const awaitShown: ProjectionHost["Service"]["awaitShown"] = (definition, position, { deadline }) => {
      const awaited = awaitedOf(definition)
      return until({ ...awaited, live: awaited.running?.live }, position, deadline)
    }
    return Context.make(ProjectionHost, ProjectionHost.of({ register, await: awaited, awaitShown })).pipe(
      Context.add(Projections, operations(all, ports, awaited))
    )
  }
)

/** What may be asked of the projections that are run here. */
const operations = (
  all: ReadonlyMap<string, Running>,
  { letters }: Ports,
  awaited: ProjectionHost["Service"]["await"]
): Projections["Service"] => {
  const known = (name: string) =>
    Effect.suspend(() => {
      const running = all.get(name)
      return running === undefined
        ? Effect.fail(new ProjectionUnknown({ projection: name, known: [...all.keys()].toSorted() }))
        : Effect.succeed(running)
    })
  const of = <A, E>(name: string, act: (running: Running) => Effect.Effect<A, E>) => Effect.flatMap(known(name), act)
  return Projections.of({
    status: (name) =>
      name === undefined
        ? Effect.forEach([...all.values()].toSorted(byName), Reports.report)
        : of(name, (running) => Effect.map(Reports.report(running), (report) => [report])),
    await: (name, position, options) => of(name, ({ definition }) => awaited(definition, position, options)),
    pause: (name, { reason } = {}) => of(name, (running) => Upkeep.pause(running, reason)),
    resume: (name) => of(name, Upkeep.resume),
    reset: (name) => of(name, Upkeep.reset),
    accept: (name) => of(name, Upkeep.accept),
    step: (name) => of(name, step),
    deadLetters: (name, options) => of(name, (running) => HandBack.list(running, options)),
    parked: (name) =>
      of(
        name,
        ({ readers }) =>
          Effect.map(Effect.forEach(readers, ({ letterId }) => letters.parked(letterId)), (all) =>
            all.flat().toSorted((a, b) => Number(a.fromPosition - b.fromPosition)))
      ),
    retry: (name, position) => of(name, (running) => HandBack.settleAll(running, position, "retry")),
    discard: (name, position) => of(name, (running) => HandBack.settleAll(running, position, "discard")),
    rollback: (name, to, { deadline }) => of(name, (running) => Upkeep.rollback(running, to, deadline)),
    unpin: (name) => of(name, Upkeep.unpin),
    drop: (name, version) => of(name, (running) => Upkeep.drop(running, version))
  })
}

const byName = (a: Running, b: Running): number => a.definition.name < b.definition.name ? -1 : 1

/** What a test waits for. */
const watched = (running: Running, isClosed: () => boolean): WatchedReaders => {
  const { ports, progress, readers } = running
  const isInline = Effect.orElseSucceed(keptOf(running)?.isInline ?? Effect.succeed(false), () => false)
  return {
    underWay: Effect.zipWith(
      Effect.orElseSucceed(ports.events.head, () => 0n),
      isInline,
      (head, isInline) =>
        readers.filter(({ busy, position, state }) =>
          state === "retrying" || (state === "inline" && !isInline) ||
          (state === "running" && (busy || position < head))
        ).length
    ),
    changed: (after) => Attention.after(progress, after),
    changes: () => progress.calls,
    isClosed
  }
}

/**
 * Where "now" is, is said when the Layer is built: what comes from then on is not left out, whoever has the lease. Where
 * no store answers, its reader says so later.
 */
const beginNow = (running: Running): Effect.Effect<void> => {
  const { ports: { events }, target } = running
  if (target._tag !== "Effect" || target.from !== "now") return Effect.void
  const begun = Effect.flatMap(events.epoch, (epoch) => Chain.ensure(running, epoch))
  return Effect.asVoid(Effect.exit(Effect.timeout(begun, "5 seconds")))
}

/** The span under which a Layer is built has ended long before events come. */
const withoutSpan = (context: Context.Context<never>): Context.Context<never> =>
  Context.omit(Tracer.ParentSpan)(context)

/** What cannot run is a mistake in the program, which should not start. */
const refuse = (
  all: ReadonlyMap<string, Running>,
  { checkpoints, letters }: Ports,
  { name }: Definition,
  target: Target
): Effect.Effect<void> => {
  if (all.has(name)) return Effect.die(new TypeError(`The projection "${name}" is already registered.`))
  const others = { letters, ...("store" in target ? { documents: target.store } : {}) }
  for (const [other, { storeId }] of Object.entries(others)) {
    if (target._tag === "Fold" || storeId === checkpoints.storeId) continue
    return Effect.die(new StoresDiffer({ projection: name, checkpoints: checkpoints.storeId, other, storeId }))
  }
  return Effect.void
}

const hosted = ({ folded, listeners, running: { live, prepared } }: Projecting.Projecting): Hosted => ({
  prepared,
  live: live === undefined ? Effect.succeed(undefined) : LiveVersions.current(live),
  changes: Listeners.listen(listeners),
  folded: Effect.sync(() => ({ ...folded }))
})

/** Begins nothing more, waits for what is being worked off as long as the deadline allows, and ends the rest. */
const drain = Effect.fnUntraced(function*(
  { definition: { name }, progress, readers, settings: { drainDeadline } }: Running,
  fibers: ReadonlyArray<Fiber.Fiber<unknown>>
) {
  for (const reader of readers) reader.closing = true
  const drained = yield* Effect.timeoutOption(idle(readers, progress), drainDeadline)
  if (drained._tag === "None") {
    yield* Effect.logWarning(`"${name}" did not drain in time; what is under way is interrupted`)
  }
  for (const fiber of fibers) fiber.interruptUnsafe()
  const ended = yield* Effect.timeoutOption(Fiber.awaitAll(fibers), interruptedWithin)
  if (ended._tag === "None") yield* Effect.logWarning(`What "${name}" does cannot be interrupted; it is left behind`)
})

/** Its lease is given back in that time, too. */
const interruptedWithin = "2 seconds"

/**
 * A runner with options: provide it to the Layers of projections, and a store to it. When its scope closes, what is being
 * worked off is finished, and the rest is left to the next one.
 *
 * @example
 * ```ts
 * import { Effect, Layer, Schema } from "effect"
 * import * as Event from "varve/Event"
 * import * as Memory from "varve/memory/Memory"
 * import * as Projection from "varve/Projection"
 * import * as ProjectionRunner from "varve/ProjectionRunner"
 *
 * const BellEvent = Event.union({ BellRung: {} })
 * class Bells extends Projection.View<Bells>()("bells", {
 *   version: 1,
 *   document: Schema.Struct({ rings: Schema.Int })
 * }) {}
 * const BellsLive = Bells.toLayer((on) => [
 *   on(BellEvent, { BellRung: (bell) => ({ rings: (bell?.rings ?? 0) + 1 }) })
 * ])
 *
 * // Whoever crashes keeps the next one waiting for 2 seconds at most.
 * const Live = BellsLive.pipe(Layer.provide(ProjectionRunner.layerWith({ lease: "2 seconds" })), Layer.provide(Memory.layer))
 * const count = Effect.flatMap(Bells, (bells) => bells.count())
 * await Effect.runPromise(Effect.provide(count, Live)) // => 0
 * ```
 */
export const layerWith = (options: Options): Layer.Layer<ProjectionHost | Projections, never, Stores> =>
  Layer.effectContext(make(options))

/**
 * A runner: provide it to the Layers of projections, and a store to it. When its scope closes, what is being worked off is
 * finished, and the rest is left to the next one.
 *
 * @example
 * ```ts
 * import { Effect, Layer, Schema } from "effect"
 * import * as Event from "varve/Event"
 * import * as Memory from "varve/memory/Memory"
 * import * as Projection from "varve/Projection"
 * import * as ProjectionRunner from "varve/ProjectionRunner"
 * import { Projections } from "varve/Projections"
 *
 * const BellEvent = Event.union({ BellRung: {} })
 * class Rings extends Projection.Fold<Rings, number>()("rings") {}
 * const RingsLive = Rings.toLayer({ initial: () => 0, sources: (on) => [on(BellEvent, { BellRung: (sum) => sum + 1 })] })
 *
 * const Live = RingsLive.pipe(Layer.provideMerge(ProjectionRunner.layer), Layer.provide(Memory.layer))
 * const names = Effect.flatMap(Projections, ({ status }) => Effect.map(status(), (all) => all.map(({ name }) => name)))
 * await Effect.runPromise(Effect.provide(names, Live)) // => ["rings"]
 * ```
 */
export const layer: Layer.Layer<ProjectionHost | Projections, never, Stores> = layerWith({})

/**
 * A runner that runs nothing: for tools that look after projections which workers run elsewhere, or nobody does. What is
 * done by hand is done in the store.
 *
 * @example
 * ```ts
 * import { Effect, Layer, Schema } from "effect"
 * import * as Event from "varve/Event"
 * import * as Memory from "varve/memory/Memory"
 * import * as Projection from "varve/Projection"
 * import * as ProjectionRunner from "varve/ProjectionRunner"
 * import { Projections } from "varve/Projections"
 *
 * const BellEvent = Event.union({ BellRung: {} })
 * class Bells extends Projection.View<Bells>()("bells", {
 *   version: 1,
 *   document: Schema.Struct({ rings: Schema.Int })
 * }) {}
 * const BellsLive = Bells.toLayer((on) => [
 *   on(BellEvent, { BellRung: (bell) => ({ rings: (bell?.rings ?? 0) + 1 }) })
 * ])
 *
 * const Tools = BellsLive.pipe(Layer.provideMerge(ProjectionRunner.layerIdle), Layer.provide(Memory.layer))
 * const holding = Effect.gen(function*() {
 *   const { pause, status } = yield* Projections
 *   yield* pause("bells", { reason: "a bell is being cast" })
 *   return (yield* status()).map(({ state, why }) => `${state}: ${why}`)
 * })
 * await Effect.runPromise(Effect.provide(holding, Tools)) // => ["paused: a bell is being cast"]
 * ```
 */
export const layerIdle: Layer.Layer<ProjectionHost | Projections, never, Stores> = Layer.effectContext(
  make({ isIdle: true })
)
