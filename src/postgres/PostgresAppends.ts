/**
 * A group of appends as the server's function takes it, by columns, and its answer as statuses.
 */
import * as PgTypes from "@effect/sql-pg/PgTypes"
import { Result } from "effect"
import { LimitExceeded } from "../Admission.ts"
import type { StreamId } from "../Event.ts"
import type { Append, NewReceipt, Receipt, Status, Write, Written } from "../EventStore.ts"
import { isMet, looked, type Refused, storedAfter } from "../internal/appends.ts"
import { untyped } from "../internal/types.ts"
import type { Row } from "./PostgresClient.ts"
import { receiptKeyOf } from "./PostgresRows.ts"

const columns = {
  tenants: PgTypes.OID.text,
  categories: PgTypes.OID.text,
  streamIds: PgTypes.OID.text,
  expected: PgTypes.OID.int4,
  appendOf: PgTypes.OID.int4,
  firstIds: PgTypes.OID.uuid,
  counts: PgTypes.OID.int4,
  before: PgTypes.OID.int4,
  receiptWrite: PgTypes.OID.int4,
  receiptKey: PgTypes.OID.uuid,
  receiptEvents: PgTypes.OID.int4,
  receiptThrough: PgTypes.OID.int4,
  receiptHash: PgTypes.OID.text,
  receiptOutcome: PgTypes.OID.text,
  eventWrite: PgTypes.OID.int4,
  eventStep: PgTypes.OID.int4,
  eventType: PgTypes.OID.text,
  eventSchema: PgTypes.OID.int4,
  eventId: PgTypes.OID.uuid,
  eventData: PgTypes.OID.text,
  eventMetadata: PgTypes.OID.text
}

type Columns = Readonly<Record<keyof typeof columns, Array<string | number | null>>>

/** What a receipt is of; the server names it by its place only. */
interface Owner {
  readonly stream: StreamId
  readonly commandId: string
}

/** A group by columns, in the order of the function's arguments. */
export interface Encoded {
  readonly parameters: ReadonlyArray<PgTypes.Parameter>
  readonly owners: ReadonlyArray<Owner>
}

/** What a key of the server's indexes can hold, in bytes of UTF-8, with the version beside it. */
const namesBytesMax = 2_600

/** Refuses what no index can hold: only tenant, category and id that are all very long, in characters of three or four bytes, are too much together. */
export const refuseNames = (append: Append): Refused | undefined => {
  for (const { stream: { category, id, tenant } } of append) {
    if ((tenant.length + category.length + id.length) * 3 <= namesBytesMax) continue
    const actual = Buffer.byteLength(tenant + category + id)
    if (actual <= namesBytesMax) continue
    const reason = new LimitExceeded({ what: "the stream's names", actual, max: namesBytesMax, unit: "bytes" })
    return { _tag: "Refused", reason }
  }
  return undefined
}

/** Turns appends, none of which is to be refused, into columns. */
export const encode = (group: ReadonlyArray<Append>): Encoded => {
  const into: Columns = {
    tenants: [],
    categories: [],
    streamIds: [],
    expected: [],
    appendOf: [],
    firstIds: [],
    counts: [],
    before: [],
    receiptWrite: [],
    receiptKey: [],
    receiptEvents: [],
    receiptThrough: [],
    receiptHash: [],
    receiptOutcome: [],
    eventWrite: [],
    eventStep: [],
    eventType: [],
    eventSchema: [],
    eventId: [],
    eventData: [],
    eventMetadata: []
  }
  const owners: Array<Owner> = []
  group.forEach((append, index) => {
    for (const write of append) {
      addWrite(into, index + 1, write)
      for (const receipt of write.receipts) {
        addReceipt(into, write.stream, receipt)
        owners.push({ stream: write.stream, commandId: receipt.commandId })
      }
    }
  })
  const names = untyped<ReadonlyArray<keyof typeof columns>>(Object.keys(columns))
  return { parameters: names.map((name) => Result.getOrThrow(PgTypes.array(into[name], columns[name]))), owners }
}

const addWrite = (into: Columns, append: number, write: Write): void => {
  const { events, expected, stream: { category, id, tenant } } = write
  into.before.push(into.eventWrite.length)
  into.tenants.push(tenant)
  into.categories.push(category)
  into.streamIds.push(id)
  into.expected.push(codeOf(expected))
  into.appendOf.push(append)
  into.firstIds.push(storedAfter(write) === undefined ? null : events[0]!.eventId)
  into.counts.push(events.length)
  events.forEach((event, index) => {
    into.eventWrite.push(into.tenants.length)
    into.eventStep.push(index + 1)
    into.eventType.push(event.type)
    into.eventSchema.push(event.schemaVersion)
    into.eventId.push(event.eventId)
    into.eventData.push(event.data)
    into.eventMetadata.push(event.metadata)
  })
}

