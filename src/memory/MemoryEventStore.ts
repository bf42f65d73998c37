/**
 * The log in memory, with the same promises as any store but durability: for tests, and for what may be forgotten.
 */
import { Clock, Effect } from "effect"
import { defaultTenant, type Stored } from "../Event.ts"
import {
  EventStore,
  type LogFilter,
  type LogRange,
  type StreamRange,
  type StreamsRange,
  type StreamSummary
} from "../EventStore.ts"
import { byCodePoints } from "../internal/order.ts"
import * as Pages from "../internal/pages.ts"
import * as MemoryLog from "./MemoryLog.ts"

/** The event store over a log. It owns the log alone, so a stream's version is known at once. */
export const make = (log: MemoryLog.MemoryLog, storeId: string): EventStore["Service"] => {
  const readAll: EventStore["Service"]["readAll"] = (asked) => {
    const range = { ...asked, after: Pages.begin(asked.after) }
    return Effect.suspend(() => Pages.assertDense(range, logPage(log, range)))
  }

  return EventStore.of({
    storeId,
    epoch: Effect.succeed(storeId),
    life: undefined,
    versionNow: (stream) => MemoryLog.versionOf(log, stream),
    appendNow: (group, nowMillis) => MemoryLog.append(log, group, nowMillis),
    append: (group) => Effect.map(Clock.currentTimeMillis, (nowMillis) => MemoryLog.append(log, group, nowMillis)),
    readStream: (stream, range = {}) =>
      Effect.map(Clock.currentTimeMillis, (nowMillis) => ({
        events: streamEvents(MemoryLog.find(log, stream)?.events ?? [], range),
        version: MemoryLog.versionOf(log, stream),
        readAtMillis: MemoryLog.tick(log, nowMillis)
      })),
    readAll,
    follow: Pages.follow(readAll, (head) => awaitMore(log, head)),
    receipt: (stream, commandId) => Effect.sync(() => MemoryLog.find(log, stream)?.receipts.get(commandId)),
    head: Effect.sync(() => MemoryLog.head(log)),
    streams: (range) => Effect.sync(() => summaries(log, range)),
    audit: (after) => Effect.sync(() => Pages.auditReach(Pages.begin(after), MemoryLog.head(log))),
    pruneReceipts: ({ beforeMillis, limit }) => Effect.sync(() => MemoryLog.prune(log, beforeMillis, limit))
  })
}

/** The part of a stream that a range names. */
export const streamEvents = (
  events: ReadonlyArray<Stored>,
  { after = 0, direction = "forwards", limit, to = events.length }: StreamRange
): ReadonlyArray<Stored> => {
  const count = Pages.pageLimit(limit)
  const start = Math.max(0, after)
  const end = Math.max(start, Math.min(to, events.length))
  return direction === "forwards"
    ? events.slice(start, Math.min(end, start + count))
    : events.slice(Math.max(start, end - count), end).reverse()
}

const logPage = (log: MemoryLog.MemoryLog, { after, filter, limit }: LogRange) => {
  const count = Pages.pageLimit(limit)
  const head = log.events.length
  const to = Pages.reach(filter, Number(after), head)
  const found: Array<Stored> = []
  for (let index = Number(after); index < to && found.length < count; index++) {
    const event = log.events[index]!
    if (isWanted(event, filter)) found.push(event)
  }
  return Pages.page(found, { after, to, head, limit: count })
}

const isWanted = ({ category, tenant, type }: Stored, filter: LogFilter | undefined): boolean =>
  (filter?.tenants?.includes(tenant) ?? true) &&
  (filter?.categories?.includes(category) ?? true) &&
  (filter?.types?.includes(type) ?? true)

const awaitMore = (log: MemoryLog.MemoryLog, seen: bigint): Effect.Effect<void> =>
  Effect.callback((resume) => {
    if (MemoryLog.head(log) > seen) return resume(Effect.void)
    const wake = () => resume(Effect.void)
    log.waiting.add(wake)
    return Effect.sync(() => log.waiting.delete(wake))
  })

const summaries = (
  log: MemoryLog.MemoryLog,
  { after, category, limit = 100, tenant = defaultTenant }: StreamsRange
): ReadonlyArray<StreamSummary> =>
  Array.from(log.branches.get(tenant)?.get(category)?.values() ?? [])
    .filter(({ events, stream }) => events.length > 0 && (after === undefined || byCodePoints(stream.id, after) > 0))
    .sort((a, b) => byCodePoints(a.stream.id, b.stream.id))
    .slice(0, Pages.pageLimit(limit))
    .map(({ events, stream }) => ({
      ...stream,
      version: events.length,
      createdAtMillis: events[0]!.recordedAtMillis,
      updatedAtMillis: events.at(-1)!.recordedAtMillis
    }))
