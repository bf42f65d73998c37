/**
 * What examples claim with `// =>`, made into assertions; for `docs.ts`. Lines stay where they are:
 *
 * `total(cart) // => 3` becomes `$claim(await (total(cart)) as unknown, (3)) // => 3`.
 */
import { type Comment, Visitor } from "oxc-parser"
import { lineOf, type Module } from "./sources.ts"

export interface Asserted {
  readonly text: string
  /** The lines of claims that are about nothing. */
  readonly unfounded: ReadonlyArray<number>
}

/** Something that a claim can be about: an expression that is a statement, or a constant. */
interface Subject {
  readonly start: number
  readonly end: number
  readonly constant?: string
  readonly canAwait: boolean
}

interface Insertion {
  readonly at: number
  readonly text: string
}

export const assertClaims = (module: Module): Asserted => {
  const subjects = subjectsIn(module)
  const insertions: Array<Insertion> = []
  const unfounded: Array<number> = []
  for (const comment of module.comments.filter(isClaim)) {
    const subject = subjects.find(({ end }) => isRightBefore(module, end, comment))
    if (subject === undefined) unfounded.push(lineOf(module, comment.start))
    else insertions.push(...assertion(subject, comment.value.replace("=>", "").trim()))
  }
  const text = insertAll(module.text, insertions)
  return { text: insertions.length === 0 ? text : text + importOfClaim, unfounded }
}

/** At the end, where it moves no line. */
const importOfClaim = `\nimport { deepStrictEqual as $claim } from "node:assert"\n`

const isClaim = ({ type, value }: Comment): boolean => type === "Line" && value.trimStart().startsWith("=>")

const isRightBefore = ({ text }: Module, end: number, { start }: Comment): boolean =>
  end <= start && /^[ ;]*$/.test(text.slice(end, start))

/** `as unknown`, lest the compiler take the claim for granted in the lines that follow. */
const assertion = ({ canAwait, constant, end, start }: Subject, expected: string): ReadonlyArray<Insertion> => {
  const open = canAwait ? "$claim(await (" : "$claim(("
  const close = `) as unknown, (${expected}))`
  return constant === undefined
    ? [{ at: start, text: open }, { at: end, text: close }]
    : [{ at: end, text: `; ${open}${constant}${close}` }]
}

const subjectsIn = (module: Module): ReadonlyArray<Subject> => {
  const subjects: Array<Subject> = []
  const asyncs: Array<boolean> = []
  const canAwait = () => asyncs.at(-1) ?? true
  const enter = ({ async }: { readonly async: boolean }) => asyncs.push(async)
  const leave = () => asyncs.pop()
  new Visitor({
    ArrowFunctionExpression: enter,
    "ArrowFunctionExpression:exit": leave,
    FunctionDeclaration: enter,
    "FunctionDeclaration:exit": leave,
    FunctionExpression: enter,
    "FunctionExpression:exit": leave,
    ExpressionStatement: ({ expression: { end, start } }) => subjects.push({ start, end, canAwait: canAwait() }),
    VariableDeclaration: ({ declarations: [first], end, start }) => {
      if (first?.id.type === "Identifier") subjects.push({ start, end, constant: first.id.name, canAwait: canAwait() })
    }
  }).visit(module.program)
  return subjects
}

const insertAll = (text: string, insertions: ReadonlyArray<Insertion>): string =>
  insertions
    .toSorted((one, other) => other.at - one.at)
    .reduce((rest, { at, text }) => rest.slice(0, at) + text + rest.slice(at), text)