const addReceipt = (into: Columns, stream: StreamId, receipt: NewReceipt): void => {
  into.receiptWrite.push(into.tenants.length)
  into.receiptKey.push(receiptKeyOf(stream, receipt.commandId))
  into.receiptEvents.push(receipt.events)
  into.receiptThrough.push(receipt.through)
  into.receiptHash.push(receipt.hash)
  into.receiptOutcome.push(receipt.outcome)
}

/** The largest version that a column holds but one: the function asks for the one after it. */
const versionMax = 2_147_483_646

/** No stream is as long as what does not fit. */
const codeOf = (expected: Write["expected"]): number => {
  if (expected === "any") return -1
  if (expected === "exists") return -2
  return Math.min(looked(expected)!, versionMax)
}

/** The function's answer; see there. */
interface Answer {
  readonly base: bigint
  readonly status: ReadonlyArray<"ok" | "conflict" | "duplicate" | "known"> | null
  readonly current: ReadonlyArray<number>
  readonly last: ReadonlyArray<bigint | null>
  readonly found: ReadonlyMap<number, Omit<Receipt, "stream" | "commandId">>
}

const answerOf = (row: Row): Answer => {
  const [base, status, current, last, indexes, versions, positions, hashes, outcomes] = untyped<
    readonly [
      bigint,
      Answer["status"],
      Answer["current"],
      Answer["last"],
      ReadonlyArray<number> | null,
      ReadonlyArray<number>,
      ReadonlyArray<bigint | null>,
      ReadonlyArray<string>,
      ReadonlyArray<string>
    ]
  >(row)
  const found = new Map((indexes ?? []).map((receipt, at) => [
    receipt - 1,
    { hash: hashes[at]!, version: versions[at]!, position: positions[at] ?? undefined, outcome: outcomes[at]! }
  ]))
  return { base, status, current, last, found }
}

/** Why appends cannot be written; undefined for those that can, as far as streams and receipts are concerned. */
export const obstaclesOf = (
  group: ReadonlyArray<Append>,
  encoded: Encoded,
  row: Row
): ReadonlyArray<Status | undefined> => {
  const { status } = answerOf(row)
  let write = 0
  return statusesOf(group, encoded, row).map((each, index) => {
    const isOk = (status?.[write] ?? "ok") === "ok"
    write += group[index]!.length
    return isOk ? undefined : each
  })
}

/** What became of each append. */
export const statusesOf = (group: ReadonlyArray<Append>, { owners }: Encoded, row: Row): ReadonlyArray<Status> => {
  const answer = answerOf(row)
  const cursor: Cursor = { position: answer.base, write: 0, receipt: 0 }
  return group.map((append) => {
    const status = statusOf(append, answer, owners, cursor)
    cursor.write += append.length
    for (const { receipts } of append) cursor.receipt += receipts.length
    return status
  })
}

/** How far the columns have been read: the end of the log, and what was before, writes and receipts. */
interface Cursor {
  position: bigint
  write: number
  receipt: number
}

const statusOf = (append: Append, answer: Answer, owners: ReadonlyArray<Owner>, cursor: Cursor): Status => {
  const from = cursor.write
  switch (answer.status?.[from] ?? "ok") {
    case "ok":
      return { _tag: "Committed", writes: append.map((write, index) => written(write, answer, from + index, cursor)) }
    case "known":
      return { _tag: "Committed", writes: append.map((write, index) => writtenBefore(write, answer, from + index)) }
    case "duplicate":
      return { _tag: "Duplicate", receipts: receiptsOf(append, answer, owners, cursor.receipt) }
    case "conflict":
      return conflictOf(append, answer, from)
  }
}

const written = (
  { events, expected }: Write,
  { current, status }: Answer,
  index: number,
  cursor: { position: bigint }
): Written => {
  const before = status === null ? looked(expected)! : current[index]!
  cursor.position += BigInt(events.length)
  return { version: before + events.length, position: events.length === 0 ? undefined : cursor.position }
}

const writtenBefore = ({ events, expected }: Write, { current, last }: Answer, index: number): Written =>
  events.length === 0
    ? { version: looked(expected) ?? current[index]!, position: undefined }
    : { version: current[index]!, position: last[index]! }

const receiptsOf = (
  append: Append,
  { found }: Answer,
  owners: ReadonlyArray<Owner>,
  from: number
): ReadonlyArray<Receipt> => {
  const to = append.reduce((end, { receipts }) => end + receipts.length, from)
  return owners.slice(from, to).flatMap(({ commandId, stream: { category, id, tenant } }, index) => {
    const receipt = found.get(from + index)
    return receipt === undefined ? [] : [{ stream: { tenant, category, id }, commandId, ...receipt }]
  })
}

const conflictOf = (append: Append, { current }: Answer, write: number): Status => {
  const unmet = append.findIndex(({ expected }, index) => !isMet(expected, current[write + index]!))
  return { _tag: "Conflict", write: unmet, actual: current[write + unmet]! }
}
