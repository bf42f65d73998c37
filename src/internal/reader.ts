/**
 * A reader: one partition of a projection on this runner, with what it is and how it fares.
 */
import { type Clock, type Duration, Effect, Schema, type Semaphore } from "effect"
import type { CheckpointId, CheckpointStore } from "../CheckpointStore.ts"
import type { DeadLetters, ReaderId } from "../DeadLetters.ts"
import type { Position } from "../Event.ts"
import type { EventStore, StoreUnavailable } from "../EventStore.ts"
import type { InlineViews } from "../InlineViews.ts"
import type { Lease } from "../Lease.ts"
import type { Definition, Target } from "../ProjectionHost.ts"
import type { Applier } from "./applier.ts"
import * as Attention from "./attention.ts"
import { elapsedMillis } from "./elapsed.ts"
import type { LiveVersions } from "./liveVersions.ts"
import type { Share } from "./partitions.ts"
import type { ProjectionTelemetry } from "./projectionTelemetry.ts"

/** Where progress is kept: the checkpoint store, or, of a fold, this process. */
export type Ledger = Omit<CheckpointStore["Service"], "storeId">

/** What a runner works with. */
export interface Ports {
  readonly events: EventStore["Service"]
  readonly checkpoints: CheckpointStore["Service"]
  readonly letters: DeadLetters["Service"]
  readonly leases: Lease["Service"]
  /** Where the stores have inline views. */
  readonly inline: InlineViews["Service"] | undefined
  readonly clock: Clock.Clock
  /** Names this runner to the others. */
  readonly holder: string
  /** How long a lease lasts that is not prolonged. */
  readonly leaseMillis: number
}

/** `Settings` with every default filled in. */
export interface Resolved {
  readonly partitions: number
  readonly onFailure: "pause" | "skip" | "quarantine"
  readonly tries: number
  readonly pageEvents: number
  readonly cachedDocuments: number
  readonly drainDeadline: Duration.Duration
}

/** A projection on this runner. */
export interface Running {
  readonly definition: Definition
  readonly target: Target
  readonly settings: Resolved
  readonly ports: Ports
  readonly ledger: Ledger
  /** Which version is read, where there are several. */
  readonly live: LiveVersions | undefined
  /** Makes room for what it writes; at once if that was done. */
  readonly prepared: Effect.Effect<void, StoreUnavailable>
  readonly telemetry: ProjectionTelemetry
  readonly readers: ReadonlyArray<Reader>
  /** To how far it has come, and how it fares. */
  readonly progress: Attention.Attention
}

/**
 * - `standby`: another runner works on it
 * - `running`: it follows the log
 * - `retrying`: an event or the store failed, and it tries again in a moment
 * - `paused`: nobody goes on before an operator says so
 * - `stopped`: what it finds is not what it was filled from; it looks again from time to time
 * - `inline`: appends take its events in
 */
export type State = "standby" | "running" | "retrying" | "paused" | "stopped" | "inline"

/** How a reader fares. */
export interface Fared {
  /** To what was changed by an operator, or found out by a watch. */
  readonly attention: Attention.Attention
  state: State
  /** It is this runner's to work on. */
  isLeased: boolean
  /** Why it is in that state, if it is not as it should be. */
  why: string | undefined
  /** How far it has come, as far as this runner knows. */
  position: Position
  /** Where the log ended when it last looked. */
  head: Position
  /** The revision of the checkpoint that it relies on; undefined while it relies on none, or changes it. */
  revision: number | undefined
  /** Since when it waits, for the store or for events; undefined while it works. */
  waiting: { readonly what: "page" | "store"; readonly sinceMillis: number } | undefined
  /** How often it has failed since it last succeeded. */
  failures: number
  /** It has been said what it fails of. */
  complained: boolean
  /** It is applying events, or setting them down. */
  busy: boolean
  /** It begins nothing more. */
  closing: boolean
  /** It begins nothing more before it has looked at its checkpoint again. */
  givingWay: boolean
  /** Somebody in this process does something by hand at its checkpoint. */
  held: boolean
}

/** One partition of it. */
export interface Reader extends Fared {
  readonly running: Running
  readonly id: CheckpointId
  /** Whose its dead letters are. */
  readonly letterId: ReaderId
  readonly share: Share
  readonly applier: Applier
  /** Another one, for what is done by hand beside it. */
  readonly makeApplier: () => Applier
  /** Of whoever does something by hand. */
  readonly byHand: Semaphore.Semaphore
  /** From when on it asks whether its view may be inline. */
  inlineAfterMillis: number
  /** Where it was when it began, and when: for its speed. */
  began: { readonly position: Position; readonly atMillis: number } | undefined
}

/** It may not go on: `reason` says why. */
export class Paused extends Schema.TaggedError<Paused>()("Paused", { reason: Schema.String }) {}

/** It stood still although the log went on: whatever it waited for, it waits for it anew. */
export class StoodStill extends Schema.TaggedError<StoodStill>()("StoodStill", {
  projection: Schema.String,
  seconds: Schema.Int
}) {
  override get message() {
    return `"${this.projection}" stood still for ${this.seconds} s although it was behind; it begins anew`
  }
}

type Waiting = NonNullable<Reader["waiting"]>

/** Shows a watch what is waited for. */
export const awaiting = (reader: Reader, what: Waiting["what"]) => <A, E, R>(effect: Effect.Effect<A, E, R>) =>
  Effect.suspend(() => {
    reader.waiting = { what, sinceMillis: elapsedMillis(reader.running.ports.clock) }
    return Effect.ensuring(effect, Effect.sync(() => reader.waiting = undefined))
  })

/** What takes as long as it takes: the user's own work. */
export const working = (fared: Fared, clock: Clock.Clock) => <A, E>(effect: Effect.Effect<A, E>): Effect.Effect<A, E> =>
  Effect.suspend(() => {
    const { waiting } = fared
    fared.waiting = undefined
    const goOn = () => fared.waiting = waiting && { ...waiting, sinceMillis: elapsedMillis(clock) }
    return Effect.ensuring(effect, Effect.sync(goOn))
  })

/** What is to be finished once it was begun; nothing more is begun once it closes. */
export const finishing = (reader: Reader) => <A, E, R>(effect: Effect.Effect<A, E, R>): Effect.Effect<A, E, R> =>
  Effect.suspend(() => {
    if (reader.closing || reader.givingWay) return Effect.never
    reader.busy = true
    const done = () => {
      reader.busy = false
      Attention.call(reader.running.progress)
    }
    return Effect.ensuring(effect, Effect.sync(done))
  })

/** Ends when none of them is in the middle of anything. */
export const idle = (readers: ReadonlyArray<Reader>, progress: Attention.Attention): Effect.Effect<void> =>
  Effect.suspend(() =>
    readers.some(({ busy }) => busy)
      ? Effect.andThen(Attention.after(progress, progress.calls), idle(readers, progress))
      : Effect.void
  )

/** Says how it fares. */
export const enter = (reader: Reader, state: State, why?: string): void => {
  reader.state = state
  reader.why = why
  Attention.call(reader.running.progress)
}

/** Says how far it has come. */
export const reach = (reader: Reader, position: Position): void => {
  reader.position = position
  Attention.call(reader.running.progress)
}
