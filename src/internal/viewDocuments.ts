/**
 * The documents of a view, to and from the text in which a store keeps them; and of which kind their indexed fields are.
 */
import { Result, Schema, SchemaAST } from "effect"
import { admitJson, limits } from "../Admission.ts"
import type { PureCodec } from "../Event.ts"
import type { FieldType, FieldValue, ViewIndex } from "../ViewStore.ts"
import { compile, parseObject } from "./codec.ts"

/** How documents of one version are written and read. A failure says in one line what is wrong. */
export interface Documents {
  readonly encode: (document: unknown) => Result.Result<string, string>
  readonly decode: (text: string) => Result.Result<unknown, string>
}

export const make = (schema: PureCodec): Documents => {
  const codec = compile(schema)
  return {
    encode: (document) =>
      Result.flatMap(
        codec.encode(document),
        (data) =>
          Result.mapBoth(admitJson("the document", data, limits.documentBytesMax), {
            onFailure: ({ message }) => message,
            onSuccess: ({ text }) => text
          })
      ),
    decode: (text) => Result.flatMap(parseObject(text), codec.decode)
  }
}

/**
 * What is to be done about a document of this version that cannot be read. It is its schema mostly, which somebody has
 * changed and left the version as it was.
 */
export const mended = (version: number): string =>
  `If its schema was changed, give the view a new version (version: ${version + 1}), which is filled beside the old`

/** A document of another version, and what it is in the next one that is declared. */
export interface Earlier {
  readonly version: number
  readonly document: PureCodec
  readonly up: (document: any) => unknown
}

/**
 * Reads documents of an older version as they would be today: by its own schema and `up`, if it is declared, else by
 * today's.
 */
export const decoders = (today: Documents, was: ReadonlyArray<Earlier>) => {
  const earlier = new Map(was.map((then) => [then.version, upgraded(make(then.document), then.up, today)]))
  return (version: number): Documents["decode"] => earlier.get(version) ?? today.decode
}

const upgraded = ({ decode }: Documents, up: Earlier["up"], today: Documents): Documents["decode"] => (text) => {
  const then = decode(text)
  if (Result.isFailure(then)) return then
  try {
    const document = up(then.success)
    return Result.mapBoth(today.encode(document), {
      onFailure: (problem) => `its upgrade is no document of today: ${problem}`,
      onSuccess: () => document
    })
  } catch (error) {
    return Result.fail(`its upgrade threw: ${error instanceof Error ? error.message : String(error)}`)
  }
}

/** Throws a `TypeError` where no document of a schema can be one: it would be found by the first event only. */
export const refuseOthers = (name: string, schema: PureCodec): void => {
  const { ast } = Schema.toEncoded(Schema.toCodecJson(schema))
  if (mayBeObject(ast)) return
  throw new TypeError(
    `A document of "${name}" must be an object, and its schema is of something else: put it into a field, like ` +
      "Schema.Struct({ value: … })."
  )
}

/** Not certain that it is not: who is told by a function what it is, or that it may be anything, is believed. */
const mayBeObject = (ast: SchemaAST.AST): boolean =>
  SchemaAST.isUnion(ast) ? ast.types.some(mayBeObject) : !others.has(ast._tag)

const others: ReadonlySet<SchemaAST.AST["_tag"]> = new Set([
  "Arrays",
  "BigInt",
  "Boolean",
  "Enum",
  "Literal",
  "Never",
  "Null",
  "Number",
  "String",
  "Symbol",
  "TemplateLiteral",
  "Undefined",
  "UniqueSymbol",
  "Void"
])

/** The names of a document's fields as they are kept, with what each holds; undefined if it is not an object. */
const fieldsOf = (schema: PureCodec): ReadonlyMap<string, SchemaAST.AST> | undefined => {
  const { ast } = Schema.toEncoded(Schema.toCodecJson(schema))
  if (!SchemaAST.isObjects(ast)) return undefined
  return new Map(ast.propertySignatures.map(({ name, type }) => [String(name), type]))
}

/** Whether documents of this schema have a field of that name, as they are kept. */
export const hasField = (schema: PureCodec, field: string): boolean => fieldsOf(schema)?.has(field) ?? false

/** How indexed fields are compared. Throws a `TypeError` where a field cannot be. */
export const indexesOf = (schema: PureCodec, fields: ReadonlyArray<string>): ReadonlyArray<ViewIndex> => {
  const known = fieldsOf(schema)
  return fields.map((field, index) => {
    if (fields.indexOf(field) < index) throw new TypeError(`The field "${field}" is indexed twice.`)
    const type = known?.get(field)
    if (type === undefined) throw new TypeError(`No document of this view has a field "${field}" as it is kept.`)
    if (!/^[A-Za-z0-9_]{1,40}$/.test(field)) {
      throw new TypeError(`The field "${field}" cannot be indexed: letters, digits and _ are expected, 1 to 40.`)
    }
    const kinds = new Set(kindsOf(type))
    const [kind] = kinds
    if (kinds.size === 1 && kind !== undefined) return { field, type: kind }
    throw new TypeError(
      `The field "${field}" cannot be indexed: text, numbers or truth values are expected, one of them.`
    )
  })
}

/** What values of a type are, but for null. */
const kindsOf = (ast: SchemaAST.AST): ReadonlyArray<FieldType | undefined> => {
  if (SchemaAST.isUnion(ast)) return ast.types.flatMap(kindsOf)
  if (SchemaAST.isNull(ast) || SchemaAST.isUndefined(ast)) return []
  if (SchemaAST.isString(ast) || SchemaAST.isTemplateLiteral(ast)) return ["text"]
  if (SchemaAST.isNumber(ast)) return ["number"]
  if (SchemaAST.isBoolean(ast)) return ["boolean"]
  return SchemaAST.isLiteral(ast) ? [literalKinds[typeof ast.literal]] : [undefined]
}

const literalKinds: { readonly [type: string]: FieldType } = { string: "text", number: "number", boolean: "boolean" }

/** Encodes the values that indexed fields are compared with. */
export const fieldEncoder = (schemas: { readonly [field: string]: PureCodec }) => {
  const codecs = new Map(Object.entries(schemas).map(([field, schema]) => [field, compile(schema)]))
  return (field: string, value: unknown): Result.Result<FieldValue, string> => {
    const codec = codecs.get(field)
    if (codec === undefined) return Result.fail("it is not indexed")
    if (value === undefined || value === null) return Result.succeed(null)
    return Result.flatMap(
      codec.encode(value),
      (encoded) =>
        typeof encoded === "string" || typeof encoded === "number" || typeof encoded === "boolean" || encoded === null
          ? Result.succeed(encoded)
          : Result.fail(`"${field}" is compared with text, a number or a truth value`)
    )
  }
}
