/**
 * The port of dead letters: events that a reader could not work off, with why; and the streams that are parked because
 * of one, so that their order is kept while others go on. Nothing is passed over without a letter. Checked by
 * `varve/testing/DeadLettersSuite`.
 */
import { Context, type Effect } from "effect"
import type { Position, StreamId } from "./Event.ts"
import type { StoreUnavailable } from "./EventStore.ts"

/** Whose letter: a reader by its name, and the version of its code. */
export interface ReaderId {
  readonly name: string
  readonly version: number
}

/** Why: nobody knows its type, it cannot be decoded, the reader failed at it, or its schema is newer than this build. */
export type DeadReason = "TypeUnknown" | "Undecodable" | "HandlerFailed" | "SchemaTooNew"

/** An event that a reader could not work off. */
export interface NewDeadLetter {
  readonly reader: ReaderId
  /** The event's place in the log: a reader has one letter for it at most. */
  readonly position: Position
  readonly stream: StreamId
  /** As in the log. */
  readonly type: string
  readonly reason: DeadReason
  /**
   * What went wrong, in plain words, without a stack. Kept are its first 4,000 characters; those that no store can keep
   * become U+FFFD.
   */
  readonly error: string
}

/** A letter as it is kept: its stream and type as they were put first, the rest as it was put last. */
export interface DeadLetter extends NewDeadLetter {
  /** How often it was tried and failed: how often the letter was put. */
  readonly attempts: number
  /** The store's clock when it failed for the first time and the last, in whole milliseconds since 1970. */
  readonly firstAtMillis: number
  readonly lastAtMillis: number
}

/** A stream that a reader passes over, from one of its events on. */
export interface ParkedStream {
  readonly reader: ReaderId
  readonly stream: StreamId
  /** Its first event that has not been worked off. */
  readonly fromPosition: Position
  /** The store's clock, in whole milliseconds since 1970. */
  readonly sinceMillis: number
}

/**
 * The dead letters of all readers in this store.
 *
 * What is asked inside a transaction (`CheckpointStore.advance`, or that of the same database's `SqlClient`) takes part
 * in it. A name, number or position that cannot be one finds nothing where it is read; where it would be written it is a
 * defect with `InputInvalid` or `LimitExceeded`, since it comes from code, or from the log.
 *
 * @example
 * ```ts
 * import { Effect } from "effect"
 * import { DeadLetters } from "varve/DeadLetters"
 * import * as Memory from "varve/memory/Memory"
 *
 * const reader = { name: "invoices", version: 1 }
 * const stream = { tenant: "t", category: "Order", id: "o-1" }
 *
 * const program = Effect.gen(function*() {
 *   const { list, park, parked, put } = yield* DeadLetters
 *   yield* put({ reader, position: 7n, stream, type: "OrderPlaced", reason: "HandlerFailed", error: "no such customer" })
 *   yield* park({ reader, stream, fromPosition: 7n })
 *   const [letter] = yield* list({ reader })
 *   const [first] = yield* parked(reader)
 *   return [letter?.error, letter?.attempts, first?.stream.id]
 * })
 *
 * await Effect.runPromise(Effect.provide(program, Memory.layer)) // => ["no such customer", 1, "o-1"]
 * ```
 */
export class DeadLetters extends Context.Service<DeadLetters, {
  /** Names the database behind this layer. */
  readonly storeId: string
  /** Keeps a letter; if there is one of that reader and event, it has failed once more. */
  readonly put: (letter: NewDeadLetter) => Effect.Effect<void, StoreUnavailable>
  /** Letters by position, then by the reader's name (in code points) and version: of one reader, or of all. */
  readonly list: (query: {
    readonly reader?: ReaderId | undefined
    /** Only letters after this one in that order; without a reader, all after its position. It need not exist. */
    readonly after?: { readonly position: Position; readonly reader?: ReaderId | undefined } | undefined
    /** At most so many; 1 to 1,000, 100 unless given. */
    readonly limit?: number | undefined
  }) => Effect.Effect<ReadonlyArray<DeadLetter>, StoreUnavailable>
  /** One letter, if it is there. */
  readonly get: (reader: ReaderId, position: Position) => Effect.Effect<DeadLetter | undefined, StoreUnavailable>
  /** How many letters a reader has. */
  readonly count: (reader: ReaderId) => Effect.Effect<number, StoreUnavailable>
  /** Forgets a letter: it was worked off, or nobody wants to. Answers whether it was there. */
  readonly remove: (reader: ReaderId, position: Position) => Effect.Effect<boolean, StoreUnavailable>
  /** Forgets all letters and parked streams of a reader: it begins anew, or is gone. */
  readonly clear: (reader: ReaderId) => Effect.Effect<void, StoreUnavailable>
  /** Parks a stream from a position on; nothing if that reader has parked it already, wherever from. */
  readonly park: (
    stream: Pick<ParkedStream, "reader" | "stream" | "fromPosition">
  ) => Effect.Effect<void, StoreUnavailable>
  /** The parked streams of a reader, in the order of the positions from which they are. */
  readonly parked: (reader: ReaderId) => Effect.Effect<ReadonlyArray<ParkedStream>, StoreUnavailable>
  /** Takes a stream back, if it is still parked from that position. Answers whether it was. */
  readonly unpark: (
    stream: Pick<ParkedStream, "reader" | "stream" | "fromPosition">
  ) => Effect.Effect<boolean, StoreUnavailable>
}>()("varve/DeadLetters") {}
