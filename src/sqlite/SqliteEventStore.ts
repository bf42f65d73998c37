/**
 * The log in a SQLite file. A group of appends is one immediate transaction in one synchronous turn, so positions are
 * taken, checked and written without anybody in between, and the commit's one fsync serves the whole group.
 */
import { Clock, Effect, Schedule } from "effect"
import { defaultTenant, type Position, type StreamId } from "../Event.ts"
import {
  type Append,
  AppendLost,
  EventStore,
  LogGap,
  type LogPage,
  type LogRange,
  type Receipt,
  type Status,
  StoreUnavailable,
  type StreamPage,
  type StreamRange,
  type Write,
  type Written
} from "../EventStore.ts"
import { isMet, looked, refusals, storedAfter } from "../internal/appends.ts"
import * as Inline from "../internal/inline.ts"
import * as Pages from "../internal/pages.ts"
import * as SqliteClock from "./SqliteClock.ts"
import { detailOf, type TurnFailed } from "./SqliteErrors.ts"
import type { InlineRow, SqliteInlineStatements } from "./SqliteInlineStatements.ts"
import * as SqliteInlineViews from "./SqliteInlineViews.ts"
import type { SqliteStatements } from "./SqliteStatements.ts"
import type { SqliteViewStatements } from "./SqliteViewStatements.ts"
import { writeDocuments } from "./SqliteViewStore.ts"

/** What it is made of. */
type Parts = Pick<SqliteInlineViews.Parts, "client" | "clock" | "log" | "inline" | "views" | "storeId">

/** The event store over an open file whose tables are up to date. */
export const make = ({ client, clock, inline, log: statements, storeId, views }: Parts): EventStore["Service"] => {
  const growth = makeGrowth(statements)

  // Whoever has the engine for a transaction may look at the log from there, as on every other store.
  const read = <A>(operation: string, work: () => A): Effect.Effect<A, StoreUnavailable> =>
    Effect.mapError(client.joinedRead(operation, work), unavailable(operation))

  const append: EventStore["Service"]["append"] = Effect.fnUntraced(function*(group) {
    const refused = refusals(group)
    const nowMillis = yield* Clock.currentTimeMillis
    const turn = group.every(isCheck) ? client.read : client.write
    let grown = false
    return yield* turn("append", () => {
      const done = appendGroup({ statements, inline, views }, group, refused, SqliteClock.tick(clock, nowMillis))
      grown = done.grown
      return done.statuses
    }).pipe(
      Effect.mapError((failure) =>
        failure.certain ? unavailable("append")(failure) : new AppendLost({ detail: detailOf(failure.error) })
      ),
      // The log may have grown also when the commit's outcome is unknown, or when the caller did not stay to hear of it.
      Effect.ensuring(Effect.sync(() => grown && growth.wake()))
    )
  })

  const readAll: EventStore["Service"]["readAll"] = (asked) => {
    const range = { ...asked, after: Pages.begin(asked.after) }
    return Effect.flatMap(read("readAll", () => logPage(statements, range)), (page) => Pages.assertDense(range, page))
  }

  return EventStore.of({
    storeId,
    // A file that is put back brings its readers' checkpoints with it: they are in it.
    epoch: Effect.succeed(storeId),
    life: undefined,
    versionNow: client.exclusive
      ? (stream) => client.database.isTransaction ? undefined : statements.version(stream)
      : undefined,
    appendNow: undefined,
    append,
    readStream: (stream, range = {}) =>
      Effect.flatMap(
        Clock.currentTimeMillis,
        (nowMillis) =>
          read("readStream", () => streamPage(statements, stream, range, SqliteClock.tick(clock, nowMillis)))
      ),
    readAll,
    follow: Pages.follow(readAll, growth.awaitMore(read)),
    receipt: (stream, commandId) => read("receipt", () => statements.receipt(stream, commandId)),
    head: read("head", () => BigInt(statements.head().position)),
    streams: ({ after = "", category, limit = 100, tenant = defaultTenant }) =>
      read("streams", () => statements.streams(tenant, category, after, Pages.pageLimit(limit))),
    audit: (after) =>
      Effect.flatMap(
        read("audit", () => auditStep(statements, Pages.begin(after))),
        (step) => step instanceof LogGap ? Effect.fail(step) : Effect.succeed(step)
      ),
    pruneReceipts: ({ beforeMillis, limit }) =>
      Effect.mapError(
        client.write("pruneReceipts", () => statements.deleteReceipts(beforeMillis, limit)),
        unavailable("pruneReceipts")
      )
  })
}

