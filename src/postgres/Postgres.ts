/**
 * All stores in one schema of a PostgreSQL database: durable, for any number of workers on any number of machines.
 */
import * as PgClient from "@effect/sql-pg/PgClient"
import { Context, Effect, Layer } from "effect"
import { SqlClient } from "effect/sql"
import { CheckpointStore } from "../CheckpointStore.ts"
import { DeadLetters } from "../DeadLetters.ts"
import { EventStore, type StoreUnavailable } from "../EventStore.ts"
import { Lease } from "../Lease.ts"
import { SnapshotStore } from "../SnapshotStore.ts"
import { ViewStore } from "../ViewStore.ts"
import * as PostgresCheckpointStore from "./PostgresCheckpointStore.ts"
import * as PostgresClient from "./PostgresClient.ts"
import * as PostgresDeadLetters from "./PostgresDeadLetters.ts"
import * as PostgresEventStore from "./PostgresEventStore.ts"
import * as PostgresGrowth from "./PostgresGrowth.ts"
import * as PostgresLease from "./PostgresLease.ts"
import * as PostgresMigrations from "./PostgresMigrations.ts"
import * as PostgresSnapshotStore from "./PostgresSnapshotStore.ts"
import * as PostgresStaging from "./PostgresStaging.ts"
import * as PostgresStatements from "./PostgresStatements.ts"
import { PostgresTransaction } from "./PostgresTransaction.ts"
import * as PostgresViewStore from "./PostgresViewStore.ts"

/** Which database and schema, and how to use it. */
export type Options = PostgresClient.Options

/** The stores of one schema: what they write can be part of one transaction. */
export type Stores = EventStore | SnapshotStore | CheckpointStore | ViewStore | Lease | DeadLetters

/**
 * The stores in a schema, which is made and brought up to date when the Layer is built, unless `migrate` is false.
 * Beside the stores it gives a `SqlClient` with connections of its own, for an application's own tables, and
 * `PostgresTransaction`, for what belongs to both.
 *
 * `StoreUnavailable`: the database cannot be reached, does not admit the user, or its schema is not one that this build
 * can work with.
 *
 * @example
 * ```ts no-run
 * import { Config, Effect, Layer } from "effect"
 * import { EventStore } from "varve/EventStore"
 * import * as Postgres from "varve/postgres/Postgres"
 *
 * const Live = Layer.unwrap(
 *   Effect.map(Config.Redacted("DATABASE_URL"), (url) => Postgres.layer({ url, schema: "orders" }))
 * )
 * const head = Effect.flatMap(EventStore, (store) => store.head)
 *
 * await Effect.runPromise(Effect.provide(head, Live)) // => 0n
 * ```
 */
export const layer = (
  options: Options
): Layer.Layer<Stores | PostgresTransaction | SqlClient.SqlClient | PgClient.PgClient, StoreUnavailable> =>
  stores(options).pipe(Layer.provide(PostgresClient.layer(options)))

const stores = ({ migrate = true }: Options) =>
  Layer.effectContext(Effect.gen(function*() {
    const client = yield* PostgresClient.PostgresClient
    const prepare = migrate ? PostgresMigrations.run : PostgresMigrations.requireUsable
    yield* Effect.provideService(prepare(client.schema), SqlClient.SqlClient, client.sql)
    const statements = PostgresStatements.make(client.schema)
    const growth = yield* PostgresGrowth.make(client, PostgresEventStore.head(client, statements))
    const events = yield* PostgresEventStore.make(client, statements, growth)
    const { storeId } = events
    return Context.make(EventStore, events).pipe(
      Context.add(SnapshotStore, PostgresSnapshotStore.make(client, statements)),
      Context.add(CheckpointStore, PostgresCheckpointStore.make(client, statements, storeId)),
      Context.add(ViewStore, PostgresViewStore.make(client, statements, { migrate, storeId })),
      Context.add(Lease, PostgresLease.make(client, statements)),
      Context.add(DeadLetters, PostgresDeadLetters.make(client, statements, storeId)),
      Context.add(PostgresTransaction, PostgresStaging.make(client, statements, growth)),
      Context.add(SqlClient.SqlClient, client.sql),
      Context.add(PgClient.PgClient, client.sql)
    )
  }))

/**
 * Brings a schema up to date without opening the stores, unless it is only checked, and answers where it stood before:
 * at `current` of the `newest` migration that this build knows.
 *
 * `StoreUnavailable`: as for `layer`.
 *
 * @example
 * ```ts no-run
 * import { Effect } from "effect"
 * import * as Postgres from "varve/postgres/Postgres"
 *
 * const pending = Postgres.migrate({ url: "postgres://app@localhost/app" }, { check: true }).pipe(
 *   Effect.map(({ current, newest }) => newest - current)
 * )
 * await Effect.runPromise(pending) // => 0
 * ```
 */
export const migrate = (
  options: Options,
  { check = false }: { readonly check?: boolean | undefined } = {}
): Effect.Effect<PostgresMigrations.Standing, StoreUnavailable> =>
  Effect.flatMap(PostgresClient.PostgresClient, ({ schema, sql }) =>
    Effect.provideService(
      check ? PostgresMigrations.standing(schema) : PostgresMigrations.run(schema),
      SqlClient.SqlClient,
      sql
    )).pipe(Effect.provide(PostgresClient.layer(options)))
