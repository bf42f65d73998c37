/**
 * Replaying a stream: from a snapshot, or from the beginning, page by page into a state.
 *
 * What a store returns is checked on the way in: that each event is of this stream, that versions follow each other,
 * that this build knows the type, that the data decode and evolve.
 */
import { Effect, Result } from "effect"
import {
  type CommandFailed,
  HandlerMissing,
  ReadPastEnd,
  type Reason,
  SchemaTooNew,
  StreamMismatch,
  StreamUnreadable
} from "../AggregateHost.ts"
import type { Stored, StreamId, Version } from "../Event.ts"
import type { EventStore } from "../EventStore.ts"
import type { Loaded, Snapshot, SnapshotStore } from "../SnapshotStore.ts"
import { parse, problemOf } from "./codec.ts"
import type { Undecodable } from "./evolution.ts"
import { failure, orFailed } from "./failure.ts"
import { sha256 } from "./fingerprint.ts"
import type { Plan } from "./plan.ts"
import { snapshotDiscarded } from "./telemetry.ts"

/** A state and how many events it stands for. */
export interface Folded {
  readonly state: unknown
  readonly version: Version
}

/** What replaying reads from. `snapshots` only where the aggregate keeps any. */
export interface Sources {
  readonly events: EventStore["Service"]
  readonly snapshots: SnapshotStore["Service"] | undefined
}

/** The state of an empty stream. */
export const empty = (plan: Plan): Folded => ({ state: plan.behavior.initial, version: 0 })

/** The state of a stream: as it is, or as it was after `atMost` events (`ReadPastEnd` if there are fewer). */
export const load = Effect.fnUntraced(function*(
  plan: Plan,
  sources: Sources,
  stream: StreamId,
  atMost?: Version
): Effect.fn.Return<Folded, CommandFailed> {
  if (sources.snapshots === undefined) return yield* advance(plan, sources, stream, empty(plan), atMost)
  const loaded = yield* orFailed(sources.snapshots.load(stream, { atMost }))
  const restored = restore(plan, loaded)
  if (Result.isFailure(restored)) {
    yield* snapshotDiscarded(plan.definition.name, restored.failure)
    yield* Effect.ignore(sources.snapshots.discard(stream, loaded.snapshot?.version ?? 0))
    return yield* advance(plan, sources, stream, empty(plan), atMost)
  }
  if (atMost !== undefined && loaded.tail.version < atMost) {
    return yield* failure(pastEnd(stream, atMost, loaded.tail.version))
  }
  const folded = yield* fold(plan, stream, restored.success, loaded.tail.events)
  return folded.version === loaded.tail.version ? folded : yield* advance(plan, sources, stream, folded, atMost)
})

/** Applies to `from` what the stream holds beyond it. A stream that holds less than `from` is replayed in full. */
export const refresh = Effect.fnUntraced(function*(
  plan: Plan,
  sources: Sources,
  stream: StreamId,
  from: Folded
): Effect.fn.Return<Folded, CommandFailed> {
  const page = yield* orFailed(sources.events.readStream(stream, { after: from.version }))
  if (page.version < from.version) return yield* load(plan, sources, stream)
  const folded = yield* fold(plan, stream, from, page.events)
  return folded.version === page.version ? folded : yield* advance(plan, sources, stream, folded)
})

/** Applies events to a state, one after the other. */
const fold = (
  plan: Plan,
  stream: StreamId,
  from: Folded,
  events: ReadonlyArray<Stored>
): Effect.Effect<Folded, CommandFailed> => {
  let { state, version } = from
  for (const stored of events) {
    const next = apply(plan, stream, state, version, stored)
    if (Result.isFailure(next)) return failure(next.failure)
    state = next.success
    version = stored.version
  }
  return Effect.succeed({ state, version })
}

const advance = Effect.fnUntraced(function*(
  plan: Plan,
  sources: Sources,
  stream: StreamId,
  from: Folded,
  atMost?: Version
): Effect.fn.Return<Folded, CommandFailed> {
  let folded = from
  while (folded.version !== atMost) {
    const page = yield* orFailed(sources.events.readStream(stream, { after: folded.version, to: atMost }))
    if (atMost !== undefined && page.version < atMost) {
      return yield* failure(pastEnd(stream, atMost, page.version))
    }
    if (page.events.length === 0 && folded.version < page.version) {
      return yield* failure(unreadable(stream, folded.version + 1, "?", "it is missing"))
    }
    folded = yield* fold(plan, stream, folded, page.events)
    if (folded.version >= page.version) return folded
  }
  return folded
})

