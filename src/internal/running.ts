/**
 * A projection on a runner, made of its definition: its readers with what they fill, and what is told of it.
 */
import { type Context, Duration, Effect, Semaphore } from "effect"
import type { Position } from "../Event.ts"
import { StoreUnavailable } from "../EventStore.ts"
import type { Change, Definition, Settings, Target } from "../ProjectionHost.ts"
import type { Applier } from "./applier.ts"
import * as Attention from "./attention.ts"
import * as EffectApplier from "./effectApplier.ts"
import { elapsedMillis, settingOf } from "./elapsed.ts"
import * as FoldApplier from "./foldApplier.ts"
import * as Listeners from "./listeners.ts"
import * as LiveVersions from "./liveVersions.ts"
import type { Share } from "./partitions.ts"
import * as ProjectionTelemetry from "./projectionTelemetry.ts"
import { type Fared, type Ports, type Reader, type Resolved, type Running, working } from "./reader.ts"
import { letterName } from "./readerNames.ts"
import * as SqlApplier from "./sqlApplier.ts"
import * as ViewApplier from "./viewApplier.ts"
import * as VolatileLedger from "./volatileLedger.ts"

/** A projection, and what its Layer asks of it. */
export interface Projecting {
  readonly running: Running
  readonly listeners: Listeners.Listeners
  /** Of a fold. */
  readonly folded: FoldApplier.Folded
}

/** What it is made of. */
export interface Parts {
  readonly definition: Definition
  readonly target: Target
  readonly settings: Settings
  readonly ports: Ports
  /** What its handlers may use. */
  readonly services: Context.Context<never>
  /** Where metrics are kept. */
  readonly context: Context.Context<never>
}

export const make = ({ context, definition, ports, services, settings, target: bare }: Parts): Projecting => {
  const target = provided(bare, services)
  const resolved = resolve(settings, definition)
  const listeners: Listeners.Listeners = new Set()
  const folded = { state: target._tag === "Fold" ? target.initial() : undefined, position: 0n }
  const live = "store" in target
    ? LiveVersions.make({ name: definition.name, own: definition.version, store: target.store, clock: ports.clock })
    : undefined
  const readers: Array<Reader> = []
  const running: Running = {
    definition,
    target,
    settings: resolved,
    ports,
    ledger: target._tag === "Fold" ? VolatileLedger.make() : ports.checkpoints,
    live,
    prepared: once(prepare(target, definition.version)),
    telemetry: ProjectionTelemetry.make(definition, context, gauges(readers, ports)),
    readers,
    progress: Attention.make()
  }
  for (let partition = 0; partition < resolved.partitions; partition++) {
    readers.push(reader(running, { partition, partitions: resolved.partitions }, listeners, folded))
  }
  return { running, listeners, folded }
}

const reader = (
  running: Running,
  share: Share,
  listeners: Listeners.Listeners,
  folded: FoldApplier.Folded
): Reader => {
  const { name, version } = running.definition
  const fared: Fared = {
    attention: Attention.make(),
    state: "standby",
    isLeased: false,
    why: undefined,
    position: 0n,
    head: 0n,
    revision: undefined,
    waiting: undefined,
    failures: 0,
    complained: false,
    busy: false,
    closing: false,
    givingWay: false,
    held: false
  }
  const publish = (changes: ReadonlyArray<Change<unknown>>) => Listeners.publish(listeners, name, changes)
  const isWatched = () => listeners.size > 0 && running.live !== undefined && LiveVersions.isShown(running.live)
  const applierOf = (fared: Fared) => applier(running, { share, publish, isWatched, folded, fared })
  return Object.assign(fared, {
    running,
    began: undefined,
    byHand: Semaphore.makeUnsafe(1),
    inlineAfterMillis: 0,
    // What is done beside it is nothing that it waits for.
    makeApplier: () => applierOf({ ...fared }),
    id: { name, version, partition: share.partition },
    letterId: { name: letterName({ name, ...share }, share.partitions), version },
    share,
    applier: applierOf(fared)
  })
}

/** What an applier is made of, beside its projection. */
interface Surroundings {
  readonly share: Share
  readonly publish: (changes: ReadonlyArray<Change<unknown>>) => void
  readonly isWatched: () => boolean
  readonly folded: FoldApplier.Folded
  readonly fared: Fared
}

/** How often effects are given a checkpoint at least, while one follows the other. */
const effectMillis = 100

