/**
 * The port of those who look after projections: how they fare, and what is done by hand. `ProjectionRunner.layer`
 * provides it; it knows the projections that are run in its process.
 */
import { Context, type Duration, type Effect, Schema } from "effect"
import type { DeadLetter, DeadReason, ParkedStream } from "./DeadLetters.ts"
import type { Position, StreamId, Version } from "./Event.ts"
import type { StoreUnavailable } from "./EventStore.ts"
import type { Kind, ProjectionBehind } from "./ProjectionHost.ts"
import type { LiveVersion } from "./ViewStore.ts"

/** No projection of that name is run in this process; `known` are those that are. */
export class ProjectionUnknown extends Schema.TaggedError<ProjectionUnknown>()("ProjectionUnknown", {
  projection: Schema.String,
  known: Schema.Array(Schema.String)
}) {
  override get message() {
    return `No projection "${this.projection}" is run here; there are ${this.known.join(", ") || "none"}`
  }
}

/** What was asked for cannot be done as things are; nothing was changed. `problem` says what to do first. */
export class OperationRefused extends Schema.TaggedError<OperationRefused>()("OperationRefused", {
  projection: Schema.String,
  operation: Schema.String,
  problem: Schema.String
}) {
  override get message() {
    return `"${this.projection}" cannot be asked for ${this.operation}: ${this.problem}`
  }
}

/** Why something was not done. */
export type OperationFailure = ProjectionUnknown | OperationRefused | StoreUnavailable

/**
 * - `standby`: a worker elsewhere runs it, or nobody does yet
 * - `running`: it follows the log
 * - `retrying`: an event or the store failed, and it tries again in a moment
 * - `paused`: nobody goes on before an operator says so
 * - `stopped`: what it finds is not what it was filled from; `why` says what can be done
 * - `inline`: appends take its events in, in all processes, and it is never behind
 */
export type ProjectionState = "standby" | "running" | "retrying" | "paused" | "stopped" | "inline"

/** A part of a projection. */
export interface PartitionStatus {
  readonly partition: number
  readonly position: Position
  readonly state: ProjectionState
  /** Why it is in that state, if it is not as it should be. */
  readonly why: string | undefined
}

/** How far a new version has come that is not read yet. */
export interface Rebuild {
  /** Of the log, in positions. */
  readonly done: Position
  readonly total: Position
  /** Positions a second, since it was begun or taken up; 0 while nothing is known. */
  readonly perSecond: number
  /** undefined while nothing is known. */
  readonly remainingSeconds: number | undefined
}

/** How a projection fares. */
export interface ProjectionStatus {
  readonly name: string
  readonly kind: Kind
  /** Of the code in this process. */
  readonly version: number
  /** Which version is read; undefined where there are none, or none yet. */
  readonly live: LiveVersion | undefined
  /** That of the partition that is worst off. */
  readonly state: ProjectionState
  readonly why: string | undefined
  /** Everything up to here is done, or has its letter, or was not wanted. */
  readonly position: Position
  readonly head: Position
  /** How many positions it is behind; not all of them need be wanted. */
  readonly lagEvents: Position
  /** How old the first event is that it has not looked at; 0 where there is none. */
  readonly lagSeconds: number
  readonly partitions: ReadonlyArray<PartitionStatus>
  /** How many dead letters there are, and how many streams are passed over. */
  readonly letters: number
  readonly parked: number
  readonly rebuild: Rebuild | undefined
  /** All versions that have progress, this one among them. */
  readonly versions: ReadonlyArray<{ readonly version: number; readonly position: Position }>
}

/** What one event did. */
export interface Stepped {
  readonly partition: number
  readonly position: Position
  readonly stream: StreamId
  readonly version: Version
  readonly type: string
  /** What became of which document; of a fold, of its one state, under an empty key. Nothing is known of other targets. */
  readonly changes: ReadonlyArray<{
    readonly tenant: string
    readonly key: string
    readonly before: unknown
    readonly after: unknown
  }>
  /** Why it could not be worked off: then nothing was changed, and it comes again with the next step. */
  readonly failure: { readonly reason: DeadReason; readonly error: string } | undefined
}

/** What came of trying again. */
export interface Retried {
  /** How many events were worked off now. Of a projection that was paused, 0: its runner tries again by itself. */
  readonly applied: number
  /** The letter that is left because an event failed again; undefined if all is well. */
  readonly left: { readonly position: Position; readonly error: string } | undefined
}

