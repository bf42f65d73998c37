/**
 * An application's own SQL and appends to the log, both or neither: for code that keeps tables of its own beside the log,
 * or moves to it step by step.
 *
 * Appends are staged while the transaction is open and get their positions inside its commit, so that an open
 * transaction, however long, holds nobody up, and nobody sees a position that may still go.
 */
import { Context, type Effect, Schema } from "effect"
import type { Refusal } from "../Admission.ts"
import type { Append, AppendLost, StoreUnavailable } from "../EventStore.ts"

const stream = { tenant: Schema.String, category: Schema.String, id: Schema.String }

/** A stream was at `actual` when the transaction was committed, and not as `expected`. */
export class StreamMoved extends Schema.TaggedError<StreamMoved>()("StreamMoved", {
  ...stream,
  expected: Schema.Union([Schema.Int, Schema.Literals(["noStream", "exists", "any"])]),
  actual: Schema.Int
}) {
  override get message() {
    return `${this.category} ${this.id} is at version ${this.actual}, not ${this.expected}`
  }
}

/** A command of one of the appends was carried out before; these are the receipts that were found. */
export class CommandRepeated extends Schema.TaggedError<CommandRepeated>()("CommandRepeated", {
  receipts: Schema.Array(Schema.Struct({
    stream: Schema.Struct(stream),
    commandId: Schema.String,
    hash: Schema.String,
    version: Schema.Int,
    position: Schema.UndefinedOr(Schema.BigInt),
    outcome: Schema.String
  }))
}) {
  override get message() {
    return `The command ${this.receipts[0]?.commandId} was carried out before`
  }
}

/** These very events were appended before, by a transaction whose outcome was lost; this is where they are. */
export class AppendRecognized extends Schema.TaggedError<AppendRecognized>()("AppendRecognized", {
  writes: Schema.Array(Schema.Struct({ version: Schema.Int, position: Schema.UndefinedOr(Schema.BigInt) }))
}) {
  override get message() {
    return `The events were appended before: the transaction that did so was kept`
  }
}

/** Why the log refused a transaction: the schema of `TransactionRefused.reason`, and its type. */
export const Reason = Schema.Union([StreamMoved, CommandRepeated, AppendRecognized])
export type Reason = typeof Reason.Type

/**
 * The log refused a transaction when it was to be committed: nothing of it was kept, neither SQL nor events.
 * `Effect.catchReason("TransactionRefused", "StreamMoved", …)` catches one reason.
 */
export class TransactionRefused extends Schema.TaggedError<TransactionRefused>()("TransactionRefused", {
  reason: Reason
}) {
  override get message() {
    return this.reason.message
  }
}

/** What a transaction may fail with, beside its own work. */
export type Failure = TransactionRefused | StoreUnavailable | AppendLost

/**
 * Stages an append: it is decided and written when the transaction is committed, in the order in which they were staged.
 * A later one sees the streams as the earlier ones leave them.
 *
 * - `LimitExceeded`, `InputInvalid`: it can never be written; nothing was staged
 * - `StoreUnavailable`: nothing was staged, and the transaction cannot be kept any more
 */
export type Stage = (append: Append) => Effect.Effect<void, Refusal | StoreUnavailable>

/**
 * Transactions of the application that append to the log. `Postgres.layer` provides them.
 *
 * @example
 * ```ts no-run
 * import { Effect } from "effect"
 * import { SqlClient } from "effect/sql"
 * import type { New } from "varve/Event"
 * import { PostgresTransaction } from "varve/postgres/PostgresTransaction"
 *
 * const invoice = (id: string, cents: number, sent: New) =>
 *   Effect.gen(function*() {
 *     const sql = yield* SqlClient.SqlClient
 *     const { run } = yield* PostgresTransaction
 *     const stream = { tenant: "default", category: "Invoice", id }
 *     return yield* run((append) =>
 *       Effect.gen(function*() {
 *         yield* sql`INSERT INTO invoices (id, cents) VALUES (${id}, ${cents})`
 *         yield* append([{ stream, expected: "noStream", events: [sent], receipts: [] }])
 *       })
 *     )
 *   })
 * ```
 */
export class PostgresTransaction extends Context.Service<PostgresTransaction, {
  /**
   * Does `work` in a transaction of the application's `SqlClient`, in which it may append to the log. Its positions are
   * not known before the commit; whoever waits for readers to have come that far waits for the log's `head`.
   *
   * It must be the outermost transaction, of the isolation READ COMMITTED. `append` ends with it.
   *
   * - `TransactionRefused`: a stream or a command is not as the appends expect; nothing was kept
   * - `StoreUnavailable`: nothing was kept
   * - `AppendLost`: the connection was lost during the commit, so it is not known whether all was kept or nothing. Do the
   *   same again, with the same events: if it was kept, it is refused with `AppendRecognized`
   */
  readonly run: <A, E, R>(
    work: (append: Stage) => Effect.Effect<A, E, R>
  ) => Effect.Effect<A, E | Failure, R>
}>()("varve/postgres/PostgresTransaction") {}
