/**
 * A long log on PostgreSQL, filled by the server itself, and the bare insert into its tables: for the campaign `flat`.
 */
import * as PgConnection from "@effect/sql-pg/PgConnection"
import * as PgTypes from "@effect/sql-pg/PgTypes"
import { Effect, Redacted, Result } from "effect"
import { SecureRandom } from "effect/crypto"
import { defaultTenant } from "../../src/Event.ts"
import { receiptKeyOf } from "../../src/postgres/PostgresRows.ts"
import { entryOf } from "../bench/ledger.ts"

/** Streams of one length. */
export interface Family {
  readonly name: string
  readonly length: number
  readonly streams: number
}

/** An event to come: the next of a stream. */
export interface Next {
  readonly id: string
  /** How many events the stream holds before. */
  readonly version: number
  readonly data: string
  /** Of the command that it comes from, if that leaves a receipt. */
  readonly commandId: string | undefined
}

export const category = "flat"

export const streamId = ({ name }: Family, index: number): string => `${name}-${index}`

/** A connection that knows nothing of the store. */
export const connection = (url: string) => PgConnection.make({ url: Redacted.make(url), multiplex: true })

const rowsAtOnce = 500_000

/**
 * Appends the events of a family to the log that ends at `after`: the first of each stream, then the second of each, as
 * a log looks in which all streams grow at once.
 */
export const fill = Effect.fnUntraced(function*(
  connection: PgConnection.PgConnection,
  schema: string,
  { length, name, streams }: Family,
  after: number
) {
  const [before, behind] = JSON.stringify(entryOf(0)).split("ref-000000")
  for (let from = 1; from <= length * streams; from += rowsAtOnce) {
    const to = Math.min(length * streams, from + rowsAtOnce - 1)
    yield* connection.query(`INSERT INTO ${schema}.events
      SELECT ${after} + n, '${defaultTenant}', '${category}', '${name}-' || (n - 1) % ${streams},
        (n - 1) / ${streams} + 1, 'EntryBooked', 1, gen_random_uuid(), date_trunc('milliseconds', clock_timestamp()),
        ('${before}ref-' || lpad((n % 1000000)::text, 6, '0') || '${behind}')::json, '{}'
      FROM generate_series(${from}, ${to}) n`)
  }
})

/** Receipts of commands long past: nobody repeats them. */
export const fillReceipts = (connection: PgConnection.PgConnection, schema: string, count: number) =>
  connection.query(`INSERT INTO ${schema}.receipts
    SELECT (lpad(to_hex((extract(epoch FROM now()) * 1000)::bigint - ${count} + n), 12, '0') || left(md5(n::text), 20))::uuid,
      n, n, date_trunc('milliseconds', clock_timestamp()), md5(n::text), '{"_tag":"Done"}'
    FROM generate_series(1, ${count}) n`)

const array = (values: ReadonlyArray<string | number>, oid: number) =>
  Result.getOrThrow(PgTypes.array([...values], oid))

const { int4, text, uuid } = PgTypes.OID

/** The bare insert of events that follow each other, after `position`: nothing is looked at, and nothing is decided. */
export const insert = (
  connection: PgConnection.PgConnection,
  schema: string,
  position: number,
  group: ReadonlyArray<Next>
) => {
  const events = `INSERT INTO ${schema}.events
    SELECT $1 + e.n, '${defaultTenant}', '${category}', e.id, e.version, 'EntryBooked', 1, e.event_id,
      date_trunc('milliseconds', clock_timestamp()), e.data::json, '{}'
    FROM unnest($2::text[], $3::int[], $4::uuid[], $5::text[]) WITH ORDINALITY e(id, version, event_id, data, n)`
  const parameters = [
    PgTypes.int8(BigInt(position)),
    array(group.map(({ id }) => id), text),
    array(group.map(({ version }) => version + 1), int4),
    array(group.map(() => SecureRandom.uuidV7Unsafe()), uuid),
    array(group.map(({ data }) => data), text)
  ]
  const keys = group.flatMap(({ commandId, id }) =>
    commandId === undefined ? [] : [receiptKeyOf({ tenant: defaultTenant, category, id }, commandId)]
  )
  if (keys.length === 0) return connection.queryValues(events, parameters)
  const receipts = `WITH receipts AS (INSERT INTO ${schema}.receipts
    SELECT r.key, 1, 1, date_trunc('milliseconds', clock_timestamp()), '${hash}', '${outcome}'
    FROM unnest($6::uuid[]) r(key))`
  return connection.queryValues(`${receipts} ${events}`, [...parameters, array(keys, uuid)])
}

/** What a receipt says, here as there. */
export const hash = "0123456789abcdef0123456789abcdef"
export const outcome = `{"_tag":"Done"}`