/**
 * Projections, from outside.
 *
 * @example
 * ```ts
 * import { Effect, Layer, Schema } from "effect"
 * import * as Event from "varve/Event"
 * import * as Memory from "varve/memory/Memory"
 * import * as Projection from "varve/Projection"
 * import * as ProjectionRunner from "varve/ProjectionRunner"
 * import { Projections } from "varve/Projections"
 *
 * const BellEvent = Event.union({ BellRung: {} })
 * class Bells extends Projection.View<Bells>()("bells", {
 *   version: 1,
 *   document: Schema.Struct({ rings: Schema.Int })
 * }) {}
 * const BellsLive = Bells.toLayer((on) => [
 *   on(BellEvent, { BellRung: (bell) => ({ rings: (bell?.rings ?? 0) + 1 }) })
 * ])
 *
 * const program = Effect.gen(function*() {
 *   const projections = yield* Projections
 *   yield* projections.pause("bells", { reason: "a closer look" })
 *   const [bells] = yield* projections.status("bells")
 *   yield* projections.resume("bells")
 *   return [bells?.state, bells?.why]
 * })
 * const Live = BellsLive.pipe(Layer.provideMerge(ProjectionRunner.layer), Layer.provide(Memory.layer))
 * await Effect.runPromise(Effect.provide(program, Live)) // => ["paused", "a closer look"]
 * ```
 */
export class Projections extends Context.Service<Projections, {
  /** How one fares, or all, by name. */
  readonly status: (name?: string) => Effect.Effect<ReadonlyArray<ProjectionStatus>, OperationFailure>
  /** Ends when a projection has applied all that it wants up to a position; `ProjectionBehind` if not by the deadline. */
  readonly await: (
    name: string,
    position: Position,
    options: { readonly deadline: Duration.Input }
  ) => Effect.Effect<void, OperationFailure | ProjectionBehind>
  /** Nobody goes on with it, in no process, until `resume`. What is being committed may still be. */
  readonly pause: (
    name: string,
    options?: { readonly reason?: string | undefined }
  ) => Effect.Effect<void, OperationFailure>
  /** It goes on. An event for which it was paused is tried again. */
  readonly resume: (name: string) => Effect.Effect<void, OperationFailure>
  /**
   * Empties it, forgets its letters and begins at the first event; its documents are missing meanwhile. Where they must
   * not be, raise its version instead. Refused for an effect, which must not be done again, and for SQL that has no
   * `clear`.
   */
  readonly reset: (name: string) => Effect.Effect<void, OperationFailure>
  /** After `StoreRestored`: what was read is still true, so it goes on where it was. */
  readonly accept: (name: string) => Effect.Effect<void, OperationFailure>
  /** Works off one event of a paused projection, the first that it wants; undefined if there is none. It stays paused. */
  readonly step: (name: string) => Effect.Effect<Stepped | undefined, OperationFailure>
  /** Its dead letters, by position. */
  readonly deadLetters: (
    name: string,
    options?: {
      /** Only letters after this position; 0 unless given. */
      readonly after?: Position | undefined
      /** At most so many; 1 to 1,000, 100 unless given. */
      readonly limit?: number | undefined
    }
  ) => Effect.Effect<ReadonlyArray<DeadLetter>, OperationFailure>
  /** The streams that it passes over, by the position from which on. */
  readonly parked: (name: string) => Effect.Effect<ReadonlyArray<ParkedStream>, OperationFailure>
  /**
   * Tries an event again that has a letter. A projection that was paused at it goes on. A stream that is passed over is
   * taken back: what came to it meanwhile is worked off in its order, nothing is left out and nothing done twice. An event
   * that was skipped is worked off now, after what came behind it.
   */
  readonly retry: (name: string, position: Position) => Effect.Effect<Retried, OperationFailure>
  /** Gives an event up for good, and its letter with it. What came behind it is worked off as after `retry`. */
  readonly discard: (name: string, position: Position) => Effect.Effect<Retried, OperationFailure>
  /**
   * An older, or any other version is read from now on, until `unpin`: as soon as it holds all that is in the log at the
   * moment of the call, which needs a worker that has its code. Refused if it does not by the deadline.
   */
  readonly rollback: (
    name: string,
    to: number,
    options: { readonly deadline: Duration.Input }
  ) => Effect.Effect<void, OperationFailure>
  /** A newer version may take over again, as soon as it has caught up. */
  readonly unpin: (name: string) => Effect.Effect<void, OperationFailure>
  /** Forgets a version that is neither read nor run here: its documents, checkpoints and letters. */
  readonly drop: (name: string, version: number) => Effect.Effect<void, OperationFailure>
}>()("varve/Projections") {}
