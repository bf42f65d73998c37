/**
 * The statements of readers of the log: their checkpoints, leases and dead letters, and which version of a view is read.
 */
import { durable } from "./PostgresFunctions.ts"

/** Their texts, by name, on the tables of one schema. */
export const make = (s: string) => ({ ...checkpoints(s), ...leases(s), ...deadLetters(s), ...parking(s), ...live(s) })

const checkpoints = (s: string) => {
  const columns = "c.name, c.version, c.partition, c.position, c.revision, c.epoch, c.paused, c.updated_at"
  const id = "c.name = $1 AND c.version = $2 AND c.partition = $3"
  return {
    checkpoint: `SELECT ${columns} FROM ${s}.checkpoints c WHERE ${id} AND NOT c.removed`,
    checkpoints:
      `SELECT ${columns} FROM ${s}.checkpoints c WHERE NOT c.removed ORDER BY c.name, c.version, c.partition`,
    checkpointsOf: `SELECT ${columns} FROM ${s}.checkpoints c WHERE c.name = $1 AND NOT c.removed
ORDER BY c.name, c.version, c.partition`,
    // Of two that begin, one waits for what becomes of the other.
    beginCheckpoint:
      `INSERT INTO ${s}.checkpoints AS c (name, version, partition, position, epoch, revision, updated_at)
SELECT $1, $2, $3, $4, $5, 1, ${s}.clock_v1() WHERE ${durable}
ON CONFLICT (name, version, partition) DO UPDATE SET position = excluded.position, epoch = excluded.epoch,
  revision = c.revision + 1, paused = NULL, removed = false, updated_at = excluded.updated_at WHERE c.removed
RETURNING ${columns}`,
    moveCheckpoint: `UPDATE ${s}.checkpoints c
SET position = $4, epoch = $5, revision = c.revision + 1, updated_at = ${s}.clock_v1()
WHERE ${id} AND c.revision = $6 AND c.paused IS NULL AND NOT c.removed AND ${durable}
RETURNING ${columns}`,
    pauseCheckpoint: `INSERT INTO ${s}.checkpoints AS c
  (name, version, partition, position, epoch, revision, paused, updated_at)
SELECT $1, $2, $3, 0, $4, 1, $5, ${s}.clock_v1() WHERE ${durable}
ON CONFLICT (name, version, partition) DO UPDATE SET
  position = CASE WHEN c.removed THEN excluded.position ELSE c.position END,
  epoch = CASE WHEN c.removed THEN excluded.epoch ELSE c.epoch END,
  revision = c.revision + 1, paused = excluded.paused, removed = false, updated_at = excluded.updated_at
RETURNING ${columns}`,
    resumeCheckpoint: `UPDATE ${s}.checkpoints c SET paused = NULL,
  revision = c.revision + (c.paused IS NOT NULL)::int,
  updated_at = CASE WHEN c.paused IS NULL THEN c.updated_at ELSE ${s}.clock_v1() END
WHERE ${id} AND NOT c.removed AND ${durable}
RETURNING ${columns}`,
    removeCheckpoint: `UPDATE ${s}.checkpoints c SET removed = true
WHERE ${id} AND NOT c.removed AND ${durable} RETURNING 1`
  }
}

const leases = (s: string) => {
  const columns = "l.holder, l.until, l.term"
  return {
    // The clock is asked once, and not before others are done with the lease.
    claimLease: `INSERT INTO ${s}.leases AS l (name, holder, until, term)
VALUES ($1, $2, ${s}.clock_v1() + $3 * interval '1 millisecond', 1)
ON CONFLICT (name) DO UPDATE SET (holder, until, term) = (
  SELECT CASE WHEN n.taken THEN l.holder ELSE excluded.holder END,
    CASE WHEN n.taken THEN l.until ELSE n.at + $3 * interval '1 millisecond' END,
    CASE WHEN n.taken OR l.holder = excluded.holder THEN l.term ELSE l.term + 1 END
  FROM (SELECT now.at, l.holder <> excluded.holder AND l.until > now.at AS taken
    FROM (SELECT ${s}.clock_v1() AS at) now) n)
RETURNING ${columns}`,
    releaseLease:
      `UPDATE ${s}.leases l SET until = least(l.until, ${s}.clock_v1()) WHERE l.name = $1 AND l.holder = $2`,
    leases: `SELECT ${columns}, l.name FROM ${s}.leases l WHERE l.until > ${s}.clock_v1() ORDER BY l.name`
  }
}

