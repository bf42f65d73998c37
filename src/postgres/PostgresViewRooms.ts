/**
 * The tables of views: made when a view is prepared, and known from then on, so that nobody asks for one that is not
 * there. A statement that fails would take a whole transaction with it; who asks in vain is told, and may go on.
 */
import { Effect } from "effect"
import type { SqlError } from "effect/sql"
import { StoreUnavailable } from "../EventStore.ts"
import * as Documents from "../internal/documents.ts"
import { untyped } from "../internal/types.ts"
import type { ViewDefinition, ViewId } from "../ViewStore.ts"
import type { PostgresClient } from "./PostgresClient.ts"
import { toUnavailable } from "./PostgresFailures.ts"
import type { PostgresStatements } from "./PostgresStatements.ts"
import * as PostgresTenants from "./PostgresTenants.ts"
import * as ViewStatements from "./PostgresViewStatements.ts"

/** The columns of a table; there are none where there is no table. */
export type Columns = ReadonlySet<string>

/** The tables of views in a schema, as far as this process knows. */
export interface PostgresViewRooms {
  /** Makes what is missing. */
  readonly prepare: (view: ViewDefinition) => Effect.Effect<void, StoreUnavailable>
  /** Does something with a view that has its table. */
  readonly enter: <A, E>(
    view: ViewId,
    operation: string,
    work: (columns: Columns) => Effect.Effect<A, E>
  ) => Effect.Effect<A, E | StoreUnavailable>
  /** It may have gone: whoever comes next looks. */
  readonly forget: (view: ViewId) => void
}

/** Unless it may `migrate`, views must have their tables already. */
export const make = (
  client: PostgresClient["Service"],
  statements: PostgresStatements,
  migrate: boolean
): PostgresViewRooms => {
  const known = new Map<string, Columns>()
  const nameOf = ({ name, version }: ViewId) => `${name}/${version}`
  // What a transaction has made is there for others when it is kept, and not before.
  const look = (view: ViewId) =>
    Effect.tap(columnsOf(client, view), (columns) =>
      Effect.map(client.isWithin, (isWithin) => {
        if (!isWithin && columns.size > 0) known.set(nameOf(view), columns)
      }))
  const enter = <A, E>(
    view: ViewId,
    operation: string,
    work: (columns: Columns) => Effect.Effect<A, E>
  ): Effect.Effect<A, E | StoreUnavailable> =>
    Effect.suspend(() => {
      Documents.assertView(view)
      const columns = known.get(nameOf(view))
      return columns === undefined
        ? Effect.flatMap(look(view), (found): Effect.Effect<A, E | StoreUnavailable> =>
          found.size > 0 ? work(found) : absent(view, operation))
        : work(columns)
    })
  return {
    prepare: (view) =>
      Effect.suspend(() => {
        Documents.assertDefinition(view)
        return Effect.andThen(prepare(client, statements, view, migrate), Effect.asVoid(look(view)))
      }),
    enter,
    forget: (view) => known.delete(nameOf(view))
  }
}

const absent = (view: ViewId, operation: string) =>
  Effect.fail(new StoreUnavailable({ operation, detail: Documents.noRoom(view), lasting: true }))

const columnsOf = (
  { look, schema }: PostgresClient["Service"],
  view: ViewId
): Effect.Effect<Columns, StoreUnavailable> =>
  Effect.map(
    look(ViewStatements.columns(schema, view), []),
    (rows) => new Set(rows.map(([name]) => untyped<string>(name)))
  )

/** Looks first: where all is there, nobody has to wait, and nobody needs the right to make anything. */
const prepare = Effect.fnUntraced(function*(
  client: PostgresClient["Service"],
  statements: PostgresStatements,
  view: ViewDefinition,
  migrate: boolean
): Effect.fn.Return<void, StoreUnavailable> {
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
  client: PostgresClient["Service"],
  view: ViewDefinition
): Effect.Effect<ReadonlyArray<string> | undefined, StoreUnavailable> =>
  Effect.map(columnsOf(client, view), (found) => {
    const { schema } = client
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
    : toUnavailable({ name: "prepare" })(error)

const unprepared = (view: ViewId, next: string): StoreUnavailable =>
  new StoreUnavailable({ operation: "prepare", detail: `${Documents.noRoom(view)}; ${next}`, lasting: true })
