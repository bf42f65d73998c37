/** `Event.coverage` finds what is missing, what breaks and what is left over, and says so by name. */
import { assert, it } from "@effect/vitest"
import { Schema } from "effect"
import { mkdtempSync, rmSync, writeFileSync } from "node:fs"
import { tmpdir } from "node:os"
import { join } from "node:path"
import { onTestFinished } from "vitest"
import * as Event from "../../src/Event.ts"
import * as EventFixtures from "../../src/testing/EventFixtures.ts"
import { LedgerEvent } from "../fixtures/Ledger.ts"

const fixtures = {
  "Entered@1": { euros: 1.5 },
  "Entered@2": { cents: 150 },
  "Entered@3": [{ cents: 150, note: "" }, { cents: 0, note: "free" }],
  "Struck@1": { cents: 1 },
  "Erased@1": { cents: 1 },
  "Moved@1": { from: 1, to: 2 },
  "Entries@1": { cents: [] },
  "Viewed@1": {}
}

const problemsOf = (given: Readonly<Record<string, unknown>>): ReadonlyArray<string> => {
  try {
    Event.coverage([LedgerEvent], given)
    return []
  } catch (error) {
    assert.instanceOf(error, Event.CoverageIncomplete)
    assert.strictEqual(error.message, `The fixtures do not cover the events:\n- ${error.problems.join("\n- ")}`)
    return error.problems
  }
}

it("is content where every shape has a fixture that decodes", () => {
  assert.deepStrictEqual(problemsOf(fixtures), [])
})

it("names each shape that has no fixture, of then and of today", () => {
  const { "Entered@1": _, "Struck@1": __, ...rest } = fixtures
  assert.deepStrictEqual(problemsOf({ ...rest, "Viewed@1": [] }), [
    "Struck@1 has no fixture: add what the log holds of one such event",
    "Entered@1 has no fixture: add what the log holds of one such event",
    "Viewed@1 has an empty list of fixtures"
  ])
  assert.lengthOf(problemsOf({}), 8)
})

it("names a fixture that no union declares: a shape that was taken out of the code", () => {
  assert.deepStrictEqual(problemsOf({ ...fixtures, "Burnt@1": {}, "Entered@4": {} }), [
    "Burnt@1 has a fixture, but no union declares this shape: declare it with Event.evolved",
    "Entered@4 has a fixture, but no union declares this shape: declare it with Event.evolved"
  ])
})

it("names a fixture that does not decode, with its field", () => {
  const given = {
    ...fixtures,
    "Entered@1": {},
    "Entered@3": [fixtures["Entered@3"][0], { cents: "1", note: "" }],
    "Moved@1": undefined
  }
  assert.deepStrictEqual(problemsOf(given), [
    "The fixture 2 of Entered@3 does not decode: Expected number at [\"cents\"]",
    "The fixture of Entered@1 does not decode: as Entered@1: Missing key at [\"euros\"]",
    "The fixture of Moved@1 does not decode: as Moved@1: it is not valid JSON"
  ])
})

it("names a fixture whose upcast fails", () => {
  const Now = Event.union({ Placed: { cents: Schema.Int } })
  const broken = Event.evolved(Now, (was) => [
    was("Placed@1", Schema.Struct({ cents: Schema.Finite }), ({ cents }) => [{ _tag: "Placed", cents }])
  ])
  assert.throws(
    () => Event.coverage([broken], { "Placed@1": { cents: 1.5 }, "Placed@2": { cents: 1 } }),
    Event.CoverageIncomplete,
    "The fixture of Placed@1 does not decode: the upcast of Placed@1 yields no event of today:"
  )
})

it("names a field of today's shape that no schema knows any more: an optional one that was taken out or renamed", () => {
  const Now = Event.union({ Placed: { lines: Schema.Array(Schema.Struct({ sku: Schema.String })) } })
  assert.throws(
    () => Event.coverage([Now], { "Placed@1": { lines: [{ sku: "tea" }, { sku: "milk", note: "cold" }] } }),
    Event.CoverageIncomplete,
    "The fixture of Placed@1 loses its field lines[1].note, which no schema names"
  )
})

it("takes fixtures from a folder, and names a file that is no JSON", () => {
  const folder = mkdtempSync(join(tmpdir(), "varve-fixtures-"))
  onTestFinished(() => rmSync(folder, { recursive: true }))
  for (const [name, data] of Object.entries(fixtures)) writeFileSync(join(folder, `${name}.json`), JSON.stringify(data))
  writeFileSync(join(folder, "README.md"), "what is here")
  assert.deepStrictEqual(EventFixtures.read(folder), fixtures)
  writeFileSync(join(folder, "Burnt@1.json"), "{")
  assert.throws(() => EventFixtures.read(folder), "The fixture Burnt@1.json is not valid JSON")
})
