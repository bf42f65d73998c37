/**
 * What the log admits: how large an event, a write and a name may be, and which characters and keys they may hold.
 *
 * Everything is checked before it can reach a group of appends, so that no command can spoil its neighbours' commit.
 * Counts are checked before encoding, bytes right after it.
 */
import { Result, Schema } from "effect"
import { forbiddenInJson, forbiddenInString, isPlainObject } from "./internal/json.ts"

/** Every bound of the log, with its unit last. They are promises to stores, so no adapter may be narrower. */
export const limits = {
  /** Of a tenant, category, id, command id, event type or metadata key, in Unicode characters; 1 at least. */
  nameCharactersMax: 255,
  /** Of one event, its data and metadata as UTF-8 JSON: 256 KiB. */
  eventBytesMax: 256 * 1024,
  /** Of the metadata of one event alone, as UTF-8 JSON: 16 KiB. */
  metadataBytesMax: 16 * 1024,
  /** Of the recorded outcome of one command, its reply or rejection as UTF-8 JSON: 256 KiB. */
  outcomeBytesMax: 256 * 1024,
  /** Of one document of a view, as UTF-8 JSON: 1 MiB. */
  documentBytesMax: 1024 * 1024,
  /** How deep a payload may be nested: no schema, handler or store runs out of stack on the way down. */
  payloadLevelsMax: 500,
  /** Of one write to one stream. */
  writeEventsMax: 1_000,
  /** Of one write to one stream, the sum of its events: 4 MiB. */
  writeBytesMax: 4 * 1024 * 1024,
  /** Of one write, in all inline views that it belongs to. */
  writeDocumentsMax: 1_000,
  /** Of one write, the sum of what its documents become: 16 MiB. */
  writeDocumentBytesMax: 16 * 1024 * 1024,
  /** Of one append: how many streams it may write at once. */
  appendWritesMax: 100
} as const

/**
 * Something is larger than the log admits. Nothing was written.
 *
 * `what` names it, `actual` and `max` are in `unit`.
 */
export class LimitExceeded extends Schema.TaggedError<LimitExceeded>()("LimitExceeded", {
  what: Schema.String,
  actual: Schema.Int,
  max: Schema.Int,
  unit: Schema.Literals(["characters", "bytes", "events", "writes", "documents"])
}) {
  override get message() {
    return `${this.what} has ${this.actual} ${this.unit}; at most ${this.max} are allowed`
  }
}

/**
 * Something does not have the shape it must have: a payload that fails its schema, an empty id, a NUL character, a
 * lone surrogate, a `__proto__` key. Nothing was written.
 */
export class InputInvalid extends Schema.TaggedError<InputInvalid>()("InputInvalid", {
  what: Schema.String,
  problem: Schema.String
}) {
  override get message() {
    return `${this.what} is not valid: ${this.problem}`
  }
}

/** Why the log does not admit something. Nothing was written, and the same input is refused again. */
export type Refusal = LimitExceeded | InputInvalid

/**
 * Why something cannot be a name (a tenant, category, id, command id, event type or metadata key), or undefined if it
 * can: it has 1 to 255 characters, no NUL, no lone surrogate. `what` names it in the message.
 *
 * - `InputInvalid`: no string, empty, or with a character that no store can keep
 * - `LimitExceeded`: more than 255 Unicode characters
 *
 * @example
 * ```ts
 * import * as Admission from "varve/Admission"
 *
 * Admission.refuseName("the id", "o-1") // => undefined
 * Admission.refuseName("the id", "")?.message // => "the id is not valid: it is empty"
 * ```
 */
export const refuseName = (what: string, name: unknown): Refusal | undefined => {
  if (typeof name !== "string") return new InputInvalid({ what, problem: `a string is expected, not ${kindOf(name)}` })
  if (name.length === 0) return new InputInvalid({ what, problem: "it is empty" })
  // A character is one or two UTF-16 units, so short strings need no counting.
  if (name.length > limits.nameCharactersMax) {
    const actual = [...name].length
    if (actual > limits.nameCharactersMax) {
      return new LimitExceeded({ what, actual, max: limits.nameCharactersMax, unit: "characters" })
    }
  }
  const forbidden = forbiddenInString(name)
  return forbidden === undefined ? undefined : new InputInvalid({ what, problem: `it contains ${forbidden}` })
}

