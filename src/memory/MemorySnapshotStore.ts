/**
 * Snapshots in memory, beside the log that they belong to.
 */
import { Clock, Effect } from "effect"
import { SnapshotStore } from "../SnapshotStore.ts"
import { streamEvents } from "./MemoryEventStore.ts"
import * as MemoryLog from "./MemoryLog.ts"

/** The snapshot store over a log. A stream that was never written to has no snapshot. */
export const make = (log: MemoryLog.MemoryLog): SnapshotStore["Service"] =>
  SnapshotStore.of({
    load: (stream, { atMost } = {}) =>
      Effect.map(Clock.currentTimeMillis, (nowMillis) => {
        const branch = MemoryLog.find(log, stream)
        const kept = branch?.snapshot
        const snapshot = kept !== undefined && kept.version <= (atMost ?? kept.version) ? kept : undefined
        const events = streamEvents(branch?.events ?? [], { after: snapshot?.version, to: atMost })
        const version = MemoryLog.versionOf(log, stream)
        return { snapshot, tail: { events, version, readAtMillis: MemoryLog.tick(log, nowMillis) } }
      }),
    save: (stream, snapshot) =>
      Effect.sync(() => {
        const branch = MemoryLog.find(log, stream)
        if (branch === undefined || branch.events.length === 0) return false
        if (branch.snapshot !== undefined && branch.snapshot.version >= snapshot.version) return false
        const { checksum, fingerprint, state, version } = snapshot
        branch.snapshot = Object.freeze({ version, fingerprint, state, checksum })
        return true
      }),
    discard: (stream, version) =>
      Effect.sync(() => {
        const branch = MemoryLog.find(log, stream)
        if (branch?.snapshot?.version !== version) return false
        branch.snapshot = undefined
        return true
      })
  })
