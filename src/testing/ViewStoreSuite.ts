/**
 * The contract of `ViewStore` as tests: a store is finished when it passes them unchanged. For authors of stores.
 */
import { it } from "@effect/vitest"
import { type Duration, Layer } from "effect"
import { TestClock } from "effect/testing"
import type { ViewStore } from "../ViewStore.ts"
import * as Documents from "./suites/Documents.ts"
import { register } from "./suites/Guarantees.ts"
import * as Queries from "./suites/Queries.ts"
import * as Rooms from "./suites/Rooms.ts"

/** What a slow store may ask for. */
export interface Options {
  /** How long the Layer may take to be built and to be closed; what Vitest allows its hooks, unless given. */
  readonly timeout?: Duration.Input | undefined
}

/**
 * Declares the tests of a view store, in a file that Vitest runs. All of
 * them share one Layer, which is built once, under a `TestClock`, and need not be empty.
 *
 * @example
 * ```ts no-run
 * import * as Memory from "varve/memory/Memory"
 * import * as ViewStoreSuite from "varve/testing/ViewStoreSuite"
 *
 * ViewStoreSuite.suite("memory", Memory.layer)
 * ```
 */
export const suite = (
  name: string,
  layer: Layer.Layer<ViewStore, unknown>,
  options: Options = {}
): void =>
  it.layer(Layer.provideMerge(layer, today), options.timeout === undefined ? {} : { timeout: options.timeout })(
    `ViewStore (${name})`,
    (it) =>
      register(it, {
        documents: Documents.guarantees,
        queries: Queries.guarantees,
        "the versions of a view": Rooms.guarantees
      })
  )

const today = Layer.effectDiscard(TestClock.setTime(Date.UTC(2026, 0, 1)))
