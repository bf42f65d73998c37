/**
 * How the followers of this process learn that the log has grown: at once when this process wrote, soon when the server
 * tells that another one did, and by looking in any case. The server's word is a hint, and may be missed; looking, 50 ms
 * apart at first and 1 s in the end, is the truth. Where the server was heard of nothing new, nobody looks at once.
 */
import { Effect, Queue, Schedule, Scope } from "effect"
import type { Position } from "../Event.ts"
import type { StoreUnavailable } from "../EventStore.ts"
import type { PostgresClient } from "./PostgresClient.ts"
import { inRealTime } from "./PostgresClock.ts"

/** The growth of a log, as far as this process knows of it. */
export interface PostgresGrowth {
  /** Whoever follows looks again; where it is known how far the log goes, only who has not seen all of it. */
  readonly wake: (head?: Position) => void
  /** Waits until the log may have grown beyond a position. */
  readonly awaitMore: (seen: Position) => Effect.Effect<void>
}

/** Nobody listens before somebody follows; from then on until the scope closes. */
export const make = Effect.fnUntraced(function*(
  { listen }: PostgresClient["Service"],
  head: Effect.Effect<Position, StoreUnavailable>
): Effect.fn.Return<PostgresGrowth, never, Scope.Scope> {
  const scope = yield* Scope.Scope
  const waiting = new Set<Waiting>()
  const wake = (head?: Position) => {
    const woken = [...waiting].filter(({ seen }) => head === undefined || head > seen)
    for (const each of woken) {
      waiting.delete(each)
      each.resume()
    }
  }
  const told = (seen: Position): Effect.Effect<void> =>
    Effect.callback((resume) => {
      const each = { seen, resume: () => resume(Effect.void) }
      waiting.add(each)
      return Effect.sync(() => waiting.delete(each))
    })
  const heard: Heard = { isListening: false, head: 0n }
  let listening = false
  const beginListening = Effect.suspend(() => {
    if (listening || listen === undefined) return Effect.void
    listening = true
    return Effect.asVoid(Effect.forkIn(listenAlways(listen, heard, wake), scope))
  })
  return {
    wake,
    awaitMore: (seen) => {
      // A store that cannot be looked at now says so to the next read.
      const look = Effect.orElseSucceed(Effect.map(head, (position) => position > seen), () => true)
      const looking = Effect.suspend(() => {
        const always = Effect.asVoid(Effect.repeat(look, { until: (grown) => grown, schedule: apart }))
        return heard.isListening && heard.head <= seen ? Effect.delay(always, firstLook) : always
      })
      return Effect.andThen(beginListening, Effect.raceFirst(told(seen), looking))
    }
  }
})

/** Who waits until the log has grown beyond what he has seen. */
interface Waiting {
  readonly seen: Position
  readonly resume: () => void
}

/** What the server has said. */
interface Heard {
  /** Whether it would be heard now. */
  isListening: boolean
  /** Where the log ended when it last spoke. It is a reason to look, and not more: the log may have been put back. */
  head: Position
}

const firstLook = "50 millis"
const apart = Schedule.min([Schedule.exponential(firstLook), Schedule.spaced("1 second")])

/** What was said while nobody listened is lost, so everybody looks when listening begins again. */
const listenAlways = (
  listen: NonNullable<PostgresClient["Service"]["listen"]>,
  heard: Heard,
  wake: PostgresGrowth["wake"]
) =>
  Effect.scoped(Effect.flatMap(listen, (words) => {
    heard.isListening = true
    wake()
    return Effect.forever(Effect.map(Queue.take(words), ({ payload }) => {
      const head = headIn(payload)
      heard.head = head ?? heard.head
      wake(head)
    }))
  })).pipe(
    Effect.ensuring(Effect.sync(() => heard.isListening = false)),
    Effect.retry(again),
    inRealTime
  )

/** Anybody may speak on a channel; what is no position is a reason to look all the same. */
const headIn = (payload: string): Position | undefined => /^\d{1,19}$/.test(payload) ? BigInt(payload) : undefined

const again = Schedule.jittered(Schedule.min([Schedule.exponential("100 millis"), Schedule.spaced("5 seconds")]))
