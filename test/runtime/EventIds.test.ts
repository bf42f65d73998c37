/** Event ids: unique, in the order in which they were made, and UUIDs of version 7. */
import { assert, it } from "@effect/vitest"
import { EventIds } from "../../src/internal/eventId.ts"

const makeIds = () => EventIds.defaultValue()
const uuid7 = /^[0-9a-f]{8}-[0-9a-f]{4}-7[0-9a-f]{3}-[89ab][0-9a-f]{3}-[0-9a-f]{12}$/

it("sort in the order in which they were made, whatever the clock does meanwhile", () => {
  const make = makeIds()
  const times = [1_000, 1_000, 1_001, 500, -1, 1_001.9, 2 ** 40, 3]
  const ids = times.flatMap((time) => Array.from({ length: 2_000 }, () => make(time)))
  assert.deepStrictEqual(ids.toSorted(), ids)
  assert.strictEqual(new Set(ids).size, ids.length)
  for (const id of ids) assert.match(id, uuid7)
})

it("begin with the time in milliseconds", () => {
  const make = makeIds()
  for (const time of [0, 1, 0x0123_4567_89ab]) {
    assert.strictEqual(make(time).replace("-", "").slice(0, 12), time.toString(16).padStart(12, "0"))
  }
})

it("of two makers at the same time are not alike", () => {
  const [one, other] = [makeIds(), makeIds()]
  const ids = Array.from({ length: 1_000 }, () => [one(7), other(7)]).flat()
  assert.strictEqual(new Set(ids).size, ids.length)
})
