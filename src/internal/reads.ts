/**
 * Reading an aggregate: its state now or then, its history, whether it exists.
 */
import { Context, Effect, Option, Result, Stream } from "effect"
import { InputInvalid } from "../Admission.ts"
import {
  type CommandFailed,
  type Consistency,
  type HistoryRange,
  type Point,
  RuntimeStopping,
  type StateAt
} from "../AggregateHost.ts"
import { record, type Recorded, type Stored, type StreamId, type Version } from "../Event.ts"
import type { StreamRange } from "../EventStore.ts"
import { CurrentAsker } from "./asking.ts"
import { read } from "./execute.ts"
import { admitted, failure, orFailed } from "./failure.ts"
import type { Registration } from "./registration.ts"
import * as Replay from "./replay.ts"
import { find } from "./resident.ts"
import { refuseNames, refuseVersion } from "./seal.ts"

/** The state now. "resident" is answered at once if the aggregate is in memory. */
export const state = (
  self: Registration,
  stream: StreamId,
  consistency: Consistency
): Effect.Effect<unknown, CommandFailed> =>
  Effect.suspend(() => {
    // A tenant or id that cannot be a name is found nowhere, so the long way refuses it.
    const seen = consistency === "resident" ? find(self.residents, stream)?.folded : undefined
    return seen === undefined ? read(self, stream) : Effect.as(open(self, stream), seen.state)
  })

/** The state as it was after so many events, or at a time. */
export const stateAt = Effect.fnUntraced(function*(
  self: Registration,
  stream: StreamId,
  point: Point
): Effect.fn.Return<StateAt<unknown>, CommandFailed> {
  yield* admitted(refuseNames(stream))
  yield* open(self, stream)
  const { settled, version } = point.time !== undefined
    ? yield* versionAt(self, stream, point.time)
    : { version: point.version, settled: true }
  yield* admitted(refuseVersion("the version", version))
  const folded = yield* Replay.load(self.plan, self.sources, stream, version)
  return { ...folded, settled }
})

/** How many events had been recorded by a time. They are recorded in the order of their versions, so halving finds it. */
const versionAt = Effect.fnUntraced(function*(self: Registration, stream: StreamId, time: Date) {
  const timeMillis = time.getTime()
  if (Number.isNaN(timeMillis)) {
    return yield* failure(new InputInvalid({ what: "the time", problem: "it is not a valid date" }))
  }
  const end = yield* page(self, stream, { direction: "backwards", limit: 1 })
  let [low, high]: [Version, Version] = [0, end.version]
  while (low < high) {
    const middle = Math.ceil((low + high) / 2)
    const { events: [event] } = yield* page(self, stream, { after: middle - 1, limit: 1 })
    if (event !== undefined && event.recordedAtMillis <= timeMillis) low = middle
    else high = middle - 1
  }
  return { version: low, settled: end.readAtMillis > timeMillis }
})

/** The events of a stream, decoded. */
export const history = (
  self: Registration,
  stream: StreamId,
  { after = 0, direction = "forwards", to }: HistoryRange
): Stream.Stream<Recorded<{ readonly _tag: string }>, CommandFailed> => {
  type Cursor = { readonly after: Version; readonly to: Version | undefined }
  const next = ({ events }: { readonly events: ReadonlyArray<Stored> }, cursor: Cursor): Option.Option<Cursor> => {
    const last = events.at(-1)
    if (last === undefined) return Option.none()
    return Option.some(
      direction === "forwards" ? { ...cursor, after: last.version } : { ...cursor, to: last.version - 1 }
    )
  }
  const pages = Stream.paginate<Cursor, Recorded<{ readonly _tag: string }>, CommandFailed>(
    { after, to },
    Effect.fnUntraced(function*(cursor) {
      if (cursor.to !== undefined && cursor.to <= cursor.after) return [[], Option.none()]
      const found = yield* page(self, stream, { ...cursor, direction })
      const versionOf = direction === "forwards"
        ? (index: number) => cursor.after + 1 + index
        : (index: number) => Math.min(cursor.to ?? found.version, found.version) - index
      const events = yield* Effect.forEach(
        found.events,
        (stored, index) => recorded(self, stream, stored, versionOf(index), direction)
      )
      return [events.flat(), next(found, cursor)]
    })
  )
  const admittable = Result.andThen(refuseNames(stream), refuseVersion("after", after))
  const admission = Effect.andThen(admitted(Result.andThen(admittable, refuseVersion("to", to))), open(self, stream))
  return Stream.unwrap(Effect.as(admission, pages))
}

/** A stored event as its readers see it. Whoever reads backwards sees its parts backwards too. */
const recorded = (
  self: Registration,
  stream: StreamId,
  stored: Stored,
  version: Version,
  direction: HistoryRange["direction"]
) =>
  Result.match(Replay.decode(self.plan, stream, stored, version), {
    onFailure: failure,
    onSuccess: (events) => {
      const parts = record(self.plan.events, stored, events)
      return Effect.succeed(direction === "backwards" ? parts.toReversed() : parts)
    }
  })

/** Whether a stream has any events. */
export const exists = (self: Registration, stream: StreamId): Effect.Effect<boolean, CommandFailed> =>
  Effect.andThen(
    Effect.andThen(admitted(refuseNames(stream)), open(self, stream)),
    Effect.map(page(self, stream, { limit: 1 }), ({ version }) => version > 0)
  )

/** A read that begins after closing did is refused like a command, unless a handler asks that shall still be finished. */
const open = (self: Registration, stream: StreamId): Effect.Effect<void, CommandFailed> =>
  Effect.withFiber(({ context }) =>
    self.closing && Context.get(context, CurrentAsker)?.running !== true
      ? failure(new RuntimeStopping(Replay.where(stream)))
      : Effect.void
  )

const page = (self: Registration, stream: StreamId, range: StreamRange) =>
  orFailed(self.sources.events.readStream(stream, range))
