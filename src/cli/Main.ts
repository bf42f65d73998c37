/**
 * Running a command as the main program of a process: logs and failures on standard error, failures in plain words with
 * the next step, exit codes that a shell can use.
 */
import { NodeRuntime, NodeServices } from "@effect/platform-node"
import { Cause, Effect, Exit, Layer, Logger, Predicate, References } from "effect"
import { Command } from "effect/cli"

/** What to do next, by the tag of the failure. */
const nextSteps: Readonly<Record<string, string>> = {
  RunStopped: "Run the same command again: what was carried out is recognized by its ids and not done twice.",
  StoreUnavailable: "See to the store, then run the same command again; nothing is done twice.",
  StoreNotChosen: "See --help for the stores that there are.",
  UnusableApp: "See examples/expenses/app.ts for an app that works.",
  UnreadableFile: "Check the name and the permissions of the file."
}

/**
 * Runs a command with the arguments of the process. It exits with 0 when it is done, 1 when it failed, 2 when it was
 * called wrongly, and 130 when a signal ended it, unless `drained` says that it was meant to end so.
 */
export const main = <Name extends string, Input, E, ContextInput>(
  command: Command.Command<Name, Input, ContextInput, E, NodeServices.NodeServices>,
  options: { readonly version: string; readonly drained?: () => boolean }
): void =>
  Command.run(command, { version: options.version }).pipe(
    Effect.tapError(report),
    Effect.provide(Layer.mergeAll(NodeServices.layer, logs)),
    NodeRuntime.runMain({
      disableErrorReporting: true,
      teardown: (exit, onExit) => onExit(exitCode(exit, options.drained?.() === true))
    })
  )

const logs = Layer.mergeAll(Logger.layer([Logger.consolePretty()]), Layer.succeed(References.LogToStderr, true))

const report = (error: unknown) =>
  Effect.sync(() => {
    // Wrong usage has been answered with help already.
    if (Predicate.isTagged(error, "ShowHelp")) return
    const nextStep = Predicate.hasProperty(error, "_tag") ? nextSteps[String(error._tag)] : undefined
    const message = error instanceof Error ? error.message : String(error)
    process.stderr.write(`${message}\n${nextStep === undefined ? "" : `${nextStep}\n`}`)
  })

const exitCode = (exit: Exit.Exit<unknown, unknown>, drained: boolean): number => {
  if (Exit.isSuccess(exit)) return 0
  if (Cause.hasInterruptsOnly(exit.cause)) return drained ? 0 : 130
  return Predicate.isTagged(Cause.squash(exit.cause), "ShowHelp") ? 2 : 1
}
