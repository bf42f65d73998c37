/**
 * The port of whatever runs projections: in this process, `ProjectionRunner`.
 *
 * It takes a definition and what it does with events, and keeps that up to date with the log, however often it, its
 * store or its process fails.
 */
import { Context, type Duration, type Effect, Schema, type Scope, type Stream } from "effect"
import type { Events, Position, PureCodec, Recorded } from "./Event.ts"
import type { StoreUnavailable } from "./EventStore.ts"
import type { Entered } from "./InlineViews.ts"
import type { LiveVersion, ViewDefinition, ViewStore } from "./ViewStore.ts"

/**
 * What a projection writes is in another store than its checkpoint, so both cannot be one transaction. A mistake in the
 * program.
 */
export class StoresDiffer extends Schema.TaggedError<StoresDiffer>()("StoresDiffer", {
  projection: Schema.String,
  checkpoints: Schema.String,
  other: Schema.String,
  storeId: Schema.String
}) {
  override get message() {
    return `The checkpoints of "${this.projection}" are in store ${this.checkpoints}, its ${this.other} in ` +
      `${this.storeId}: they cannot be one transaction. Provide both by one Layer.`
  }
}

/** The log was put back behind this reader: its checkpoint belongs to another life of the log. Nothing is read. */
export class StoreRestored extends Schema.TaggedError<StoreRestored>()("StoreRestored", {
  projection: Schema.String,
  checkpointEpoch: Schema.String,
  epoch: Schema.String
}) {
  override get message() {
    return `The log is not the one that "${this.projection}" has read: its epoch is ${this.epoch}, not ` +
      `${this.checkpointEpoch}, as after a restore. Accept it if what was read is still true, else reset.`
  }
}

/** The log ends before the checkpoint of this reader: it was cut or put back. Nothing is read. */
export class LogRewound extends Schema.TaggedError<LogRewound>()("LogRewound", {
  projection: Schema.String,
  position: Schema.BigInt,
  head: Schema.BigInt
}) {
  override get message() {
    return `"${this.projection}" has read up to ${this.position}, and the log ends at ${this.head}: it was cut or put ` +
      "back. Reset the projection."
  }
}

/** Its code says another number of partitions than its checkpoints: what each has read would not fit together. */
export class PartitionsChanged extends Schema.TaggedError<PartitionsChanged>()("PartitionsChanged", {
  projection: Schema.String,
  before: Schema.Int,
  now: Schema.Int
}) {
  override get message() {
    return `"${this.projection}" was filled by ${this.before} partitions and is declared with ${this.now}: give it a ` +
      "new version, or reset it."
  }
}

/** An event has a newer schema than this build knows. It is left to the build that does; nothing was passed over. */
export class EventTooNew extends Schema.TaggedError<EventTooNew>()("EventTooNew", {
  projection: Schema.String,
  position: Schema.BigInt,
  problem: Schema.String
}) {
  override get message() {
    return `"${this.projection}" waits for a newer build at position ${this.position}: ${this.problem}`
  }
}

/** A projection had not come far enough when the wait for it ended: `reached` is how far it was. */
export class ProjectionBehind extends Schema.TaggedError<ProjectionBehind>()("ProjectionBehind", {
  projection: Schema.String,
  position: Schema.BigInt,
  reached: Schema.BigInt,
  problem: Schema.String
}) {
  override get message() {
    return `"${this.projection}" is at position ${this.reached}, not yet at ${this.position}: ${this.problem}`
  }
}

/**
 * The command was carried out, and a projection that it was to be shown by had not come so far: `position` is that of its
 * last event, `reached` where the projection was. `problem` says whether it is worth waiting for.
 */
export class ViewsBehind extends Schema.TaggedError<ViewsBehind>()("ViewsBehind", {
  aggregate: Schema.String,
  id: Schema.String,
  projection: Schema.String,
  position: Schema.BigInt,
  reached: Schema.BigInt,
  problem: Schema.String
}) {
  override get message() {
    return `A command for ${this.aggregate} ${this.id} was carried out, but "${this.projection}" is at ${this.reached}, ` +
      `not yet at ${this.position}: ${this.problem}`
  }
}

/** Whoever listens was too slow: from here on changes were missed. Read the view, and listen anew. */
export class ChangesMissed extends Schema.TaggedError<ChangesMissed>()("ChangesMissed", {
  projection: Schema.String,
  buffered: Schema.Int
}) {
  override get message() {
    return `More than ${this.buffered} batches of changes of "${this.projection}" waited to be taken`
  }
}

/**
 * A document in the store does not fit its schema, or cannot be upgraded. Where the schema was changed, give the view a new
 * version, which is filled beside the old; else mend the document, or the `up` of its version.
 */
