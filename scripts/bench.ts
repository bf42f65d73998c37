/**
 * `npm run bench`: Varve beside Emmett, castore, and a bare ceiling, on this machine, against the targets of the design.
 *
 * Progress goes to stderr, the table to stdout. It fails if a contestant of ours does; a target that is missed is shown
 * and is no failure, since that is the machine's business too.
 */
import { mkdirSync, rmSync, writeFileSync } from "node:fs"
import { join, resolve } from "node:path"
import { parseArgs } from "node:util"
import { type Servers, versionOf } from "./bench/databases.ts"
import { install } from "./bench/install.ts"
import { top } from "./bench/profile.ts"
import { circumstances, judge, markdown, type Outcome, paragraph, summary } from "./bench/report.ts"
import { play, type Settings } from "./bench/rounds.ts"
import type { Row } from "./bench/Row.ts"
import { rows } from "./bench/rows.ts"
import { exitOnSignals } from "./check.ts"
import * as PgBouncer from "./pgbouncer.ts"
import * as Postgres from "./postgres.ts"
import { root } from "./sources.ts"

const usage = `npm run bench -- [OPTIONS]

  --rows PATTERN    only rows whose name matches this regular expression
  --rounds N        rounds that count, after one to warm up; 3 unless given
  --quick           one round, and short: to see that it works, not for figures
  --json FILE|-     everything that was measured
  --markdown        the table as the README has it
  --profile FOLDER  CPU profiles of Varve's part of the rows, and where their time went
  --help

Rows: ${rows.map(({ name }) => name).join(", ")}`

const readOptions = () => {
  const { values } = parseArgs({
    options: {
      rows: { type: "string", default: "" },
      rounds: { type: "string", default: "3" },
      quick: { type: "boolean", default: false },
      json: { type: "string" },
      markdown: { type: "boolean", default: false },
      profile: { type: "string" },
      help: { type: "boolean", default: false }
    }
  })
  const rounds = values.quick ? 1 : Number(values.rounds)
  if (!Number.isSafeInteger(rounds) || rounds < 1) throw new Error("--rounds is a count, of at least 1")
  const pattern = new RegExp(values.rows)
  const chosen = rows.filter(({ name }) => pattern.test(name))
  if (chosen.length === 0) throw new Error(`no row's name matches ${values.rows}`)
  const millis = values.quick ? 200 : values.profile === undefined ? 600 : 3_000
  return { ...values, rounds, millis, chosen }
}

const started = performance.now()
const showsProgress = process.stderr.isTTY

/** On a terminal one line that is written over; elsewhere one after the other. */
const onProgress = (text: string): void => {
  const line = `${((performance.now() - started) / 1_000).toFixed(0).padStart(4)} s  ${text}`
  process.stderr.write(showsProgress ? `\r\u001B[2K${line}` : `${line}\n`)
}

const clearProgress = (): void => {
  if (showsProgress) process.stderr.write("\r\u001B[2K")
}

const playAll = async (
  chosen: ReadonlyArray<Row>,
  settings: Settings,
  onOutcome: (outcome: Outcome) => void
): Promise<ReadonlyArray<Outcome>> => {
  const outcomes: Array<Outcome> = []
  for (const row of chosen) {
    const outcome = judge(row, await play(row, settings))
    outcomes.push(outcome)
    onOutcome(outcome)
  }
  return outcomes
}

/** Starts what the rows need, and leaves out those whose needs are not met. As everybody has it: with a disk that syncs. */
const startServers = async (wanted: ReadonlyArray<Row>) => {
  const needed = (row: Row) => row.work.store === "postgres"
  const postgres = wanted.some(needed)
    ? await whenThere(await Postgres.startOwn({ settings: { fsync: "on" } }))
    : undefined
  const pgbouncer = postgres === undefined || !wanted.some(({ needs }) => needs === "pgbouncer")
    ? undefined
    : await PgBouncer.start(postgres.url)
  if (pgbouncer !== undefined && "missing" in pgbouncer) {
    onProgress(`left out what goes through PgBouncer: ${pgbouncer.missing}`)
    return { chosen: wanted.filter(({ needs }) => needs === undefined), postgres, pgbouncer: undefined }
  }
  return { chosen: wanted, postgres, pgbouncer: pgbouncer && await whenThere(pgbouncer) }
}

const whenThere = async (started: Postgres.Own | Postgres.Missing): Promise<Postgres.Own> => {
  const found = "missing" in started ? started : await Postgres.whenReady(started)
  if ("missing" in found) throw new Error(found.missing)
  if ("missing" in started) throw new Error(started.missing)
  return started
}

const serverVersions = async ({ postgres }: Servers): Promise<Readonly<Record<string, string>>> =>
  postgres === undefined ? {} : { PostgreSQL: await versionOf(postgres) }

const main = async (): Promise<number> => {
  const options = readOptions()
  if (options.help) {
    console.log(usage)
    return 0
  }
  const { chosen, pgbouncer, postgres } = await startServers(options.chosen)
  const servers = { postgres: postgres?.url, pgbouncer: pgbouncer?.url }
  const where = circumstances(options.rounds, { ...install(onProgress), ...await serverVersions(servers) })
  const folder = join(root, "data", `bench-${process.pid}`)
  const profiles = options.profile === undefined ? undefined : resolve(options.profile)
  mkdirSync(folder, { recursive: true })
  process.on("exit", () => rmSync(folder, { recursive: true, force: true }))
  if (profiles !== undefined) mkdirSync(profiles, { recursive: true })
  // Whoever wants a document or JSON on stdout wants nothing else there.
  const quiet = options.markdown || options.json === "-"
  const settings = { rounds: options.rounds, millis: options.millis, folder, servers, profiles, onProgress }
  const outcomes = await playAll(chosen, settings, (outcome) => {
    clearProgress()
    if (!quiet) console.log(`${paragraph(outcome)}\n`)
  })
  if (!quiet) console.log(summary(outcomes))
  if (options.markdown) console.log(markdown(outcomes, where))
  const json = `${JSON.stringify({ ...where, rows: outcomes }, null, 2)}\n`
  if (options.json === "-") process.stdout.write(json)
  else if (options.json !== undefined) writeFileSync(options.json, json)
  if (profiles !== undefined) console.error(top(profiles))
  await pgbouncer?.stop()
  await postgres?.stop()
  return outcomes.some(({ lines }) => lines.some(isOursAndFailed)) ? 1 : 0
}

const isOursAndFailed = ({ contestant, problem }: Outcome["lines"][number]): boolean =>
  problem !== undefined && contestant.startsWith("varve")

exitOnSignals()
try {
  process.exitCode = await main()
} catch (error) {
  clearProgress()
  console.error(`${error instanceof Error ? error.message : String(error)}\n\n${usage}`)
  process.exitCode = 2
}
