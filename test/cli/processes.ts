/**
 * The command line as a user has it: real processes, whose output is waited for and never guessed at, and folders of
 * their own that go when the test does.
 */
import { spawn } from "node:child_process"
import { mkdtempSync, rmSync, writeFileSync } from "node:fs"
import { tmpdir } from "node:os"
import { join } from "node:path"
import { fileURLToPath } from "node:url"
import { onTestFinished } from "vitest"

const root = fileURLToPath(new URL("../..", import.meta.url))

/** A path inside the project. */
export const inProject = (path: string): string => join(root, path)

/** A folder that is removed when the test is done. */
export const makeFolder = (): string => {
  const folder = mkdtempSync(join(tmpdir(), "varve-cli-"))
  onTestFinished(() => rmSync(folder, { recursive: true, force: true }))
  return folder
}

/** A file in a folder of its own. */
export const makeFile = (name: string, content: string | Uint8Array): string => {
  const path = join(makeFolder(), name)
  writeFileSync(path, content)
  return path
}

/** Where and with what a process runs. */
export interface Setting {
  /** A new folder unless given. */
  readonly cwd?: string
  /** Beside what the tests themselves were given; no choice of a store is inherited. */
  readonly env?: Readonly<Record<string, string>>
  readonly input?: string | Uint8Array
}

/** How a process ended, and all that it said. */
export interface Ended {
  readonly exitCode: number | null
  readonly signal: NodeJS.Signals | null
  readonly stdout: string
  readonly stderr: string
}

/** A process that is running. */
export interface Running {
  readonly pid: number
  /** Waits until standard error has a line like this; what it matched. */
  readonly says: (pattern: RegExp) => Promise<RegExpExecArray>
  readonly kill: (signal: NodeJS.Signals) => void
  readonly ended: Promise<Ended>
}

const noChoice = { VARVE_STORE: undefined, VARVE_STORE_URL: undefined }

/** Processes start faster where an earlier one has left its compiled modules. */
const compiled = inProject("node_modules/.cache/compiled")

/** Starts a module of the project as a process. It does not outlive the test. */
export const start = (module: string, args: ReadonlyArray<string>, { cwd, env, input }: Setting = {}): Running => {
  const child = spawn(process.execPath, [inProject(module), ...args], {
    cwd: cwd ?? makeFolder(),
    env: { ...process.env, ...noChoice, NO_COLOR: "1", NODE_COMPILE_CACHE: compiled, ...env }
  })
  const said = { stdout: "", stderr: "" }
  const listeners = new Set<() => void>()
  const tell = () => listeners.forEach((listener) => listener())
  for (const name of ["stdout", "stderr"] as const) {
    child[name].setEncoding("utf8").on("data", (text: string) => {
      said[name] += text
      tell()
    })
  }
  const ended = new Promise<Ended>((resolve, reject) => {
    child.on("error", reject)
    child.on("close", (exitCode, signal) => resolve({ exitCode, signal, ...said }))
  })
  const says = (pattern: RegExp) =>
    new Promise<RegExpExecArray>((resolve, reject) => {
      const look = () => {
        const match = pattern.exec(said.stderr)
        if (match !== null) resolve(match)
        return match !== null
      }
      if (!look()) listeners.add(() => void look())
      ended.then(() => reject(new Error(`It ended without saying ${pattern}; it said:\n${said.stderr}`)), reject)
    })
  // A process that does not read its input may close it.
  child.stdin.on("error", () => {})
  child.stdin.end(input ?? "")
  onTestFinished(() => void child.kill("SIGKILL"))
  return { pid: child.pid ?? 0, says, kill: (signal) => void child.kill(signal), ended }
}

/** `varve` with these arguments, to its end. */
export const varve = (args: ReadonlyArray<string>, setting?: Setting): Promise<Ended> =>
  start("src/cli/varve.ts", args, setting).ended

/** The example that the tests run, and its fixture. */
export const expenses = ["run", "--app", inProject("examples/expenses/app.ts")] as const
export const fixture = inProject("examples/expenses/fixture.ndjson")

/** No stack, no SQL, no noise of Node: what a person may be shown. */
export const plain = ({ stderr, stdout }: Ended): boolean =>
  !/\n\s+at |node:internal|\b(SELECT|INSERT|UPDATE|BEGIN|PRAGMA|COMMIT)\b|Node\.js v|\bundefined\b|\[object|Error:/
    .test(`\n${stdout}${stderr}`)
