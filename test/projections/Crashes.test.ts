/**
 * Projections in memory: crashes between statements, and runners that do not know of each other.
 */
import { assert, describe, it } from "@effect/vitest"
import { Effect } from "effect"
import { betweenStatements, comesBack, sideBySide } from "./crashes.ts"
import { memory } from "./memory.ts"

const seeds = Array.from({ length: 20 }, (_, index) => index + 1)

describe("projections", () => {
  it.effect(
    "I11: views equal the offline fold, wherever between two statements the process died",
    () =>
      Effect.gen(function*() {
        assert.isAbove(yield* betweenStatements(memory, seeds), 20 * 40)
      }),
    120_000
  )

  it.effect("I11, I12: two runners that both believe to be the only one do everything once, on one chain", () =>
    Effect.gen(function*() {
      const steps = yield* Effect.forEach(seeds, (seed) => sideBySide(memory, seed))
      // Else it was no race.
      assert.isAbove(steps.filter(([one, other]) => one! > 2 && other! > 2).length, 10)
    }))

  it.effect("I19: after the last fault the lag is 0 within 30 seconds, without anybody's doing", () =>
    Effect.forEach(seeds, (seed) => comesBack(memory, seed), { discard: true }))
})
