// Whether `npm ci`, with which `npm start` and `npm test` begin in a fresh clone, would take package-lock.json.
//
// It wants an entry for every optional package, of every platform. But `npm install` leaves out those that the registry
// at hand does not have (a partial mirror). After such an install, `node scripts/lockfile.mjs --fix` writes them as npm
// would, all but their integrity. Plain JavaScript, since until then nothing else runs.
import { readFileSync, writeFileSync } from "node:fs"
import { join } from "node:path"

const path = join(import.meta.dirname, "../package-lock.json")
const lockfile = JSON.parse(readFileSync(path, "utf8"))

const findMissing = () =>
  Object.values(lockfile.packages).flatMap((parent) =>
    Object.entries(parent.optionalDependencies ?? {})
      .filter(([name]) => lockfile.packages[`node_modules/${name}`] === undefined)
      .map(([name, version]) => ({ name, entry: entryOf(parent, name, version) }))
  )

/** The platform stands in the name: `@oxlint/binding-linux-arm64-musl`. */
const entryOf = ({ dev, license, peer }, name, version) => {
  const platform = /[/-](?<os>[a-z0-9]+)-(?<cpu>arm|arm64|ia32|ppc64|riscv64|s390x|x64)(-(?<libc>gnu|musl))?(-\w+)?$/
  const { cpu, libc, os } = platform.exec(name)?.groups ?? {}
  if (cpu === undefined) throw new Error(`${name} does not name its platform: write its entry by hand.`)
  const libcs = libc === undefined ? undefined : [libc === "gnu" ? "glibc" : libc]
  return { version, cpu: [cpu], dev, libc: libcs, license, optional: true, os: [os], peer }
}

const add = (missing) => {
  const added = missing.map(({ entry, name }) => [`node_modules/${name}`, entry])
  const packages = [...Object.entries(lockfile.packages), ...added]
  lockfile.packages = Object.fromEntries(packages.toSorted(([one], [other]) => one.localeCompare(other, "en")))
  writeFileSync(path, `${JSON.stringify(lockfile, null, 2)}\n`)
}

const missing = findMissing()
const fixes = process.argv.includes("--fix")
if (fixes) add(missing)
else for (const { name } of missing) console.log(`package-lock.json  has no entry for ${name}, and npm ci wants one`)
if (fixes || missing.length === 0) console.log(`${Object.keys(lockfile.packages).length} packages`)
else process.exitCode = 1
