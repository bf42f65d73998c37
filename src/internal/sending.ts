/**
 * Sending a group of appends until its outcome is certain.
 */
import { Effect, Schedule } from "effect"
import type { Append, AppendLost, EventStore, Status, StoreUnavailable } from "../EventStore.ts"

/**
 * Once a group was lost it may have been written, so nothing less than an answer to the same group settles it: 10, 20,
 * 40 ms …, at most 1 s apart, give or take 20 %. `onDoubt` runs when that begins.
 */
export const send = (
  store: EventStore["Service"],
  group: ReadonlyArray<Append>,
  onDoubt: () => void = () => {}
): Effect.Effect<ReadonlyArray<Status>, StoreUnavailable> =>
  Effect.suspend(() => {
    let lost = false
    const doubt = (error: AppendLost) => {
      if (lost) return Effect.void
      lost = true
      onDoubt()
      return Effect.logWarning(`${error.message}. It is sent again until the store answers.`)
    }
    return store.append(group).pipe(
      Effect.tapErrorTag("AppendLost", doubt),
      Effect.retry({ schedule: again, while: () => lost }),
      Effect.catchTag("AppendLost", Effect.die)
    )
  })

const again = Schedule.jittered(Schedule.min([Schedule.exponential("10 millis"), Schedule.spaced("1 second")]))
