/**
 * All stores in one schema of a PostgreSQL database: durable, for any number of workers on any number of machines.
 */
import * as PgClient from "@effect/sql-pg/PgClient"
import { Context, Effect, Layer } from "effect"
import { SqlClient } from "effect/sql"
import { CheckpointStore } from "../CheckpointStore.ts"
import { DeadLetters } from "../DeadLetters.ts"
import { EventStore, type StoreUnavailable } from "../EventStore.ts"
import { InlineViews } from "../InlineViews.ts"
import { Lease } from "../Lease.ts"
import { SnapshotStore } from "../SnapshotStore.ts"
import { ViewStore } from "../ViewStore.ts"
import * as PostgresCheckpointStore from "./PostgresCheckpointStore.ts"
import * as PostgresClient from "./PostgresClient.ts"
import * as PostgresDeadLetters from "./PostgresDeadLetters.ts"
import * as PostgresEventStore from "./PostgresEventStore.ts"
import * as PostgresGrowth from "./PostgresGrowth.ts"
import * as PostgresInlineViews from "./PostgresInlineViews.ts"
import * as PostgresLease from "./PostgresLease.ts"
import * as PostgresMigrations from "./PostgresMigrations.ts"
import * as PostgresSnapshotStore from "./PostgresSnapshotStore.ts"
import * as PostgresStaging from "./PostgresStaging.ts"
import * as PostgresStatements from "./PostgresStatements.ts"
import * as PostgresTenants from "./PostgresTenants.ts"
import { PostgresTransaction } from "./PostgresTransaction.ts"
import * as PostgresViewRooms from "./PostgresViewRooms.ts"
import * as PostgresViewStore from "./PostgresViewStore.ts"

/** Which database and schema, and how to use it. */
export type Options = PostgresClient.Options

/** The stores of one schema: what they write can be part of one transaction. */
export type Stores = EventStore | SnapshotStore | CheckpointStore | ViewStore | InlineViews | Lease | DeadLetters

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

/** Whose rows are read, and by which role. */
export interface TenantOptions extends Omit<Options, "migrate"> {
  readonly tenant: string
  /** The role to take on, if the URL's user is not the one that was admitted but a member of it. */
  readonly role?: string | undefined
}

/**
 * The log, the views and a `SqlClient` for one tenant, in a schema that is up to date. The server sees to it that rows
 * of other tenants are not there, whatever is asked: by a policy for its role, which was admitted with `admitReaders`.
 * Nothing can be written. How long the log is can be seen.
 *
 * `StoreUnavailable`: as for `layer`, or the server does not restrict this user to this tenant. Behind a pooler it is the
 * role that must be bound to it: `ALTER ROLE … SET varve.tenant = '…'`.
 *
 * @example
 * ```ts no-run
 * import { Effect } from "effect"
 * import { EventStore } from "varve/EventStore"
 * import * as Postgres from "varve/postgres/Postgres"
 *
 * const Acme = Postgres.layerTenant({ url: "postgres://reports@localhost/app", tenant: "acme" })
 * const events = Effect.flatMap(EventStore, (store) => store.readAll({ after: 0n }))
 *
 * const { events: ofAcme } = await Effect.runPromise(Effect.provide(events, Acme))
 * ofAcme // => []
 * ```
 */
export const layerTenant = (
  options: TenantOptions
): Layer.Layer<EventStore | ViewStore | SqlClient.SqlClient | PgClient.PgClient, StoreUnavailable> =>
  storesOfTenant(options).pipe(
    Layer.provide(PostgresClient.layer(options, PostgresTenants.sessionOf(options.tenant, options.role)))
  )

const storesOfTenant = ({ tenant }: TenantOptions) =>
  Layer.effectContext(Effect.gen(function*() {
    const client = yield* PostgresClient.PostgresClient
    yield* Effect.provideService(PostgresMigrations.requireUsable(client.schema), SqlClient.SqlClient, client.sql)
    yield* PostgresTenants.requireBound(client, tenant)
    const statements = PostgresStatements.make(client.schema, { ofTenant: true })
    const growth = yield* PostgresGrowth.make(client, PostgresEventStore.head(client, statements))
    const events = yield* PostgresEventStore.make(client, statements, growth)
    const { storeId } = events
    return Context.make(EventStore, PostgresTenants.narrow(events, tenant)).pipe(
      Context.add(
        ViewStore,
        PostgresViewStore.make(client, statements, PostgresViewRooms.make(client, statements, false), storeId)
      ),
      Context.add(SqlClient.SqlClient, client.sql),
      Context.add(PgClient.PgClient, client.sql)
    )
  }))

/**
 * Lets roles read a schema, one tenant at a time, with `layerTenant`: beside those that were let in before. The user must
 * own the tables. Tables of views that are prepared later are guarded from the beginning. To let a role out again, use
 * `DROP OWNED BY`.
 *
 * `StoreUnavailable`: a role does not exist, the user does not own the tables, or others held them for 5 seconds; then
 * nothing was changed.
 *
 * @example
 * ```ts no-run
 * import { Effect } from "effect"
 * import * as Postgres from "varve/postgres/Postgres"
 *
 * await Effect.runPromise(Postgres.admitReaders({ url: "postgres://app@localhost/app" }, ["reports"]))
 * ```
 */
export const admitReaders = (
  options: Options,
  roles: ReadonlyArray<string>
): Effect.Effect<void, StoreUnavailable> =>
  Effect.flatMap(PostgresClient.PostgresClient, (client) =>
    Effect.andThen(
      Effect.provideService(PostgresMigrations.requireUsable(client.schema), SqlClient.SqlClient, client.sql),
      PostgresTenants.admit(client, PostgresStatements.make(client.schema), roles)
    )).pipe(Effect.provide(PostgresClient.layer(options)))

const stores = ({ migrate = true }: Options) =>
  Layer.effectContext(Effect.gen(function*() {
    const client = yield* PostgresClient.PostgresClient
    const prepare = migrate ? PostgresMigrations.run : PostgresMigrations.requireUsable
    yield* Effect.provideService(prepare(client.schema), SqlClient.SqlClient, client.sql)
    const statements = PostgresStatements.make(client.schema)
    const growth = yield* PostgresGrowth.make(client, PostgresEventStore.head(client, statements))
    const events = yield* PostgresEventStore.make(client, statements, growth)
    const { storeId } = events
    const rooms = PostgresViewRooms.make(client, statements, migrate)
    return Context.make(EventStore, events).pipe(
      Context.add(SnapshotStore, PostgresSnapshotStore.make(client, statements)),
      Context.add(CheckpointStore, PostgresCheckpointStore.make(client, statements, storeId)),
      Context.add(ViewStore, PostgresViewStore.make(client, statements, rooms, storeId)),
      Context.add(InlineViews, PostgresInlineViews.make(client, statements, rooms, events)),
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
