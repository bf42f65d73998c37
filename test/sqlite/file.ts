/**
 * SQLite files for tests: each in a folder of its own, which is removed with the scope.
 */
import { Effect, Layer } from "effect"
import { mkdtempSync, rmSync } from "node:fs"
import { tmpdir } from "node:os"
import { join } from "node:path"
import * as Sqlite from "../../src/sqlite/Sqlite.ts"

/** The name of a file that does not exist yet. */
export const freshFile = Effect.acquireRelease(
  Effect.sync(() => mkdtempSync(join(tmpdir(), "varve-test-"))),
  (folder) => Effect.sync(() => rmSync(folder, { recursive: true }))
).pipe(Effect.map((folder) => join(folder, "log.sqlite")))

/** The stores on a file of their own. */
export const layerFresh = Layer.unwrap(Effect.map(freshFile, (filename) => Sqlite.layer({ filename })))
