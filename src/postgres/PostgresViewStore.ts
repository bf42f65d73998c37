/**
 * Views in the schema of the log: a table for each version of each, part of whatever transaction they are asked in.
 */
import * as PgTypes from "@effect/sql-pg/PgTypes"
import { Effect } from "effect"
import type { SqlError } from "effect/sql"
import type { Refusal } from "../Admission.ts"
import { StoreUnavailable } from "../EventStore.ts"
import * as Documents from "../internal/documents.ts"
import { untyped } from "../internal/types.ts"
import { type StoredDocument, type ViewDefinition, type ViewId, ViewStore } from "../ViewStore.ts"
import type { PostgresClient, Row } from "./PostgresClient.ts"
import { toUnavailable } from "./PostgresFailures.ts"
import * as Rows from "./PostgresRows.ts"
import type { PostgresStatements } from "./PostgresStatements.ts"
import * as PostgresTenants from "./PostgresTenants.ts"
import * as ViewStatements from "./PostgresViewStatements.ts"

/** The view store over a schema that is up to date. Unless it may `migrate`, views must have their tables already. */
export const make = (
  client: PostgresClient["Service"],
  statements: PostgresStatements,
  { migrate, storeId }: { readonly migrate: boolean; readonly storeId: string }
): ViewStore["Service"] =>
  ViewStore.of({
    storeId,
    prepare: (view) => Effect.suspend(() => prepare(client, statements, view, migrate)),
    ...reading(client),
    ...writing(client, statements),
    ...living(client, statements)
  })

const statementsOf = ({ schema }: PostgresClient["Service"], view: ViewId) => {
  Documents.assertView(view)
  return ViewStatements.make(schema, view)
}

const reading = (client: PostgresClient["Service"]): Pick<ViewStore["Service"], "read" | "list" | "count"> => {
  const { look, schema } = client
  return {
    read: (view, keys) =>
      Effect.suspend(() => {
        const possible = keys.filter(({ key, tenant }) => Rows.isName(tenant) && Rows.isName(key))
        const columns = [possible.map(({ tenant }) => tenant), possible.map(({ key }) => key)]
        return Effect.map(
          look(statementsOf(client, view).read, columns.map(Rows.names)),
          (rows) => rows.map((row) => ({ ...documentOf(row), tenant: untyped<string>(row[3]) }))
        )
      }),
    list: (view, query) =>
      Effect.suspend(() => {
        Documents.assertView(view)
        const plan = Documents.planned(view, query)
        if (plan === undefined) return nothing(client, view, [])
        const { parameters, statement } = ViewStatements.list(schema, view, plan)
        return Effect.map(look(statement, parameters), (rows) => rows.map((row) => documentOf(row.slice(2))))
      }),
    count: (view, query) =>
      Effect.suspend(() => {
        Documents.assertView(view)
        const plan = Documents.planned(view, { ...query, limit: 1 })
        if (plan === undefined) return nothing(client, view, 0)
        const { parameters, statement } = ViewStatements.count(schema, view, plan)
        return Effect.map(look(statement, parameters), ([row]) => Number(untyped<bigint>(row![0])))
      })
  }
}

const writing = (
  client: PostgresClient["Service"],
  statements: PostgresStatements
): Pick<ViewStore["Service"], "write" | "clear" | "drop"> => {
  const { change, transaction } = client
  return {
    write: (view, changes) =>
      Effect.suspend((): Effect.Effect<void, StoreUnavailable | Refusal> => {
        const { write } = statementsOf(client, view)
        const refusal = Documents.refuseChanges(changes)
        if (refusal !== undefined) return Effect.fail(refusal)
        const columns = [
          changes.map(({ tenant }) => tenant),
          changes.map(({ key }) => key),
          changes.map(({ document }) => document ?? null)
        ]
        return Effect.asVoid(change(write, columns.map(Rows.texts)))
      }),
    clear: (view) => Effect.suspend(() => Effect.asVoid(change(statementsOf(client, view).clear, []))),
    drop: (view) =>
      Effect.suspend(() => {
        const { drop } = statementsOf(client, view)
        const forget = change(statements.forgetLive, [Rows.name(view.name), Rows.number(view.version)])
        return transaction("drop", Effect.andThen(forget, Effect.asVoid(change(drop, []))))
      })
  }
}

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

/** What cannot match anything still needs a view that is there. */
const nothing = <A>({ look, schema }: PostgresClient["Service"], view: ViewId, answer: A) =>
  Effect.as(look(ViewStatements.make(schema, view).read, [Rows.names([]), Rows.names([])]), answer)

const documentOf = (row: Row): StoredDocument => {
  const [key, revision, document] = untyped<readonly [string, number, string]>(row)
  return { key, revision, document }
}

// ── The table

/** Looks first: where all is there, nobody has to wait, and nobody needs the right to make anything. */
const prepare = Effect.fnUntraced(function*(
  client: PostgresClient["Service"],
  statements: PostgresStatements,
  view: ViewDefinition,
  migrate: boolean
): Effect.fn.Return<void, StoreUnavailable> {
  Documents.assertDefinition(view)
  const missing = yield* missingOf(client, view)
  if (missing === undefined) return
  if (!migrate) return yield* unprepared(view, "have somebody who may change the schema prepare it first")
  yield* Effect.catchTag(
    makeRoom(client, statements, view),
    "SqlError",
    (error) => Effect.fail(toRefusal(client, view, error))
  )
})

/** What has to be made; undefined if nothing. */
const missingOf = (
  { look, schema }: PostgresClient["Service"],
  view: ViewDefinition
): Effect.Effect<ReadonlyArray<string> | undefined, StoreUnavailable> =>
  Effect.map(look(ViewStatements.columns(schema, view), []), (rows) => {
    const found = new Set(rows.map(([name]) => untyped<string>(name)))
    const indexes = Array.from(ViewStatements.columnsOf(view))
      .flatMap(([column, index]) => found.has(column) ? [] : ViewStatements.createIndex(schema, view, index))
    const table = found.size === 0 ? [ViewStatements.createTable(schema, view)] : []
    return table.length + indexes.length === 0 ? undefined : [...table, ...indexes]
  })

/** One worker after the other: the second finds that there is nothing left to make. */
const makeRoom = (
  client: PostgresClient["Service"],
  statements: PostgresStatements,
  view: ViewDefinition
): Effect.Effect<void, StoreUnavailable | SqlError.SqlError> => {
  const { schema, sql } = client
  return sql.withTransaction(Effect.gen(function*() {
    yield* sql`SELECT pg_advisory_xact_lock(1986098789, hashtext(${schema}))`
    const missing = (yield* missingOf(client, view)) ?? []
    const guards = ViewStatements.guard(schema, view, yield* PostgresTenants.readers(client, statements))
    for (const text of [...missing, ...guards]) yield* sql.unsafe(text).unprepared
  }))
}

const toRefusal = ({ schema }: PostgresClient["Service"], view: ViewId, error: SqlError.SqlError): StoreUnavailable =>
  error.reason._tag === "AuthorizationError"
    ? unprepared(
      view,
      `the user may not make tables in the schema ${schema}: grant it CREATE there, or have its owner ` +
        "prepare the view first"
    )
    : toUnavailable("prepare")(error)

const unprepared = (view: ViewId, next: string): StoreUnavailable =>
  new StoreUnavailable({ operation: "prepare", detail: `${Documents.noRoom(view)}; ${next}`, lasting: true })
