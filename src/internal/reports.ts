/**
 * How a projection fares, put together from what its readers know and what is kept of those who are run elsewhere.
 */
import { Clock, Effect } from "effect"
import type { Checkpoint } from "../CheckpointStore.ts"
import type { Position } from "../Event.ts"
import type { StoreUnavailable } from "../EventStore.ts"
import type { PartitionStatus, ProjectionState, ProjectionStatus, Rebuild } from "../Projections.ts"
import { refuseStrange } from "./chain.ts"
import { elapsedMillis } from "./elapsed.ts"
import { keptOf } from "./handover.ts"
import * as LiveVersions from "./liveVersions.ts"
import type { Reader, Running } from "./reader.ts"

export const report = Effect.fnUntraced(function*(
  running: Running
): Effect.fn.Return<ProjectionStatus, StoreUnavailable> {
  const { definition: { kind, name, version }, ledger, live, ports, readers } = running
  const checkpoints = yield* ledger.list(name)
  const own = checkpoints.filter((checkpoint) => checkpoint.version === version)
  // It is asked after them, so none is beyond it that should not be.
  const head = yield* ports.events.head
  const strange = yield* strangeIn(running, own, head)
  const isInline = yield* keptOf(running)?.isInline ?? Effect.succeed(false)
  const ended = isInline ? undefined : yield* endOf(running)
  const partitions = readers.map((reader) =>
    isInline ? inlineAt(reader, head) : endedAt(partitionOf(reader, own, strange), ended)
  )
  const worst = partitions.reduce((worst, partition) => rank(partition) > rank(worst) ? partition : worst)
  const position = least(partitions)
  const shown = live && (yield* LiveVersions.refresh(live))
  return {
    name,
    kind,
    version,
    live: shown,
    state: worst.state,
    why: worst.why,
    position,
    head,
    lagEvents: head > position ? head - position : 0n,
    lagSeconds: yield* lagSeconds(running, position, head),
    partitions,
    letters: yield* sum(readers, ({ letterId }) => ports.letters.count(letterId)),
    parked: yield* sum(readers, ({ letterId }) => Effect.map(ports.letters.parked(letterId), ({ length }) => length)),
    rebuild: live !== undefined && LiveVersions.isNew(live) ? rebuild(running, position, head) : undefined,
    versions: versionsOf(
      checkpoints.map((each) => each.version === version && (isInline || ended) ? { ...each, position } : each)
    )
  }
})

/** What a reader knows; of one who stands by, what the checkpoint says. */
const partitionOf = (
  { id: { partition }, position, state, why }: Reader,
  checkpoints: ReadonlyArray<Checkpoint>,
  strange: ReadonlyMap<number, string>
): PartitionStatus => {
  const checkpoint = checkpoints.find((checkpoint) => checkpoint.partition === partition)
  if (checkpoint?.paused !== undefined) {
    return { partition, position: checkpoint.position, state: "paused", why: checkpoint.paused }
  }
  if (state !== "standby") return { partition, position, state, why }
  const refusal = strange.get(partition)
  return { partition, position: checkpoint?.position ?? 0n, state: refusal ? "stopped" : state, why: refusal ?? why }
}

/** Which partitions nobody goes on with, wherever he is, because they have read another log; and what he says of it. */
const strangeIn = Effect.fnUntraced(function*(
  running: Running,
  checkpoints: ReadonlyArray<Checkpoint>,
  head: Position
): Effect.fn.Return<ReadonlyMap<number, string>, StoreUnavailable> {
  const epoch = yield* running.ports.events.epoch
  const refusals = new Map<number, string>()
  for (const checkpoint of checkpoints) {
    yield* Effect.catch(
      refuseStrange(running, checkpoint, epoch, head),
      ({ message }) => Effect.sync(() => refusals.set(checkpoint.partition, message))
    )
  }
  return refusals
})

/** Whoever reads it, its checkpoint is where it became inline. */
const inlineAt = ({ id: { partition } }: Reader, head: Position): PartitionStatus => ({
  partition,
  position: head,
  state: "inline",
  why: undefined
})

/** Where the view has ended to be inline, if its reader has not been told yet. */
const endOf = Effect.fnUntraced(function*(
  running: Running
): Effect.fn.Return<Position | undefined, StoreUnavailable> {
  const { definition: { name, version }, ports: { inline } } = running
  if (inline === undefined || keptOf(running) === undefined) return undefined
  return (yield* inline.ended).find((view) => view.name === name && view.version === version)?.position
})

/** Up to there appends have taken its events in; its checkpoint is where it became inline. */
const endedAt = (partition: PartitionStatus, ended: Position | undefined): PartitionStatus =>
  ended === undefined || ended < partition.position || partition.state !== "standby" ? partition : {
    ...partition,
    position: ended,
    why: `it was inline up to position ${ended}, and then somebody appended its events who does not run it`
  }

const ranks: { readonly [State in ProjectionState]: number } = {
  inline: 0,
  running: 0,
  standby: 1,
  retrying: 2,
  paused: 3,
  stopped: 4
}

const rank = ({ state }: PartitionStatus): number => ranks[state]

const least = (partitions: ReadonlyArray<{ readonly position: Position }>): Position =>
  partitions.reduce((least, { position }) => position < least ? position : least, partitions[0]?.position ?? 0n)

const sum = <E>(readers: ReadonlyArray<Reader>, of: (reader: Reader) => Effect.Effect<number, E>) =>
  Effect.map(Effect.forEach(readers, of), (counts) => counts.reduce((sum, count) => sum + count, 0))

/** How old the first event is that it has not looked at. */
const lagSeconds = Effect.fnUntraced(function*({ ports: { events } }: Running, position: Position, head: Position) {
  if (position >= head) return 0
  // A log with a hole there is told by who reads it.
  const page = yield* Effect.catchTag(
    events.readAll({ after: position, limit: 1 }),
    "LogGap",
    () => Effect.succeed({ events: [] })
  )
  const [first] = page.events
  return first === undefined ? 0 : Math.max(0, ((yield* Clock.currentTimeMillis) - first.recordedAtMillis) / 1_000)
})

const rebuild = ({ ports: { clock }, readers }: Running, done: Position, total: Position): Rebuild => {
  const slowest = readers.reduce((slow, reader) => reader.position < slow.position ? reader : slow)
  const seconds = slowest.began === undefined ? 0 : (elapsedMillis(clock) - slowest.began.atMillis) / 1_000
  const perSecond = slowest.began === undefined || seconds <= 0
    ? 0
    : Number(slowest.position - slowest.began.position) / seconds
  const remainingSeconds = perSecond > 0 ? Number(total - done) / perSecond : undefined
  return { done, total, perSecond, remainingSeconds }
}

const versionsOf = (checkpoints: ReadonlyArray<Checkpoint>): ProjectionStatus["versions"] =>
  [...Map.groupBy(checkpoints, ({ version }) => version)]
    .map(([version, partitions]) => ({ version, position: least(partitions) }))
    .toSorted((a, b) => a.version - b.version)
