/**
 * The form in which a runner has a view's documents between two events: such that a handler is given what the store will
 * have, and nothing that it does to what it was given lasts.
 *
 * Where documents are plain objects and arrays all the way down, they are frozen, and need not be made again. Those with
 * anything else in them, as dates and classes are, are kept as JSON and made anew each time.
 */
import { Result, Schema, SchemaAST } from "effect"
import { admitJson, limits } from "../Admission.ts"
import type { PureCodec } from "../Event.ts"
import { type Codec, compile, parseObject } from "./codec.ts"
import { frozen } from "./frozen.ts"

/** Each failure says in one line what is wrong. */
export interface DocumentForm {
  readonly read: (text: string) => Result.Result<unknown, string>
  /** What a handler is given, or whoever listens. */
  readonly open: (kept: unknown) => unknown
  /** What a handler has made, as it will be read back; `before` itself where it is no other one. */
  readonly keep: (document: unknown, before: unknown) => Result.Result<unknown, string>
  readonly write: (kept: unknown) => Result.Result<string, string>
}

/** How documents of a schema are kept. */
export const make = (schema: PureCodec): DocumentForm => {
  const codec = compile(schema)
  return isPlain(Schema.toType(schema).ast, new Set()) ? plain(codec) : anew(codec)
}

const plain = ({ decode, encode }: Codec): DocumentForm => ({
  read: (text) => Result.map(Result.flatMap(parseObject(text), decode), frozen),
  open: (kept) => kept,
  keep: (document, before) =>
    document === before ? Result.succeed(before) : Result.map(Result.flatMap(encode(document), decode), frozen),
  write: (kept) => Result.flatMap(encode(kept), textOf)
})

const anew = ({ decode, encode }: Codec): DocumentForm => ({
  read: (text) => Result.flatMap(parseObject(text), (data) => Result.map(decode(data), () => frozen(data))),
  open: (kept) => kept === undefined ? undefined : Result.getOrThrow(decode(kept)),
  keep: (document, before) =>
    Result.flatMap(
      encode(document),
      (data) => Result.map(decode(data), () => JSON.stringify(data) === JSON.stringify(before) ? before : frozen(data))
    ),
  write: textOf
})

const textOf = (data: unknown): Result.Result<string, string> =>
  Result.mapBoth(admitJson("the document", data, limits.documentBytesMax), {
    onFailure: ({ message }) => message,
    onSuccess: ({ text }) => text
  })

/** Whether all that is of a type can be frozen. */
const isPlain = (ast: SchemaAST.AST, seen: Set<SchemaAST.AST>): boolean => {
  if (seen.has(ast)) return true
  seen.add(ast)
  const are = (all: ReadonlyArray<SchemaAST.AST>) => all.every((each) => isPlain(each, seen))
  if (SchemaAST.isUnion(ast)) return are(ast.types)
  if (SchemaAST.isSuspend(ast)) return isPlain(ast.thunk(), seen)
  if (SchemaAST.isArrays(ast)) return are([...ast.elements, ...ast.rest])
  if (!SchemaAST.isObjects(ast)) return !SchemaAST.isDeclaration(ast)
  return are([...ast.propertySignatures, ...ast.indexSignatures].map(({ type }) => type))
}
