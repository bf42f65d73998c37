/**
 * The clock of a log in a file, as the stores of one process have seen it: whole milliseconds, and it never goes back.
 * What other processes have recorded is in the log itself.
 */

/** The latest time that was seen. */
export interface SqliteClock {
  millis: number
}

/** A clock that has seen nothing. */
export const make = (): SqliteClock => ({ millis: 0 })

/** Shows it the time, and answers what time it is. */
export const tick = (clock: SqliteClock, nowMillis: number): number =>
  clock.millis = Math.max(clock.millis, Math.floor(nowMillis))
