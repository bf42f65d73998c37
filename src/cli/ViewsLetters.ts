/**
 * `views letters`, `retry`, `discard` and `step`: events that a projection could not work off, and one event at a time.
 */
import { Data, Effect, Option, Result } from "effect"
import { Argument, Command, Flag } from "effect/cli"
import type { Position } from "../Event.ts"
import { compile } from "../internal/codec.ts"
import type { Stepped } from "../Projections.ts"
import type { App } from "./App.ts"
import type { Projection } from "./AppProjections.ts"
import * as LetterText from "./LetterText.ts"
import * as ProjectionFlags from "./ProjectionFlags.ts"

const name = Argument.String("projection").pipe(
  Argument.withDescription("The name of the projection"),
  Argument.withMetavar("NAME")
)

/** As it stands in a table too. */
const readPosition = (text: string): Option.Option<Position> =>
  /^\d[\d,]*$/.test(text) ? Option.some(BigInt(text.replaceAll(",", ""))) : Option.none()

const aPosition = () => "a position, like 17"

const position = Argument.String("position").pipe(
  Argument.withDescription("The position of the event, as `views letters` tells it"),
  Argument.withMetavar("POSITION"),
  Argument.filterMap(readPosition, aPosition)
)

/** The result for machines, or what people are told of it. */
const print = (json: boolean, result: unknown, words: string) => {
  const text = json ? JSON.stringify(result, (_, value) => (typeof value === "bigint" ? String(value) : value)) : words
  return Effect.sync(() => void process.stdout.write(`${text}\n`))
}

/** What was asked for was tried, and did not succeed; `problem` says why. */
class StillFailing extends Data.TaggedError("StillFailing")<{ readonly problem: string }> {
  override get message() {
    return this.problem
  }
}

/** The same, where it may have failed again: then people are told by the failure, which ends with exit code 1. */
const printTried = (json: boolean, result: unknown, words: string, hasFailed: boolean) =>
  hasFailed
    ? Effect.andThen(json ? print(json, result, words) : Effect.void, Effect.fail(new StillFailing({ problem: words })))
    : print(json, result, words)

/** The `views letters` command. */
export const letters = (usual: App<unknown> | undefined) =>
  Command.make(
    "letters",
    {
      ...ProjectionFlags.make(usual),
      name,
      after: Flag.String("after").pipe(
        Flag.withDescription("Only letters after this position: to read on"),
        Flag.withMetavar("POSITION"),
        Flag.filterMap(readPosition, aPosition),
        Flag.withDefault(0n)
      ),
      limit: Flag.Int("limit").pipe(
        Flag.withDescription("How many, 1 to 1,000; 20 unless given. Where so many are shown there may be more"),
        Flag.filter((limit) => limit >= 1 && limit <= 1_000, () => "from 1 to 1,000"),
        Flag.withDefault(20)
      )
    },
    ({ after, json, limit, name, ...given }) =>
      ProjectionFlags.onKept(given, (kept) =>
        Effect.gen(function*() {
          yield* ProjectionFlags.findKept(kept, name)
          const letters = yield* kept.operations.deadLetters(name, { after, limit })
          const parked = yield* kept.operations.parked(name)
          yield* print(json, { letters, parked }, LetterText.letters(name, letters, { parked, limit, after }))
        }))
  ).pipe(
    Command.withShortDescription("Show the events that a projection could not work off, and why"),
    Command.withDescription(
      "Show the events that a projection could not work off, why, and the streams that it passes over since"
    )
  )

/** The `views retry` command. */
export const retry = (usual: App<unknown> | undefined) =>
  Command.make(
    "retry",
    { ...ProjectionFlags.make(usual), name, position },
    ({ json, name, position, ...given }) =>
      ProjectionFlags.onKept(given, (kept) =>
        Effect.gen(function*() {
          yield* ProjectionFlags.findKept(kept, name)
          const retried = yield* kept.operations.retry(name, position)
          yield* printTried(json, retried, LetterText.retried(name, retried), retried.left !== undefined)
        }))
  ).pipe(
    Command.withShortDescription("Try an event again that could not be worked off, once the code is mended"),
    Command.withDescription(
      "Try an event again that has a letter: after the projection's code was mended, by a worker that has it or, where a " +
        "stream was passed over or the event was skipped, by this command"
    )
  )

/** The `views discard` command. */
export const discard = (usual: App<unknown> | undefined) =>
  Command.make(
    "discard",
    { ...ProjectionFlags.make(usual), name, position },
    ({ json, name, position, ...given }) =>
      ProjectionFlags.onKept(given, (kept) =>
        Effect.gen(function*() {
          yield* ProjectionFlags.findKept(kept, name)
          const retried = yield* kept.operations.discard(name, position)
          const words = LetterText.discarded(name, position, retried)
          yield* printTried(json, retried, words, retried.left !== undefined)
        }))
  ).pipe(
    Command.withDescription("Give an event up for good, and its letter with it; what came behind it is worked off")
  )

/** The `views step` command. */
export const step = (usual: App<unknown> | undefined) =>
  Command.make(
    "step",
    { ...ProjectionFlags.make(usual), name },
    ({ json, name, ...given }) =>
      ProjectionFlags.onKept(given, (kept) =>
        Effect.gen(function*() {
          const projection = yield* ProjectionFlags.findKept(kept, name)
          const stepped = yield* kept.operations.step(name)
          const shown = stepped && asJson(projection, stepped)
          yield* printTried(json, shown ?? null, LetterText.stepped(name, shown), shown?.failure !== undefined)
        }))
  ).pipe(
    Command.withDescription(
      "Let a paused projection work off one event, and show the documents before and after; it stays paused"
    ),
    Command.withExamples([{ command: "npm start -- views step order-summaries", description: "After `views pause`" }])
  )

/** Documents as JSON has them. */
const asJson = ({ target }: Projection, stepped: Stepped): Stepped => {
  if (target._tag !== "View") return stepped
  const { encode } = compile(target.document)
  const shown = (
    document: unknown
  ) => (document === undefined ? undefined : Result.getOrElse(encode(document), () => document))
  return {
    ...stepped,
    changes: stepped.changes.map((change) => ({ ...change, before: shown(change.before), after: shown(change.after) }))
  }
}
