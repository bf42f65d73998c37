/**
 * A projection on a runner, made of its definition: its readers with what they fill, and what is told of it.
 */
import { type Context, Duration, Effect } from "effect"
import type { Position } from "../Event.ts"
import type { StoreUnavailable } from "../EventStore.ts"
import type { Definition, Settings, Target } from "../ProjectionHost.ts"
import type { Applier } from "./applier.ts"
import * as Attention from "./attention.ts"
import { elapsedMillis, settingOf } from "./elapsed.ts"
import * as FoldApplier from "./foldApplier.ts"
import * as Listeners from "./listeners.ts"
import * as LiveVersions from "./liveVersions.ts"
import type { Share } from "./partitions.ts"
import * as ProjectionTelemetry from "./projectionTelemetry.ts"
import type { Ports, Reader, Resolved, Running } from "./reader.ts"
import { letterName } from "./readerNames.ts"
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
  /** Where metrics are kept. */
  readonly context: Context.Context<never>
}

export const make = ({ context, definition, ports, settings, target }: Parts): Projecting => {
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
    prepared: once(prepare(target)),
    telemetry: ProjectionTelemetry.make(definition, context, gauges(readers, ports)),
    readers,
    progress: Attention.make()
  }
  for (let partition = 0; partition < resolved.partitions; partition++) {
    const share = { partition, partitions: resolved.partitions }
    readers.push(reader(running, share, applier(running, share, listeners, folded)))
  }
  return { running, listeners, folded }
}

const reader = (running: Running, share: Share, applier: Applier): Reader => {
  const { name, version } = running.definition
  return {
    running,
    id: { name, version, partition: share.partition },
    letterId: { name: letterName({ name, partition: share.partition }, share.partitions), version },
    share,
    applier,
    attention: Attention.make(),
    state: "standby",
    why: undefined,
    position: 0n,
    head: 0n,
    revision: undefined,
    waiting: undefined,
    failures: 0,
    busy: false,
    closing: false
  }
}

const applier = (
  { definition: { name }, live, settings: { cachedDocuments }, target }: Running,
  share: Share,
  listeners: Listeners.Listeners,
  folded: FoldApplier.Folded
): Applier => {
  switch (target._tag) {
    case "View":
      return ViewApplier.make({
        ...target,
        share,
        cachedDocuments,
        publish: (changes) => Listeners.publish(listeners, name, changes),
        isWatched: () => listeners.size > 0 && live !== undefined && LiveVersions.isShown(live)
      })
    case "Fold":
      return FoldApplier.make(name, target.sources, target.initial, folded)
    case "Effect":
    case "Sql":
      throw new Error("not yet")
  }
}

const prepare = (target: Target): Effect.Effect<void, StoreUnavailable> =>
  target._tag === "View" ? target.store.prepare(target.view) : Effect.void

/** Does it until it was done. */
const once = <E>(effect: Effect.Effect<void, E>): Effect.Effect<void, E> => {
  let isDone = false
  return Effect.suspend(() => isDone ? Effect.void : Effect.map(effect, () => void (isDone = true)))
}

const resolve = (settings: Settings, { kind, name }: Definition): Resolved => {
  const partitions = count("partitions", settings.partitions ?? 1, 1, 64)
  if (kind === "fold" && partitions > 1) throw new RangeError(`"${name}" is a fold, which has one partition.`)
  return {
    partitions,
    onFailure: settings.onFailure ?? "pause",
    tries: count("tries", settings.tries ?? 3, 1, 1_000),
    pageEvents: count("pageEvents", settings.pageEvents ?? (kind === "effect" ? 100 : 1_000), 1, 1_000),
    cachedDocuments: count("cachedDocuments", settings.cachedDocuments ?? 10_000, 1, Number.MAX_SAFE_INTEGER),
    drainDeadline: Duration.fromInputUnsafe(settingOf("drainDeadline", settings.drainDeadline ?? "10 seconds"))
  }
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
  const lag = (): Position => readers.reduce((most, { head, position }) => head - position > most ? head - position : most, 0n)
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
