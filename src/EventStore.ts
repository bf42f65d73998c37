/**
 * The port of the log: what every store promises, checked by `varve/testing/EventStoreSuite`.
 *
 * The log is one sequence of events, 1, 2, 3, … without holes, in the order of commits; a stream is the events of one
 * `StreamId`, again 1, 2, 3, …. Nothing is changed or deleted.
 */
import { Context, type Effect, Schema, type Stream } from "effect"
import type { Refusal } from "./Admission.ts"
import type { Expected, New, Position, Stored, StreamId, Version } from "./Event.ts"

/**
 * The store refused: nothing was written. Try again later.
 *
 * `detail` says why in plain words; it never holds SQL or data. `lasting`: it will not pass by itself, so trying again
 * is of no use before somebody has mended it.
 */
export class StoreUnavailable extends Schema.TaggedError<StoreUnavailable>()("StoreUnavailable", {
  operation: Schema.String,
  detail: Schema.String,
  lasting: Schema.optionalKey(Schema.Boolean)
}) {
  override get message() {
    return `The store is unavailable (${this.operation}): ${this.detail}`
  }
}

/**
 * The connection was lost after the append was sent: it was written, or it was not, and only the store knows. Send the
 * same append again: event ids are made before the first attempt, so the store recognizes what it has already written.
 */
export class AppendLost extends Schema.TaggedError<AppendLost>()("AppendLost", {
  detail: Schema.String
}) {
  override get message() {
    return `The outcome of an append is not known: ${this.detail}`
  }
}

/**
 * The log is not dense: after `after`, position `found` was read instead of the next one: there is a hole or, where
 * `found` is not beyond `after`, a position that is there twice. This is damage (a restored or truncated database, a store
 * that breaks its promise), so readers stop and never skip it.
 */
export class LogGap extends Schema.TaggedError<LogGap>()("LogGap", {
  after: Schema.BigInt,
  found: Schema.BigInt
}) {
  override get message() {
    return this.found > this.after
      ? `The log has a hole: position ${this.found} follows ${this.after}`
      : `The log has a position twice: ${this.found} follows ${this.after}`
  }
}

/**
 * An inline view did not take in the events of an append, so that nothing was written. `why`:
 *
 * - `Failed`: its handler threw, or what it made is no document that can be kept; the same events will be refused again
 * - `Busy`: other writers were first at its documents each time, it is being filled, or its documents could not be read.
 *   Try again
 */
export class ViewRefused extends Schema.TaggedError<ViewRefused>()("ViewRefused", {
  view: Schema.String,
  version: Schema.Int,
  why: Schema.Literals(["Failed", "Busy"]),
  problem: Schema.String
}) {
  override get message() {
    return `The inline view ${this.view} (version ${this.version}) does not take the events in: ${this.problem}`
  }
}

/**
 * The record that a command has been carried out, kept with the events that it caused. Its scope is the stream and the
 * command id; `hash` tells a repeated command from another one under the same id.
 */
export interface NewReceipt {
  /** 1 to 255 characters. */
  readonly commandId: string
  /** Of the command's name, its payload and the payload's schema. */
  readonly hash: string
  /** How many of its write's events are this command's. */
  readonly events: number
  /** How many of its write's events stand once this command is done, counted from the write's first. */
  readonly through: number
  /** The reply or the rejection as JSON text, at most 256 KiB. */
  readonly outcome: string
}

/** A receipt as it was stored. */
export interface Receipt {
  readonly stream: StreamId
  readonly commandId: string
  readonly hash: string
  /** The version of the stream once the command was done. */
  readonly version: Version
  /** The position of the command's last event; undefined if it had none. */
  readonly position: Position | undefined
  /** The reply or the rejection as JSON text. */
  readonly outcome: string
}

/** A view by its name, and the version of the code that fills it. Each version has documents of its own. */
export interface ViewId {
  /** Lower-case letters, digits and hyphens, a letter first; 1 to 40 characters. */
  readonly name: string
  /** 1 to 999,999. */
  readonly version: number
}

