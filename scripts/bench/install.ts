/**
 * The peers, installed once into a folder of their own: they are no dependencies of the project.
 *
 * Their install scripts are left out but for one, since a peer that cannot be built here shall not keep the others from
 * taking part.
 */
import { spawnSync } from "node:child_process"
import { createHash } from "node:crypto"
import { existsSync, readFileSync, writeFileSync } from "node:fs"
import { join } from "node:path"

const here = import.meta.dirname
const stamp = join(here, "node_modules/.bench")

/** Installs what package-lock.json names, unless it is there. Answers the versions of the peers. */
export const install = (onProgress: (text: string) => void): Readonly<Record<string, string>> => {
  const wanted = createHash("sha256").update(readFileSync(join(here, "package-lock.json"))).digest("hex")
  if (!existsSync(stamp) || readFileSync(stamp, "utf8") !== wanted) {
    onProgress("installing the peers (once)")
    if (npm("ci", "--ignore-scripts", "--no-audit", "--no-fund") !== 0) {
      throw new Error("npm ci failed in scripts/bench")
    }
    onProgress("building node-sqlite3, which Emmett uses (once, a minute or two)")
    if (npm("rebuild", "sqlite3") !== 0) {
      onProgress("node-sqlite3 cannot be built here: Emmett will be reported as failing")
    }
    writeFileSync(stamp, wanted)
  }
  const { dependencies } = JSON.parse(readFileSync(join(here, "package.json"), "utf8"))
  return dependencies
}

/** The npm that runs this script, if one does. */
const npm = (...args: ReadonlyArray<string>): number | null => {
  const path = process.env["npm_execpath"] ?? ""
  const [command, ...first] = /npm-cli\.[cm]?js$/.test(path) ? [process.execPath, path] : ["npm"]
  const options = { cwd: here, stdio: ["ignore", "ignore", "inherit"] as const }
  const env = { ...process.env, npm_config_loglevel: "error" }
  return spawnSync(command!, [...first, ...args], { ...options, stdio: [...options.stdio], env }).status
}
