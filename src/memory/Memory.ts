/**
 * All stores in memory, over one log: for tests, examples, and whatever may be forgotten.
 */
import { Context, Effect, Layer } from "effect"
import { SecureRandom } from "effect/crypto"
import { CheckpointStore } from "../CheckpointStore.ts"
import { DeadLetters } from "../DeadLetters.ts"
import { EventStore } from "../EventStore.ts"
import { InlineViews } from "../InlineViews.ts"
import { Lease } from "../Lease.ts"
import { SnapshotStore } from "../SnapshotStore.ts"
import { ViewStore } from "../ViewStore.ts"
import * as MemoryCheckpointStore from "./MemoryCheckpointStore.ts"
import * as MemoryDeadLetters from "./MemoryDeadLetters.ts"
import * as MemoryEventStore from "./MemoryEventStore.ts"
import * as MemoryInlineViews from "./MemoryInlineViews.ts"
import * as MemoryLease from "./MemoryLease.ts"
import * as MemoryLog from "./MemoryLog.ts"
import * as MemorySnapshotStore from "./MemorySnapshotStore.ts"
import * as MemoryTables from "./MemoryTables.ts"
import * as MemoryViewStore from "./MemoryViewStore.ts"

/**
 * The stores in memory. Each time the Layer is built the log is new and empty; it goes when the Layer's scope closes.
 *
 * @example
 * ```ts
 * import { Effect } from "effect"
 * import { EventStore } from "varve/EventStore"
 * import * as Memory from "varve/memory/Memory"
 *
 * const head = Effect.flatMap(EventStore, (store) => store.head)
 *
 * await Effect.runPromise(Effect.provide(head, Memory.layer)) // => 0n
 * ```
 */
export const layer: Layer.Layer<
  EventStore | SnapshotStore | CheckpointStore | ViewStore | InlineViews | DeadLetters | Lease
> = Layer.effectContext(
  Effect.sync(() => {
    const storeId = SecureRandom.uuidV7Unsafe()
    const log = MemoryLog.make()
    const tables = MemoryTables.make(log, storeId)
    return Context.make(EventStore, MemoryEventStore.make(log, storeId)).pipe(
      Context.add(SnapshotStore, MemorySnapshotStore.make(log)),
      Context.add(CheckpointStore, MemoryCheckpointStore.make(tables, storeId)),
      Context.add(ViewStore, MemoryViewStore.make(tables, storeId)),
      Context.add(InlineViews, MemoryInlineViews.make(tables, storeId)),
      Context.add(DeadLetters, MemoryDeadLetters.make(tables, storeId)),
      Context.add(Lease, MemoryLease.make(tables))
    )
  })
)