/**
 * What becomes of one document of an inline view. It belongs to the tenant of the write's stream.
 *
 * It is told from another by its text, and not by how often it was written: a document that was deleted and made anew
 * is never taken for the old one, and whatever a writer remembers wrongly is found out.
 */
export interface DocumentWrite {
  /** 1 to 255 characters. */
  readonly key: string
  /** What this was decided on, and must still be there, as JSON text; undefined if there was no document. */
  readonly expected: string | undefined
  /** What it becomes, as in `DocumentChange`; undefined deletes it. The same as `expected`: it is looked at only. */
  readonly document: string | undefined
}

/** What the events of a write make of a view that is inline, or may be: see `InlineViews`. */
export interface ViewWrite {
  readonly view: ViewId
  /**
   * Each document that was decided on, changed or not, once; none if the events are for none. Undefined: it is left to the
   * view's reader, since the view is not inline as far as the writer knows.
   */
  readonly documents: ReadonlyArray<DocumentWrite> | undefined
}

/** Events for one stream, with what they expect of it. Without events it is a check, and may still leave receipts. */
export interface Write {
  readonly stream: StreamId
  readonly expected: Expected
  /** 0 to 1,000, together at most 4 MiB. */
  readonly events: ReadonlyArray<New>
  /** Of the commands that led to these events, or to none. */
  readonly receipts: ReadonlyArray<NewReceipt>
  /**
   * The views that the writer runs and that one of these events belongs to, each once; none unless given. Together at
   * most 1,000 documents and 16 MiB. An inline view that is not among them is inline no longer: it is followed by its
   * reader from here on.
   */
  readonly views?: ReadonlyArray<ViewWrite> | undefined
}

/** One to a hundred writes to as many streams that stand or fall together. */
export type Append = readonly [Write, ...ReadonlyArray<Write>]

/** Where a write ended up. */
export interface Written {
  /** The version of the stream after the write. */
  readonly version: Version
  /** The position of its last event; undefined if it had none. */
  readonly position: Position | undefined
}

/**
 * What became of one append of a group; its neighbours are never affected.
 *
 * - `Committed`: all of it is durable, or it already was and its own event ids were recognized, also where its
 *   receipts are found
 * - `Duplicate`: one of its commands had been carried out before, whatever the expectation says now; nothing was
 *   written. `receipts` are all that were found
 * - `Conflict`: `write` (its index) expected another version than `actual`; nothing was written
 * - `DocumentConflict`: `write` expected another document of an inline view than `actual`; nothing was written
 * - `ViewsChanged`: a view of `write` is otherwise than its writer knew; nothing was written. It is `inline`, or about to
 *   be (`filling`: for a second at most), and its documents are not given; or they are, and it is `followed` or `filling`
 * - `Refused`: it exceeds a limit, names a stream that is already in the group, or is malformed; or an inline view cannot
 *   take it in. Nothing was written
 */
export type Status =
  | { readonly _tag: "Committed"; readonly writes: ReadonlyArray<Written> }
  | { readonly _tag: "Duplicate"; readonly receipts: ReadonlyArray<Receipt> }
  | { readonly _tag: "Conflict"; readonly write: number; readonly actual: Version }
  | DocumentConflict
  | ViewsChanged
  | { readonly _tag: "Refused"; readonly reason: Refusal | ViewRefused }

/** See `Status`. */
export interface DocumentConflict {
  readonly _tag: "DocumentConflict"
  readonly write: number
  readonly view: ViewId
  readonly key: string
  /** As it is now, in this place of the group; undefined if there is none. */
  readonly actual: string | undefined
}

/** See `Status`. */
export interface ViewsChanged {
  readonly _tag: "ViewsChanged"
  readonly write: number
  readonly view: ViewId
  readonly state: "inline" | "filling" | "followed"
}

