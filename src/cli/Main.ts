/**
 * Running a command as the main program of a process: logs and failures on standard error, failures in plain words with
 * the next step, exit codes that a shell can use.
 */
import * as NodeRuntime from "@effect/platform-node/NodeRuntime"
import * as NodeServices from "@effect/platform-node/NodeServices"
import { Cause, Effect, Exit, Layer, Logger, Option, Predicate, References } from "effect"
import { CliConfig, Command, GlobalFlag } from "effect/cli"
import { describe } from "./Problem.ts"
import { clear } from "./StatusLine.ts"

/** What a run that did not come to its end leaves to be done. */
export const runAgain = "Run the same command again: what was carried out is recognized by its ids and not done twice."

/** What to do next, by the tag of the failure. */
const nextSteps: Readonly<Record<string, string>> = {
  FieldPending: "`views status` tells how far the new version is.",
  HistoryBroken: "Declare what the events looked like with Event.evolved, or mend the code, and check again.",
  NoView: "`views status` tells how the projections of the app stand.",
  NothingKept: "Start a worker, or `run` a file of commands: either makes one.",
  ProjectionsBehind: "`views status` tells how they stand; a worker that has them, or the same command again, goes on.",
  ProjectionUnknown: "`views status` tells how they stand.",
  RunStopped: runAgain,
  StoreUnavailable: "See to the store, then run the same command again; nothing is done twice.",
  StoreNotChosen: "See --help for the stores that there are.",
  UnusableApp: "See examples/expenses/app.ts for an app that works."
}

/**
 * Runs a command with the arguments of the process. It exits with 0 when it is done, 1 when it failed, 2 when it was
 * called wrongly, and 130 when a signal ended it, unless `drained` says that it was meant to end so.
 */
export const main = <Name extends string, Input, E, ContextInput>(
  command: Command.Command<Name, Input, ContextInput, E, NodeServices.NodeServices>,
  options: { readonly version: string; readonly drained?: () => boolean }
): void => {
  process.stdout.on("error", (error) => {
    if (hasLost(error)) process.stderr.write(`The result cannot be written to standard output: ${error.message}\n`)
  })
  process.stderr.on("error", hasLost)
  Command.run(command, { version: options.version }).pipe(
    Effect.tapCause(report),
    Effect.provide(Layer.mergeAll(NodeServices.layer, logs, Layer.succeed(CliConfig.CliConfig, { builtIns }))),
    NodeRuntime.runMain({
      disableErrorReporting: true,
      teardown: (exit, onExit) => onExit(exitCode(exit, options.drained?.() === true))
    })
  )
}

/** What every command takes beside its own flags. */
const builtIns = [GlobalFlag.Help, GlobalFlag.Version, GlobalFlag.LogLevel]

/** A reader who has left (`| head`) is no failure of the work. Results that cannot be written are. */
const hasLost = (error: NodeJS.ErrnoException): boolean => {
  if (error.code === "EPIPE") return false
  process.exitCode = 1
  return true
}

const pretty = Logger.consolePretty()

/** Below what is said, and in a terminal in place of the status line, which is drawn again. */
const logger = Logger.make((options) => {
  if (process.stderr.isTTY) process.stderr.write(clear)
  pretty.log(options)
})

const logs = Layer.mergeAll(Logger.layer([logger]), Layer.succeed(References.LogToStderr, true))

const report = (cause: Cause.Cause<unknown>) =>
  Effect.sync(() => {
    if (Cause.hasInterruptsOnly(cause)) return
    const lines = Option.match(Cause.findErrorOption(cause), {
      onNone: () => [`This should not have happened: ${describe(Cause.squash(cause))}`],
      onSome: explain
    })
    process.stderr.write(lines.map((line) => `${line}\n`).join(""))
  })

/** A failure that was foreseen: what it says, and what to do next. Wrong usage has been answered with help already. */
const explain = (error: unknown): ReadonlyArray<string> => {
  if (Predicate.isTagged(error, "ShowHelp")) return []
  const nextStep = Predicate.hasProperty(error, "_tag") ? nextSteps[String(error._tag)] : undefined
  const message = error instanceof Error ? error.message : String(error)
  return nextStep === undefined ? [message] : [message, nextStep]
}

const exitCode = (exit: Exit.Exit<unknown, unknown>, drained: boolean): number => {
  if (Exit.isSuccess(exit)) return 0
  if (Cause.hasInterruptsOnly(exit.cause)) return drained ? 0 : 130
  const error = Cause.squash(exit.cause)
  return Predicate.hasProperty(error, "_tag") && wrongCalls.has(String(error._tag)) ? 2 : 1
}

/** The failures of whoever called, by tag: nothing has begun, and the same call would fail again. */
const wrongCalls: ReadonlySet<string> = new Set([
  "ShowHelp",
  "StoreNotChosen",
  "BatchMissing",
  "UnusableApp",
  "ProjectionUnknown",
  "QuestionRefused",
  "Unconfirmed"
])
