/**
 * The contract of `InlineViews`, and of the appends that write their documents, as tests: a store is finished when it
 * passes them unchanged. For authors of stores.
 */
import { it } from "@effect/vitest"
import { type Duration, Layer } from "effect"
import { TestClock } from "effect/testing"
import * as Entering from "./suites/Entering.ts"
import { register } from "./suites/Guarantees.ts"
import * as Inline from "./suites/Inline.ts"
import * as InlineOrder from "./suites/InlineOrder.ts"

/** What a slow store may ask for. */
export interface Options {
  /** How long the Layer may take to be built and to be closed; what Vitest allows its hooks, unless given. */
  readonly timeout?: Duration.Input | undefined
}

/**
 * Declares the tests of inline views, beside the stores that they share a database with, in a file that Vitest runs. All
 * of them share one Layer, which is built once, under a `TestClock`, and need not be empty. Nobody else writes to it.
 *
 * @example
 * ```ts no-run
 * import * as Memory from "varve/memory/Memory"
 * import * as InlineViewsSuite from "varve/testing/InlineViewsSuite"
 *
 * InlineViewsSuite.suite("memory", Memory.layer)
 * ```
 */
export const suite = (
  name: string,
  layer: Layer.Layer<Entering.Ports, unknown>,
  options: Options = {}
): void =>
  it.layer(Layer.provideMerge(layer, today), options.timeout === undefined ? {} : { timeout: options.timeout })(
    `InlineViews (${name})`,
    (it) =>
      register(it, {
        "when a view is inline": Entering.guarantees,
        "documents that appends write": Inline.guarantees,
        "what comes before documents": InlineOrder.guarantees
      })
  )

const today = Layer.effectDiscard(TestClock.setTime(Date.UTC(2026, 0, 1)))
