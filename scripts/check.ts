/**
 * The gate: what must hold before a change is done, the same here and in CI. `npm run check`; `npm run fix` first writes
 * what can be written. While working, run the one step that matters by its command from the list below.
 */
import { type ChildProcess, spawn } from "node:child_process"
import { subscribe } from "node:diagnostics_channel"
import { constants } from "node:os"
import { styleText } from "node:util"
import { root } from "./sources.ts"

type Command = ReadonlyArray<string>

interface Step {
  readonly name: string
  readonly command: Command
  /** What to do if it fails. */
  readonly next: string
}

export interface Outcome {
  readonly name: string
  readonly passed: boolean
}

const node = (...args: ReadonlyArray<string>): Command => [
  process.execPath,
  "--disable-warning=ExperimentalWarning",
  ...args
]
const knip = node("node_modules/knip/bin/knip.js")
const oxlint = node(
  "node_modules/oxlint/bin/oxlint",
  "--format=unix",
  "--deny-warnings",
  "--report-unused-disable-directives"
)

/** The slow ones first, since two run at a time. */
const steps: ReadonlyArray<Step> = [
  { name: "types", command: node("scripts/types.ts"), next: "mend the types; Effect's own rules end in their name" },
  { name: "docs", command: node("scripts/docs.ts"), next: "mend the example; scripts/docs.ts says what one may be" },
  { name: "package", command: node("scripts/package.ts"), next: "mend it; scripts/package.ts says what it looks at" },
  { name: "api", command: node("scripts/api.ts"), next: "mend it; `npm run api` writes the report, to be read" },
  { name: "unused", command: knip, next: "use it, or delete it; knip.json says where use begins" },
  { name: "format", command: node("scripts/format.ts"), next: "`npm run fix` writes it" },
  { name: "tidy", command: node("scripts/tidy.ts"), next: "mend it; scripts/tidy.ts has the rules" },
  { name: "floors", command: node("scripts/floors.ts"), next: "mend it; scripts/floors.ts draws the house" },
  { name: "lint", command: oxlint, next: "`npm run fix` mends some of it; .oxlintrc.json has the rules" },
  { name: "lock", command: node("scripts/lockfile.mjs"), next: "`node scripts/lockfile.mjs --fix` adds them" }
]

/** One after the other, since they write the same files. */
const fixes: ReadonlyArray<Command> = [
  [...oxlint, "--fix"],
  node("scripts/tidy.ts", "--fix"),
  node("scripts/format.ts", "--fix")
]

/** Runs all steps, two at a time, and says how each one ends. */
export const check = async (): Promise<ReadonlyArray<Outcome>> => {
  const waiting = [...steps]
  const outcomes: Array<Outcome> = []
  const work = async () => {
    for (let step = waiting.shift(); step !== undefined; step = waiting.shift()) outcomes.push(await take(step))
  }
  await Promise.all([work(), work()])
  return outcomes
}

const take = async ({ command, name, next }: Step): Promise<Outcome> => {
  const started = performance.now()
  const { exitCode, output } = await run(command)
  const passed = exitCode === 0
  const lines = output.trimEnd().split("\n")
  const time = `${((performance.now() - started) / 1_000).toFixed(1)} s`
  const mark = passed ? styleText("green", "✓") : styleText("red", "✗")
  const [summary, details] = passed ? [lines.at(-1) ?? "", []] : ["", [...lines, `→ ${next}`]]
  console.log(`${mark} ${name.padEnd(7)} ${time.padStart(6)}  ${styleText("dim", summary)}`.trimEnd())
  for (const line of details) console.log(`    ${line}`)
  return { name, passed }
}

const run = ([program = "", ...args]: Command): Promise<{ readonly exitCode: number; readonly output: string }> =>
  new Promise((resolve, reject) => {
    const child = spawn(program, args, { cwd: root, stdio: ["ignore", "pipe", "pipe"] })
    let output = ""
    const add = (text: string) => {
      output += text
    }
    child.stdout.setEncoding("utf8").on("data", add)
    child.stderr.setEncoding("utf8").on("data", add)
    child.on("error", reject)
    child.on("close", (exitCode) => resolve({ exitCode: exitCode ?? 1, output }))
  })

/**
 * Makes this process, when it exits or a signal ends it, take along what it has started: the steps here, the workers of
 * vitest in `test.ts`. A worker in an endless loop would not even notice that it is alone.
 */
export const exitOnSignals = (): void => {
  const children = new Set<ChildProcess>()
  subscribe("child_process", (message) => children.add((message as { readonly process: ChildProcess }).process))
  process.on("exit", () => {
    for (const child of children) child.kill("SIGKILL")
  })
  for (const signal of ["SIGINT", "SIGTERM", "SIGHUP"] as const) {
    process.on(signal, () => process.exit(128 + constants.signals[signal]))
  }
}

if (import.meta.main) {
  exitOnSignals()
  if (process.argv.includes("--fix")) { for (const fix of fixes) await run(fix) }
  const outcomes = await check()
  process.exitCode = outcomes.every(({ passed }) => passed) ? 0 : 1
}
