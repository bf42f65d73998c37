/** What an author of a store writes, as a file that Vitest runs: here the store is Varve's own. */
import { Memory } from "varve/memory"
import * as EventStoreSuite from "varve/testing/EventStoreSuite"
import * as SnapshotStoreSuite from "varve/testing/SnapshotStoreSuite"

EventStoreSuite.suite("installed", Memory.layer)
SnapshotStoreSuite.suite("installed", Memory.layer)
