/**
 * The stores on SQLite keep the promises of every store.
 */
import * as EventStoreSuite from "../../src/testing/EventStoreSuite.ts"
import * as SnapshotStoreSuite from "../../src/testing/SnapshotStoreSuite.ts"
import { layerFresh } from "./file.ts"

EventStoreSuite.suite("SQLite", layerFresh)
SnapshotStoreSuite.suite("SQLite", layerFresh)