/** Which part of a stream to read. `after` is exclusive, `from` and `to` are inclusive. */
export interface StreamRange {
  /** Only events after this version; 0 unless given. */
  readonly after?: Version | undefined
  /** Only events up to this version. */
  readonly to?: Version | undefined
  /** "forwards" unless given. Backwards begins at `to`, or at the end. */
  readonly direction?: "forwards" | "backwards" | undefined
  /** At most so many events; 1 to 1,000, 1,000 unless given. */
  readonly limit?: number | undefined
}

/** Part of a stream, read at one moment. */
export interface StreamPage {
  /** In the direction that was asked for. */
  readonly events: ReadonlyArray<Stored>
  /** How many events the stream held at that moment. */
  readonly version: Version
  /** The store's clock at that moment, in whole milliseconds since 1970. Nothing is recorded before it any more. */
  readonly readAtMillis: number
}

/** Which events of the log a reader wants: those that are in each list that is given. An empty list wants none. */
export interface LogFilter {
  readonly tenants?: ReadonlyArray<string> | undefined
  readonly categories?: ReadonlyArray<string> | undefined
  /** As in the log: the `storedTypes` of an `Event.registry`. */
  readonly types?: ReadonlyArray<string> | undefined
}

/** Which part of the log to read. */
export interface LogRange {
  /** Only events after this position; 0, or less, for all. */
  readonly after: Position
  /** At most so many events; 1 to 1,000, 1,000 unless given. */
  readonly limit?: number | undefined
  /** All events unless given. */
  readonly filter?: LogFilter | undefined
}

/** Part of the log, read at one moment. */
export interface LogPage {
  /** In the order of positions. */
  readonly events: ReadonlyArray<Stored>
  /**
   * How far this page reaches: everything that matches up to here is in it, or before it. Keep it as the next `after`,
   * also when nothing matched.
   */
  readonly position: Position
  /** The last position of the log at that moment. */
  readonly head: Position
}

/** A stream at a glance. */
export interface StreamSummary extends StreamId {
  readonly version: Version
  /** When its first event was recorded, in whole milliseconds since 1970. */
  readonly createdAtMillis: number
  /** When its last event was recorded, in whole milliseconds since 1970. */
  readonly updatedAtMillis: number
}

/** Which streams to list: those of one category, in the order of their ids (by code points). */
export interface StreamsRange {
  readonly category: string
  /** The default tenant unless given. */
  readonly tenant?: string | undefined
  /** Only ids after this one. */
  readonly after?: string | undefined
  /** At most so many; 1 to 1,000, 100 unless given. */
  readonly limit?: number | undefined
}

/**
 * The log. `Memory.layer`, `Sqlite.layer` and `Postgres.layer` provide one.
 *
 * @example
 * ```ts
 * import { Effect } from "effect"
 * import * as Event from "varve/Event"
 * import { EventStore } from "varve/EventStore"
 * import * as Memory from "varve/memory/Memory"
 *
 * const stream = { tenant: Event.defaultTenant, category: "Cart", id: "c-1" }
 * const parts = {
 *   eventId: "0198c2a4-5b1e-7c3d-9f00-6a2b41d0e7aa",
 *   type: "ItemAdded",
 *   schemaVersion: 1,
 *   data: { sku: "tea" },
 *   metadata: { text: "{}", bytes: 2 }
 * }
 *
 * const program = Effect.gen(function*() {
 *   const store = yield* EventStore
 *   const event = yield* Effect.fromResult(Event.make(parts))
 *   const write = { stream, expected: "noStream", events: [event], receipts: [] } as const
 *   const [first] = yield* store.append([[write]])
 *   const other = yield* Effect.fromResult(Event.make({ ...parts, eventId: "0198c2a4-5b1f-7c3d-9f00-6a2b41d0e7aa" }))
 *   const [second] = yield* store.append([[{ ...write, events: [other] }]])
 *   const { version } = yield* store.readStream(stream)
 *   return { first, second, version }
 * })
 *
 * const { first, second, version } = await Effect.runPromise(Effect.provide(program, Memory.layer))
 * first // => { _tag: "Committed", writes: [{ version: 1, position: 1n }] }
 * second // => { _tag: "Conflict", write: 0, actual: 1 }
 * version // => 1
 * ```
 */
