/**
 * An open SQLite file: beside its `SqlClient` what a store needs of an embedded engine, work that is one transaction in
 * one synchronous turn, so that nothing is held open while other fibers run; and work that takes part in a transaction.
 */
import { Context, Effect, Layer, Option, type Scope, Semaphore } from "effect"
import { Reactivity } from "effect/reactivity"
import { SqlClient, type SqlError } from "effect/sql"
import { DatabaseSync } from "node:sqlite"
import * as SqliteConnection from "./SqliteConnection.ts"
import { attempt, patience, toSqlError, type TurnFailed, whenFree, wroteNothing } from "./SqliteErrors.ts"

/** Which file, and how to share it. */
export interface Options {
  /** The database file; made if it does not exist, in a folder that does. */
  readonly filename: string
  /** No other process may open the file meanwhile. In return reads of a stream's version need no round trip. */
  readonly exclusive?: boolean | undefined
}

/** Work of a store with the engine: at once, and in whatever transaction. */
export type Work = <A>(operation: string, work: () => A) => Effect.Effect<A, TurnFailed>

/** An open file: its `SqlClient` for applications, turns for the log, and work in transactions for its readers. */
export class SqliteClient extends Context.Service<SqliteClient, {
  readonly sql: SqlClient.SqlClient
  readonly database: DatabaseSync
  readonly exclusive: boolean
  /** Work that writes: one immediate transaction in one synchronous turn. */
  readonly write: Work
  /** Work that reads: one snapshot in one synchronous turn. */
  readonly read: Work
  /** Work that writes as part of the transaction that it is asked in, all of it or none; a turn if it is in none. */
  readonly joinedWrite: Work
  /** Work that reads as part of the transaction that it is asked in; a turn if it is in none. */
  readonly joinedRead: Work
  /** An Effect in one transaction, kept or not as a whole; inside another one it is undone by itself if it fails. */
  readonly transaction: <A, E, R, F>(
    work: Effect.Effect<A, E, R>,
    onFailure: (failure: TurnFailed) => F
  ) => Effect.Effect<A, E | F, R>
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
  const uncertain = new WeakSet<SqlError.SqlError>()
  const sql = yield* SqliteConnection.make(database, permit, uncertain)
  const turn = (begin: string): Work => (operation, work) =>
    whenFree(takePermit(permit, operation, () => takeTurn(database, operation, begin, work)))
  const [write, read] = [turn("BEGIN IMMEDIATE"), turn("BEGIN DEFERRED")]
  return SqliteClient.of({
    sql,
    database,
    exclusive,
    write: (operation, work) => outsideTransaction(sql, operation, write(operation, work)),
    read: (operation, work) => outsideTransaction(sql, operation, read(operation, work)),
    joinedWrite: joined(sql, write, (operation, work) => joinWrite(database, operation, work)),
    joinedRead: joined(sql, read, (operation, work) => join(database, operation, work)),
    transaction: (work, onFailure) =>
      Effect.mapError(
        transaction(sql, permit, uncertain, work),
        (failure) => failure._tag === "WorkFailed" ? failure.error : onFailure(failure)
      )
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
      orElse: () => Effect.fail(held(operation, !begun))
    })
  })

const held = (operation: string, certain: boolean): TurnFailed => {
  const cause = new Error(
    "the application held its SqlClient, in a transaction or a stream, for longer than 5 seconds"
  )
  return { _tag: "TurnFailed", certain, error: toSqlError(cause, operation) }
}

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

/** Part of the turn, so that nobody else's statement can end up in what is rolled back. */
const rollback = (database: DatabaseSync): void => {
  try {
    if (database.isTransaction) database.exec("ROLLBACK")
  } catch {
    // The next turn begins with it.
  }
}

/** Inside a transaction the work is part of it. A fiber that has outlived its transaction is in none, and dies of it. */
const joined = (sql: SqlClient.SqlClient, turn: Work, inside: Work): Work => (operation, work) =>
  Effect.withFiber(({ context }) =>
    Context.getOrUndefined(context, sql.transactionService) === undefined
      ? turn(operation, work)
      // Of a transaction that has ended only this knows.
      : Effect.andThen(sql.afterCommit(Effect.void), inside(operation, work))
  )

const join = <A>(database: DatabaseSync, operation: string, work: () => A): Effect.Effect<A, TurnFailed> =>
  Effect.suspend(() => {
    try {
      if (!database.isTransaction) throw SqliteConnection.rolledBack()
      return Effect.succeed(work())
    } catch (cause) {
      const failed: TurnFailed = { _tag: "TurnFailed", certain: true, error: toSqlError(cause, operation) }
      return Effect.fail(failed)
    }
  })

/** Whoever goes on after the failure keeps nothing of this, and what was before. */
const joinWrite = <A>(database: DatabaseSync, operation: string, work: () => A): Effect.Effect<A, TurnFailed> =>
  join(database, operation, () => {
    database.exec("SAVEPOINT varve")
    try {
      const result = work()
      database.exec("RELEASE varve")
      return result
    } catch (cause) {
      undo(database)
      throw cause
    }
  })

const undo = (database: DatabaseSync): void => {
  try {
    if (database.isTransaction) database.exec("ROLLBACK TO varve; RELEASE varve")
  } catch {
    // What cannot be undone alone is undone with all the rest.
    rollback(database)
  }
}

/** The transaction's own failures are told apart from those of its work, which may look the same. */
interface WorkFailed<E> {
  readonly _tag: "WorkFailed"
  readonly error: E
}

const transaction = <A, E, R>(
  sql: SqlClient.SqlClient,
  permit: Semaphore.Semaphore,
  uncertain: WeakSet<SqlError.SqlError>,
  work: Effect.Effect<A, E, R>
): Effect.Effect<A, WorkFailed<E> | TurnFailed, R> =>
  Effect.suspend(() => {
    let begun = false
    const wrapped = Effect.suspend(() => {
      begun = true
      return Effect.mapError(work, (error): WorkFailed<E> => ({ _tag: "WorkFailed", error }))
    })
    const run = Effect.mapError(sql.withTransaction(wrapped), (failure): WorkFailed<E> | TurnFailed =>
      failure._tag === "WorkFailed"
        ? failure
        : { _tag: "TurnFailed", certain: !uncertain.has(failure), error: failure })
    const guarded = inTime(run, () =>
      begun)
    return Effect.flatMap(isHeld(sql, permit), (isHeld) =>
      isHeld ? guarded : run)
  })

/** Whether there is anybody to wait for; whoever is inside a transaction has the engine already. */
const isHeld = (sql: SqlClient.SqlClient, permit: Semaphore.Semaphore): Effect.Effect<boolean> =>
  Effect.withFiber(({ context }) =>
    Context.getOrUndefined(context, sql.transactionService) === undefined
      ? Effect.map(permit.withPermitsIfAvailable(1)(Effect.void), Option.isNone)
      : Effect.succeed(false)
  )

/** A transaction waits for its place, but not for ever: see `takePermit`. */
const inTime = <A, E, R>(
  run: Effect.Effect<A, E, R>,
  isBegun: () => boolean
): Effect.Effect<A, E | TurnFailed, R> =>
  Effect.raceFirst(
    run,
    Effect.flatMap(
      Effect.sleep(patience),
      () => isBegun() ? Effect.never : Effect.fail(held("transaction", true))
    )
  )
