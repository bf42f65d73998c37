/**
 * Calling a fiber's attention: to what was changed while it waited, or works on what is no longer true.
 */
import { Effect } from "effect"

/** Counts calls, so that none is missed by who was not waiting when it came. */
export interface Attention {
  calls: number
  waiting: Set<() => void>
}

export const make = (): Attention => ({ calls: 0, waiting: new Set() })

export const call = (attention: Attention): void => {
  attention.calls++
  if (attention.waiting.size === 0) return
  // Whoever is woken may wait again at once, for the next call.
  const { waiting } = attention
  attention.waiting = new Set()
  for (const wake of waiting) wake()
}

/** Ends when there was a call after the first `seen`: at once if there was. */
export const after = (attention: Attention, seen: number): Effect.Effect<void> =>
  Effect.callback((resume) => {
    if (attention.calls > seen) return resume(Effect.void)
    const wake = () => resume(Effect.void)
    attention.waiting.add(wake)
    return Effect.sync(() => attention.waiting.delete(wake))
  })
