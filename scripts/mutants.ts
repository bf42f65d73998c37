/**
 * `npm run mutants`: plants each bug of `test/mutants.ts` into a copy of the project, one at a time, and shows that the
 * test of the guarantee that it breaks fails. A guarantee whose test cannot fail is not tested.
 *
 * `npm run mutants -- I5` runs those of one guarantee, `npm run mutants -- src/postgres` those of a file or folder.
 */
import { spawn } from "node:child_process"
import { cpSync, existsSync, mkdtempSync, readFileSync, rmSync, symlinkSync, writeFileSync } from "node:fs"
import { availableParallelism, tmpdir } from "node:os"
import { join } from "node:path"
import { styleText } from "node:util"
import { mutants } from "../test/mutants.ts"
import type { Mutant } from "../test/mutants/mutant.ts"
import { exitOnSignals } from "./check.ts"
import { files, root } from "./sources.ts"

interface Outcome {
  readonly mutant: Mutant
  /** Why the mutant counts as alive; undefined: it was caught. */
  readonly survived: string | undefined
}

const [only] = process.argv.slice(2)
const chosen = only === undefined
  ? mutants
  : mutants.filter(({ file, guarantee }) => guarantee === only || file.startsWith(only))

const main = async () => {
  if (chosen.length === 0) {
    const known = [...new Set(mutants.map(({ guarantee }) => guarantee))].join(", ")
    console.error(`No mutant breaks "${only}". Guarantees with mutants: ${known}.`)
    return 1
  }
  const queue = [...chosen]
  const outcomes: Array<Outcome> = []
  await Promise.all(Array.from({ length: Math.min(2, availableParallelism()) }, async () => {
    const copy = makeCopy()
    try {
      for (let mutant = queue.shift(); mutant !== undefined; mutant = queue.shift()) {
        const outcome = await tryOut(mutant, copy)
        outcomes.push(outcome)
        console.log(line(outcome))
      }
    } finally {
      rmSync(copy, { recursive: true, force: true })
    }
  }))
  const alive = outcomes.filter(({ survived }) => survived !== undefined)
  console.log(`${outcomes.length - alive.length} caught, ${alive.length} alive`)
  return alive.length === 0 ? 0 : 1
}

/** A copy of the project, outside of it; the dependencies are not copied. */
const makeCopy = (): string => {
  const copy = mkdtempSync(join(tmpdir(), "varve-mutants-"))
  for (const file of files()) cpSync(join(root, file), join(copy, file))
  symlinkSync(join(root, "node_modules"), join(copy, "node_modules"))
  return copy
}

const tryOut = async (mutant: Mutant, copy: string): Promise<Outcome> => {
  const path = join(copy, mutant.file)
  const original = readFileSync(path, "utf8")
  const edits = mutant.also === undefined ? [mutant] : [mutant, mutant.also]
  if (!edits.every(({ find }) => original.split(find).length === 2)) {
    return { mutant, survived: `its text is not found exactly once in ${mutant.file}` }
  }
  const sound = await failuresOf(mutant, copy)
  if (sound === "unended") return { mutant, survived: `"${mutant.title}" does not end without it` }
  if (sound === undefined) return { mutant, survived: `no test of ${mutant.test} has a title with "${mutant.title}"` }
  if (sound.length > 0) return { mutant, survived: `"${sound[0]}" fails without it` }
  writeFileSync(path, edits.reduce((text, { find, replace }) => text.replace(find, () => replace), original))
  try {
    const failed = await failuresOf(mutant, copy)
    if (failed === "unended") return { mutant, survived: "the test neither fails nor ends" }
    const caught = failed?.some((title) => title.includes(mutant.guarantee))
    return { mutant, survived: caught === true ? undefined : "no test of the guarantee fails" }
  } finally {
    writeFileSync(path, original)
  }
}

/** The titles of the tests that fail; undefined if none ran. */
const failuresOf = async (
  { test, title }: Mutant,
  copy: string
): Promise<ReadonlyArray<string> | "unended" | undefined> => {
  const report = join(copy, "node_modules.report.json")
  const vitest = join(copy, "node_modules/vitest/vitest.mjs")
  const pattern = title.replace(/[.*+?^${}()|[\]\\]/g, "\\$&")
  const limits = ["--testTimeout=60000", "--hookTimeout=60000"]
  await run([vitest, "run", test, "-t", pattern, ...limits, "--reporter=json", `--outputFile=${report}`], copy)
  if (!existsSync(report)) return "unended"
  const { numPassedTests, numFailedTests, testResults } = JSON.parse(readFileSync(report, "utf8"))
  rmSync(report)
  if (numPassedTests + numFailedTests === 0) return undefined
  return testResults.flatMap(({ assertionResults }: { assertionResults: ReadonlyArray<Assertion> }) =>
    assertionResults.filter(({ status }) => status === "failed").map(({ fullName }) => fullName)
  )
}

interface Assertion {
  readonly fullName: string
  readonly status: string
}

/** A mutant may make a test hang, which then fails after a minute, or after as long as it says: that is less than this. */
const run = (args: ReadonlyArray<string>, cwd: string): Promise<void> =>
  new Promise((resolve) => {
    spawn(process.execPath, args, { cwd, stdio: "ignore", timeout: 400_000 }).on("exit", () => resolve())
  })

const line = ({ mutant, survived }: Outcome): string => {
  const mark = survived === undefined ? styleText("green", "caught") : styleText("red", "ALIVE ")
  const why = survived === undefined ? "" : `\n         ${survived}`
  return `${mark} ${mutant.guarantee.padEnd(4)} ${mutant.bug}${why}`
}

exitOnSignals()
process.exitCode = await main()
