/**
 * Derives `rule.ts` from a log of declarations, and prints it:
 *
 *     node examples/expenses/derive.ts ../shared/data/domestic-declarations.ndjson.gz > examples/expenses/rule.ts
 *
 * It learns from the first 80 % of the cases, in the order of their first lines, so that the rest can show whether
 * what it learned holds.
 */
import { readFileSync } from "node:fs"
import { gunzipSync } from "node:zlib"

interface Line {
  readonly case: string
  readonly activity: string
}

/** The steps of each case, in order; the cases in the order of their first lines. */
const casesOf = (log: string): ReadonlyArray<ReadonlyArray<string>> => {
  const cases = new Map<string, Array<string>>()
  for (const text of log.trimEnd().split("\n")) {
    const line: Line = JSON.parse(text)
    const steps = cases.get(line.case)
    if (steps === undefined) cases.set(line.case, [line.activity])
    else steps.push(line.activity)
  }
  return [...cases.values()]
}

/** Writes the rule that these cases followed. */
export const derive = (log: string): string => {
  const all = casesOf(log)
  const learned = all.slice(0, Math.floor(all.length * 0.8))
  const first = new Set<string>()
  const next = new Map<string, Set<string>>()
  for (const steps of learned) {
    steps.forEach((step, index) => {
      if (!next.has(step)) next.set(step, new Set())
      const before = steps[index - 1]
      if (before === undefined) first.add(step)
      else next.get(before)?.add(step)
    })
  }
  return [
    "/**",
    " * Which step of a declaration may follow which: data, in the words of the log. What followed once may follow.",
    " *",
    ` * Derived by \`derive.ts\` from ${count(learned.length)} cases, the first 80 % of the log's ${
      count(all.length)
    }. Do not edit.`,
    " */",
    "",
    "/** Steps that may be the first. */",
    `export const first = ${list([...first].sort(), "")}`,
    "",
    "/** Steps that may come right after a step. */",
    "export const next = {",
    [...next].sort().map(([step, steps]) => `  ${JSON.stringify(step)}: ${list([...steps].sort(), "  ")}`).join(",\n"),
    "} as const",
    ""
  ].join("\n")
}

const count = (value: number): string => value.toLocaleString("en-US")

const list = (steps: ReadonlyArray<string>, indent: string): string => {
  const items = steps.map((step) => `\n${indent}  ${JSON.stringify(step)}`).join(",")
  return `[${items}${items === "" ? "" : `\n${indent}`}]${indent === "" ? " as const" : ""}`
}

const file = process.argv[2]
if (import.meta.main && file !== undefined) process.stdout.write(derive(gunzipSync(readFileSync(file)).toString()))
