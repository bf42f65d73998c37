/**
 * The real log: 55,628 lines of 10,357 travel-expense declarations, carried out by the command line. What is right is
 * known from the file alone, and from a script that knows the rule and nothing of Varve.
 */
import { assert, describe, it, type TestContext } from "@effect/vitest"
import { Duration, Effect, Layer, Option } from "effect"
import { existsSync, readFileSync } from "node:fs"
import { join } from "node:path"
import { DatabaseSync } from "node:sqlite"
import { gunzipSync } from "node:zlib"
import app from "../examples/expenses/app.ts"
import { check } from "../examples/expenses/check.ts"
import { damage } from "../examples/expenses/damage.ts"
import { derive } from "../examples/expenses/derive.ts"
import { totals, units } from "../examples/expenses/totals.ts"
import * as AggregateRuntime from "../src/AggregateRuntime.ts"
import * as AppProjections from "../src/cli/AppProjections.ts"
import * as CatchUp from "../src/cli/CatchUp.ts"
import * as CommandFile from "../src/cli/CommandFile.ts"
import * as Run from "../src/cli/Run.ts"
import * as StatusLine from "../src/cli/StatusLine.ts"
import * as Memory from "../src/memory/Memory.ts"
import * as ProjectionRunner from "../src/ProjectionRunner.ts"
import * as Store from "../src/Store.ts"
import { expenses, inProject, makeFile, makeFolder, type Setting, varve } from "./cli/processes.ts"
import { freshSchema, onPostgres, url } from "./postgres/server.ts"

/** It lies beside the project, not in it. */
const path = inProject("../shared/data/domestic-declarations.ndjson.gz")

/** The log's text; without the file there is nothing to test. */
const readLog = ({ skip }: TestContext): string => {
  if (!existsSync(path)) skip("../shared/data/domestic-declarations.ndjson.gz is not here")
  return gunzipSync(readFileSync(path)).toString()
}

const run = async (args: ReadonlyArray<string>, setting?: Setting) => {
  const ended = await varve([...expenses, "--json", ...args], setting)
  assert.strictEqual(ended.exitCode, 0, ended.stderr)
  const { accepted, bad, lines, position, projections, rejected } = JSON.parse(ended.stdout)
  return { accepted, bad, lines, position, rejected, ...projections !== undefined && { projections } }
}

interface Line {
  readonly case: string
  readonly activity: string
  readonly Amount?: string
  readonly BudgetNumber?: string
  readonly DeclarationNumber?: string
}

const parse = (log: string): ReadonlyArray<Line> => log.trimEnd().split("\n").map((line) => JSON.parse(line))

const unparse = (lines: ReadonlyArray<Line>): string => lines.map((line) => `${JSON.stringify(line)}\n`).join("")

/** The values of each key, in their order. */
const group = <A>(entries: Iterable<readonly [string, A]>): ReadonlyMap<string, ReadonlyArray<A>> => {
  const groups = new Map<string, Array<A>>()
  for (const [key, value] of entries) {
    const known = groups.get(key)
    if (known === undefined) groups.set(key, [value])
    else known.push(value)
  }
  return groups
}

const sizes = (groups: ReadonlyMap<string, ReadonlyArray<unknown>>): Record<string, number> =>
  Object.fromEntries([...groups].map(([key, values]) => [key, values.length]))

/** What an event is called in the log. Written down again here, so that the example's own words are tested as well. */
const activityOf = (type: string, by: string | undefined): string => {
  if (type === "PaymentRequested") return "Request Payment"
  if (type === "PaymentHandled") return "Payment Handled"
  const done = type.replace("Declaration", "").toUpperCase()
  return `Declaration ${by === "SUPERVISOR" && done === "APPROVED" ? "FINAL_" : ""}${done} by ${by ?? "EMPLOYEE"}`
}

