/**
 * A turn of the event loop, and whether it has lasted long enough. Who is answered at once asks again at once: without a
 * pause no timer would fire and no socket be read, no lease prolonged and no deadline kept.
 */
import type { Clock } from "effect"
import { elapsedMillis } from "./elapsed.ts"

/** What one who may go on and on knows of the turn that he is in. */
export interface LoopTurn {
  readonly clock: Clock.Clock
  /** Since when; undefined where a new one has begun since. */
  sinceMillis: number | undefined
}

const turnMillisMax = 5

export const make = (clock: Clock.Clock): LoopTurn => ({ clock, sinceMillis: undefined })

/** Whether it is time to let others have the loop: what comes next then belongs into `setImmediate`. */
export const isOver = (turn: LoopTurn): boolean => {
  const nowMillis = elapsedMillis(turn.clock)
  if (turn.sinceMillis !== undefined) return nowMillis - turn.sinceMillis > turnMillisMax
  turn.sinceMillis = nowMillis
  setImmediate(() => turn.sinceMillis = undefined)
  return false
}