const unavailable = (operation: string) => ({ error }: TurnFailed): StoreUnavailable =>
  new StoreUnavailable({ operation, detail: detailOf(error) })

/** Neither events nor receipts: looking is enough, and costs no commit. */
const isCheck = (append: Append): boolean =>
  append.every(({ events, receipts }) => events.length === 0 && receipts.length === 0)

/** What an append is written by: the log, and the documents of inline views. */
interface Tables {
  readonly statements: SqliteStatements
  readonly inline: SqliteInlineStatements
  readonly views: SqliteViewStatements
}

/** The end of the log while a group is written, and the views that are inline there. */
interface Cursor {
  position: number
  readonly recordedAtMillis: number
  readonly known: Map<string, KnownRow>
}

interface KnownRow extends Inline.Known {
  readonly row: InlineRow
}

const appendGroup = (
  tables: Tables,
  group: ReadonlyArray<Append>,
  refused: ReadonlyArray<Status | undefined>,
  nowMillis: number
) => {
  const head = tables.statements.head()
  const recordedAtMillis = Math.max(nowMillis, head.recordedAtMillis)
  const cursor: Cursor = { position: head.position, recordedAtMillis, known: knownViews(tables, recordedAtMillis) }
  const statuses = group.map((append, index) => refused[index] ?? appendOne(tables, append, cursor))
  return { statuses, grown: cursor.position > head.position }
}

/** The views that writers have to know. */
const knownViews = ({ inline }: Tables, nowMillis: number): Cursor["known"] =>
  new Map(
    inline.views().flatMap((row) => {
      const { name, state, types, untilMillis, version } = row
      if (state === "ended" || (state === "filling" && nowMillis >= untilMillis)) return []
      return [[Inline.nameOf(row), { name, version, state, types: new Set<string>(JSON.parse(types)), row }]]
    })
  )

const appendOne = (tables: Tables, append: Append, cursor: Cursor): Status => {
  const { statements, views } = tables
  const receipts = append.flatMap((write) => repeatedReceipts(statements, write))
  if (receipts.length > 0) return recognize(statements, append) ?? { _tag: "Duplicate", receipts }
  const before = append.map(({ stream }) => statements.version(stream))
  const unmet = append.findIndex(({ expected }, index) => !isMet(expected, before[index]!))
  if (unmet >= 0) return recognize(statements, append) ?? { _tag: "Conflict", write: unmet, actual: before[unmet]! }
  const other = Inline.changed(append, cursor.known) ??
    Inline.conflict(append, (view, tenant, key) => views.textOf(view, tenant, key))
  if (other !== undefined) return other
  takeIn(tables, append, cursor)
  return { _tag: "Committed", writes: append.map((write, index) => store(statements, write, before[index]!, cursor)) }
}

/** Writes the documents. Views that the writer does not know end before it. */
const takeIn = ({ inline, views }: Tables, append: Append, { known, position }: Cursor): void => {
  for (const name of Inline.ended(append, known)) {
    SqliteInlineViews.end(inline, known.get(name)!.row, position)
    known.delete(name)
  }
  for (const { stream: { tenant }, views: taken = [] } of append) {
    for (const { documents = [], view } of taken) {
      const changes = documents.filter(({ document, expected }) => document !== expected)
      if (changes.length > 0) writeDocuments(views, view, changes.map((change) => ({ ...change, tenant })))
    }
  }
}

const repeatedReceipts = (statements: SqliteStatements, { receipts, stream }: Write): ReadonlyArray<Receipt> =>
  receipts.flatMap(({ commandId }) => statements.receipt(stream, commandId) ?? [])

/**
 * An append that was lost on its way back and is sent again: its own event ids tell. Its positions are consecutive, so
 * one event that is found leads to all.
 */
const recognize = (statements: SqliteStatements, append: Append): Status | undefined => {
  let eventsBefore = 0
  for (const write of append) {
    const after = storedAfter(write)
    const found = after === undefined ? undefined : statements.event(write.stream, after + 1)
    if (found !== undefined && found.eventId === write.events[0]!.eventId) {
      return { _tag: "Committed", writes: writtenBefore(statements, append, found.position - eventsBefore) }
    }
    eventsBefore += write.events.length
  }
  return undefined
}

