/**
 * Acting on events: one after the other, each of them to its end, before a checkpoint says so.
 */
import { Cause, Effect, Exit } from "effect"
import type { Stored } from "../Event.ts"
import type { Source } from "../ProjectionHost.ts"
import { type Applied, type Applier, type Failure, handlerFailed, undecodable } from "./applier.ts"
import * as Routing from "./routing.ts"

/** How effects are run, and for how long before a checkpoint says how far they have come. */
export interface Options {
  readonly name: string
  readonly sources: ReadonlyArray<Source>
  readonly working: <A, E>(effect: Effect.Effect<A, E>) => Effect.Effect<A, E>
  /** Whether the next checkpoint is due, `sinceMillis` having passed. */
  readonly isDue: (sinceMillis: number) => boolean
  readonly nowMillis: () => number
}

export const make = ({ isDue, name, nowMillis, sources, working }: Options): Applier => {
  const routing = Routing.make(name, sources)
  return {
    storedTypes: routing.storedTypes,
    apply: Effect.fnUntraced(function*(events: ReadonlyArray<Stored>): Effect.fn.Return<Applied> {
      const beganMillis = nowMillis()
      let count = 0
      for (const stored of events) {
        const failure = yield* act(routing, stored, working)
        if (failure !== undefined) return { count, failure, work: Effect.void }
        count++
        if (isDue(nowMillis() - beganMillis)) break
      }
      return { count, failure: undefined, work: Effect.void }
    }),
    keep: () => {},
    drop: () => {},
    touched: () => [],
    isAtomic: false,
    begin: () => {},
    forget: () => {}
  }
}

/** Does all that is to be done at an event; answers why it could not be. */
const act = Effect.fnUntraced(function*(
  routing: Routing.Routing,
  stored: Stored,
  working: Options["working"]
): Effect.fn.Return<Failure | undefined> {
  const actions: Array<() => Effect.Effect<unknown, unknown>> = []
  const why = Routing.route(routing, stored, ({ handle }, delivery) => {
    actions.push(() => handle(delivery.event, delivery) as Effect.Effect<unknown, unknown>)
  })
  if (why !== undefined) return undecodable(why)
  for (const action of actions) {
    const exit = yield* Effect.exit(working(suspended(action)))
    if (Exit.isFailure(exit)) return handlerFailed(Cause.squash(exit.cause))
  }
  return undefined
})

/** What the user's code returns to be run is an Effect; that of a program without types may be none. */
export const suspended = <A>(make: () => Effect.Effect<A, unknown>): Effect.Effect<A, unknown> =>
  Effect.suspend(() => {
    const returned = make()
    return Effect.isEffect(returned) ? returned : Effect.die(new TypeError("the handler returned no Effect"))
  })

/** The same, each action done with what `provide` gives it. */
export const provided = (
  { cases, ...source }: Source,
  provide: <A, E>(effect: Effect.Effect<A, E>) => Effect.Effect<A, E>
): Source => ({
  ...source,
  cases: Object.fromEntries(
    Object.entries(cases).map(([tag, handle]) => [
      tag,
      handle &&
      ((...args: ReadonlyArray<unknown>) =>
        provide(suspended(() => handle(...args) as Effect.Effect<unknown, unknown>)))
    ])
  )
})
