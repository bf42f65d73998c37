/**
 * The contract of `SnapshotStore` as tests: a store is finished when it passes them unchanged. For authors of stores.
 */
import { it } from "@effect/vitest"
import { type Duration, Layer } from "effect"
import { TestClock } from "effect/testing"
import type { EventStore } from "../EventStore.ts"
import type { SnapshotStore } from "../SnapshotStore.ts"
import { register } from "./suites/Guarantees.ts"
import * as Snapshots from "./suites/Snapshots.ts"
import * as SnapshotTails from "./suites/SnapshotTails.ts"

/** What a slow store may ask for. */
export interface Options {
  /** How long the Layer may take to be built and to be closed; what Vitest allows its hooks, unless given. */
  readonly timeout?: Duration.Input | undefined
}

/**
 * Declares the tests of a snapshot store beside the event store that it belongs to, in a file that Vitest runs. All of
 * them share one Layer, which is built once, under a `TestClock`, and need not be empty.
 *
 * @example
 * ```ts no-run
 * import * as Memory from "varve/memory/Memory"
 * import * as SnapshotStoreSuite from "varve/testing/SnapshotStoreSuite"
 *
 * SnapshotStoreSuite.suite("memory", Memory.layer)
 * ```
 */
export const suite = (
  name: string,
  layer: Layer.Layer<EventStore | SnapshotStore, unknown>,
  options: Options = {}
): void =>
  it.layer(Layer.provideMerge(layer, today), options.timeout === undefined ? {} : { timeout: options.timeout })(
    `SnapshotStore (${name})`,
    (it) => register(it, { snapshots: Snapshots.guarantees, "snapshots with their tails": SnapshotTails.guarantees })
  )

const today = Layer.effectDiscard(TestClock.setTime(Date.UTC(2026, 0, 1)))
