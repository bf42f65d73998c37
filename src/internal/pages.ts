/**
 * Reading by pages, as every store does it: how large a page may be, that the log has no holes, and how reading the log
 * becomes following it.
 */
import { Effect, Option, Stream } from "effect"
import type { Position, Stored } from "../Event.ts"
import {
  type EventStore,
  type LogFilter,
  LogGap,
  type LogPage,
  type LogRange,
  type StoreUnavailable
} from "../EventStore.ts"

const pageMax = 1_000

/** 1 to 1,000, whatever was asked for. */
export const pageLimit = (limit = pageMax): number => Math.max(1, Math.min(pageMax, Math.trunc(limit) || 1))

/** Whether a filter asks for everything. */
export const isUnfiltered = (filter: LogFilter | undefined): boolean =>
  filter?.tenants === undefined && filter?.categories === undefined && filter?.types === undefined

/** How many positions a filtered read looks at, at most: what it answers is progress even if nothing matched. */
export const scannedMax = 10_000

/** How far one read goes when the log ends at `head`. */
export const reach = (filter: LogFilter | undefined, after: number, head: number): number =>
  isUnfiltered(filter) ? head : Math.min(head, after + scannedMax)

/** A page of what a read found up to `to`. A full page reaches to its last event only. */
export const page = (
  events: ReadonlyArray<Stored>,
  bounds: { readonly after: Position; readonly to: number; readonly head: number; readonly limit: number }
): LogPage => {
  const reached = events.length === bounds.limit ? events.at(-1)!.position : BigInt(bounds.to)
  return { events, position: laterOf(bounds.after, reached), head: BigInt(bounds.head) }
}

/** Positions begin at 1, so whoever begins before that begins with the first one. */
export const begin = (after: Position): Position => laterOf(after, 0n)

/** How many positions one audit counts, at most. */
export const auditedMax = 100_000n

/** How far one audit goes when the log ends at `head`. */
export const auditReach = (after: Position, head: Position): Position =>
  laterOf(after, after + auditedMax < head ? after + auditedMax : head)

/** A reader is never sent back, even if it is beyond the head. */
const laterOf = (one: Position, other: Position): Position => one > other ? one : other

/** Unfiltered pages must follow each other without holes; a filtered one cannot tell. */
export const assertDense = (range: LogRange, page: LogPage): Effect.Effect<LogPage, LogGap> => {
  if (!isUnfiltered(range.filter)) return Effect.succeed(page)
  let after = range.after
  for (const { position } of page.events) {
    if (position !== after + 1n) return Effect.fail(new LogGap({ after, found: position }))
    after = position
  }
  // A page that ends before the log does although it is not full has lost events at its end.
  const isFull = page.events.length >= pageLimit(range.limit)
  return isFull || after >= page.head ? Effect.succeed(page) : Effect.fail(new LogGap({ after, found: page.head }))
}

/**
 * Pages that go on for ever: where the log ends, `awaitMore` waits until it may have grown beyond a position. It may
 * return too early, never too late. Who has a page that reaches to the end of the log waits at once: to read another one
 * would cost most just when its events are worked off.
 */
export const follow = (
  readAll: EventStore["Service"]["readAll"],
  awaitMore: (head: Position) => Effect.Effect<void>
): EventStore["Service"]["follow"] =>
(range) => {
  const next = (after: Position): Effect.Effect<LogPage, StoreUnavailable | LogGap> =>
    Effect.filterOrElse(
      readAll({ ...range, after }),
      ({ position }) => position > after,
      ({ head }) => Effect.andThen(awaitMore(head), next(after))
    )
  const nextTo = ({ head, position }: LogPage) =>
    position < head ? next(position) : Effect.andThen(awaitMore(head), next(position))
  return Stream.paginate(
    next(range.after),
    (asked) => Effect.map(asked, (page) => [[page], Option.some(nextTo(page))] as const)
  )
}
