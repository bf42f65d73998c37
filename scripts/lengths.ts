/**
 * How long modules and functions may be; for `tidy.ts`. A ratchet: what has to be longer stands in `tidy.json` with its
 * length, and may only shrink from there.
 */
import { existsSync, readFileSync, writeFileSync } from "node:fs"
import { join } from "node:path"
import { Visitor } from "oxc-parser"
import type { Problem } from "./problems.ts"
import { lineOf, type Module, root } from "./sources.ts"

/** In lines. */
interface Lengths {
  readonly module: number
  /** Of the longest function. */
  readonly function: number
}

const limits: Lengths = { module: 400, function: 70 }

const recordPath = join(root, "scripts/tidy.json")
let record: Readonly<Record<string, Partial<Lengths>>> = existsSync(recordPath)
  ? JSON.parse(readFileSync(recordPath, "utf8"))
  : {}

export const isShort = (module: Module): ReadonlyArray<Problem> => {
  const { path } = module
  const max = { ...limits, ...record[path] }
  const problems: Array<Problem> = functionsOf(module)
    .filter(({ lines }) => lines > max.function)
    .map(({ line, lines }) => ({ path, line, message: `a function of ${lines} lines; the most is ${max.function}` }))
  const lengths = lengthsOf(module)
  if (lengths.module > max.module) {
    problems.push({ path, message: `${lengths.module} lines; the most is ${max.module}: are there two modules in it?` })
  }
  const hasShrunk = lengths.module < (record[path]?.module ?? 0) || lengths.function < (record[path]?.function ?? 0)
  if (hasShrunk) problems.push({ path, message: "has shrunk: `npm run fix` writes that down in scripts/tidy.json" })
  return problems
}

/** Writes down what has shrunk, and forgets what the limits cover or what is gone. Raises nothing. */
export const tighten = (modules: ReadonlyArray<Module>): void => {
  if (Object.keys(record).length === 0) return
  const tightened = modules.flatMap((module) => {
    const recorded = record[module.path] ?? {}
    const lengths = lengthsOf(module)
    const kept = (["module", "function"] as const)
      .map((what) => [what, Math.min(recorded[what] ?? 0, lengths[what])] as const)
      .filter(([what, lines]) => lines > limits[what])
    return kept.length === 0 ? [] : [[module.path, Object.fromEntries(kept)] as const]
  })
  record = Object.fromEntries(tightened)
  writeFileSync(recordPath, `${JSON.stringify(record, null, 2)}\n`)
}

const lengthsOf = (module: Module): Lengths => ({
  module: lineOf(module, module.text.trimEnd().length),
  function: Math.max(0, ...functionsOf(module).map(({ lines }) => lines))
})

const functionsOf = (module: Module): ReadonlyArray<{ readonly line: number; readonly lines: number }> => {
  const functions: Array<{ line: number; lines: number }> = []
  const add = ({ end, start }: { readonly start: number; readonly end: number }) => {
    const line = lineOf(module, start)
    functions.push({ line, lines: lineOf(module, end) - line + 1 })
  }
  new Visitor({ ArrowFunctionExpression: add, FunctionDeclaration: add, FunctionExpression: add }).visit(module.program)
  return functions
}
