/**
 * The flags that choose a store, before the environment does.
 */
import { type Config, Data, Effect, Option } from "effect"
import { Flag } from "effect/cli"
import { existsSync, mkdirSync } from "node:fs"
import type { StoreUnavailable } from "../EventStore.ts"
import * as Store from "../Store.ts"

/** `--store` and `--url`. */
export const flags = {
  store: Flag.String("store").pipe(
    Flag.withDescription(`Which store: ${Store.names.join(", ")} (or VARVE_STORE)`),
    Flag.withMetavar("NAME"),
    Flag.optional
  ),
  url: Flag.String("url").pipe(
    Flag.withDescription(
      "Where it is: the file of sqlite, the postgres://… of postgres, with ?schema=NAME for another schema than varve and " +
        "?pooler=transaction for PgBouncer in that mode (or VARVE_STORE_URL)"
    ),
    Flag.withMetavar("URL"),
    Flag.optional
  )
}

const folder = "data"

/**
 * The store that flags or environment choose; without any choice, a SQLite file of this name in `./data`, which is made
 * if need be.
 */
export const choose = Effect.fnUntraced(function*(
  given: Store.Given,
  name: string
): Effect.fn.Return<Store.Choice, Store.StoreNotChosen | Config.ConfigError> {
  const all = yield* withEnvironment(given)
  if (isChoice(all)) return yield* Store.choose(all)
  yield* Effect.try({ try: () => mkdirSync(folder, { recursive: true }), catch: unusableFolder })
  return byDefault(name)
})

/** There is no store to read: `problem` says so, and what makes one. */
export class NothingKept extends Data.TaggedError("NothingKept")<{ readonly problem: string }> {
  override get message() {
    return this.problem
  }
}

/** The schema is not as this build needs it. */
export class MigrationPending extends Data.TaggedError("MigrationPending")<{ readonly problem: string }> {
  override get message() {
    return this.problem
  }
}

/** The same, for commands that read what is there: opening a store would make one, or change its schema. */
export const chooseKept = Effect.fnUntraced(function*(
  given: Store.Given,
  name: string
): Effect.fn.Return<
  Store.Choice,
  Store.StoreNotChosen | Config.ConfigError | NothingKept | MigrationPending | StoreUnavailable
> {
  const all = yield* withEnvironment(given)
  const choice = isChoice(all) ? yield* Store.choose(all) : byDefault(name)
  if (choice.store === "memory") {
    return yield* new NothingKept({ problem: "A store in memory ends with its process; there is nothing to read." })
  }
  if (choice.store === "sqlite" && !existsSync(choice.url)) {
    return yield* new NothingKept({ problem: `Cannot read ${choice.url}: there is no such file.` })
  }
  yield* requireMigrated(choice)
  return choice
})

/** Who only reads changes no schema on PostgreSQL: that is for workers, and for `migrate`. */
export const requireMigrated = Effect.fnUntraced(function*(
  choice: Store.Choice
): Effect.fn.Return<void, NothingKept | MigrationPending | StoreUnavailable> {
  if (choice.store !== "postgres") return
  const { current, newest } = yield* Store.migrate(choice, { check: true })
  const place = Store.placeOf(choice)
  if (current === 0) return yield* new NothingKept({ problem: `There is nothing yet on ${place}.` })
  if (current < newest) return yield* pending(place, { current, newest })
})

/** What is said of a schema that is behind, and what brings it up to date. */
export const pending = (place: string, { current, newest }: Store.Standing): MigrationPending =>
  new MigrationPending({ problem: `${place} is at ${current} of ${newest}; \`migrate\` goes on.` })

const isChoice = ({ store, url }: Store.Given): boolean => Option.isSome(store) || Option.isSome(url)

const byDefault = (name: string): Store.Choice => ({ store: "sqlite", url: `${folder}/${name}.sqlite` })

/**
 * What flags and environment say together. A flag goes before the environment, and a store named by a flag takes no URL
 * from there but its own.
 */
export const withEnvironment = (given: Store.Given): Effect.Effect<Store.Given, Config.ConfigError> =>
  Effect.map(Store.config, ({ postgresUrl, store, url }) => {
    const inherits = Option.match(given.store, {
      onNone: () => true,
      onSome: (name) => name !== "memory" && Option.getOrElse(store, () => name) === name
    })
    return {
      store: Option.orElse(given.store, () => store),
      url: Option.orElse(given.url, () => inherits ? url : Option.none()),
      postgresUrl
    }
  })

const unusableFolder = (cause: unknown): Store.StoreNotChosen => {
  const code = cause instanceof Error && "code" in cause ? String(cause.code) : ""
  const reason = reasons.get(code) ?? code
  return new Store.StoreNotChosen({
    problem: `The folder ./${folder} for the database cannot be made: ${reason}. Name a file elsewhere with --store ` +
      "sqlite --url FILE, or make the folder."
  })
}

const reasons: ReadonlyMap<string, string> = new Map([
  ["EEXIST", "a file has its name"],
  ["EACCES", "this folder may not be written"],
  ["EPERM", "this folder may not be written"],
  ["EROFS", "the file system is read-only"],
  ["ENOSPC", "the disk is full"]
])
