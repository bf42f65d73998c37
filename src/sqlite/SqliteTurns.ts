/**
 * How the stores of the log's readers ask the engine: as part of the transaction that they are asked in, by the store's
 * clock, and with its failures in their own words.
 */
import { Clock, Effect } from "effect"
import type { StoreUnavailable } from "../EventStore.ts"
import type { SqliteClient, Work } from "./SqliteClient.ts"
import * as SqliteClock from "./SqliteClock.ts"
import { unavailable } from "./SqliteErrors.ts"

/** Work at a time of the store's clock. */
export type Turn = <A>(operation: string, work: (nowMillis: number) => A) => Effect.Effect<A, StoreUnavailable>

/** Turns that read, and turns that write, of one file. */
export interface SqliteTurns {
  readonly read: Turn
  readonly write: Turn
}

/** Those of an open file. */
export const make = (client: SqliteClient["Service"], clock: SqliteClock.SqliteClock): SqliteTurns => {
  const turn = (joined: Work): Turn => (operation, work) =>
    Effect.flatMap(
      Clock.currentTimeMillis,
      (nowMillis) =>
        Effect.mapError(joined(operation, () => work(SqliteClock.tick(clock, nowMillis))), unavailable(operation))
    )
  return { read: turn(client.joinedRead), write: turn(client.joinedWrite) }
}
