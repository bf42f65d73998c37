/**
 * A chain: what a reader has found when it began, and each checkpoint that it has set since, one upon the other. As long
 * as nobody else moves the checkpoint, what it remembers is as it is in the store.
 */
import { Effect } from "effect"
import type { Checkpoint, CheckpointId, CheckpointMoved } from "../CheckpointStore.ts"
import type { Position, StreamId } from "../Event.ts"
import type { StoreUnavailable } from "../EventStore.ts"
import { LogRewound, PartitionsChanged, StoreRestored } from "../ProjectionHost.ts"
import { elapsedMillis } from "./elapsed.ts"
import * as LiveVersions from "./liveVersions.ts"
import { Paused, reach, type Reader, type Running } from "./reader.ts"

export interface Chain {
  readonly reader: Reader
  readonly epoch: string
  revision: number
  /** Of the checkpoint. */
  position: Position
  /** Everything up to here is done, or was not wanted; some of the latter may not be in the checkpoint yet. */
  seen: Position
  /** When the checkpoint was set last. */
  setAtMillis: number
  /** Streams that are passed over, and from where on. */
  readonly parked: Map<string, Position>
  /** Where the log ended when this reader came to its end, and when that was; undefined while it is behind. */
  mark: Mark | undefined
  /** Where there are letters of events that are still to come: once an event is done, its letter goes. */
  readonly letters: Set<Position>
}

interface Mark {
  readonly position: Position
  readonly atMillis: number
}

/** What makes a reader begin anew, or wait for somebody. */
export type Obstacle = StoreUnavailable | CheckpointMoved | Paused | StoreRestored | LogRewound | PartitionsChanged

/** Begins a chain at the checkpoint as it is, or makes the first one. */
export const begin = Effect.fnUntraced(function*(reader: Reader): Effect.fn.Return<Chain, Obstacle> {
  const { clock, events, letters } = reader.running.ports
  const epoch = yield* events.epoch
  const checkpoint = yield* own(reader, epoch)
  const head = yield* events.head
  reach(reader, checkpoint.position)
  reader.head = head
  if (checkpoint.paused !== undefined) return yield* new Paused({ reason: checkpoint.paused })
  yield* refuseStrange(reader.running, checkpoint, epoch, head)
  const parked = yield* letters.parked(reader.letterId)
  const pending = yield* letters.list({
    reader: reader.letterId,
    after: { position: checkpoint.position, reader: reader.letterId },
    limit: 1_000
  })
  reader.applier.begin(checkpoint.position)
  reader.revision = checkpoint.revision
  reader.began = { position: checkpoint.position, atMillis: elapsedMillis(clock) }
  return {
    reader,
    epoch,
    revision: checkpoint.revision,
    position: checkpoint.position,
    seen: checkpoint.position,
    setAtMillis: elapsedMillis(clock),
    mark: undefined,
    parked: new Map(parked.map(({ fromPosition, stream }) => [streamName(stream), fromPosition])),
    letters: new Set(pending.map(({ position }) => position))
  }
})

/** A name of a stream by itself: no part of it holds a NUL. */
export const streamName = ({ category, id, tenant }: StreamId): string => `${tenant}\0${category}\0${id}`

/** The checkpoint of a reader. */
const own = Effect.fnUntraced(function*(reader: Reader, epoch: string): Effect.fn.Return<Checkpoint, Obstacle> {
  const { definition: { name }, settings: { partitions } } = reader.running
  const all = yield* ensure(reader.running, epoch)
  const found = all.find(({ partition }) => partition === reader.id.partition)
  if (found !== undefined && all.length === partitions) return found
  return yield* new PartitionsChanged({ projection: name, before: all.length, now: partitions })
})

/** The checkpoints of its version. The first who comes makes those of all partitions, so that their number is known. */
export const ensure = Effect.fnUntraced(function*(
  running: Running,
  epoch: string
): Effect.fn.Return<ReadonlyArray<Checkpoint>, StoreUnavailable | CheckpointMoved> {
  const { definition: { name, version }, ledger, settings: { partitions } } = running
  const all = (yield* ledger.list(name)).filter((checkpoint) => checkpoint.version === version)
  if (all.length > 0) return all
  const to = yield* origin(running)
  const ids = Array.from({ length: partitions }, (_, partition) => ({ name, version, partition }))
  return yield* ledger.transaction(
    Effect.forEach(
      ids,
      (id) => Effect.map(ledger.advance({ id, revision: 0, to, epoch }, Effect.void), ({ checkpoint }) => checkpoint)
    )
  )
})

