/**
 * The log in memory: plain data, changed in synchronous steps only, shared by the stores of one `Memory.layer`.
 */
import type { Position, Stored, StreamId, Version } from "../Event.ts"
import type { Append, Receipt, Status, ViewId, Write, Written } from "../EventStore.ts"
import { isMet, looked, refusals, storedAfter } from "../internal/appends.ts"
import * as Inline from "../internal/inline.ts"
import type { Snapshot } from "../SnapshotStore.ts"
import * as MemoryDocuments from "./MemoryDocuments.ts"

/** One stream. */
interface Branch {
  readonly stream: StreamId
  readonly events: Array<Stored>
  readonly receipts: Map<string, Receipt>
  snapshot: Snapshot | undefined
}

/** A receipt with what pruning has to know of it. */
interface Kept {
  readonly branch: Branch
  readonly commandId: string
  readonly recordedAtMillis: number
}

/** A view that is inline, is about to be, or was until somebody appended who did not know it. */
export interface InlineRoom extends ViewId {
  readonly types: ReadonlySet<string>
  readonly state: "filling" | "inline" | "ended"
  /** While it is filling: until when. */
  readonly untilMillis: number
  /** Of one that has ended: the last position that its documents hold. */
  readonly endedAt: Position
  /** No transaction is about these; while it is filling they are still with the others. */
  documents: MemoryDocuments.Documents
}

/** Everything the memory stores hold. */
export interface MemoryLog {
  readonly events: Array<Stored>
  /** By tenant, category and id, which are never glued together. */
  readonly branches: Map<string, Map<string, Map<string, Branch>>>
  /** Receipts in the order in which they were left. */
  receipts: Array<Kept>
  /** Those who wait for the log to grow. */
  readonly waiting: Set<() => void>
  /** By `Inline.nameOf`. */
  readonly inline: Map<string, InlineRoom>
  clockMillis: number
}

/** A log that holds nothing. */
export const make = (): MemoryLog => ({
  events: [],
  branches: new Map(),
  receipts: [],
  waiting: new Set(),
  inline: new Map(),
  clockMillis: 0
})

/** The position of the last event. */
export const head = (log: MemoryLog): Position => BigInt(log.events.length)

/** A stream, if anything was ever written to it. */
export const find = (log: MemoryLog, { category, id, tenant }: StreamId): Branch | undefined =>
  log.branches.get(tenant)?.get(category)?.get(id)

const ensure = (log: MemoryLog, { category, id, tenant }: StreamId): Branch => {
  const byCategory = getOrPut(log.branches, tenant, () => new Map<string, Map<string, Branch>>())
  const byId = getOrPut(byCategory, category, () => new Map<string, Branch>())
  // Readers are given the very objects that are kept, so nobody may change them.
  const stream = Object.freeze({ tenant, category, id })
  return getOrPut(byId, id, () => ({ stream, events: [], receipts: new Map(), snapshot: undefined }))
}

const getOrPut = <K, V>(map: Map<K, V>, key: K, make: () => V): V => {
  const found = map.get(key)
  if (found !== undefined) return found
  const made = make()
  map.set(key, made)
  return made
}

/** How many events a stream holds. */
export const versionOf = (log: MemoryLog, stream: StreamId): Version => find(log, stream)?.events.length ?? 0

/** Writes a group in one synchronous step, and wakes those who follow. */
export const append = (log: MemoryLog, group: ReadonlyArray<Append>, nowMillis: number): ReadonlyArray<Status> => {
  const before = log.events.length
  const refused = refusals(group)
  const recordedAtMillis = tick(log, nowMillis)
  const statuses = group.map((append, index) => refused[index] ?? appendOne(log, append, recordedAtMillis))
  if (log.events.length > before) wakeAll(log)
  return statuses
}

const wakeAll = (log: MemoryLog): void => {
  const waiting = [...log.waiting]
  log.waiting.clear()
  for (const wake of waiting) wake()
}

/** The clock of this log: whole milliseconds, and it never goes back. */
export const tick = (log: MemoryLog, nowMillis: number): number =>
  log.clockMillis = Math.max(Math.floor(nowMillis), log.clockMillis)

const appendOne = (log: MemoryLog, append: Append, recordedAtMillis: number): Status => {
  const receipts = append.flatMap((write) => repeatedReceipts(log, write))
  if (receipts.length > 0) return recognize(log, append) ?? { _tag: "Duplicate", receipts }
  const write = append.findIndex(({ expected, stream }) => !isMet(expected, versionOf(log, stream)))
  if (write >= 0) {
    return recognize(log, append) ?? { _tag: "Conflict", write, actual: versionOf(log, append[write]!.stream) }
  }
  const views = knownViews(log, recordedAtMillis)
  const other = differing(log, append, views)
  if (other !== undefined) return other
  takeIn(log, append, views)
  return { _tag: "Committed", writes: append.map((write) => store(log, write, recordedAtMillis)) }
}

