/**
 * A run on SQLite that is killed again and again, at random moments, and begun again each time with the same file: in
 * the end its log must be that of a run that nobody disturbed. Per stream the same types, data, versions and metadata;
 * per line the same outcome, rejections included; and the same summary.
 *
 * `npm run soak -- kill [KILLS] [SEED]`: the real log, and the same with damage, ten kills each unless told otherwise.
 */
import { spawn } from "node:child_process"
import { once } from "node:events"
import { existsSync, mkdtempSync, rmSync } from "node:fs"
import { tmpdir } from "node:os"
import { join } from "node:path"
import { DatabaseSync } from "node:sqlite"
import { setTimeout } from "node:timers/promises"
import { makeRandom } from "../../examples/expenses/damage.ts"
import { root } from "../sources.ts"

/** What is run, and how often it is killed. */
export interface Options {
  /** The module of the app. */
  readonly app: string
  readonly commands: string
  readonly kills: number
  readonly seed: number
}

/** What came of it. */
export interface Report {
  readonly lines: number
  readonly events: number
  readonly receipts: number
  /** The positions of the log at which the run was killed. */
  readonly killedAt: ReadonlyArray<number>
  readonly undisturbedSeconds: number
  readonly disturbedSeconds: number
  /** What went wrong; empty in health. */
  readonly problems: ReadonlyArray<string>
}

/** Runs the file undisturbed, runs it disturbed, and compares. */
export const run = async (options: Options): Promise<Report> => {
  const folder = mkdtempSync(join(tmpdir(), "varve-kill-"))
  try {
    const [one, other] = [join(folder, "undisturbed.sqlite"), join(folder, "disturbed.sqlite")]
    const undisturbed = await timed(() => complete(options, one))
    const expected = read(one)
    const killedAt: Array<number> = []
    const disturbed = await timed(async () => {
      for (const position of momentsOf(options, expected.events.length)) {
        killedAt.push(await killAfter(options, other, position))
      }
      return await complete(options, other)
    })
    const found = read(other)
    return {
      lines: undisturbed.value.lines,
      events: found.events.length,
      receipts: found.receipts.length,
      killedAt,
      undisturbedSeconds: undisturbed.seconds,
      disturbedSeconds: disturbed.seconds,
      problems: [
        ...differences("summary", [JSON.stringify(undisturbed.value)], [JSON.stringify(disturbed.value)]),
        ...differences("event", expected.events, found.events),
        ...differences("receipt", expected.receipts, found.receipts),
        ...found.problems
      ]
    }
  } finally {
    rmSync(folder, { recursive: true })
  }
}

/** Positions at random, in order, each with some milliseconds that pass until the kill. */
const momentsOf = ({ kills, seed }: Options, events: number) => {
  const random = makeRandom(seed)
  return Array.from({ length: kills }, () => ({ position: random(events), millis: random(30) }))
    .toSorted((one, other) => one.position - other.position)
}

const timed = async <A>(work: () => Promise<A>): Promise<{ readonly value: A; readonly seconds: number }> => {
  const startedAt = performance.now()
  const value = await work()
  return { value, seconds: Number(((performance.now() - startedAt) / 1_000).toFixed(1)) }
}

// ── Processes

const start = ({ app, commands }: Options, file: string) => {
  const args = ["run", "--app", app, "--commands", commands, "--store", "sqlite", "--url", file, "--json"]
  const child = spawn(process.execPath, [join(root, "src/cli/varve.ts"), ...args], {
    stdio: ["ignore", "pipe", "pipe"]
  })
  const end = () => child.kill("SIGKILL")
  process.on("exit", end)
  child.on("exit", () => process.off("exit", end))
  const said = { stdout: "", stderr: "" }
  for (const name of ["stdout", "stderr"] as const) {
    child[name].setEncoding("utf8").on("data", (text: string) => {
      said[name] += text
    })
  }
  return { child, said, ended: once(child, "close") }
}

/** Runs the file to its end; its summary, but for how long it took. */
const complete = async (options: Options, file: string) => {
  const { child, ended, said } = start(options, file)
  await ended
  if (child.exitCode !== 0) throw new Error(`The run failed (${child.exitCode}): ${said.stderr}`)
  const { linesPerSecond: _, repeated: __, seconds: ___, ...summary } = JSON.parse(said.stdout)
  return summary
}

/** Kills a run once the log has come so far; where it was by then. */
const killAfter = async (
  options: Options,
  file: string,
  { millis, position }: { readonly position: number; readonly millis: number }
): Promise<number> => {
  const { child, ended, said } = start(options, file)
  while (headOf(file) < position) {
    if (child.exitCode !== null) throw new Error(`The run ended before it was killed: ${said.stderr}`)
    await setTimeout(2)
  }
  await setTimeout(millis)
  child.kill("SIGKILL")
  await ended
  return headOf(file)
}

// ── Databases

/** How far the log has come: nowhere, as long as it has not been made. */
const headOf = (file: string): number => {
  if (!existsSync(file)) return 0
  const database = new DatabaseSync(file, { readOnly: true })
  try {
    return Number(database.prepare("SELECT max(position) AS head FROM varve_events").get()?.["head"])
  } catch {
    return 0
  } finally {
    database.close()
  }
}

/** What must be the same: all but times, event ids, and how the streams lie between each other in the log. */
const read = (file: string) => {
  const database = new DatabaseSync(file, { readOnly: true })
  const rows = (sql: string) => database.prepare(sql).all().map((row) => JSON.stringify(row))
  const [check] = rows("PRAGMA integrity_check")
  const [torn] = rows(
    "SELECT count(*) AS torn FROM varve_receipts r LEFT JOIN varve_events e ON e.position = r.position" +
      " WHERE r.position IS NOT NULL AND (e.stream_id IS NOT r.stream_id OR e.version IS NOT r.version)"
  )
  const [dense] = rows("SELECT count(*) = coalesce(max(position), 0) AS dense FROM varve_events")
  const content = {
    events: rows(
      "SELECT tenant, category, stream_id, version, type, schema_version, data, metadata FROM varve_events" +
        " ORDER BY tenant, category, stream_id, version"
    ),
    receipts: rows(
      "SELECT tenant, category, stream_id, command_id, hash, version, position IS NULL AS empty, outcome" +
        " FROM varve_receipts ORDER BY tenant, category, stream_id, command_id"
    ),
    problems: [
      ...(check === "{\"integrity_check\":\"ok\"}" ? [] : [`the database is damaged: ${check}`]),
      ...(torn === "{\"torn\":0}" ? [] : [`receipts do not name their events: ${torn}`]),
      ...(dense === "{\"dense\":1}" ? [] : ["the log has holes"])
    ]
  }
  database.close()
  return content
}

const shownMax = 10

const differences = (
  what: string,
  expected: ReadonlyArray<string>,
  found: ReadonlyArray<string>
): ReadonlyArray<string> => {
  const [wanted, had] = [new Set(expected), new Set(found)]
  const missing = expected.filter((text) => !had.has(text)).map((text) => `${what} missing: ${text}`)
  const foreign = found.filter((text) => !wanted.has(text)).map((text) => `${what} not expected: ${text}`)
  const repeated = found.length - had.size - (expected.length - wanted.size)
  const problems = [...missing, ...foreign, ...(repeated === 0 ? [] : [`${repeated} of ${what} too many`])]
  const rest = problems.length - shownMax
  return rest > 0 ? [...problems.slice(0, shownMax), `and ${rest} more`] : problems
}
