/**
 * The room of what tests need, whatever runs them: `import { Scenario } from "varve/testing"`. Nobody in here imports it.
 *
 * The suites for authors of stores are not among it, since they need Vitest: `varve/testing/EventStoreSuite`,
 * `SnapshotStoreSuite`, `CheckpointStoreSuite`, `ViewStoreSuite`, `DeadLettersSuite` and `LeaseSuite`.
 */
export * as Faults from "./Faults.ts"
export * as FaultyReadSide from "./FaultyReadSide.ts"
export * as FaultySnapshotStore from "./FaultySnapshotStore.ts"
export * as FaultyStore from "./FaultyStore.ts"
export * as Scenario from "./Scenario.ts"
export * as Seeded from "./Seeded.ts"
export * as TestRuntime from "./TestRuntime.ts"
