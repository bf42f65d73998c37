/**
 * The files of this repository and what stands in them, for the checks beside this module.
 *
 * Parsed by oxc: a check that reads a syntax tree is not fooled by a comment or a string that looks like code.
 */
import { spawnSync } from "node:child_process"
import { globSync, readFileSync, statSync } from "node:fs"
import { extname, join } from "node:path"
import { type Comment, type ParseResult, parseSync, Visitor } from "oxc-parser"

export const root = join(import.meta.dirname, "..")

/** A file with its text; `path` is relative to the root, with slashes. */
export interface Source {
  readonly path: string
  readonly text: string
}

/** A source that is a module, parsed. */
export interface Module extends Source {
  readonly program: ParseResult["program"]
  readonly comments: ReadonlyArray<Comment>
}

/** The paths of all files that belong to the repository, or of those with one of these extensions, in order. */
export const files = (...extensions: ReadonlyArray<string>): ReadonlyArray<string> =>
  listed()
    .filter((path) => extensions.length === 0 || extensions.includes(extname(path).slice(1)))
    .filter((path) => statSync(join(root, path), { throwIfNoEntry: false })?.isFile())
    .toSorted()

/** What git knows and what it would take in; without git (an unpacked archive), what does not look generated. */
const listed = (): ReadonlyArray<string> => {
  const git = spawnSync("git", ["ls-files", "-z", "--cached", "--others", "--exclude-standard"], {
    cwd: root,
    encoding: "utf8"
  })
  if (git.status === 0) return git.stdout.split("\0")
  const generated = new Set(["node_modules", ".git", "dist", "data", "coverage"])
  return globSync(["**/*", ".*"], { cwd: root, exclude: (path) => generated.has(path) })
    .map((path) => path.replaceAll("\\", "/"))
}

export const read = (path: string): Source => ({ path, text: readFileSync(join(root, path), "utf8") })

export const parse = (source: Source): Module => {
  const { comments, errors, program } = parseSync(source.path, source.text)
  const [error] = errors
  if (error !== undefined) throw new SyntaxError(`${source.path}: ${error.message}`)
  return { ...source, comments, program }
}

/** The line, counted from 1, that an offset is on. */
export const lineOf = ({ text }: Source, offset: number): number => text.slice(0, offset).split("\n").length

/** What a module names after `from` and in `import(…)`, types included. */
export interface Import {
  readonly specifier: string
  readonly line: number
}

export const importsOf = (module: Module): ReadonlyArray<Import> => {
  const imports: Array<Import> = []
  const add = (node: { readonly source: { readonly start: number } | null }) => {
    if (node.source === null || !("value" in node.source)) return
    imports.push({ specifier: String(node.source.value), line: lineOf(module, node.source.start) })
  }
  new Visitor({
    ExportAllDeclaration: add,
    ExportNamedDeclaration: add,
    ImportDeclaration: add,
    ImportExpression: add,
    TSImportType: add
  }).visit(module.program)
  return imports
}
