/**
 * Which store: chosen by name, from flags or from the environment, for programs that leave the choice to whoever runs
 * them.
 */
import { Config, Effect, Layer, Option, Redacted, Schema } from "effect"
import type { CheckpointStore } from "./CheckpointStore.ts"
import type { DeadLetters } from "./DeadLetters.ts"
import { type EventStore, StoreUnavailable } from "./EventStore.ts"
import type { InlineViews } from "./InlineViews.ts"
import type { Lease } from "./Lease.ts"
import * as Memory from "./memory/Memory.ts"
import * as PostgresUrl from "./postgres/PostgresUrl.ts"
import type { SnapshotStore } from "./SnapshotStore.ts"
import * as Sqlite from "./sqlite/Sqlite.ts"
import type { ViewStore } from "./ViewStore.ts"

/** What every store provides: what they write can be part of one transaction. */
export type Stores = EventStore | SnapshotStore | CheckpointStore | ViewStore | InlineViews | DeadLetters | Lease

/** The stores there are, by the names that are allowed. */
export const names = ["memory", "sqlite", "postgres"] as const

/** A store, and where it is: `url` is the file of sqlite. */
export type Choice =
  | { readonly store: "memory" }
  | { readonly store: "sqlite"; readonly url: string }
  | {
    readonly store: "postgres"
    readonly url: Redacted.Redacted
    readonly schema: string | undefined
    /** The URL is that of a pooler that changes the connection after each transaction; see `Postgres.Options`. */
    readonly behindPooler?: boolean | undefined
  }

/** The choice of a store is unknown or incomplete; `problem` names what is allowed. */
export class StoreNotChosen extends Schema.TaggedError<StoreNotChosen>()("StoreNotChosen", {
  problem: Schema.String
}) {
  override get message() {
    return this.problem
  }
}

/** What was given: a name, and the URL that goes with it. */
export interface Given {
  readonly store: Option.Option<string>
  readonly url: Option.Option<string>
  /** Where PostgreSQL is, if no URL is given and it is chosen. */
  readonly postgresUrl?: Option.Option<string> | undefined
}

/**
 * Makes a choice of what was given. `StoreNotChosen` says what is missing, unknown, or too much.
 *
 * @example
 * ```ts
 * import { Effect, Option } from "effect"
 * import * as Store from "varve/Store"
 *
 * const choice = Store.choose({ store: Option.some("sqlite"), url: Option.some("orders.sqlite") })
 * await Effect.runPromise(choice) // => { store: "sqlite", url: "orders.sqlite" }
 *
 * const missing = Effect.flip(Store.choose({ store: Option.some("sqlite"), url: Option.none() }))
 * await Effect.runPromise(Effect.map(missing, ({ _tag }) => _tag)) // => "StoreNotChosen"
 * ```
 */
export const choose = ({ postgresUrl = Option.none(), store, url }: Given): Effect.Effect<Choice, StoreNotChosen> => {
  if (Option.isNone(store)) {
    return notChosen(
      `No store is chosen. Set VARVE_STORE (or --store on a command line) to one of: ${names.join(", ")}.`
    )
  }
  switch (store.value) {
    case "memory":
      return Option.isNone(url)
        ? Effect.succeed({ store: "memory" })
        : notChosen(`The store "memory" takes no url, but one was given: leave it out, or choose sqlite.`)
    case "sqlite":
      return chooseSqlite(Option.getOrElse(url, () => ""))
    case "postgres":
      return choosePostgres(Option.getOrElse(Option.orElse(url, () => postgresUrl), () => ""))
    default:
      return notChosen(`Unknown store "${store.value}". Allowed: ${names.join(", ")}.`)
  }
}

/**
 * The stores of a choice. `StoreUnavailable`: the file of sqlite cannot be opened, or was changed by a newer build.
 *
 * @example
 * ```ts
 * import { Effect } from "effect"
 * import { EventStore } from "varve/EventStore"
 * import * as Store from "varve/Store"
 *
 * const head = Effect.flatMap(EventStore, (store) => store.head)
 * await Effect.runPromise(Effect.provide(head, Store.layer({ store: "memory" }))) // => 0n
 * ```
 */
export const layer = (choice: Choice): Layer.Layer<Stores, StoreUnavailable> => {
  switch (choice.store) {
    case "memory":
      return Memory.layer
    case "sqlite":
      return Sqlite.layer({ filename: choice.url })
    case "postgres":
      return Layer.unwrap(Effect.map(driver, (postgres) => postgres.layer(choice)))
  }
}

/** Not installed with Varve: only who chooses it needs it. */
const driver = Effect.tryPromise({
  try: () => import("./postgres/Postgres.ts"),
  catch: () =>
    new StoreUnavailable({ operation: "open", detail: "its driver is not installed; add the package @effect/sql-pg" })
})

/** Where the schema of a store stood, and where this build wants it. */
export interface Standing {
  readonly current: number
  readonly newest: number
}

/**
 * Brings the schema of a store up to date, unless it is only checked, and answers where it stood before. Only that of
 * PostgreSQL may be behind: the others are brought up to date whenever they are opened.
 *
 * `StoreUnavailable`: the database cannot be reached, or its schema cannot be brought up to date.
 *
 * @example
 * ```ts
 * import { Effect } from "effect"
 * import * as Store from "varve/Store"
 *
 * await Effect.runPromise(Store.migrate({ store: "memory" }, { check: true })) // => { current: 1, newest: 1 }
 * ```
 */
