/**
 * Carrying out a file of commands: lines of one key in their order, lines of different keys beside each other, in
 * bounded number. Each line ends as accepted, rejected or bad; what the store cannot do just now is tried again.
 */
import { Cause, Clock, Data, Duration, Effect, Exit, Option, Predicate, Result, Schedule, Stream } from "effect"
import { type CommandFailed, isCommandFailed } from "../AggregateHost.ts"
import { EventStore, type StoreUnavailable } from "../EventStore.ts"
import { compile, parse } from "../internal/codec.ts"
import { untyped } from "../internal/types.ts"
import type { App, Rejection } from "./App.ts"
import type { CommandFile, Line, UnreadableFile } from "./CommandFile.ts"
import * as Lanes from "./Lanes.ts"
import { describe } from "./Problem.ts"
import * as ProjectionLag from "./ProjectionLag.ts"
import { Repeats } from "./Repeats.ts"
import type { StatusLine } from "./StatusLine.ts"
import * as Summary from "./Summary.ts"

/** How to carry the file out. */
export interface Options {
  /** Stop at the first bad line. */
  readonly strict: boolean
  /** How many lines may be under way at once. */
  readonly concurrency: number
  /** How long to try again what the store cannot do just now. */
  readonly patience: Duration.Duration
}

/** The store could not carry out a line. Run the file again: what was carried out is recognized by its ids. */
export class RunStopped extends Data.TaggedError("RunStopped")<{ readonly line: number; readonly problem: string }> {
  override get message() {
    return `Stopped at line ${this.line}: ${this.problem}`
  }
}

/** A line is bad, and the run is strict. A file that is mended has another name unless it is given the one of before. */
export class LineBad extends Data.TaggedError("LineBad")<{
  readonly line: number
  readonly problem: string
  readonly batch: string
}> {
  override get message() {
    return `Stopped at line ${this.line}, which is bad: ${this.problem}\nMend it and run the file again with --batch ` +
      `${this.batch}: by that name, what was carried out is recognized and not done twice.`
  }
}

