/**
 * How projections stand, as people read it: a table, and below it what somebody should see to, with the next step.
 */
import type { Status } from "./ProjectionStatus.ts"
import * as Table from "./Table.ts"

const columns: ReadonlyArray<Table.Column> = [
  { title: "PROJECTION" },
  { title: "VERSION" },
  { title: "POSITION", right: true },
  { title: "HEAD", right: true },
  { title: "BEHIND" },
  { title: "STATE" },
  { title: "LETTERS", right: true },
  { title: "PARKED", right: true }
]

/** The table. */
export const format = (all: ReadonlyArray<Status>): string => {
  const rows = all.map((status) => [
    status.name,
    version(status),
    isInMemory(status) ? "–" : number(status.position),
    number(status.head),
    isInMemory(status) ? "–" : behind(status),
    state(status),
    number(status.letters),
    number(status.parked)
  ])
  const notes = all.flatMap(note)
  return [Table.format(columns, rows), ...notes.length === 0 ? [] : ["", ...notes]].join("\n")
}

const number = (value: number | bigint): string => value.toLocaleString("en-US")

const isInMemory = ({ state }: Status): boolean => state === "in memory"

/** That of the code, and the one that is read where it is another. */
const version = ({ live, version }: Status): string => {
  if (live === undefined) return String(version)
  const pinned = live.pinned ? ", pinned" : ""
  return live.version === version ? `${version} live${pinned}` : `${version} (${live.version} is read${pinned})`
}

const behind = ({ lagEvents, lagSeconds }: Status): string =>
  lagEvents === 0n ? "0" : `${number(lagEvents)} · ${duration(lagSeconds)}`

const duration = (seconds: number): string => {
  if (seconds < 10) return `${seconds.toFixed(1)} s`
  if (seconds < 120) return `${Math.round(seconds)} s`
  if (seconds < 7_200) return `${Math.round(seconds / 60)} min`
  return seconds < 172_800 ? `${Math.round(seconds / 3_600)} h` : `${Math.round(seconds / 86_400)} days`
}

const state = ({ head, pace, position, state }: Status): string => {
  if (pace === undefined) return state
  const percent = Math.floor((Number(position) / Number(head)) * 100)
  return `${state}: ${percent} %, ${number(pace.perSecond)}/s, ${duration(pace.remainingSeconds)} left`
}

const note = ({ letters, name, parked, state, version, why }: Status): ReadonlyArray<string> => {
  const notes: Array<string> = []
  if (state === "paused") {
    notes.push(
      `${name} is paused${why === undefined || why === "" ? "" : `: ${why}`}. \`views resume ${name}\` lets it go on.`
    )
  } else if (state === "stopped") {
    notes.push(
      `${name} is stopped: ${why} To accept is \`views accept ${name}\`, to reset \`views reset ${name} --yes\`.`
    )
  } else if (state === "never run") {
    notes.push(
      `Version ${version} of ${name} has never been run: a worker that has it fills it, or \`run\` with --projections.`
    )
  } else if (state === "unattended") {
    notes.push(`${name} is run by no worker just now${why === undefined ? "" : `: ${why}`}.`)
  }
  if (letters > 0) {
    const passedOver = parked === 0
      ? ""
      : `, and passes over ${parked === 1 ? "a stream" : `${number(parked)} streams`}`
    const events = letters === 1 ? "an event" : `${number(letters)} events`
    notes.push(`${name} could not work off ${events}${passedOver}: see \`views letters ${name}\`.`)
  }
  return notes
}
