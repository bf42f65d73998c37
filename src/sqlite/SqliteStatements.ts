/**
 * The statements of the log and its snapshots, prepared once: one statement, one name. They run inside a turn of
 * `SqliteClient`.
 */
import type { DatabaseSync } from "node:sqlite"
import type { New, Stored, StreamId, Version } from "../Event.ts"
import type { LogFilter, NewReceipt, Receipt, StreamSummary } from "../EventStore.ts"
import type { Snapshot } from "../SnapshotStore.ts"
import { nameOf, type Preparer, prepareWith } from "./SqlitePreparer.ts"

const eventColumns =
  "tenant, category, stream_id, version, position, event_id, type, schema_version, data, metadata, recorded_at"

/** An event's columns, in that order; SQLite's integers are read as numbers, which the engine refuses to round. */
type EventRow = readonly [
  tenant: string,
  category: string,
  id: string,
  version: number,
  position: number,
  eventId: string,
  type: string,
  schemaVersion: number,
  data: string,
  metadata: string,
  recordedAtMillis: number
]

/** The end of the log. */
export interface Head {
  readonly position: number
  readonly recordedAtMillis: number
}

/** What a write puts into a row beside the event itself. */
export interface Place {
  readonly stream: StreamId
  readonly version: Version
  readonly position: number
  readonly recordedAtMillis: number
}

/** The statements of all tables, ready to run. */
export type SqliteStatements = ReturnType<typeof make>

/** Prepares them. The tables must exist. */
export const make = (database: DatabaseSync) => {
  const preparer = prepareWith(database)
  return {
    ...appending(preparer),
    ...reading(preparer),
    ...receipts(preparer),
    ...snapshots(preparer),
    ...file(preparer)
  }
}

/** What a write has to know, and to add. */
const appending = ({ one, run, value }: Preparer) => {
  const selectHead = one<Head>(
    "SELECT position, recorded_at AS recordedAtMillis FROM varve_events ORDER BY position DESC LIMIT 1"
  )
  const selectVersion = value<number>(`SELECT version FROM varve_events
    WHERE tenant = ? AND category = ? AND stream_id = ? ORDER BY version DESC LIMIT 1`)
  const selectEvent = one<{ readonly eventId: string; readonly position: number }>(
    `SELECT event_id AS eventId, position FROM varve_events
    WHERE tenant = ? AND category = ? AND stream_id = ? AND version = ?`
  )
  const selectVersionAt = one<{ readonly version: number }>("SELECT version FROM varve_events WHERE position = ?")
  const insertEvent = run(`INSERT INTO varve_events
    (position, tenant, category, stream_id, version, type, schema_version, event_id, recorded_at, data, metadata)
    VALUES (?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?)`)

  return {
    head: (): Head => selectHead() ?? { position: 0, recordedAtMillis: 0 },
    version: (stream: StreamId): Version => selectVersion(...keyOf(stream)) ?? 0,
    event: (stream: StreamId, version: Version) => selectEvent(...keyOf(stream), version),
    versionAt: (position: number) => selectVersionAt(position)?.version,
    insertEvent: ({ position, recordedAtMillis, stream, version }: Place, event: New) => {
      const { category, id, tenant } = stream
      const { data, eventId, metadata, schemaVersion, type } = event
      const place = [position, tenant, category, id, version] as const
      return insertEvent(...place, type, schemaVersion, eventId, recordedAtMillis, data, metadata)
    }
  }
}

