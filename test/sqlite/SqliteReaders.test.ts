/**
 * What SQLite adds to the promises of the stores of readers: each statement finds its rows by an index, and each query
 * by that of its field, on an empty file and on one that has been analysed.
 */
import { assert, describe, it } from "@effect/vitest"
import { deepStrictEqual } from "@effect/vitest/utils"
import { Effect } from "effect"
import type { DatabaseSync } from "node:sqlite"
import * as Views from "../../src/internal/documents.ts"
import * as SqliteReaderStatements from "../../src/sqlite/SqliteReaderStatements.ts"
import * as SqliteViewStatements from "../../src/sqlite/SqliteViewStatements.ts"
import type { ViewDefinition, ViewQuery, ViewStore } from "../../src/ViewStore.ts"
import { freshFile, open, stranger } from "./file.ts"
import { type Plan, planned } from "./plans.ts"

const view: ViewDefinition = {
  name: "orders-by-day",
  version: 3,
  indexes: [{ field: "Status", type: "text" }, { field: "total", type: "number" }, { field: "paid", type: "boolean" }]
}

/** Many documents of two tenants, and whatever else a planner with statistics may find worth walking. */
const filled = Effect.fnUntraced(function*(filename: string, isAnalysed: boolean) {
  const { checkpoints, letters, sql, views } = yield* open({ filename })
  yield* views.prepare(view)
  if (!isAnalysed) return
  const documents = Array.from({ length: 3_000 }, (_, index) => ({
    tenant: index % 2 === 0 ? "t" : "u",
    key: `key ${index}`,
    document: JSON.stringify({ Status: ["placed", "paid", "sent"][index % 3], total: index, paid: index % 3 > 0 })
  }))
  yield* views.write(view, documents)
  yield* checkpoints.transaction(Effect.forEach(documents.slice(0, 500), (_, index) => {
    const reader = { name: `reader ${index % 5}`, version: 1 }
    const stream = { tenant: "t", category: "c", id: `${index}` }
    const letter = {
      reader,
      position: BigInt(index + 1),
      stream,
      type: "T",
      reason: "HandlerFailed",
      error: ""
    } as const
    return Effect.all([
      checkpoints.pause({ name: `${index}`, version: 1, partition: 0 }, "", "e"),
      letters.put(letter),
      letters.park({ reader, stream, fromPosition: BigInt(index + 1) })
    ])
  }))
  yield* sql`ANALYZE`
})

/** A file as it is at first, and one that an application has analysed. */
const files = Effect.forEach([false, true], (isAnalysed) =>
  Effect.gen(function*() {
    const filename = yield* freshFile
    yield* Effect.scoped(filled(filename, isAnalysed))
    return yield* stranger(filename)
  }))

/** Those who may walk a table, because they are asked for all of it. */
const walks: ReadonlyArray<RegExp> = [
  /FROM varve_checkpoints WHERE position IS NOT NULL ORDER BY name, version, partition$/,
  /FROM varve_leases WHERE until > \? ORDER BY name$/
]

const walking = (plans: ReadonlyArray<Plan>) =>
  plans.filter(({ steps }) => steps.some((step) => /^SCAN|TEMP B-TREE/.test(step)))

describe("the statements of readers", () => {
  it.effect("find checkpoints, letters, parked streams and leases by index, in their order", () =>
    Effect.gen(function*() {
      for (const database of yield* files) {
        const plans = planned(database, (recorded) => SqliteReaderStatements.make(recorded))
        assert.isAtLeast(plans.length, 20)
        const found = walking(plans)
        for (const { steps, text } of found) {
          assert.isTrue(walks.some((walk) => walk.test(text)), `${text}\n${steps.join("\n")}`)
          // In the order of the table itself: nothing is sorted.
          assert.notMatch(steps.join(), /TEMP B-TREE/)
        }
        deepStrictEqual(found.length, walks.length)
      }
    }))

  it.effect("find the letters of a reader by position, and those of all where a page has ended", () =>
    Effect.gen(function*() {
      for (const database of yield* files) {
        const plans = planned(database, (recorded) => SqliteReaderStatements.make(recorded))
        const steps = (text: RegExp) => plans.filter((plan) => text.test(plan.text)).flatMap(({ steps }) => steps)
        deepStrictEqual(steps(/FROM varve_dead_letters WHERE reader = \? AND reader_version = \? AND position > \?/), [
          "SEARCH varve_dead_letters USING INDEX sqlite_autoindex_varve_dead_letters_1 " +
          "(reader=? AND reader_version=? AND position>?)"
        ])
        deepStrictEqual(steps(/WHERE \(position, reader, reader_version\) >/), [
          "SEARCH varve_dead_letters USING INDEX varve_dead_letters_position " +
          "((position,reader,reader_version)>(?,?,?))"
        ])
      }
    }))
})

