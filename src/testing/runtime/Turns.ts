/**
 * Turns: counts what the fibers of a test have ready to run, so that waiting until all of them stand still takes no time
 * and no guess. A scheduler around the one at hand, which still decides what runs when.
 */
import { Effect, Scheduler } from "effect"

/** A scheduler, and the moments when it has nothing to do. */
export interface Turns {
  readonly scheduler: Scheduler.Scheduler
  /**
   * Ends when no fiber of this scheduler is ready to run: each waits for a time, for an answer from outside, or for
   * another one that does. Promises that are already settled, and what follows from them, count as ready.
   */
  readonly stillness: Effect.Effect<void>
}

const known = new WeakMap<Scheduler.Scheduler, Turns>()

/** The turns of the scheduler at hand. Asked again within its own fibers, it is the same one. */
export const current: Effect.Effect<Turns> = Effect.map(
  Scheduler.Scheduler,
  (scheduler) => known.get(scheduler) ?? make(scheduler)
)

const make = (parent: Scheduler.Scheduler): Turns => {
  let ready = 0

  const scheduler: Scheduler.Scheduler = {
    executionMode: parent.executionMode,
    shouldYield: (fiber) => parent.shouldYield(fiber),
    makeDispatcher: () => {
      const dispatcher = parent.makeDispatcher()
      return {
        scheduleTask: (task, priority) => {
          ready++
          dispatcher.scheduleTask(() => {
            try {
              task()
            } finally {
              ready--
            }
          }, priority)
        },
        flush: () => dispatcher.flush()
      }
    }
  }

  /** One turn of the event loop, not counted: what promises have to say they have said by its end. */
  const turn = Effect.callback<void>((resume) => parent.makeDispatcher().scheduleTask(() => resume(Effect.void), 0))

  const stillness: Effect.Effect<void> = Effect.flatMap(turn, () => ready === 0 ? Effect.void : stillness)

  const turns = { scheduler, stillness }
  known.set(scheduler, turns)
  return turns
}
