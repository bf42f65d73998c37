/**
 * The port of whatever runs aggregates: in this process (`AggregateRuntime`), or sharded over several.
 *
 * It takes a definition and its behaviour and gives back what carries out commands. Everything that can go wrong in
 * between, beside a command's own rejections, is `CommandFailed` with a reason.
 */
import { Context, type Duration, type Effect, Predicate, Schema, type Scope, type Stream } from "effect"
import { InputInvalid, LimitExceeded } from "./Admission.ts"
import type * as Command from "./Command.ts"
import type { Events, Metadata, Position, PureCodec, Recorded, StreamId, Version } from "./Event.ts"
import { StoreUnavailable, ViewRefused } from "./EventStore.ts"
import { type Defined, ViewsBehind } from "./ProjectionHost.ts"

const where = { aggregate: Schema.String, id: Schema.String }

/**
 * `ifVersion` was not met, or other writers were first until the budget of re-decisions was spent: the stream is at
 * `actual`, not `expected`. Nothing was written; look again, decide again.
 */
export class VersionConflict extends Schema.TaggedError<VersionConflict>()("VersionConflict", {
  ...where,
  expected: Schema.Union([Schema.Int, Schema.Literals(["noStream", "exists", "any"])]),
  actual: Schema.Int
}) {
  override get message() {
    return `${this.aggregate} ${this.id} is at version ${this.actual}, not ${this.expected}`
  }
}

/**
 * The mailbox is full, or so many aggregates are busy that no further one may start: `capacity` is that of what `of`
 * names. Nothing was begun. Try again a little later.
 */
export class MailboxFull extends Schema.TaggedError<MailboxFull>()("MailboxFull", {
  ...where,
  capacity: Schema.Int,
  of: Schema.Literals(["mailbox", "maxActive"])
}) {
  override get message() {
    return this.of === "mailbox"
      ? `The mailbox of ${this.aggregate} ${this.id} is full: ${this.capacity} commands are waiting`
      : `${this.aggregate} ${this.id} cannot start: all ${this.capacity} places for active aggregates are busy`
  }
}

/** The deadline passed while the command was waiting in the mailbox. It will not be carried out. */
export class CommandTimeout extends Schema.TaggedError<CommandTimeout>()("CommandTimeout", where) {
  override get message() {
    return `A command for ${this.aggregate} ${this.id} waited in the mailbox past its deadline`
  }
}

/** Cut short after deciding began: by deadline, shutdown or a defect below the handler. Retry with the same id. */
export class OutcomeUnknown extends Schema.TaggedError<OutcomeUnknown>()("OutcomeUnknown", where) {
  override get message() {
    return `Whether a command for ${this.aggregate} ${this.id} was carried out is not known; ` +
      "retry it with the same command id"
  }
}

/** The runtime is shutting down; the command or read was not begun. Send it to another one, or later. */
export class RuntimeStopping extends Schema.TaggedError<RuntimeStopping>()("RuntimeStopping", where) {
  override get message() {
    return `The runtime is shutting down; what was asked of ${this.aggregate} ${this.id} was not begun`
  }
}

/**
 * This build has no handler for a command, or no case for a stored event: `name` is the command or the event's type.
 * Nothing was written. Deploy the build that knows it.
 */
export class HandlerMissing extends Schema.TaggedError<HandlerMissing>()("HandlerMissing", {
  ...where,
  name: Schema.String
}) {
  override get message() {
    return `${this.aggregate} ${this.id}: this build does not know "${this.name}"`
  }
}

/**
 * A stored event does not decode or does not evolve; `version` and `type` name it, `problem` says why. Nothing was
 * written, and nothing can be until the event is readable again: deploy a build whose schema and `evolve` take it.
 */
export class StreamUnreadable extends Schema.TaggedError<StreamUnreadable>()("StreamUnreadable", {
  ...where,
  version: Schema.Int,
  type: Schema.String,
  problem: Schema.String
}) {
  override get message() {
    return `${this.aggregate} ${this.id} cannot be read: event ${this.version} (${this.type}): ${this.problem}`
  }
}

