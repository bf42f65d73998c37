/**
 * Projections in memory: events that cannot be worked off.
 */
import { assert, describe, it } from "@effect/vitest"
import { Effect } from "effect"
import {
  amongMany,
  pauses,
  quarantines,
  retriesOnce,
  skips,
  stepsPastTheLetter,
  takesBackAtOnce,
  throwsAnything,
  tooNew,
  undecodable,
  unfit
} from "./failures.ts"
import { memory } from "./memory.ts"

const seeds = Array.from({ length: 10 }, (_, index) => index + 1)

describe("an event that cannot be worked off", () => {
  it.effect("I14: pauses the projection right before it, leaves a letter, and is tried again when it is mended", () =>
    Effect.forEach(seeds, (seed) => pauses(memory, seed), { discard: true }))

  it.effect("I14: is passed over where that is wanted, and never without a letter", () =>
    Effect.forEach(seeds, (seed) => skips(memory, seed), { discard: true }))

  it.effect("I11: is applied once, and its letter is gone, when it is stepped over", () => stepsPastTheLetter(memory))

  it.effect("I11: is applied once when two try it again at the same time", () => retriesOnce(memory))

  it.effect("I14, I11: parks its stream where that is wanted; taken back, nothing is lost and nothing doubled", () =>
    Effect.forEach(seeds, (seed) => quarantines(memory, seed, undefined), { discard: true }))

  it.effect(
    "I11: a stream is taken back once, wherever between two statements the process died",
    () =>
      Effect.gen(function*() {
        for (const seed of seeds.slice(0, 3)) {
          const points = yield* quarantines(memory, seed, undefined)
          assert.isAbove(points, 14)
          for (let nth = 1; nth <= points; nth++) {
            for (const side of ["before", "after"] as const) yield* quarantines(memory, seed, { nth, side })
          }
        }
      }),
    120_000
  )

  it.effect("I14, I11: whoever takes its stream back has all that was passed over with the answer", () =>
    takesBackAtOnce(memory))

  it.effect("I14: is told apart from a handler's failure if it does not decode", () => undecodable(memory))

  it.effect("I14: has a letter that says why, whatever its handler throws", () => throwsAnything(memory))

  it.effect("I14: waits for the build that knows it if its schema is newer, and the lease is let go", () =>
    tooNew(memory))

  it.effect("I14: is found among its neighbours if what it leads to cannot be kept", () =>
    Effect.forEach([1, 2, 7, 10, 11, 19, 20], (place) => unfit(memory, place), { discard: true }))

  it.effect("holds up nobody but its own stream among 10,000", () => amongMany(memory, 10_000))
})
