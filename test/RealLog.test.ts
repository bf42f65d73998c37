/**
 * The real log: 55,628 lines of 10,357 travel-expense declarations, carried out by the command line. What is right is
 * known from the file alone, and from a script that knows the rule and nothing of Varve.
 */
import { assert, describe, it, type TestContext } from "@effect/vitest"
import { Effect } from "effect"
import { existsSync, readFileSync } from "node:fs"
import { join } from "node:path"
import { DatabaseSync } from "node:sqlite"
import { gunzipSync } from "node:zlib"
import { check } from "../examples/expenses/check.ts"
import { damage } from "../examples/expenses/damage.ts"
import { derive } from "../examples/expenses/derive.ts"
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
  const { accepted, bad, lines, position, rejected } = JSON.parse(ended.stdout)
  return { accepted, bad, lines, position, rejected }
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

/** The streams of an exported log, without what differs from run to run. */
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
    "is carried out in full on SQLite: every line is an event of its stream, in order and as it was, and can be replayed",
    async (context) => {
      const lines = parse(readLog(context))
      const cwd = makeFolder()
      const ended = await run(["--commands", path, "--store", "sqlite", "--url", "log.sqlite"], { cwd })
      assert.deepStrictEqual(ended, { lines: 55_628, accepted: 55_628, rejected: {}, bad: 0, position: "55628" })

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
      "leads to the same streams on PostgreSQL as on SQLite, event for event",
      (context) =>
        Effect.gen(function*() {
          readLog(context)
          const cwd = makeFolder()
          const places = [["sqlite", "log.sqlite"], ["postgres", `${url}?schema=${yield* freshSchema}`]] as const
          const logs = yield* Effect.promise(() =>
            Promise.all(places.map(async ([store, url]) => {
              const chosen = ["--store", store, "--url", url]
              const ended = await run(["--commands", path, ...chosen], { cwd })
              assert.deepStrictEqual(ended, {
                lines: 55_628,
                accepted: 55_628,
                rejected: {},
                bad: 0,
                position: "55628"
              })
              const output = join(cwd, `${store}.ndjson`)
              const exported = await varve(["export", ...chosen, "--output", output], { cwd })
              assert.strictEqual(exported.exitCode, 0, exported.stderr)
              return streamsIn(readFileSync(output, "utf8"))
            }))
          )
          assert.strictEqual(logs[0]!.size, 10_357)
          assert.deepStrictEqual(logs[1], logs[0])
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

  it("with 1,500 cases damaged is refused what a script refuses, for the same reasons as often", async (context) => {
    const log = damage(readLog(context), 1)
    const file = makeFile("damaged.ndjson", log)
    const { accepted, bad, lines, rejected } = await run(["--commands", file, "--store", "memory"])
    assert.deepStrictEqual({ accepted, rejected }, check(log))
    assert.deepStrictEqual({ accepted, bad, lines, rejected }, {
      lines: 55_628,
      accepted: 52_639,
      bad: 0,
      rejected: { AlreadyDone: 140, AlreadyPaid: 331, NotItsTurn: 501, NotSubmitted: 2_017 }
    })
  }, 120_000)
})
