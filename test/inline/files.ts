/**
 * The stores in a SQLite file and on PostgreSQL, in real time.
 */
import { TestClock } from "effect/testing"
import { layerFresh as onServer } from "../postgres/server.ts"
import { layerFresh as inFile } from "../sqlite/file.ts"
import type { Stores } from "./world.ts"

export const sqlite: Stores = { layer: inFile, inTime: TestClock.withLive }

export const postgres: Stores = { layer: onServer, inTime: TestClock.withLive }
