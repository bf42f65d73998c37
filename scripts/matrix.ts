/**
 * `npm run test:matrix`: what `npm test` shows on PostgreSQL 18, shown on the PostgreSQL that Debian has, and through
 * its PgBouncer, which changes the connection after each transaction. The suites are the same.
 *
 * Whatever is not there is installed from Debian's packages, with apt-get. The servers are started here, on free ports
 * of this machine, without a privilege, and end with this process.
 */
import { spawn } from "node:child_process"
import { readFileSync } from "node:fs"
import { join } from "node:path"
import { exitOnSignals } from "./check.ts"
import * as Debian from "./debian.ts"
import * as PgBouncer from "./pgbouncer.ts"
import * as Postgres from "./postgres.ts"
import { root } from "./sources.ts"

/** Suites that know no other server than the one that they are given. */
const suites = [["test/postgres/Postgres.test.ts"], [
  "test/StoreFuzz.test.ts",
  "test/ReaderFuzz.test.ts",
  "-t",
  "PostgreSQL"
]]

/** All that is shown on PostgreSQL, on a server that is not npm's. */
const onDebian = [
  ["test/postgres"],
  [
    "test/StoreFuzz.test.ts",
    "test/ReaderFuzz.test.ts",
    "test/Campaigns.test.ts",
    "test/RealLog.test.ts",
    "-t",
    "PostgreSQL|busy server"
  ]
]

const main = async (): Promise<number> => {
  const found = Debian.find() ?? Debian.install(console.log)
  if ("missing" in found) {
    console.error(found.missing)
    return 1
  }
  const { home, pgbouncerVersion, postgresVersion } = found
  process.env["VARVE_TEST_POSTGRES_HOME"] = home
  delete process.env["VARVE_TEST_POSTGRES_URL"]
  const direct = await play(`Debian's PostgreSQL ${postgresVersion}`, onDebian, {})
  const pooled = await throughPgBouncer(`Debian's PgBouncer ${pgbouncerVersion}, transactions`)
  for (const { name, passed } of [direct, pooled]) console.log(`${passed ? "passed" : "FAILED"}  ${name}`)
  return direct.passed && pooled.passed ? 0 : 1
}

interface Outcome {
  readonly name: string
  readonly passed: boolean
}

const throughPgBouncer = async (name: string): Promise<Outcome> => {
  const server = await whenThere(await Postgres.startOwn())
  const pooler = await whenThere(await PgBouncer.start(server.url))
  try {
    const outcome = await play(name, suites, {
      VARVE_TEST_POSTGRES_URL: server.url,
      VARVE_TEST_POSTGRES_POOLER_URL: pooler.url
    })
    const clients = readFileSync(pooler.log, "utf8").match(/login attempt/g)?.length ?? 0
    console.log(`${clients} connections came through it`)
    return { name, passed: outcome.passed && clients > 0 }
  } finally {
    await pooler.stop()
    await server.stop()
  }
}

const whenThere = async (started: Postgres.Own | Postgres.Missing): Promise<Postgres.Own> => {
  if ("missing" in started) throw new Error(started.missing)
  const found = await Postgres.whenReady(started)
  if ("missing" in found) throw new Error(found.missing)
  return started
}

/** Each list of arguments is a test run of its own. */
const play = async (
  name: string,
  runs: ReadonlyArray<ReadonlyArray<string>>,
  env: Readonly<Record<string, string>>
): Promise<Outcome> => {
  console.log(name)
  let passed = true
  for (const args of runs) passed = await test(args, env) && passed
  return { name, passed }
}

const test = (args: ReadonlyArray<string>, env: Readonly<Record<string, string>>): Promise<boolean> =>
  new Promise((resolve) => {
    const child = spawn(process.execPath, [join(root, "scripts/test.ts"), ...args], {
      cwd: root,
      env: { ...process.env, ...env, VARVE_TEST_REQUIRE_ALL: "1" },
      stdio: "inherit"
    })
    child.on("close", (exitCode) => resolve(exitCode === 0))
  })

exitOnSignals()
process.exitCode = await main()
