/**
 * The stores in memory keep the promises of every store.
 */
import * as Memory from "../../src/memory/Memory.ts"
import * as EventStoreSuite from "../../src/testing/EventStoreSuite.ts"
import * as SnapshotStoreSuite from "../../src/testing/SnapshotStoreSuite.ts"

EventStoreSuite.suite("memory", Memory.layer)
SnapshotStoreSuite.suite("memory", Memory.layer)