const table = "varve_view_orders_by_day_3"

/** What the engine does for a query of somebody who has no documents, so that it looks for all of it. */
const queried = (database: DatabaseSync) => (query: Partial<ViewQuery>): ReadonlyArray<string> =>
  planned(database, (recorded) => {
    const plan = Views.planned(view, { tenant: "nobody", limit: 1_000, ...query })!
    SqliteViewStatements.make(recorded).listDocuments(view, plan)
  })
    .flatMap(({ steps }) => steps)
    .filter((step) => step !== "SCAN sqlite_schema")
    .map((step) => step.replace(`SEARCH ${table} USING INDEX `, "").replace(`${table}.`, ""))

describe("the statements of views", () => {
  it.effect("find documents by key, also many at once", () =>
    Effect.gen(function*() {
      for (const database of yield* files) {
        const plans = planned(database, (recorded) => {
          const views = SqliteViewStatements.make(recorded)
          views.documents(view, [{ tenant: "t", key: "a" }])
          views.upsertDocument(view)
          views.deleteDocument(view)
        })
        const byKey = `USING INDEX sqlite_autoindex_${table}_1 (tenant=? AND key=?)`
        const steps = plans.filter(({ text }) => text.includes(table)).flatMap(({ steps }) => steps)
        deepStrictEqual(steps, [
          "SCAN wanted VIRTUAL TABLE INDEX 1:",
          `SEARCH kept ${byKey}`,
          `SEARCH ${table} ${byKey}`,
          `SEARCH ${table} ${byKey}`
        ])
      }
    }))

  it.effect("list them by the index of the field that is asked for, page after page, without sorting", () =>
    Effect.gen(function*() {
      for (const database of yield* files) {
        const plan = queried(database)
        const byKey = `sqlite_autoindex_${table}_1`
        deepStrictEqual(plan({}), [`${byKey} (tenant=?)`])
        deepStrictEqual(plan({ after: { key: "a" } }), [`${byKey} (tenant=? AND key>?)`])
        for (
          const [field, equals, index] of [
            ["Status", "x", "^Status.text"],
            ["Status", null, "^Status.text"],
            ["total", -1, "total.number"],
            ["paid", true, "paid.boolean"]
          ] as const
        ) {
          const where = [{ field, equals }]
          deepStrictEqual(plan({ where }), [`${index} (tenant=? AND <expr>=?)`])
          deepStrictEqual(plan({ where, after: { key: "a" } }), [`${index} (tenant=? AND <expr>=? AND key>?)`])
        }
      }
    }))

  it.effect("list them in the order of a field by its index, upwards and downwards, without sorting", () =>
    Effect.gen(function*() {
      for (const database of yield* files) {
        const plan = queried(database)
        for (const [direction, beyond] of [["ascending", ">"], ["descending", "<"]] as const) {
          const orderBy = { field: "total", direction }
          const nulls = "total.number (tenant=? AND <expr>=?)"
          deepStrictEqual(plan({ orderBy }), ["total.number (tenant=? AND <expr>>?)", nulls])
          deepStrictEqual(plan({ orderBy, after: { key: "k", value: 9 } }), [
            `total.number (tenant=? AND <expr>=? AND key${beyond}?)`,
            `total.number (tenant=? AND <expr>${beyond}?)`,
            nulls
          ])
          deepStrictEqual(plan({ orderBy, after: { key: "k", value: null } }), [
            `total.number (tenant=? AND <expr>=? AND key${beyond}?)`
          ])
        }
      }
    }))

  it.effect("count them in an index", () =>
    Effect.gen(function*() {
      for (const database of yield* files) {
        const count = (where: ViewQuery["where"]) =>
          planned(database, (recorded) => {
            const plan = Views.planned(view, { tenant: "t", limit: 1, where })!
            SqliteViewStatements.make(recorded).countDocuments(view, plan)
          }).flatMap(({ steps }) => steps).filter((step) => step.includes(table))
        deepStrictEqual(count([]), [`SEARCH ${table} USING COVERING INDEX sqlite_autoindex_${table}_1 (tenant=?)`])
        deepStrictEqual(count([{ field: "paid", equals: false }]), [
          `SEARCH ${table} USING COVERING INDEX ${table}.paid.boolean (tenant=? AND <expr>=?)`
        ])
      }
    }))
})

