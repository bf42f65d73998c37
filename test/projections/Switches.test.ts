/**
 * Projections in memory: the moment at which another version is read.
 */
import { describe, it } from "@effect/vitest"
import { Effect } from "effect"
import { memory } from "./memory.ts"
import {
  isNeverReadHalf,
  isNotRolledBackTo,
  isUnpinnedElsewhere,
  losesNothing,
  tellsWhatIsShown,
  waitsForTheLate
} from "./switches.ts"

describe("another version", () => {
  it.effect("I16: is never read whose code cannot work off what is in the log", () =>
    Effect.forEach([1, 7, 20], (nth) => isNeverReadHalf(memory, nth), { discard: true }))

  it.effect("I16: is not read before its last page is done, however few are left", () => losesNothing(memory))

  it.effect("I16: is not read while one of its partitions lacks what has come since", () => waitsForTheLate(memory))

  it.effect("I16: is not gone back to if it lacks a single event", () => isNotRolledBackTo(memory))

  it.effect("I16: is read soon once a tool has unpinned the old one, though nothing happens in the log", () =>
    isUnpinnedElsewhere(memory))

  it.effect("I16: is told of to those who are shown it, and to nobody else", () => tellsWhatIsShown(memory))
})
