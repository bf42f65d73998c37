/**
 * Calling a fiber's attention: to what was changed while it waited, or works on what is no longer true.
 */
import { Effect, Latch } from "effect"

/** Counts calls, so that none is missed by who was not waiting when it came. */
export interface Attention {
  calls: number
  readonly latch: Latch.Latch
}

export const make = (): Attention => ({ calls: 0, latch: Latch.makeUnsafe() })

export const call = (attention: Attention): void => {
  attention.calls++
  attention.latch.openUnsafe()
  attention.latch.closeUnsafe()
}

/** Ends when there was a call after the first `seen`: at once if there was. */
export const after = (attention: Attention, seen: number): Effect.Effect<void> =>
  Effect.suspend(() => attention.calls > seen ? Effect.void : attention.latch.await)