/** The store returned an event of another stream. Nothing was written; the store breaks its promise. */
export class StreamMismatch extends Schema.TaggedError<StreamMismatch>()("StreamMismatch", {
  ...where,
  version: Schema.Int
}) {
  override get message() {
    return `The store returned an event of another stream as version ${this.version} of ${this.aggregate} ${this.id}`
  }
}

/** A stored event has a schema version that is newer than this build. Deploy the newer build. */
export class SchemaTooNew extends Schema.TaggedError<SchemaTooNew>()("SchemaTooNew", {
  ...where,
  version: Schema.Int,
  type: Schema.String,
  schemaVersion: Schema.Int
}) {
  override get message() {
    return `${this.aggregate} ${this.id}: event ${this.version} is ${this.type}@${this.schemaVersion}, ` +
      "which is newer than this build"
  }
}

/** The command id was used before, for another command or another payload. Nothing was written: use ids once. */
export class CommandIdReused extends Schema.TaggedError<CommandIdReused>()("CommandIdReused", {
  ...where,
  commandId: Schema.String
}) {
  override get message() {
    return `Command id ${this.commandId} was already used for another command to ${this.aggregate} ${this.id}`
  }
}

/** The same command id ended in a defect three times; it is not tried again in this process. */
export class CommandQuarantined extends Schema.TaggedError<CommandQuarantined>()("CommandQuarantined", {
  ...where,
  commandId: Schema.String
}) {
  override get message() {
    return `Command ${this.commandId} to ${this.aggregate} ${this.id} ended in a defect three times and is not retried`
  }
}

/** `stateAt` asked for a version that the stream has not reached: it has `actual` events. */
export class ReadPastEnd extends Schema.TaggedError<ReadPastEnd>()("ReadPastEnd", {
  ...where,
  version: Schema.Int,
  actual: Schema.Int
}) {
  override get message() {
    return `${this.aggregate} ${this.id} has ${this.actual} events, not ${this.version}`
  }
}

/** A handler asked its own aggregate, or one that waits for it: `path` is the ring. It would wait for ever. */
export class AskRing extends Schema.TaggedError<AskRing>()("AskRing", {
  ...where,
  path: Schema.Array(Schema.String)
}) {
  override get message() {
    return `Asking ${this.aggregate} ${this.id} from a handler would wait for ever: ${this.path.join(" → ")}`
  }
}

/** Why the machinery could not carry out a command: the schema of `CommandFailed.reason`, and its type. */
export const Reason = Schema.Union([
  VersionConflict,
  MailboxFull,
  CommandTimeout,
  OutcomeUnknown,
  StoreUnavailable,
  RuntimeStopping,
  HandlerMissing,
  StreamUnreadable,
  StreamMismatch,
  SchemaTooNew,
  CommandIdReused,
  CommandQuarantined,
  InputInvalid,
  LimitExceeded,
  ReadPastEnd,
  AskRing,
  ViewsBehind,
  ViewRefused
])
export type Reason = typeof Reason.Type

const retryable: ReadonlySet<string> = new Set<Reason["_tag"]>(
  ["VersionConflict", "MailboxFull", "CommandTimeout", "OutcomeUnknown", "StoreUnavailable", "RuntimeStopping"]
)

/**
 * The machinery could not carry out a command; `reason` says why. It stands beside the command's own rejections, and
 * `Effect.catchReason("CommandFailed", "VersionConflict", …)` catches one reason.
 *
 * @example
 * ```ts
 * import { Effect } from "effect"
 * import { CommandFailed, VersionConflict } from "varve/AggregateHost"
 *
 * const reason = new VersionConflict({ aggregate: "Order", id: "o-1", expected: 3, actual: 4 })
 * const failed: Effect.Effect<string, CommandFailed> = Effect.fail(new CommandFailed({ reason }))
 *
 * const answered = failed.pipe(
 *   Effect.catchReason("CommandFailed", "VersionConflict", ({ actual }) => Effect.succeed(`now at ${actual}`)),
 *   Effect.catchIf((error) => error.isRetryable, () => Effect.succeed("try again later"))
 * )
 * await Effect.runPromise(answered) // => "now at 4"
 * ```
 */
