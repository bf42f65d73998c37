/**
 * The connections of the Postgres stores: one to write on, a few to read on, one to listen on, and a `SqlClient` for the
 * application. What goes wrong on them is put into plain words here, and nowhere else.
 */
import * as PgClient from "@effect/sql-pg/PgClient"
import * as PgConnection from "@effect/sql-pg/PgConnection"
import * as PgPool from "@effect/sql-pg/PgPool"
import { Clock, Context, Effect, Layer, type Queue, Redacted, type Scope } from "effect"
import { Reactivity } from "effect/reactivity"
import type { SqlError } from "effect/sql"
import type { ConnectionOptions } from "node:tls"
import { StoreUnavailable } from "../EventStore.ts"
import { channelOf } from "./PostgresFunctions.ts"
import type { Statement } from "./PostgresStatements.ts"

/** Which database, and how to use it. */
export interface Options {
  /** `postgres://user:password@host:5432/database?sslmode=require`; it never shows in a log, a span or an error. */
  readonly url: Redacted.Redacted | string
  /** Where the tables are: 1 to 40 lower-case letters, digits and `_`. "varve" unless given. */
  readonly schema?: string | undefined
  /** TLS, in more words than the URL's `sslmode` has. */
  readonly ssl?: boolean | ConnectionOptions | undefined
  /** How many connections serve reads; 4 unless given. Besides there is one to write on and one to listen on. */
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

/** A statement failed. `certain`: it did nothing. Otherwise it was sent, and nobody answered. */
export interface Failed {
  readonly _tag: "Failed"
  readonly certain: boolean
  readonly detail: string
}

/** Connections to a database: statements for the stores, a `SqlClient` for applications. */
export class PostgresClient extends Context.Service<PostgresClient, {
  readonly schema: string
  readonly sql: PgClient.PgClient
  /** Runs a statement on the connection for writing. What is sent from there is carried out in that order. */
  readonly write: (
    statement: Statement,
    parameters: ReadonlyArray<unknown>
  ) => Effect.Effect<ReadonlyArray<Row>, Failed>
  /** Runs a statement that only reads. */
  readonly read: (
    statement: Statement,
    parameters: ReadonlyArray<unknown>
  ) => Effect.Effect<ReadonlyArray<Row>, StoreUnavailable>
  /** What the server tells of the growth of the log, on a connection of its own; undefined behind a pooler. */
  readonly listen:
    | Effect.Effect<Queue.Dequeue<PgConnection.Notification, SqlError.SqlError>, SqlError.SqlError, Scope.Scope>
    | undefined
}>()("varve/postgres/PostgresClient") {}

const schemaPattern = /^[a-z_][a-z0-9_]{0,39}$/

/**
 * Opens nothing yet: connections are made when they are needed, and made again when they are lost.
 *
 * `StoreUnavailable`: the schema's name or the URL is not one.
 */
const make = Effect.fnUntraced(function*(
  options: Options
): Effect.fn.Return<PostgresClient["Service"], StoreUnavailable, Scope.Scope | Reactivity.Reactivity> {
  const { behindPooler = false, readConnections = 4, schema = "varve" } = options
  if (!schemaPattern.test(schema)) {
    return yield* unavailable("open", "the schema's name must be 1 to 40 lower-case letters, digits and _")
  }
  // The driver would say the whole of it in its span, with the password.
  if (!URL.canParse(textOf(options.url))) return yield* unavailable("open", "its URL is not one")
  const writing = yield* pool({ ...configOf(options, writerGuards), maxConnections: 1, multiplex: true })
  const reading = yield* pool({ ...configOf(options, readerGuards), maxConnections: readConnections, multiplex: true })
  const sql = yield* Effect.mapError(inRealTime(PgClient.make(configOf(options, {}))), toUnavailable("open"))
  return PostgresClient.of({
    schema,
    sql,
    write: (statement, parameters) => run(writing, statement, parameters, "15 seconds"),
    read: (statement, parameters) =>
      Effect.mapError(
        run(reading, statement, parameters, "30 seconds"),
        ({ detail }) => new StoreUnavailable({ operation: statement.name, detail })
      ),
    listen: behindPooler
      ? undefined
      : inRealTime(
        Effect.flatMap(PgConnection.make(configOf(options, {})), (connection) => connection.listen(channelOf(schema)))
      )
  })
})

/** The client as a Layer. */
export const layer = (options: Options): Layer.Layer<PostgresClient, StoreUnavailable> =>
  Layer.effect(PostgresClient, make(options)).pipe(Layer.provide(Reactivity.layer))

/**
 * What the server is told of a session: that it ends what hangs, and a lock with it, rather than wait for us. And since
 * plans are kept, that one which was made while the log was short must not walk it when it is long.
 */
const guards = {
  idle_in_transaction_session_timeout: "5s",
  client_connection_check_interval: "2s",
  tcp_user_timeout: "10s",
  enable_seqscan: "off",
  jit: "off"
}
const writerGuards = { ...guards, statement_timeout: "10s" }
const readerGuards = { ...guards, statement_timeout: "30s" }

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
  Effect.mapError(inRealTime(PgPool.make({ ...config, idleTimeout: "10 minutes" })), toUnavailable("open"))

// A network knows no virtual time: a test that moves its clock by a day has not waited for a server.
const realClock = Context.get(Context.empty(), Clock.Clock)
/** Runs on the clock of the world. */
export const inRealTime = Effect.provideService(Clock.Clock, realClock)

const run = (
  from: PgPool.PgPool,
  { text }: Statement,
  parameters: ReadonlyArray<unknown>,
  patience: "15 seconds" | "30 seconds"
): Effect.Effect<ReadonlyArray<Row>, Failed> =>
  inRealTime(Effect.catch(
    from.use((connection) =>
      Effect.timeoutOrElse(connection.queryValues(text, parameters), {
        duration: patience,
        // A connection that says nothing for so long is given up, with all that waits behind us on it.
        orElse: () => Effect.andThen(from.invalidate(connection), Effect.fail(silent))
      })
    ),
    (error) => Effect.fail("certain" in error ? error : toFailed(error))
  ))

const silent: Failed = { _tag: "Failed", certain: false, detail: "the server does not answer" }

// ── The border: what the driver and the server say, in plain words, without SQL, addresses or passwords

const details: ReadonlyMap<string, string> = new Map([
  ["ECONNREFUSED", "no server answers at its address"],
  ["ECONNRESET", "the connection was lost"],
  ["EPIPE", "the connection was lost"],
  ["ENOTFOUND", "the name of its host is not known"],
  ["EAI_AGAIN", "the name of its host cannot be looked up"],
  ["ETIMEDOUT", "the server does not answer"],
  ["EHOSTUNREACH", "the server cannot be reached"],
  ["ERR_INVALID_URL", "its URL is not one"],
  ["22P02", "the server does not take a value"],
  ["23505", "somebody else has written to its tables"],
  ["25006", "the server is read-only: a standby, perhaps"],
  ["28000", "the server does not admit this user"],
  ["28P01", "the server does not take this user's password"],
  ["3D000", "the database does not exist"],
  ["3F000", "the schema does not exist: migrate first"],
  ["42501", "the user lacks a privilege"],
  ["42883", "a function of the schema is missing: migrate first"],
  ["42P01", "a table of the schema is missing: migrate first"],
  ["53100", "the server's disk is full"],
  ["53200", "the server is out of memory"],
  ["53300", "the server has no connection left"],
  ["55P03", "other writers held the log for longer than 5 seconds"],
  ["57014", "the server took too long"],
  ["57P01", "the server is shutting down"],
  ["57P02", "the server has crashed"],
  ["57P03", "the server is starting up or shutting down"]
])

/** What failed, in plain words. */
const detailOf = ({ reason }: SqlError.SqlError): string => {
  const { code, isServer } = codeOf(reason.cause)
  if (code !== undefined) {
    return details.get(code) ?? (isServer ? `the server refused with code ${code}` : `the network failed with ${code}`)
  }
  return reason._tag === "ConnectionError" ? "the connection failed" : "the server's answer was not understood"
}

const codeOf = (cause: unknown) => {
  const code = typeof cause === "object" && cause !== null && "code" in cause ? String(cause.code) : undefined
  return { code, isServer: typeof cause === "object" && cause !== null && "severity" in cause }
}

/** An error that a statement ended with has undone it. One that ended the session may have come after the commit. */
const isCertain = ({ reason: { cause, message, operation } }: SqlError.SqlError): boolean => {
  if (operation === "connect" || message === encodingFailed) return true
  return typeof cause === "object" && cause !== null && "severityUnlocalized" in cause
    && cause.severityUnlocalized === "ERROR"
}

const encodingFailed = "PgConnection: Failed to encode query"

const toFailed = (error: SqlError.SqlError): Failed => ({
  _tag: "Failed",
  certain: isCertain(error),
  detail: detailOf(error)
})

/** The store's own word for a failed statement. */
export const toUnavailable = (operation: string) => (error: SqlError.SqlError): StoreUnavailable =>
  new StoreUnavailable({ operation, detail: detailOf(error) })

const unavailable = (operation: string, detail: string) => Effect.fail(new StoreUnavailable({ operation, detail }))
