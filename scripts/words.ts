/**
 * The words that `src` does without, each with what to write instead; for `tidy.ts`. Most of them reach past Effect for
 * something that a test must be able to hold: the clock, chance, the console.
 */
import { type Comment, Visitor } from "oxc-parser"
import type { Problem } from "./problems.ts"
import { lineOf, type Module, type Source } from "./sources.ts"

interface Ban {
  readonly word: RegExp
  readonly instead: string
  readonly within: "code" | "comments"
  /** The one module that may. */
  readonly except?: string
}

const bans: ReadonlyArray<Ban> = [
  { word: /\bDate\.now\(/g, instead: "Effect's Clock", within: "code" },
  { word: /\bnew Date\(\)/g, instead: "Effect's Clock", within: "code" },
  { word: /\bMath\.random\b/g, instead: "Effect's Random", within: "code" },
  { word: /\bset(Timeout|Interval)\b/g, instead: "Effect.sleep, or a Schedule", within: "code" },
  { word: /\brandomUUID\b/g, instead: "SecureRandom of effect/crypto", within: "code" },
  { word: /\bconsole\./g, instead: "Effect.log, or Effect's Console", within: "code" },
  {
    word: /\bas (any|never|unknown as)\b/g,
    instead: "a type; casts hide in internal/types.ts",
    within: "code",
    except: "src/internal/types.ts"
  },
  { word: /@ts-(ignore|nocheck)\b/g, instead: "a type", within: "comments" },
  // In code no parser takes them.
  { word: /<{7} |>{7} /g, instead: "what both sides of the merge wanted", within: "comments" },
  { word: /\b(TODO|FIXME)\b/g, instead: "the work itself, or an issue", within: "comments" }
]

export const isSpokenWell = (module: Module): ReadonlyArray<Problem> => {
  const { comments, path } = module
  const texts = { code: blank(module, [...comments, ...stringsIn(module)]), comments: blank(module, codeIn(module)) }
  return bans.filter(({ except }) => except !== path).flatMap(({ instead, within, word }) =>
    Array.from(texts[within].matchAll(word), ({ 0: found, index }) => {
      return { path, line: lineOf(module, index), message: `\`${found}\` is banned: use ${instead}` }
    })
  )
}

type Span = Pick<Comment, "start" | "end">

/** The text without these spans, each line where it was. */
const blank = ({ text }: Source, spans: ReadonlyArray<Span>): string => {
  const characters = text.split("")
  for (const { end, start } of spans) {
    for (let index = start; index < end; index++) if (characters[index] !== "\n") characters[index] = " "
  }
  return characters.join("")
}

const stringsIn = (module: Module): ReadonlyArray<Span> => {
  const strings: Array<Span> = []
  new Visitor({
    Literal: (literal) => {
      if (typeof literal.value === "string") strings.push(literal)
    },
    TemplateElement: (element) => strings.push(element)
  }).visit(module.program)
  return strings
}

/** What is between the comments. */
const codeIn = ({ comments, text }: Module): ReadonlyArray<Span> =>
  [...comments, undefined].map((comment, index) => ({
    start: comments[index - 1]?.end ?? 0,
    end: comment?.start ?? text.length
  }))
