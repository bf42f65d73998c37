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
  })
)
