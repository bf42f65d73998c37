/**
 * The package in a project that is not this one: packed, unpacked beside its dependencies, then checked and run as a
 * user would. Only the last test asks npm to install it, and skips if the registry is out of reach.
 */
import { assert, describe, it } from "@effect/vitest"
import { execFile } from "node:child_process"
import { cpSync, mkdirSync, mkdtempSync, readFileSync, renameSync, rmSync, symlinkSync, writeFileSync } from "node:fs"
import { tmpdir } from "node:os"
import { delimiter, dirname, join } from "node:path"
import { afterAll, beforeAll } from "vitest"
import { pack, type Tarball } from "../../scripts/tarball.ts"

const root = join(import.meta.dirname, "../..")
const modules = join(root, "node_modules")
const folder = mkdtempSync(join(tmpdir(), "varve-package-"))
const project = join(folder, "project")
let tarball: Tarball

/** Nothing of this project may leak into that one, least of all the condition under which `varve/…` is a source. */
const env = {
  ...process.env,
  NODE_OPTIONS: "",
  NO_COLOR: "1",
  PATH: `${dirname(process.execPath)}${delimiter}${process.env["PATH"]}`,
  VARVE_STORE: undefined,
  VARVE_STORE_URL: undefined
}

interface Ended {
  readonly exitCode: number | string
  readonly stdout: string
  readonly stderr: string
}

const run = (cwd: string, program: string, ...args: ReadonlyArray<string>): Promise<Ended> =>
  new Promise((resolve) => {
    execFile(program, args, { cwd, env }, (error, stdout, stderr) => {
      resolve({ exitCode: error === null ? 0 : error.code ?? "killed", stdout, stderr })
    })
  })

const node = (cwd: string, ...args: ReadonlyArray<string>) => run(cwd, process.execPath, ...args)

const copyConsumer = (into: string) => {
  for (const name of ["Parcels.ts", "program.ts", "app.ts"]) {
    cpSync(join(import.meta.dirname, "consumer", name), join(into, name))
  }
}

const compilerOptions = {
  target: "ES2022",
  strict: true,
  exactOptionalPropertyTypes: true,
  noUncheckedIndexedAccess: true,
  allowImportingTsExtensions: true,
  noEmit: true,
  types: ["node"]
}

const resolutions = {
  nodenext: { module: "NodeNext", moduleResolution: "NodeNext" },
  bundler: { module: "ESNext", moduleResolution: "Bundler" }
}

/** Once with the declarations of libraries is enough for the slow compiler: they are the same files either way. */
const checks = [
  ["typescript", "nodenext", "with"],
  ["typescript", "bundler", "with"],
  ["typescript-5.9", "nodenext", "with"],
  ["typescript-5.9", "bundler", "without"]
] as const

beforeAll(() => {
  tarball = pack(folder)
  mkdirSync(join(project, "node_modules"), { recursive: true })
  renameSync(tarball.folder, join(project, "node_modules/varve"))
  for (const name of ["effect", "@effect", "vitest", "@types"]) {
    symlinkSync(join(modules, name), join(project, "node_modules", name), "junction")
  }
  copyConsumer(project)
  cpSync(join(import.meta.dirname, "consumer/suite.ts"), join(project, "suite.test.ts"))
  writeFileSync(join(project, "package.json"), JSON.stringify({ name: "consumer", private: true, type: "module" }))
  for (const [name, resolution] of Object.entries(resolutions)) {
    const config = { compilerOptions: { ...compilerOptions, ...resolution }, include: ["*.ts"] }
    writeFileSync(join(project, `tsconfig.${name}.json`), JSON.stringify(config))
  }
})

afterAll(() => rmSync(folder, { recursive: true, force: true }))

const done = { memory: "delivered", sqlite: "delivered" }
const result = ({ exitCode, stderr, stdout }: Ended) => {
  assert.deepStrictEqual({ exitCode, stderr }, { exitCode: 0, stderr: "" })
  const { events, memory, sqlite } = JSON.parse(stdout)
  assert.deepStrictEqual(events, [{ _tag: "ParcelDelivered" }])
  return { memory: memory.status, sqlite: sqlite.status }
}

