/**
 * What a runtime has under way, shown to whoever watches: a test that waits until it is done. Nobody does in production.
 */
import { Context, type FiberSet } from "effect"

/** Is told once of the fibers of each aggregate definition: those that carry commands out and those that save snapshots. */
export const WatchWork = Context.Reference<(fibers: FiberSet.FiberSet<void>) => void>("varve/internal/WatchWork", {
  defaultValue: () => () => {}
})