/** What readers of streams and of the log ask for. */
const reading = ({ all, arrays, one }: Preparer) => {
  const selectForwards = arrays<EventRow>(`SELECT ${eventColumns} FROM varve_events
    WHERE tenant = ? AND category = ? AND stream_id = ? AND version > ? AND version <= ? ORDER BY version LIMIT ?`)
  const selectBackwards = arrays<EventRow>(`SELECT ${eventColumns} FROM varve_events
    WHERE tenant = ? AND category = ? AND stream_id = ? AND version > ? AND version <= ? ORDER BY version DESC LIMIT ?`)
  const selectLog = arrays<EventRow>(`SELECT ${eventColumns} FROM varve_events
    WHERE position > ? AND position <= ? ORDER BY position LIMIT ?`)
  // A list that is not given is NULL. The bounds come first: a filter looks at a bounded part of the log.
  const selectFiltered = arrays<EventRow>(`SELECT ${eventColumns} FROM varve_events
    WHERE position > ?1 AND position <= ?2
      AND (?3 IS NULL OR tenant IN (SELECT value FROM json_each(?3)))
      AND (?4 IS NULL OR category IN (SELECT value FROM json_each(?4)))
      AND (?5 IS NULL OR type IN (SELECT value FROM json_each(?5)))
    ORDER BY position LIMIT ?6`)
  const countLog = one<{ readonly count: number }>(
    "SELECT count(*) AS count FROM varve_events WHERE position > ? AND position <= ?"
  )
  const selectNext = one<{ readonly position: number }>(
    "SELECT position FROM varve_events WHERE position > ? ORDER BY position LIMIT 1"
  )
  // From one id to the next by the index: the cost is that of the streams listed, not of their events. CROSS keeps the
  // planner in this order; left to itself it would walk all events of the category first.
  const selectStreams = all<StreamSummary>(`WITH RECURSIVE ids (id) AS (
      SELECT min(stream_id) FROM varve_events WHERE tenant = ?1 AND category = ?2 AND stream_id > ?3
      UNION ALL
      SELECT (SELECT min(stream_id) FROM varve_events WHERE tenant = ?1 AND category = ?2 AND stream_id > ids.id)
      FROM ids WHERE ids.id IS NOT NULL LIMIT ?4
    )
    SELECT first.tenant, first.category, first.stream_id AS id, last.version,
      first.recorded_at AS createdAtMillis, last.recorded_at AS updatedAtMillis
    FROM ids
    CROSS JOIN varve_events first ON first.tenant = ?1 AND first.category = ?2 AND first.stream_id = ids.id
      AND first.version = 1
    CROSS JOIN varve_events last ON last.tenant = ?1 AND last.category = ?2 AND last.stream_id = ids.id
      AND last.version = (SELECT max(version) FROM varve_events
        WHERE tenant = ?1 AND category = ?2 AND stream_id = ids.id)
    ORDER BY id`)

  return {
    stream: (
      stream: StreamId,
      bounds: { readonly after: Version; readonly to: Version; readonly limit: number; readonly forwards: boolean }
    ): ReadonlyArray<Stored> => {
      const select = bounds.forwards ? selectForwards : selectBackwards
      return select(...keyOf(stream), bounds.after, bounds.to, bounds.limit).map(toStored)
    },
    log: (after: number, to: number, limit: number): ReadonlyArray<Stored> => selectLog(after, to, limit).map(toStored),
    filteredLog: (after: number, to: number, limit: number, filter: LogFilter): ReadonlyArray<Stored> => {
      const { categories, tenants, types } = filter
      return selectFiltered(after, to, listed(tenants), listed(categories), listed(types), limit).map(toStored)
    },
    countLog: (after: number, to: number): number => countLog(after, to)!.count,
    positionAfter: (position: number): number | undefined => selectNext(position)?.position,
    streams: (tenant: string, category: string, after: string, limit: number) =>
      selectStreams(nameOf(tenant), nameOf(category), after, limit).map((row) => ({ ...row }))
  }
}

