/**
 * A log as a file: one stored event a line, in the order of positions, each a JSON object:
 *
 * `{"position":"17","tenant":"default","category":"Order","id":"o-1","version":3,"type":"OrderPlaced","schemaVersion":1,
 * "eventId":"…","recordedAt":"2026-11-21T05:07:44.123Z","data":{…},"metadata":{…}}`
 *
 * `data` and `metadata` are as they stand in the store, byte for byte. Where they are damaged, so that they would not be
 * JSON on one line, they are strings that hold what stands there.
 */
import { Result, Schema } from "effect"
import type { Stored } from "../Event.ts"
import { compile, parse } from "../internal/codec.ts"

/** A stored event as a line, without the end of the line. */
export const format = (stored: Stored): string => {
  const { data, metadata, position, recordedAtMillis, ...own } = stored
  const { category, eventId, id, schemaVersion, tenant, type, version } = own
  const recordedAt = new Date(recordedAtMillis).toISOString()
  const head = JSON.stringify({
    position: String(position),
    tenant,
    category,
    id,
    version,
    type,
    schemaVersion,
    eventId,
    recordedAt
  })
  return `${head.slice(0, -1)},"data":${embed(data)},"metadata":${embed(metadata)}}`
}

const embed = (text: string): string =>
  /[\r\n]/.test(text) || Result.isFailure(parse(text)) || text.trimStart().startsWith("\"")
    ? JSON.stringify(text)
    : text

const Line = Schema.Struct({
  position: Schema.String.check(Schema.isPattern(/^[1-9]\d*$/, { expected: "a position: \"1\", \"2\", …" })),
  tenant: Schema.String,
  category: Schema.String,
  id: Schema.String,
  version: Schema.Int.check(Schema.isGreaterThan(0)),
  type: Schema.String,
  schemaVersion: Schema.Int,
  eventId: Schema.String,
  recordedAt: Schema.DateTimeUtcFromString,
  data: Schema.Unknown,
  metadata: Schema.Unknown
})

const line = compile(Line)

/** The stored event of a line; a failure says why it is none. */
export const read = (text: string): Result.Result<Stored, string> =>
  Result.map(Result.flatMap(parse(text), line.decode), (value) => {
    const { data, metadata, position, recordedAt, ...own } = value as typeof Line.Type
    return {
      ...own,
      position: BigInt(position),
      data: textOf(data),
      metadata: textOf(metadata),
      recordedAtMillis: recordedAt.epochMilliseconds
    }
  })

const textOf = (value: unknown): string => typeof value === "string" ? value : JSON.stringify(value)
