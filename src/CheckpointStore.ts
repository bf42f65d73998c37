/**
 * The port of checkpoints: how far a reader of the log has come, kept where its work is kept. Both move in one
 * transaction, so work in the same database is done exactly once, also with two runners and after any crash. Checked by
 * `varve/testing/CheckpointStoreSuite`.
 *
 * The idea is pyeventsourcing's tracking row and Marten's progress row; the compare-and-set is what makes a second
 * runner harmless.
 */
import { Context, type Effect, Schema } from "effect"
import type { Position } from "./Event.ts"
import type { StoreUnavailable } from "./EventStore.ts"

/** Whose progress: a reader by its name (1 to 255 characters), the version of its code, and which of its partitions. */
export interface CheckpointId {
  readonly name: string
  /** 1 at least. Each version has progress of its own, so that a new one may catch up beside the old. */
  readonly version: number
  /** Which of its partitions, from 0. */
  readonly partition: number
}

/** How far a reader has come. */
export interface Checkpoint extends CheckpointId {
  /** Everything up to here is done, or was not wanted. */
  readonly position: Position
  /**
   * Grows with each change, by whomever; what `advance` compares. It never comes back: a checkpoint that was removed and
   * begins again goes on counting, so that nobody from before can take it for his own.
   */
  readonly revision: number
  /** The epoch of the log that `position` belongs to: see `EventStore.epoch`. */
  readonly epoch: string
  /** Why nobody may advance it, maybe an empty text; undefined if anybody may. */
  readonly paused: string | undefined
  /** The store's clock at the last change, in whole milliseconds since 1970. */
  readonly updatedAtMillis: number
}

/** Where a checkpoint is to go. */
export interface Step {
  readonly id: CheckpointId
  /** The revision that it must still have; 0 if there must be none yet. */
  readonly revision: number
  /** Where it goes, or stays. Backwards too: that is a reset. */
  readonly to: Position
  readonly epoch: string
}

/**
 * Somebody else has changed the checkpoint: another runner, or an operator who paused or reset it. Nothing of the work
 * was kept. `actual` is as it is now; undefined if it is gone.
 */
export class CheckpointMoved extends Schema.TaggedError<CheckpointMoved>()("CheckpointMoved", {
  name: Schema.String,
  version: Schema.Int,
  partition: Schema.Int,
  expected: Schema.Int,
  actual: Schema.UndefinedOr(Schema.Int),
  /** Why nobody may advance it, if nobody may. */
  paused: Schema.UndefinedOr(Schema.String)
}) {
  override get message() {
    const whose = `The checkpoint of "${this.name}" (version ${this.version}, partition ${this.partition})`
    return this.paused === undefined
      ? `${whose} was moved by somebody else: revision ${this.expected} was expected, it is ${this.actual ?? "gone"}`
      : `${whose} is paused: ${this.paused}`
  }
}

/**
 * The checkpoints of all readers whose work is kept in this store.
 *
 * Who is asked inside a transaction (that of `advance` or `transaction`, or of the same database's `SqlClient`) takes
 * part in it. One inside another is undone by itself if it fails, and kept with the outer one if not. Where a store has
 * answered `StoreUnavailable` inside a transaction it may have ended it: whoever goes on is told so at its end.
 *
 * A name, number or position that cannot be one finds nothing where it is read; where it would be written it is a
 * defect with `InputInvalid` or `LimitExceeded`, since names come from code and not from data.
 *
 * @example
 * ```ts
 * import { Effect } from "effect"
 * import { CheckpointStore } from "varve/CheckpointStore"
 * import * as Memory from "varve/memory/Memory"
 *
 * const step = { id: { name: "invoices", version: 1, partition: 0 }, revision: 0, to: 10n, epoch: "e" }
 *
 * const program = Effect.gen(function*() {
 *   const checkpoints = yield* CheckpointStore
 *   const { checkpoint, value } = yield* checkpoints.advance(step, Effect.succeed("done"))
 *   const again = yield* Effect.flip(checkpoints.advance(step, Effect.succeed("done twice")))
 *   return [value, checkpoint.revision, again._tag]
 * })
 *
 * await Effect.runPromise(Effect.provide(program, Memory.layer)) // => ["done", 1, "CheckpointMoved"]
 * ```
 */
export class CheckpointStore extends Context.Service<CheckpointStore, {
  /** Names the database behind this layer: what it shares with another port of the same id is one transaction. */
  readonly storeId: string
  /** A checkpoint, if its reader has ever come anywhere. */
  readonly get: (id: CheckpointId) => Effect.Effect<Checkpoint | undefined, StoreUnavailable>
  /** All checkpoints, or those of one reader, by name (in code points), version and partition. */
  readonly list: (name?: string) => Effect.Effect<ReadonlyArray<Checkpoint>, StoreUnavailable>
  /**
   * Moves a checkpoint and does `work`, both or neither, in one transaction: what `work` does with the other ports of
   * this store (`ViewStore.write`, `DeadLetters`), or with its `SqlClient`, is part of it. The checkpoint is taken
   * first, so of two runners one waits and then is refused before its work begins.
   *
   * `work` must not wait for anything but this store, and must act on nothing else: it may have run and not be kept.
   * Interruption and a failure or defect of `work` keep nothing.
   *
   * - `CheckpointMoved`: it has another revision, or is paused; `work` was not begun
   * - `StoreUnavailable`: nothing was kept, or, where it says so, it is not known whether all of it was: `get` tells
   */
  readonly advance: <A, E, R>(
    step: Step,
    work: Effect.Effect<A, E, R>
  ) => Effect.Effect<
    { readonly value: A; readonly checkpoint: Checkpoint },
    E | CheckpointMoved | StoreUnavailable,
    R
  >
  /**
   * Does `work` in one transaction, without a checkpoint: for what operators do. The same rules hold.
   */
  readonly transaction: <A, E, R>(work: Effect.Effect<A, E, R>) => Effect.Effect<A, E | StoreUnavailable, R>
  /**
   * Nobody may advance it any more; it is made, at position 0 of this epoch, if there is none. A reason is kept as the
   * first 1,000 characters of it; those that no store can keep become U+FFFD.
   */
  readonly pause: (id: CheckpointId, reason: string, epoch: string) => Effect.Effect<Checkpoint, StoreUnavailable>
  /** It may be advanced again, which changes nothing if it may already. Answers what it is now, if there is one. */
  readonly resume: (id: CheckpointId) => Effect.Effect<Checkpoint | undefined, StoreUnavailable>
  /** Forgets a checkpoint, but for its last revision. Answers whether there was one. */
  readonly remove: (id: CheckpointId) => Effect.Effect<boolean, StoreUnavailable>
}>()("varve/CheckpointStore") {}
