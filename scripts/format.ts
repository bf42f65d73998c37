/** The format of every source and document: `node scripts/format.ts` compares, with `--fix` it writes. */
import { writeFileSync } from "node:fs"
import { join } from "node:path"
import * as Formatter from "./formatter.ts"
import { type Problem, report } from "./problems.ts"
import { files, read, root, type Source } from "./sources.ts"

const compare = (source: Source): ReadonlyArray<Problem> => {
  const formatted = format(source)
  if (typeof formatted !== "string") return [formatted]
  if (formatted === source.text) return []
  const line = firstDifference(formatted.split("\n"), source.text.split("\n"))
  return [{ path: source.path, line, message: "is formatted differently from here on" }]
}

const firstDifference = (expected: ReadonlyArray<string>, actual: ReadonlyArray<string>): number => {
  const index = expected.findIndex((line, index) => line !== actual[index])
  return 1 + (index === -1 ? expected.length : index)
}

const fix = (source: Source): ReadonlyArray<Problem> => {
  const formatted = format(source)
  if (typeof formatted !== "string") return [formatted]
  if (formatted !== source.text) writeFileSync(join(root, source.path), formatted)
  return []
}

/** The text as it should be, or why it cannot be told. */
const format = (source: Source): string | Problem => {
  try {
    return Formatter.format(source)
  } catch (error) {
    return { path: source.path, message: String(error) }
  }
}

const sources = files("ts", "mjs", "json", "md").filter((path) => !path.endsWith("package-lock.json")).map(read)
report(sources.flatMap(process.argv.includes("--fix") ? fix : compare), `${sources.length} files`)
