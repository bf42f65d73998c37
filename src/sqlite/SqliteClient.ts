/**
 * A thin `SqlClient` over Node's own SQLite, and beside it what a store needs of an embedded engine: work that is one
 * transaction in one synchronous turn, so that nothing is held open while other fibers run.
 */
import { Context, Effect, Layer, Option, Schedule, type Scope, Semaphore, Stream } from "effect"
import { Reactivity } from "effect/reactivity"
import { SqlClient, type SqlConnection, SqlError, Statement } from "effect/sql"
import { DatabaseSync, type SQLInputValue, type StatementSync } from "node:sqlite"

/** Which file, and how to share it. */
export interface Options {
  /** The database file; made if it does not exist, in a folder that does. */
  readonly filename: string
  /** No other process may open the file meanwhile. In return reads of a stream's version need no round trip. */
  readonly exclusive?: boolean | undefined
}

/** A turn failed. `certain`: nothing was written. Otherwise the commit failed at its end, and the file may hold it. */
export interface TurnFailed {
  readonly _tag: "TurnFailed"
  readonly certain: boolean
  readonly error: SqlError.SqlError
}

/** An open file: its `SqlClient` for applications, and turns for the stores. */
export class SqliteClient extends Context.Service<SqliteClient, {
  readonly sql: SqlClient.SqlClient
  readonly database: DatabaseSync
  readonly exclusive: boolean
  /** Work that writes: one immediate transaction in one synchronous turn. */
  readonly write: <A>(operation: string, work: () => A) => Effect.Effect<A, TurnFailed>
  /** Work that reads: one snapshot in one synchronous turn. */
  readonly read: <A>(operation: string, work: () => A) => Effect.Effect<A, TurnFailed>
}>()("varve/sqlite/SqliteClient") {}

/**
 * Opens a file: WAL, `synchronous` FULL, so that a commit that was acknowledged survives a crash of the machine.
 *
 * `SqlError` says why the file cannot be opened.
 */
const make = Effect.fnUntraced(function*(
  { exclusive = false, filename }: Options
): Effect.fn.Return<SqliteClient["Service"], SqlError.SqlError, Scope.Scope | Reactivity.Reactivity> {
  const database = yield* Effect.acquireRelease(
    attempt("open", () => new DatabaseSync(filename, { timeout: 0 })),
    (opened) => Effect.sync(() => opened.close())
  )
  yield* whenFree(attempt("open", () => configure(database, exclusive)))
  // The engine has one connection: whoever has the permit has the engine, be it for a turn or for a transaction.
  const permit = Semaphore.makeUnsafe(1)
  const sql = yield* makeSql(database, permit)
  const turn = <A>(operation: string, begin: string, work: () => A) => {
    const taken = takePermit(permit, operation, () => takeTurn(database, operation, begin, work))
    return whenFree(outsideTransaction(sql, operation, taken))
  }
  return SqliteClient.of({
    sql,
    database,
    exclusive,
    write: (operation, work) => turn(operation, "BEGIN IMMEDIATE", work),
    read: (operation, work) => turn(operation, "BEGIN DEFERRED", work)
  })
})

/** The client as a Layer, with the `SqlClient` that it holds. */
export const layer = (options: Options): Layer.Layer<SqliteClient | SqlClient.SqlClient, SqlError.SqlError> =>
  Layer.effectContext(
    Effect.map(
      make(options),
      (client) => Context.make(SqliteClient, client).pipe(Context.add(SqlClient.SqlClient, client.sql))
    )
  ).pipe(Layer.provide(Reactivity.layer))

const configure = (database: DatabaseSync, exclusive: boolean): void => {
  if (exclusive) database.exec("PRAGMA locking_mode = EXCLUSIVE")
  const { journal_mode: mode } = database.prepare("PRAGMA journal_mode = WAL").get() ?? {}
  if (database.location() === null) {
    throw new Error("it names no file; for a log that may be forgotten use the memory store")
  }
  if (mode !== "wal") throw new Error(`journal_mode is ${mode}: this file system cannot hold a write-ahead log`)
  database.exec("PRAGMA synchronous = FULL")
}

const patience = "5 seconds"

/** The engine's own waiting would stop the whole process, so it never waits; an Effect does, for up to 5 seconds. */
const whenFree = <A, E extends SqlError.SqlError | TurnFailed>(effect: Effect.Effect<A, E>): Effect.Effect<A, E> =>
  Effect.retry(effect, { schedule: whileBusy, while: isBusy })

const whileBusy = Schedule.jittered(Schedule.min([Schedule.exponential("1 milli", 1.5), Schedule.spaced("20 millis")]))
  .pipe(Schedule.upTo({ duration: patience }))

const isBusy = (failure: SqlError.SqlError | TurnFailed): boolean => {
  const error = failure._tag === "TurnFailed" ? failure.error : failure
  return error.reason._tag === "LockTimeoutError" && (failure._tag !== "TurnFailed" || failure.certain)
}

