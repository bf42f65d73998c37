/**
 * Sending a group of appends until its outcome is certain.
 */
import { Effect, Schedule } from "effect"
import type { Append, EventStore, Status, StoreUnavailable } from "../EventStore.ts"

/**
 * Once a group was lost it may have been written, so nothing less than an answer to the same group settles it: 10, 20,
 * 40 ms …, at most 1 s apart, give or take 20 %. `onDoubt` runs when that begins.
 */
export const send = (
  store: EventStore["Service"],
  group: ReadonlyArray<Append>,
  onDoubt: () => void = () => {}
): Effect.Effect<ReadonlyArray<Status>, StoreUnavailable> =>
  Effect.catchTag(store.append(group), "AppendLost", (lost) => {
    onDoubt()
    let isFirst = true
    const next = Effect.suspend((): ReturnType<typeof store.append> => {
      if (!isFirst) return store.append(group)
      isFirst = false
      return Effect.fail(lost)
    })
    return Effect.andThen(
      Effect.logWarning(`${lost.message}. It is sent again until the store answers.`),
      Effect.orDie(Effect.retry(next, again))
    )
  })

const again = Schedule.jittered(Schedule.min([Schedule.exponential("10 millis"), Schedule.spaced("1 second")]))
