/**
 * What can go wrong with a SQLite file, in Effect's words and in plain ones, and how long a file that is locked is waited
 * for.
 */
import { Effect, Schedule } from "effect"
import { SqlError } from "effect/sql"
import type { DatabaseSync } from "node:sqlite"
import { StoreUnavailable } from "../EventStore.ts"

/**
 * A turn, or a transaction, failed. `certain`: nothing was written. Otherwise its commit failed at its end, and the file
 * may hold it.
 */
export interface TurnFailed {
  readonly _tag: "TurnFailed"
  readonly certain: boolean
  readonly error: SqlError.SqlError
}

/** How long whoever has the file, or the engine, is waited for. */
export const patience = "5 seconds"

/** The engine's own waiting would stop the whole process, so it never waits; an Effect does, for up to 5 seconds. */
export const whenFree = <A, E extends SqlError.SqlError | TurnFailed>(
  effect: Effect.Effect<A, E>
): Effect.Effect<A, E> => Effect.retry(effect, { schedule: whileBusy, while: isBusy })

/** How often it is looked whether a file is free. */
export const whileBusy = Schedule.jittered(
  Schedule.min([Schedule.exponential("1 milli", 1.5), Schedule.spaced("20 millis")])
)
  .pipe(Schedule.upTo({ duration: patience }))

/** Whether another one has the file, and nothing was written. */
export const isBusy = (failure: SqlError.SqlError | TurnFailed): boolean => {
  const error = failure._tag === "TurnFailed" ? failure.error : failure
  return error.reason._tag === "LockTimeoutError" && (failure._tag !== "TurnFailed" || failure.certain)
}

/** The engine's code. */
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
export const wroteNothing = (database: Pick<DatabaseSync, "isTransaction">, cause: unknown): boolean =>
  database.isTransaction || unwritten.has(errcodeOf(cause))

/** Work with the engine, whose failures become typed. */
export const attempt = <A>(operation: string, work: () => A): Effect.Effect<A, SqlError.SqlError> =>
  Effect.try({ try: work, catch: (cause) => toSqlError(cause, operation) })

/** Node names the engine's code `errcode`, Effect looks for `errno`. */
export const toSqlError = (cause: unknown, operation: string): SqlError.SqlError => {
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

/** What happened to whom, as readers of the log are told: whether anything was kept is part of it. */
export const unavailable = (operation: string) => ({ certain, error }: TurnFailed): StoreUnavailable => {
  const detail = detailOf(error)
  return new StoreUnavailable({
    operation,
    detail: certain ? detail : `${detail}; it is not known whether what was written has been kept`
  })
}
