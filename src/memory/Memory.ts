/**
 * All stores in memory, over one log: for tests, examples, and whatever may be forgotten.
 */
import { Context, Effect, Layer } from "effect"
import { SecureRandom } from "effect/crypto"
import { EventStore } from "../EventStore.ts"
import { SnapshotStore } from "../SnapshotStore.ts"
import * as MemoryEventStore from "./MemoryEventStore.ts"
import * as MemoryLog from "./MemoryLog.ts"
import * as MemorySnapshotStore from "./MemorySnapshotStore.ts"

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
export const layer: Layer.Layer<EventStore | SnapshotStore> = Layer.effectContext(
  Effect.sync(() => {
    const log = MemoryLog.make()
    return Context.make(EventStore, MemoryEventStore.make(log, SecureRandom.uuidV7Unsafe())).pipe(
      Context.add(SnapshotStore, MemorySnapshotStore.make(log))
    )
  })
)
