/**
 * How appends become part of an application's transaction: they wait in a table, which a constraint trigger works off
 * when the transaction is committed.
 */
import { Effect, Option } from "effect"
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
import {
  AppendRecognized,
  CommandRepeated,
  type Failure,
  PostgresTransaction,
  type Reason,
  type Stage,
  StreamMoved,
  TransactionRefused
} from "./PostgresTransaction.ts"

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
    const [refused = Appends.refuseNames(append)] = refusals([append])
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
  const failure = Failures.toUnavailable({ name: "transaction" })(error)
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
