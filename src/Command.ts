/**
 * A command: its name, what it carries, what it answers, and how it may be refused. A value, shared by those who send
 * it and those who handle it.
 */
import { Schema } from "effect"
import { refuseName } from "./Admission.ts"
import type { PureCodec } from "./Event.ts"

/** A command of an aggregate. All its schemas encode to JSON: receipts hold its reply or rejection. */
export interface Command<Tag extends string, P extends PureCodec, A extends PureCodec, E> {
  /** Its name, which is that of its handler and of the client's method. */
  readonly tag: Tag
  readonly payload: P
  /** Of the reply. */
  readonly success: A
  /** Of its rejections. */
  readonly error: PureCodec
  /** Whether its handler, though an Effect, may run on a state that is still being committed. */
  readonly speculative: boolean
  /** The type of its rejections; there is no value behind it. */
  readonly "~error": E
}

/** Any command, its types forgotten. */
export type Any = Command<string, PureCodec, PureCodec, any>

/** Fields of a payload. */
export type Fields = { readonly [field: string]: PureCodec }

/** The members of a thenable: a client with one of them would be awaited instead of used. */
type Thenable = "then" | "catch" | "finally"
const thenable: ReadonlySet<string> = new Set<Thenable>(["then", "catch", "finally"])

type ErrorOf<E> = E extends ReadonlyArray<infer X extends PureCodec> ? X["Type"]
  : E extends PureCodec ? E["Type"]
  : never

/**
 * Declares a command. Without `payload` it carries nothing, without `success` it answers nothing, without `error` it
 * cannot be rejected.
 *
 * While a commit is under way, handlers that answer at once go on deciding on the state that it leads to; handlers that
 * are Effects wait for it. With `speculative: true` they do not: such a handler may be run again, should that commit
 * fail, so it reads, and acts only through its decision.
 *
 * A command cannot be named `then`, `catch` or `finally`: its client would look like a promise. The types refuse such
 * a name; where they do not know it, it throws a `TypeError`.
 *
 * @example
 * ```ts
 * import { Schema } from "effect"
 * import * as Command from "varve/Command"
 *
 * class TooHeavy extends Schema.TaggedError<TooHeavy>()("TooHeavy", { grams: Schema.Int }) {}
 *
 * const pack = Command.make("pack", { payload: { grams: Schema.Int }, success: Schema.String, error: TooHeavy })
 * pack.tag // => "pack"
 * ```
 */
export function make<
  const Tag extends string,
  F extends Fields = {},
  A extends PureCodec = Schema.Void,
  const E extends PureCodec | ReadonlyArray<PureCodec> = readonly []
>(
  tag: Tag extends Thenable ? "a command cannot be named like a member of a thenable"
    : Tag extends "" ? "a command has a name"
    : Tag,
  options?: { readonly payload?: F; readonly success?: A; readonly error?: E; readonly speculative?: boolean }
): Command<Tag, Schema.Struct<F>, A, ErrorOf<E>>
export function make(tag: string, options: Options = {}): Command<string, any, any, any> {
  if (thenable.has(tag)) {
    throw new TypeError(`A command cannot be named "${tag}": its client would look like a promise.`)
  }
  const refusal = refuseName("The name of a command", tag)
  if (refusal !== undefined) throw new TypeError(`${refusal.message}.`)
  const { error = [], payload = {}, speculative = false, success = Schema.Void } = options
  return {
    tag,
    payload: Schema.Struct(payload),
    success,
    error: isErrors(error) ? Schema.Union(error) : error,
    speculative,
    "~error": undefined
  }
}

interface Options {
  readonly payload?: Fields
  readonly success?: PureCodec
  readonly error?: PureCodec | Errors
  readonly speculative?: boolean
}

type Errors = ReadonlyArray<PureCodec>
const isErrors = (error: PureCodec | Errors): error is Errors => Array.isArray(error)
