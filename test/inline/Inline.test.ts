/**
 * Inline views in memory, whatever happens to those who append.
 */
import { assert, describe, it } from "@effect/vitest"
import { Effect } from "effect"
import { memory } from "./memory.ts"
import * as Scenarios from "./scenarios.ts"

const seeds = (count: number) => Array.from({ length: count }, (_, index) => index + 1)

describe("inline views", () => {
  it.effect("I4, I11: hold what the log says at every answer, and tell each change as it was", () =>
    Effect.gen(function*() {
      for (const seed of seeds(20)) {
        const { looked, told } = yield* Scenarios.readsItsOwn(memory, seed)
        assert.isAbove(looked, 50)
        assert.isAbove(told, 50)
      }
    }))

  it.effect("I3, I11: hold what the log says where two processes write the same documents", () =>
    Effect.forEach(seeds(20), (seed) => Scenarios.sideBySide(memory, seed), { discard: true }))

  it.effect("I5, I11: take in once what is lost and sent again", () =>
    Effect.forEach(seeds(20), (seed) => Scenarios.losesAppends(memory, seed), { discard: true }))

  it.effect("I6, I11: hold what the log says wherever a process has died", () =>
    Effect.gen(function*() {
      let deaths = 0
      for (const seed of seeds(4)) {
        for (const nth of seeds(8)) {
          for (const side of ["before", "after"] as const) {
            if (yield* Scenarios.killed(memory, seed, nth, side)) deaths++
          }
        }
      }
      assert.isAbove(deaths, 50)
    }))

  it.effect(
    "I11: lose nothing and double nothing when they become inline, under load",
    () => Effect.forEach(seeds(12), (seed) => Scenarios.handsOver(memory, seed, seed * 40), { discard: true }),
    60_000
  )

  it.effect(
    "I11, I19: are never wrong, and inline again, after others have appended who do not know them",
    () => Effect.forEach(seeds(8), (seed) => Scenarios.amongStrangers(memory, seed), { discard: true }),
    60_000
  )
})
