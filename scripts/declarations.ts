/**
 * What each entry of the package exports, from its declarations, for `api.ts`: they say what the compiler made of the
 * sources, inferred types included.
 */
import { mkdtempSync, readFileSync, rmSync } from "node:fs"
import { join, posix, relative } from "node:path"
import { compile } from "./build.ts"
import { entries, type Entry } from "./entries.ts"
import { type Module, parse, read, root, type Source } from "./sources.ts"

/** What may be exported, as far as documentation treats it differently. */
export type Kind = "function" | "layer" | "service" | "error" | "value" | "type"

export interface Export {
  readonly name: string
  readonly kind: Kind
  /** As TypeScript, without the comments in it; an overloaded function has several. */
  readonly signatures: Array<string>
  /** What stands above the declaration, without its stars; empty if there is nothing. */
  readonly docstring: string
}

/** What another module exports, and this one too. */
export interface Again {
  readonly names: ReadonlyArray<string>
  /** As it is written: `./Decision.ts`. */
  readonly from: string
}

export interface Face extends Entry {
  /** What the module says of itself. */
  readonly docstring: string
  readonly exports: ReadonlyArray<Export>
  readonly again: ReadonlyArray<Again>
}

/** Nobody can import these, but they are what an aggregate's clients and behaviour are made of. */
const behind: Entry = { specifier: "The types behind varve/Aggregate", source: "src/internal/types.ts" }

/** The faces of all entries, in the order of package.json, and what stands behind them. */
export const faces = (): ReadonlyArray<Face> => {
  const folder = mkdtempSync(join(root, "node_modules/.cache-api-"))
  try {
    compile(root, relative(root, folder), "--emitDeclarationOnly", "--declarationMap", "false", "--sourceMap", "false")
    const { exports, ...rest } = faceOf(behind, folder)
    const types = exports.filter(({ kind }) => kind === "type")
    return [...entries().map((entry) => faceOf(entry, folder)), { ...rest, exports: types }]
  } finally {
    rmSync(folder, { recursive: true })
  }
}

const faceOf = (entry: Entry, folder: string): Face => {
  const [first] = parse(read(entry.source)).comments
  const docstring = first === undefined ? "" : prose(first.value)
  return { ...entry, docstring, ...exportsOf(declarationsOf(entry.source, folder), folder) }
}

const declarationsOf = (source: string, folder: string): Module => {
  const path = source.replace(/^src\/(.*)\.ts$/, "$1.d.ts")
  return parse({ path, text: readFileSync(join(folder, path), "utf8") })
}

/** What is internal has no face of its own: whoever exports it answers for it, under the name that he gives it. */
const adopted = (path: string, specifiers: Specifiers, folder: string): ReadonlyArray<Export> => {
  const { exports } = exportsOf(declarationsOf(`src/${path}`, folder), folder)
  return specifiers.map(({ exported, local }) => {
    const found = exports.find(({ name }) => name === nameIn(local))
    if (found === undefined) throw new Error(`${path} has no declaration of ${nameIn(local)}`)
    const renamed = new RegExp(`\\b${found.name}\\b`, "g")
    const signatures = found.signatures.map((signature) => signature.replaceAll(renamed, nameIn(exported)))
    return { ...found, name: nameIn(exported), signatures }
  })
}

type Statement = Module["program"]["body"][number]
type Declaration = NonNullable<Extract<Statement, { readonly type: "ExportNamedDeclaration" }>["declaration"]>
type Variables = Extract<Declaration, { readonly type: "VariableDeclaration" }>

type Specifiers = Extract<Statement, { readonly type: "ExportNamedDeclaration" }>["specifiers"]

const nameIn = (node: Specifiers[number]["local"]): string => node.type === "Literal" ? node.value : node.name

const exportsOf = (module: Module, folder: string): Pick<Face, "exports" | "again"> => {
  const exports = new Map<string, Export>()
  const again: Array<Again> = []
  const bases = basesIn(module)
  for (const statement of module.program.body) {
    if (statement.type === "ExportAllDeclaration") {
      again.push({
        names: [statement.exported === null ? "*" : textOf(module, statement.exported)],
        from: from(statement)
      })
    }
    if (statement.type !== "ExportNamedDeclaration") continue
    const { declaration, source, specifiers, start } = statement
    if (declaration === null) {
      const names = specifiers.map(({ exported }) => nameIn(exported))
      const whence = source === null ? origin(module, names) : source.value
      const path = posix.join(posix.dirname(module.path), whence)
      if (path.startsWith("internal/")) {
        for (const found of adopted(path, specifiers, folder)) add(exports, found)
      } else if (names.length > 0) again.push({ names, from: whence })
    } else {
      for (const found of declared(module, declaration, bases, docstringAt(module, start))) add(exports, found)
    }
  }
  return { exports: withNeighbours(module, [...exports.values()]), again }
}

