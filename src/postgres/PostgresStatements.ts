/**
 * The statements of the Postgres stores, each with a name: the name stands in the text, so that the server's log and
 * its statistics tell which is which. Each one is a single snapshot, hence a single moment.
 */
import { Record } from "effect"
import { auditedMax, scannedMax } from "../internal/pages.ts"
import * as PostgresFunctions from "./PostgresFunctions.ts"
import * as PostgresInlineFunctions from "./PostgresInlineFunctions.ts"
import * as PostgresReaderStatements from "./PostgresReaderStatements.ts"

/** A statement: prepared once per connection, by its text. */
export interface Statement {
  readonly name: string
  readonly text: string
  /** What is asked of the store by it, and what to say where its table is not there; else the schema must be migrated. */
  readonly asked?: { readonly operation: string; readonly absent: string } | undefined
}

/** The statements on the tables of one schema. */
export type PostgresStatements = ReturnType<typeof make>

/** Where the tables are, and how to learn where the log ends. */
interface Place {
  readonly s: string
  readonly head: string
  readonly readAt: string
}

/**
 * Writes them for a schema. A reader of one tenant does not see where the log ends, if that is another's event: it has
 * to ask.
 */
export const make = (schema: string, { ofTenant = false }: { readonly ofTenant?: boolean } = {}) => {
  const s = `"${schema}"`
  const place = ofTenant
    ? { s, head: `SELECT h.position, h.recorded_at FROM ${s}.head_v1() h WHERE h.position > 0`, readAt: "read_at_v2" }
    : { s, head: headOf(s), readAt: "read_at_v1" }
  return named({
    ...writing(s),
    ...readingStreams(place),
    ...readingLog(place),
    ...keeping(s),
    ...inline(s),
    ...PostgresReaderStatements.make(s)
  })
}

const named = <Name extends string>(texts: Readonly<Record<Name, string>>): Readonly<Record<Name, Statement>> =>
  Record.map(texts, (text, name) => statement(name, text))

/** A statement with its name in its text. */
export const statement = (name: string, text: string, asked?: Statement["asked"]): Statement => ({
  name,
  text: `/* varve ${name} */ ${text}`,
  asked
})

const key = "tenant = $1 AND category = $2 AND stream_id = $3"

/** The end of the log; no row while it is empty. */
const headOf = (s: string) => `SELECT h.position, h.recorded_at FROM ${s}.events h ORDER BY h.position DESC LIMIT 1`

const versionOf = (s: string) =>
  `coalesce((SELECT v.version FROM ${s}.events v WHERE ${key} ORDER BY v.version DESC LIMIT 1), 0)`

const placeholders = (count: number): string => Array.from({ length: count }, (_, index) => `$${index + 1}`).join(", ")

const writing = (s: string) => ({
  append: `SELECT * FROM ${s}.append_v1($1, $2, $3, $4, $5, $6, $7, $8, $9, $10, $11, $12, $13, $14, $15, $16, $17,
  $18, $19, $20, $21) WHERE ${PostgresFunctions.durable}`,
  appendInline: `SELECT * FROM ${s}.append_v2(${placeholders(PostgresInlineFunctions.appendArguments.length)})
WHERE ${PostgresFunctions.durable}`,
  // On a snapshot that is older than the lock it would be decided on what was true before others wrote.
  stage: `INSERT INTO ${s}.staged (step, ${PostgresFunctions.appendArguments.join(", ")})
SELECT $1, $2, $3, $4, $5, $6, $7, $8, $9, $10, $11, $12, $13, $14, $15, $16, $17, $18, $19, $20, $21, $22
WHERE current_setting('transaction_isolation') = 'read committed' AND ${PostgresFunctions.durable} RETURNING 1`
})

const inline = (s: string) => ({
  inlineViews: `SELECT v.name, v.version, v.types FROM ${s}.inline_views v WHERE v.state = 'inline'
ORDER BY v.name, v.version`,
  endedViews: `SELECT v.name, v.version, v.ended_at FROM ${s}.inline_views v WHERE v.state = 'ended'
ORDER BY v.name, v.version`,
  isInline: `SELECT 1 FROM ${s}.inline_views v WHERE v.name = $1 AND v.version = $2 AND v.state <> 'filling'`,
  enterInline: `SELECT * FROM ${s}.enter_inline_v1($1, $2, $3, $4)`,
  leaveInline: `SELECT * FROM ${s}.leave_inline_v1($1, $2, $3)`
})

/**
 * The first row is of the stream as a whole; a row with a position is an event. So what belongs to the whole travels
 * once, and one snapshot holds it all.
 */
const eventRows = `e.version, e.recorded_at, e.position, e.schema_version, e.event_id::text, e.type, e.data::text,
  e.metadata::text`

