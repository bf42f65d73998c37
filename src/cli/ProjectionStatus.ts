/**
 * How projections stand, told by what is kept of them: checkpoints, which version is read, leases, dead letters. No
 * worker is asked, so this tells of projections that nobody runs too.
 */
import { Clock, Effect } from "effect"
import { type Checkpoint, CheckpointStore } from "../CheckpointStore.ts"
import { DeadLetters } from "../DeadLetters.ts"
import type { Position } from "../Event.ts"
import { EventStore, type LogGap, type StoreUnavailable } from "../EventStore.ts"
import { leaseName, letterName } from "../internal/readerNames.ts"
import { Lease } from "../Lease.ts"
import type { Kind } from "../ProjectionHost.ts"
import { type LiveVersion, ViewStore } from "../ViewStore.ts"
import type { Projection } from "./Projections.ts"

/**
 * - `running`: a worker has it
 * - `unattended`: no worker has, or had within the last seconds
 * - `paused`: nobody goes on before somebody says so
 * - `never run`: nothing is kept of it
 * - `in memory`: a fold, of which nothing ever is
 */
export type State = "running" | "unattended" | "paused" | "never run" | "in memory"

/** One version of a projection. */
export interface Status {
  readonly name: string
  /** Undefined for one that the app does not have. */
  readonly kind: Kind | undefined
  readonly version: number
  /** Whether it is the version that is read, was made so by an operator, is to become it, or was. */
  readonly reading: "live" | "pinned" | "filling" | "older" | undefined
  readonly partitions: number
  /** How far it has come: of several partitions, the one that is behind most. */
  readonly position: Position
  /** Where the log ends. */
  readonly head: Position
  readonly lagEvents: bigint
  /** For how long the first event that it has not seen has been in the log. */
  readonly lagSeconds: number
  readonly state: State
  /** Why it is paused. */
  readonly why: string | undefined
  readonly letters: number
  /** How many streams are passed over. */
  readonly parked: number
  /** Events a second, and seconds until it has caught up; of one that is far behind, and moves. */
  readonly rate: number | undefined
  readonly secondsLeft: number | undefined
}

type Failure = StoreUnavailable | LogGap

/** How many events behind is worth to be looked at twice, to tell how fast it is. */
const farBehind = 1_000n

/** Tells of all projections of an app, and of what else has a checkpoint; or of one by its name. */
export const gather = Effect.fnUntraced(function*(projections: ReadonlyArray<Projection>, name?: string) {
  const first = yield* look(projections, name)
  if (!first.some(({ lagEvents, state }) => state === "running" && lagEvents > farBehind)) return first
  const pause = 1
  yield* Effect.sleep(`${pause} seconds`)
  const second = yield* look(projections, name)
  return second.map((status) => {
    const before = first.find(({ name, version }) => name === status.name && version === status.version)
    const rate = before === undefined ? 0 : Number(status.position - before.position) / pause
    return rate <= 0 ? status : { ...status, rate, secondsLeft: Number(status.lagEvents) / rate }
  })
})

const look = Effect.fnUntraced(function*(projections: ReadonlyArray<Projection>, name?: string) {
  const { list } = yield* CheckpointStore
  const { list: leases } = yield* Lease
  const { head } = yield* EventStore
  const checkpoints = yield* list(name)
  const held = new Set((yield* leases).map(({ name }) => name))
  const seen: Seen = { checkpoints, held, head: yield* head }
  const known = projections.filter(({ definition }) => name === undefined || definition.name === name)
  const names = new Set([...known.map(({ definition }) => definition.name), ...checkpoints.map(({ name }) => name)])
  const all = yield* Effect.forEach([...names].sort(), (each) =>
    versions(each, known.find(({ definition }) => definition.name === each), seen))
  return all.flat()
})

/** What the store tells of all of them. */
interface Seen {
  readonly checkpoints: ReadonlyArray<Checkpoint>
  readonly held: ReadonlySet<string>
  readonly head: Position
}

