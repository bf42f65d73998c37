/**
 * What is asked of a view on a command line, as text, and what that is to the view. A question that it cannot answer is
 * refused with those that it can.
 */
import { Data, Effect, Option, Result } from "effect"
import type { PureCodec } from "../Event.ts"
import { compile } from "../internal/codec.ts"
import { untyped } from "../internal/types.ts"
import type { Target } from "../ProjectionHost.ts"
import type { ViewIndex } from "../ViewStore.ts"

/** It cannot be asked so; `problem` says why, and how it can. */
export class QuestionRefused extends Data.TaggedError("QuestionRefused")<{ readonly problem: string }> {
  override get message() {
    return this.problem
  }
}

/** A view, as far as questions have to know it. */
export type View = Pick<Extract<Target, { readonly _tag: "View" }>, "view" | "document">

/** As the flags have it. */
export interface Asked {
  /** Each `FIELD=VALUE`. */
  readonly where: ReadonlyArray<string>
  readonly order: Option.Option<string>
  readonly descending: boolean
}

/** As the view has it. */
export interface Question {
  readonly where: { readonly [field: string]: unknown }
  readonly orderBy: { readonly field: string; readonly direction: "ascending" | "descending" } | undefined
}

/** Reads a question. */
export const read = Effect.fnUntraced(function*(
  view: View,
  { descending, order, where }: Asked
): Effect.fn.Return<Question, QuestionRefused> {
  const pairs = yield* Effect.forEach(where, (text) => Effect.fromResult(equalTo(view, text)))
  const twice = pairs.find(([field], index) => pairs.findIndex(([other]) => other === field) < index)
  if (twice !== undefined) return yield* refused(`--where names ${twice[0]} twice; a document has it once.`)
  if (Option.isNone(order)) {
    if (descending) return yield* refused("--descending turns the order round that --order FIELD gives.")
    return { where: Object.fromEntries(pairs), orderBy: undefined }
  }
  const { field } = yield* Effect.fromResult(indexOf(view, order.value))
  return { where: Object.fromEntries(pairs), orderBy: { field, direction: descending ? "descending" : "ascending" } }
})

const refused = (problem: string) => new QuestionRefused({ problem })

const equalTo = (view: View, text: string): Result.Result<readonly [string, unknown], QuestionRefused> => {
  const at = text.indexOf("=")
  if (at < 1) return Result.fail(refused(`--where takes FIELD=VALUE, as in --where ${exampleOf(view)}; not "${text}".`))
  return Result.flatMap(
    indexOf(view, text.slice(0, at)),
    (index) =>
      Result.mapBoth(valueOf(view, index, text.slice(at + 1)), {
        onFailure: (problem) => refused(`${index.field} cannot be "${text.slice(at + 1)}": ${problem}`),
        onSuccess: (value) => [index.field, value] as const
      })
  )
}

const exampleOf = ({ view: { indexes } }: View): string => `${indexes[0]?.field ?? "FIELD"}=VALUE`

const indexOf = ({ view: { indexes, name } }: View, field: string): Result.Result<ViewIndex, QuestionRefused> => {
  const index = indexes.find((index) => index.field === field)
  if (index !== undefined) return Result.succeed(index)
  return Result.fail(refused(
    indexes.length === 0
      ? `${name} has no indexed fields: it is asked by key only.`
      : `${name} has no index on "${field}". Indexed: ${indexes.map(({ field }) => field).join(", ")}.`
  ))
}

/** The value that a text stands for, as documents have it; null stands for none. */
const valueOf = ({ document }: View, { field, type }: ViewIndex, text: string): Result.Result<unknown, string> => {
  if (text === "null") return Result.succeed(null)
  const { fields } = untyped<{ readonly fields: { readonly [field: string]: PureCodec } }>(document)
  return Result.flatMap(rawOf(type, text), compile(fields[field]!).decode)
}

const rawOf = (type: ViewIndex["type"], text: string): Result.Result<unknown, string> => {
  if (type === "text") return Result.succeed(text)
  if (type === "boolean") {
    return text === "true" || text === "false" ? Result.succeed(text === "true") : Result.fail("it is true or false.")
  }
  const number = Number(text)
  return text.trim() !== "" && Number.isFinite(number) ? Result.succeed(number) : Result.fail("it is a number.")
}
