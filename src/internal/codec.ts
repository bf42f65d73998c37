/**
 * The codecs of one aggregate, compiled once: events, states, payloads and outcomes, to and from JSON data.
 *
 * They are synchronous and answer with a `Result`; nothing here throws. A schema whose transformation is itself an
 * asynchronous Effect cannot be compiled this way and shows as a problem.
 */
import { Result, Schema, SchemaIssue } from "effect"
import { limits } from "../Admission.ts"
import { canonical, isDeeperThan, isPlainObject } from "./json.ts"
import type { PureCodec } from "./shapes.ts"

/** A value to JSON data and back. A failure says in one line what is wrong. */
export interface Codec {
  readonly encode: (value: unknown) => Result.Result<unknown, string>
  readonly decode: (data: unknown) => Result.Result<unknown, string>
}

export const compile = (schema: PureCodec): Codec => {
  const json = Schema.toCodecJson(schema)
  return {
    encode: guarded(Schema.encodeUnknownResult(json)),
    decode: guarded(Schema.decodeUnknownResult(json))
  }
}

/** Makes a value as the schema's constructor does: defaults are filled in, checks run, excess fields are dropped. */
export const compileMake = (schema: PureCodec): (input: unknown) => Result.Result<unknown, string> => (input) => {
  try {
    const made = schema.make(input)
    return isDeeperThan(limits.payloadLevelsMax, made) ? Result.fail(tooDeep) : Result.succeed(made)
  } catch (error) {
    // The stack ran out on the way down.
    return Result.fail(error instanceof RangeError ? tooDeep : problemOf(error))
  }
}

const tooDeep = "it is nested too deeply"

/** Checks a value that is said to be of the schema's type, as its decoded side would be. */
export const compileCheck = (schema: PureCodec): Codec["decode"] =>
  guarded(Schema.decodeUnknownResult(Schema.toType(schema)))

/** The JSON Schema of what a codec writes, as canonical text. */
export const schemaText = (codec: PureCodec): string =>
  canonical(Schema.toJsonSchemaDocument(Schema.toEncoded(Schema.toCodecJson(codec))))

/** What a thrown or failed value says, in one line and without a stack. */
export const problemOf = (error: unknown): string => {
  try {
    return oneLine(error instanceof Error ? messageOf(error) : isObject(error) ? shown(error) : String(error))
  } catch {
    // It comes from the user's code, and may be anything: also what throws when it is looked at.
    return "it says nothing of itself"
  }
}

const isObject = (error: unknown): error is object => typeof error === "object" && error !== null

const messageOf = (error: Error): string =>
  SchemaIssue.isIssue(error.cause) ? format(error.cause) : error.message || shown(error)

const shownMax = 500

/** What has no message says by its tag, or its name, and by its data what it is. */
const shown = (error: object): string => {
  const { _tag, name } = error as { readonly _tag?: unknown; readonly name?: unknown }
  const what = [_tag, error instanceof Error ? name : undefined].find((each) => typeof each === "string")
  const data = { ...error, _tag: undefined, name: undefined }
  return [what, dataOf(data)].filter((part) => part !== undefined && part !== "{}").join(" ").slice(0, shownMax) || "{}"
}

const dataOf = (data: object): string | undefined => {
  try {
    return JSON.stringify(data, (_, value) => typeof value === "bigint" ? `${value}` : value)
  } catch {
    return undefined
  }
}

/** Parses JSON text to an object; a failure says why it is none. */
export const parseObject = (text: string): Result.Result<Record<string, unknown>, string> => {
  const value = parse(text)
  if (Result.isFailure(value)) return Result.fail(value.failure)
  return isPlainObject(value.success) ? Result.succeed(value.success) : Result.fail("a JSON object is expected")
}

/** Parses JSON text. The parser's own message quotes the text, so it is not repeated. */
export const parse = (text: string): Result.Result<unknown, string> => {
  try {
    return Result.succeed(JSON.parse(text))
  } catch {
    return Result.fail("it is not valid JSON")
  }
}

/** A getter, a proxy or very deep data may throw below the schema; that is a problem of the data like any other. */
const guarded =
  (run: (input: unknown) => Result.Result<unknown, { readonly message: string }>): Codec["encode"] => (input) => {
    try {
      return Result.mapError(run(input), ({ message }) => oneLine(message))
    } catch (error) {
      return Result.fail(problemOf(error))
    }
  }

const format = SchemaIssue.makeFormatterDefault()

const oneLine = (text: string): string => text.replace(/\s*\n\s*/g, " ")
