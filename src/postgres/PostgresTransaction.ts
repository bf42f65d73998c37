/**
 * An application's own SQL and appends to the log, both or neither: for code that keeps tables of its own beside the log,
 * or moves to it step by step.
 *
 * Appends are staged while the transaction is open and get their positions inside its commit, so that an open
 * transaction, however long, holds nobody up, and nobody sees a position that may still go.
 */
import { Context, Effect, Option, Schema } from "effect"
import type { SqlError } from "effect/sql"
import type { Refusal } from "../Admission.ts"
import { type Append, AppendLost, type Status, StoreUnavailable } from "../EventStore.ts"
import { refusals } from "../internal/appends.ts"
import { untyped } from "../internal/types.ts"
import * as Appends from "./PostgresAppends.ts"
import type { PostgresClient } from "./PostgresClient.ts"
import * as Failures from "./PostgresFailures.ts"
import type { PostgresGrowth } from "./PostgresGrowth.ts"
import * as Rows from "./PostgresRows.ts"
import type { PostgresStatements } from "./PostgresStatements.ts"

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

/** What was staged, in order, and whether more may be. */
interface Staging {
  readonly appends: Array<{ readonly append: Append; readonly encoded: Appends.Encoded }>
  isOpen: boolean
}

/** Transactions over a schema that is up to date. */
export const make = (
  client: PostgresClient["Service"],
  statements: PostgresStatements,
  growth: PostgresGrowth
): PostgresTransaction["Service"] => {
  const { sql } = client
  const run = <A, E, R>(work: (append: Stage) => Effect.Effect<A, E, R>): Effect.Effect<A, E | Failure, R> =>
    Effect.suspend(() => {
      const staging: Staging = { appends: [], isOpen: true }
      const own = Effect.mapError(work(stage(client, statements, staging)), (error) => new Failures.OwnFailure(error))
      return sql.withTransaction(own).pipe(
        Effect.ensuring(Effect.sync(() => {
          staging.isOpen = false
          if (staging.appends.length > 0) growth.wake()
        })),
        Effect.catch((error): Effect.Effect<never, E | Failure> =>
          error instanceof Failures.OwnFailure
            ? Effect.fail(error.error)
            : Effect.flatMap(failureOf(client, statements, staging, error), Effect.fail)
        )
      )
    })
  return PostgresTransaction.of({
    run: (work) =>
      Effect.flatMap(
        Effect.serviceOption(sql.transactionService),
        Option.match({
          onNone: () => run(work),
          onSome: () => Effect.fail(unavailable("a transaction with appends must not be part of another one"))
        })
      )
  })
}

const unavailable = (detail: string) => new StoreUnavailable({ operation: "transaction", detail, lasting: true })

const stage = (
  { change }: PostgresClient["Service"],
  statements: PostgresStatements,
  staging: Staging
): Stage =>
(append) =>
  Effect.suspend((): Effect.Effect<void, Refusal | StoreUnavailable> => {
    if (!staging.isOpen) return Effect.fail(unavailable("the transaction of this append has ended"))
    const [refused] = refusals([append])
    if (refused?._tag === "Refused") return Effect.fail(refused.reason)
    const encoded = Appends.encode([append])
    const step = staging.appends.push({ append, encoded }) - 1
    return Effect.filterOrFail(
      change(statements.stage, [Rows.number(step), ...encoded.parameters]),
      ({ length }) => length > 0,
      () => unavailable("a transaction with appends must be READ COMMITTED")
    )
  })

// ── What was said of the commit

const failureOf = (
  client: PostgresClient["Service"],
  statements: PostgresStatements,
  staging: Staging,
  error: SqlError.SqlError
): Effect.Effect<Failure> => {
  const refusal = Failures.refusedAtCommit(error)
  if (refusal !== undefined) {
    return Effect.match(reasonOf(client, statements, staging, untyped(JSON.parse(refusal))), {
      onFailure: (unavailable) => unavailable,
      onSuccess: (reason) => new TransactionRefused({ reason })
    })
  }
  const failure = Failures.toUnavailable("transaction")(error)
  return Effect.succeed(Failures.isLost(error) ? new AppendLost({ detail: failure.detail }) : failure)
}

/** What the server's function says of an append that it refused; see `PostgresFunctions.appendStaged`. */
interface Refused {
  readonly step: number
  readonly status: ReadonlyArray<string>
  readonly current: ReadonlyArray<number>
  readonly last: ReadonlyArray<number | null>
}

const reasonOf = (
  client: PostgresClient["Service"],
  statements: PostgresStatements,
  { appends }: Staging,
  { current, last, status, step }: Refused
): Effect.Effect<Reason, StoreUnavailable> => {
  const { append, encoded } = appends[step]!
  const positions = last.map((position) => position === null ? null : BigInt(position))
  const row = [0n, status, current, positions, null, null, null, null, null]
  const [decided] = Appends.statusesOf([append], encoded, row)
  return decided!._tag === "Duplicate"
    ? Effect.map(receiptsOf(client, statements, append), (receipts) => new CommandRepeated({ receipts }))
    : Effect.succeed(reasonAtOnce(append, decided!))
}

const reasonAtOnce = (append: Append, decided: Status): Reason => {
  if (decided._tag === "Committed") return new AppendRecognized({ writes: decided.writes })
  const { actual, write } = untyped<Extract<Status, { readonly _tag: "Conflict" }>>(decided)
  const { expected, stream: { category, id, tenant } } = append[write]!
  return new StreamMoved({ tenant, category, id, expected, actual })
}

/** Looked up afterwards: outcomes do not belong into the words of an error, which the server's log repeats. */
const receiptsOf = (client: PostgresClient["Service"], statements: PostgresStatements, append: Append) => {
  const commands = append.flatMap(({ receipts, stream }) => receipts.map(({ commandId }) => ({ stream, commandId })))
  return Effect.map(
    Effect.forEach(commands, ({ commandId, stream }) =>
      Effect.map(
        client.read(statements.receipt, [Rows.receiptKey(stream, commandId)]),
        (rows) => rows.map((row) => Rows.receipt(stream, commandId, row))
      )),
    (found) => found.flat()
  )
}
