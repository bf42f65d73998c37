/**
 * Roles that read one tenant at a time, as the server sees to it: whatever a statement asks for, rows of others are not
 * there. It is the second net; the first one is that each statement names its tenant.
 *
 * A policy leaves everything to everybody whom the tables are granted to, and another one restricts the admitted roles
 * to the tenant that their session is bound to. They are not forced upon the owner: a worker who owns the tables needs
 * no policy, and its backups would be refused.
 */
import { Effect } from "effect"
import type { SqlClient, SqlError } from "effect/sql"
import { refuseName } from "../Admission.ts"
import { EventStore, type LogRange, StoreUnavailable } from "../EventStore.ts"
import { untyped } from "../internal/types.ts"
import type { PostgresClient } from "./PostgresClient.ts"
import { toUnavailable } from "./PostgresFailures.ts"
import { type PostgresStatements, statement } from "./PostgresStatements.ts"

/** The setting that binds a session to a tenant. */
const setting = "varve.tenant"

/** What a session of a tenant's reader begins with. */
export const sessionOf = (tenant: string, role: string | undefined): Readonly<Record<string, string>> => ({
  [setting]: tenant,
  ...(role !== undefined && { role })
})

/** Guards a table that has a `tenant`, and lets these roles read it. */
export const guard = (table: string, roles: ReadonlyArray<string>): ReadonlyArray<string> => {
  const names = roles.map(quoted).join(", ")
  return roles.length === 0 ? [] : [
    `ALTER TABLE ${table} ENABLE ROW LEVEL SECURITY`,
    `DROP POLICY IF EXISTS everything ON ${table}`,
    `DROP POLICY IF EXISTS one_tenant ON ${table}`,
    `CREATE POLICY everything ON ${table} USING (true)`,
    `CREATE POLICY one_tenant ON ${table} AS RESTRICTIVE TO ${names}
  USING (tenant = current_setting('${setting}', true))`,
    `GRANT SELECT ON ${table} TO ${names}`
  ]
}

const quoted = (name: string): string => `"${name.replaceAll("\"", "\"\"")}"`

/** The roles that were admitted, as far as they still exist. */
export const readers = (
  { look }: PostgresClient["Service"],
  statements: PostgresStatements
): Effect.Effect<ReadonlyArray<string>, StoreUnavailable> =>
  Effect.map(look(statements.tenantReaders, []), (rows) => rows.map(([role]) => untyped<string>(role)))

/** Admits roles, beside those that were before. Nobody waits for it longer than 5 seconds. */
export const admit = (
  client: PostgresClient["Service"],
  statements: PostgresStatements,
  roles: ReadonlyArray<string>
): Effect.Effect<void, StoreUnavailable> => {
  const { schema, sql } = client
  const s = `"${schema}"`
  const run = (text: string) => sql.unsafe(text).unprepared
  const admitting = Effect.gen(function*() {
    yield* run("SET LOCAL lock_timeout = '5s'")
    yield* sql`SELECT pg_advisory_xact_lock(1986098789, hashtext(${schema}))`
    for (const role of roles) {
      yield* sql`INSERT INTO ${sql(`${schema}.tenant_readers`)} VALUES (${role}) ON CONFLICT DO NOTHING`
    }
    const all = yield* readers(client, statements)
    const missing = roles.find((role) => !all.includes(role))
    if (missing !== undefined) return yield* unavailable("admitReaders", `there is no role ${JSON.stringify(missing)}`)
    for (const table of yield* tablesOf(sql, schema)) {
      for (const text of guard(`${s}."${table}"`, all)) yield* run(text)
    }
    const names = all.map(quoted).join(", ")
    yield* run(`GRANT USAGE ON SCHEMA ${s} TO ${names}`)
    yield* run(`GRANT SELECT ON ${s}.store, ${s}.migrations, ${s}.live_views TO ${names}`)
  })
  return roles.length === 0 ? Effect.void : Effect.catchTag(
    sql.withTransaction(admitting),
    "SqlError",
    (error) => Effect.fail(toUnavailable({ name: "admitReaders" })(error))
  )
}

/** Those that have a tenant and that readers may know. */
const tablesOf = (
  sql: SqlClient.SqlClient,
  schema: string
): Effect.Effect<ReadonlyArray<string>, SqlError.SqlError> =>
  Effect.map(
    sql<
      { readonly name: string }
    >`SELECT c.relname AS name FROM pg_class c JOIN pg_namespace n ON n.oid = c.relnamespace
      WHERE n.nspname = ${schema} AND c.relkind = 'r'
        AND (c.relname IN ('events', 'snapshots', 'dead_letters', 'parked') OR c.relname LIKE 'view\\_%')`,
    (rows) => rows.map(({ name }) => name)
  )

// ── The reader's side

/** Makes sure that the server sees to it; else this is no reader of one tenant. */
export const requireBound = Effect.fnUntraced(function*(
  { read, schema }: PostgresClient["Service"],
  tenant: string
): Effect.fn.Return<void, StoreUnavailable> {
  const refusal = refuseName("the tenant", tenant)
  if (refusal !== undefined) return yield* unavailable("open", refusal.message)
  const [row] = yield* read(statement("isBound", isBound(`"${schema}".events`)), [])
  const [isGuarded, bound] = untyped<readonly [boolean, string | null]>(row)
  if (!isGuarded) {
    return yield* unavailable(
      "open",
      "the server does not restrict this user to a tenant: it owns the tables, is a superuser, or was not admitted with " +
        "Postgres.admitReaders"
    )
  }
  if (bound === tenant) return
  return yield* unavailable(
    "open",
    `the session is not bound to the tenant: behind a pooler its role must be, with ALTER ROLE … SET ${setting}`
  )
})

const isBound = (table: string): string =>
  `SELECT row_security_active('${table}') AND EXISTS (
  SELECT FROM pg_policy p, unnest(p.polroles) r(role)
  WHERE p.polrelid = '${table}'::regclass AND p.polname = 'one_tenant' AND pg_has_role(r.role, 'USAGE')),
current_setting('${setting}', true)`

/** The log as one tenant's reader sees it. Positions of others are not there, so nobody can tell whether one is missing. */
export const narrow = (events: EventStore["Service"], tenant: string): EventStore["Service"] => {
  const only = (range: LogRange): LogRange => ({
    ...range,
    filter: { ...range.filter, tenants: range.filter?.tenants?.filter((wanted) => wanted === tenant) ?? [tenant] }
  })
  return EventStore.of({
    ...events,
    readAll: (range) => events.readAll(only(range)),
    follow: (range) => events.follow(only(range)),
    audit: () => unavailable("audit", "who sees one tenant only cannot count the log")
  })
}

const unavailable = (operation: string, detail: string) =>
  Effect.fail(new StoreUnavailable({ operation, detail, lasting: true }))
