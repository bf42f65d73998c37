/**
 * Projections in memory: their days.
 */
import { describe, it } from "@effect/vitest"
import { Effect } from "effect"
import * as Life from "./life.ts"
import { memory } from "./memory.ts"

const seeds = Array.from({ length: 10 }, (_, index) => index + 1)

describe("a projection", () => {
  it.effect("I12: is run by one worker, and by the next one within the time of a lease when that has died", () =>
    Life.takesOver(memory, 10_000))

  it.effect("is run by the next one at once when a worker has stopped in good order", () => Life.handsOver(memory))

  it.effect("I19: begins anew when it stands still while the log goes on", () => Life.standsStill(memory))

  it.effect("pauses, shows what each event does, and goes on", () => Life.pausesAndSteps(memory))

  it.effect("I19: is reset by a process that does not run it", () => Life.isResetElsewhere(memory))

  it.effect("I11: is filled by several partitions, whose number is no secret", () =>
    Effect.forEach(seeds, (seed) => Life.partitions(memory, seed), { discard: true }))

  it.effect("I9: is given each event that it wants, in the order of the log; again after a restart only", () =>
    Effect.forEach(seeds, (seed) => Life.skipsNothing(memory, seed), { discard: true }))

  it.effect("tells those who listen what has become of which document", () => Life.tellsListeners(memory))

  it.effect("folds the log in each process", () =>
    Effect.forEach(seeds, (seed) => Life.folds(memory, seed), { discard: true }))

  it.effect("I20: stops where the log is not what it was, until somebody has looked", () => Life.notices(memory))

  it.effect("does not start where documents and checkpoints are in two stores", () => Life.refusesTwoStores(memory))

  it.effect("is awaited up to a position", () => Life.awaits(memory))

  it.effect("answers what is asked of a view", () => Life.answersQueries(memory))
})