/** Where a projection begins that has never been anywhere. */
const origin = ({ ports: { events }, target }: Running): Effect.Effect<Position, StoreUnavailable> =>
  target._tag === "Effect" && target.from === "now" ? events.head : Effect.succeed(0n)

/** What was read must be what is there. */
export const refuseStrange = (
  { definition: { name: projection } }: Running,
  checkpoint: Checkpoint,
  epoch: string,
  head: Position
): Effect.Effect<void, StoreRestored | LogRewound> => {
  if (checkpoint.epoch !== epoch) {
    return Effect.fail(new StoreRestored({ projection, checkpointEpoch: checkpoint.epoch, epoch }))
  }
  return checkpoint.position <= head
    ? Effect.void
    : Effect.fail(new LogRewound({ projection, position: checkpoint.position, head }))
}

/** Does work, and takes away the letters of what is done with it. */
export const settling = <E>(
  { letters, reader: { letterId, running: { ports } } }: Chain,
  to: Position,
  work: Effect.Effect<void, E>
): Effect.Effect<void, E | StoreUnavailable> => {
  const done = [...letters].filter((position) => position <= to)
  return Effect.andThen(
    work,
    Effect.forEach(done, (position) => ports.letters.remove(letterId, position), { discard: true })
  )
}

/** Sets the next checkpoint, with what goes with it, or neither. */
export const advance = <E>(
  chain: Chain,
  to: Position,
  head: Position,
  work: Effect.Effect<void, E>
): Effect.Effect<void, E | StoreUnavailable | CheckpointMoved> =>
  Effect.suspend(() => {
    const { epoch, reader, revision } = chain
    const { ledger, live, ports } = reader.running
    const mark = markOf(chain, to, head)
    const flips = live !== undefined && mark !== undefined && LiveVersions.isNew(live)
    const all = Effect.andThen(
      settling(chain, to, work),
      flips ? flip(reader, live, mark) : Effect.succeed(undefined)
    )
    // Whoever watches the checkpoint must not take our own step for another's.
    reader.revision = undefined
    return Effect.map(ledger.advance({ id: reader.id, revision, to, epoch }, all), ({ checkpoint, value }) => {
      chain.revision = reader.revision = checkpoint.revision
      chain.position = to
      if (to > chain.seen) chain.seen = to
      chain.setAtMillis = elapsedMillis(ports.clock)
      for (const position of chain.letters) if (position <= to) chain.letters.delete(position)
      chain.mark = mark
      if (flips && value !== undefined) LiveVersions.settle(live, value)
      reader.failures = 0
    })
  })

/** How long it counts where the log ended. */
const markMillis = 5_000

/**
 * While the log grows, the others are never all at its very end: they are to come as far as it went when this reader came
 * there. But who has not done so for a while lacks what has come since, up to where this reader is.
 */
const markOf = ({ mark, position, reader }: Chain, to: Position, head: Position): Mark | undefined => {
  if (to < head) return undefined
  const nowMillis = elapsedMillis(reader.running.ports.clock)
  if (mark === undefined) return { position: head, atMillis: nowMillis }
  return nowMillis - mark.atMillis < markMillis ? mark : { position, atMillis: nowMillis }
}

/** The new version takes over once all its partitions have come to the end of the log. */
const flip = (reader: Reader, live: LiveVersions.LiveVersions, { position }: Mark) =>
  Effect.flatMap(
    isLast(reader, position),
    (isLast) => isLast ? LiveVersions.flip(live) : Effect.succeed(undefined)
  )

/** Whether all other partitions have come so far, and nothing is in their way. */
export const isLast = ({ id, running }: Reader, position: Position): Effect.Effect<boolean, StoreUnavailable> => {
  const { ledger, settings: { partitions } } = running
  if (partitions === 1) return Effect.succeed(true)
  return Effect.map(ledger.list(id.name), (all) => {
    const others = all.filter(({ partition, version }) => version === id.version && partition !== id.partition)
    return others.length === partitions - 1 &&
      others.every((other) => other.paused === undefined && other.position >= position)
  })
}

/** Nobody goes on before an operator says so; `letter` is kept with it. */
export const pause = (
  chain: Chain,
  id: CheckpointId,
  to: Position,
  reason: string,
  letter: Effect.Effect<void, StoreUnavailable>
): Effect.Effect<never, Obstacle> => {
  const { epoch, reader: { running: { ledger } }, revision } = chain
  const paused = ledger.transaction(
    Effect.andThen(ledger.advance({ id, revision, to, epoch }, letter), ledger.pause(id, reason, epoch))
  )
  return Effect.flatMap(paused, () => Effect.fail(new Paused({ reason })))
}
