/**
 * `views`: what the views of an app tell, how its projections stand, and what an operator may do about them.
 */
import { Command } from "effect/cli"
import type { App } from "./App.ts"
import * as ViewsLetters from "./ViewsLetters.ts"
import * as ViewsOperate from "./ViewsOperate.ts"
import * as ViewsRead from "./ViewsRead.ts"
import * as ViewsStatus from "./ViewsStatus.ts"

/** The `views` command; of `usual`, if there is one, unless another app is named. */
export const make = (usual?: App<any>): Command.Command<"views", {}, {}, unknown> =>
  Command.make("views").pipe(
    Command.withShortDescription("Ask the views of an app, and see to its projections"),
    Command.withDescription(
      "Ask the views of an app, and see to its projections. A worker fills them; here they are asked and operated in the " +
        "store that it has, whether one is running or not. `status` says how they stand, and what to do next."
    ),
    Command.withExamples([
      { command: "npm start -- views status", description: "How they stand" },
      { command: "npm start -- views list order-summaries --where status=open", description: "Which orders are open" },
      {
        command: "npm start -- views list budget-totals --app examples/expenses/app.ts",
        description: "A view of another app"
      }
    ]),
    Command.withSubcommands([
      ViewsRead.get(usual),
      ViewsRead.list(usual),
      ViewsStatus.command(usual),
      ViewsOperate.pause(usual),
      ViewsOperate.resume(usual),
      ViewsLetters.letters(usual),
      ViewsLetters.retry(usual),
      ViewsLetters.discard(usual),
      ViewsLetters.step(usual),
      ViewsOperate.rollback(usual),
      ViewsOperate.unpin(usual),
      ViewsOperate.reset(usual),
      ViewsOperate.drop(usual),
      ViewsOperate.accept(usual)
    ])
  )
