/**
 * Views in the schema of the log: a table for each version of each, part of whatever transaction they are asked in.
 */
import * as PgTypes from "@effect/sql-pg/PgTypes"
import { Effect } from "effect"
import type { Refusal } from "../Admission.ts"
import { StoreUnavailable, type ViewId } from "../EventStore.ts"
import * as Documents from "../internal/documents.ts"
import { untyped } from "../internal/types.ts"
import { type StoredDocument, ViewStore } from "../ViewStore.ts"
import type { PostgresClient, Row } from "./PostgresClient.ts"
import * as Rows from "./PostgresRows.ts"
import type { PostgresStatements } from "./PostgresStatements.ts"
import * as PostgresViewQueries from "./PostgresViewQueries.ts"
import type { PostgresViewRooms } from "./PostgresViewRooms.ts"
import * as ViewStatements from "./PostgresViewStatements.ts"

/** The view store over a schema that is up to date. */
export const make = (
  client: PostgresClient["Service"],
  statements: PostgresStatements,
  rooms: PostgresViewRooms,
  storeId: string
): ViewStore["Service"] =>
  ViewStore.of({
    storeId,
    prepare: rooms.prepare,
    ...reading(client, rooms),
    ...writing(client, statements, rooms),
    ...living(client, statements)
  })

const reading = (
  { look, schema }: PostgresClient["Service"],
  { enter }: PostgresViewRooms
): Pick<ViewStore["Service"], "read" | "list" | "count"> => ({
  read: (view, keys) =>
    enter(view, "read", () => {
      const possible = keys.filter(({ key, tenant }) => Rows.isName(tenant) && Rows.isName(key))
      const columns = [possible.map(({ tenant }) => tenant), possible.map(({ key }) => key)]
      return Effect.map(
        look(ViewStatements.make(schema, view).read, columns.map(Rows.names)),
        (rows) => rows.map((row) => ({ ...documentOf(row), tenant: untyped<string>(row[3]) }))
      )
    }),
  list: (view, query) =>
    Effect.suspend(() => {
      const plan = Documents.planned(view, query)
      return enter(view, "list", (columns) => {
        if (plan === undefined) return Effect.succeed([])
        const { parameters, statement } = PostgresViewQueries.list({ schema, view, columns }, plan)
        return Effect.map(look(statement, parameters), (rows) => rows.map((row) => documentOf(row.slice(2))))
      })
    }),
  count: (view, query) =>
    Effect.suspend(() => {
      const plan = Documents.planned(view, { ...query, limit: 1 })
      return enter(view, "count", (columns) => {
        if (plan === undefined) return Effect.succeed(0)
        const { parameters, statement } = PostgresViewQueries.count({ schema, view, columns }, plan)
        return Effect.map(look(statement, parameters), ([row]) => Number(untyped<bigint>(row![0])))
      })
    })
})

const writing = (
  { change, schema, transaction }: PostgresClient["Service"],
  statements: PostgresStatements,
  { enter, forget }: PostgresViewRooms
): Pick<ViewStore["Service"], "write" | "clear" | "drop"> => ({
  write: (view, changes) =>
    Effect.suspend((): Effect.Effect<void, StoreUnavailable | Refusal> => {
      const refusal = Documents.refuseChanges(changes)
      if (refusal !== undefined) return Effect.fail(refusal)
      const columns = [
        changes.map(({ tenant }) => tenant),
        changes.map(({ key }) => key),
        changes.map(({ document }) => document ?? null)
      ]
      const { write } = ViewStatements.make(schema, view)
      return enter(view, "write", () => unlessInline(view, "write", change(write, columns.map(Rows.texts))))
    }),
  clear: (view) =>
    enter(view, "clear", () => unlessInline(view, "clear", change(ViewStatements.make(schema, view).clear, []))),
  drop: (view) =>
    Effect.suspend(() => {
      Documents.assertView(view)
      forget(view)
      const unread = change(statements.forgetLive, [Rows.name(view.name), Rows.number(view.version)])
      const own = ViewStatements.make(schema, view)
      return transaction(
        "drop",
        unlessInline(view, "drop", change(own.isInline, [])).pipe(
          Effect.andThen(unread),
          Effect.andThen(Effect.asVoid(change(own.drop, [])))
        )
      )
    })
})

/** A statement that does nothing where a view is inline says whether it is. */
const unlessInline = (
  view: ViewId,
  operation: string,
  statement: Effect.Effect<ReadonlyArray<Row>, StoreUnavailable>
): Effect.Effect<void, StoreUnavailable> =>
  Effect.flatMap(statement, ([row]) =>
    row?.[0] === true
      ? Effect.fail(new StoreUnavailable({ operation, detail: Documents.isInline(view), lasting: true }))
      : Effect.void)

const living = (
  { change, look }: PostgresClient["Service"],
  statements: PostgresStatements
): Pick<ViewStore["Service"], "live" | "flip"> => ({
  live: (name) =>
    Effect.suspend(() => {
      Documents.assertViewName(name)
      return Effect.map(look(statements.live, [Rows.name(name)]), ([row]) => {
        if (row === undefined) return undefined
        const [version, pinned] = untyped<readonly [number, boolean]>(row)
        return { version, pinned }
      })
    }),
  flip: (name, { from, to }) =>
    Effect.suspend(() => {
      Documents.assertView({ name, version: to.version })
      const target = [Rows.name(name), Rows.number(to.version), PgTypes.bool(to.pinned)]
      const flipped = from === undefined
        ? change(statements.beginLive, target)
        : change(statements.flipLive, [...target, Rows.number(from)])
      return Effect.map(flipped, ({ length }) => length > 0)
    })
})

const documentOf = (row: Row): StoredDocument => {
  const [key, revision, document] = untyped<readonly [string, number, string]>(row)
  return { key, revision, document }
}