const readingStreams = ({ head, readAt, s }: Place) => {
  const stream = (order: "ASC" | "DESC") =>
    `WITH head AS MATERIALIZED (${head})
SELECT ${versionOf(s)} AS number,
  ${s}.${readAt}((SELECT position FROM head), (SELECT recorded_at FROM head)) AS at,
  NULL::bigint AS position, NULL::int AS other, NULL AS a, NULL AS b, NULL AS c, NULL AS d
UNION ALL
SELECT * FROM (SELECT ${eventRows} FROM ${s}.events e
  WHERE ${key} AND e.version > $4 AND e.version <= $5 ORDER BY e.version ${order} LIMIT $6) e`
  return {
    readStream: stream("ASC"),
    readStreamBackwards: stream("DESC"),
    loadSnapshot: `WITH snapshot AS MATERIALIZED (
  SELECT n.version, n.fingerprint, n.state, n.checksum FROM ${s}.snapshots n WHERE ${key} AND n.version <= $4)
SELECT ${versionOf(s)} AS number,
  greatest(${s}.clock_v1(), (SELECT recorded_at FROM (${head}) h)) AS at,
  NULL::bigint AS position, n.version AS other, n.fingerprint AS a, n.state AS b, n.checksum AS c, NULL AS d
FROM (VALUES (1)) one LEFT JOIN snapshot n ON true
UNION ALL
SELECT * FROM (SELECT ${eventRows} FROM ${s}.events e
  WHERE ${key} AND e.version > coalesce((SELECT version FROM snapshot), 0) AND e.version <= $4
  ORDER BY e.version LIMIT $5) e`
  }
}

const readingLog = ({ head, s }: Place) => {
  const events =
    `SELECT h.position AS head, e.* FROM (SELECT coalesce((SELECT position FROM (${head}) h), 0) AS position) h
LEFT JOIN LATERAL (SELECT e.position AS place, e.tenant, e.category, e.stream_id, ${eventRows} FROM ${s}.events e`
  const end = "ORDER BY e.position LIMIT $2) e ON true ORDER BY e.place"
  // From one id to the next by the key: the cost is that of the streams listed, not of their events.
  const nextId = (after: string) =>
    `SELECT e.stream_id FROM ${s}.events e WHERE e.tenant = $1 AND e.category = $2 AND e.stream_id > ${after}
     ORDER BY e.stream_id LIMIT 1`
  return {
    readLog: `${events} WHERE e.position > $1 ${end}`,
    readLogFiltered: `${events} WHERE e.position > $1 AND e.position <= least(h.position, $1 + ${scannedMax})
  AND ($3::text[] IS NULL OR e.tenant = ANY($3)) AND ($4::text[] IS NULL OR e.category = ANY($4))
  AND ($5::text[] IS NULL OR e.type = ANY($5)) ${end}`,
    head: `SELECT position FROM (${head}) h`,
    countLog: `SELECT h.position, (SELECT count(*) FROM ${s}.events e
  WHERE e.position > $1 AND e.position <= least(h.position, $1 + ${auditedMax})) FROM (${head}) h`,
    firstHole: `SELECT n.position, n.due FROM (
  SELECT e.position, $1 + row_number() OVER (ORDER BY e.position) AS due
  FROM (SELECT e.position FROM ${s}.events e WHERE e.position > $1 ORDER BY e.position LIMIT ${auditedMax + 1n}) e) n
WHERE n.position <> n.due ORDER BY n.position LIMIT 1`,
    streams: `WITH RECURSIVE ids (id) AS (
  (${nextId("$3")}) UNION ALL SELECT (${nextId("ids.id")}) FROM ids WHERE ids.id IS NOT NULL)
SELECT ids.id, last.version, first.recorded_at, last.recorded_at
FROM (SELECT id FROM ids WHERE id IS NOT NULL LIMIT $4) ids
CROSS JOIN LATERAL (SELECT e.recorded_at FROM ${s}.events e
  WHERE e.tenant = $1 AND e.category = $2 AND e.stream_id = ids.id ORDER BY e.version LIMIT 1) first
CROSS JOIN LATERAL (SELECT e.version, e.recorded_at FROM ${s}.events e
  WHERE e.tenant = $1 AND e.category = $2 AND e.stream_id = ids.id ORDER BY e.version DESC LIMIT 1) last
ORDER BY ids.id`
  }
}

const keeping = (s: string) => ({
  receipt: `SELECT version, position, hash, outcome FROM ${s}.receipts WHERE command_key = $1`,
  // Those of one moment are in the order in which they were left, which is the index's own.
  pruneReceipts: `DELETE FROM ${s}.receipts WHERE command_key = ANY (ARRAY(
  SELECT r.command_key FROM ${s}.receipts r WHERE r.recorded_at < $1 ORDER BY r.recorded_at LIMIT $2))
RETURNING 1`,
  saveSnapshot: `INSERT INTO ${s}.snapshots AS kept (tenant, category, stream_id, version, fingerprint, state, checksum)
SELECT $1, $2, $3, $4::int, $5, $6, $7 WHERE ${versionOf(s)} > 0
ON CONFLICT (tenant, category, stream_id) DO UPDATE SET version = excluded.version, fingerprint = excluded.fingerprint,
  state = excluded.state, checksum = excluded.checksum WHERE kept.version < excluded.version
RETURNING 1`,
  discardSnapshot: `DELETE FROM ${s}.snapshots WHERE ${key} AND version = $4 RETURNING 1`,
  storeId: `SELECT store_id FROM ${s}.store`,
  life: `SELECT (SELECT store_id::text FROM ${s}.store) || '/' || ${s}.epoch_v1()`,
  epoch: `SELECT ${s}.epoch_v1()`,
  tenantReaders: `SELECT r.role FROM ${s}.tenant_readers r JOIN pg_roles p ON p.rolname = r.role ORDER BY r.role`
})
