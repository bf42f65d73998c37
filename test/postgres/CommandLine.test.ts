/**
 * The command line on PostgreSQL: who only reads changes nothing, and is told what there is to do first.
 */
import { assert, describe, it } from "@effect/vitest"
import { Effect } from "effect"
import { expenses, fixture, inProject, plain, varve } from "../cli/processes.ts"
import { freshSchema, onPostgres, stranger, url } from "./server.ts"

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