/**
 * A turn waits for its place, but not for ever: an application that asks a store while it holds the engine itself, for
 * a transaction or an open stream of rows, would wait for its own end.
 */
const takePermit = <A>(
  permit: Semaphore.Semaphore,
  operation: string,
  turn: () => Effect.Effect<A, TurnFailed>
): Effect.Effect<A, TurnFailed> =>
  Effect.flatMap(permit.withPermitsIfAvailable(1)(Effect.suspend(turn)), (taken) => {
    if (Option.isSome(taken)) return Effect.succeed(taken.value)
    let begun = false
    const waiting = permit.withPermit(Effect.suspend(() => {
      begun = true
      return turn()
    }))
    return Effect.timeoutOrElse(waiting, {
      duration: patience,
      orElse: () => {
        const cause = new Error(
          "the application held its SqlClient, in a transaction or a stream, for longer than 5 seconds"
        )
        const failed: TurnFailed = { _tag: "TurnFailed", certain: !begun, error: toSqlError(cause, operation) }
        return Effect.fail(failed)
      }
    })
  })

/** Whoever holds the engine for a transaction of his own would wait for himself. */
const outsideTransaction = <A>(
  sql: SqlClient.SqlClient,
  operation: string,
  turn: Effect.Effect<A, TurnFailed>
): Effect.Effect<A, TurnFailed> =>
  Effect.withFiber(({ context }) => {
    if (Context.getOrUndefined(context, sql.transactionService) === undefined) return turn
    const cause = new Error("it is asked from inside a transaction of this file's SqlClient; ask after it has ended")
    return Effect.fail({ _tag: "TurnFailed", certain: true, error: toSqlError(cause, operation) })
  })

const takeTurn = <A>(
  database: DatabaseSync,
  operation: string,
  begin: string,
  work: () => A
): Effect.Effect<A, TurnFailed> => {
  let isCommitting = false
  try {
    // What a failed rollback has left open is ended first.
    if (database.isTransaction) database.exec("ROLLBACK")
    database.exec(begin)
    const result = work()
    isCommitting = begin !== "BEGIN DEFERRED"
    database.exec("COMMIT")
    return Effect.succeed(result)
  } catch (cause) {
    const certain = !isCommitting || wroteNothing(database, cause)
    rollback(database)
    return Effect.fail({ _tag: "TurnFailed", certain, error: toSqlError(cause, operation) })
  }
}

const errcodeOf = (cause: unknown): unknown =>
  typeof cause === "object" && cause !== null && "errcode" in cause ? cause.errcode : undefined

/** The file could not be written to: SQLITE_FULL, SQLITE_IOERR_WRITE. */
const unwritten: ReadonlySet<unknown> = new Set([13, 778])

/**
 * Whether a commit that failed is known to have written nothing. One that leaves its transaction open has not begun.
 * One that could not write has left the last page of its transaction out of the write-ahead log, and without that page
 * no reader takes any of it, neither now nor after a crash. But one that failed after its last page, as in an fsync, is
 * rolled back by the engine and still whole in the file: a crash could bring it back until another commit overwrites it.
 */
const wroteNothing = (database: DatabaseSync, cause: unknown): boolean =>
  database.isTransaction || unwritten.has(errcodeOf(cause))

/** Part of the turn, so that nobody else's statement can end up in what is rolled back. */
const rollback = (database: DatabaseSync): void => {
  try {
    if (database.isTransaction) database.exec("ROLLBACK")
  } catch {
    // The next turn begins with it.
  }
}

const attempt = <A>(operation: string, work: () => A): Effect.Effect<A, SqlError.SqlError> =>
  Effect.try({ try: work, catch: (cause) => toSqlError(cause, operation) })

/** Node names the engine's code `errcode`, Effect looks for `errno`. */
const toSqlError = (cause: unknown, operation: string): SqlError.SqlError => {
  const errno = errcodeOf(cause)
  const known = errno === undefined ? cause : Object.assign(new Error(String(cause), { cause }), { errno })
  const reason = SqlError.classifySqliteError(known, { message: `sqlite: ${operation} failed`, operation })
  return new SqlError.SqlError({ reason })
}

const details: ReadonlyMap<number, string> = new Map([
  [5, "another process is writing to the file, and went on for longer than 5 seconds"],
  [6, "another process is writing to the file, and went on for longer than 5 seconds"],
  [8, "the file is read-only"],
  [10, "the disk failed"],
  [11, "the file is damaged"],
  [13, "the disk is full"],
  [14, "the file cannot be opened; its folder must exist and be writable"],
  [26, "the file is not a SQLite database"]
])

/** SQLITE_BUSY, LOCKED, IOERR, FULL: other processes end, disks are given room. */
const passing: ReadonlySet<number> = new Set([5, 6, 10, 13])

/** Whether a file that cannot be opened or used will stay so until somebody has mended it. */
export const isLasting = (error: SqlError.SqlError): boolean => {
  const errno = errnoOf(error)
  return errno === undefined || !passing.has(errno & 0xff)
}

