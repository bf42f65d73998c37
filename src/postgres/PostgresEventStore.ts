/**
 * The log in PostgreSQL. A group of appends is one call of the server's function, so everything is decided and written
 * where the data is; a page is one statement, so it is of one moment.
 */
import { Effect } from "effect"
import { defaultTenant, type Position } from "../Event.ts"
import {
  type Append,
  AppendLost,
  EventStore,
  LogGap,
  type LogRange,
  type Status,
  StoreUnavailable,
  type StreamSummary
} from "../EventStore.ts"
import { refusals } from "../internal/appends.ts"
import * as Pages from "../internal/pages.ts"
import { untyped } from "../internal/types.ts"
import * as Appends from "./PostgresAppends.ts"
import type { PostgresClient, Row } from "./PostgresClient.ts"
import type { PostgresGrowth } from "./PostgresGrowth.ts"
import * as PostgresInlineAppends from "./PostgresInlineAppends.ts"
import * as PostgresLife from "./PostgresLife.ts"
import * as Rows from "./PostgresRows.ts"
import type { PostgresStatements, Statement } from "./PostgresStatements.ts"

/** The last position of the log. */
export const head = (
  { read }: PostgresClient["Service"],
  statements: PostgresStatements
): Effect.Effect<Position, StoreUnavailable> =>
  Effect.map(read(statements.head, []), ([row]) => row === undefined ? 0n : untyped<bigint>(row[0]))

/** The event store over a schema that is up to date. */
export const make = Effect.fnUntraced(function*(
  client: PostgresClient["Service"],
  statements: PostgresStatements,
  growth: PostgresGrowth
): Effect.fn.Return<EventStore["Service"], StoreUnavailable> {
  const { read } = client
  const [identity] = yield* read(statements.storeId, [])

  const readAll: EventStore["Service"]["readAll"] = (asked) => {
    const range = { ...asked, after: Pages.begin(asked.after) }
    return Effect.flatMap(logPage(client, statements, range), (page) => Pages.assertDense(range, page))
  }

  const storeId = untyped<string>(identity![0])
  // Asked each time, since the server may be another one after each connection that was lost.
  const epoch = Effect.map(read(statements.epoch, []), ([row]) => `${storeId}/${untyped<number>(row![0])}`)
  yield* epoch
  const [now] = yield* read(statements.life, [])
  PostgresLife.begin(client.life, statements.life, now![0])
  return EventStore.of({
    storeId,
    epoch,
    life: () => client.life.count,
    versionNow: undefined,
    appendNow: undefined,
    append: makeAppend(client, statements, growth),
    readStream: (stream, { after = 0, direction = "forwards", limit, to } = {}) => {
      const statement = direction === "forwards" ? statements.readStream : statements.readStreamBackwards
      const bounds = [Rows.version(after), Rows.version(to), Rows.limit(Pages.pageLimit(limit))]
      return Effect.map(read(statement, [...Rows.key(stream), ...bounds]), (rows) => Rows.streamPage(stream, rows))
    },
    readAll,
    follow: Pages.follow(readAll, growth.awaitMore),
    receipt: (stream, commandId) =>
      Effect.map(
        read(statements.receipt, [Rows.receiptKey(stream, commandId)]),
        ([row]) => row && Rows.receipt(stream, commandId, row)
      ),
    head: head(client, statements),
    streams: ({ after = "", category, limit = 100, tenant = defaultTenant }) => {
      const page = [Rows.bound(after), Rows.limit(Pages.pageLimit(limit))]
      return Effect.map(
        read(statements.streams, [Rows.name(tenant), Rows.name(category), ...page]),
        (rows) => rows.map((row) => summaryOf(tenant, category, untyped(row)))
      )
    },
    audit: (after) => audit(client, statements, Pages.begin(after)),
    pruneReceipts: ({ beforeMillis, limit }) =>
      Effect.mapBoth(
        client.write(statements.pruneReceipts, [Rows.time(beforeMillis), Rows.limit(Math.max(0, limit))]),
        {
          onFailure: ({ detail }) => new StoreUnavailable({ operation: "pruneReceipts", detail }),
          onSuccess: ({ length }) => length
        }
      )
  })
})

