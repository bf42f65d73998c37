/**
 * `history`: replays an exported log with the code of an app, and fails if an event of it breaks.
 */
import { Data, Effect } from "effect"
import { Command, Flag } from "effect/cli"
import * as AppFile from "./AppFile.ts"
import * as CommandFile from "./CommandFile.ts"
import * as HistoryCheck from "./HistoryCheck.ts"
import * as StatusLine from "./StatusLine.ts"

/** Events of the log cannot be replayed. */
class HistoryBroken extends Data.TaggedError("HistoryBroken")<{ readonly events: number }> {
  override get message() {
    return `This code cannot replay ${this.events === 1 ? "one event" : `${this.events} events`} of the log.`
  }
}

const flags = {
  app: Flag.String("app").pipe(
    Flag.withDescription("The module whose default export is the app, made by App.make"),
    Flag.withMetavar("FILE")
  ),
  log: Flag.String("log").pipe(
    Flag.withDescription("The log, as export writes it: .ndjson or .ndjson.gz, or - for standard input"),
    Flag.withMetavar("FILE")
  ),
  others: Flag.Boolean("others").pipe(
    Flag.withDescription("Pass over events of categories that the app has no aggregate for, instead of failing"),
    Flag.withDefault(false)
  ),
  json: Flag.Boolean("json").pipe(
    Flag.withDescription("Print the report as JSON on standard output"),
    Flag.withDefault(false)
  )
}

/** The `history` command. */
export const command = Command.make(
  "history",
  flags,
  Effect.fnUntraced(function*({ app: appFile, json, log, others }) {
    const app = yield* AppFile.load(appFile)
    const plans = yield* AppFile.plans(app)
    const file = log === "-" ? CommandFile.standardInput("log") : yield* CommandFile.open(log, "log")
    const status = StatusLine.make(process.stderr)
    let read = 0
    let broken = 0
    const checking = HistoryCheck.check(file.lines, { app: app.name, plans, othersToo: others }, (report) => {
      read++
      broken = report.broken
    })
    const progress = Effect.sync(() =>
      `${read.toLocaleString("en-US")} lines · ${broken.toLocaleString("en-US")} break`
    )
    const report = yield* status.during(progress, checking)
    const text = json ? JSON.stringify(report) : HistoryCheck.print(report)
    yield* Effect.sync(() => void process.stdout.write(`${text}\n`))
    if (report.broken > 0) return yield* new HistoryBroken({ events: report.broken })
  })
).pipe(
  Command.withDescription(
    "Replay an exported log with the code of an app, before that code is released: every event is decoded, upcast and " +
      "applied. What breaks is named, with the stream, the version and the field, and the exit code is 1."
  ),
  Command.withShortDescription("Replay an exported log with the code of an app"),
  Command.withExamples([
    {
      command: "npm run varve -- history --app examples/expenses/app.ts --log log.ndjson.gz",
      description: "Show that this code can read what is in production"
    }
  ])
)
