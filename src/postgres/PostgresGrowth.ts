/**
 * How the followers of this process learn that the log has grown: at once when this process wrote, soon when the server
 * tells that another one did, and by looking in any case. The server's word is a hint, and may be missed; looking, 50 ms
 * apart at first and 1 s in the end, is the truth.
 */
import { Effect, Queue, Schedule, Scope } from "effect"
import type { Position } from "../Event.ts"
import type { StoreUnavailable } from "../EventStore.ts"
import type { PostgresClient } from "./PostgresClient.ts"
import { inRealTime } from "./PostgresClock.ts"

/** The growth of a log, as far as this process knows of it. */
export interface PostgresGrowth {
  /** Whoever follows looks again. */
  readonly wake: () => void
  /** Waits until the log may have grown beyond a position. */
  readonly awaitMore: (seen: Position) => Effect.Effect<void>
}

/** Nobody listens before somebody follows; from then on until the scope closes. */
export const make = Effect.fnUntraced(function*(
  { listen }: PostgresClient["Service"],
  head: Effect.Effect<Position, StoreUnavailable>
): Effect.fn.Return<PostgresGrowth, never, Scope.Scope> {
  const scope = yield* Scope.Scope
  const waiting = new Set<() => void>()
  const wake = () => {
    const woken = [...waiting]
    waiting.clear()
    for (const resume of woken) resume()
  }
  const told: Effect.Effect<void> = Effect.callback((resume) => {
    const woken = () => resume(Effect.void)
    waiting.add(woken)
    return Effect.sync(() => waiting.delete(woken))
  })
  let listening = false
  const beginListening = Effect.suspend(() => {
    if (listening || listen === undefined) return Effect.void
    listening = true
    return Effect.asVoid(Effect.forkIn(listenAlways(listen, wake), scope))
  })
  return {
    wake,
    awaitMore: (seen) => {
      // A store that cannot be looked at now says so to the next read.
      const look = Effect.orElseSucceed(Effect.map(head, (position) => position > seen), () => true)
      const looking = Effect.asVoid(Effect.repeat(look, { until: (grown) => grown, schedule: apart }))
      return Effect.andThen(beginListening, Effect.raceFirst(told, looking))
    }
  }
})

const apart = Schedule.min([Schedule.exponential("50 millis"), Schedule.spaced("1 second")])

/** What was said while nobody listened is lost, so everybody looks when listening begins again. */
const listenAlways = (listen: NonNullable<PostgresClient["Service"]["listen"]>, wake: () => void) =>
  Effect.scoped(Effect.flatMap(listen, (words) => {
    wake()
    return Effect.forever(Effect.map(Queue.take(words), wake))
  })).pipe(
    Effect.retry(again),
    inRealTime
  )

const again = Schedule.jittered(Schedule.min([Schedule.exponential("100 millis"), Schedule.spaced("5 seconds")]))