export const migrate = (
  choice: Choice,
  options: { readonly check: boolean }
): Effect.Effect<Standing, StoreUnavailable> => {
  if (choice.store === "postgres") return Effect.flatMap(driver, (postgres) => postgres.migrate(choice, options))
  return Effect.as(options.check ? Effect.void : Effect.scoped(Layer.build(layer(choice))), { current: 1, newest: 1 })
}

/**
 * Where a choice leads, for people: never a password.
 *
 * @example
 * ```ts
 * import { Redacted } from "effect"
 * import * as Store from "varve/Store"
 *
 * const url = Redacted.make("postgres://app:secret@db.example/orders")
 * Store.placeOf({ store: "postgres", url, schema: undefined }) // => "PostgreSQL at db.example/orders"
 * ```
 */
export const placeOf = (choice: Choice): string => {
  if (choice.store === "memory") return "memory"
  if (choice.store === "sqlite") return choice.url
  const { host, pathname } = new URL(Redacted.value(choice.url))
  return `PostgreSQL at ${host}${pathname}`
}

/**
 * What the environment gives, each if it is there: `VARVE_STORE` and `VARVE_STORE_URL`; for PostgreSQL also
 * `VARVE_POSTGRES_URL` or, if that is not there, `DATABASE_URL`.
 *
 * @example
 * ```ts
 * import { ConfigProvider, Effect, Option } from "effect"
 * import * as Store from "varve/Store"
 *
 * const environment = ConfigProvider.fromUnknown({ VARVE_STORE: "memory" })
 * const { store, url } = await Effect.runPromise(Store.config.parse(environment))
 * const given = [store, url]
 * given // => [Option.some("memory"), Option.none()]
 * ```
 */
export const config: Config.Config<Given> = Config.all({
  store: Config.option(Config.String("VARVE_STORE")),
  url: Config.option(Config.String("VARVE_STORE_URL")),
  postgresUrl: Config.option(Config.orElse(Config.String("VARVE_POSTGRES_URL"), () => Config.String("DATABASE_URL")))
})

/**
 * The stores that the environment chooses: `VARVE_STORE` is memory, sqlite or postgres; `VARVE_STORE_URL` the file of
 * sqlite, or the URL of postgres, which may name a schema: `postgres://user:password@host/database?schema=orders`. That
 * of PgBouncer in transaction mode, or of another pooler like it, says so: `?pooler=transaction`.
 *
 * - `StoreNotChosen`: what the environment says is missing, unknown, or too much
 * - `StoreUnavailable`: the database cannot be opened, or was changed by a newer build
 *
 * @example
 * ```ts
 * import { ConfigProvider, Effect, Layer } from "effect"
 * import { EventStore } from "varve/EventStore"
 * import * as Store from "varve/Store"
 *
 * const environment = ConfigProvider.layer(ConfigProvider.fromUnknown({ VARVE_STORE: "memory" }))
 * const head = Effect.flatMap(EventStore, (store) => store.head)
 *
 * await Effect.runPromise(Effect.provide(head, Store.layerConfig.pipe(Layer.provide(environment)))) // => 0n
 * ```
 */
export const layerConfig: Layer.Layer<
  Stores,
  StoreUnavailable | StoreNotChosen | Config.ConfigError
> = Layer.unwrap(Effect.map(Effect.flatMap(config, choose), layer))

/** What is meant for another store may hold a password: it is neither opened nor repeated. */
const chooseSqlite = (file: string): Effect.Effect<Choice, StoreNotChosen> => {
  if (/^postgres(ql)?:/i.test(file)) {
    return notChosen(
      `The store "sqlite" needs a file, and the URL is one of PostgreSQL: choose the store "postgres" for it.`
    )
  }
  return file === ""
    ? notChosen(`The store "sqlite" needs a file: set VARVE_STORE_URL (or --url on a command line) to its name.`)
    : Effect.succeed({ store: "sqlite", url: file })
}

/** The URL may say which schema, and that it is a pooler's; it is not repeated in a message, since it may hold a password. */
const choosePostgres = (text: string): Effect.Effect<Choice, StoreNotChosen> => {
  if (!/^postgres(ql)?:/i.test(text)) {
    return notChosen(
      `The store "postgres" needs a URL: set VARVE_STORE_URL (or --url on a command line) to postgres://user:password@host/database.`
    )
  }
  const problem = PostgresUrl.problemOf(text)
  if (problem !== undefined) return notChosen(`The store "postgres" cannot be found: ${problem}.`)
  const { searchParams } = new URL(text)
  const schema = searchParams.get("schema") ?? undefined
  const pooler = searchParams.get("pooler")
  if (pooler !== null && pooler !== "transaction") {
    return notChosen(
      `The store "postgres" cannot be used like that: the pooler of its URL can only be "transaction". One that leaves ` +
        "sessions their connections is named by nothing."
    )
  }
  return Effect.succeed({
    store: "postgres",
    url: Redacted.make(text),
    schema,
    ...(pooler !== null && { behindPooler: true })
  })
}

const notChosen = (problem: string) => Effect.fail(new StoreNotChosen({ problem }))
