/**
 * The connections of the Postgres stores: one to append on, a few to read the log on, a few for the transactions of
 * readers, one to listen on, and a `SqlClient` for the application.
 */
import * as PgClient from "@effect/sql-pg/PgClient"
import * as PgConnection from "@effect/sql-pg/PgConnection"
import * as PgPool from "@effect/sql-pg/PgPool"
import { Context, Effect, Layer, Option, type Queue, Redacted, References, type Scope, Tracer } from "effect"
import { Reactivity } from "effect/reactivity"
import type { SqlConnection, SqlError } from "effect/sql"
import type { ConnectionOptions } from "node:tls"
import { StoreUnavailable } from "../EventStore.ts"
import { untyped } from "../internal/types.ts"
import { inRealTime } from "./PostgresClock.ts"
import * as PostgresClosing from "./PostgresClosing.ts"
import { type Failed, logReplaced, OwnFailure, serverSilent, toFailed, toUnavailable } from "./PostgresFailures.ts"
import { channelOf } from "./PostgresFunctions.ts"
import * as PostgresLife from "./PostgresLife.ts"
import type { Statement } from "./PostgresStatements.ts"
import * as PostgresTransactions from "./PostgresTransactions.ts"
import * as PostgresUrl from "./PostgresUrl.ts"

/** Which database, and how to use it. */
export interface Options {
  /** `postgres://user:password@host:5432/database?sslmode=require`; it never shows in a log, a span or an error. */
  readonly url: Redacted.Redacted | string
  /** Where the tables are: 1 to 40 lower-case letters, digits and `_`. "varve" unless given. */
  readonly schema?: string | undefined
  /** TLS, in more words than the URL's `sslmode` has. */
  readonly ssl?: boolean | ConnectionOptions | undefined
  /**
   * How many connections serve reads; 4 unless given, and as many again serve the transactions of readers of the log.
   * Besides there is one to append on and one to listen on.
   */
  readonly readConnections?: number | undefined
  /**
   * The URL is that of a pooler that changes the connection after each transaction, like PgBouncer: no statement is
   * kept prepared, nobody listens, and guards against stuck sessions are the role's affair.
   */
  readonly behindPooler?: boolean | undefined
  /** Whether building the Layer brings the schema up to date; true unless given. Else it is only checked. */
  readonly migrate?: boolean | undefined
}

/** A row as the server sent it: a value per column. */
export type Row = ReadonlyArray<unknown>

/** Connections to a database: statements for the stores, a `SqlClient` for applications. */
export class PostgresClient extends Context.Service<PostgresClient, {
  readonly schema: string
  readonly sql: PgClient.PgClient
  /** Whether the log is the one that this process knows. */
  readonly life: PostgresLife.PostgresLife
  /**
   * Runs a statement on the connection for appends. What is sent from there is carried out in that order; and nothing of
   * it where the log has turned out to be another one on the way.
   */
  readonly write: (
    statement: Statement,
    parameters: ReadonlyArray<unknown>
  ) => Effect.Effect<ReadonlyArray<Row>, Failed>
  /** Runs a statement that only reads. */
  readonly read: Run
  /** The same, for what relies on what was read before: it fails where the log has turned out to be another one. */
  readonly confirm: Run
  /** Runs a statement that only reads in the transaction that it is asked in, if any, so that it sees what that did. */
  readonly look: Run
  /** Runs a statement in the transaction that it is asked in, if any; else it is one of its own. */
  readonly change: Run
  /** Runs a statement on a connection of its own, whatever transaction it is asked in. */
  readonly apart: Run
  /** Whether this is asked in a transaction. */
  readonly isWithin: Effect.Effect<boolean>
  /**
   * Does work in a transaction: what it does with `look`, `change` and `sql` is kept together, or not at all. Within a
   * transaction it is part of that one.
   */
  readonly transaction: <A, E, R>(
    operation: string,
    work: Effect.Effect<A, E, R>
  ) => Effect.Effect<A, E | StoreUnavailable, R>
  /** What the server tells of the growth of the log, on a connection of its own; undefined behind a pooler. */
  readonly listen:
    | Effect.Effect<Queue.Dequeue<PgConnection.Notification, SqlError.SqlError>, SqlError.SqlError, Scope.Scope>
    | undefined
}>()("varve/postgres/PostgresClient") {}

/** How a statement is run. */
export type Run = (
  statement: Statement,
  parameters: ReadonlyArray<unknown>
) => Effect.Effect<ReadonlyArray<Row>, StoreUnavailable>

