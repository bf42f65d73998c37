/**
 * Time that only passes: for deadlines, idle times and pauses. The other clock, which tells the time of day, may be set.
 */
import { type Clock, Duration } from "effect"

/** Milliseconds since some moment in the past, always the same one. */
export const elapsedMillis = (clock: Clock.Clock): number => Number(clock.monotonicTimeNanosUnsafe()) / 1e6

/** A length of time that somebody gave; undefined if it is none, or less than none. Effect would take NaN for 0. */
export const durationOf = (input: Duration.Input): Duration.Duration | undefined => {
  const parts = typeof input === "object" && !Duration.isDuration(input) ? Object.values(input ?? {}) : [input]
  if (parts.some(Number.isNaN)) return undefined
  const duration = Duration.fromInput(input)
  return duration._tag === "Some" && Duration.toMillis(duration.value) >= 0 ? duration.value : undefined
}

/** A setting that is no length of time is a mistake in the program, which should not start with it. */
export const settingOf = (name: string, input: Duration.Input): Duration.Duration => {
  const duration = durationOf(input)
  if (duration !== undefined) return duration
  throw new RangeError(`${name} must be a duration of 0 at least, like "5 seconds", not ${String(input)}.`)
}
