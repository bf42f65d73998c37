/**
 * Inline views in the schema of the log: which they are is a row for each, which every append looks at.
 */
import * as PgTypes from "@effect/sql-pg/PgTypes"
import { Effect } from "effect"
import type { Position } from "../Event.ts"
import { type EventStore, StoreUnavailable, type ViewId } from "../EventStore.ts"
import { type Entered, InlineViews } from "../InlineViews.ts"
import * as Documents from "../internal/documents.ts"
import * as Inline from "../internal/inline.ts"
import { untyped } from "../internal/types.ts"
import type { PostgresClient } from "./PostgresClient.ts"
import * as Rows from "./PostgresRows.ts"
import type { PostgresStatements } from "./PostgresStatements.ts"
import type { PostgresViewRooms } from "./PostgresViewRooms.ts"

/** The inline views of a schema that is up to date. */
export const make = (
  client: PostgresClient["Service"],
  statements: PostgresStatements,
  rooms: PostgresViewRooms,
  { epoch, storeId }: EventStore["Service"]
): InlineViews["Service"] => {
  const outside = <A>(operation: string, work: Effect.Effect<A, StoreUnavailable>) =>
    Effect.flatMap(client.isWithin, (isWithin) => isWithin ? Effect.fail(within(operation)) : work)
  const idOf = ({ name, version }: ViewId) => [Rows.name(name), Rows.number(version)]
  return InlineViews.of({
    storeId,
    list: Effect.map(
      client.read(statements.inlineViews, []),
      (rows) =>
        rows.map((row) => {
          const [name, version, types] = untyped<readonly [string, number, ReadonlyArray<string>]>(row)
          return { name, version, types }
        })
    ),
    ended: Effect.map(
      client.read(statements.endedViews, []),
      (rows) =>
        rows.map((row) => {
          const [name, version, position] = untyped<readonly [string, number, Position]>(row)
          return { name, version, position }
        })
    ),
    enter: (view) =>
      Effect.suspend(() => {
        Inline.assertInline(view)
        const types = Rows.names([...new Set(view.types)])
        const asked = Effect.flatMap(epoch, (epoch) =>
          client.apart(statements.enterInline, [...idOf(view), types, PgTypes.text(epoch)]))
        return outside(
          "enter",
          rooms.enter(view, "enter", () =>
            Effect.map(asked, ([row]) => enteredOf(row!)))
        )
      }),
    leave: (view) =>
      Effect.suspend(() => {
        Documents.assertView(view)
        const asked = Effect.flatMap(epoch, (epoch) =>
          client.apart(statements.leaveInline, [...idOf(view), PgTypes.text(epoch)]))
        return outside(
          "leave",
          Effect.map(asked, ([row]) =>
            untyped<boolean>(row![0]))
        )
      })
  })
}

const within = (operation: string) =>
  new StoreUnavailable({ operation, detail: "it is asked from inside a transaction; ask after it has ended" })

const enteredOf = (row: ReadonlyArray<unknown>): Entered => {
  const [entered, position] = untyped<readonly [Entered["_tag"], Position]>(row)
  return entered === "filling" ? { _tag: entered, position } : { _tag: entered }
}
