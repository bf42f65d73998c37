/** A run that is killed and begun again, as `npm run soak -- kill` does it with the real log; here with a small one. */
import { assert, it } from "@effect/vitest"
import { readFileSync } from "node:fs"
import * as Kill from "../../scripts/soak/kill.ts"
import { fixture, inProject, makeFile } from "./processes.ts"

it(
  "a run that is killed three times ends with the log, the receipts and the summary of an undisturbed one",
  async () => {
    const text = readFileSync(fixture, "utf8")
    const many = Array.from({ length: 13 }, (_, round) => text.replaceAll("\"trip-", `"trip-${round}-`)).join("")
    const { events, killedAt, lines, problems, receipts } = await Kill.run({
      app: inProject("examples/expenses/app.ts"),
      commands: makeFile("many.ndjson", many),
      kills: 3,
      seed: 1
    })
    assert.deepStrictEqual(problems, [])
    assert.deepStrictEqual({ events, lines, receipts }, { lines: 13 * 228, events: 13 * 200, receipts: 13 * 214 })
    assert.lengthOf(killedAt, 3)
    assert.isBelow(Math.max(...killedAt), events)
  },
  180_000
)
