/**
 * House rules that no compiler knows: lengths, words, docstrings, names. For everybody who changes something.
 * `node scripts/tidy.ts --fix` writes down what has become shorter.
 */
import { basename, posix } from "node:path"
import { entries } from "./entries.ts"
import { isShort, tighten } from "./lengths.ts"
import { type Problem, report } from "./problems.ts"
import { files, importsOf, lineOf, type Module, parse, read, type Source } from "./sources.ts"
import { isSpokenWell } from "./words.ts"

type Rule<S extends Source> = (source: S) => ReadonlyArray<Problem>

// ── What is said

const opensWithItsPurpose: Rule<Source> = ({ path, text }) =>
  /^(#!.*\n)?(\/\*\*|\/\/)/.test(text)
    ? []
    : [{ path, line: 1, message: "begin with a comment: what is this, for whom?" }]

/** A name needs one docstring, though it may stand for several things: a schema and its type, or overloads. */
const isDocumented: Rule<Module> = (module) => {
  const documented = new Set<string>()
  return module.program.body.flatMap((statement) => {
    if (statement.type !== "ExportNamedDeclaration") return []
    const names = namesOf(statement)
    if (hasDocstring(module, statement.start)) { for (const name of names) documented.add(name) }
    const line = lineOf(module, statement.start)
    return names
      .filter((name) => !documented.has(name))
      .map((name) => ({ path: module.path, line, message: `\`${name}\` is exported without a docstring` }))
  })
}

type Export = Extract<Module["program"]["body"][number], { readonly type: "ExportNamedDeclaration" }>

/** What is exported where it is declared; a re-export has its docstring there. */
const namesOf = ({ declaration }: Export): ReadonlyArray<string> => {
  if (declaration === null) return []
  const ids = declaration.type === "VariableDeclaration"
    ? declaration.declarations.map(({ id }) => id)
    : [declaration.id]
  return ids.flatMap((id) => id?.type === "Identifier" ? [id.name] : [])
}

const hasDocstring = ({ comments, text }: Module, start: number): boolean => {
  const comment = comments.findLast(({ end }) => end <= start)
  if (comment === undefined || !comment.value.startsWith("*")) return false
  return text.slice(comment.end, start).trim() === ""
}

const hasOneTitle: Rule<Source> = ({ path, text }) => {
  const titles = text.replaceAll(/^(`{3,})[^`]*?^\1/gms, "").match(/^# /gm) ?? []
  return titles.length === 1 ? [] : [{ path, message: `has ${titles.length} titles (\`# …\`); a document has one` }]
}

// ── How files are named, and who needs them

const isNamedWell: Rule<Source> = ({ path }) => {
  const name = basename(path, ".ts")
  if (name === "index" || path.startsWith("src/cli/")) return []
  const isInternal = path.startsWith("src/internal/")
  if ((isInternal ? /^[a-z][A-Za-z0-9]*$/ : /^[A-Z][A-Za-z0-9]*$/).test(name)) return []
  return [{ path, message: `is named otherwise than its neighbours: ${isInternal ? "camelCase" : "PascalCase"}` }]
}

/** What users import or start by its name. */
const doors = [...entries().map(({ source }) => source), "src/cli/varve.ts"]

const isImportedIn = (modules: ReadonlyArray<Module>): Rule<Source> => {
  const targets = modules.flatMap((module) => importsOf(module).map(({ specifier }) => fileOf(module, specifier)))
  const needed = new Set([...targets, ...doors])
  return ({ path }) => needed.has(path) ? [] : [{ path, message: "is imported by nobody: use it, or delete it" }]
}

const fileOf = ({ path }: Source, specifier: string): string => posix.join(posix.dirname(path), specifier)

// ── All of it

const apply = <S extends Source>(sources: ReadonlyArray<S>, ...rules: ReadonlyArray<Rule<S>>): ReadonlyArray<Problem> =>
  sources.flatMap((source) => rules.flatMap((rule) => rule(source)))

const matching = <S extends Source>(sources: ReadonlyArray<S>, path: RegExp): ReadonlyArray<S> =>
  sources.filter((source) => path.test(source.path))

const modules = files("ts").map((path) => parse(read(path)))
const documents = files("md").map(read)

if (process.argv.includes("--fix")) tighten(modules)
report([
  ...apply(matching(modules, /^(src|scripts)\//), isShort, opensWithItsPurpose),
  ...apply(matching(modules, /^src\//), isSpokenWell, isNamedWell, isImportedIn(modules)),
  ...apply(matching(modules, /^src\/((?!internal|cli)\w+\/)?\w+\.ts$/), isDocumented),
  ...apply(documents, hasOneTitle)
], `${modules.length} modules, ${documents.length} documents`)