export class DocumentUnreadable extends Schema.TaggedError<DocumentUnreadable>()("DocumentUnreadable", {
  view: Schema.String,
  version: Schema.Int,
  key: Schema.String,
  problem: Schema.String
}) {
  override get message() {
    return `Document "${this.key}" of ${this.view} (version ${this.version}) cannot be read: ${this.problem}`
  }
}

/** An older version of the view is still read, whose documents have no such field. Ask again when the new one is. */
export class FieldPending extends Schema.TaggedError<FieldPending>()("FieldPending", {
  view: Schema.String,
  field: Schema.String,
  version: Schema.Int,
  live: Schema.Int
}) {
  override get message() {
    return `Documents of ${this.view} have no field "${this.field}" before version ${this.version}, and ` +
      `${this.live} is still read`
  }
}

/** What is done with events: documents and rows go with the checkpoint, a fold is in memory, an effect is anything. */
export type Kind = "view" | "sql" | "fold" | "effect"

/** Names a projection. */
export interface Definition {
  /** Lower-case letters, digits and hyphens, a letter first; 1 to 40 characters. */
  readonly name: string
  /** 1 to 999,999. What an effect or a fold does has no versions: 1. */
  readonly version: number
  readonly kind: Kind
}

/** What has a definition: the class of a view or a fold, an SQL projection, an effect. */
export interface Defined {
  readonly definition: Definition
}

/** What a handler is told of an event, beside the event itself. Metadata are parsed when somebody asks for them. */
export type Meta = Omit<Recorded<unknown>, "event">

/**
 * What a handler of an inline view is told: not the event's place in its stream and in the log, nor its time, since it has
 * none of them yet.
 */
export type InlineMeta = Omit<Meta, "version" | "position" | "recordedAt">

/** Which documents an event is for: one key, several, or none. A key has 1 to 255 characters. */
export type Keys = string | ReadonlyArray<string> | undefined

/** A view that appends of this process take in while it is inline: see `InlineHost`. */
export interface Kept {
  /** Makes it inline if it can be: see `InlineViews.enter`. Its reader asks once he has caught up. */
  readonly enter: Effect.Effect<Entered, StoreUnavailable>
  /** Gives it back to its reader: see `InlineViews.leave`. */
  readonly leave: Effect.Effect<boolean, StoreUnavailable>
  /** Whether it is inline at this moment, as the store says. */
  readonly isInline: Effect.Effect<boolean, StoreUnavailable>
  /** Ends when an append of this process finds that it is inline no longer. */
  readonly ended: Effect.Effect<void>
  /** What appends of this process have made of it, from when the stream is run. */
  readonly changes: Stream.Stream<Change<unknown>, ChangesMissed>
}

/** Events of one union, and what is done with some of them; users write a typed one, by `on`. */
export interface Source {
  readonly events: Events
  /** By tag. Of a view `(document, event, meta) => document`, of a fold `(state, …)`, of an effect `(event, meta)`. */
  readonly cases: { readonly [tag: string]: ((...args: ReadonlyArray<any>) => unknown) | undefined }
  /** Of a view; the id of the stream unless given. */
  readonly key: ((event: any, meta: Meta) => Keys) | undefined
}

/** What SQL is told beside the events. */
export interface SqlContext {
  /** Of the tables of this version, like `_v2`: so that a new version may be filled beside the old. */
  readonly suffix: string
  readonly version: number
}

/** What a projection does. */
export type Target =
  | {
    readonly _tag: "View"
    readonly store: ViewStore["Service"]
    readonly view: ViewDefinition
    readonly document: PureCodec
    readonly sources: ReadonlyArray<Source>
    /** If it is to be inline once it has caught up. It has one partition, and pauses at what it cannot work off. */
    readonly inline?: Kept | undefined
  }
  | {
    readonly _tag: "Sql"
    readonly store: ViewStore["Service"]
    readonly events: ReadonlyArray<Events>
    readonly apply: (batch: ReadonlyArray<Recorded<any>>, context: SqlContext) => Effect.Effect<void, unknown, never>
    readonly setUp: ((context: SqlContext) => Effect.Effect<void, unknown, never>) | undefined
    readonly clear: ((context: SqlContext) => Effect.Effect<void, unknown, never>) | undefined
  }
  | {
    readonly _tag: "Fold"
    readonly initial: () => unknown
    readonly sources: ReadonlyArray<Source>
  }
  | {
    readonly _tag: "Effect"
    /** Where it begins if it has never run: at the first event, or at what comes from now on. */
    readonly from: "beginning" | "now"
    readonly sources: ReadonlyArray<Source>
  }

