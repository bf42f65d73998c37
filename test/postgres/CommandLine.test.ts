/**
 * The command line on PostgreSQL: who only reads changes nothing, and is told what there is to do first.
 */
import { assert, describe, it } from "@effect/vitest"
import { Effect } from "effect"
import * as PgBouncer from "../../scripts/pgbouncer.ts"
import { whenReady } from "../../scripts/postgres.ts"
import { expenses, fixture, inProject, plain, varve } from "../cli/processes.ts"
import { freshSchema, onPostgres, open, stranger, url } from "./server.ts"

const app = ["--app", inProject("examples/expenses/app.ts")]

const at = (schema: string) => ["--store", "postgres", "--url", `${url}?schema=${schema}`]

const asked = (...args: ReadonlyArray<string>) => Effect.promise(() => varve(args))

const isThere = Effect.fnUntraced(function*(schema: string) {
  return (yield* (yield* stranger)`SELECT 1 FROM pg_namespace WHERE nspname = ${schema}`).length > 0
})

onPostgres(() =>
  describe("who only reads a store on PostgreSQL", () => {
    it.live("makes none where there is none, and is told what does", () =>
      Effect.gen(function*() {
        const schema = yield* freshSchema
        const place = new URL(url)
        const said = `There is nothing yet on PostgreSQL at ${place.host}${place.pathname}.\n` +
          "Start a worker, or `run` a file of commands: either makes one.\n"
        const reading = [
          ["views", "status", ...app, ...at(schema)],
          ["views", "get", "budget-totals", "budget history", ...app, ...at(schema)],
          ["export", ...at(schema)]
        ]
        for (const args of reading) {
          const { exitCode, stderr, stdout } = yield* asked(...args)
          assert.deepStrictEqual([exitCode, stdout, stderr], [1, "", said])
        }
        assert.isFalse(yield* isThere(schema))
      }), 120_000)

    it.live("leaves one that an older build has made as it is", () =>
      Effect.gen(function*() {
        const schema = yield* freshSchema
        const ran = yield* asked(...expenses, "--commands", fixture, "--projections", ...at(schema))
        assert.strictEqual(ran.exitCode, 0, ran.stderr)
        const current = yield* asked("views", "status", ...app, ...at(schema))
        assert.deepStrictEqual([current.exitCode, current.stderr], [0, ""])
        assert.match(current.stdout, /budget-totals +1 live +200 +200 +0/)
        const sql = yield* stranger
        const table = sql(`${schema}.migrations`)
        const [last] = yield* sql`DELETE FROM ${table} WHERE migration_id = (SELECT max(migration_id) FROM ${table})
          RETURNING migration_id`
        const newest = Number(last!["migration_id"])
        const behind = yield* asked("views", "status", ...app, ...at(schema))
        assert.isTrue(plain(behind), behind.stderr)
        assert.deepStrictEqual([behind.exitCode, behind.stdout], [1, ""])
        assert.include(behind.stderr, ` is at ${newest - 1} of ${newest}; \`migrate\` goes on.`)
      }), 120_000)

    it.live("sees that nobody goes on with a projection whose log was restored, whoever has it, and what to do", () =>
      Effect.gen(function*() {
        const schema = yield* freshSchema
        const ran = yield* asked(...expenses, "--commands", fixture, "--projections", ...at(schema))
        assert.strictEqual(ran.exitCode, 0, ran.stderr)
        const sql = yield* stranger
        yield* sql`UPDATE ${sql(`${schema}.checkpoints`)} SET epoch = 'another life' WHERE name = 'budget-totals'`
        const isStopped = Effect.gen(function*() {
          const { exitCode, stdout } = yield* asked("views", "status", ...app, ...at(schema))
          assert.strictEqual(exitCode, 0)
          assert.match(stdout, /^budget-totals +1 live +200 +200 +0 +stopped /m)
          assert.match(
            stdout,
            /^budget-totals is stopped: The log is not the one that .* not another life, as after a restore\. .* reset\. To accept is `views accept budget-totals`, to reset `views reset budget-totals --yes`\.$/m
          )
        })
        yield* isStopped
        yield* sql`INSERT INTO ${sql(`${schema}.leases`)} (name, holder, until, term)
          VALUES ('projection/budget-totals/1/0', 'a worker', now() + interval '1 hour', 7)
          ON CONFLICT (name) DO UPDATE SET holder = excluded.holder, until = excluded.until`
        yield* isStopped
        const accepted = yield* asked("views", "accept", "budget-totals", ...app, ...at(schema))
        assert.strictEqual(accepted.exitCode, 0, accepted.stderr)
        const after = yield* asked("views", "status", "budget-totals", ...app, ...at(schema))
        assert.match(after.stdout, /^budget-totals +1 live +200 +200 +0 +running /m)
      }), 120_000)
  })
)

