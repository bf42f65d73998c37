/**
 * What every store does to a group of appends before it looks at its data: it refuses the append that exceeds a limit,
 * names a stream that is taken, or is malformed. Kept in one place, so that no adapter is stricter or laxer.
 */
import { InputInvalid, LimitExceeded, limits, type Refusal, refuseName } from "../Admission.ts"
import type { StreamId } from "../Event.ts"
import type { Append, NewReceipt, Status, Write } from "../EventStore.ts"
import { refuseChanges, refuseView } from "./documents.ts"
import { forbiddenInString } from "./json.ts"

/** An append that is refused before anybody looks at data. */
export type Refused = Extract<Status, { readonly _tag: "Refused" }> & { readonly reason: Refusal }

/** For each append of a group: the status that refuses it, or undefined. */
export const refusals = (group: ReadonlyArray<Append>): ReadonlyArray<Refused | undefined> => {
  const taken = new Set<string>()
  return group.map((append) => {
    const reason = refuseAppend(append, taken)
    if (reason !== undefined) return { _tag: "Refused", reason }
    for (const { stream } of append) taken.add(keyOf(stream))
    return undefined
  })
}

const refuseAppend = (append: Append, taken: ReadonlySet<string>): Refusal | undefined => {
  if (append.length === 0) return new InputInvalid({ what: "the append", problem: "it holds no write" })
  if (append.length > limits.appendWritesMax) {
    return new LimitExceeded({ what: "the append", actual: append.length, max: limits.appendWritesMax, unit: "writes" })
  }
  const own = append.length === 1 ? undefined : new Set<string>()
  for (const write of append) {
    const reason = refuseWrite(write)
    if (reason !== undefined) return reason
    const key = keyOf(write.stream)
    if (taken.has(key) || own?.has(key)) return streamTwice
    own?.add(key)
  }
  return undefined
}

const what = "the write"

const refuseWrite = (write: Write): Refusal | undefined => {
  const { events, expected, receipts, stream } = write
  if (events.length > limits.writeEventsMax) {
    return new LimitExceeded({ what, actual: events.length, max: limits.writeEventsMax, unit: "events" })
  }
  let bytes = 0
  for (const event of events) bytes += event.bytes
  if (bytes > limits.writeBytesMax) {
    return new LimitExceeded({ what, actual: bytes, max: limits.writeBytesMax, unit: "bytes" })
  }
  return refuseStream(stream) ?? refuseExpected(expected) ?? refuseReceipts(receipts, events.length) ??
    refuseViews(write)
}

const refuseStream = ({ category, id, tenant }: StreamId): Refusal | undefined =>
  refuseName("the tenant", tenant) ?? refuseName("the category", category) ?? refuseName("the id", id)

const refuseExpected = (expected: Write["expected"]): Refusal | undefined =>
  expected === "any" || expected === "exists" || expected === "noStream" ||
    isCount(expected)
    ? undefined
    : new InputInvalid({ what: "the expectation", problem: "a version, noStream, exists or any is expected" })

const refuseReceipts = (receipts: ReadonlyArray<NewReceipt>, eventCount: number): Refusal | undefined => {
  const ids = new Set<string>()
  for (const { commandId, events, outcome, through } of receipts) {
    const reason = refuseName("the command id", commandId)
    if (reason !== undefined) return reason
    if (ids.has(commandId)) return new InputInvalid({ what: "the write", problem: "it carries a command id twice" })
    ids.add(commandId)
    if (!isCount(events) || !isCount(through) || events > through || through > eventCount) {
      return new InputInvalid({
        what: "a receipt",
        problem: `it counts ${events} events through ${through} of ${eventCount}`
      })
    }
    const forbidden = forbiddenInString(outcome)
    if (forbidden !== undefined) return new InputInvalid({ what: "an outcome", problem: `it contains ${forbidden}` })
    const bytes = Buffer.byteLength(outcome)
    if (bytes > limits.outcomeBytesMax) {
      return new LimitExceeded({ what: "an outcome", actual: bytes, max: limits.outcomeBytesMax, unit: "bytes" })
    }
  }
  return undefined
}

const refuseViews = ({ events, stream: { tenant }, views }: Write): Refusal | undefined => {
  if (views === undefined || views.length === 0) return undefined
  if (events.length === 0) return new InputInvalid({ what, problem: "it changes a view, but holds no event" })
  const documents = views.flatMap(({ documents = [] }) => documents)
  const { writeDocumentBytesMax, writeDocumentsMax } = limits
  if (documents.length > writeDocumentsMax) {
    return new LimitExceeded({ what, actual: documents.length, max: writeDocumentsMax, unit: "documents" })
  }
  let bytes = 0
  for (const { document = "" } of documents) bytes += Buffer.byteLength(document)
  if (bytes > writeDocumentBytesMax) {
    return new LimitExceeded({ what, actual: bytes, max: writeDocumentBytesMax, unit: "bytes" })
  }
  const names = new Set<string>()
  for (const { documents = [], view } of views) {
    const refusal = refuseView(view) ?? refuseChanges(documents.map((one) => ({ ...one, tenant })))
    if (refusal !== undefined) return refusal
    if (names.has(view.name)) return new InputInvalid({ what, problem: "it names a view twice" })
    names.add(view.name)
  }
  return undefined
}

const isCount = (count: number): boolean => Number.isSafeInteger(count) && count >= 0

const streamTwice = new InputInvalid({ what: "the append", problem: "its stream is already in the group" })

// No name that is admitted holds a NUL, so this is one key for one stream.
const keyOf = ({ category, id, tenant }: StreamId): string => `${tenant}\0${category}\0${id}`

/** Whether a stream that holds `version` events is as a write expects it. */
export const isMet = (expected: Write["expected"], version: number): boolean => {
  switch (expected) {
    case "any":
      return true
    case "exists":
      return version > 0
    case "noStream":
      return version === 0
    default:
      return version === expected
  }
}

/**
 * The version after which a write's first event must stand if this very write was stored before; undefined where the
 * expectation does not say, or there is no event to recognize.
 */
export const storedAfter = ({ events, expected }: Write): number | undefined =>
  events.length === 0 ? undefined : looked(expected)

/** The version that a stream had when this expectation was met, as far as it says. */
export const looked = (expected: Write["expected"]): number | undefined => {
  if (expected === "any" || expected === "exists") return undefined
  return expected === "noStream" ? 0 : expected
}
