/**
 * Which store: chosen by name, from flags or from the environment, for programs that leave the choice to whoever runs
 * them.
 */
import { Config, Effect, Layer, Option, Schema } from "effect"
import type { EventStore, StoreUnavailable } from "./EventStore.ts"
import * as Memory from "./memory/Memory.ts"
import type { SnapshotStore } from "./SnapshotStore.ts"
import * as Sqlite from "./sqlite/Sqlite.ts"

/** The stores there are, by the names that are allowed. */
export const names = ["memory", "sqlite"] as const

/** A store, and where it is: `url` is the file of sqlite. */
export type Choice =
  | { readonly store: "memory" }
  | { readonly store: "sqlite"; readonly url: string }

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
export const choose = ({ store, url }: Given): Effect.Effect<Choice, StoreNotChosen> => {
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
      return Option.isSome(url) && url.value !== ""
        ? Effect.succeed({ store: "sqlite", url: url.value })
        : notChosen(`The store "sqlite" needs a file: set VARVE_STORE_URL (or --url on a command line) to its name.`)
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
export const layer = (choice: Choice): Layer.Layer<EventStore | SnapshotStore, StoreUnavailable> =>
  choice.store === "memory" ? Memory.layer : Sqlite.layer({ filename: choice.url })

/**
 * What the environment gives, each if it is there: `VARVE_STORE` and `VARVE_STORE_URL`.
 *
 * @example
 * ```ts
 * import { ConfigProvider, Effect, Option } from "effect"
 * import * as Store from "varve/Store"
 *
 * const environment = ConfigProvider.fromUnknown({ VARVE_STORE: "memory" })
 * await Effect.runPromise(Store.config.parse(environment)) // => { store: Option.some("memory"), url: Option.none() }
 * ```
 */
export const config: Config.Config<Given> = Config.all({
  store: Config.option(Config.String("VARVE_STORE")),
  url: Config.option(Config.String("VARVE_STORE_URL"))
})

/**
 * The stores that the environment chooses: `VARVE_STORE` is memory or sqlite, `VARVE_STORE_URL` the file of sqlite.
 *
 * - `StoreNotChosen`: what the environment says is missing, unknown, or too much
 * - `StoreUnavailable`: the file cannot be opened, or was changed by a newer build
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
  EventStore | SnapshotStore,
  StoreUnavailable | StoreNotChosen | Config.ConfigError
> = Layer.unwrap(Effect.map(Effect.flatMap(config, choose), layer))

const notChosen = (problem: string) => Effect.fail(new StoreNotChosen({ problem }))
