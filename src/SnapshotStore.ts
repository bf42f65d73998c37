/**
 * The port of snapshots: a folded state with the version that it stands for. Losing one costs time, never truth, so
 * whoever doubts a snapshot discards it and replays in full. Checked by `varve/testing/SnapshotStoreSuite`.
 */
import { Context, type Effect } from "effect"
import type { StreamId, Version } from "./Event.ts"
import type { StoreUnavailable, StreamPage } from "./EventStore.ts"

/** A state at a version. */
export interface Snapshot {
  /** How many events the state stands for; 1 at least. */
  readonly version: Version
  /** Of the code that folded the state: another fingerprint means that the state may mean something else. */
  readonly fingerprint: string
  /** The state as JSON text. */
  readonly state: string
  /** SHA-256 of `state`, in hexadecimal, as it was when it was saved. */
  readonly checksum: string
}

/** A snapshot and the events after it, read at one moment. */
export interface Loaded {
  readonly snapshot: Snapshot | undefined
  /** The first page of what follows the snapshot; of the whole stream if there is none. */
  readonly tail: StreamPage
}

/**
 * The snapshots of the streams in a log, the newest of each. Whoever provides the log provides them.
 *
 * @example
 * ```ts
 * import { Effect } from "effect"
 * import * as Event from "varve/Event"
 * import * as Memory from "varve/memory/Memory"
 * import { SnapshotStore } from "varve/SnapshotStore"
 *
 * const stream = { tenant: Event.defaultTenant, category: "Cart", id: "c-1" }
 *
 * const program = Effect.gen(function*() {
 *   const snapshots = yield* SnapshotStore
 *   const kept = yield* snapshots.save(stream, { version: 3, fingerprint: "f", state: "{}", checksum: "c" })
 *   const { snapshot, tail } = yield* snapshots.load(stream)
 *   return { kept, snapshot, events: tail.events }
 * })
 *
 * // A stream without events has no snapshot, whoever says so.
 * const nothing = { kept: false, snapshot: undefined, events: [] }
 * await Effect.runPromise(Effect.provide(program, Memory.layer)) // => nothing
 * ```
 */
export class SnapshotStore extends Context.Service<SnapshotStore, {
  /**
   * The snapshot of a stream and the events after it, in one round trip. With `atMost`, a snapshot of a later version
   * counts as none, and the tail ends there.
   */
  readonly load: (
    stream: StreamId,
    options?: { readonly atMost?: Version | undefined }
  ) => Effect.Effect<Loaded, StoreUnavailable>
  /** Keeps a snapshot, in place of an older one only. Answers whether it was kept. */
  readonly save: (stream: StreamId, snapshot: Snapshot) => Effect.Effect<boolean, StoreUnavailable>
  /** Forgets the snapshot of a stream if it is still of this version. Answers whether there was one. */
  readonly discard: (stream: StreamId, version: Version) => Effect.Effect<boolean, StoreUnavailable>
}>()("varve/SnapshotStore") {}
