/**
 * The statements for what readers of the log keep, prepared once: one statement, one name. They run inside a turn or a
 * transaction of `SqliteClient`.
 */
import type { DatabaseSync } from "node:sqlite"
import type { Checkpoint, CheckpointId } from "../CheckpointStore.ts"
import type { DeadLetter, DeadReason, ParkedStream, ReaderId } from "../DeadLetters.ts"
import type { StreamId } from "../Event.ts"
import type { Held } from "../Lease.ts"
import type { LiveVersion } from "../ViewStore.ts"
import { nameOf, type Preparer, prepareWith } from "./SqlitePreparer.ts"

/** The statements of these tables, ready to run. */
export type SqliteReaderStatements = ReturnType<typeof make>

/** Prepares them. The tables must exist. */
export const make = (database: DatabaseSync) => {
  const preparer = prepareWith(database)
  return {
    ...checkpoints(preparer),
    ...letters(preparer),
    ...parked(preparer),
    ...leases(preparer),
    ...liveViews(preparer)
  }
}

/** A checkpoint as it is in its row: without a position it was removed. */
export type CheckpointRow = Omit<Checkpoint, "position" | "paused"> & {
  readonly position: number | null
  readonly paused: string | null
}

const checkpoints = ({ all, one, run }: Preparer) => {
  const columns = "name, version, partition, position, revision, epoch, paused, updated_at AS updatedAtMillis"
  const selectCheckpoint = one<CheckpointRow>(
    `SELECT ${columns} FROM varve_checkpoints WHERE name = ? AND version = ? AND partition = ?`
  )
  const selectAll = all<CheckpointRow>(
    `SELECT ${columns} FROM varve_checkpoints WHERE position IS NOT NULL ORDER BY name, version, partition`
  )
  const selectOfName = all<CheckpointRow>(
    `SELECT ${columns} FROM varve_checkpoints WHERE name = ? AND position IS NOT NULL ORDER BY version, partition`
  )
  const upsertCheckpoint = run(`INSERT INTO varve_checkpoints
    (name, version, partition, position, revision, epoch, paused, updated_at) VALUES (?, ?, ?, ?, ?, ?, ?, ?)
    ON CONFLICT DO UPDATE SET position = excluded.position, revision = excluded.revision, epoch = excluded.epoch,
      paused = excluded.paused, updated_at = excluded.updated_at`)

  return {
    checkpoint: ({ name, partition, version }: CheckpointId): CheckpointRow | undefined =>
      selectCheckpoint(nameOf(name), version, partition),
    checkpoints: (name: string | undefined): ReadonlyArray<CheckpointRow> =>
      name === undefined ? selectAll() : selectOfName(nameOf(name)),
    upsertCheckpoint: (row: CheckpointRow): void => {
      const { epoch, name, partition, paused, position, revision, updatedAtMillis, version } = row
      upsertCheckpoint(name, version, partition, position, revision, epoch, paused, updatedAtMillis)
    }
  }
}

/** A letter's columns, in that order. */
type LetterRow = readonly [
  name: string,
  version: number,
  position: number,
  tenant: string,
  category: string,
  id: string,
  type: string,
  reason: DeadReason,
  error: string,
  attempts: number,
  firstAtMillis: number,
  lastAtMillis: number
]

const letterColumns = `reader, reader_version, position, tenant, category, stream_id, type, reason, error, attempts,
  first_at, last_at`

const toLetter = (row: LetterRow): DeadLetter => {
  const [name, version, position, tenant, category, id, type, reason, error, attempts, firstAtMillis, lastAtMillis] =
    row
  return {
    reader: { name, version },
    position: BigInt(position),
    stream: { tenant, category, id },
    type,
    reason,
    error,
    attempts,
    firstAtMillis,
    lastAtMillis
  }
}

const letters = ({ arrays, run, value }: Preparer) => {
  const reader = "reader = ? AND reader_version = ?"
  const selectLetter = arrays<LetterRow>(
    `SELECT ${letterColumns} FROM varve_dead_letters WHERE ${reader} AND position = ?`
  )
  const selectOfReader = arrays<LetterRow>(
    `SELECT ${letterColumns} FROM varve_dead_letters WHERE ${reader} AND position > ? ORDER BY position LIMIT ?`
  )
  const selectOfAll = arrays<LetterRow>(`SELECT ${letterColumns} FROM varve_dead_letters
    WHERE (position, reader, reader_version) > (?, ?, ?) ORDER BY position, reader, reader_version LIMIT ?`)
  const countLetters = value<number>(`SELECT count(*) FROM varve_dead_letters WHERE ${reader}`)
  const upsertLetter = run(`INSERT INTO varve_dead_letters (${letterColumns})
    VALUES (?1, ?2, ?3, ?4, ?5, ?6, ?7, ?8, ?9, 1, ?10, ?10)
    ON CONFLICT DO UPDATE SET reason = excluded.reason, error = excluded.error, attempts = attempts + 1,
      last_at = excluded.last_at`)
  const deleteLetter = run(`DELETE FROM varve_dead_letters WHERE ${reader} AND position = ?`)
  const deleteLetters = run(`DELETE FROM varve_dead_letters WHERE ${reader}`)

  return {
    letter: (reader: ReaderId, position: number) => selectLetter(...readerOf(reader), position).map(toLetter)[0],
    lettersOf: (reader: ReaderId, after: number, limit: number) =>
      selectOfReader(...readerOf(reader), after, limit).map(toLetter),
    /** Those behind this place in the order of positions, names and versions. */
    letters: (after: { readonly position: number; readonly reader: ReaderId }, limit: number) =>
      selectOfAll(after.position, after.reader.name, after.reader.version, limit).map(toLetter),
    countLetters: (reader: ReaderId): number => countLetters(...readerOf(reader)) ?? 0,
    upsertLetter: (
      letter: Omit<DeadLetter, "attempts" | "firstAtMillis" | "lastAtMillis">,
      nowMillis: number
    ): void => {
      const { error, position, reader, reason, stream, type } = letter
      const place = [...readerOf(reader), Number(position), ...streamOf(stream)] as const
      upsertLetter(...place, type, reason, error, nowMillis)
    },
    deleteLetter: (reader: ReaderId, position: number): boolean => deleteLetter(...readerOf(reader), position) > 0,
    deleteLetters: (reader: ReaderId): void => void deleteLetters(...readerOf(reader))
  }
}

