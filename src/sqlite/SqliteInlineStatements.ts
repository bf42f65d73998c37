/**
 * The statements for inline views, prepared once. They run inside a turn of `SqliteClient`.
 */
import type { DatabaseSync } from "node:sqlite"
import { outboxCategory } from "../Event.ts"
import type { ViewId } from "../EventStore.ts"
import { prepareWith } from "./SqlitePreparer.ts"

/** The statements of these tables, ready to run. */
export type SqliteInlineStatements = ReturnType<typeof make>

/** A view that is inline, is about to be, or was until somebody appended who did not know it. */
export interface InlineRow extends ViewId {
  /** As a JSON list. */
  readonly types: string
  readonly state: "filling" | "inline" | "ended"
  /** While it is filling: until when. */
  readonly untilMillis: number
  /** Of one that has ended: the last position that its documents hold. */
  readonly endedAt: number
}

/** Prepares them. The tables must exist. */
export const make = (database: DatabaseSync) => {
  const { all, one, run, value } = prepareWith(database)
  const columns = "name, version, types, state, until AS untilMillis, ended_at AS endedAt"
  const selectAll = all<InlineRow>(`SELECT ${columns} FROM varve_inline_views ORDER BY name, version`)
  const selectOne = one<InlineRow>(`SELECT ${columns} FROM varve_inline_views WHERE name = ? AND version = ?`)
  const upsert = run(`INSERT INTO varve_inline_views (name, version, types, state, until, ended_at)
    VALUES (?, ?, ?, ?, ?, ?) ON CONFLICT DO UPDATE SET types = excluded.types, state = excluded.state,
      until = excluded.until, ended_at = excluded.ended_at`)
  const remove = run("DELETE FROM varve_inline_views WHERE name = ? AND version = ?")
  const selectEvent = value<number>(`SELECT 1 FROM varve_events WHERE position > ? AND category <> ?
    AND type IN (SELECT value FROM json_each(?)) LIMIT 1`)

  return {
    views: (): ReadonlyArray<InlineRow> => selectAll(),
    view: ({ name, version }: ViewId): InlineRow | undefined => selectOne(name, version),
    upsertView: ({ endedAt, name, state, types, untilMillis, version }: InlineRow): void =>
      void upsert(name, version, types, state, untilMillis, endedAt),
    deleteView: ({ name, version }: ViewId): void => void remove(name, version),
    /** Whether there is an event of one of these types, a JSON list, after a position. */
    hasEvents: (after: number, types: string): boolean => selectEvent(after, outboxCategory, types) !== undefined
  }
}
