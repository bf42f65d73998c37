/**
 * Values on their way to the server and rows on their way back, as the Postgres stores share them.
 */
import * as PgTypes from "@effect/sql-pg/PgTypes"
import { Result } from "effect"
import { hash } from "node:crypto"
import type { Position, Stored, StreamId, Version } from "../Event.ts"
import type { Receipt, StreamPage } from "../EventStore.ts"
import { untyped } from "../internal/types.ts"
import type { Snapshot } from "../SnapshotStore.ts"
import type { FieldType, FieldValue } from "../ViewStore.ts"
import type { Row } from "./PostgresClient.ts"

/**
 * Whether this can be a name. What cannot be finds none: the server would refuse a NUL, and read a lone surrogate as
 * another character.
 */
export const isName = (name: string): boolean => name.isWellFormed() && !name.includes("\0")

/** A name to look for. */
export const name = (name: string): PgTypes.Parameter => PgTypes.text(isName(name) ? name : null)

/** How a stream is looked up. */
export const key = ({ category, id, tenant }: StreamId) => [name(tenant), name(category), name(id)] as const

/** Names to look for; NULL where there is no list. */
export const names = (names: ReadonlyArray<string> | undefined): PgTypes.Parameter =>
  Result.getOrThrow(PgTypes.array(names?.filter(isName) ?? null, PgTypes.OID.text))

/** Texts of any kind, none of which holds a NUL. */
export const texts = (texts: ReadonlyArray<string | null>): PgTypes.Parameter =>
  Result.getOrThrow(PgTypes.array([...texts], PgTypes.OID.text))

/** What an indexed field of a document is compared with. */
export const field = (type: FieldType, value: FieldValue): PgTypes.Parameter => {
  if (type === "number") return PgTypes.float8(typeof value === "number" ? value : null)
  if (type === "boolean") return PgTypes.bool(typeof value === "boolean" ? value : null)
  return PgTypes.text(typeof value === "string" ? value : null)
}

/** A bound among names: what cannot be one stands before all that begin with its beginning. */
export const bound = (name: string): PgTypes.Parameter => PgTypes.text(name.toWellFormed().split("\0", 1)[0]!)

/** A number to look for. */
export const number = (number: number): PgTypes.Parameter =>
  PgTypes.int4(Number.isInteger(number) && Math.abs(number) <= versionMax ? number : null)

const versionMax = 2_147_483_647

/** A version as a bound; the largest stands for no bound. */
export const version = (version: Version | undefined): PgTypes.Parameter =>
  PgTypes.int4(Math.max(-1, Math.min(version ?? versionMax, versionMax)))

const positionMax = 2n ** 62n

/** A position as a bound. */
export const position = (position: Position): PgTypes.Parameter =>
  PgTypes.int8(position > positionMax ? positionMax : position < -1n ? -1n : position)

/** A limit. */
export const limit = (count: number): PgTypes.Parameter => PgTypes.int4(count)

const millisMax = 8.64e15

/** A time as a bound: what is recorded before it, in whole milliseconds. */
export const time = (millis: number): PgTypes.Parameter =>
  PgTypes.timestamptz(Math.ceil(Math.max(0, Math.min(millis, millisMax))))

// ── Receipts

const timeOrdered = /^([0-9a-f]{8})-([0-9a-f]{4})-7[0-9a-f]{3}-[89ab][0-9a-f]{3}-[0-9a-f]{12}$/i

/**
 * What a receipt is found by: 16 bytes of stream and command id. Where the id tells its time, that comes first, so that
 * what was left together stands together in the index, and is cold together.
 */
export const receiptKeyOf = ({ category, id, tenant }: StreamId, commandId: string): string => {
  // No name that is admitted holds a NUL, so this is one text for one command.
  const digest = hash("sha256", `${tenant}\0${category}\0${id}\0${commandId}`)
  const [, high = "", low = ""] = timeOrdered.exec(commandId) ?? []
  return uuidOf(`${high}${low}${digest}`)
}

const uuidOf = (hex: string): string =>
  `${hex.slice(0, 8)}-${hex.slice(8, 12)}-${hex.slice(12, 16)}-${hex.slice(16, 20)}-${hex.slice(20, 32)}`

/** A stream to look for by a hash of its names. */
export const streamKey = ({ category, id, tenant }: StreamId): PgTypes.Parameter =>
  PgTypes.uuid(
    [tenant, category, id].every(isName) ? uuidOf(hash("sha256", `${tenant}\0${category}\0${id}`)) : null
  )

/** A receipt to look for. */
export const receiptKey = (stream: StreamId, commandId: string): PgTypes.Parameter =>
  PgTypes.uuid(
    [stream.tenant, stream.category, stream.id, commandId].every(isName) ? receiptKeyOf(stream, commandId) : null
  )

/** The row of `receipt`. */
export const receipt = ({ category, id, tenant }: StreamId, commandId: string, row: Row): Receipt => {
  const [version, position, hash, outcome] = untyped<readonly [Version, Position | null, string, string]>(row)
  return { stream: { tenant, category, id }, commandId, hash, version, position: position ?? undefined, outcome }
}

// ── Rows

/** The columns of an event, as the statements name them. */
type EventColumns = readonly [
  version: Version,
  recordedAt: Date,
  position: Position,
  schemaVersion: number,
  eventId: string,
  type: string,
  data: string,
  metadata: string
]

const event = ({ category, id, tenant }: StreamId, columns: EventColumns): Stored => {
  const [version, recordedAt, position, schemaVersion, eventId, type, data, metadata] = columns
  const recordedAtMillis = recordedAt.getTime()
  return { tenant, category, id, version, position, eventId, type, schemaVersion, data, metadata, recordedAtMillis }
}

/** The rows of `readLog`: where the log ends, and the events that were found. */
export const logEvents = (
  rows: ReadonlyArray<Row>
): { readonly head: Position; readonly events: ReadonlyArray<Stored> } => {
  const events: Array<Stored> = []
  for (const row of rows) {
    const [, position, tenant, category, id, ...columns] = untyped<LogRow>(row)
    if (position !== null) events.push(event({ tenant, category, id }, columns))
  }
  return { head: untyped<LogRow>(rows[0])[0], events }
}

type LogRow = readonly [
  head: Position,
  position: Position | null,
  tenant: string,
  category: string,
  id: string,
  ...columns: EventColumns
]

/** The rows of `readStream`. */
export const streamPage = (stream: StreamId, rows: ReadonlyArray<Row>): StreamPage => {
  const [whole, ...found] = rows
  const [version, readAt] = untyped<WholeRow>(whole)
  const events = found.map((row) => event(stream, untyped<EventColumns>(row)))
  return { events, version, readAtMillis: readAt.getTime() }
}

/** The rows of `loadSnapshot`: as those of `readStream`, and the snapshot in the first. */
export const snapshot = (rows: ReadonlyArray<Row>): Snapshot | undefined => {
  const [, , , version, fingerprint, state, checksum] = untyped<WholeRow>(rows[0])
  return version === null ? undefined : { version, fingerprint, state, checksum }
}

type WholeRow = readonly [
  version: Version,
  readAt: Date,
  position: null,
  snapshotVersion: Version | null,
  fingerprint: string,
  state: string,
  checksum: string
]
