/**
 * The examples in README.md and in docstrings, typechecked and run: every fenced `ts` block. For whoever writes one:
 *
 * - It imports what a user would: `effect`, `varve/Event`, `varve/memory/Memory` …; and files beside its document.
 * - `expression // => value` claims that the two are deeply equal; outside of functions the expression is awaited.
 * - It stands for itself, unless its first line is `// continued`: then it goes on where the block before it ended.
 * - A fence that says `ts no-run` is typechecked only.
 *
 * The blocks become files under node_modules/.cache/docs, each on the lines that it has in its document: the line of an
 * error is the line to mend.
 */
import { spawnSync } from "node:child_process"
import { existsSync, mkdirSync, rmSync, symlinkSync, writeFileSync } from "node:fs"
import { stripTypeScriptTypes } from "node:module"
import { dirname, join, relative } from "node:path"
import { pathToFileURL } from "node:url"
import { assertClaims, type Asserted } from "./claims.ts"
import { sourceExports } from "./entries.ts"
import { report } from "./problems.ts"
import { files, lineOf, parse, read, root, type Source } from "./sources.ts"

/** A fenced block; `line` is that of its first line of code. */
interface Block {
  readonly path: string
  readonly line: number
  readonly code: string
  readonly runs: boolean
}

/** A block and those that continue it: one program. */
interface Example {
  readonly name: string
  readonly path: string
  readonly line: number
  readonly blocks: Array<Block>
}

interface Failure {
  readonly example: Example
  readonly line: number
  readonly message: string
}

const main = async () => {
  const documents = existsSync(join(root, "README.md")) ? [read("README.md")] : []
  const modules = files("ts").filter((path) => path.startsWith("src/")).map(read)
  const blocks = [...documents.flatMap((document) => blocksIn(document)), ...modules.flatMap(blocksInDocstrings)]
  const examples = examplesOf(blocks)
  makeFolder()
  process.chdir(workFolder) // where examples leave their files
  const failures = examples.flatMap(write)
  if (examples.length > 0) failures.push(...typecheck(examples))
  for (const example of examples) {
    if (!failures.some((failure) => failure.example === example)) failures.push(...await run(example))
  }
  report(failures.map(({ example, ...failure }) => ({ path: example.path, ...failure })), `${examples.length} examples`)
  rmSync(folder, { recursive: true })
  process.exit() // whatever an example left running
}

// ── Finding them

const blocksIn = ({ path, text }: Source, firstLine = 1): ReadonlyArray<Block> =>
  Array.from(text.matchAll(/^ *```ts( no-run)?\n(.*?)^ *``` *$/gms), ({ index, 1: noRun, 2: code = "" }) => ({
    path,
    line: firstLine + text.slice(0, index).split("\n").length,
    code,
    runs: noRun === undefined
  }))

const blocksInDocstrings = (source: Source): ReadonlyArray<Block> =>
  parse(source).comments
    .filter(({ type, value }) => type === "Block" && value.startsWith("*"))
    .flatMap(({ start, value }) => {
      const prose = value.replaceAll(/^ *\* ?/gm, "")
      return blocksIn({ path: source.path, text: prose }, lineOf(source, start))
    })

const examplesOf = (blocks: ReadonlyArray<Block>): ReadonlyArray<Example> => {
  const examples: Array<Example> = []
  for (const block of blocks) {
    const { code, line, path } = block
    const last = examples.at(-1)
    if (last?.path === path && code.startsWith("// continued")) last.blocks.push(block)
    else examples.push({ name: `${path.replaceAll("/", "-")}-${line}`, path, line, blocks: [block] })
  }
  return examples
}

// ── Writing them down

/** One for each run, since two may run at once. */
const folder = join(root, "node_modules/.cache/docs", String(process.pid))
const workFolder = join(folder, "work")

/** It sees Varve as a user's project does: as a package among its modules, through the same doors, but not built. */
const makeFolder = (): void => {
  const varve = join(folder, "node_modules/varve")
  mkdirSync(workFolder, { recursive: true })
  mkdirSync(varve, { recursive: true })
  writeFileSync(join(varve, "package.json"), JSON.stringify({ name: "varve", type: "module", exports: sourceExports }))
  symlinkSync(join(root, "src"), join(varve, "src"), "junction")
  const compilerOptions = { incremental: false, noUnusedLocals: false, noUnusedParameters: false }
  const config = { extends: join(root, "tsconfig.json"), compilerOptions, include: ["*.ts"], exclude: [] }
  writeFileSync(join(folder, "tsconfig.json"), JSON.stringify(config))
}

/** Blocks on their own lines, as one program whose claims are assertions, and whose "./…" begins at the document. */
const programOf = ({ name, path }: Example, blocks: ReadonlyArray<Block>): Asserted => {
  let text = ""
  for (const { code, line } of blocks) text += "\n".repeat(line - text.split("\n").length) + code
  text = text.replaceAll(/^(.* from |import )"(?=\.)/gm, `$1"${relative(folder, join(root, dirname(path)))}/`)
  try {
    return assertClaims(parse({ path: `${name}.ts`, text }))
  } catch {
    return { text, unfounded: [] } // it does not parse, and the compiler says where
  }
}

const write = (example: Example): ReadonlyArray<Failure> => {
  const { text, unfounded } = programOf(example, example.blocks)
  writeFileSync(join(folder, `${example.name}.ts`), text)
  return unfounded.map((line) => ({ example, line, message: "`// =>` follows no expression" }))
}

// ── Typechecking them, all at once

const typecheck = (examples: ReadonlyArray<Example>): ReadonlyArray<Failure> => {
  const args = [join(root, "scripts/types.ts"), join(folder, "tsconfig.json")]
  const { status, stderr, stdout } = spawnSync(process.execPath, args, { encoding: "utf8" })
  const errors = [...stdout.matchAll(/^(.*)\.ts\((\d+),\d+\): (.*(?:\n .*)*)/gm)]
  if (status !== 0 && errors.length === 0) throw new Error(`The compiler failed: ${stdout}${stderr}`)
  return errors.flatMap(([, path = "", line, message = ""]) => {
    const example = examples.find(({ name }) => path.endsWith(`/${name}`))
    return example === undefined ? [] : [{ example, line: Number(line), message }] // others are of the step `types`
  })
}

// ── Running them, one after the other

const runMillisMax = 10_000

const run = async (example: Example): Promise<ReadonlyArray<Failure>> => {
  const { text } = programOf(example, example.blocks.filter(({ runs }) => runs))
  const path = join(folder, `${example.name}.mjs`)
  writeFileSync(path, stripTypeScriptTypes(text))
  try {
    await finish(pathToFileURL(path))
    return []
  } catch (error) {
    const stack = error instanceof Error ? error.stack : undefined
    const line = stack?.split(`${example.name}.mjs:`)[1]
    return [{ example, line: line === undefined ? example.line : Number.parseInt(line), message: String(error) }]
  }
}

/** Until the program ends, fails, fails in the background, or takes too long. */
const finish = async ({ href }: URL): Promise<void> => {
  const end = Promise.withResolvers<void>()
  const tooLong = new Error(`still runs after ${runMillisMax} ms; is it one for \`ts no-run\`?`)
  const timer = setTimeout(() => end.reject(tooLong), runMillisMax)
  process.on("uncaughtException", end.reject)
  import(href).then(() => end.resolve(), end.reject)
  try {
    await end.promise
  } finally {
    process.off("uncaughtException", end.reject)
    clearTimeout(timer)
  }
}

await main()
