/**
 * The package as its users will get it: packed, and looked at from outside. For whoever changes package.json, adds a
 * module, or imports something large.
 *
 * - publint: what package.json names is there, and is what it says
 * - attw: each entry resolves to declarations that fit its JavaScript, for Node's ES modules and for bundlers
 * - doors: every module of `src/index.ts` is an entry; nothing internal is, and nothing is packed that is none of Varve
 * - sizes: what a bundle grows by, in `size.json`, where an increase has to be written down by hand
 */
import { checkPackage, createPackageFromTarballData, type Problem as Wrong } from "@arethetypeswrong/core"
import { mkdirSync, mkdtempSync, readFileSync, rmSync } from "node:fs"
import { join, posix } from "node:path"
import { gzipSync } from "node:zlib"
import { publint } from "publint"
import { formatMessage } from "publint/utils"
import { rolldown } from "rolldown"
import { entries, manifest, sourceExports } from "./entries.ts"
import { type Problem, report } from "./problems.ts"
import { files, importsOf, parse, read, root } from "./sources.ts"
import { pack, type Tarball } from "./tarball.ts"

const main = async () => {
  const cache = join(root, "node_modules/.cache")
  mkdirSync(cache, { recursive: true })
  const folder = mkdtempSync(join(cache, "package-"))
  try {
    const tarball = pack(folder)
    const problems = await Promise.all([lint(tarball), resolve(tarball), measure(tarball)])
    report([...problems.flat(), ...doors(tarball)], summary(tarball))
  } finally {
    rmSync(folder, { recursive: true })
  }
}

const summary = ({ files, path }: Tarball): string =>
  `${entries().length} entries, ${files.length} files, ${kibibytes(readFileSync(path).length)} packed`

const kibibytes = (bytes: number): string => `${(bytes / 1024).toFixed(1)} KiB`

// ── What others check

const lint = async ({ folder }: Tarball): Promise<ReadonlyArray<Problem>> => {
  const { messages, pkg } = await publint({ pkgDir: folder, pack: false, level: "suggestion", strict: true })
  return messages.map((message) => ({
    path: "package.json",
    message: `publint: ${formatMessage(message, pkg, { color: false }) ?? message.code}`
  }))
}

/** A package of ES modules only: how `require` without them, or TypeScript's old resolution, fares is none of its care. */
const foreign: ReadonlySet<string> = new Set(["node10", "node16-cjs"])

const resolve = async ({ path }: Tarball): Promise<ReadonlyArray<Problem>> => {
  const result = await checkPackage(createPackageFromTarballData(new Uint8Array(readFileSync(path))))
  if (result.types === false) return [{ path: "package.json", message: "attw: it has no types" }]
  return result.problems
    .filter((problem) => !("resolutionKind" in problem && foreign.has(problem.resolutionKind)))
    .map((problem) => ({ path: "package.json", message: `attw: ${described(problem)}` }))
}

const described = (problem: Wrong): string => {
  const where = "entrypoint" in problem ? `${problem.entrypoint} (${problem.resolutionKind})` : JSON.stringify(problem)
  return `${problem.kind}: ${where}`
}

// ── What is ours

const doors = (tarball: Tarball): ReadonlyArray<Problem> => {
  const open = new Map(entries().map(({ source, specifier }) => [specifier, source]))
  const names = importsOf(parse(read("src/index.ts"))).map(({ specifier }) => specifier.replace(/^\.\/(.*)\.ts$/, "$1"))
  const shut = names
    .filter((name) => open.get(`varve/${name}`) !== `src/${name}.ts`)
    .map((name) => ({ path: "package.json", message: `exports no varve/${name}, which src/index.ts has` }))
  const inner = [...open.values()]
    .filter((path) => path.startsWith("src/internal/"))
    .map((path) => ({ path, message: "is internal, but among the exports of package.json" }))
  const strange = tarball.files
    .filter(({ path }) =>
      !/^(package\.json|README\.md|LICENSE|src\/.*\.ts|src\/api\.md|dist\/.*\.(d\.ts|js)(\.map)?)$/.test(path)
    )
    .map(({ path }) => ({ path, message: "is packed, but none of what users need: see `files` in package.json" }))
  return [...shut, ...inner, ...crooked(), ...ajar(), ...strange]
}

/** A pattern's star also takes in folders: what is in one is nobody's unless a pattern of its own says so. */
const ajar = (): ReadonlyArray<Problem> => {
  const patterns = Object.entries(sourceExports).flatMap(([subpath, target]) =>
    subpath.endsWith("/*") ? [{ folder: `src/${subpath.slice("./".length, -1)}`, isShut: target === null }] : []
  )
  const folders = new Set(files("ts").map((path) => `${posix.dirname(path)}/`))
  return patterns.filter(({ isShut }) => !isShut).flatMap(({ folder }) =>
    [...folders]
      .filter((below) => below !== folder && below.startsWith(folder))
      .filter((below) => !patterns.some((pattern) => pattern.isShut && below.startsWith(pattern.folder)))
      .map((path) => ({
        path,
        message: `is open by the pattern of ${folder}: shut it among the exports of package.json`
      }))
  )
}

/** Behind one door stands one module: its source here, its build and its declarations for users. */
const crooked = (): ReadonlyArray<Problem> =>
  Object.entries(manifest.exports).flatMap(([subpath, target]) => {
    if (target === null || typeof target === "string") return []
    const path = /^\.\/src\/(.*)\.ts$/.exec(target["varve-source"] ?? "")?.[1]
    const expected = { "varve-source": `./src/${path}.ts`, types: `./dist/${path}.d.ts`, default: `./dist/${path}.js` }
    if (JSON.stringify(target) === JSON.stringify(expected)) return []
    return [{
      path: "package.json",
      message: `exports["${subpath}"] is not one module's source, declarations and build`
    }]
  })

// ── Sizes

/** A bundle, and the most that it may have after minification and gzip. */
interface Size {
  readonly name: string
  readonly code: string
  readonly gzipBytesMax: number
}

const sizes: ReadonlyArray<Size> = JSON.parse(read("scripts/size.json").text)

const measure = async (tarball: Tarball): Promise<ReadonlyArray<Problem>> => {
  const problems: Array<Problem> = []
  for (const { code, gzipBytesMax, name } of sizes) {
    const bytes = gzipSync(await bundle(tarball, code), { level: 9 }).length
    if (process.argv.includes("--sizes")) console.log(`${name}: ${bytes} bytes (${gzipBytesMax} allowed)`)
    const message = `${name} is ${bytes} bytes after gzip; ${gzipBytesMax} are allowed`
    if (bytes > gzipBytesMax) problems.push({ path: "scripts/size.json", message })
  }
  return problems
}

/** As an application has it: what it imports of Varve, minified, without what it does not use. */
const bundle = async ({ folder }: Tarball, code: string): Promise<string> => {
  const entry = join(folder, "entry.js")
  const build = await rolldown({
    input: entry,
    platform: "node",
    external: (id) => id.startsWith("node:") || dependencies.some((name) => id === name || id.startsWith(`${name}/`)),
    plugins: [{
      name: "entry",
      load: (id) => id === entry ? code : null,
      // The package sees itself by its own exports.
      resolveId: (id) => id === entry ? entry : null
    }]
  })
  const { output: [chunk] } = await build.generate({ minify: true })
  await build.close()
  return chunk.code
}

const dependencies = Object.keys({ ...manifest.dependencies, ...manifest.peerDependencies })

await main()