/** Every event in a database as the line that it came from; only those that hand in tell what is claimed. */
const readBack = (file: string): ReadonlyArray<Line> => {
  const database = new DatabaseSync(file, { readOnly: true })
  const events = database.prepare("SELECT stream_id, type, data, metadata FROM varve_events ORDER BY position").all()
  database.close()
  return events.map(({ data, metadata, stream_id, type }) => {
    const { amount, budget, by, number } = JSON.parse(String(data))
    const { causationId: _, ...beside } = JSON.parse(String(metadata))
    const claim = amount === undefined ? {} : { Amount: amount, BudgetNumber: budget, DeclarationNumber: number }
    return { ...beside, ...claim, case: String(stream_id), activity: activityOf(String(type), by) }
  })
}

/** All documents of both views, in the shape of the script that knows no Varve. */
const views = Effect.scoped(Effect.gen(function*() {
  const { views } = yield* AppProjections.of(app)
  const read = Effect.fnUntraced(function*(name: string) {
    const documents: Record<string, any> = {}
    for (let after: string | undefined;;) {
      const page = yield* views(name).list({ limit: 1_000, after })
      for (const { document, key } of page) documents[key] = document
      after = page.at(-1)?.key
      if (after === undefined) return documents
    }
  })
  const declarations = yield* read("declarations-by-status")
  const budgets = yield* read("budget-totals")
  for (const declaration of Object.values(declarations)) delete declaration.changedAt
  for (const budget of Object.values(budgets)) {
    budget.submitted = units(budget.submitted)
    budget.paid = units(budget.paid)
  }
  return { declarations, budgets }
}))

const viewsOn = Effect.fnUntraced(function*(store: string, url: string) {
  const choice = yield* Store.choose({ store: Option.some(store), url: Option.some(url) })
  return yield* Effect.provide(views, Store.layer(choice))
})

const inMemory = app.projections!.pipe(
  Layer.provideMerge(app.aggregates),
  Layer.provide(AggregateRuntime.layer),
  Layer.provideMerge(ProjectionRunner.layer),
  Layer.provideMerge(Memory.layer)
)

/** How a run of all of it with its projections ends. */
const complete = {
  lines: 55_628,
  accepted: 55_628,
  rejected: {},
  bad: 0,
  position: "55628",
  projections: ["budget-totals", "declarations-by-status"].map((name) => ({ name, position: "55628" }))
}

/** The streams in, without what differs from run to run. */
const streamsIn = (log: string) =>
  group(
    log.trimEnd().split("\n").map((line) => {
      const { category, data, id, metadata, schemaVersion, tenant, type, version } = JSON.parse(line)
      return [`${tenant}/${category}/${id}`, { version, type, schemaVersion, data, metadata }] as const
    })
  )

const asReadBack = (line: Line): Line => {
  const { Amount: _, BudgetNumber: __, DeclarationNumber: ___, ...step } = line
  return / (SAVED|SUBMITTED) /.test(line.activity) ? line : step
}

