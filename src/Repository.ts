/**
 * Loading and saving aggregates without a live actor: for scripts, imports and repairs, where one process works through
 * streams by itself. A save names the version that it was decided on, so it never overwrites another writer's.
 */
import { Effect, Result } from "effect"
import { admitMetadata, InputInvalid, LimitExceeded, limits } from "./Admission.ts"
import type { BehaviorOf, ServiceClass } from "./Aggregate.ts"
import { type CommandFailed, type Reason, VersionConflict } from "./AggregateHost.ts"
import type * as Command from "./Command.ts"
import {
  defaultTenant,
  type Events,
  make as makeEvent,
  type Metadata,
  type New,
  type Position,
  type PureCodec,
  type StreamId,
  type Version
} from "./Event.ts"
import { EventStore } from "./EventStore.ts"
import * as EventId from "./internal/eventId.ts"
import { admitted, failure, orFailed } from "./internal/failure.ts"
import { unsettled } from "./internal/inlineRefusals.ts"
import * as Plan from "./internal/plan.ts"
import * as Replay from "./internal/replay.ts"
import { refuseNames, refuseVersion } from "./internal/seal.ts"
import { send } from "./internal/sending.ts"
import { untyped } from "./internal/types.ts"
import { SnapshotStore } from "./SnapshotStore.ts"

/** Whose streams. */
export interface InTenant {
  /** 1 to 255 characters; the default tenant unless given. */
  readonly tenant?: string | undefined
}

/** A state, and how many events it stands for: 0 for a stream that does not exist. */
export interface Loaded<S> {
  readonly state: S
  readonly version: Version
}

/** What to append. */
export interface Save<Ev> extends InTenant {
  /** The version that the events were decided on: what `load` returned. */
  readonly expected: Version
  /** 0 to 1,000. Without events it only checks the version. */
  readonly events: ReadonlyArray<Ev>
  /** Kept with each event; at most 16 KiB. */
  readonly metadata?: Metadata | undefined
}

/** Where a save ended up. */
export interface Saved {
  /** Of the stream, once it was saved. */
  readonly version: Version
  /** Of the last event; undefined if there was none. */
  readonly position: Position | undefined
}

/** The streams of one aggregate definition. */
export interface Repository<S, Ev> {
  /**
   * The state of a stream; of one that does not exist, the initial state.
   *
   * Reasons of `CommandFailed`: `StreamUnreadable`, `SchemaTooNew` or `HandlerMissing` if this build cannot read an
   * event, `StreamMismatch`, `InputInvalid` or `LimitExceeded` for an id that cannot be one, `StoreUnavailable`.
   */
  readonly load: (id: string, options?: InTenant) => Effect.Effect<Loaded<S>, CommandFailed>
  /**
   * Appends events right after `expected`, all or none; durable once it succeeds.
   *
   * Reasons of `CommandFailed`: `VersionConflict` if another writer was first, `InputInvalid` if an event does not fit
   * its schema or the log does not admit it, `LimitExceeded`, `StoreUnavailable`. A lost append is sent again until its
   * outcome is certain.
   */
  readonly save: (id: string, save: Save<Ev>) => Effect.Effect<Saved, CommandFailed>
  /** Whether a stream has any events. Fails if the id cannot be one, and with `StoreUnavailable`. */
  readonly exists: (id: string, options?: InTenant) => Effect.Effect<boolean, CommandFailed>
}

/**
 * The repository of an aggregate: its service class says how streams are named and encoded, its behaviour how events
 * are folded.
 *
 * @example
 * ```ts
 * import { Effect, Schema } from "effect"
 * import * as Aggregate from "varve/Aggregate"
 * import * as Event from "varve/Event"
 * import * as Memory from "varve/memory/Memory"
 * import * as Repository from "varve/Repository"
 *
 * const NoteEvent = Event.union({ Written: { text: Schema.String } })
 * class Notes extends Aggregate.Service<Notes>()("Note", {
 *   state: Schema.Struct({ lines: Schema.Array(Schema.String) }),
 *   events: NoteEvent,
 *   commands: []
 * }) {}
 * const behavior = Notes.behavior({
 *   initial: { lines: [] },
 *   evolve: { Written: ({ lines }, { text }) => ({ lines: [...lines, text] }) },
 *   handlers: {}
 * })
 *
 * const program = Effect.gen(function*() {
 *   const notes = yield* Repository.make(Notes, behavior)
 *   const { version } = yield* notes.load("n-1")
 *   yield* notes.save("n-1", { expected: version, events: [NoteEvent.cases.Written.make({ text: "hello" })] })
 *   return yield* notes.load("n-1")
 * })
 *
 * await Effect.runPromise(Effect.provide(program, Memory.layer)) // => { state: { lines: ["hello"] }, version: 1 }
 * ```
 */
