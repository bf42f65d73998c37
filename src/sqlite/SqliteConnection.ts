/**
 * A thin `SqlClient` over Node's own SQLite, for applications that keep their own tables in the file of the stores.
 */
import { Context, Effect, Option, type Semaphore, Stream } from "effect"
import { SqlClient, type SqlConnection, SqlError, Statement } from "effect/sql"
import type { DatabaseSync, SQLInputValue, StatementSync } from "node:sqlite"
import { attempt, isBusy, toSqlError, whenFree, whileBusy, wroteNothing } from "./SqliteErrors.ts"

type Transaction = Context.Service<SqlClient.TransactionConnection, SqlClient.TransactionConnection.Service>

const begin = "BEGIN IMMEDIATE"

/**
 * The client over an open file. Whoever has the permit has the engine. `uncertain` learns of commits of which it is not
 * known whether the file holds them.
 */
export const make = Effect.fnUntraced(function*(
  database: DatabaseSync,
  semaphore: Semaphore.Semaphore,
  uncertain: WeakSet<SqlError.SqlError>
) {
  // A key of its own, since whoever is in a transaction of one file is in none of another.
  const transactionService: Transaction = Context.Service(`varve/sqlite/Transaction/${clients++}`)
  const client = yield* SqlClient.make({
    ...SqlClient.makeSqliteAcquirers({
      connection: Effect.succeed(makeConnection(database, transactionService)),
      semaphore,
      isTransaction: () => database.isTransaction
    }),
    transactionService,
    compiler: Statement.makeCompilerSqlite(),
    driver: "varve-node-sqlite",
    beginTransaction: begin,
    commit: () => commit(database, uncertain),
    releaseSavepoint: (name) => `RELEASE SAVEPOINT ${name}`,
    spanAttributes: [["db.system.name", "sqlite"]]
  })
  return Object.assign(client, { withTransaction: whenBegun(client.withTransaction) })
})

let clients = 0

/** While another process has the file, the transaction waits without the engine: others of this process read meanwhile. */
const whenBegun =
  (withTransaction: SqlClient.SqlClient["withTransaction"]): SqlClient.SqlClient["withTransaction"] => (work) =>
    Effect.suspend(() => {
      let begun = false
      const attempted = withTransaction(Effect.suspend(() => {
        begun = true
        return work
      }))
      const isLocked = (error: unknown) => !begun && SqlError.isSqlError(error) && isBusy(error)
      return Effect.retry(attempted, { schedule: whileBusy, while: isLocked })
    })

/** What the engine has rolled back of its own accord, as when the disk is full, cannot be kept in part. */
export const rolledBack = () =>
  new Error("the engine has rolled the transaction back, because a statement in it failed")

const commit = (
  database: DatabaseSync,
  uncertain: WeakSet<SqlError.SqlError>
): Effect.Effect<void, SqlError.SqlError> =>
  Effect.suspend(() => {
    if (!database.isTransaction) return Effect.fail(toSqlError(rolledBack(), "commit"))
    try {
      database.exec("COMMIT")
      return Effect.void
    } catch (cause) {
      const error = toSqlError(cause, "commit")
      if (!wroteNothing(database, cause)) uncertain.add(error)
      return Effect.fail(error)
    }
  })

const preparedMax = 200

const makeConnection = (database: DatabaseSync, transaction: Transaction): SqlConnection.Connection => {
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
      if (isLost(database, transaction, context)) return Effect.fail(toSqlError(rolledBack(), "execute"))
      const run = attempt("execute", () => {
        const statement = prepare(text)
        statement.setReadBigInts(Context.get(context, SqlClient.SafeIntegers))
        statement.setReturnArrays(mode === "arrays")
        const values = params.map(toInput)
        if (statement.columns().length > 0) return statement.all(...values)
        const changes = statement.run(...values)
        return mode === "raw" ? [changes] : []
      })
      // Inside a transaction the lock is ours, and its beginning is waited for elsewhere.
      return database.isTransaction || text === begin ? run : whenFree(run)
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
      Stream.unwrap(Effect.map(openRows(database, transaction, text, params), (rows) => streamRows(rows, transform)))
  }
}

/** A statement outside of the transaction that its fiber believes to be in would be kept whatever becomes of the rest. */
const isLost = (database: DatabaseSync, transaction: Transaction, context: Context.Context<never>): boolean =>
  !database.isTransaction && Context.getOrUndefined(context, transaction) !== undefined

/** A reader who leaves early closes the statement: while it is open the connection sees no newer commit. */
const openRows = (
  database: DatabaseSync,
  transaction: Transaction,
  text: string,
  params: ReadonlyArray<unknown>
) =>
  Effect.acquireRelease(
    Effect.withFiber(({ context }) => {
      if (isLost(database, transaction, context)) return Effect.fail(toSqlError(rolledBack(), "stream"))
      return attempt("stream", () => {
        const statement = database.prepare(text)
        statement.setReadBigInts(Context.get(context, SqlClient.SafeIntegers))
        return statement.iterate(...params.map(toInput))
      })
    }),
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
