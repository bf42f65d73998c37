/**
 * The format of every source and document, by dprint: `node scripts/format.ts` compares, with `--fix` it writes.
 * Its plugins are WebAssembly, so there is nothing native to install.
 */
import { createContext } from "@dprint/formatter"
import * as json from "@dprint/json"
import * as markdown from "@dprint/markdown"
import * as typescript from "@dprint/typescript"
import { readFileSync, writeFileSync } from "node:fs"
import { join } from "node:path"
import { type Problem, report } from "./problems.ts"
import { files, read, root, type Source } from "./sources.ts"

const formatter = createContext({ indentWidth: 2, lineWidth: 120, newLineKind: "lf" })
formatter.addPlugin(readFileSync(typescript.getPath()), {
  semiColons: "asi",
  quoteStyle: "alwaysDouble",
  trailingCommas: "never",
  operatorPosition: "maintain",
  "arrowFunction.useParentheses": "force"
})
formatter.addPlugin(readFileSync(json.getPath()))
formatter.addPlugin(readFileSync(markdown.getPath()), { textWrap: "maintain" })

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
const format = ({ path, text }: Source): string | Problem => {
  try {
    return formatUntilStable(path, text, 5)
  } catch (error) {
    return { path, message: String(error) }
  }
}

/** Where a line has to be broken, the formatter may see only in a second round what that does to its neighbours. */
const formatUntilStable = (path: string, text: string, roundsMax: number): string => {
  const formatted = formatter.formatText({ filePath: path, fileText: text })
  return formatted === text || roundsMax === 1 ? formatted : formatUntilStable(path, formatted, roundsMax - 1)
}

const sources = files("ts", "mjs", "json", "md").filter((path) => path !== "package-lock.json").map(read)
report(sources.flatMap(process.argv.includes("--fix") ? fix : compare), `${sources.length} files`)