export class EventStore extends Context.Service<EventStore, {
  /** Names the database behind this layer: what shares it may share a transaction. */
  readonly storeId: string
  /**
   * Names this life of the log. It changes when the log may have been put back behind its readers, as when a database
   * is restored from a backup: a position from before may then be another event's.
   */
  readonly epoch: Effect.Effect<string, StoreUnavailable>
  /**
   * Only of a store whose log may be put back under a process that uses it, as by a restore or a failover that loses
   * commits: how often that was found since this layer was built, at once. Whoever remembers what he read when it was less
   * reads it again. An append that was on its way when it was found is not written: `StoreUnavailable`.
   */
  readonly life: (() => number) | undefined
  /**
   * Only of a store that owns its log alone: a stream's version, at once. It spares an aggregate the round trip of a
   * check write. `undefined` as an answer: it cannot tell just now.
   */
  readonly versionNow: ((stream: StreamId) => Version | undefined) | undefined
  /**
   * Only of a store that writes without waiting: the same as `append`, at once, at this time of the caller's clock. It
   * spares an aggregate the way through a group and a fiber.
   */
  readonly appendNow: ((group: ReadonlyArray<Append>, nowMillis: number) => ReadonlyArray<Status>) | undefined
  /**
   * Writes a group of independent appends, in this order, and answers each with a status, in the same order. For each
   * append: receipts first, then expectations, then inline views and their documents, then events. Durable when it
   * answers.
   *
   * A stream is at most once in a group. Positions within an append are consecutive, in the order of its writes. A
   * document may be in many writes: each is decided on what those before it have made.
   *
   * - `StoreUnavailable`: nothing was written
   * - `AppendLost`: any of them may have been written; send the same group again
   */
  readonly append: (group: ReadonlyArray<Append>) => Effect.Effect<ReadonlyArray<Status>, StoreUnavailable | AppendLost>
  /** Part of one stream, in version order or against it. An unknown stream is an empty one. */
  readonly readStream: (stream: StreamId, range?: StreamRange) => Effect.Effect<StreamPage, StoreUnavailable>
  /**
   * Part of the log, in position order. With a filter it looks at 10,000 positions at most, so a page may be empty and
   * still be progress.
   *
   * - `LogGap`: without a filter, a position is missing
   */
  readonly readAll: (range: LogRange) => Effect.Effect<LogPage, StoreUnavailable | LogGap>
  /**
   * The log in position order, page by page, and then on as it grows; never ends. A page may be empty when a filter
   * passed over events: its `position` is progress all the same.
   */
  readonly follow: (range: LogRange) => Stream.Stream<LogPage, StoreUnavailable | LogGap>
  /** The receipt of a command, if it was carried out. */
  readonly receipt: (stream: StreamId, commandId: string) => Effect.Effect<Receipt | undefined, StoreUnavailable>
  /** The last position of the log; 0 when it is empty. */
  readonly head: Effect.Effect<Position, StoreUnavailable>
  /** The streams of a category that have events, in the order of their ids (by code points). */
  readonly streams: (range: StreamsRange) => Effect.Effect<ReadonlyArray<StreamSummary>, StoreUnavailable>
  /**
   * Counts the log beyond `after`, at most 100,000 positions of it, and answers how far it has come: `after` itself at
   * the head.
   *
   * - `LogGap`: a position is missing. It names the first hole; the audit can go on behind it, at `found - 1n`
   */
  readonly audit: (after: Position) => Effect.Effect<Position, StoreUnavailable | LogGap>
  /**
   * Forgets receipts of commands that were carried out before `beforeMillis`, at most `limit` of them, oldest first,
   * and answers how many. A command that is repeated later than that is carried out again.
   */
  readonly pruneReceipts: (options: {
    readonly beforeMillis: number
    readonly limit: number
  }) => Effect.Effect<number, StoreUnavailable>
}>()("varve/EventStore") {}
