/**
 * `views status`: how the projections of an app stand.
 */
import { Effect, Option } from "effect"
import { Argument, Command } from "effect/cli"
import type { App } from "./App.ts"
import * as ProjectionFlags from "./ProjectionFlags.ts"
import * as ProjectionStatus from "./ProjectionStatus.ts"
import * as StatusTable from "./StatusTable.ts"

/** The `views status` command. */
export const command = (usual: App<unknown> | undefined) =>
  Command.make(
    "status",
    {
      ...ProjectionFlags.make(usual),
      name: Argument.String("view").pipe(
        Argument.withDescription("Only the projection of this name"),
        Argument.withMetavar("NAME"),
        Argument.optional
      )
    },
    ({ json, name, ...given }) =>
      ProjectionFlags.onKept(given, (kept) =>
        Effect.gen(function*() {
          if (Option.isSome(name)) yield* ProjectionFlags.find(kept, name.value)
          const all = yield* ProjectionStatus.gather(kept.operations, Option.getOrUndefined(name))
          const text = json ? ProjectionStatus.toJson(all) : StatusTable.format(all)
          yield* Effect.sync(() => void process.stdout.write(`${text}\n`))
        }))
  ).pipe(
    Command.withShortDescription("Tell how projections stand: how far behind, who has them, what went wrong"),
    Command.withDescription(
      "Tell how the projections of an app stand: version, position, how far behind, whether a worker has them, dead " +
        "letters (events that it could not work off) and parked streams (which it passes over since), and of one that " +
        "catches up how long that takes. It reads what is kept in the store; no worker is asked."
    ),
    Command.withExamples([
      { command: "npm start -- views status", description: "Those of the demo" },
      { command: "npm start -- views status --json", description: "For a program that watches" }
    ])
  )