describe("the real log", () => {
  it("is the source of the rule, to the byte", (context) => {
    const rule = readFileSync(inProject("examples/expenses/rule.ts"), "utf8")
    assert.strictEqual(derive(readLog(context)), rule)
  })

  it(
    "is carried out in full on SQLite: every line is an event of its stream, in order and as it was, the views tell what " +
      "a script tells, and all of it can be replayed",
    async (context) => {
      const log = readLog(context)
      const lines = parse(log)
      const cwd = makeFolder()
      const ended = await run(["--commands", path, "--store", "sqlite", "--url", "log.sqlite", "--projections"], {
        cwd
      })
      assert.deepStrictEqual(ended, complete)
      assert.deepStrictEqual(await Effect.runPromise(viewsOn("sqlite", join(cwd, "log.sqlite"))), totals(log))

      const found = readBack(join(cwd, "log.sqlite"))
      const activities = (lines: ReadonlyArray<Line>) => sizes(group(lines.map(({ activity }) => [activity, null])))
      assert.deepStrictEqual(activities(found), activities(lines))
      const streams = group(found.map((line) => [line.case, line]))
      assert.strictEqual(streams.size, 10_357)
      assert.deepStrictEqual(streams, group(lines.map((line) => [line.case, asReadBack(line)])))

      const exporting = ["export", "--store", "sqlite", "--url", "log.sqlite", "--output", "log.ndjson.gz"]
      const exported = await varve(exporting, { cwd })
      assert.strictEqual(exported.exitCode, 0, exported.stderr)
      const replayed = await varve(["history", ...expenses.slice(1), "--log", "log.ndjson.gz", "--json"], { cwd })
      assert.deepStrictEqual(JSON.parse(replayed.stdout), {
        app: "expenses",
        events: 55_628,
        streams: 10_357,
        passedOver: 0,
        broken: 0,
        breaks: []
      })
    },
    300_000
  )

  onPostgres(() =>
    it.live(
      "leads to the same streams on PostgreSQL as on SQLite, event for event, and to the views of the script",
      (context) =>
        Effect.gen(function*() {
          const expected = totals(readLog(context))
          const cwd = makeFolder()
          const places = [["sqlite", "log.sqlite"], ["postgres", `${url}?schema=${yield* freshSchema}`]] as const
          const logs = yield* Effect.promise(() =>
            Promise.all(places.map(async ([store, url]) => {
              const chosen = ["--store", store, "--url", url]
              const projections = store === "postgres" ? ["--projections"] : []
              const { projections: _, ...ended } = await run(["--commands", path, ...chosen, ...projections], { cwd })
              assert.deepStrictEqual({ ...complete, ...ended }, complete)
              const output = join(cwd, `${store}.ndjson`)
              const exported = await varve(["export", ...chosen, "--output", output], { cwd })
              assert.strictEqual(exported.exitCode, 0, exported.stderr)
              return streamsIn(readFileSync(output, "utf8"))
            }))
          )
          assert.strictEqual(logs[0]!.size, 10_357)
          assert.deepStrictEqual(logs[1], logs[0])
          assert.deepStrictEqual(yield* viewsOn(...places[1]), expected)
        }),
      600_000
    )
  )

  it("keeps to the rule in the cases that the rule was not derived from", async (context) => {
    const lines = parse(readLog(context))
    const cases = [...new Set(lines.map((line) => line.case))]
    const later = new Set(cases.slice(Math.floor(cases.length * 0.8)))
    const log = unparse(lines.filter((line) => later.has(line.case)))
    const { accepted, bad, rejected } = await run(["--commands", makeFile("later.ndjson", log), "--store", "memory"])
    assert.deepStrictEqual({ accepted, rejected }, check(log))
    assert.deepStrictEqual({ bad, rejected }, { bad: 0, rejected: {} })
    assert.strictEqual(later.size, 2_072)
  }, 120_000)

  it.live(
    "with 1,500 cases damaged is refused what a script refuses, for the same reasons as often, and so are the views",
    (context) =>
      Effect.gen(function*() {
        const log = damage(readLog(context), 1)
        const file = yield* CommandFile.open(makeFile("damaged.ndjson", log))
        const status = StatusLine.make({ write: () => {} })
        const options = { strict: false, concurrency: 64, patience: Duration.seconds(30) }
        const { accepted, bad, lines, rejected } = yield* Run.run(app, file, options, status)
        assert.deepStrictEqual({ accepted, rejected }, check(log))
        assert.deepStrictEqual({ accepted, bad, lines, rejected }, {
          lines: 55_628,
          accepted: 52_639,
          bad: 0,
          rejected: { AlreadyDone: 140, AlreadyPaid: 331, NotItsTurn: 501, NotSubmitted: 2_017 }
        })
        yield* CatchUp.wait(options.patience, status)
        assert.deepStrictEqual(yield* views, totals(log))
      }).pipe(Effect.provide(inMemory)),
    120_000
  )
})
