/**
 * Folding: one state in memory, changed by one event after the other.
 */
import { Effect } from "effect"
import type { Position } from "../Event.ts"
import type { Source } from "../ProjectionHost.ts"
import { type Applied, type Applier, handlerFailed, undecodable } from "./applier.ts"
import type { Delivery } from "./delivery.ts"
import * as Routing from "./routing.ts"

/** What a fold has come to. */
export interface Folded {
  state: unknown
  position: Position
}

/** The applier of a fold, which changes `folded`. */
export const make = (
  name: string,
  sources: ReadonlyArray<Source>,
  initial: () => unknown,
  folded: Folded
): Applier => {
  const routing = Routing.make(name, sources)
  let before = folded.state
  const visit = ({ handle }: Routing.Case, delivery: Delivery) => {
    folded.state = handle(folded.state, delivery.event, delivery)
  }
  const apply = (events: Parameters<Applier["apply"]>[0]): Applied => {
    let count = 0
    before = folded.state
    for (const stored of events) {
      // To go back to, as far as its handlers have not changed it in place.
      const last = folded.state
      try {
        const why = Routing.route(routing, stored, visit)
        if (why !== undefined) return { count, failure: undecodable(why), work: Effect.void }
      } catch (error) {
        folded.state = last
        return { count, failure: handlerFailed(error), work: Effect.void }
      }
      folded.position = stored.position
      count++
    }
    return { count, failure: undefined, work: Effect.void }
  }
  return {
    storedTypes: routing.storedTypes,
    apply: (events) => Effect.sync(() => apply(events)),
    keep: () => {},
    drop: () => {},
    touched: () => [{ tenant: "", key: "", before, after: folded.state }],
    isAtomic: true,
    begin: (position) => {
      // It was reset.
      if (position >= folded.position) return
      folded.state = initial()
      folded.position = 0n
    },
    forget: () => {}
  }
}