/** What fills a projection. */
const applier = (
  { definition: { name, version }, ports: { clock }, settings: { cachedDocuments }, target }: Running,
  { fared, folded, isWatched, publish, share }: Surroundings
): Applier => {
  switch (target._tag) {
    case "View":
      return ViewApplier.make({ ...target, share, cachedDocuments, publish, isWatched })
    case "Fold":
      return FoldApplier.make(name, target.sources, target.initial, folded)
    case "Sql":
      return SqlApplier.make(name, target, SqlApplier.contextOf(version), working(fared, clock))
    case "Effect":
      return EffectApplier.make({
        name,
        sources: target.sources,
        working: working(fared, clock),
        isDue: (sinceMillis) => fared.closing || fared.givingWay || sinceMillis >= effectMillis,
        nowMillis: () => elapsedMillis(clock)
      })
  }
}

const prepare = (target: Target, version: number): Effect.Effect<void, StoreUnavailable> => {
  if (target._tag === "View") return target.store.prepare(target.view)
  const { setUp } = target._tag === "Sql" ? target : {}
  if (setUp === undefined) return Effect.void
  return Effect.catchTag(
    SqlApplier.run(Effect.suspend(() => setUp(SqlApplier.contextOf(version)))),
    "Unfit",
    ({ error }) => Effect.fail(new StoreUnavailable({ operation: "setUp", detail: error }))
  )
}

/** Handlers run with the services that their Layer had. */
const provided = (target: Target, services: Context.Context<never>): Target => {
  const provide = <A, E>(effect: Effect.Effect<A, E>) => Effect.provideContext(effect, services)
  switch (target._tag) {
    case "View":
    case "Fold":
      return target
    case "Sql": {
      const { apply, clear, setUp } = target
      return {
        ...target,
        apply: (batch, context) => provide(EffectApplier.suspended(() => apply(batch, context))),
        setUp: setUp && ((context) => provide(EffectApplier.suspended(() => setUp(context)))),
        clear: clear && ((context) => provide(EffectApplier.suspended(() => clear(context))))
      }
    }
    case "Effect":
      return { ...target, sources: target.sources.map((source) => EffectApplier.provided(source, provide)) }
  }
}

/** Does it until it was done. */
const once = <E>(effect: Effect.Effect<void, E>): Effect.Effect<void, E> => {
  let isDone = false
  return Effect.suspend(() => isDone ? Effect.void : Effect.map(effect, () => void (isDone = true)))
}

const resolve = (settings: Settings, { kind, name }: Definition): Resolved => {
  const partitions = count("partitions", settings.partitions ?? 1, 1, 64)
  if (kind === "fold" && (partitions > 1 || settings.onFailure === "quarantine")) {
    throw new RangeError(`"${name}" is a fold: it has one partition, and cannot take a stream back.`)
  }
  return {
    partitions,
    onFailure: oneOf("onFailure", settings.onFailure ?? "pause", ["pause", "skip", "quarantine"]),
    tries: count("tries", settings.tries ?? 3, 1, 1_000),
    pageEvents: count("pageEvents", settings.pageEvents ?? (kind === "effect" ? 100 : 1_000), 1, 1_000),
    cachedDocuments: count("cachedDocuments", settings.cachedDocuments ?? 10_000, 1, Number.MAX_SAFE_INTEGER),
    drainDeadline: Duration.fromInputUnsafe(settingOf("drainDeadline", settings.drainDeadline ?? "10 seconds"))
  }
}

/** Who is not checked by a compiler must not lose events by a misspelling. */
const oneOf = <A extends string>(name: string, value: A, allowed: ReadonlyArray<A>): A => {
  if (allowed.includes(value)) return value
  throw new RangeError(`${name} must be one of ${allowed.join(", ")}, not ${String(value)}.`)
}

/** A setting out of its bounds is a mistake in the program, which should not start with it. */
const count = (name: string, value: number, min: number, max: number): number => {
  if (Number.isSafeInteger(value) && value >= min && value <= max) return value
  throw new RangeError(`${name} must be a whole number from ${min} to ${max}, not ${value}.`)
}

/** What is told of all partitions together: that of the one that is behind most. */
const gauges = (readers: ReadonlyArray<Reader>, { clock }: Ports): ProjectionTelemetry.Gauges => {
  let behindSinceMillis: number | undefined
  const slowest = () => readers.reduce((slow, reader) => reader.position < slow.position ? reader : slow)
  const lag = (): Position =>
    readers.reduce((most, { head, position }) => head - position > most ? head - position : most, 0n)
  return {
    position: () => Number(slowest().position),
    lagEvents: () => Number(lag()),
    lagSeconds: () => {
      if (lag() === 0n) {
        behindSinceMillis = undefined
        return 0
      }
      const nowMillis = elapsedMillis(clock)
      behindSinceMillis ??= nowMillis
      return (nowMillis - behindSinceMillis) / 1_000
    },
    held: () => readers.filter(({ state }) => state === "paused" || state === "stopped").length
  }
}