describe("two connections to one file", () => {
  const pair = Effect.gen(function*() {
    const filename = yield* freshFile
    const [one, two] = [yield* open({ filename }), yield* open({ filename })]
    yield* one.views.prepare(view)
    const document = (key: string) => ({ tenant: "t", key, document: `{"total":1}` })
    const keysOf = (views: ViewStore["Service"], where?: ViewQuery["where"]) =>
      Effect.map(views.list(view, { tenant: "t", where, limit: 9 }), (found) => found.map(({ key }) => key))
    return { one, two, document, keysOf }
  })

  it.effect("see at once what the other one wrote, claimed and put", () =>
    Effect.gen(function*() {
      const { document, keysOf, one, two } = yield* pair
      yield* two.views.prepare(view)
      yield* one.views.write(view, [document("a")])
      yield* two.views.write(view, [document("b")])
      deepStrictEqual([yield* keysOf(one.views), yield* keysOf(two.views)], [["a", "b"], ["a", "b"]])
      const held = yield* one.leases.claim({ name: "l", holder: "one", millis: 1_000 })
      deepStrictEqual(yield* two.leases.claim({ name: "l", holder: "two", millis: 1_000 }), held)
      const reader = { name: "r", version: 1 }
      yield* one.letters.park({ reader, stream: { tenant: "t", category: "c", id: "s" }, fromPosition: 1n })
      deepStrictEqual((yield* two.letters.parked(reader)).length, 1)
    }))

  it.effect("learn that a view was dropped or made anew, whatever they have prepared", () =>
    Effect.gen(function*() {
      const { document, keysOf, one, two } = yield* pair
      const where = [{ field: "total", equals: 1 }]
      yield* two.views.write(view, [document("a")])
      deepStrictEqual(yield* keysOf(two.views, where), ["a"])
      yield* one.views.drop(view)
      for (const ask of [keysOf(two.views, where), two.views.write(view, [document("b")]), two.views.clear(view)]) {
        const error = yield* Effect.flip(Effect.asVoid(ask))
        assert.match(error.message, /version 3 of the view orders-by-day was never prepared here, or was dropped/)
      }
      yield* one.views.prepare({ ...view, indexes: [] })
      yield* two.views.write(view, [document("c")])
      deepStrictEqual([yield* keysOf(one.views, where), yield* keysOf(two.views, where)], [["c"], ["c"]])
      yield* two.views.prepare(view)
      deepStrictEqual(yield* keysOf(one.views, where), ["c"])
    }))

  it.effect("prepare a view without writing to the file where all of it is there", () =>
    Effect.gen(function*() {
      const filename = yield* freshFile
      const { views } = yield* open({ filename })
      yield* views.prepare(view)
      const other = yield* stranger(filename)
      other.exec("BEGIN IMMEDIATE")
      yield* views.prepare(view)
      yield* views.prepare({ ...view, indexes: view.indexes.slice(1) })
    }))
})