const errnoOf = ({ reason: { cause } }: SqlError.SqlError): number | undefined =>
  typeof cause === "object" && cause !== null && "errno" in cause ? Number(cause.errno) : undefined

/** What failed, in plain words and without any SQL. */
export const detailOf = (error: SqlError.SqlError): string => {
  const { cause } = error.reason
  const errno = errnoOf(error)
  if (errno === undefined) return cause instanceof Error ? cause.message : "the database failed"
  return details.get(errno & 0xff) ?? `the database failed with code ${errno}`
}

const makeSql = (database: DatabaseSync, semaphore: Semaphore.Semaphore) => {
  const connection = makeConnection(database)
  return SqlClient.make({
    ...SqlClient.makeSqliteAcquirers({
      connection: Effect.succeed(connection),
      semaphore,
      isTransaction: () => database.isTransaction
    }),
    compiler: Statement.makeCompilerSqlite(),
    driver: "varve-node-sqlite",
    beginTransaction: "BEGIN IMMEDIATE",
    releaseSavepoint: (name) => `RELEASE SAVEPOINT ${name}`,
    spanAttributes: [["db.system.name", "sqlite"]]
  })
}

const preparedMax = 200

const makeConnection = (database: DatabaseSync): SqlConnection.Connection => {
  const prepared = new Map<string, StatementSync>()
  const prepare = (text: string): StatementSync => {
    const known = prepared.get(text)
    if (known !== undefined) return known
    if (prepared.size >= preparedMax) prepared.delete(prepared.keys().next().value!)
    const statement = database.prepare(text)
    prepared.set(text, statement)
    return statement
  }
  const execute = (
    text: string,
    params: ReadonlyArray<unknown>,
    mode: "rows" | "arrays" | "raw"
  ): Effect.Effect<ReadonlyArray<any>, SqlError.SqlError> =>
    Effect.withFiber(({ context }) => {
      const run = attempt("execute", () => {
        const statement = prepare(text)
        statement.setReadBigInts(Context.get(context, SqlClient.SafeIntegers))
        statement.setReturnArrays(mode === "arrays")
        const values = params.map(toInput)
        if (statement.columns().length > 0) return statement.all(...values)
        const changes = statement.run(...values)
        return mode === "raw" ? [changes] : []
      })
      // Inside a transaction the lock is ours; only its beginning, or a statement of its own, can find it taken.
      return database.isTransaction ? run : whenFree(run)
    })
  const rows: SqlConnection.Connection["execute"] = (text, params, transform) =>
    transform === undefined ? execute(text, params, "rows") : Effect.map(execute(text, params, "rows"), transform)
  return {
    execute: rows,
    executeUnprepared: rows,
    executeRaw: (text, params) => Effect.map(execute(text, params, "raw"), (result) => result),
    executeValues: (text, params) => execute(text, params, "arrays"),
    executeValuesUnprepared: (text, params) => execute(text, params, "arrays"),
    executeStream: (text, params, transform) =>
      Stream.unwrap(Effect.map(openRows(database, text, params), (rows) => streamRows(rows, transform)))
  }
}

/** A reader who leaves early closes the statement: while it is open the connection sees no newer commit. */
const openRows = (database: DatabaseSync, text: string, params: ReadonlyArray<unknown>) =>
  Effect.acquireRelease(
    Effect.withFiber(({ context }) =>
      attempt("stream", () => {
        const statement = database.prepare(text)
        statement.setReadBigInts(Context.get(context, SqlClient.SafeIntegers))
        return statement.iterate(...params.map(toInput))
      })
    ),
    (rows) => Effect.sync(() => rows.return?.())
  )

const streamedPage = 128

/** Rows by pages, as far as they are asked for; the engine holds its place in between. */
const streamRows = (
  rows: Iterator<any>,
  transform: ((page: ReadonlyArray<any>) => ReadonlyArray<any>) | undefined
): Stream.Stream<any, SqlError.SqlError> =>
  Stream.paginate(rows, (rest) =>
    attempt("stream", () => {
      const page: Array<any> = []
      let next = rest.next()
      while (next.done !== true) {
        page.push(next.value)
        if (page.length === streamedPage) break
        next = rest.next()
      }
      return [transform?.(page) ?? page, next.done === true ? Option.none() : Option.some(rest)] as const
    }))

const toInput = (value: unknown): SQLInputValue => {
  if (value === undefined) return null
  if (typeof value === "boolean") return value ? 1 : 0
  if (value instanceof Date) return value.toISOString()
  // Node would take an object for a list of named parameters, and leave the place of this one empty.
  if (typeof value === "object" && value !== null && !ArrayBuffer.isView(value)) {
    throw new TypeError("a value for SQLite is a string, a number, a bigint, a boolean, a Date, bytes or null")
  }
  return value as SQLInputValue
}
