/**
 * Transactions on the connections of the Postgres stores. Whatever happens to a connection meanwhile becomes a typed
 * failure: the driver's own transaction turns one that is ended under it into a defect.
 */
import type * as PgClient from "@effect/sql-pg/PgClient"
import type * as PgConnection from "@effect/sql-pg/PgConnection"
import { Context, Effect } from "effect"
import { SqlClient, type SqlConnection, type SqlError } from "effect/sql"
import { untyped } from "../internal/types.ts"
import { inRealTime } from "./PostgresClock.ts"
import { commitLost, commitUndone, isCertain, serverSilent } from "./PostgresFailures.ts"

/** Whether a transaction that begins now is the stores' own, on a connection with their guards. */
export const OfStores = Context.Reference<boolean>("varve/postgres/OfStores", { defaultValue: () => false })

/**
 * Runs an effect in a transaction of the client, or, within one, in a savepoint. It begins on a connection of the
 * application, or on one of the stores: but it is one kind of transaction, so all that joins one joins the other.
 */
export const make = (
  ofApplication: PgClient.PgClient,
  ofStores: PgClient.PgClient
): PgClient.PgClient["withTransaction"] =>
  SqlClient.makeWithTransaction({
    transactionService: ofApplication.transactionService,
    spanAttributes: [["db.system.name", "postgresql"]],
    acquireConnection: (restore) =>
      Effect.flatMap(OfStores, (is) => restore(inRealTime((is ? ofStores : ofApplication).reserve))),
    begin: (connection, statement) =>
      statement === undefined ? control(connection, "BEGIN") : connection.executeUnprepared(statement, [], undefined),
    commit,
    // Where these fail, the connection is lost, or what follows is refused: the commit will say so.
    rollback: (connection) => Effect.ignore(control(connection, "ROLLBACK")),
    savepoint: (connection, id) => control(connection, `SAVEPOINT varve_${id}`),
    releaseSavepoint: (connection, id) => Effect.ignore(control(connection, `RELEASE SAVEPOINT varve_${id}`)),
    rollbackSavepoint: (connection, id) => Effect.ignore(control(connection, `ROLLBACK TO SAVEPOINT varve_${id}`))
  })

const commit = (connection: SqlConnection.Connection): Effect.Effect<void, SqlError.SqlError> =>
  Effect.flatMap(
    Effect.mapError(
      patiently(connection.executeRaw("COMMIT", [])),
      (error) => isCertain(error) ? error : commitLost(error)
    ),
    (result) => untyped<PgConnection.Result>(result).command === "ROLLBACK" ? Effect.fail(commitUndone) : Effect.void
  )

const control = (connection: SqlConnection.Connection, text: string) =>
  patiently(connection.execute(text, [], undefined))

/** Waits for an answer as long as any statement may take; who is interrupted gives the connection up. */
export const patiently = <A>(answer: Effect.Effect<A, SqlError.SqlError>): Effect.Effect<A, SqlError.SqlError> =>
  inRealTime(Effect.timeoutOrElse(answer, { duration: "30 seconds", orElse: () => Effect.fail(serverSilent) }))
