/**
 * Replaying a log with the code at hand: every event is decoded, upcast and applied, as a runtime would, and what breaks
 * is named. The state of each stream is held in memory, as long as the log is read.
 */
import { Effect, Result, Stream } from "effect"
import type { Reason } from "../AggregateHost.ts"
import { outboxCategory, type Stored } from "../Event.ts"
import type { Plan } from "../internal/plan.ts"
import * as Replay from "../internal/replay.ts"
import type { Line } from "./CommandFile.ts"
import * as LogFile from "./LogFile.ts"

/** Events that break in the same way, and the first of them. */
export interface Break {
  /** As in `CommandFailed`; `LineBad`: the line is no event; `AggregateMissing`: the app has none for this category. */
  readonly reason: Reason["_tag"] | "LineBad" | "AggregateMissing"
  readonly problem: string
  /** The field that the problem is about, if it is about one. */
  readonly field: string | undefined
  /** Undefined, as all that follows but the line, where the line is no event. */
  readonly category: string | undefined
  readonly type: string | undefined
  readonly schemaVersion: number | undefined
  count: number
  readonly first: {
    readonly line: number
    readonly position: string | undefined
    readonly tenant: string | undefined
    readonly id: string | undefined
    readonly version: number | undefined
  }
}

/** What a log has come to. */
export interface Report {
  readonly app: string
  events: number
  streams: number
  /** Messages of the outbox, and events of other apps if they are passed over. */
  passedOver: number
  /** How many events break. */
  broken: number
  /** In the order of their first events, at most 100 of them. */
  readonly breaks: Array<Break>
}

/** What is looked at. */
export interface Options {
  readonly app: string
  readonly plans: ReadonlyArray<Plan>
  /** Pass over events of categories that the app has no aggregate for. */
  readonly othersToo: boolean
}

const breaksMax = 100

/** A stream as far as it has been replayed; its state is lost once an event of it breaks. */
interface Branch {
  readonly plan: Plan
  folded: Replay.Folded | undefined
}

/** Replays the lines of a log. `onLine` is called after each one. */
export const check = <E>(
  lines: Stream.Stream<Line, E>,
  options: Options,
  onLine: (report: Report) => void
): Effect.Effect<Report, E> => {
  const report: Report = { app: options.app, events: 0, streams: 0, passedOver: 0, broken: 0, breaks: [] }
  const plans = new Map(options.plans.map((plan) => [plan.definition.name, plan]))
  const branches = new Map<string, Branch>()
  const take = (line: Line) => {
    const stored = line.problem === undefined ? LogFile.read(line.text) : Result.fail(line.problem)
    if (Result.isFailure(stored)) {
      add(report, line.number, undefined, { reason: "LineBad", problem: stored.failure, field: undefined })
    } else {
      replay(line.number, stored.success)
    }
    onLine(report)
  }
  const replay = (number: number, stored: Stored) => {
    const plan = plans.get(stored.category)
    if (plan === undefined) {
      if (stored.category === outboxCategory || options.othersToo) report.passedOver++
      else add(report, number, stored, missing)
      return
    }
    report.events++
    const branch = branchOf(branches, plan, stored)
    const failure = apply(branch, stored)
    if (failure !== undefined) add(report, number, stored, failure)
  }
  return Effect.map(Stream.runForEach(lines, (line) => Effect.sync(() => take(line))), () => {
    report.streams = branches.size
    return report
  })
}

type Failure = Pick<Break, "reason" | "problem" | "field">

const missing: Failure = {
  reason: "AggregateMissing",
  problem: "the app has no aggregate for this category",
  field: undefined
}

const branchOf = (branches: Map<string, Branch>, plan: Plan, { category, id, tenant }: Stored): Branch => {
  const key = JSON.stringify([tenant, category, id])
  const found = branches.get(key)
  if (found !== undefined) return found
  const branch: Branch = { plan, folded: Replay.empty(plan) }
  branches.set(key, branch)
  return branch
}

/** Where an earlier event of the stream is broken there is no state to apply to, but each event may break by itself. */
const apply = (branch: Branch, stored: Stored): Failure | undefined => {
  const { folded, plan } = branch
  if (folded === undefined) {
    const events = Replay.decode(plan, stored, stored, stored.version)
    return Result.isFailure(events) ? failureOf(events.failure) : undefined
  }
  const expected = folded.version + 1
  if (stored.version !== expected) {
    branch.folded = undefined
    return {
      reason: "StreamUnreadable",
      problem: `version ${expected} of its stream is expected here; the file leaves some out`,
      field: undefined
    }
  }
  const state = Replay.apply(plan, stored, folded.state, folded.version, stored)
  branch.folded = Result.isSuccess(state) ? { state: state.success, version: stored.version } : undefined
  return Result.isFailure(state) ? failureOf(state.failure) : undefined
}

const failureOf = (reason: Reason): Failure => {
  const problem = reason._tag === "StreamUnreadable" ? reason.problem : problems[reason._tag] ?? reason.message
  return { reason: reason._tag, problem, field: fieldIn(problem) }
}

const problems: Partial<Record<Reason["_tag"], string>> = {
  HandlerMissing: "no event of today has this type, and no released shape is declared for it",
  SchemaTooNew: "its schema version is newer than all that are declared"
}

/** Schemas say where something is wrong in this form: ` at ["items"][0]["sku"]`. */
const fieldIn = (problem: string): string | undefined => {
  const path = / at ((?:\[(?:"(?:[^"\\]|\\.)*"|\d+)\])+)/.exec(problem)?.[1]
  if (path === undefined) return undefined
  const keys = Array.from(
    path.matchAll(/\[("(?:[^"\\]|\\.)*"|\d+)\]/g),
    ([, key = ""]): string | number => JSON.parse(key)
  )
  return keys.map((key) => typeof key === "number" ? `[${key}]` : `.${key}`).join("").replace(/^\./, "")
}

const add = (report: Report, line: number, stored: Stored | undefined, failure: Failure): void => {
  const shape = { category: stored?.category, type: stored?.type, schemaVersion: stored?.schemaVersion }
  report.broken++
  const known = report.breaks.find(({ category, problem, schemaVersion, type }) =>
    problem === failure.problem && category === shape.category && type === shape.type &&
    schemaVersion === shape.schemaVersion
  )
  if (known !== undefined) {
    known.count++
  } else if (report.breaks.length < breaksMax) {
    const position = stored === undefined ? undefined : String(stored.position)
    const first = { line, position, tenant: stored?.tenant, id: stored?.id, version: stored?.version }
    report.breaks.push({ ...failure, ...shape, count: 1, first })
  }
}

/** As people read it. */
export const print = (report: Report): string => {
  const { app, breaks, broken, events, passedOver, streams } = report
  return [
    `${app}: ${number(events)} events in ${number(streams)} streams` +
    (passedOver === 0 ? "" : `, ${number(passedOver)} others passed over`) +
    (broken === 0 ? "; all of them can be replayed" : `; ${number(broken)} break`),
    ...breaks.flatMap(printBreak)
  ].join("\n")
}

const printBreak = ({ category, count, first, problem, reason, schemaVersion, type }: Break): ReadonlyArray<string> => {
  const more = count === 1 ? "" : `, and ${number(count - 1)} more like it`
  const what = reason === "LineBad"
    ? `  line ${first.line}${more}`
    : `  ${type}@${schemaVersion} of ${category} ${first.id}, version ${first.version}, position ${first.position}${more}`
  return [what, `    ${problem}`]
}

const number = (value: number): string => value.toLocaleString("en-US")
