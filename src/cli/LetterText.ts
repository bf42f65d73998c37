/**
 * Dead letters, and what came of events, as people read them.
 */
import type { DeadLetter, ParkedStream } from "../DeadLetters.ts"
import { defaultTenant, type Position, type StreamId } from "../Event.ts"
import type { Retried, Stepped } from "../Projections.ts"
import { plain } from "./Table.ts"

const number = (value: number | bigint): string => value.toLocaleString("en-US")

const streamOf = ({ category, id, tenant }: StreamId): string =>
  plain(`${category} ${id}${tenant === defaultTenant ? "" : ` of ${tenant}`}`)

/** What was asked for beside the letters, and how far. */
interface Asked {
  readonly parked: ReadonlyArray<ParkedStream>
  readonly limit: number
  readonly after: Position
}

/** Letters and parked streams of a projection, with what may be done about them. */
export const letters = (name: string, all: ReadonlyArray<DeadLetter>, { after, limit, parked }: Asked): string => {
  const last = all.at(-1)
  if (last === undefined) return `${name} has no letters${after === 0n ? "" : ` after position ${number(after)}`}.`
  const isParked = (letter: DeadLetter) => parked.some(({ fromPosition }) => fromPosition === letter.position)
  return [
    ...all.map((each) => letter(each, isParked(each))),
    ...all.length < limit ? [] : [`${lettersOf(all.length)}. There may be more: --after ${last.position}`],
    `\`views retry ${name} POSITION\` tries an event again, \`views discard ${name} POSITION\` gives it up.`
  ].join("\n\n")
}

const lettersOf = (count: number): string => count === 1 ? "1 letter" : `${number(count)} letters`

const letter = (
  { attempts, error, firstAtMillis, lastAtMillis, position, reason, stream, type }: DeadLetter,
  isParked: boolean
): string => {
  const times = attempts === 1 ? "once" : `${number(attempts)} times`
  const since = firstAtMillis === lastAtMillis ? "" : `${time(firstAtMillis)} to `
  return [
    `position ${number(position)}: ${type} of ${streamOf(stream)}${isParked ? ", which is passed over since" : ""}`,
    `  ${reason}, tried ${times}, ${since}${time(lastAtMillis)}`,
    `  ${plain(error)}`
  ].join("\n")
}

const time = (millis: number): string => new Date(millis).toISOString()

/** What came of trying again. */
export const retried = (name: string, { applied, left }: Retried): string => {
  if (left !== undefined) return failed(name, applied, left)
  return applied === 0
    ? `${name} tries it again, as soon as a worker has it.`
    : `${name} has worked off ${applied === 1 ? "the event" : `${number(applied)} events`}.`
}

/** What came of giving an event up. */
export const discarded = (name: string, position: Position, { applied, left }: Retried): string => {
  const given = `The event at position ${number(position)} is given up.`
  if (left !== undefined) return `${given} ${failed(name, applied, left)}`
  return applied === 0 ? given : `${given} ${name} has worked off ${number(applied)} that came behind it.`
}

const failed = (name: string, applied: number, { error, position }: NonNullable<Retried["left"]>): string => {
  const before = applied === 0 ? "" : ` has worked off ${applied === 1 ? "an event" : `${number(applied)} events`}, and`
  return `${name}${before} failed at position ${number(position)}${applied === 0 ? " again" : ""}: ${plain(error)}`
}

/** What one event did. */
export const stepped = (name: string, done: Stepped | undefined): string => {
  if (done === undefined) return `${name} has no event left that it wants.`
  const { changes, failure, position, stream, type, version } = done
  const head = `position ${number(position)}: ${type}, event ${number(version)} of ${streamOf(stream)}`
  if (failure !== undefined) return `${head}\n  ${failure.reason}: ${plain(failure.error)}\n  Nothing was changed.`
  const lines = changes.flatMap(({ after, before, key, tenant }) => [
    `  ${key === "" ? "its state" : plain(`${key}${tenant === defaultTenant ? "" : ` of ${tenant}`}`)}`,
    `    before  ${json(before)}`,
    `    after   ${json(after)}`
  ])
  return [head, ...lines.length === 0 ? ["  No document was changed."] : lines].join("\n")
}

const json = (value: unknown): string => (value === undefined ? "–" : plain(JSON.stringify(value)))