const deadLetters = (s: string) => {
  const columns = `l.reader_name, l.reader_version, l.position, l.tenant, l.category, l.stream_id, l.type, l.reason,
  l.error, l.attempts, l.first_at, l.last_at`
  const letter = "l.reader_name = $1 AND l.reader_version = $2 AND l.position = $3"
  const reader = "l.reader_name = $1 AND l.reader_version = $2"
  return {
    putLetter: `INSERT INTO ${s}.dead_letters AS l (reader_name, reader_version, position, tenant, category, stream_id,
  type, reason, error, attempts, first_at, last_at)
SELECT $1, $2, $3, $4, $5, $6, $7, $8, $9, 1, n.at, n.at FROM (SELECT ${s}.clock_v1() AS at) n
ON CONFLICT (reader_name, reader_version, position) DO UPDATE SET reason = excluded.reason, error = excluded.error,
  attempts = l.attempts + 1, last_at = excluded.last_at`,
    letter: `SELECT ${columns} FROM ${s}.dead_letters l WHERE ${letter}`,
    letters: `SELECT ${columns} FROM ${s}.dead_letters l
WHERE (l.position, l.reader_name, l.reader_version) > ($1, $2, $3)
ORDER BY l.position, l.reader_name, l.reader_version LIMIT $4`,
    lettersOf: `SELECT ${columns} FROM ${s}.dead_letters l
WHERE ${reader} AND l.position >= $3 AND (l.position, l.reader_name, l.reader_version) > ($3, $4, $5)
ORDER BY l.position LIMIT $6`,
    countLetters: `SELECT count(*) FROM ${s}.dead_letters l WHERE ${reader}`,
    removeLetter: `DELETE FROM ${s}.dead_letters l WHERE ${letter} RETURNING 1`,
    clearLetters: `WITH streams AS (DELETE FROM ${s}.parked l WHERE ${reader})
DELETE FROM ${s}.dead_letters l WHERE ${reader}`
  }
}

const parking = (s: string) => ({
  park: `INSERT INTO ${s}.parked
  (reader_name, reader_version, stream_key, tenant, category, stream_id, from_position, since)
VALUES ($1, $2, $3, $4, $5, $6, $7, ${s}.clock_v1()) ON CONFLICT DO NOTHING`,
  parked: `SELECT p.tenant, p.category, p.stream_id, p.from_position, p.since FROM ${s}.parked p
WHERE p.reader_name = $1 AND p.reader_version = $2 ORDER BY p.from_position`,
  unpark: `DELETE FROM ${s}.parked p
WHERE p.reader_name = $1 AND p.reader_version = $2 AND p.stream_key = $3 AND p.from_position = $4 RETURNING 1`
})

const live = (s: string) => ({
  live: `SELECT v.version, v.pinned FROM ${s}.live_views v WHERE v.name = $1`,
  beginLive:
    `INSERT INTO ${s}.live_views (name, version, pinned) VALUES ($1, $2, $3) ON CONFLICT DO NOTHING RETURNING 1`,
  flipLive: `UPDATE ${s}.live_views v SET version = $2, pinned = $3 WHERE v.name = $1 AND v.version = $4 RETURNING 1`,
  forgetLive: `DELETE FROM ${s}.live_views v WHERE v.name = $1 AND v.version = $2`
})
