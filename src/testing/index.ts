/**
 * The room of what tests need, whatever runs them: `import { Scenario } from "varve/testing"`. Nobody in here imports it.
 *
 * The suites for authors of stores are not among it, since they need Vitest: see `varve/testing/EventStoreSuite` and
 * `varve/testing/SnapshotStoreSuite`.
 */
export * as Scenario from "./Scenario.ts"
