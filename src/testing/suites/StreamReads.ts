/**
 * Reading one stream: whole or in part, forwards or backwards, page by page.
 */
import { assertTrue, deepStrictEqual, strictEqual } from "@effect/vitest/utils"
import { Effect } from "effect"
import type { Stored, StreamId } from "../../Event.ts"
import { EventStore, type StreamRange } from "../../EventStore.ts"
import type { Guarantees } from "./Guarantees.ts"
import * as Sample from "./Sample.ts"

const versions = (events: ReadonlyArray<Stored>) => events.map(({ version }) => version)

/** Versions from one to another. */
const counted = (from: number, to: number) =>
  Array.from({ length: Math.max(0, to - from + 1) }, (_, index) => from + index)

/** What a range means, said once more in the simplest words. */
const expected = (count: number, { after = 0, direction = "forwards", limit = 1_000, to = count }: StreamRange) => {
  const inside = counted(1, count).filter((version) => version > after && version <= to)
  return (direction === "forwards" ? inside : inside.toReversed()).slice(0, limit)
}

const ranges = (count: number): ReadonlyArray<StreamRange> => {
  const bounds = [undefined, ...counted(0, count + 1)]
  const directions = [undefined, "forwards", "backwards"] as const
  return bounds.flatMap((after) =>
    bounds.flatMap((to) =>
      directions.flatMap((direction) => [undefined, 1, 2].map((limit) => ({ after, to, direction, limit })))
    )
  )
}

/** Reads page by page until there is nothing more. */
const pages = Effect.fnUntraced(
  function*(stream: StreamId, limit: number | undefined, direction: "forwards" | "backwards") {
    const store = yield* EventStore
    const found: Array<ReadonlyArray<number>> = []
    let bound: number | undefined
    while (true) {
      const range = direction === "forwards" ? { after: bound } : { to: bound }
      const { events } = yield* store.readStream(stream, { ...range, limit, direction })
      if (events.length === 0) return found
      found.push(versions(events))
      bound = direction === "forwards" ? events.at(-1)!.version : events.at(-1)!.version - 1
    }
  }
)

/** What `readStream` promises. */
export const guarantees: Guarantees<EventStore> = {
  "an unknown stream is empty": Effect.gen(function*() {
    const store = yield* EventStore
    for (const range of [undefined, {}, { after: 3 }, { direction: "backwards" }, { to: 9, limit: 1 }] as const) {
      const { events, version } = yield* store.readStream(Sample.stream(), range)
      deepStrictEqual([events, version], [[], 0])
    }
  }),

  "a range is what its bounds, its direction and its limit say": Effect.gen(function*() {
    const store = yield* EventStore
    const stream = yield* Sample.filled(4)
    for (const range of ranges(4)) {
      const { events, version } = yield* store.readStream(stream, range)
      deepStrictEqual(versions(events), expected(4, range), Sample.describe(range))
      strictEqual(version, 4)
    }
  }),

  "a page holds 1,000 events at most, and the next one goes on after it": Effect.gen(function*() {
    for (const count of [0, 1, 999, 1_000, 1_001]) {
      const stream = yield* Sample.filled(count)
      const whole = counted(1, count)
      const [first, second] = [whole.slice(0, 1_000), whole.slice(1_000)]
      deepStrictEqual(yield* pages(stream, undefined, "forwards"), [first, second].filter(({ length }) => length > 0))
      const backwards = whole.toReversed()
      deepStrictEqual(
        yield* pages(stream, 1_000, "backwards"),
        [backwards.slice(0, 1_000), backwards.slice(1_000)].filter(({ length }) => length > 0)
      )
      strictEqual((yield* (yield* EventStore).readStream(stream)).version, count)
    }
  }),

  "a limit is 1 to 1,000, whatever is asked for": Effect.gen(function*() {
    const store = yield* EventStore
    const stream = yield* Sample.filled(1_001)
    for (const [limit, length] of [[1_000, 1_000], [1_001, 1_000], [Infinity, 1_000], [0, 1], [-5, 1]] as const) {
      strictEqual((yield* store.readStream(stream, { limit })).events.length, length)
    }
  }),

  "pages of any size add up to the stream": Effect.gen(function*() {
    const stream = yield* Sample.filled(10)
    for (const limit of [1, 3, 9, 10, 11]) {
      deepStrictEqual((yield* pages(stream, limit, "forwards")).flat(), counted(1, 10))
      deepStrictEqual((yield* pages(stream, limit, "backwards")).flat(), counted(1, 10).toReversed())
    }
  }),

  "an event comes back with everything that it was given, and nothing else": Effect.gen(function*() {
    const stream = Sample.stream({ tenant: "t", category: "k" })
    const before = yield* Sample.head
    const events = [
      Sample.event({ type: "shop.ItemAdded", data: { sku: "tea" }, metadata: { user: "u", correlationId: "c" } }),
      Sample.event({ type: "ItemRemoved", data: ["not", "an", "object"], schemaVersion: 2_147_483_647 })
    ]
    yield* Sample.commit(Sample.write(stream, 0, events))
    const found = yield* Sample.wholeStream(stream)
    const recordedAtMillis = found[0]!.recordedAtMillis
    deepStrictEqual(
      found,
      events.map((event, index) =>
        Sample.stored(stream, event, { version: index + 1, position: before + BigInt(index + 1), recordedAtMillis })
      )
    )
  }),

  "a page says how long the stream was, and when": Effect.gen(function*() {
    const store = yield* EventStore
    const stream = yield* Sample.filled(5)
    const { events, readAtMillis, version } = yield* store.readStream(stream, { after: 1, limit: 2 })
    deepStrictEqual([versions(events), version], [[2, 3], 5])
    assertTrue(Number.isSafeInteger(readAtMillis) && readAtMillis >= events[0]!.recordedAtMillis)
    yield* Sample.commit(Sample.write(stream, 5, Sample.events(1)))
    const later = yield* store.readStream(stream, { after: 6 })
    strictEqual(later.version, 6)
    assertTrue(later.readAtMillis >= readAtMillis)
  })
}