export class CommandFailed extends Schema.TaggedError<CommandFailed>()("CommandFailed", { reason: Reason }) {
  /**
   * This attempt has written nothing, for certain. With `OutcomeUnknown` only the store knows; with `ViewsBehind` the
   * command was carried out. Of an earlier attempt under the same command id it says nothing.
   */
  get nothingWritten(): boolean {
    return this.reason._tag !== "OutcomeUnknown" && this.reason._tag !== "ViewsBehind"
  }
  /** Whether the same command may succeed a little later. After `OutcomeUnknown`, retry with the same command id. */
  get isRetryable(): boolean {
    return retryable.has(this.reason._tag) || (this.reason._tag === "ViewRefused" && this.reason.why === "Busy")
  }
  override get message() {
    return this.reason.message
  }
}

/** @internal */
export const isCommandFailed = (u: unknown): u is CommandFailed => Predicate.isTagged(u, "CommandFailed")

/** How one command, or all that a handle sends, shall be carried out. */
export interface HandleOptions {
  /** 1 to 255 characters. A command with an id is carried out once: whoever repeats it gets the first answer. */
  readonly commandId?: string | undefined
  /** Carry the command out only at exactly this version of the stream. */
  readonly ifVersion?: Version | undefined
  /** 1 to 255 characters; the default tenant unless given. */
  readonly tenant?: string | undefined
  /**
   * How long to wait for the answer; as long as it takes unless given. A command that still waits in the mailbox then
   * ends as `CommandTimeout`, one that is being decided as `OutcomeUnknown`.
   */
  readonly deadline?: Duration.Input | undefined
  /** Waits until who reads these in this process sees what was done: up to the deadline, or 10 s; see `ViewsBehind`. */
  readonly consistent?: ReadonlyArray<Defined> | undefined
  /** Kept with each event of the command; at most 16 KiB as JSON. The command id is added as `causationId`. */
  readonly metadata?: Metadata | undefined
}

/** What became of a command: what a handle answers that was made with `returning: "commit"`. */
export interface Commit<A> {
  /** What the handler decided to answer. */
  readonly reply: A
  /** The version of the stream once the command was done. */
  readonly version: Version
  /** The position of the command's last event; undefined if it had none. */
  readonly position: Position | undefined
  /** The answer is that of an earlier run under the same command id. */
  readonly duplicate: boolean
}

/** A state as it was. */
export interface StateAt<S> {
  readonly state: S
  /** How many events it stands for. */
  readonly version: Version
  /** Whether the answer will stay the same: no event can be recorded at or before that point any more. */
  readonly settled: boolean
}

/** A point in the life of a stream: a count of events, or the last event recorded at or before a time. */
export type Point =
  | { readonly version: Version; readonly time?: never }
  | { readonly time: Date; readonly version?: never }

/** "validated": true of the stream at this moment, as a command's answer is. "resident": as last seen here, cheap. */
export type Consistency = "validated" | "resident"

/** Which part of a stream's history to read; `after` is exclusive, `to` inclusive, all of it unless given. */
export interface HistoryRange {
  /** Only events after this version; 0 unless given. */
  readonly after?: Version | undefined
  /** Only events up to this version; the last unless given. */
  readonly to?: Version | undefined
  /** "forwards", in the order of versions, unless given. */
  readonly direction?: "forwards" | "backwards" | undefined
}

/** What a host has to know of an aggregate. */
export interface Definition {
  /** The category of its streams. */
  readonly name: string
  readonly state: PureCodec
  readonly events: Events
  readonly commands: ReadonlyArray<Command.Any>
  readonly stateVersion: number
}

/** What a handler is given. Nothing in it may be changed: it is what others decide on, too. */
export interface HandlerContext<S, P> {
  /** Of the aggregate. */
  readonly id: string
  readonly tenant: string
  /** Of the stream, before the command. */
  readonly version: Version
  /** At that version. Readers and later commands are given the same one, so never change it in place. */
  readonly state: S
  /** As its schema's constructor makes it, with its defaults. It may hold the caller's own data: never change it. */
  readonly payload: P
  /** Of the command, as its sender gave it. */
  readonly metadata: Metadata
}

/**
 * What an aggregate does, as a host sees it; users write a typed `Aggregate.BehaviorOf`. Handlers return a decision, an
 * error (which is an Effect), or an Effect of a decision.
 */
