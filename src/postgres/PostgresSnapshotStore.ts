/**
 * Snapshots in the schema of the log that they belong to: a snapshot and the events after it are one statement.
 */
import * as PgTypes from "@effect/sql-pg/PgTypes"
import { Effect } from "effect"
import { StoreUnavailable } from "../EventStore.ts"
import { pageLimit } from "../internal/pages.ts"
import { SnapshotStore } from "../SnapshotStore.ts"
import type { PostgresClient } from "./PostgresClient.ts"
import type { Failed } from "./PostgresFailures.ts"
import * as Rows from "./PostgresRows.ts"
import type { PostgresStatements } from "./PostgresStatements.ts"

/** The snapshot store over a schema that is up to date. */
export const make = (
  client: PostgresClient["Service"],
  statements: PostgresStatements
): SnapshotStore["Service"] =>
  SnapshotStore.of({
    load: (stream, { atMost } = {}) =>
      Effect.map(
        client.read(statements.loadSnapshot, [...Rows.key(stream), Rows.version(atMost), Rows.limit(pageLimit())]),
        (rows) => ({ snapshot: Rows.snapshot(rows), tail: Rows.streamPage(stream, rows) })
      ),
    save: (stream, { checksum, fingerprint, state, version }) => {
      const parameters = [PgTypes.int4(version), ...[fingerprint, state, checksum].map(PgTypes.text)]
      return changed("save", client.write(statements.saveSnapshot, [...Rows.key(stream), ...parameters]))
    },
    discard: (stream, version) =>
      changed("discard", client.write(statements.discardSnapshot, [...Rows.key(stream), PgTypes.int4(version)]))
  })

/** A snapshot that may or may not have been saved is no loss, so an unknown outcome is told like a refusal. */
const changed = (operation: string, effect: Effect.Effect<ReadonlyArray<unknown>, Failed>) =>
  Effect.mapBoth(effect, {
    onFailure: ({ detail }) => new StoreUnavailable({ operation, detail }),
    onSuccess: ({ length }) => length > 0
  })
