/**
 * Projections in memory that are no views.
 */
import { assert, describe, it } from "@effect/vitest"
import { Effect } from "effect"
import { memory } from "./memory.ts"
import * as Targets from "./targets.ts"
import type { Point } from "./world.ts"

/** Runs it, and then once for each point at which it can die. */
const atEachPoint = Effect.fnUntraced(function*<E>(
  run: (dies: Point | undefined) => Effect.Effect<number, E>,
  pointsMin: number
) {
  const points = yield* run(undefined)
  assert.isAtLeast(points, pointsMin)
  for (let nth = 1; nth <= points; nth++) {
    for (const side of ["before", "after"] as const) yield* run({ nth, side })
  }
})

describe("an SQL projection", () => {
  it.effect("I11: writes each row once, wherever between two statements the process died", () =>
    atEachPoint((dies) => Targets.writesRowsOnce(memory, 1, dies), 20))

  it.effect("I14: leaves a letter of the very event that its SQL fails at", () => Targets.findsTheRow(memory))

  it.effect("I14: leaves a letter of what returns no Effect, and of what interrupts itself", () =>
    Targets.refusesStrangeSql(memory))
})

describe("an effect", () => {
  it.effect("is done at least once, in order, wherever the process died", () =>
    atEachPoint((dies) => Targets.actsAtLeastOnce(memory, 2, dies), 10))

  it.effect("begins with what comes from now on, and leaves out nothing of that", () => Targets.actsFromNowOn(memory))

  it.effect("I9: leaves out nothing of what comes once its Layer is built, before it has its lease", () =>
    Targets.leavesOutNothing(memory))

  it.effect("begins there too if it was paused before its first day", () => Targets.isPausedBeforeItsFirstDay(memory))

  it.effect("I14: is tried again, and then waits for somebody", () => Targets.triesEffectsAgain(memory))

  it.effect("I9: is finished once it was begun, and not done again, whatever an operator says meanwhile", () =>
    Effect.gen(function*() {
      for (const what of ["resume", "pause and resume", "retry another"] as const) {
        for (const where of ["here", "elsewhere"] as const) yield* Targets.actsOnceUnderOperators(memory, what, where)
      }
    }))

  it.effect("I14: is done once when two try it again at the same time", () => Targets.retriesEffectsOnce(memory))

  it.effect("I14: is done in the order of its stream once that is taken back", () => Targets.takesEffectsBack(memory))
})