export interface Behavior {
  readonly initial: unknown
  readonly evolve: { readonly [tag: string]: (state: any, event: any) => unknown }
  readonly handlers: { readonly [command: string]: (context: HandlerContext<any, any>) => unknown }
}

/** How a host treats the aggregates of one definition. A count out of its bounds is a defect when the Layer is built. */
export interface Settings {
  /** Save a snapshot whenever a commit crosses a multiple of so many events, at least 1; never unless given. */
  readonly snapshotEvery?: number | undefined
  /** How many commands may wait for one aggregate, at least 1; 256 unless given. More are `MailboxFull`. */
  readonly mailboxCapacity?: number | undefined
  /** How long an aggregate that nobody asks stays in memory; 2 minutes unless given. */
  readonly maxIdleTime?: Duration.Input | undefined
  /** How often a command is decided again because another writer was first, at least 0; 10 unless given. */
  readonly redecisions?: number | undefined
  /** How long shutting down waits for commands that have begun; 10 seconds unless given. */
  readonly drainDeadline?: Duration.Input | undefined
}

/** An aggregate as a host runs it, for all its streams. Its typed face is made by `Aggregate.Service`. */
export interface Hosted {
  /** Carries out a command. Fails with the command's own rejection, or with `CommandFailed`. */
  readonly execute: (
    stream: StreamId,
    command: Command.Any,
    payload: unknown,
    options: HandleOptions
  ) => Effect.Effect<Commit<unknown>, unknown>
  /** The state now: of an empty stream, the initial one. */
  readonly state: (stream: StreamId, consistency: Consistency) => Effect.Effect<unknown, CommandFailed>
  /** The state as it was; `ReadPastEnd` if the stream has not reached that version. */
  readonly stateAt: (stream: StreamId, point: Point) => Effect.Effect<StateAt<unknown>, CommandFailed>
  /** The events, decoded, read in pages as they are pulled. */
  readonly history: (
    stream: StreamId,
    range: HistoryRange
  ) => Stream.Stream<Recorded<{ readonly _tag: string }>, CommandFailed>
  /** Whether the stream has any events. */
  readonly exists: (stream: StreamId) => Effect.Effect<boolean, CommandFailed>
}

/**
 * Runs aggregates. `AggregateRuntime.layer` is one, in this process. Users provide it to what `toLayer` makes; its
 * method is for hosts, and for those who stand between.
 *
 * @example
 * ```ts
 * import { Effect, Layer, Schema } from "effect"
 * import * as Aggregate from "varve/Aggregate"
 * import { AggregateHost } from "varve/AggregateHost"
 * import * as AggregateRuntime from "varve/AggregateRuntime"
 * import * as Event from "varve/Event"
 * import * as Memory from "varve/memory/Memory"
 *
 * const BellEvent = Event.union({ BellRung: {} })
 * class Bells extends Aggregate.Service<Bells>()("Bell", { state: Schema.Int, events: BellEvent, commands: [] }) {}
 * const BellsLive = Bells.toLayer({ initial: 0, evolve: { BellRung: (count) => count + 1 }, handlers: {} })
 *
 * const registered: Array<string> = []
 * const watch = (host: AggregateHost["Service"]) =>
 *   AggregateHost.of({
 *     register: (aggregate) => {
 *       registered.push(aggregate.definition.name)
 *       return host.register(aggregate)
 *     }
 *   })
 * const Watched = Layer.effect(AggregateHost, Effect.map(AggregateHost, watch)).pipe(
 *   Layer.provide(AggregateRuntime.layer),
 *   Layer.provide(Memory.layer)
 * )
 *
 * await Effect.runPromise(Effect.scoped(Layer.build(Layer.provide(BellsLive, Watched))))
 * registered // => ["Bell"]
 * ```
 */
export class AggregateHost extends Context.Service<AggregateHost, {
  /**
   * Takes an aggregate in until the scope closes. Closing refuses new commands, waits for those that have begun up to
   * `drainDeadline`, and only then lets the handlers' services go. `services` are what handlers may use.
   */
  readonly register: (aggregate: {
    readonly definition: Definition
    readonly behavior: Behavior
    readonly settings: Settings
    readonly services: Context.Context<never>
  }) => Effect.Effect<Hosted, never, Scope.Scope>
}>()("varve/AggregateHost") {}