/** A view whose documents are written by appends, if it is. */
export const inlineOf = (log: MemoryLog, view: ViewId): InlineRoom | undefined => {
  const room = log.inline.get(Inline.nameOf(view))
  return room?.state === "filling" ? undefined : room
}

type Known = ReadonlyMap<string, Inline.Known>

const nothing: Known = new Map()

/** The views that writers have to know. */
const knownViews = (log: MemoryLog, nowMillis: number): Known => {
  if (log.inline.size === 0) return nothing
  const views = new Map<string, Inline.Known>()
  for (const [name, { state, types, untilMillis, ...view }] of log.inline) {
    if (state === "inline" || (state === "filling" && nowMillis < untilMillis)) {
      views.set(name, { ...view, types, state })
    }
  }
  return views
}

/** Where inline views, or their documents, are otherwise than the writer knew. */
const differing = (log: MemoryLog, append: Append, views: Known): Status | undefined =>
  Inline.changed(append, views) ??
    Inline.conflict(
      append,
      (view, tenant, key) => MemoryDocuments.find(inlineOf(log, view)!.documents, tenant, key)?.document
    )

/** Writes the documents. Views that the writer does not know end before it. */
const takeIn = (log: MemoryLog, append: Append, known: Known): void => {
  for (const name of Inline.ended(append, known)) end(log, log.inline.get(name)!)
  for (const { stream: { tenant }, views = [] } of append) {
    for (const { documents = [], view } of views) {
      const changes = documents.filter(({ document, expected }) => document !== expected)
      if (changes.length === 0) continue
      const room = inlineOf(log, view)!
      room.documents = MemoryDocuments.applyAll(room.documents, changes.map((change) => ({ ...change, tenant })))
    }
  }
}

/** A view is inline no longer, or will not be. */
export const end = (log: MemoryLog, room: InlineRoom): void => {
  const name = Inline.nameOf(room)
  if (room.state === "filling") log.inline.delete(name)
  else log.inline.set(name, { ...room, state: "ended", endedAt: head(log) })
}

const repeatedReceipts = (log: MemoryLog, { receipts, stream }: Write): ReadonlyArray<Receipt> => {
  const branch = find(log, stream)
  return receipts.flatMap(({ commandId }) => branch?.receipts.get(commandId) ?? [])
}

/** An append that was lost on its way back and is sent again: its own event ids tell. */
const recognize = (log: MemoryLog, append: Append): Status | undefined => {
  const known = append.some((write) => {
    const after = storedAfter(write)
    return after !== undefined && find(log, write.stream)?.events[after]?.eventId === write.events[0]!.eventId
  })
  return known ? { _tag: "Committed", writes: append.map((write) => writtenBefore(log, write)) } : undefined
}

const writtenBefore = (log: MemoryLog, { events, expected, stream }: Write): Written => {
  const stored = find(log, stream)?.events ?? []
  const last = events.at(-1)
  if (last === undefined) return { version: looked(expected) ?? stored.length, position: undefined }
  const { position, version } = stored.findLast(({ eventId }) => eventId === last.eventId)!
  return { version, position }
}

const store = (log: MemoryLog, { events, receipts, stream }: Write, recordedAtMillis: number): Written => {
  const branch = events.length + receipts.length === 0 ? find(log, stream) : ensure(log, stream)
  if (branch === undefined) return { version: 0, position: undefined }
  const base = branch.events.length
  for (const { data, eventId, metadata, schemaVersion, type } of events) {
    const stored: Stored = Object.freeze({
      ...branch.stream,
      version: branch.events.length + 1,
      position: BigInt(log.events.length + 1),
      eventId,
      type,
      schemaVersion,
      data,
      metadata,
      recordedAtMillis
    })
    branch.events.push(stored)
    log.events.push(stored)
  }
  for (const { commandId, events: own, hash, outcome, through } of receipts) {
    const position = own === 0 ? undefined : branch.events[base + through - 1]!.position
    const { stream } = branch
    const receipt: Receipt = Object.freeze({ stream, commandId, hash, version: base + through, position, outcome })
    branch.receipts.set(commandId, receipt)
    log.receipts.push({ branch, commandId, recordedAtMillis })
  }
  return { version: branch.events.length, position: events.length === 0 ? undefined : branch.events.at(-1)!.position }
}

/** Forgets receipts that are older, oldest first. */
export const prune = (log: MemoryLog, beforeMillis: number, limit: number): number => {
  let count = 0
  while (count < limit && count < log.receipts.length && log.receipts[count]!.recordedAtMillis < beforeMillis) {
    const { branch, commandId } = log.receipts[count++]!
    branch.receipts.delete(commandId)
  }
  log.receipts.splice(0, count)
  return count
}
