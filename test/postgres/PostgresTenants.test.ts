/**
 * A tenant's reader sees nothing of others, also where the code forgets to ask for one tenant only.
 */
import * as PgClient from "@effect/sql-pg/PgClient"
import { assert, describe, it } from "@effect/vitest"
import { deepStrictEqual, strictEqual } from "@effect/vitest/utils"
import { Context, Effect, Fiber, Layer, Redacted, Stream } from "effect"
import { Reactivity } from "effect/reactivity"
import { EventStore } from "../../src/EventStore.ts"
import { planned } from "../../src/internal/documents.ts"
import * as Postgres from "../../src/postgres/Postgres.ts"
import { inRealTime } from "../../src/postgres/PostgresClock.ts"
import * as PostgresStatements from "../../src/postgres/PostgresStatements.ts"
import * as PostgresViewQueries from "../../src/postgres/PostgresViewQueries.ts"
import * as ViewStatements from "../../src/postgres/PostgresViewStatements.ts"
import * as Sample from "../../src/testing/suites/Sample.ts"
import { snapshot } from "../../src/testing/suites/Snapshots.ts"
import { type ViewDefinition, type ViewQuery, ViewStore } from "../../src/ViewStore.ts"
import { freshSchema, onPostgres, open, roomOf, stranger, url } from "./server.ts"

const view = (version: number): ViewDefinition => ({
  name: "notes",
  version,
  indexes: [{ field: "status", type: "text" }]
})
const secretOf = (tenant: string) => `the secret of ${tenant}`
const tenants = ["a", "b"]

/** A role that may log in and owns nothing; it goes with the scope. */
const freshRole = Effect.acquireRelease(
  Effect.gen(function*() {
    const role = yield* freshSchema
    yield* (yield* stranger).unsafe(`CREATE ROLE ${role} LOGIN`)
    return role
  }),
  (role) =>
    Effect.orDie(
      Effect.scoped(Effect.flatMap(stranger, (sql) =>
        Effect.andThen(sql.unsafe(`DROP OWNED BY ${role}`), sql.unsafe(`DROP ROLE ${role}`))))
    )
)

const urlOf = (role: string) => url.replace("postgres@", `${role}@`)

/** Two tenants with rows in every table, and a role that was admitted in the middle of it. */
const shared = Effect.gen(function*() {
  const schema = yield* freshSchema
  const owner = yield* open({ schema })
  const role = yield* freshRole
  const streams = tenants.map((tenant) => Sample.stream({ tenant, category: "Note", id: "n-1" }))
  yield* owner.views.prepare(view(1))
  yield* Postgres.admitReaders({ url, schema }, [role])
  yield* owner.views.prepare(view(2))
  for (const [index, stream] of streams.entries()) {
    const { tenant } = stream
    const position = BigInt(index + 1)
    const secret = secretOf(tenant)
    yield* owner.events.append([[Sample.write(stream, 0, [Sample.event({ data: { secret } })])]])
    yield* owner.snapshots.save(stream, { ...snapshot(1), state: secret })
    const reader = { name: "r", version: 1 }
    yield* owner.letters.put({ reader, position, stream, type: "T", reason: "HandlerFailed", error: secret })
    yield* owner.letters.park({ reader, stream, fromPosition: position })
    const document = JSON.stringify({ status: "open", secret })
    for (const version of [1, 2]) yield* owner.views.write(view(version), [{ tenant, key: "n-1", document }])
  }
  return { schema, owner, role, streams }
})

const openTenant = (options: Postgres.TenantOptions) =>
  Effect.map(Layer.build(Postgres.layerTenant(options)), (context) => ({
    events: Context.get(context, EventStore),
    views: Context.get(context, ViewStore),
    sql: Context.get(context, PgClient.PgClient)
  }))

/** A session of a role, bound to a tenant or not. */
const session = (role: string, tenant?: string) =>
  inRealTime(PgClient.makeClient({
    url: Redacted.make(urlOf(role)),
    ...(tenant !== undefined && { startupParameters: { "varve.tenant": tenant } })
  })).pipe(Effect.provide(Reactivity.layer))

