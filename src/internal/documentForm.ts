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
  if (!every(Schema.toType(schema).ast, (ast) => !SchemaAST.isDeclaration(ast))) return anew(codec)
  return plain(codec, every(Schema.toCodecJson(schema).ast, ({ encoding }) => encoding === undefined))
}

/** `isSame`: what is encoded is what it was, so that it need not be decoded. */
const plain = ({ decode, encode }: Codec, isSame: boolean): DocumentForm => ({
  read: (text) => Result.map(Result.flatMap(parseObject(text), decode), frozen),
  open: (kept) => kept,
  keep: (document, before) => {
    if (document === before) return Result.succeed(before)
    const data = encode(document)
    return Result.map(isSame ? data : Result.flatMap(data, decode), frozen)
  },
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

/** Whether it is so of a type and of all that it is made of. */
const every = (
  ast: SchemaAST.AST,
  is: (ast: SchemaAST.AST) => boolean,
  seen = new Set<SchemaAST.AST>()
): boolean => {
  if (seen.has(ast)) return true
  seen.add(ast)
  const are = (all: ReadonlyArray<SchemaAST.AST>) => all.every((each) => every(each, is, seen))
  if (!is(ast)) return false
  if (SchemaAST.isUnion(ast)) return are(ast.types)
  if (SchemaAST.isSuspend(ast)) return every(ast.thunk(), is, seen)
  if (SchemaAST.isArrays(ast)) return are([...ast.elements, ...ast.rest])
  if (!SchemaAST.isObjects(ast)) return true
  return are([...ast.propertySignatures, ...ast.indexSignatures].map(({ type }) => type))
}
