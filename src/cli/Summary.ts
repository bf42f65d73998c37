/**
 * The summary of a run: every line is accounted for, once.
 */
import type { Position } from "../Event.ts"

/** What has become of the lines so far. */
export interface Tally {
  lines: number
  accepted: number
  rejected: Map<string, number>
  bad: number
  /** Of the accepted and rejected ones: those that had been carried out before, and were answered as they were then. */
  repeated: number
}

export const make = (): Tally => ({ lines: 0, accepted: 0, rejected: new Map(), bad: 0, repeated: 0 })

/** How many were rejected, for whatever reason. */
export const rejections = ({ rejected }: Tally): number => [...rejected.values()].reduce((sum, count) => sum + count, 0)

/** What a run ends with, as a machine may read it. */
export interface Summary {
  readonly app: string
  readonly batch: string
  readonly lines: number
  readonly accepted: number
  readonly rejected: Readonly<Record<string, number>>
  readonly bad: number
  /** Of the accepted and rejected ones: those that had been carried out before, and were answered as they were then. */
  readonly repeated: number
  readonly seconds: number
  readonly linesPerSecond: number
  /** The last position of the log. */
  readonly position: string
  /** How far the projections have come that were run as well. */
  readonly projections?: ReadonlyArray<{ readonly name: string; readonly position: string; readonly problem?: string }>
}

/** The summary of a finished run. */
export const summarize = (
  tally: Tally,
  run: { readonly app: string; readonly batch: string; readonly seconds: number; readonly position: Position }
): Summary => ({
  app: run.app,
  batch: run.batch,
  lines: tally.lines,
  accepted: tally.accepted,
  rejected: Object.fromEntries([...tally.rejected].sort(([a], [b]) => (a < b ? -1 : 1))),
  bad: tally.bad,
  repeated: tally.repeated,
  seconds: Number(run.seconds.toFixed(3)),
  linesPerSecond: run.seconds === 0 ? 0 : Math.round(tally.lines / run.seconds),
  position: String(run.position)
})

/** As people read it. */
export const format = (summary: Summary): string => {
  const reasons = Object.entries(summary.rejected)
  const rejected = reasons.reduce((sum, [, count]) => sum + count, 0)
  return [
    `${summary.app}: ${number(summary.lines)} lines in ${summary.seconds} s (${
      number(summary.linesPerSecond)
    } a second)`,
    row("accepted", summary.accepted),
    row("rejected", rejected),
    ...reasons.map(([reason, count]) => row(`  ${reason}`, count)),
    row("bad", summary.bad),
    ...(summary.repeated === 0 ? [] : [row("repeated, not done twice", summary.repeated)]),
    `  the log ends at position ${number(BigInt(summary.position))}`,
    ...(summary.projections ?? []).map(({ name, position, problem }) =>
      problem === undefined
        ? `  ${name} has all of it`
        : `  ${name} has come to position ${number(BigInt(position))}: ${problem}`
    )
  ].join("\n")
}

const row = (label: string, count: number): string => `  ${label.padEnd(28)}${number(count).padStart(12)}`

const number = (value: number | bigint): string => value.toLocaleString("en-US")
