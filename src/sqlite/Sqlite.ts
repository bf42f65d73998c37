/**
 * All stores in one SQLite file: embedded, durable, for one machine. Several processes may share the file.
 */
import { Context, Effect, Layer } from "effect"
import type { SqlClient } from "effect/sql"
import { CheckpointStore } from "../CheckpointStore.ts"
import { DeadLetters } from "../DeadLetters.ts"
import { EventStore, StoreUnavailable } from "../EventStore.ts"
import { InlineViews } from "../InlineViews.ts"
import { Lease } from "../Lease.ts"
import { SnapshotStore } from "../SnapshotStore.ts"
import { ViewStore } from "../ViewStore.ts"
import * as SqliteCheckpointStore from "./SqliteCheckpointStore.ts"
import * as SqliteClient from "./SqliteClient.ts"
import * as SqliteClock from "./SqliteClock.ts"
import * as SqliteDeadLetters from "./SqliteDeadLetters.ts"
import { detailOf, isLasting } from "./SqliteErrors.ts"
import * as SqliteEventStore from "./SqliteEventStore.ts"
import * as SqliteInlineStatements from "./SqliteInlineStatements.ts"
import * as SqliteInlineViews from "./SqliteInlineViews.ts"
import * as SqliteLease from "./SqliteLease.ts"
import * as SqliteMigrations from "./SqliteMigrations.ts"
import * as SqliteReaderStatements from "./SqliteReaderStatements.ts"
import * as SqliteSnapshotStore from "./SqliteSnapshotStore.ts"
import * as SqliteStatements from "./SqliteStatements.ts"
import * as SqliteTurns from "./SqliteTurns.ts"
import * as SqliteViewStatements from "./SqliteViewStatements.ts"
import * as SqliteViewStore from "./SqliteViewStore.ts"

/**
 * Which file, and how to share it: `filename` is made if it does not exist, in a folder that does. With `exclusive` no
 * other process may open it meanwhile, and in return reads of a stream's version need no round trip.
 */
export type Options = SqliteClient.Options

/**
 * The stores in a file, which is made and brought up to date when the Layer is built. Beside the stores it gives the
 * file's `SqlClient`, for an application that keeps its own tables there; what the stores of readers are asked inside
 * its transactions is part of them.
 *
 * A commit that was acknowledged survives a crash of the machine (WAL, `synchronous` FULL). A file that another process
 * keeps locked is waited for, 5 seconds at most.
 *
 * `StoreUnavailable`: the file cannot be opened, or was changed by a newer build.
 *
 * @example
 * ```ts
 * import { Effect } from "effect"
 * import { mkdtempSync } from "node:fs"
 * import { tmpdir } from "node:os"
 * import { join } from "node:path"
 * import { EventStore } from "varve/EventStore"
 * import * as Sqlite from "varve/sqlite/Sqlite"
 *
 * const filename = join(mkdtempSync(join(tmpdir(), "varve-")), "orders.sqlite")
 * const head = Effect.flatMap(EventStore, (store) => store.head)
 *
 * await Effect.runPromise(Effect.provide(head, Sqlite.layer({ filename }))) // => 0n
 * ```
 */
export const layer = (
  options: Options
): Layer.Layer<
  EventStore | SnapshotStore | CheckpointStore | ViewStore | InlineViews | DeadLetters | Lease | SqlClient.SqlClient,
  StoreUnavailable
> => stores.pipe(Layer.provideMerge(open(options)))

const open = (options: Options) =>
  Layer.catchTag(
    SqliteClient.layer(options),
    "SqlError",
    (error) =>
      Layer.effectContext(
        Effect.fail(
          new StoreUnavailable({
            operation: "open",
            detail: detailOf(error),
            lasting: isLasting(error)
          })
        )
      )
  )

const stores = Layer.effectContext(Effect.gen(function*() {
  const client = yield* SqliteClient.SqliteClient
  yield* SqliteMigrations.run
  const statements = SqliteStatements.make(client.database)
  const readers = SqliteReaderStatements.make(client.database)
  const views = SqliteViewStatements.make(client.database)
  const inline = SqliteInlineStatements.make(client.database)
  const clock = SqliteClock.make()
  const turns = SqliteTurns.make(client, clock)
  const storeId = statements.storeId()
  const parts = { client, clock, log: statements, readers, views, inline, storeId }
  return Context.make(EventStore, SqliteEventStore.make(parts)).pipe(
    Context.add(SnapshotStore, SqliteSnapshotStore.make(client, statements, clock)),
    Context.add(CheckpointStore, SqliteCheckpointStore.make(client, readers, turns, storeId)),
    Context.add(ViewStore, SqliteViewStore.make(readers, views, inline, turns, storeId)),
    Context.add(InlineViews, SqliteInlineViews.make(parts)),
    Context.add(DeadLetters, SqliteDeadLetters.make(readers, turns, storeId)),
    Context.add(Lease, SqliteLease.make(readers, turns))
  )
}))
