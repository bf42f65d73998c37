/**
 * The house format, by dprint, for `format.ts` and for what writes files. Its plugins are WebAssembly, so there is
 * nothing native to install.
 */
import { createContext } from "@dprint/formatter"
import * as json from "@dprint/json"
import * as markdown from "@dprint/markdown"
import * as typescript from "@dprint/typescript"
import { readFileSync } from "node:fs"
import type { Source } from "./sources.ts"

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

/**
 * The text as it should be. Where a line has to be broken, the formatter may see only in a second round what that does
 * to its neighbours. Throws if the text does not parse.
 */
export const format = ({ path, text }: Source, roundsMax = 5): string => {
  const formatted = formatter.formatText({ filePath: path, fileText: text })
  return formatted === text || roundsMax === 1 ? formatted : format({ path, text: formatted }, roundsMax - 1)
}
