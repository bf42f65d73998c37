/**
 * SQLite files for tests: each in a folder of its own, which is removed with the scope.
 */
import { Context, Effect, Layer } from "effect"
import { SqlClient } from "effect/sql"
import { mkdtempSync, rmSync } from "node:fs"
import { tmpdir } from "node:os"
import { join } from "node:path"
import { DatabaseSync } from "node:sqlite"
import { CheckpointStore } from "../../src/CheckpointStore.ts"
import { DeadLetters } from "../../src/DeadLetters.ts"
import { EventStore } from "../../src/EventStore.ts"
import { Lease } from "../../src/Lease.ts"
import { SnapshotStore } from "../../src/SnapshotStore.ts"
import * as Sqlite from "../../src/sqlite/Sqlite.ts"
import { ViewStore } from "../../src/ViewStore.ts"

/** The name of a file that does not exist yet. */
export const freshFile = Effect.acquireRelease(
  Effect.sync(() => mkdtempSync(join(tmpdir(), "varve-test-"))),
  (folder) => Effect.sync(() => rmSync(folder, { recursive: true }))
).pipe(Effect.map((folder) => join(folder, "log.sqlite")))

/** The stores on a file of their own. */
export const layerFresh = Layer.unwrap(Effect.map(freshFile, (filename) => Sqlite.layer({ filename })))

/** Opens a file until the scope closes: a connection of its own each time. */
export const open = (options: Sqlite.Options) =>
  Effect.map(Layer.build(Sqlite.layer(options)), (context) => ({
    events: Context.get(context, EventStore),
    snapshots: Context.get(context, SnapshotStore),
    checkpoints: Context.get(context, CheckpointStore),
    views: Context.get(context, ViewStore),
    letters: Context.get(context, DeadLetters),
    leases: Context.get(context, Lease),
    sql: Context.get(context, SqlClient.SqlClient)
  }))

/** Another connection to a file, as another process would have it: it knows nothing of Varve. */
export const stranger = (filename: string) =>
  Effect.acquireRelease(
    Effect.sync(() => new DatabaseSync(filename, { timeout: 0 })),
    (database) => Effect.sync(() => database.close())
  )

/** Until the scope closes, commits end as they are told to and say that they failed. */
export const failingCommit = (errcode: number, outcome: string) =>
  Effect.acquireRelease(
    Effect.sync(() => {
      const { exec } = DatabaseSync.prototype
      DatabaseSync.prototype.exec = function(sql) {
        exec.call(this, sql === "COMMIT" ? outcome : sql)
        if (sql === "COMMIT") throw Object.assign(new Error("the engine's words"), { errcode })
      }
      return exec
    }),
    (exec) =>
      Effect.sync(() => {
        DatabaseSync.prototype.exec = exec
      })
  )
