/**
 * The contract of `DeadLetters` as tests: a store is finished when it passes them unchanged. For authors of stores.
 */
import { it } from "@effect/vitest"
import { type Duration, Layer } from "effect"
import { TestClock } from "effect/testing"
import type { CheckpointStore } from "../CheckpointStore.ts"
import type { DeadLetters } from "../DeadLetters.ts"
import { register } from "./suites/Guarantees.ts"
import * as Letters from "./suites/Letters.ts"

/** What a slow store may ask for. */
export interface Options {
  /** How long the Layer may take to be built and to be closed; what Vitest allows its hooks, unless given. */
  readonly timeout?: Duration.Input | undefined
}

/**
 * Declares the tests of dead letters, beside the checkpoint store that they share transactions with, in a file that
 * Vitest runs. All of
 * them share one Layer, which is built once, under a `TestClock`, and need not be empty.
 *
 * @example
 * ```ts no-run
 * import * as Memory from "varve/memory/Memory"
 * import * as DeadLettersSuite from "varve/testing/DeadLettersSuite"
 *
 * DeadLettersSuite.suite("memory", Memory.layer)
 * ```
 */
export const suite = (
  name: string,
  layer: Layer.Layer<DeadLetters | CheckpointStore, unknown>,
  options: Options = {}
): void =>
  it.layer(Layer.provideMerge(layer, today), options.timeout === undefined ? {} : { timeout: options.timeout })(
    `DeadLetters (${name})`,
    (it) => register(it, { letters: Letters.guarantees })
  )

const today = Layer.effectDiscard(TestClock.setTime(Date.UTC(2026, 0, 1)))