export const make = Effect.fnUntraced(function*<
  Self,
  Name extends string,
  S extends PureCodec,
  Ev extends Events,
  C extends Command.Any,
  H
>(
  aggregate: ServiceClass<Self, Name, S, Ev, C>,
  behavior: BehaviorOf<S["Type"], Ev["Type"], H>
): Effect.fn.Return<Repository<S["Type"], Ev["Type"]>, never, EventStore | SnapshotStore> {
  const plan = Plan.make(aggregate.definition, untyped(behavior))
  const sources = { events: yield* EventStore, snapshots: yield* SnapshotStore }
  const nextEventId = yield* EventId.nextEventId
  const streamOf = (id: string, { tenant = defaultTenant }: InTenant = {}) =>
    named({ tenant, category: aggregate.definition.name, id })

  return {
    load: (id, options) =>
      untyped(Effect.flatMap(streamOf(id, options), (stream) => Replay.load(plan, sources, stream))),
    save: (id, save) =>
      Effect.flatMap(streamOf(id, save), (stream) => append(plan, sources.events, nextEventId, stream, save)),
    exists: (id, options) =>
      Effect.flatMap(
        streamOf(id, options),
        (stream) => Effect.map(orFailed(sources.events.readStream(stream, { limit: 1 })), ({ version }) => version > 0)
      )
  }
})

const named = (stream: StreamId): Effect.Effect<StreamId, CommandFailed> =>
  admitted(Result.map(refuseNames(stream), () => stream))

const append = Effect.fnUntraced(function*(
  plan: Plan.Plan,
  store: EventStore["Service"],
  nextEventId: () => string,
  stream: StreamId,
  save: Save<{ readonly _tag: string }>
): Effect.fn.Return<Saved, CommandFailed> {
  yield* admitted(refuseVersion("the expected version", save.expected))
  const events = yield* admitted(encode(plan, nextEventId, save))
  const write = { stream, expected: save.expected, events, receipts: [] }
  const [answer] = yield* orFailed(send(store, [[write]]))
  const status = answer!
  switch (status._tag) {
    case "Committed":
      return status.writes[0]!
    case "Conflict":
      return yield* failure(
        new VersionConflict({ ...Replay.where(stream), expected: save.expected, actual: status.actual })
      )
    case "DocumentConflict":
    case "ViewsChanged":
      return yield* failure(unsettled(status))
    case "Refused":
      return yield* failure(status.reason)
    case "Duplicate":
      return yield* Effect.die(new Error("The store found a receipt for a write that carries none"))
  }
})

const encode = (
  plan: Plan.Plan,
  nextEventId: () => string,
  { events, metadata = {} }: Save<{ readonly _tag: string }>
): Result.Result<ReadonlyArray<New>, Reason> =>
  Result.gen(function*() {
    if (events.length > limits.writeEventsMax) {
      const max = limits.writeEventsMax
      return yield* Result.fail(new LimitExceeded({ what: "the save", actual: events.length, max, unit: "events" }))
    }
    const admitted = yield* admitMetadata(metadata)
    const encoded: Array<New> = []
    for (const event of events) {
      const data = yield* Result.mapError(
        plan.events.encode(event),
        (problem) => new InputInvalid({ what: `event "${event._tag}"`, problem })
      )
      encoded.push(yield* makeEvent({ ...data, eventId: nextEventId(), metadata: admitted }))
    }
    return encoded
  })
