/**
 * The PostgreSQL and the PgBouncer that Debian has, for `matrix.ts` and the bench: found, or installed with apt-get.
 */
import { spawnSync } from "node:child_process"
import { existsSync, readdirSync } from "node:fs"
import { join } from "node:path"
import { pgbouncer } from "./pgbouncer.ts"
import type { Missing } from "./postgres.ts"

/** What is there. */
export interface Debian {
  /** The folder of the server, with its `bin`. */
  readonly home: string
  readonly postgresVersion: string
  readonly pgbouncerVersion: string
}

const servers = "/usr/lib/postgresql"

/** What is installed of the two; undefined if one is missing. */
export const find = (): Debian | undefined => {
  const majors = existsSync(servers) ? readdirSync(servers).map(Number).toSorted((a, b) => b - a) : []
  const home = majors.map((major) => join(servers, String(major))).find((home) =>
    existsSync(join(home, "bin/postgres"))
  )
  if (home === undefined || !existsSync(pgbouncer)) return undefined
  return {
    home,
    postgresVersion: versionOf(join(home, "bin/postgres")),
    pgbouncerVersion: versionOf(pgbouncer)
  }
}

/** The first number that a program tells of itself. */
const versionOf = (program: string): string =>
  /\d+(\.\d+)+/.exec(spawnSync(program, ["--version"], { encoding: "utf8" }).stdout)?.[0] ?? "of an unknown version"

/**
 * Installs both from Debian's packages, and says so. That may start servers of Debian's own, which nobody here speaks
 * to, and may be stopped.
 */
export const install = (say: (text: string) => void): Debian | Missing => {
  const command = "apt-get install --no-install-recommends postgresql pgbouncer"
  if (spawnSync("apt-get", ["--version"]).status !== 0) {
    return { missing: `There is no apt-get here. This needs Debian, or a system that descends from it; ${elsewhere}` }
  }
  if (process.getuid?.() !== 0) return { missing: `Only root can install packages. Run: sudo ${command}` }
  say(`Installing Debian's packages postgresql and pgbouncer on this machine: ${command}`)
  for (const args of [["update"], ["install", "--yes", "--no-install-recommends", "postgresql", "pgbouncer"]]) {
    const { status, stderr, stdout } = spawnSync("apt-get", args, {
      encoding: "utf8",
      env: { ...process.env, DEBIAN_FRONTEND: "noninteractive" }
    })
    if (status !== 0) {
      const words = `${stdout}${stderr}`.trim().split("\n").slice(-5).join("\n")
      return { missing: `apt-get ${args[0]} failed:\n${words}\nMend that, or ${elsewhere}` }
    }
  }
  return find() ?? { missing: `They are installed, but not at ${servers} and ${pgbouncer}; ${elsewhere}` }
}

const elsewhere = "run the suites on any other server by VARVE_TEST_POSTGRES_URL=postgres://… npm test -- test/postgres"
