/**
 * The stores on PostgreSQL keep the promises of every store.
 */
import * as EventStoreSuite from "../../src/testing/EventStoreSuite.ts"
import * as SnapshotStoreSuite from "../../src/testing/SnapshotStoreSuite.ts"
import { layerFresh, onPostgres } from "./server.ts"

onPostgres(() => {
  EventStoreSuite.suite("PostgreSQL", layerFresh)
  SnapshotStoreSuite.suite("PostgreSQL", layerFresh)
})
