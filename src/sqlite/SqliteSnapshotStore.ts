/**
 * Snapshots in the file of the log that they belong to: a snapshot and the events after it are read in one turn.
 */
import { Clock, Effect } from "effect"
import { StoreUnavailable } from "../EventStore.ts"
import { SnapshotStore } from "../SnapshotStore.ts"
import type { SqliteClient } from "./SqliteClient.ts"
import * as SqliteClock from "./SqliteClock.ts"
import { detailOf, type TurnFailed } from "./SqliteErrors.ts"
import { streamPage } from "./SqliteEventStore.ts"
import type { SqliteStatements } from "./SqliteStatements.ts"

/** The snapshot store over an open file whose tables are up to date. */
export const make = (
  client: SqliteClient["Service"],
  statements: SqliteStatements,
  clock: SqliteClock.SqliteClock
): SnapshotStore["Service"] =>
  SnapshotStore.of({
    load: (stream, { atMost } = {}) =>
      Effect.flatMap(Clock.currentTimeMillis, (nowMillis) =>
        translated(
          "load",
          client.read("load", () => {
            const snapshot = statements.snapshot(stream, atMost ?? Number.MAX_SAFE_INTEGER)
            const readAtMillis = SqliteClock.tick(clock, nowMillis)
            return {
              snapshot,
              tail: streamPage(statements, stream, { after: snapshot?.version, to: atMost }, readAtMillis)
            }
          })
        )),
    save: (stream, snapshot) =>
      translated(
        "save",
        client.write("save", () => statements.version(stream) > 0 && statements.upsertSnapshot(stream, snapshot))
      ),
    discard: (stream, version) =>
      translated("discard", client.write("discard", () => statements.deleteSnapshot(stream, version)))
  })

/** A snapshot that may or may not have been saved is no loss, so an unknown outcome is told like a refusal. */
const translated = <A>(operation: string, effect: Effect.Effect<A, TurnFailed>): Effect.Effect<A, StoreUnavailable> =>
  Effect.mapError(effect, ({ error }) => new StoreUnavailable({ operation, detail: detailOf(error) }))
