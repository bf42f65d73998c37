/**
 * Listing the streams of a category, and counting the log.
 */
import { assertTrue, deepStrictEqual, strictEqual } from "@effect/vitest/utils"
import { Effect } from "effect"
import { defaultTenant } from "../../Event.ts"
import { EventStore, type StreamsRange, type StreamSummary } from "../../EventStore.ts"
import type { Guarantees } from "./Guarantees.ts"
import { ordered } from "./Names.ts"
import * as Sample from "./Sample.ts"

const fill = Effect.fnUntraced(function*(category: string, ids: ReadonlyArray<string>, tenant = defaultTenant) {
  yield* Sample.appendGroup(...ids.map((id) => [Sample.write({ tenant, category, id }, 0, Sample.events(1))] as const))
})

/** Lists page by page until there is nothing more. */
const pages = Effect.fnUntraced(function*(range: StreamsRange) {
  const store = yield* EventStore
  const found: Array<ReadonlyArray<string>> = []
  let after: string | undefined
  while (true) {
    const page: ReadonlyArray<StreamSummary> = yield* store.streams({ ...range, after })
    if (page.length === 0) return found
    found.push(page.map(({ id }) => id))
    after = page.at(-1)!.id
  }
})

/** What `streams` and `audit` promise. */
export const guarantees: Guarantees<EventStore> = {
  "lists the streams of a category in the order of their ids, by code points": Effect.gen(function*() {
    const category = Sample.name("ordered")
    yield* fill(category, ordered.toReversed())
    const found = yield* (yield* EventStore).streams({ category })
    deepStrictEqual(found.map(({ id }) => id), ordered)
  }),

  "pages of any size add up to the list": Effect.gen(function*() {
    const category = Sample.name("paged")
    yield* fill(category, ordered)
    for (const limit of [1, 2, 5, 15, 16, 17]) {
      const found = yield* pages({ category, limit })
      deepStrictEqual(found.flat(), ordered)
      assertTrue(found.every(({ length }) => length <= limit))
    }
    const store = yield* EventStore
    const after = (id: string) =>
      Effect.map(store.streams({ category, after: id, limit: 2 }), (found) => found.map(({ id }) => id))
    deepStrictEqual(yield* after("AB"), ["Az", "B"])
    deepStrictEqual(yield* after("\uD7FF"), ["\uE000", "\uFFFD"])
    deepStrictEqual(yield* after("😀"), [])
  }),

  "a page holds 100 streams unless asked otherwise, and 1,000 at most": Effect.gen(function*() {
    const category = Sample.name("many")
    const ids = Array.from({ length: 1_001 }, (_, index) => `${index}`.padStart(4, "0"))
    for (const from of [0, 500, 1_000]) yield* fill(category, ids.slice(from, from + 500))
    const store = yield* EventStore
    for (const [limit, length] of [[undefined, 100], [1_000, 1_000], [2_000, 1_000], [0, 1]] as const) {
      const found = yield* store.streams({ category, limit })
      deepStrictEqual(found.map(({ id }) => id), ids.slice(0, length))
    }
  }),

  "keeps tenants and categories apart": Effect.gen(function*() {
    const store = yield* EventStore
    const [category, other] = [Sample.name("apart"), Sample.name("apart")]
    yield* fill(category, ["default"])
    yield* fill(category, ["a", "b"], "t1")
    yield* fill(category, ["b", "c"], "t2")
    yield* fill(other, ["d"], "t1")
    const ids = (range: StreamsRange) => Effect.map(store.streams(range), (found) => found.map(({ id }) => id))
    deepStrictEqual(yield* ids({ category }), ["default"])
    deepStrictEqual(yield* ids({ category, tenant: "t1" }), ["a", "b"])
    deepStrictEqual(yield* ids({ category, tenant: "t1", after: "a" }), ["b"])
    deepStrictEqual(yield* ids({ category, tenant: "t2" }), ["b", "c"])
    deepStrictEqual(yield* ids({ category: other, tenant: "t1" }), ["d"])
    deepStrictEqual(yield* ids({ category: other }), [])
    deepStrictEqual(yield* ids({ category: "nobody's" }), [])
    deepStrictEqual(yield* ids({ category, tenant: "nobody" }), [])
  }),

  "a summary is the stream's name, its version, and the times of its first and its last event": Effect.gen(function*() {
    const store = yield* EventStore
    const [old, young] = [Sample.stream({ category: Sample.name("times"), id: "old" }), { id: "young" }]
    yield* Sample.commit(Sample.write(old, 0, Sample.events(1)))
    yield* Sample.laterMillis
    yield* Sample.commit(Sample.write({ ...old, ...young }, 0, Sample.events(2)))
    yield* Sample.laterMillis
    yield* Sample.commit(Sample.write(old, 1, Sample.events(2)))
    const summary = Effect.fnUntraced(function*(stream: typeof old) {
      const events = yield* Sample.wholeStream(stream)
      return {
        ...stream,
        version: events.length,
        createdAtMillis: events[0]!.recordedAtMillis,
        updatedAtMillis: events.at(-1)!.recordedAtMillis
      }
    })
    const found = yield* store.streams({ category: old.category })
    deepStrictEqual(found, [yield* summary(old), yield* summary({ ...old, ...young })])
    assertTrue(found[0]!.createdAtMillis < found[0]!.updatedAtMillis)
  }),

  "a stream without events is not listed, though it has receipts": Effect.gen(function*() {
    const category = Sample.name("receipts")
    yield* Sample.commit(Sample.write(Sample.stream({ category }), 0, [], [Sample.receipt("c")]))
    deepStrictEqual(yield* (yield* EventStore).streams({ category }), [])
  }),

  "an audit counts the log up to its head, and no further": Effect.gen(function*() {
    const store = yield* EventStore
    yield* Sample.filled(3)
    const head = yield* store.head
    for (const start of [0n, 1n, head - 3n, head - 1n]) {
      let after = start
      while (after < head) {
        const next = yield* store.audit(after)
        assertTrue(next > after && next <= head && next - after <= 100_000n)
        after = next
      }
    }
    strictEqual(yield* store.audit(head), head)
    strictEqual(yield* store.audit(head + 5n), head + 5n)
    strictEqual(yield* store.audit(-5n), yield* store.audit(0n))
  })
}
