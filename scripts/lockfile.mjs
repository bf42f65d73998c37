// Whether `npm ci` would take the lock files: with that of the project `npm start` and `npm test` begin in a fresh clone,
// with that of the bench `npm run bench` does.
//
// It wants an entry for every optional package, of every platform. But `npm install` leaves out those that the registry
// at hand does not have (a partial mirror). After such an install, `node scripts/lockfile.mjs --fix` writes them as npm
// would, all but their integrity. And no entry may name the registry that it came from: not everybody has the same.
// Plain JavaScript, since until then nothing else runs.
import { readFileSync, writeFileSync } from "node:fs"
import { join } from "node:path"

const root = join(import.meta.dirname, "..")
const paths = ["package-lock.json", "scripts/bench/package-lock.json"]

const findMissing = ({ packages }) =>
  Object.values(packages).flatMap((parent) =>
    Object.entries(parent.optionalDependencies ?? {})
      .filter(([name]) => packages[`node_modules/${name}`] === undefined)
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

const mended = (lockfile) => {
  const packages = [
    ...Object.entries(lockfile.packages).map(([name, entry]) => [name, withoutRegistry(entry)]),
    ...findMissing(lockfile).map(({ entry, name }) => [`node_modules/${name}`, entry])
  ]
  const sorted = packages.toSorted(([one], [other]) => one.localeCompare(other, "en"))
  return { ...lockfile, packages: Object.fromEntries(sorted) }
}

/** What stands in this very folder is still found by its path. */
const withoutRegistry = (entry) => isAddress(entry.resolved) ? { ...entry, resolved: undefined } : entry

const isAddress = (resolved = "") => /^https?:/.test(resolved)

const problemsOf = (path, lockfile) => [
  ...findMissing(lockfile).map(({ name }) => `${path}  has no entry for ${name}, and npm ci wants one`),
  ...Object.entries(lockfile.packages)
    .filter(([, { resolved }]) => isAddress(resolved))
    .map(([name]) => `${path}  says where ${name} came from`)
]

const readLock = (path) => JSON.parse(readFileSync(join(root, path), "utf8"))

if (process.argv.includes("--fix")) {
  for (const path of paths) writeFileSync(join(root, path), `${JSON.stringify(mended(readLock(path)), null, 2)}\n`)
}
const problems = paths.flatMap((path) => problemsOf(path, readLock(path)))
for (const problem of problems) console.log(problem)
if (problems.length > 0) process.exitCode = 1
else console.log(`${paths.map((path) => Object.keys(readLock(path).packages).length).join(" + ")} packages`)
