/**
 * Carrying out a file of commands: lines of one key in their order, lines of different keys beside each other, in
 * bounded number. Each line ends as accepted, rejected or bad; what the store cannot do just now is tried again.
 */
import { Cause, Clock, Data, Effect, Exit, Option, Result, Schedule, Stream } from "effect"
import { type CommandFailed, isCommandFailed } from "../AggregateHost.ts"
import { EventStore, type StoreUnavailable } from "../EventStore.ts"
import { compile, parse, problemOf } from "../internal/codec.ts"
import type { App, Rejection } from "./App.ts"
import type { CommandFile, Line, UnreadableFile } from "./CommandFile.ts"
import * as Lanes from "./Lanes.ts"
import type { StatusLine } from "./StatusLine.ts"
import * as Summary from "./Summary.ts"

/** How to carry the file out. */
export interface Options {
  /** Stop at the first bad line. */
  readonly strict: boolean
  /** How many lines may be under way at once. */
  readonly concurrency: number
}

/** The run stopped before the end of the file. Run it again: what was carried out is recognized by its ids. */
export class RunStopped extends Data.TaggedError("RunStopped")<{ readonly line: number; readonly problem: string }> {
  override get message() {
    return `Stopped at line ${this.line}: ${this.problem}`
  }
}

/** Carries out a file and answers how its lines ended. */
export const run = Effect.fnUntraced(function*<Services>(
  app: App<Services>,
  file: CommandFile,
  options: Options,
  status: StatusLine
): Effect.fn.Return<Summary.Summary, RunStopped | UnreadableFile | StoreUnavailable, EventStore | Services> {
  const store = yield* EventStore
  const startedAt = yield* Clock.currentTimeMillis
  const tally = Summary.make()
  const read = reader(app)
  const pieces = Stream.map(file.lines, (line) => {
    const commandId = `${file.batch}:${line.number}`
    const { ending, key } = read(line, commandId)
    return { key, work: Effect.flatMap(ending, (ended) => count(tally, line, ended, options, status)) }
  })
  yield* status.during(progress(tally, file.count, startedAt), Lanes.run(pieces, options.concurrency))
  const seconds = ((yield* Clock.currentTimeMillis) - startedAt) / 1_000
  return Summary.summarize(tally, { app: app.name, batch: file.batch, seconds, position: yield* store.head })
})

/** How a line ended. */
type Ending =
  | { readonly _tag: "Accepted" }
  | { readonly _tag: "Rejected"; readonly reason: string }
  | { readonly _tag: "Bad"; readonly problem: string }
  | { readonly _tag: "Stopped"; readonly problem: string }

interface Read<Services> {
  readonly key: string
  readonly ending: Effect.Effect<Ending, never, Services>
}

/** What a line asks for, and the lane that it goes in. A line that cannot be read waits for nobody. */
const reader = <Services>(app: App<Services>) => {
  const schema = compile(app.line)
  return (line: Line, commandId: string): Read<Services> => {
    if (line.problem !== undefined) return { key: commandId, ending: bad(line.problem) }
    const value = Result.flatMap(parse(line.text), schema.decode)
    if (Result.isFailure(value)) return { key: commandId, ending: bad(value.failure) }
    return { key: `line ${app.key(value.success)}`, ending: execute(app, value.success, commandId) }
  }
}

const execute = <Services>(
  app: App<Services>,
  value: unknown,
  commandId: string
): Effect.Effect<Ending, never, Services> =>
  app.execute(value, commandId).pipe(
    Effect.retry({ schedule: patience, while: (error) => isCommandFailed(error) && error.isRetryable }),
    Effect.exit,
    Effect.map(ending)
  )

/** 20, 40, 80 ms …, at most 1 s apart, give or take 20 %, for half a minute. */
const patience = Schedule.min([Schedule.exponential("20 millis"), Schedule.spaced("1 second")]).pipe(
  Schedule.jittered,
  Schedule.upTo({ duration: "30 seconds" })
)

const ending = (exit: Exit.Exit<unknown, Rejection | CommandFailed>): Ending => {
  if (Exit.isSuccess(exit)) return { _tag: "Accepted" }
  const failed = Cause.findErrorOption(exit.cause)
  if (Option.isNone(failed)) {
    return { _tag: "Bad", problem: `its handler ended in a defect: ${problemOf(Cause.squash(exit.cause))}` }
  }
  const error = failed.value
  if (!isCommandFailed(error)) return { _tag: "Rejected", reason: error._tag }
  return { _tag: error.isRetryable ? "Stopped" : "Bad", problem: error.message }
}

const bad = (problem: string): Effect.Effect<Ending> => Effect.succeed({ _tag: "Bad", problem })

const count = (
  tally: Summary.Tally,
  line: Line,
  ended: Ending,
  { strict }: Options,
  status: StatusLine
): Effect.Effect<void, RunStopped> => {
  if (ended._tag === "Stopped") return Effect.fail(new RunStopped({ line: line.number, problem: ended.problem }))
  tally.lines++
  switch (ended._tag) {
    case "Accepted":
      tally.accepted++
      return Effect.void
    case "Rejected":
      tally.rejected.set(ended.reason, (tally.rejected.get(ended.reason) ?? 0) + 1)
      return Effect.void
    case "Bad":
      tally.bad++
      return strict
        ? Effect.fail(new RunStopped({ line: line.number, problem: ended.problem }))
        : status.say(`line ${line.number} is bad: ${ended.problem}`)
  }
}

/** Count, rate, and when the end can be expected. */
const progress = (tally: Summary.Tally, total: Option.Option<number>, startedAt: number): Effect.Effect<string> =>
  Effect.map(Clock.currentTimeMillis, (now) => {
    const seconds = Math.max(0.001, (now - startedAt) / 1_000)
    const rate = tally.lines / seconds
    const of = Option.match(total, { onNone: () => "", onSome: (lines) => ` of ${lines.toLocaleString("en-US")}` })
    const left = Option.match(total, {
      onNone: () => "",
      onSome: (lines) => rate === 0 ? "" : ` · ${Math.ceil((lines - tally.lines) / rate)} s left`
    })
    const parts = [
      `${tally.lines.toLocaleString("en-US")}${of} lines`,
      `${Math.round(rate).toLocaleString("en-US")} a second`,
      `${Summary.rejections(tally).toLocaleString("en-US")} rejected`,
      `${tally.bad.toLocaleString("en-US")} bad`
    ]
    return parts.join(" · ") + left
  })