/** How a host treats a projection. A count out of its bounds is a defect when the Layer is built. */
export interface Settings {
  /**
   * How many may work on it side by side, each with its own checkpoint: a view by document key, others by stream; 1 to
   * 64, 1 unless given. A fold has one. Another number than before needs a new version or a reset.
   */
  readonly partitions?: number | undefined
  /**
   * What becomes of an event that cannot be worked off, however often it is tried. A dead letter is kept in any case.
   *
   * - `pause`, unless given: nothing goes on until somebody has looked
   * - `skip`: it is passed over
   * - `quarantine`: its stream is passed over from there on, others go on; `retry` takes it back without loss
   */
  readonly onFailure?: "pause" | "skip" | "quarantine" | undefined
  /** How often an event is tried before that, at least 1; 3 unless given. After the first: 100 ms, 200 ms, …, at most 10 s. */
  readonly tries?: number | undefined
  /** How many events are read and applied at once, 1 to 1,000; 1,000 unless given, of an effect 100. */
  readonly pageEvents?: number | undefined
  /** How many documents of a view stay in memory, at least 1, and no more than 32 MiB of text; 10,000 unless given. */
  readonly cachedDocuments?: number | undefined
  /** How long shutting down waits for the batch that is being worked off; 10 seconds unless given. */
  readonly drainDeadline?: Duration.Input | undefined
}

/** How a host treats a view that may be inline: it has one partition, and pauses at what it cannot work off. */
export type InlineSettings = Pick<Settings, "tries" | "pageEvents" | "cachedDocuments" | "drainDeadline">

/** A document as it has become; undefined if it was deleted. */
export interface Change<Doc> {
  readonly tenant: string
  readonly key: string
  readonly document: Doc | undefined
  /** Of the batch that it was committed with. */
  readonly position: Position
}

/** A projection as a host runs it. Its typed face is made by `Projection`. */
export interface Hosted {
  /** Makes room for what it writes; at once if that was done. */
  readonly prepared: Effect.Effect<void, StoreUnavailable>
  /** Which version of it is read, as it was at most a second ago; undefined if none was ever said. */
  readonly live: Effect.Effect<LiveVersion | undefined, StoreUnavailable>
  /** Of a view, what is committed by this process from now on, as long as this version is read. */
  readonly changes: Stream.Stream<Change<unknown>, ChangesMissed>
  /** Of a fold: what it has come to, and how far. */
  readonly folded: Effect.Effect<{ readonly state: unknown; readonly position: Position }>
}

/**
 * Runs projections. `ProjectionRunner.layer` is one, in this process. Users provide it to what `toLayer` makes, and wait
 * by it; `register` is for hosts, and for those who stand between.
 *
 * @example
 * ```ts
 * import { Effect, Layer, Schema } from "effect"
 * import * as Event from "varve/Event"
 * import * as Memory from "varve/memory/Memory"
 * import * as Projection from "varve/Projection"
 * import { ProjectionHost } from "varve/ProjectionHost"
 * import * as ProjectionRunner from "varve/ProjectionRunner"
 *
 * const BellEvent = Event.union({ BellRung: {} })
 * class Rings extends Projection.Fold<Rings, number>()("rings") {}
 * const RingsLive = Rings.toLayer({ initial: () => 0, sources: (on) => [on(BellEvent, { BellRung: (sum) => sum + 1 })] })
 *
 * const behind = Effect.gen(function*() {
 *   const host = yield* ProjectionHost
 *   return yield* Effect.flip(host.await(Rings.definition, 1n, { deadline: "10 millis" }))
 * })
 * const Live = RingsLive.pipe(Layer.provideMerge(ProjectionRunner.layer), Layer.provide(Memory.layer))
 * await Effect.runPromise(Effect.map(Effect.provide(behind, Live), ({ _tag }) => _tag)) // => "ProjectionBehind"
 * ```
 */
export class ProjectionHost extends Context.Service<ProjectionHost, {
  /**
   * Takes a projection in until the scope closes. Closing lets what is being committed finish, and no more. What its
   * handlers may use is in `services`.
   *
   * Mistakes in the program are defects: a name that is taken, `StoresDiffer`, a setting out of its bounds.
   */
  readonly register: (projection: {
    readonly definition: Definition
    readonly target: Target
    readonly settings: Settings
    readonly services: Context.Context<never>
  }) => Effect.Effect<Hosted, never, Scope.Scope>
  /**
   * Ends when a projection has applied all that it wants up to a position, here or wherever it runs: the version of this
   * definition, whether it is read by now or not.
   *
   * - `ProjectionBehind`: it has not by the deadline; at once where it is paused or stopped
   */
  readonly await: (
    projection: Definition,
    position: Position,
    options: { readonly deadline: Duration.Input }
  ) => Effect.Effect<void, ProjectionBehind | StoreUnavailable>
  /**
   * Ends when whoever reads a projection in this process is shown all that it wants up to a position: by the version that
   * is read, which may be an older one than that of this definition. Fails as `await` does.
   */
  readonly awaitShown: (
    projection: Definition,
    position: Position,
    options: { readonly deadline: Duration.Input }
  ) => Effect.Effect<void, ProjectionBehind | StoreUnavailable>
}>()("varve/ProjectionHost") {}
