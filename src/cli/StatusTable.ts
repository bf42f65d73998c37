/**
 * How projections stand, as people read it: a table, and below it what wants attention, with the next step.
 */
import type { Status } from "./ProjectionStatus.ts"
import * as Table from "./Table.ts"

/** The table. */
export const format = (all: ReadonlyArray<Status>): string => {
  if (all.length === 0) return "There are no projections, and nothing has a checkpoint."
  const rows = all.map((status) => [
    status.name,
    [status.version, status.reading].filter((part) => part !== undefined).join(" "),
    number(status.position),
    number(status.head),
    behind(status),
    state(status),
    number(status.letters),
    number(status.parked)
  ])
  const table = Table.format([
    { title: "PROJECTION" },
    { title: "VERSION" },
    { title: "POSITION", right: true },
    { title: "HEAD", right: true },
    { title: "BEHIND" },
    { title: "STATE" },
    { title: "LETTERS", right: true },
    { title: "PARKED", right: true }
  ], rows)
  const notes = all.flatMap(note)
  return [table, ...notes.length === 0 ? [] : ["", ...notes]].join("\n")
}

const number = (value: number | bigint): string => value.toLocaleString("en-US")

const behind = ({ lagEvents, lagSeconds, state }: Status): string => {
  if (state === "in memory") return "–"
  return lagEvents === 0n ? "0" : `${number(lagEvents)} · ${duration(lagSeconds)}`
}

/** Seconds, in the largest unit of which there are two. */
export const duration = (seconds: number): string => {
  if (seconds < 10) return `${seconds.toFixed(1)} s`
  if (seconds < 120) return `${Math.round(seconds)} s`
  if (seconds < 7_200) return `${Math.round(seconds / 60)} min`
  return seconds < 172_800 ? `${Math.round(seconds / 3_600)} h` : `${Math.round(seconds / 86_400)} days`
}

const state = ({ head, position, rate, secondsLeft, state }: Status): string => {
  if (rate === undefined || secondsLeft === undefined) return state
  const percent = Math.floor((Number(position) / Number(head)) * 100)
  return `${state}: ${percent} %, ${number(Math.round(rate))}/s, ${duration(secondsLeft)} left`
}

/** What somebody should see to. Nobody need see to a version that was replaced. */
const note = ({ kind, letters, name, parked, reading, state, why }: Status): ReadonlyArray<string> => {
  const notes: Array<string> = []
  if (state === "paused") {
    const reason = why === undefined || why === "" ? "" : `: ${why}`
    notes.push(`${name} is paused${reason}. \`views resume ${name}\` lets it go on.`)
  }
  if (letters > 0) {
    const passedOver = parked === 0 ? "" : `, and passes over ${parked === 1 ? "a stream" : `${number(parked)} streams`}`
    const events = letters === 1 ? "an event" : `${number(letters)} events`
    notes.push(`${name} could not work off ${events}${passedOver}: see \`views letters ${name}\`.`)
  }
  if (reading === "older") return notes
  if (kind === undefined) notes.push(`${name} is not in this app.`)
  else if (state === "unattended") notes.push(`${name} is run by no worker just now.`)
  else if (state === "never run") notes.push(`${name} has never been run: a worker that has it fills it.`)
  return notes
}
