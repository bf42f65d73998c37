/**
 * Processes that share a file with the test.
 */
import { Effect } from "effect"
import { type ChildProcess, spawn } from "node:child_process"
import { join } from "node:path"

/** Starts a program of this folder, which tells numbers on standard output, and answers what it has told so far. */
export const startProcess = (script: string, ...args: ReadonlyArray<string>) =>
  Effect.acquireRelease(
    Effect.sync(() => {
      const child = spawn(process.execPath, [join(import.meta.dirname, script), ...args], {
        stdio: ["ignore", "pipe", "inherit"]
      })
      const told: Array<number> = []
      child.stdout.setEncoding("utf8").on("data", (text: string) => told.push(...text.trim().split("\n").map(Number)))
      return { child, told }
    }),
    ({ child }) => Effect.sync(() => child.kill("SIGKILL"))
  )

/** Its exit code, or null if a signal ended it. */
export const ended = (child: ChildProcess) =>
  Effect.callback<number | null>((resume) => {
    if (child.exitCode !== null || child.signalCode !== null) return resume(Effect.succeed(child.exitCode))
    child.once("close", (code) => resume(Effect.succeed(code)))
  })