const schemaPattern = /^[a-z_][a-z0-9_]{0,39}$/

/**
 * Opens nothing yet: connections are made when they are needed, and made again when they are lost.
 *
 * `StoreUnavailable`: the schema's name or the URL is not one.
 */
const make = Effect.fnUntraced(function*(
  options: Options,
  session: Session
): Effect.fn.Return<PostgresClient["Service"], StoreUnavailable, Scope.Scope | Reactivity.Reactivity> {
  const { behindPooler = false, readConnections = 4, schema = "varve" } = options
  if (!schemaPattern.test(schema)) {
    return yield* unavailable("open", "the schema's name must be 1 to 40 lower-case letters, digits and _")
  }
  // The driver would say the whole of it in its span, with the password.
  const problem = PostgresUrl.problemOf(textOf(options.url))
  if (problem !== undefined) {
    return yield* new StoreUnavailable({ operation: "open", detail: problem, lasting: true })
  }
  const writing = yield* pool({
    ...configOf(options, { ...writerGuards, ...session }),
    maxConnections: 1,
    multiplex: true
  })
  const reader = configOf(options, { ...readerGuards, ...session })
  const reading = yield* pool({ ...reader, maxConnections: readConnections, multiplex: true })
  const life = PostgresLife.make()
  const asking = (relies: boolean): Run => (statement, parameters) =>
    Effect.mapError(
      run({ from: reading, life, patience: "30 seconds", relies }, statement, parameters),
      toUnavailable(statement)
    )
  const read = asking(false)
  return PostgresClient.of({
    schema,
    life,
    write: (statement, parameters) =>
      Effect.mapError(
        run({ from: writing, life, patience: "15 seconds", relies: true }, statement, parameters),
        toFailed
      ),
    read,
    confirm: asking(true),
    ...yield* transacting(options, session, read),
    listen: behindPooler
      ? undefined
      : inRealTime(Effect.flatMap(
        PgConnection.make(configOf(options, {})),
        // The connection is closed after it; so nobody minds whether the server has heard that nobody listens.
        (connection) => PostgresClosing.bounded(connection.listen(channelOf(schema)), "1 second")
      ))
  })
})

/** What may be part of a transaction. */
const transacting = Effect.fnUntraced(function*(options: Options, session: Session, read: Run) {
  const { readConnections = 4 } = options
  const client = (config: PgClient.PgPoolConfig) =>
    Effect.mapError(inRealTime(PgClient.make(config)), toUnavailable({ name: "open" }))
  const ofApplication = yield* client(configOf(options, session))
  const guarded = configOf(options, { ...readerGuards, ...session })
  const ofStores = yield* client({ ...guarded, maxConnections: readConnections })
  const sql = Object.assign(ofApplication, { withTransaction: PostgresTransactions.make(ofApplication, ofStores) })

  const within = Effect.map(Effect.serviceOption(sql.transactionService), Option.map(([connection]) => connection))
  const apart: Run = (statement, parameters) =>
    Effect.scoped(Effect.flatMap(
      Effect.mapError(inRealTime(ofStores.reserve), toUnavailable(statement)),
      (connection) => runOn(connection, statement, parameters)
    ))
  const joined = (alone: Run): Run => (statement, parameters) =>
    Effect.flatMap(
      within,
      Option.match({
        onNone: () => alone(statement, parameters),
        onSome: (connection) => runOn(connection, statement, parameters)
      })
    )
  return {
    sql,
    look: joined(read),
    change: joined(apart),
    apart,
    isWithin: Effect.map(within, Option.isSome),
    transaction: makeTransaction(sql)
  }
})

const runOn = (
  connection: SqlConnection.Connection,
  statement: Statement,
  parameters: ReadonlyArray<unknown>
) =>
  Effect.mapError(
    PostgresTransactions.patiently(connection.executeValues(statement.text, parameters)),
    toUnavailable(statement)
  )

const makeTransaction = (sql: PgClient.PgClient): PostgresClient["Service"]["transaction"] => (operation, work) =>
  Effect.contextWith((outer: Context.Context<never>) => {
    const own = asOutside(outer)(Effect.mapError(work, (error) => new OwnFailure(error)))
    return sql.withTransaction(own).pipe(
      Effect.provideService(PostgresTransactions.OfStores, true),
      Effect.provideService(References.TracerEnabled, false),
      Effect.mapError((error) => error instanceof OwnFailure ? error.error : toUnavailable({ name: operation })(error))
    )
  })

