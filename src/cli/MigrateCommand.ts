/**
 * `migrate`: brings the schema of a store on PostgreSQL up to date, or says whether it is.
 */
import { Effect } from "effect"
import { Command, Flag } from "effect/cli"
import * as Store from "../Store.ts"
import * as StoreFlags from "./StoreFlags.ts"

const flags = {
  ...StoreFlags.flags,
  check: Flag.Boolean("check").pipe(
    Flag.withDescription("Change nothing; end with exit code 1 if there is something to do"),
    Flag.withDefault(false)
  )
}

/** The `migrate` command. */
export const command = Command.make(
  "migrate",
  flags,
  Effect.fnUntraced(function*({ check, store, url }) {
    const choice = yield* Store.choose(yield* StoreFlags.withEnvironment({ store, url }))
    const { current, newest } = yield* Store.migrate(choice, { check })
    const place = Store.placeOf(choice)
    if (check && current < newest) {
      return yield* StoreFlags.pending(place, { current, newest })
    }
    const news = current < newest ? `brought from ${current} to ${newest}` : `up to date at ${newest}`
    yield* Effect.sync(() => void process.stdout.write(`${place} is ${news}.\n`))
  })
).pipe(
  Command.withDescription(
    "Bring the schema of a store up to date. A worker does it when it starts; this is for those whose workers may not " +
      "change a schema. A store in memory or in a file of SQLite is always up to date."
  ),
  Command.withShortDescription("Bring the schema of a store up to date"),
  Command.withExamples([
    {
      command: "npm run varve -- migrate --check --store postgres --url postgres://app@localhost/app",
      description: "Ask whether there is something to do"
    }
  ])
)