const writtenBefore = (statements: SqliteStatements, append: Append, first: number): ReadonlyArray<Written> => {
  let next = first
  return append.map(({ events, expected, stream }) => {
    if (events.length === 0) {
      return { version: looked(expected) ?? statements.version(stream), position: undefined }
    }
    next += events.length
    return { version: statements.versionAt(next - 1)!, position: BigInt(next - 1) }
  })
}

const store = (
  statements: SqliteStatements,
  { events, receipts, stream }: Write,
  before: number,
  cursor: Cursor
): Written => {
  const { position: base, recordedAtMillis } = cursor
  events.forEach((event, index) => {
    const place = { stream, version: before + index + 1, position: base + index + 1, recordedAtMillis }
    statements.insertEvent(place, event)
  })
  for (const receipt of receipts) {
    const position = receipt.events === 0 ? null : base + receipt.through
    statements.insertReceipt({ stream, version: before + receipt.through, position, recordedAtMillis }, receipt)
  }
  cursor.position = base + events.length
  return { version: before + events.length, position: events.length === 0 ? undefined : BigInt(cursor.position) }
}

/** Part of a stream, inside a turn. */
export const streamPage = (
  statements: SqliteStatements,
  stream: StreamId,
  { after = 0, direction = "forwards", limit, to = Number.MAX_SAFE_INTEGER }: StreamRange,
  readAtMillis: number
): StreamPage => ({
  events: statements.stream(stream, { after, to, limit: Pages.pageLimit(limit), forwards: direction === "forwards" }),
  version: statements.version(stream),
  readAtMillis: Math.max(readAtMillis, statements.head().recordedAtMillis)
})

const logPage = (statements: SqliteStatements, { after, filter, limit }: LogRange): LogPage => {
  const head = statements.head().position
  const count = Pages.pageLimit(limit)
  const from = Number(after)
  const to = Pages.reach(filter, from, head)
  const events = filter === undefined || Pages.isUnfiltered(filter)
    ? statements.log(from, to, count)
    : statements.filteredLog(from, to, count, filter)
  return Pages.page(events, { after, to, head, limit: count })
}

const auditStep = (statements: SqliteStatements, after: Position): Position | LogGap => {
  const to = Pages.auditReach(after, BigInt(statements.head().position))
  return isDense(statements, Number(after), Number(to)) ? to : firstGap(statements, Number(after), Number(to))
}

const isDense = (statements: SqliteStatements, after: number, to: number): boolean =>
  statements.countLog(after, to) === to - after

/** Between a position up to which nothing is missing, and one by which something is: halving leads to the hole. */
const firstGap = (statements: SqliteStatements, after: number, to: number): LogGap => {
  let [dense, missing] = [after, to]
  while (missing - dense > 1) {
    const middle = Math.floor((dense + missing) / 2)
    if (isDense(statements, dense, middle)) dense = middle
    else missing = middle
  }
  return new LogGap({ after: BigInt(dense), found: BigInt(statements.positionAfter(dense)!) })
}

const poll = Schedule.spaced("20 millis")

/**
 * How the followers of this process learn that the log has grown: at once when this process wrote, and within 20 ms
 * when another one did, which the engine's own counter of foreign commits tells without touching the log.
 */
const makeGrowth = (statements: SqliteStatements) => {
  const waiting = new Set<() => void>()
  const wake = () => {
    const woken = [...waiting]
    waiting.clear()
    for (const resume of woken) resume()
  }
  const written: Effect.Effect<void> = Effect.callback((resume) => {
    const woken = () => resume(Effect.void)
    waiting.add(woken)
    return Effect.sync(() => waiting.delete(woken))
  })
  type Read = <A>(operation: string, work: () => A) => Effect.Effect<A, StoreUnavailable>
  const awaitMore = (read: Read) => (seen: Position): Effect.Effect<void> => {
    let known = -1
    const look = read("follow", () => {
      const version = statements.dataVersion()
      if (version === known) return false
      known = version
      return BigInt(statements.head().position) > seen
    })
    // A store that cannot be looked at now says so to the next read.
    const polled = Effect.repeat(Effect.orElseSucceed(look, () => true), { until: (grown) => grown, schedule: poll })
    return Effect.race(written, Effect.asVoid(polled))
  }
  return { wake, awaitMore }
}