/** Nobody asked for a span of the transaction itself; the work's own are its caller's. */
const asOutside =
  (outer: Context.Context<never>) => <A, E, R>(work: Effect.Effect<A, E, R>): Effect.Effect<A, E, R> => {
    const span = Context.getOrUndefined(outer, Tracer.ParentSpan)
    return work.pipe(
      Effect.provideService(References.TracerEnabled, Context.get(outer, References.TracerEnabled)),
      Effect.provideService(PostgresTransactions.OfStores, Context.get(outer, PostgresTransactions.OfStores)),
      span === undefined
        ? Effect.updateContext((inner: Context.Context<R>) =>
          untyped<typeof inner>(Context.omit(Tracer.ParentSpan)(inner))
        )
        : Effect.provideService(Tracer.ParentSpan, span)
    )
  }

/** Settings that each session begins with, which a pooler does not pass on. */
export type Session = Readonly<Record<string, string>>

/** The client as a Layer. */
export const layer = (options: Options, session: Session = {}): Layer.Layer<PostgresClient, StoreUnavailable> =>
  Layer.effect(PostgresClient, PostgresClosing.bounded(make(options, session), "5 seconds")).pipe(
    Layer.provide(Reactivity.layer)
  )

/**
 * What the server is told of a session: that it ends what hangs, and a lock with it, rather than wait for us. That a
 * statement sees what was there when it began, so that who has waited for others decides on what they have written. And
 * since plans are kept, that one which was made while the log was short must not walk it when it is long.
 */
const guards = {
  idle_in_transaction_session_timeout: "5s",
  client_connection_check_interval: "2s",
  tcp_user_timeout: "10s",
  default_transaction_isolation: "read committed",
  enable_seqscan: "off",
  jit: "off"
}
const writerGuards = { ...guards, statement_timeout: "10s" }
/** A page in order by its index ends when it is full; by a bitmap, all that may be in it would be read and sorted first. */
export const readerGuards = { ...guards, statement_timeout: "30s", enable_bitmapscan: "off" }

const textOf = (url: Options["url"]): string => typeof url === "string" ? url : Redacted.value(url)

const configOf = (
  { behindPooler = false, ssl, url }: Options,
  startupParameters: Readonly<Record<string, string>>
): PgClient.PgPoolConfig => ({
  url: typeof url === "string" ? Redacted.make(url) : url,
  applicationName: "varve",
  keepAlive: "10 seconds",
  maxMessageSize: messageBytesMax,
  ...(ssl !== undefined && { ssl }),
  ...(behindPooler ? { prepare: false } : { startupParameters })
})

/** A page holds a thousand events of up to 256 KiB, each of them one message; an answer to a group is one, too. */
const messageBytesMax = 256 * 1_024 * 1_024

const pool = (config: PgPool.Config): Effect.Effect<PgPool.PgPool, StoreUnavailable, Scope.Scope> =>
  Effect.mapError(inRealTime(PgPool.make({ ...config, idleTimeout: "10 minutes" })), toUnavailable({ name: "open" }))

/** A way to the server. */
interface Way {
  readonly from: PgPool.PgPool
  readonly life: PostgresLife.PostgresLife
  readonly patience: "15 seconds" | "30 seconds"
  /** What is asked relies on what was read before: it is not asked of another log. */
  readonly relies: boolean
}

const run = (
  { from, life, patience, relies }: Way,
  { text }: Statement,
  parameters: ReadonlyArray<unknown>
): Effect.Effect<ReadonlyArray<Row>, SqlError.SqlError> =>
  inRealTime(Effect.suspend(() => {
    const known = life.count
    return from.use((connection) => {
      const asked = PostgresLife.greet(life, connection)
      const answer = Effect.suspend(() =>
        relies && life.count !== known ? Effect.fail(logReplaced) : connection.queryValues(text, parameters)
      )
      return Effect.timeoutOrElse(asked === undefined ? answer : Effect.andThen(asked, answer), {
        duration: patience,
        // A connection that says nothing for so long is given up, with all that waits behind us on it.
        orElse: () => Effect.andThen(from.invalidate(connection), Effect.fail(serverSilent))
      })
    })
  }))

const unavailable = (operation: string, detail: string) => Effect.fail(new StoreUnavailable({ operation, detail }))
