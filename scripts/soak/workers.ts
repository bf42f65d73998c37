/**
 * Processes that campaigns start, kill and ask: each says `ready` when it is there, and ends in good order when it is
 * told to.
 */
import { type ChildProcess, fork } from "node:child_process"
import { once } from "node:events"
import { join } from "node:path"

/** A process that runs. */
export interface Worker {
  readonly child: ChildProcess
  /** Sends a signal. */
  readonly signal: (signal: NodeJS.Signals) => void
  /** Sends a signal, and ends when the process has. */
  readonly end: (signal: NodeJS.Signals) => Promise<void>
}

/** Starts a module of this folder, and ends when it is ready; what else it says goes to `onMessage`. */
export const start = async (
  module: string,
  args: ReadonlyArray<string>,
  onMessage: (message: unknown) => void = () => {}
): Promise<Worker> => {
  const child = fork(join(import.meta.dirname, module), args, {
    execArgv: [...process.execArgv, "--disable-warning=ExperimentalWarning"],
    stdio: ["ignore", "ignore", "inherit", "ipc"]
  })
  // Whatever becomes of us, it does not stay.
  const kill = () => child.kill("SIGKILL")
  process.on("exit", kill)
  child.on("exit", () => process.off("exit", kill))
  await Promise.race([once(child, "message"), once(child, "exit")])
  if (child.exitCode !== null) throw new Error(`${module} ended with ${child.exitCode}`)
  child.on("message", onMessage)
  return {
    child,
    signal: (signal) => void child.kill(signal),
    end: async (signal) => {
      if (child.exitCode !== null || child.signalCode !== null) return
      const exit = once(child, "exit")
      child.kill(signal)
      await exit
    }
  }
}