/** The statements that read rows of tenants, without what asks for one tenant, and what to give them. */
const careless = (schema: string): ReadonlyArray<readonly [PostgresStatements.Statement, ReadonlyArray<unknown>]> => {
  const own = PostgresStatements.make(schema)
  const bound = PostgresStatements.make(schema, { ofTenant: true })
  const key = ["b", "Note", "n-1"]
  const queries: ReadonlyArray<ViewQuery> = [
    { tenant: "b", limit: 10 },
    { tenant: "b", limit: 10, where: [{ field: "status", equals: "open" }] },
    { tenant: "b", limit: 10, orderBy: { field: "status", direction: "ascending" } },
    { tenant: "b", limit: 10, orderBy: { field: "status", direction: "descending" } }
  ]
  const ofViews = [1, 2].flatMap((version) => {
    const definition = view(version)
    const plans = queries.map((query) => planned(definition, query)!)
    return [
      [ViewStatements.make(schema, definition).read, [["b"], ["n-1"]]] as const,
      ...plans.map((plan) => {
        const { parameters, statement } = PostgresViewQueries.list(roomOf(schema, definition), plan)
        return [statement, parameters] as const
      })
    ]
  })
  const ofLog = [own, bound].flatMap((statements) => [
    [statements.readStream, [...key, 0, 100, 10]] as const,
    [statements.readStreamBackwards, [...key, 0, 100, 10]] as const,
    [statements.loadSnapshot, [...key, 100, 10]] as const,
    [statements.readLog, [0n, 10]] as const,
    [statements.readLogFiltered, [0n, 10, ["b"], null, null]] as const
  ])
  return [
    ...ofLog,
    ...ofViews,
    [own.letter, ["r", 1, 2n]],
    [own.letters, [0n, "", 0, 10]],
    [own.lettersOf, ["r", 1, 0n, "", 0, 10]]
  ]
}

const isFilter = /\b\w*\.?tenant = (\$1|k\.tenant)|\(\$3::text\[\] IS NULL OR e\.tenant = ANY\(\$3\)\)/g
const forget = (text: string) =>
  text.replaceAll(
    isFilter,
    (filter) =>
      filter.includes("$3") ? "$3::text[] IS NOT NULL" : filter.includes("$1") ? "$1::text IS NOT NULL" : "true"
  )