const parked = ({ all, run }: Preparer) => {
  const reader = "reader = ? AND reader_version = ?"
  const stream = "tenant = ? AND category = ? AND stream_id = ?"
  const selectParked = all<StreamId & { readonly fromPosition: number; readonly sinceMillis: number }>(
    `SELECT tenant, category, stream_id AS id, from_position AS fromPosition, since AS sinceMillis
    FROM varve_parked WHERE ${reader} ORDER BY from_position`
  )
  const insertParked = run(`INSERT INTO varve_parked
    (reader, reader_version, tenant, category, stream_id, from_position, since) VALUES (?, ?, ?, ?, ?, ?, ?)
    ON CONFLICT DO NOTHING`)
  const deleteStream = run(`DELETE FROM varve_parked WHERE ${reader} AND ${stream} AND from_position = ?`)
  const deleteParked = run(`DELETE FROM varve_parked WHERE ${reader}`)

  return {
    parked: ({ name, version }: ReaderId): ReadonlyArray<ParkedStream> =>
      selectParked(nameOf(name), version).map(({ category, fromPosition, id, sinceMillis, tenant }) => ({
        reader: { name, version },
        stream: { tenant, category, id },
        fromPosition: BigInt(fromPosition),
        sinceMillis
      })),
    insertParked: ({ fromPosition, reader, sinceMillis, stream }: ParkedStream): void =>
      void insertParked(...readerOf(reader), ...streamOf(stream), Number(fromPosition), sinceMillis),
    deleteStream: ({ fromPosition, reader, stream }: Omit<ParkedStream, "sinceMillis">): boolean =>
      deleteStream(...readerOf(reader), ...streamOf(stream), Number(fromPosition)) > 0,
    deleteParked: (reader: ReaderId): void => void deleteParked(...readerOf(reader))
  }
}

/** A lease as it is in its row. */
export type LeaseRow = Held & { readonly name: string }

const leases = ({ all, one, run }: Preparer) => {
  const columns = "name, holder, until AS untilMillis, term"
  const selectLease = one<LeaseRow>(`SELECT ${columns} FROM varve_leases WHERE name = ?`)
  const selectLeases = all<LeaseRow>(`SELECT ${columns} FROM varve_leases WHERE until > ? ORDER BY name`)
  const upsertLease = run(`INSERT INTO varve_leases (name, holder, until, term) VALUES (?, ?, ?, ?)
    ON CONFLICT DO UPDATE SET holder = excluded.holder, until = excluded.until, term = excluded.term`)

  return {
    lease: (name: string): LeaseRow | undefined => selectLease(nameOf(name)),
    leases: (nowMillis: number): ReadonlyArray<LeaseRow> => selectLeases(nowMillis),
    upsertLease: ({ holder, name, term, untilMillis }: LeaseRow): void =>
      void upsertLease(name, holder, untilMillis, term)
  }
}

const liveViews = ({ one, run }: Preparer) => {
  const selectLive = one<{ readonly version: number; readonly pinned: number }>(
    "SELECT version, pinned FROM varve_live_views WHERE name = ?"
  )
  const upsertLive = run(`INSERT INTO varve_live_views (name, version, pinned) VALUES (?, ?, ?)
    ON CONFLICT DO UPDATE SET version = excluded.version, pinned = excluded.pinned`)
  const deleteLive = run("DELETE FROM varve_live_views WHERE name = ? AND version = ?")

  return {
    live: (name: string): LiveVersion | undefined => {
      const row = selectLive(name)
      return row && { version: row.version, pinned: row.pinned === 1 }
    },
    upsertLive: (name: string, { pinned, version }: LiveVersion): void =>
      void upsertLive(name, version, pinned ? 1 : 0),
    deleteLive: (name: string, version: number): void => void deleteLive(name, version)
  }
}

const readerOf = ({ name, version }: ReaderId) => [nameOf(name), version] as const

const streamOf = ({ category, id, tenant }: StreamId) => [nameOf(tenant), nameOf(category), nameOf(id)] as const