const versions = Effect.fnUntraced(function*(name: string, projection: Projection | undefined, seen: Seen) {
  const views = yield* ViewStore
  const own = projection?.definition.version
  const live = hasVersions(projection) ? yield* views.live(name) : undefined
  const kept = seen.checkpoints.filter((checkpoint) => checkpoint.name === name)
  const numbers = new Set([...kept.map(({ version }) => version), ...own === undefined ? [] : [own]])
  return yield* Effect.forEach([...numbers].sort((a, b) => a - b), (version) =>
    status(name, version, kept.filter((checkpoint) => checkpoint.version === version), { projection, live, seen }))
})

const hasVersions = (projection: Projection | undefined): boolean =>
  projection === undefined || projection.definition.kind === "view" || projection.definition.kind === "sql"

const status = Effect.fnUntraced(function*(
  name: string,
  version: number,
  kept: ReadonlyArray<Checkpoint>,
  { live, projection, seen: { head, held } }: {
    readonly projection: Projection | undefined
    readonly live: LiveVersion | undefined
    readonly seen: Seen
  }
): Effect.fn.Return<Status, Failure, EventStore | DeadLetters> {
  const isOwn = projection?.definition.version === version
  const partitions = isOwn ? projection.settings.partitions ?? 1 : kept.length
  const position = lowest(kept, partitions)
  const paused = kept.find(({ paused }) => paused !== undefined)?.paused
  const isHeld = kept.some(({ partition }) => held.has(leaseName({ name, version, partition })))
  const kind = projection?.definition.kind
  return {
    name,
    kind,
    version,
    reading: readingOf(version, live),
    partitions,
    position,
    head,
    lagEvents: head - position,
    lagSeconds: yield* ageOfNext(position, head),
    state: kind === "fold" ? "in memory" : stateOf(kept, paused, isHeld),
    why: paused,
    ...yield* lettersOf(name, version, partitions),
    rate: undefined,
    secondsLeft: undefined
  }
})

/** What a partition has not begun is not there yet. */
const lowest = (kept: ReadonlyArray<Checkpoint>, partitions: number): Position => {
  if (kept.length < Math.max(1, partitions)) return 0n
  return kept.reduce((least, { position }) => (position < least ? position : least), kept[0]!.position)
}

const stateOf = (kept: ReadonlyArray<Checkpoint>, paused: string | undefined, isHeld: boolean): State => {
  if (paused !== undefined) return "paused"
  if (isHeld) return "running"
  return kept.length === 0 ? "never run" : "unattended"
}

const readingOf = (version: number, live: LiveVersion | undefined): Status["reading"] => {
  if (live === undefined) return undefined
  if (version === live.version) return live.pinned ? "pinned" : "live"
  return version > live.version ? "filling" : "older"
}

const ageOfNext = Effect.fnUntraced(function*(position: Position, head: Position) {
  if (position >= head) return 0
  const { readAll } = yield* EventStore
  const [next] = (yield* readAll({ after: position, limit: 1 })).events
  const millis = (yield* Clock.currentTimeMillis) - (next?.recordedAtMillis ?? Number.POSITIVE_INFINITY)
  return Math.max(0, millis) / 1_000
})

const lettersOf = Effect.fnUntraced(function*(name: string, version: number, partitions: number) {
  const { count, parked } = yield* DeadLetters
  const sums = { letters: 0, parked: 0 }
  for (let partition = 0; partition < partitions; partition++) {
    const reader = { name: letterName({ name, partition }, partitions), version }
    sums.letters += yield* count(reader)
    sums.parked += (yield* parked(reader)).length
  }
  return sums
})

/** As a machine may read it. */
export const toJson = ({ head, lagEvents, position, ...status }: Status) => ({
  ...status,
  position: String(position),
  head: String(head),
  lagEvents: String(lagEvents)
})
