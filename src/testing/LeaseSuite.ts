/**
 * The contract of `Lease` as tests: a store is finished when it passes them unchanged. For authors of stores.
 */
import { it } from "@effect/vitest"
import { type Duration, Layer } from "effect"
import { TestClock } from "effect/testing"
import type { Lease } from "../Lease.ts"
import { register } from "./suites/Guarantees.ts"
import * as Leases from "./suites/Leases.ts"

/** What a slow store may ask for. */
export interface Options {
  /** How long the Layer may take to be built and to be closed; what Vitest allows its hooks, unless given. */
  readonly timeout?: Duration.Input | undefined
}

/**
 * Declares the tests of leases, in a file that Vitest runs. All of
 * them share one Layer, which is built once, under a `TestClock`, and need not be empty.
 *
 * @example
 * ```ts no-run
 * import * as Memory from "varve/memory/Memory"
 * import * as LeaseSuite from "varve/testing/LeaseSuite"
 *
 * LeaseSuite.suite("memory", Memory.layer)
 * ```
 */
export const suite = (
  name: string,
  layer: Layer.Layer<Lease, unknown>,
  options: Options = {}
): void =>
  it.layer(Layer.provideMerge(layer, today), options.timeout === undefined ? {} : { timeout: options.timeout })(
    `Lease (${name})`,
    (it) => register(it, { leases: Leases.guarantees })
  )

const today = Layer.effectDiscard(TestClock.setTime(Date.UTC(2026, 0, 1)))