const makeAppend = (
  client: PostgresClient["Service"],
  statements: PostgresStatements,
  growth: PostgresGrowth
): EventStore["Service"]["append"] =>
(group) =>
  Effect.suspend(() => {
    const refused = refusals(group).map((status, index) => status ?? Appends.refuseNames(group[index]!))
    const admitted = group.filter((_, index) => refused[index] === undefined)
    if (admitted.length === 0) return Effect.succeed(refused.map((status) => status!))
    const write = (statement: Statement, parameters: ReadonlyArray<unknown>) =>
      Effect.ensuring(
        Effect.mapBoth(client.write(statement, parameters), { onFailure: toAppendError, onSuccess: ([row]) => row! }),
        // The log may have grown also when nobody answered, or when the caller did not stay to hear of it.
        Effect.sync(() => growth.wake())
      )
    const statuses = PostgresInlineAppends.knowsViews(admitted)
      ? PostgresInlineAppends.append(admitted, (parameters) => write(statements.appendInline, parameters))
      : appendAtOnce(client, statements, admitted, write)
    return Effect.map(statuses, (statuses) => {
      let next = 0
      return refused.map((status) => status ?? statuses[next++]!)
    })
  })

/** What is nobody's view is decided by one call. */
const appendAtOnce = (
  client: PostgresClient["Service"],
  statements: PostgresStatements,
  group: ReadonlyArray<Append>,
  write: (statement: Statement, parameters: ReadonlyArray<unknown>) => Effect.Effect<Row, StoreUnavailable | AppendLost>
): Effect.Effect<ReadonlyArray<Status>, StoreUnavailable | AppendLost> => {
  const encoded = Appends.encode(group)
  const sent: Effect.Effect<Row, StoreUnavailable | AppendLost> = group.every(isOnlyChecking)
    ? Effect.map(client.confirm(statements.append, encoded.parameters), ([row]) => row!)
    : write(statements.append, encoded.parameters)
  return Effect.map(sent, (row) => Appends.statusesOf(group, encoded, row))
}

/** Neither events nor receipts: looking is enough, and any connection may. */
const isOnlyChecking = (append: Append): boolean =>
  append.every(({ events, receipts }) => events.length === 0 && receipts.length === 0)

const toAppendError = ({ certain, detail }: { readonly certain: boolean; readonly detail: string }) =>
  certain ? new StoreUnavailable({ operation: "append", detail }) : new AppendLost({ detail })

const logPage = ({ read }: PostgresClient["Service"], statements: PostgresStatements, range: LogRange) => {
  const { after, filter } = range
  const limit = Pages.pageLimit(range.limit)
  const bounds = [Rows.position(after), Rows.limit(limit)]
  const rows = filter === undefined || Pages.isUnfiltered(filter)
    ? read(statements.readLog, bounds)
    : read(statements.readLogFiltered, [
      ...bounds,
      Rows.names(filter.tenants),
      Rows.names(filter.categories),
      Rows.names(filter.types)
    ])
  return Effect.map(rows, (found) => {
    const { events, head } = Rows.logEvents(found)
    const to = Pages.reach(filter, Number(after), Number(head))
    return Pages.page(events, { after, to, head: Number(head), limit })
  })
}

/** Counting is cheap; only where the count is wrong it is asked where. */
const audit = Effect.fnUntraced(function*(
  { read }: PostgresClient["Service"],
  statements: PostgresStatements,
  after: Position
): Effect.fn.Return<Position, StoreUnavailable | LogGap> {
  const [row] = yield* read(statements.countLog, [Rows.position(after)])
  const [head, count] = row === undefined ? [0n, 0n] : untyped<readonly [Position, bigint]>(row)
  const to = Pages.auditReach(after, head)
  if (count === to - after) return to
  const [hole] = yield* read(statements.firstHole, [Rows.position(after)])
  const [found, missing] = untyped<readonly [Position, Position]>(hole)
  return yield* new LogGap({ after: missing - 1n, found })
})

const summaryOf = (
  tenant: string,
  category: string,
  [id, version, createdAt, updatedAt]: readonly [string, number, Date, Date]
): StreamSummary => ({
  tenant,
  category,
  id,
  version,
  createdAtMillis: createdAt.getTime(),
  updatedAtMillis: updatedAt.getTime()
})
