/**
 * Every statement finds its rows by an index: asked of the engine, on an empty file and on one that has been analysed.
 */
import { assert, describe, it } from "@effect/vitest"
import { deepStrictEqual, strictEqual } from "@effect/vitest/utils"
import { Effect } from "effect"
import { EventStore } from "../../src/EventStore.ts"
import * as SqliteStatements from "../../src/sqlite/SqliteStatements.ts"
import * as Sample from "../../src/testing/suites/Sample.ts"
import { freshFile, open, stranger } from "./file.ts"
import { planned } from "./plans.ts"

/** Those who may walk a table, because they stop at its first rows. */
const walks: ReadonlyArray<RegExp> = [
  /^SELECT position, recorded_at AS recordedAtMillis FROM varve_events ORDER BY position DESC LIMIT 1$/,
  /^DELETE FROM varve_receipts WHERE number IN\s+\(SELECT number FROM varve_receipts ORDER BY number LIMIT \?1\)/,
  /^SELECT store_id AS id FROM varve_store$/
]

/** What the engine plans for each statement of the stores. */
const plans = (filename: string) =>
  Effect.map(stranger(filename), (database) => planned(database, (recorded) => SqliteStatements.make(recorded)))

const checkPlans = Effect.fnUntraced(function*(filename: string) {
  const found = yield* plans(filename)
  assert.isAtLeast(found.length, 17)
  const walking = found.filter(({ steps }) => steps.some((step) => /^SCAN (varve_|first|last)/.test(step)))
  for (const { steps, text } of walking) {
    assert.isTrue(walks.some((walk) => walk.test(text)), `${text}\n${steps.join("\n")}`)
  }
  strictEqual(walking.length, walks.length)
  // Nor does any look at all streams of a category.
  for (const { steps, text } of found) {
    for (const step of steps) assert.notMatch(step, /\(tenant=\? AND category=\?\)/, text)
  }
  return found
})

/** Many streams of many lengths in few categories: what a planner with statistics may find worth walking. */
const filled = Effect.fnUntraced(function*(filename: string) {
  const { events, sql } = yield* open({ filename })
  const fill = Effect.gen(function*() {
    yield* Sample.filled(3_000)
    for (let index = 0; index < 200; index++) {
      const receipt = Sample.receipt("c", { events: 1, through: 1 })
      yield* Sample.commit(Sample.write(Sample.stream({ category: "short" }), 0, Sample.events(2), [receipt]))
    }
  })
  yield* Effect.provideService(fill, EventStore, events)
  yield* sql`ANALYZE`
})

describe("the statements of the stores", () => {
  it.effect("find streams, receipts, positions and snapshots by index", () =>
    Effect.gen(function*() {
      const filename = yield* freshFile
      yield* Effect.scoped(open({ filename }))
      yield* checkPlans(filename)
    }))

  it.effect("still do after an ANALYZE of the application", () =>
    Effect.gen(function*() {
      const filename = yield* freshFile
      yield* Effect.scoped(filled(filename))
      yield* checkPlans(filename)
    }))

  it.effect("read a stream, a version and a receipt by all that they are given", () =>
    Effect.gen(function*() {
      const filename = yield* freshFile
      yield* Effect.scoped(open({ filename }))
      const found = yield* plans(filename)
      const indexed = (text: RegExp) => found.filter((plan) => text.test(plan.text)).flatMap(({ steps }) => steps)
      const stream = "tenant=? AND category=? AND stream_id=?"
      const key = "INDEX sqlite_autoindex_varve_events_1"
      deepStrictEqual(indexed(/^SELECT tenant, .* version > \? AND version <= \?/s), [
        `SEARCH varve_events USING ${key} (${stream} AND version>? AND version<?)`,
        `SEARCH varve_events USING ${key} (${stream} AND version>? AND version<?)`
      ])
      deepStrictEqual(indexed(/^SELECT version FROM varve_events\s+WHERE tenant/), [
        `SEARCH varve_events USING COVERING ${key} (${stream})`
      ])
      deepStrictEqual(indexed(/^SELECT event_id/), [`SEARCH varve_events USING ${key} (${stream} AND version=?)`])
      deepStrictEqual(indexed(/^SELECT command_id/), [
        `SEARCH varve_receipts USING INDEX sqlite_autoindex_varve_receipts_1 (${stream} AND command_id=?)`
      ])
    }))
})