onPostgres(() =>
  describe("a reader of one tenant", () => {
    it.live("I21: is given no row of another by any statement, though each forgets the tenant that it asks for", () =>
      Effect.gen(function*() {
        const { role, schema } = yield* shared
        const [bound, unbound, owner] = [yield* session(role, "a"), yield* session(role), yield* stranger]
        const found = (sql: PgClient.PgClient, text: string, given: ReadonlyArray<unknown>) =>
          Effect.map(sql.unsafe(text, given).values, (rows) => {
            const all = rows.flat().join("\n")
            return tenants.filter((tenant) => all.includes(secretOf(tenant)))
          })
        for (const [{ name, text }, given] of careless(schema)) {
          const forgetful = forget(text)
          assert.include(yield* found(owner, text, given), "b", `${name} finds the secret where nothing guards it`)
          deepStrictEqual(yield* found(bound, forgetful, given), name === "letter" ? [] : ["a"], name)
          deepStrictEqual(yield* found(unbound, forgetful, given), [], name)
        }
        const { parked } = PostgresStatements.make(schema)
        deepStrictEqual((yield* bound.unsafe(parked.text, ["r", 1]).values).map(([tenant]) => tenant), ["a"])
      }))

    it.live("I21: sees its own, and nothing of others, through the log, the views and its SQL", () =>
      Effect.gen(function*() {
        const { role, schema, streams } = yield* shared
        const { events, sql, views } = yield* openTenant({ url: urlOf(role), schema, tenant: "b" })
        const page = yield* events.readAll({ after: 0n })
        deepStrictEqual(page.events.map(({ position, tenant }) => [position, tenant]), [[2n, "b"]])
        deepStrictEqual([page.position, page.head], [2n, 2n])
        strictEqual((yield* events.readAll({ after: 0n, filter: { tenants: ["a"] } })).events.length, 0)
        deepStrictEqual(
          yield* Effect.forEach(streams, (stream) => Effect.map(events.readStream(stream), ({ version }) => version)),
          [0, 1]
        )
        deepStrictEqual(yield* events.streams({ tenant: "a", category: "Note" }), [])
        strictEqual((yield* events.streams({ tenant: "b", category: "Note" })).length, 1)
        for (const version of [1, 2]) {
          strictEqual(yield* views.count(view(version), { tenant: "a" }), 0)
          strictEqual(yield* views.count(view(version), { tenant: "b" }), 1)
        }
        deepStrictEqual(yield* sql`SELECT DISTINCT tenant FROM ${sql(`${schema}.events`)}`, [{ tenant: "b" }])
      }))

    it.live("follows the log, and knows how long it is though its end is another's", () =>
      Effect.gen(function*() {
        const { owner, role, schema } = yield* shared
        const { events } = yield* openTenant({ url: urlOf(role), schema, tenant: "a" })
        strictEqual(yield* events.head, 2n)
        const stream = Sample.stream({ tenant: "a" })
        const following = yield* Effect.forkChild(
          Stream.runHead(Stream.filter(events.follow({ after: 2n }), ({ events }) => events.length > 0))
        )
        yield* owner.events.append([[Sample.write(Sample.stream({ tenant: "b" }), 0, Sample.events(3))]])
        yield* owner.events.append([[Sample.write(stream, 0, Sample.events(1))]])
        const found = yield* Fiber.join(following)
        deepStrictEqual(found.valueOrUndefined?.events.map(({ position }) => position), [6n])
        const [own, others] = [yield* events.readStream(stream), yield* owner.events.readStream(stream)]
        assert.isAtMost(Math.abs(others.readAtMillis - own.readAtMillis), 60_000)
      }))

    it.live("changes nothing, and has no say in what it cannot see", () =>
      Effect.gen(function*() {
        const { role, schema } = yield* shared
        const { events, views } = yield* openTenant({ url: urlOf(role), schema, tenant: "a" })
        const stream = Sample.stream({ tenant: "a" })
        const refused = [
          events.append([[Sample.write(stream, 0, Sample.events(1))]]),
          events.receipt(stream, "c"),
          events.pruneReceipts({ beforeMillis: 0, limit: 1 }),
          events.audit(0n),
          views.write(view(1), [{ tenant: "a", key: "k", document: "{}" }]),
          views.clear(view(1)),
          views.prepare(view(3)),
          views.flip("notes", { from: undefined, to: { version: 1, pinned: false } })
        ]
        for (const attempt of refused) {
          const { message } = yield* Effect.flip(attempt as Effect.Effect<unknown, { readonly message: string }>)
          assert.match(message, /the user lacks a privilege|cannot count the log|was never prepared/)
        }
      }))

    it.live("finds documents by index all the same", () =>
      Effect.gen(function*() {
        const { role, schema } = yield* shared
        const sql = yield* session(role, "a")
        const plan = planned(view(2), { tenant: "a", limit: 5, where: [{ field: "status", equals: "open" }] })!
        const { statement } = PostgresViewQueries.list(roomOf(schema, view(2)), plan)
        yield* sql`SET enable_seqscan = off`
        yield* sql`SET plan_cache_mode = force_generic_plan`
        yield* sql.unsafe(`PREPARE listing AS ${statement.text}`).unprepared
        const rows = yield* sql.unsafe<{ readonly "QUERY PLAN": string }>("EXPLAIN EXECUTE listing(NULL, NULL, NULL)")
          .unprepared
        assert.match(rows.map((row) => row["QUERY PLAN"]).join("\n"), /Index Cond: .*text_status = \$3/)
      }))

    it.live("I21: is one by its role: who owns the tables, or was not admitted, is refused", () =>
      Effect.gen(function*() {
        const { role, schema } = yield* shared
        const other = yield* freshRole
        const sql = yield* stranger
        yield* sql.unsafe(`GRANT USAGE ON SCHEMA ${schema} TO ${other}`)
        yield* sql.unsafe(`GRANT SELECT ON ALL TABLES IN SCHEMA ${schema} TO ${other}`)
        const refusal = (options: Omit<Postgres.TenantOptions, "schema" | "tenant">) =>
          Effect.map(Effect.flip(Effect.scoped(openTenant({ schema, tenant: "a", ...options }))), ({ message }) =>
            message)
        for (const refused of [yield* refusal({ url }), yield* refusal({ url: urlOf(other) })]) {
          assert.include(refused, "Postgres.admitReaders")
        }
        assert.include(yield* refusal({ url: urlOf(role), behindPooler: true }), "the session is not bound")
        yield* sql.unsafe(`GRANT ${role} TO ${other}`)
        const { events } = yield* openTenant({ url: urlOf(other), schema, tenant: "a", role })
        strictEqual((yield* events.readAll({ after: 0n })).events.length, 1)
        yield* sql.unsafe(`ALTER ROLE ${role} SET varve.tenant = 'b'`)
        const pooled = yield* openTenant({ url: urlOf(role), schema, tenant: "b", behindPooler: true })
        strictEqual((yield* pooled.events.readAll({ after: 0n })).events[0]!.tenant, "b")
      }))

    it.live("is admitted once more, or not at all", () =>
      Effect.gen(function*() {
        const { owner, role, schema } = yield* shared
        const second = yield* freshRole
        const refused = yield* Effect.flip(Postgres.admitReaders({ url, schema }, [second, "nobody \"here"]))
        assert.include(refused.message, "there is no role")
        strictEqual((yield* owner.sql`SELECT role FROM ${owner.sql(`${schema}.tenant_readers`)}`).length, 1)
        yield* Postgres.admitReaders({ url, schema }, [second, role])
        for (const user of [role, second]) {
          const { events } = yield* openTenant({ url: urlOf(user), schema, tenant: "a" })
          strictEqual((yield* events.readAll({ after: 0n })).events.length, 1)
        }
        const worker = yield* open({ schema })
        strictEqual((yield* worker.events.readAll({ after: 0n })).events.length, 2)
        assert.include(
          (yield* Effect.flip(Postgres.admitReaders({ url: urlOf(role), schema }, [role]))).message,
          "privilege"
        )
      }))
  })
)