describe("the packed package", () => {
  for (const [compiler, resolution, libraries] of checks) {
    it(`typechecks with ${compiler}, as ${resolution} resolves it, ${libraries} declarations of libraries`, async () => {
      const args = ["-p", `tsconfig.${resolution}.json`, "--skipLibCheck", `${libraries === "without"}`]
      const { exitCode, stdout } = await node(project, join(modules, compiler, "bin/tsc"), ...args, "--pretty", "false")
      assert.deepStrictEqual({ exitCode, stdout }, { exitCode: 0, stdout: "" })
    })
  }

  it("runs commands in memory and on SQLite, and a scenario", async () => {
    assert.deepStrictEqual(result(await node(project, "program.ts")), done)
  })

  it("brings the suites for authors of stores", async () => {
    const { exitCode, stderr, stdout } = await node(project, join(modules, "vitest/vitest.mjs"), "run")
    assert.match(stdout, /Tests +[1-9]\d+ passed \(\d+\)\n/, stderr)
    assert.strictEqual(exitCode, 0)
  })

  it("brings the command line, which takes an app from the user's project", async () => {
    const { bin, version } = JSON.parse(readFileSync(join(project, "node_modules/varve/package.json"), "utf8"))
    const cli = join(project, "node_modules/varve", bin.varve)
    assert.include((await node(project, cli, "--version")).stdout, version)
    writeFileSync(join(project, "commands.ndjson"), `{"id":"p-1"}\n{"id":"p-1"}\n{"id":"p-2"}\n`)
    const args = ["run", "--app", "app.ts", "--commands", "commands.ndjson", "--store", "memory", "--json"]
    const { exitCode, stderr, stdout } = await node(project, cli, ...args)
    assert.strictEqual(exitCode, 0, stderr)
    const { accepted, lines, rejected } = JSON.parse(stdout)
    assert.deepStrictEqual({ accepted, lines, rejected }, { accepted: 2, lines: 3, rejected: { AlreadySent: 1 } })
  })

  it("opens no door to what is internal", async () => {
    const inner = ["internal/types", "sqlite/SqliteStatements", "memory/MemoryLog", "testing/suites/Sample", "cli/Run"]
    for (const path of inner) {
      const { exitCode, stderr } = await node(project, "--input-type=module", "--eval", `import "varve/${path}"`)
      assert.include(stderr, "ERR_PACKAGE_PATH_NOT_EXPORTED")
      assert.strictEqual(exitCode, 1)
    }
  })

  it("leads from its declarations and its stack traces to sources that are in it", () => {
    const maps = tarball.files.map(({ path }) => path).filter((path) => path.endsWith(".map"))
    assert.isAbove(maps.length, 0)
    for (const path of maps) {
      const map = JSON.parse(readFileSync(join(project, "node_modules/varve", path), "utf8"))
      const sources = map.sources.map((source: string) => join(path, "..", source))
      for (const source of sources) assert.isTrue(tarball.files.some((file) => file.path === source), source)
    }
  })

  it("installs with npm beside an effect of its range, and runs from there", async ({ skip }) => {
    const installed = join(folder, "installed")
    mkdirSync(installed)
    copyConsumer(installed)
    writeFileSync(join(installed, "package.json"), JSON.stringify({ name: "consumer", private: true, type: "module" }))
    const args = ["install", "--prefer-offline", "--ignore-scripts", "--no-audit", "--no-fund", "--loglevel=error"]
    const { exitCode, stderr } = await run(installed, "npm", ...args, tarball.path, "effect@~4.1.0")
    skip(/\b(ENOTFOUND|EAI_AGAIN|ECONNREFUSED|ETIMEDOUT|ENETUNREACH)\b/.test(stderr), "npm's registry is out of reach")
    assert.strictEqual(exitCode, 0, stderr)
    assert.deepStrictEqual(result(await node(installed, "program.ts")), done)
    const { stdout } = await run(installed, join(installed, "node_modules/.bin/varve"), "--help")
    assert.include(stdout, "run")
  })
})
