/**
 * Keeps a server for whoever wants it, and no longer: for tests and campaigns.
 *
 * A keeper is a process whose standard input ends when the process that wants the server ends, however that comes
 * about; then the server is ended too, and its folder removed. A script with a server for others has it kept by `begin`;
 * run as a program, the same script is the keeper, by `keep`.
 */
import { type ChildProcess, spawn } from "node:child_process"
import {
  chmodSync,
  chownSync,
  existsSync,
  mkdirSync,
  mkdtempSync,
  openSync,
  readFileSync,
  rmSync,
  statSync,
  writeFileSync
} from "node:fs"
import { createServer, Socket } from "node:net"
import { tmpdir } from "node:os"
import { join } from "node:path"

/** A server that is on its way, or is there. */
export interface Kept {
  /** What it writes goes into `log` in here; the folder is there for as long as the server is. */
  readonly folder: string
  /** A file that is empty once the server answers, or says why there will be none. */
  readonly ready: string
  readonly stop: () => Promise<void>
}

/** How a keeper starts its server. */
export interface Program {
  readonly command: string
  readonly args: ReadonlyArray<string>
  /** Ends it at once: nobody will ask for its data again. */
  readonly endBy: NodeJS.Signals
  readonly isAnswering: () => Promise<boolean>
}

/** Who keeps what. */
export interface Keeper<Wanted> {
  /** The server's name. */
  readonly name: string
  /** What to do about it where there can be none. */
  readonly nextStep: string
  readonly prepare: (wanted: Wanted, folder: string) => Program
}

/** Has a server kept by `script`, which is told what is wanted. It comes up in the background; wait for `ready`. */
export const begin = (script: string, wanted: unknown): Kept => {
  const folder = mkdtempSync(join(cacheFolder(), "run-"))
  chmodSync(folder, 0o755)
  writeFileSync(join(folder, "wanted.json"), JSON.stringify(wanted))
  // A child of a child: what takes along all its children when it ends would leave the server behind.
  const { stdio } = spawn(process.execPath, [script, "launch", folder], {
    stdio: ["ignore", "ignore", "inherit", "pipe"]
  })
  const lifeline = stdio[lifelineAt]
  if (!(lifeline instanceof Socket)) throw new TypeError("The server's keeper has no lifeline.")
  lifeline.on("error", () => {}).unref()
  return {
    folder,
    ready: join(folder, "ready"),
    stop: async () => {
      lifeline.destroy()
      while (existsSync(folder)) await sleep(pollMillis)
    }
  }
}

/** Waits for a server to answer; gives the reason if it does not. */
export const problemOf = async (ready: string): Promise<string | undefined> => {
  for (let waited = 0; waited < readyMillisMax; waited += pollMillis) {
    if (existsSync(ready)) return readFileSync(ready, "utf8") || undefined
    await sleep(pollMillis)
  }
  return `it did not start within ${readyMillisMax / 1_000} seconds`
}

/** What the script does when it is run as a program. */
export const keep = async <Wanted>(script: string, keeper: Keeper<Wanted>): Promise<void> => {
  const [verb, folder = ""] = process.argv.slice(2)
  if (verb === "launch") launch(script, folder)
  else if (verb === "keep") await run(keeper, folder)
}

/** Not the standard input: Node closes that one when the launcher has ended. */
const lifelineAt = 3

const readyMillisMax = 60_000
const pollMillis = 10

const sleep = (millis: number) => new Promise<void>((resolve) => setTimeout(resolve, millis))

const launch = (script: string, folder: string): void => {
  const keeper = spawn(process.execPath, [script, "keep", folder], {
    stdio: [lifelineAt, "ignore", "ignore"],
    detached: true
  })
  keeper.unref()
}

const run = async <Wanted>({ name, nextStep, prepare }: Keeper<Wanted>, folder: string): Promise<void> => {
  let server: ChildProcess | undefined
  let isWanted = true
  let endBy: NodeJS.Signals = "SIGTERM"
  const end = () => {
    isWanted = false
    if (server === undefined) process.exit()
    else server.kill(endBy)
  }
  process.on("exit", () => rmSync(folder, { recursive: true, force: true }))
  for (const signal of ["SIGINT", "SIGTERM", "SIGHUP"] as const) process.on(signal, end)
  process.stdin.on("end", end).on("error", end).resume()
  const say = (problem: string) => writeFileSync(join(folder, "ready"), problem)
  try {
    const program = prepare(JSON.parse(readFileSync(join(folder, "wanted.json"), "utf8")), folder)
    if (!isWanted) process.exit()
    endBy = program.endBy
    const log = join(folder, "log")
    const output = openSync(log, "a")
    server = spawn(program.command, program.args, { ...unprivileged, stdio: ["ignore", output, output] })
    server.on("error", ({ message }) => writeFileSync(log, message))
    server.on("close", () => {
      if (!isWanted) process.exit()
      say(`${name} ended: ${readFileSync(log, "utf8").slice(-2_000).trim()}; ${nextStep}`)
    })
    while (server.exitCode === null && !(await program.isAnswering())) await sleep(pollMillis)
    if (isWanted && server.exitCode === null) say("")
  } catch (error) {
    say(`${name} cannot be started: ${error instanceof Error ? error.message : String(error)}; ${nextStep}`)
  }
}

// ── What servers need beside

/** Nobody in particular, for whom everything that may be read by all is enough. */
export const unprivileged = process.getuid?.() === 0 ? { uid: 65_534, gid: 65_534 } : {}

/** Gives a file to whoever the server runs as. */
export const own = (path: string): void => {
  const { gid, uid } = unprivileged
  if (uid !== undefined) chownSync(path, uid, gid)
}

/** Where runs have their folders, and what they share is kept. */
export const cacheFolder = (): string => {
  const uid = process.getuid?.() ?? 0
  const folder = join(tmpdir(), `varve-postgres-${uid}`)
  mkdirSync(folder, { recursive: true, mode: 0o755 })
  if (process.getuid !== undefined && statSync(folder).uid !== uid) {
    throw new Error(`${folder} belongs to somebody else`)
  }
  return folder
}

/** A port of this machine that nobody listens on. */
export const freePort = () =>
  new Promise<number>((resolve, reject) => {
    const server = createServer()
    server.on("error", reject)
    server.listen(0, "127.0.0.1", () => {
      const address = server.address()
      server.close(() => resolve(typeof address === "object" && address !== null ? address.port : 0))
    })
  })