/** Carries out a file and answers how its lines ended. */
export const run = Effect.fnUntraced(function*<Services>(
  app: App<Services>,
  file: CommandFile,
  options: Options,
  status: StatusLine
): Effect.fn.Return<Summary.Summary, RunStopped | LineBad | UnreadableFile | StoreUnavailable, EventStore | Services> {
  const store = yield* EventStore
  const startedAt = yield* Clock.currentTimeMillis
  const repeats = yield* Repeats
  const tally = Summary.make()
  const read = reader(app, patiently(options.patience, status, mayPass))
  const pieces = Stream.map(file.lines, (line) => {
    const commandId = `${file.batch}:${line.number}`
    const { key, work } = read(line, commandId)
    const ended = Effect.map(Effect.exit(work), (exit) => {
      const isRepeated = repeats.delete(line.number)
      const ended = ending(exit)
      if (isRepeated && (ended._tag === "Accepted" || ended._tag === "Rejected")) tally.repeated++
      return ended
    })
    return { key, work: Effect.flatMap(ended, (ended) => count(tally, line, ended, file.batch, options, status)) }
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

/** A line that cannot be read. */
class Unread extends Data.TaggedError("Unread")<{ readonly problem: string }> {}

type Work<Services> = Effect.Effect<unknown, Rejection | CommandFailed | Unread, Services>

/** What a line asks for, and the lane that it goes in. A line that cannot be read waits for nobody. */
const reader = <Services>(app: App<Services>, attempt: Patiently) => {
  const schema = compile(app.line)
  return (line: Line, commandId: string): { readonly key: string; readonly work: Work<Services> } => {
    const unread = (problem: string) => ({ key: commandId, work: new Unread({ problem }) })
    if (line.problem !== undefined) return unread(line.problem)
    const value = Result.flatMap(parse(line.text), schema.decode)
    if (Result.isFailure(value)) return unread(value.failure)
    const key = Result.try(() => `line ${app.key(value.success)}`)
    if (Result.isFailure(key)) return unread(`its key cannot be told: ${describe(key.failure)}`)
    return { key: key.success, work: attempt(Effect.suspend(() => carryOut(app, value.success, commandId))) }
  }
}

/** Types can be forgotten: what is no Effect is the app's bug, like what it throws. */
const carryOut = <Services>(app: App<Services>, line: unknown, commandId: string): Work<Services> => {
  const work: unknown = app.execute(line, commandId)
  return Effect.isEffect(work)
    ? untyped<Work<Services>>(work)
    : Effect.die(new TypeError(`the app's execute returned no Effect but ${work === null ? "null" : typeof work}`))
}

/** Work that is tried again. */
export type Patiently = <A, E, R>(work: Effect.Effect<A, E, R>) => Effect.Effect<A, E, R>

/** Tries again what the store cannot do just now, and says so once, until it can. */
export const patiently = <Failure extends { readonly message: string }>(
  patience: Duration.Duration,
  status: StatusLine,
  mayPass: (error: unknown) => error is Failure
): Patiently => {
  const again = steps.pipe(Schedule.upTo({ duration: patience }))
  let isAway = false
  const back = Effect.sync(() => {
    isAway = false
  })
  const say = (error: Failure) => {
    if (isAway) return Effect.void
    isAway = true
    return status.say(`${error.message}. Trying again for up to ${Duration.format(patience)} …`)
  }
  return (work) =>
    work.pipe(
      Effect.tap(back),
      Effect.tapError((error) => mayPass(error) ? say(error) : back),
      Effect.retry({ schedule: again, while: mayPass })
    )
}

const mayPass = (error: unknown): error is CommandFailed => isCommandFailed(error) && error.isRetryable

/** 20, 40, 80 ms …, at most 1 s apart, give or take 20 %. */
const steps = Schedule.jittered(Schedule.min([Schedule.exponential("20 millis"), Schedule.spaced("1 second")]))

const ending = (exit: Exit.Exit<unknown, Rejection | CommandFailed | Unread>): Ending => {
  if (Exit.isSuccess(exit)) return { _tag: "Accepted" }
  const failed = Cause.findErrorOption(exit.cause)
  if (Option.isNone(failed)) {
    return { _tag: "Bad", problem: `its handler ended in a defect: ${describe(Cause.squash(exit.cause))}` }
  }
  const error = failed.value
  if (error instanceof Unread) return { _tag: "Bad", problem: error.problem }
  if (!isCommandFailed(error)) return { _tag: "Rejected", reason: reasonOf(error) }
  return { _tag: error.isRetryable ? "Stopped" : "Bad", problem: error.message }
}

/** Rejections are counted by their tags; what has none by what it is. */
const reasonOf = (error: unknown): string => {
  if (Predicate.hasProperty(error, "_tag") && typeof error._tag === "string") return error._tag
  return error instanceof Error ? error.name : `a failure without a tag (${error === null ? "null" : typeof error})`
}

const count = (
  tally: Summary.Tally,
  line: Line,
  ended: Ending,
  batch: string,
  { strict }: Options,
  status: StatusLine
): Effect.Effect<void, RunStopped | LineBad> => {
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
        ? Effect.fail(new LineBad({ line: line.number, problem: ended.problem, batch }))
        : status.say(`line ${line.number} is bad: ${ended.problem}`)
  }
}

/** Count, rate, and when the end can be expected. */
const progress = (tally: Summary.Tally, total: Option.Option<number>, startedAt: number): Effect.Effect<string> =>
  Effect.zipWith(Clock.currentTimeMillis, ProjectionLag.describe, (now, lag) => {
    const seconds = Math.max(0.001, (now - startedAt) / 1_000)
    const rate = tally.lines / seconds
    const of = Option.match(total, { onNone: () => "", onSome: (lines) => ` of ${lines.toLocaleString("en-US")}` })
    const left = Option.match(total, { onNone: () => "", onSome: (lines) => timeLeft(lines - tally.lines, rate) })
    const parts = [
      `${tally.lines.toLocaleString("en-US")}${of} lines`,
      `${Math.round(rate).toLocaleString("en-US")} a second`,
      `${Summary.rejections(tally).toLocaleString("en-US")} rejected`,
      `${tally.bad.toLocaleString("en-US")} bad`,
      ...lag
    ]
    return parts.join(" · ") + left
  })

const timeLeft = (lines: number, rate: number): string => {
  if (rate === 0 || lines === 0) return ""
  const seconds = Math.ceil(lines / rate)
  return seconds < 100 ? ` · ${seconds} s left` : ` · ${Math.ceil(seconds / 60)} min left`
}