/** A type that is not exported is shown where it is first needed: else nobody could tell what takes it. */
const withNeighbours = (module: Module, exports: ReadonlyArray<Export>): ReadonlyArray<Export> => {
  const types = new Map(
    module.program.body.flatMap((statement) =>
      statement.type === "TSTypeAliasDeclaration" || statement.type === "TSInterfaceDeclaration"
        ? [[statement.id.name, textOf(module, statement).replace(/^declare /, "")]]
        : []
    )
  )
  return exports.map((found) => {
    const neighbours = [...types].filter(([name]) =>
      found.signatures.some((signature) => new RegExp(`\\b${name}\\b`).test(signature))
    )
    for (const [name] of neighbours) types.delete(name)
    return { ...found, signatures: [...found.signatures, ...neighbours.map(([, text]) => text)] }
  })
}

/** Overloads, and a schema and its type, are one export with several signatures. */
const add = (exports: Map<string, Export>, found: Export): void => {
  const known = exports.get(found.name)
  if (known === undefined) exports.set(found.name, found)
  else exports.set(found.name, { ...known, signatures: [...known.signatures, ...found.signatures] })
}

const from = ({ source }: { readonly source: { readonly value: string } | null }): string => source?.value ?? ""

/** Where what is exported without a declaration was imported from. */
const origin = ({ program }: Module, [name = ""]: ReadonlyArray<string>): string => {
  for (const statement of program.body) {
    if (statement.type !== "ImportDeclaration") continue
    if (statement.specifiers.some(({ local }) => local.name === name)) return from(statement)
  }
  return ""
}

// ── One declaration

/** What a class extends if the compiler had to give that a name: `X_base`. */
const basesIn = (module: Module): ReadonlyMap<string, string> => {
  const variables = module.program.body.flatMap((statement) =>
    statement.type === "VariableDeclaration" ? statement.declarations : []
  )
  return new Map(variables.map(({ id }) => [nameOf(module, id), typeOf(module, id)]))
}

const nameOf = (module: Module, id: Variables["declarations"][number]["id"]): string =>
  id.type === "Identifier" ? id.name : textOf(module, id)

const typeOf = (module: Module, id: Variables["declarations"][number]["id"]): string =>
  id.typeAnnotation == null ? "unknown" : textOf(module, id.typeAnnotation.typeAnnotation)

const declared = (
  module: Module,
  declaration: Declaration,
  bases: ReadonlyMap<string, string>,
  docstring: string
): ReadonlyArray<Export> => {
  const one = (name: string, kind: Kind, signature: string) => [{ name, kind, signatures: [signature], docstring }]
  const text = textOf(module, declaration).replace(/^declare /, "")
  switch (declaration.type) {
    case "VariableDeclaration":
      return declaration.declarations.flatMap((declarator) => {
        const { id } = declarator
        return one(nameOf(module, id), kindOf(id, typeOf(module, id)), `declare const ${textOf(module, declarator)}`)
      })
    case "FunctionDeclaration":
    case "TSDeclareFunction":
      return one(declaration.id?.name ?? "", "function", `declare ${text}`)
    case "ClassDeclaration": {
      const base = declaration.superClass == null ? "" : textOf(module, declaration.superClass)
      const parent = bases.get(base) ?? base
      const kind = parent.includes("YieldableError") ? "error" : parent.includes("ServiceClass") ? "service" : "value"
      return one(declaration.id?.name ?? "", kind, `declare ${text.replace(base, () => parent)}`)
    }
    case "TSInterfaceDeclaration":
    case "TSTypeAliasDeclaration":
      return one(declaration.id.name, "type", text)
    default:
      throw new Error(`${module.path}: an export of a kind that scripts/declarations.ts does not know: ${text}`)
  }
}

/** What can be called, what can be provided, what can only be read. */
const kindOf = (id: Variables["declarations"][number]["id"], type: string): Kind => {
  const annotation = id.typeAnnotation?.typeAnnotation
  if (annotation?.type === "TSFunctionType" || annotation?.type === "TSTypeQuery") return "function"
  if (annotation?.type === "TSTypeLiteral" && annotation.members[0]?.type === "TSCallSignatureDeclaration") {
    return "function"
  }
  return /^(Layer\.Layer|Effect\.Effect|Config\.Config)</.test(type) ? "layer" : "value"
}

// ── Texts

/** Without the comments in it: what members mean stands in the source, and here is how they fit together. */
const textOf = (
  { comments, text }: Module,
  { end, start }: { readonly start: number; readonly end: number }
): string => {
  let found = ""
  let at = start
  for (const comment of comments) {
    if (comment.start < start || comment.end > end) continue
    found += text.slice(at, comment.start).trimEnd()
    at = comment.end
  }
  return (found + text.slice(at, end)).replace(/;$/, "")
}

const docstringAt = ({ comments, text }: Module & Source, start: number): string => {
  const comment = comments.findLast(({ end }) => end <= start)
  if (comment === undefined || !comment.value.startsWith("*")) return ""
  return text.slice(comment.end, start).trim() === "" ? prose(comment.value) : ""
}

const prose = (comment: string): string => comment.replace(/^\*/, "").replaceAll(/^ *\* ?/gm, "").trim()