const receipts = ({ one, run }: Preparer) => {
  const selectReceipt = one<Omit<Receipt, "stream" | "position"> & { readonly position: number | null }>(
    `SELECT command_id AS commandId, hash, version, position, outcome FROM varve_receipts
    WHERE tenant = ? AND category = ? AND stream_id = ? AND command_id = ?`
  )
  const insertReceipt = run(`INSERT INTO varve_receipts
    (tenant, category, stream_id, command_id, hash, version, position, outcome, recorded_at)
    VALUES (?, ?, ?, ?, ?, ?, ?, ?, ?)`)
  const deleteReceipts = run(`DELETE FROM varve_receipts WHERE number IN
    (SELECT number FROM varve_receipts ORDER BY number LIMIT ?1) AND recorded_at < ?2`)

  return {
    receipt: (stream: StreamId, commandId: string): Receipt | undefined => {
      const row = selectReceipt(...keyOf(stream), nameOf(commandId))
      const { category, id, tenant } = stream
      const position = row?.position == null ? undefined : BigInt(row.position)
      return row && { ...row, stream: { tenant, category, id }, position }
    },
    insertReceipt: (
      { position, recordedAtMillis, stream, version }: Omit<Place, "position"> & { readonly position: number | null },
      { commandId, hash, outcome }: NewReceipt
    ) => {
      const { category, id, tenant } = stream
      return insertReceipt(tenant, category, id, commandId, hash, version, position, outcome, recordedAtMillis)
    },
    // A negative limit would be none at all.
    deleteReceipts: (beforeMillis: number, limit: number): number => deleteReceipts(Math.max(0, limit), beforeMillis)
  }
}

const snapshots = ({ one, run }: Preparer) => {
  const selectSnapshot = one<Snapshot>(`SELECT version, fingerprint, state, checksum FROM varve_snapshots
    WHERE tenant = ? AND category = ? AND stream_id = ? AND version <= ?`)
  const upsertSnapshot = run(`INSERT INTO varve_snapshots
    (tenant, category, stream_id, version, fingerprint, state, checksum) VALUES (?, ?, ?, ?, ?, ?, ?)
    ON CONFLICT DO UPDATE SET version = excluded.version, fingerprint = excluded.fingerprint,
      state = excluded.state, checksum = excluded.checksum WHERE varve_snapshots.version < excluded.version`)
  const deleteSnapshot = run(`DELETE FROM varve_snapshots
    WHERE tenant = ? AND category = ? AND stream_id = ? AND version = ?`)

  return {
    snapshot: (stream: StreamId, atMost: Version): Snapshot | undefined => {
      const row = selectSnapshot(...keyOf(stream), atMost)
      return row && { ...row }
    },
    upsertSnapshot: (
      { category, id, tenant }: StreamId,
      { checksum, fingerprint, state, version }: Snapshot
    ): boolean => upsertSnapshot(tenant, category, id, version, fingerprint, state, checksum) > 0,
    deleteSnapshot: (stream: StreamId, version: Version): boolean => deleteSnapshot(...keyOf(stream), version) > 0
  }
}

/** What there is to know of the file itself. */
const file = ({ one }: Preparer) => {
  const selectStoreId = one<{ readonly id: string }>("SELECT store_id AS id FROM varve_store")
  const selectDataVersion = one<{ readonly version: number }>("SELECT data_version AS version FROM pragma_data_version")

  return {
    storeId: (): string => selectStoreId()!.id,
    /** Changes when another connection has committed. */
    dataVersion: (): number => selectDataVersion()!.version
  }
}

/** How a stream is looked up. */
const keyOf = ({ category, id, tenant }: StreamId) => [nameOf(tenant), nameOf(category), nameOf(id)] as const

const toStored = (row: EventRow): Stored => {
  const [tenant, category, id, version, position, eventId, type, schemaVersion, data, metadata, recordedAtMillis] = row
  return {
    tenant,
    category,
    id,
    version,
    position: BigInt(position),
    eventId,
    type,
    schemaVersion,
    data,
    metadata,
    recordedAtMillis
  }
}

const listed = (names: ReadonlyArray<string> | undefined): string | null =>
  names === undefined ? null : JSON.stringify(names)
