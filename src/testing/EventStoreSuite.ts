/**
 * The contract of `EventStore` as tests: a store is finished when it passes them unchanged. For authors of stores.
 */
import { it } from "@effect/vitest"
import { type Duration, Layer } from "effect"
import { TestClock } from "effect/testing"
import type { EventStore } from "../EventStore.ts"
import * as Appends from "./suites/Appends.ts"
import * as Expectations from "./suites/Expectations.ts"
import * as Follows from "./suites/Follows.ts"
import { register } from "./suites/Guarantees.ts"
import * as Limits from "./suites/Limits.ts"
import * as LogReads from "./suites/LogReads.ts"
import * as Order from "./suites/Order.ts"
import * as Pruning from "./suites/Pruning.ts"
import * as Receipts from "./suites/Receipts.ts"
import * as Resends from "./suites/Resends.ts"
import * as StreamReads from "./suites/StreamReads.ts"
import * as Summaries from "./suites/Summaries.ts"
import * as Texts from "./suites/Texts.ts"

/** What a slow store may ask for. */
export interface Options {
  /** How long the Layer may take to be built and to be closed; 10 seconds, Vitest's own bound for hooks, unless given. */
  readonly timeout?: Duration.Input | undefined
}

/**
 * Declares the tests of a store, in a file that Vitest runs. All of them share one store, which nobody else writes to
 * while they run; it is built once, under a `TestClock`, and need not be empty.
 *
 * @example
 * ```ts no-run
 * import * as Memory from "varve/memory/Memory"
 * import * as EventStoreSuite from "varve/testing/EventStoreSuite"
 *
 * EventStoreSuite.suite("memory", Memory.layer)
 * ```
 */
export const suite = (name: string, layer: Layer.Layer<EventStore, unknown>, options: Options = {}): void =>
  it.layer(Layer.provideMerge(layer, today), options.timeout === undefined ? {} : { timeout: options.timeout })(
    `EventStore (${name})`,
    (it) =>
      register(it, {
        appends: Appends.guarantees,
        expectations: Expectations.guarantees,
        receipts: Receipts.guarantees,
        pruning: Pruning.guarantees,
        "appends that are sent again": Resends.guarantees,
        order: Order.guarantees,
        "reading a stream": StreamReads.guarantees,
        "reading the log": LogReads.guarantees,
        "following the log": Follows.guarantees,
        "streams at a glance": Summaries.guarantees,
        limits: Limits.guarantees,
        texts: Texts.guarantees
      })
  )

// Virtual time begins in 1970, where a clock that goes back would be before the beginning of time.
const today = Layer.effectDiscard(TestClock.setTime(Date.UTC(2026, 0, 1)))
