/**
 * Projections in memory: versions side by side.
 */
import { assert, describe, it } from "@effect/vitest"
import { Effect } from "effect"
import { memory } from "./memory.ts"
import { rebuilds, rollsBack, staysPinned, waitsForAll } from "./rebuilds.ts"

const seeds = Array.from({ length: 10 }, (_, index) => index + 1)

describe("a new version", () => {
  it.effect("I16: is filled beside the old one, which is read meanwhile; effects are done once", () =>
    Effect.forEach(seeds, (seed) => rebuilds(memory, seed, undefined), { discard: true }))

  it.effect("I16: is taken up again where the process that filled it died", () =>
    Effect.gen(function*() {
      const points = yield* rebuilds(memory, 1, undefined)
      assert.isAbove(points, 20)
      for (let nth = 1; nth <= points; nth++) {
        for (const side of ["before", "after"] as const) yield* rebuilds(memory, 1, { nth, side })
      }
    }), 120_000)

  it.effect("I16: is read when the last of its partitions has caught up", () =>
    Effect.forEach(seeds, (seed) => waitsForAll(memory, seed), { discard: true }))

  it.effect("I16: does not take over from one that is pinned", () => staysPinned(memory))

  it.effect("I16: gives way to the old one, which has caught up; and takes over again", () =>
    Effect.forEach(seeds.slice(0, 3), (seed) => rollsBack(memory, seed), { discard: true }))
})
