/**
 * Time that only passes: for deadlines, idle times and pauses. The other clock, which tells the time of day, may be set.
 */
import type { Clock } from "effect"

/** Milliseconds since some moment in the past, always the same one. */
export const elapsedMillis = (clock: Clock.Clock): number => Number(clock.monotonicTimeNanosUnsafe()) / 1e6