onPostgres(() =>
  describe("`migrate`", () => {
    it.live("says of a schema that needs a newer build that it does, and not that it is up to date", () =>
      Effect.gen(function*() {
        const schema = yield* freshSchema
        yield* Effect.scoped(open({ schema }))
        const sql = yield* stranger
        yield* sql`UPDATE ${sql(`${schema}.store`)} SET oldest_build = 1000`
        for (const flags of [["--check"], []]) {
          const { exitCode, stderr, stdout } = yield* asked("migrate", ...flags, ...at(schema))
          assert.deepStrictEqual([exitCode, stdout], [1, ""])
          assert.include(stderr, "the schema needs a build that knows migration 1000, this one knows ")
        }
      }), 120_000)

    it.live("asks whom it is not allowed for a privilege, and not to do what he has just done", () =>
      Effect.gen(function*() {
        const schema = yield* freshSchema
        const sql = yield* stranger
        yield* sql.unsafe(`CREATE ROLE ${schema} LOGIN; `)
        yield* Effect.addFinalizer(() =>
          Effect.orDie(sql.unsafe(`DROP ROLE ${schema}`))
        )
        const own = at(schema).map((text) =>
          text.replace("postgres@", `${schema}@`)
        )
        for (const flags of [["--check"], []]) {
          if (flags.length > 0) {
            yield* Effect.scoped(open({ schema }))
          } else yield* sql.unsafe(`DROP SCHEMA ${schema} CASCADE`)
          const { exitCode, stderr, stdout } = yield* asked("migrate", ...flags, ...own)
          assert.deepStrictEqual([exitCode, stdout], [1, ""])
          assert.include(stderr, "have the owner of the schema or of the database grant it, or do this as that owner\n")
          assert.notInclude(stderr, "run `migrate`")
        }
      }), 120_000)
  })
)

/** A pooler before the server, until the scope closes. */
const pooler = Effect.acquireRelease(
  Effect.promise(async () => {
    const started = await PgBouncer.start(url)
    if ("missing" in started) return started
    const ready = await whenReady(started)
    return "missing" in ready ? ready : started
  }),
  (started) => Effect.promise(async () => "stop" in started ? started.stop() : undefined)
)

onPostgres(() =>
  it.live(
    "who comes by way of a pooler says so in the URL; who does not is asked whether there is one",
    (test) =>
      Effect.gen(function*() {
        const started = yield* pooler
        if ("missing" in started) return test.skip(started.missing)
        const schema = yield* freshSchema
        const place = `${started.url}?schema=${schema}`
        const said = ["--store", "postgres", "--url", `${place}&pooler=transaction`]
        const ran = yield* asked(...expenses, "--commands", fixture, "--projections", ...said)
        assert.strictEqual(ran.exitCode, 0, ran.stderr)
        const status = yield* asked("views", "status", ...app, ...said)
        assert.match(status.stdout, /^budget-totals +1 live +200 +200 +0/m)
        const unsaid = yield* asked("views", "status", ...app, "--store", "postgres", "--url", place)
        assert.deepStrictEqual([unsaid.exitCode, unsaid.stdout], [1, ""])
        assert.include(
          unsaid.stderr,
          "is it behind a pooler, like PgBouncer in transaction mode? Then say so with ?pooler="
        )
      }),
    120_000
  )
)
