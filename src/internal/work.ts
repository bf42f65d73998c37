/**
 * What a runtime has under way, shown to whoever watches: a test that waits until it is done. Nobody does in production.
 */
import { Context, type Effect, type FiberSet } from "effect"

/** Is told once of the fibers of each aggregate definition: those that carry commands out and those that save snapshots. */
export const WatchWork = Context.Reference<(fibers: FiberSet.FiberSet<void>) => void>("varve/internal/WatchWork", {
  defaultValue: () => () => {}
})

/** The readers of a projection, to whoever waits until they have nothing to do. */
export interface WatchedReaders {
  /** How many of them are behind the log, or try something again. */
  readonly underWay: Effect.Effect<number>
  /** Ends when something has changed after so many changes. */
  readonly changed: (after: number) => Effect.Effect<void>
  readonly changes: () => number
  readonly isClosed: () => boolean
}

/** Is told once of the readers of each projection. */
export const WatchReaders = Context.Reference<(readers: WatchedReaders) => void>("varve/internal/WatchReaders", {
  defaultValue: () => () => {}
})
