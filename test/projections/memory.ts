/**
 * The stores in memory, where time passes when all that can be done at a moment is done.
 */
import { Effect, Scheduler } from "effect"
import { TestClock } from "effect/testing"
import * as Memory from "../../src/memory/Memory.ts"
import * as Turns from "../../src/testing/runtime/Turns.ts"
import type { Stores } from "./world.ts"

export const memory: Stores = {
  layer: Memory.layer,
  inTime: (run) =>
    Effect.flatMap(Turns.current, ({ scheduler, stillness }) => {
      const time = Effect.forever(Effect.andThen(stillness, TestClock.adjust("20 millis")))
      return Effect.raceFirst(Effect.provideService(run, Scheduler.Scheduler, scheduler), time)
    }),
  lease: "1 second"
}
