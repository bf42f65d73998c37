/**
 * One event at a time: what a paused projection would do next, done, and shown.
 */
import { Effect } from "effect"
import type { Checkpoint } from "../CheckpointStore.ts"
import type { Position, Stored } from "../Event.ts"
import type { StoreUnavailable } from "../EventStore.ts"
import type { OperationRefused, Stepped } from "../Projections.ts"
import type { Applier, Failure } from "./applier.ts"
import { streamName } from "./chain.ts"
import * as Holding from "./holding.ts"
import { isOwnStream } from "./partitions.ts"
import type { Reader, Running } from "./reader.ts"
import { isEvent } from "./routing.ts"

type Refused = StoreUnavailable | OperationRefused

/** Works off the next event of the partition that has one first. */
export const step = Effect.fnUntraced(function*(
  { readers }: Running
): Effect.fn.Return<Stepped | undefined, Refused> {
  let first: Next | undefined
  for (const reader of readers) {
    const next = yield* nextOf(reader)
    if (next !== undefined && (first === undefined || next.stored.position < first.stored.position)) first = next
  }
  return first && (yield* take(first))
})

/** What a partition would do next. */
interface Next {
  readonly reader: Reader
  readonly checkpoint: Checkpoint
  readonly applier: Applier
  readonly stored: Stored
}

const nextOf = Effect.fnUntraced(function*(reader: Reader): Effect.fn.Return<Next | undefined, Refused> {
  const { ledger } = reader.running
  const checkpoint = yield* ledger.get(reader.id)
  if (checkpoint?.paused === undefined) return yield* Holding.refused(reader, "step", "pause it first")
  const applier = reader.makeApplier()
  const stored = yield* find(reader, applier, checkpoint.position)
  return stored && { reader, checkpoint, applier, stored }
})

/** The next event that it wants. */
const find = Effect.fnUntraced(function*(
  reader: Reader,
  { storedTypes }: Applier,
  from: Position
): Effect.fn.Return<Stored | undefined, Refused> {
  const { ports: { events, letters }, target } = reader.running
  const parked = new Set((yield* letters.parked(reader.letterId)).map(({ stream }) => streamName(stream)))
  const isWanted = (stored: Stored) =>
    isEvent(stored) && !parked.has(streamName(stored)) &&
    (target._tag === "View" || isOwnStream(reader.share, stored))
  for (let after = from;;) {
    const page = yield* Effect.catchTag(events.readAll({ after, filter: { types: storedTypes } }), "LogGap", Effect.die)
    const found = page.events.find(isWanted)
    if (found !== undefined || page.position <= after) return found
    after = page.position
  }
})

const take = Effect.fnUntraced(
  function*({ applier, checkpoint, reader, stored }: Next): Effect.fn.Return<Stepped, Refused> {
    const { letters } = reader.running.ports
    const { category, id, position, tenant, type, version } = stored
    let changes: Stepped["changes"] = []
    const deed: Holding.Plan<Failure | undefined> = (now) =>
      now.position === checkpoint.position
        ? Effect.map(applier.apply([stored]), ({ failure, work }) => {
          if (failure !== undefined) return { value: failure, to: now.position, work }
          changes = applier.touched()
          // What it was paused at is done: a letter that stayed would be taken for one of an event that was skipped.
          return { value: failure, to: position, work: Effect.andThen(work, letters.remove(reader.letterId, position)) }
        })
        : Effect.fail(Holding.refused(reader, "step", "somebody else has moved it"))
    const failure = yield* Effect.catchTag(
      Holding.alone(reader, Holding.hold(reader, "step", deed)),
      "Unfit",
      ({ error }) => Effect.succeed<Failure>({ reason: "HandlerFailed", error })
    )
    if (failure === undefined) {
      applier.keep()
    }
    return {
      partition: reader.id.partition,
      position,
      stream: { tenant, category, id },
      version,
      type,
      changes: failure === undefined ? changes : [],
      failure
    }
  }
)