/** JSON data as admitted text. Made by `admitJson` and `admitMetadata`, so that what reaches a store is admitted. */
export interface AdmittedJson {
  readonly text: string
  /** The size of `text` as UTF-8. */
  readonly bytes: number
}

/**
 * Turns JSON data into text that every store can keep, at most `bytesMax` bytes of UTF-8. `what` names it in messages.
 *
 * - `InputInvalid`: it is no JSON value, or holds a NUL, a lone surrogate or a `__proto__` key
 * - `LimitExceeded`: its text is longer than `bytesMax`
 *
 * @example
 * ```ts
 * import { Result } from "effect"
 * import * as Admission from "varve/Admission"
 *
 * const admitted = Admission.admitJson("the payload", { cents: 100 }, 1_024)
 * admitted // => Result.succeed({ text: `{"cents":100}`, bytes: 13 })
 * ```
 */
export const admitJson = (what: string, value: unknown, bytesMax: number): Result.Result<AdmittedJson, Refusal> => {
  const text = stringify(value)
  if (text === undefined) {
    return Result.fail(new InputInvalid({ what, problem: "it cannot be written as JSON, or is nested too deeply" }))
  }
  const forbidden = forbiddenInJson(text)
  if (forbidden !== undefined) return Result.fail(new InputInvalid({ what, problem: `it contains ${forbidden}` }))
  const bytes = Buffer.byteLength(text)
  return bytes > bytesMax
    ? Result.fail(new LimitExceeded({ what, actual: bytes, max: bytesMax, unit: "bytes" }))
    : Result.succeed({ text, bytes })
}

/**
 * Turns metadata into text that every store can keep: string values under keys of 1 to 255 characters, at most 16 KiB
 * as JSON. With `causationId` an event says which command caused it, unless its sender knows better.
 *
 * - `InputInvalid`: no plain object, a value that is no string, or a character that no store can keep
 * - `LimitExceeded`: a key of more than 255 characters, or more than 16 KiB
 *
 * @example
 * ```ts
 * import { Result } from "effect"
 * import * as Admission from "varve/Admission"
 *
 * const admitted = Admission.admitMetadata({ user: "u-1" })
 * admitted // => Result.succeed({ text: `{"user":"u-1"}`, bytes: 14 })
 * ```
 */
export const admitMetadata = (
  metadata: Readonly<Record<string, string>>,
  causationId?: string
): Result.Result<AdmittedJson, Refusal> => {
  const entries = entriesOf(metadata)
  if (entries === undefined) {
    const problem = `a plain object is expected, not ${kindOf(metadata)}`
    return Result.fail(new InputInvalid({ what: "the metadata", problem }))
  }
  if (causationId !== undefined && !entries.some(([key]) => key === "causationId")) {
    entries.push(["causationId", causationId])
  }
  if (entries.length === 0) return noMetadata
  for (const [key, value] of entries) {
    const refusal = refuseName("a metadata key", key)
    if (refusal !== undefined) return Result.fail(refusal)
    if (typeof value !== "string") {
      return Result.fail(new InputInvalid({ what: `metadata "${key}"`, problem: "a string is expected" }))
    }
  }
  // Of what was looked at, and nothing else: the object itself may have a say in how it is written.
  return admitJson("the metadata", Object.fromEntries(entries), limits.metadataBytesMax)
}

/** Read once, for good: of an object that changes, throws, or has been revoked there is nothing to be kept. */
const entriesOf = (metadata: unknown): Array<[string, unknown]> | undefined => {
  try {
    return isPlainObject(metadata) && !isCollection(metadata) ? Object.entries(metadata) : undefined
  } catch {
    return undefined
  }
}

/** What has its content elsewhere than in its fields. */
const isCollection = (value: object): boolean => Symbol.iterator in value || value instanceof Date

const noMetadata = Result.succeed<AdmittedJson>({ text: "{}", bytes: 2 })

const stringify = (value: unknown): string | undefined => {
  try {
    return JSON.stringify(value)
  } catch {
    return undefined
  }
}

const kindOf = (value: unknown): string => {
  if (value === null) return "null"
  try {
    if (Array.isArray(value)) return "an array"
    return typeof value === "object" ? Object.prototype.toString.call(value) : typeof value
  } catch {
    return "something that cannot be read"
  }
}
