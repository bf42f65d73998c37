/**
 * The stores on PostgreSQL keep the promises of every store.
 */
import * as CheckpointStoreSuite from "../../src/testing/CheckpointStoreSuite.ts"
import * as DeadLettersSuite from "../../src/testing/DeadLettersSuite.ts"
import * as EventStoreSuite from "../../src/testing/EventStoreSuite.ts"
import * as InlineViewsSuite from "../../src/testing/InlineViewsSuite.ts"
import * as LeaseSuite from "../../src/testing/LeaseSuite.ts"
import * as SnapshotStoreSuite from "../../src/testing/SnapshotStoreSuite.ts"
import * as ViewStoreSuite from "../../src/testing/ViewStoreSuite.ts"
import { layerFresh, onPostgres } from "./server.ts"

onPostgres(() => {
  EventStoreSuite.suite("PostgreSQL", layerFresh)
  SnapshotStoreSuite.suite("PostgreSQL", layerFresh)
  CheckpointStoreSuite.suite("PostgreSQL", layerFresh)
  ViewStoreSuite.suite("PostgreSQL", layerFresh)
  DeadLettersSuite.suite("PostgreSQL", layerFresh)
  LeaseSuite.suite("PostgreSQL", layerFresh)
  InlineViewsSuite.suite("PostgreSQL", layerFresh)
})
