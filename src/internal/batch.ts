/**
 * A batch: commands of one aggregate, decided one after the other, each on the state that the one before leads to. They
 * become one append, all or nothing.
 */
import { limits } from "../Admission.ts"
import type { New, Version } from "../Event.ts"
import type { Append, NewReceipt, Write } from "../EventStore.ts"
import type { Envelope } from "./envelope.ts"
import type { Recorded } from "./outcome.ts"
import type { Folded } from "./replay.ts"
import type { Recordable } from "./verdict.ts"

/** One command of a batch. */
export interface Entry {
  readonly envelope: Envelope
  readonly verdict: Recordable
  /** How many of the batch's events are its own. */
  readonly events: number
  /** How many of the batch's events stand once it is done. */
  readonly through: number
}

/** What was decided and is not yet committed. */
export interface Batch {
  /** What the first command was decided on. */
  readonly base: Folded
  /** What the last one leads to. */
  tip: Folded
  readonly entries: Array<Entry>
  readonly events: Array<New>
  readonly receipts: Array<NewReceipt>
  /** What is written to other streams. */
  readonly beside: Array<Write>
  bytes: number
  /** Nobody may join. */
  closed: boolean
  /** The receipt by which a batch without events of its own is recognized; see `append`. */
  mark: string | undefined
}

export const make = (base: Folded): Batch => ({
  base,
  tip: base,
  entries: [],
  events: [],
  receipts: [],
  beside: [],
  bytes: 0,
  closed: false,
  mark: undefined
})

/** Commands in one batch, and events in one append of several commands: as much as a group holds. */
const batchMax = 512

/** Whether a command may join: together they stay within every limit, and nobody can be refused for another's sake. */
export const admits = (batch: Batch, envelope: Envelope, { receipts, verdict }: Recorded): boolean => {
  if (batch.entries.length === 0) return true
  if (batch.closed || batch.entries.length >= batchMax || travelsAlone(envelope, verdict)) return false
  if (verdict._tag === "Rejected") return batch.bytes + bytesOf([], receipts) <= limits.writeBytesMax
  return batch.events.length + verdict.events.length <= batchMax &&
    batch.bytes + bytesOf(verdict.events, receipts) <= limits.writeBytesMax &&
    verdict.also.every((write) => admitsBeside(batch, write))
}

/** What may be refused for its own sake, or expects something of another stream, takes nobody along. */
const travelsAlone = ({ alone, stream }: Envelope, verdict: Recordable): boolean =>
  alone || (verdict._tag === "Decided" &&
    verdict.also.some((write, index) =>
      write.expected !== "any" || isSame(write.stream, stream) ||
      verdict.also.some((other, at) => at < index && isSame(write.stream, other.stream))
    ))

const admitsBeside = ({ beside, events }: Batch, write: Write): boolean => {
  const same = beside.find(({ stream }) => isSame(stream, write.stream))
  if (same === undefined) return events.length + write.events.length <= batchMax && beside.length + 1 < besideMax
  return same.events.length + write.events.length <= batchMax &&
    bytesOf(same.events, []) + bytesOf(write.events, []) <= limits.writeBytesMax
}

const besideMax = limits.appendWritesMax / 2

const isSame = (a: Write["stream"], b: Write["stream"]): boolean =>
  a.id === b.id && a.category === b.category && a.tenant === b.tenant

/** Adds a command that was decided on the tip. */
export const join = (batch: Batch, envelope: Envelope, { receipts, verdict }: Recorded): void => {
  const before = batch.events.length
  const events = verdict._tag === "Decided" ? verdict.events : []
  batch.closed ||= travelsAlone(envelope, verdict)
  batch.bytes += bytesOf(events, receipts)
  batch.events.push(...events)
  const through = batch.events.length
  for (const receipt of receipts) batch.receipts.push({ ...receipt, through })
  batch.entries.push({ envelope, verdict, events: through - before, through })
  if (verdict._tag !== "Decided") return
  if (batch.closed) batch.beside.push(...verdict.also)
  else for (const write of verdict.also) joinBeside(batch.beside, write)
  if (events.length > 0) batch.tip = { state: verdict.state, version: batch.base.version + through }
}

const joinBeside = (beside: Array<Write>, write: Write): void => {
  const index = beside.findIndex(({ stream }) => isSame(stream, write.stream))
  const same = beside[index]
  if (same === undefined) beside.push(write)
  else beside[index] = { ...same, events: [...same.events, ...write.events] }
}

const bytesOf = (events: ReadonlyArray<New>, receipts: ReadonlyArray<NewReceipt>): number => {
  let bytes = 0
  for (const event of events) bytes += event.bytes
  for (const { outcome } of receipts) bytes += outcome.length
  return bytes
}

/**
 * The append that a batch becomes, at exactly the version it was decided on.
 *
 * Where only other streams are written to, no event of our own would tell that the append was written and its reply
 * lost. So it leaves a receipt more, under an id that nobody else has.
 */
export const append = (batch: Batch, stream: Write["stream"], nextId: () => string): Append => {
  const { base, beside, events } = batch
  if (events.length === 0 && beside.length > 0) {
    batch.mark = nextId()
    batch.receipts.push({ commandId: batch.mark, hash: "", events: 0, through: 0, outcome: "{}" })
  }
  return [{ stream, expected: base.version, events, receipts: batch.receipts }, ...beside]
}

/** The version that a command's answer names. */
export const versionOf = ({ base }: Batch, { through }: Entry): Version => base.version + through