/** Applies one stored event, which may be none or several of today's: the version counts what is stored. */
export const apply = (
  plan: Plan,
  stream: StreamId,
  state: unknown,
  version: Version,
  stored: Stored
): Result.Result<unknown, Reason> => {
  const events = decode(plan, stream, stored, version + 1)
  if (Result.isFailure(events)) return Result.fail(events.failure)
  let next = state
  for (const event of events.success) {
    try {
      next = evolve(plan, next, event)
    } catch (error) {
      return Result.fail(
        Object.hasOwn(plan.behavior.evolve, event._tag)
          ? unreadable(stream, stored.version, stored.type, `evolve threw: ${problemOf(error)}`)
          : new HandlerMissing({ ...where(stream), name: plan.events.shapeOf(event).type })
      )
    }
  }
  return Result.succeed(next)
}

/** One event. What it throws is a defect of the user's code; the caller says whose. */
export const evolve = (plan: Plan, state: unknown, event: { readonly _tag: string }): unknown =>
  plan.behavior.evolve[event._tag]!(state, event)

/** Today's events of a stored one, if the store returned the one of this stream and version that was read. */
export const decode = (
  plan: Plan,
  stream: StreamId,
  stored: Stored,
  version: Version
): Result.Result<ReadonlyArray<{ readonly _tag: string }>, Reason> => {
  if (stored.id !== stream.id || stored.tenant !== stream.tenant || stored.category !== stream.category) {
    return Result.fail(new StreamMismatch({ ...where(stream), version }))
  }
  if (stored.version !== version) {
    return Result.fail(unreadable(stream, version, stored.type, `version ${stored.version} stands in its place`))
  }
  return Result.mapError(plan.events.decode(stored), (why) => undecodable(stream, stored, why))
}

/** Turns what the codec says into the reason that a caller sees. */
const undecodable = (stream: StreamId, stored: Stored, why: Undecodable): Reason => {
  switch (why._tag) {
    case "TypeUnknown":
      return new HandlerMissing({ ...where(stream), name: stored.type })
    case "TooNew":
      return new SchemaTooNew({
        ...where(stream),
        version: stored.version,
        type: stored.type,
        schemaVersion: stored.schemaVersion
      })
    case "Malformed":
      return unreadable(stream, stored.version, stored.type, why.problem)
  }
}

/** The state of a snapshot, the empty state if there is none, or why the snapshot is in doubt. */
const restore = (plan: Plan, { snapshot, tail }: Loaded): Result.Result<Folded, string> => {
  if (snapshot === undefined) return Result.succeed(empty(plan))
  const { checksum, fingerprint, state, version } = snapshot
  if (fingerprint !== plan.fingerprint) return Result.fail("fingerprint")
  if (version > tail.version) return Result.fail("newer than its stream")
  if (checksum !== sha256(state)) return Result.fail("checksum")
  return Result.mapBoth(Result.flatMap(parse(state), plan.state.decode), {
    onFailure: () => "schema",
    onSuccess: (decoded) => ({ state: decoded, version })
  })
}

/** The snapshot of a state. A state that its own schema does not encode cannot be kept. */
export const snapshotOf = (plan: Plan, { state, version }: Folded): Result.Result<Snapshot, string> =>
  Result.map(plan.state.encode(state), (data) => {
    const text = JSON.stringify(data)
    return { version, fingerprint: plan.fingerprint, state: text, checksum: sha256(text) }
  })

/** How an error names a stream. */
export const where = (stream: StreamId) => ({ aggregate: stream.category, id: stream.id })

const unreadable = (stream: StreamId, version: Version, type: string, problem: string) =>
  new StreamUnreadable({ ...where(stream), version, type, problem })

const pastEnd = (stream: StreamId, version: Version, actual: Version) =>
  new ReadPastEnd({ ...where(stream), version, actual })
