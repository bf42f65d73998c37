/**
 * Reading the log: page by page, with and without a filter, and its end.
 */
import { assertTrue, deepStrictEqual, strictEqual } from "@effect/vitest/utils"
import { Effect } from "effect"
import type { Stored } from "../../Event.ts"
import { EventStore, type LogFilter } from "../../EventStore.ts"
import type { Guarantees } from "./Guarantees.ts"
import * as Sample from "./Sample.ts"

const odd = ["O'Neil", "100%", "a\"b", "[\"x\"]", "NULL", "été", "𝒳"]

/** One event of each tenant, category and type, the second of each twice; with the position before them. */
const varied = Effect.gen(function*() {
  const store = yield* EventStore
  const before = yield* store.head
  const [tenants, categories, types] = [["t1", "t2"], ["c1", "c2"], ["A", "B", "C"]]
  for (const tenant of tenants) {
    for (const category of categories) {
      const events = types.flatMap((type) => type === "B" ? Sample.events(2, { type }) : Sample.events(1, { type }))
      yield* Sample.commit(Sample.write(Sample.stream({ tenant, category }), 0, events))
    }
  }
  return { before, events: yield* Sample.wholeLog(before) }
})

const lists = {
  tenants: [undefined, [], ["t1"], ["t2", "t1"], ["t3"]],
  categories: [undefined, [], ["c2"], ["c1", "c2", "c3"]],
  types: [undefined, [], ["A"], ["B", "C"], ["A", "A"], ["a"]]
}

const filters: ReadonlyArray<LogFilter> = lists.tenants.flatMap((tenants) =>
  lists.categories.flatMap((categories) => lists.types.map((types) => ({ tenants, categories, types })))
)

const matches = ({ category, tenant, type }: Stored, { categories, tenants, types }: LogFilter): boolean =>
  (tenants === undefined || tenants.includes(tenant)) &&
  (categories === undefined || categories.includes(category)) &&
  (types === undefined || types.includes(type))

const positions = (events: ReadonlyArray<Stored>) => events.map(({ position }) => position)

/** Reads a filter page by page up to the head; each page must be progress. */
const filtered = Effect.fnUntraced(function*(after: bigint, filter: LogFilter, limit?: number) {
  const store = yield* EventStore
  const found: Array<Stored> = []
  let next = after
  while (next < (yield* store.head)) {
    const { events, head, position } = yield* store.readAll({ after: next, filter, limit })
    assertTrue(position > next && position <= head, `${position} follows ${next} of ${head}`)
    assertTrue(events.every((event) => event.position > next && event.position <= position))
    found.push(...events)
    next = position
  }
  return found
})

/** What `readAll` and `head` promise. */
export const guarantees: Guarantees<EventStore> = {
  "pages of any size add up to the log": Effect.gen(function*() {
    const store = yield* EventStore
    const { before, events } = yield* varied
    for (const limit of [1, 7, 15, 16, 17, undefined]) {
      const found: Array<Stored> = []
      let after = before
      while (true) {
        const page = yield* store.readAll({ after, limit })
        found.push(...page.events)
        strictEqual(page.position, page.events.at(-1)?.position ?? after)
        strictEqual(page.head, before + 16n)
        assertTrue(page.events.length <= (limit ?? 1_000))
        if (page.events.length === 0) break
        after = page.position
      }
      deepStrictEqual(found, events)
    }
    deepStrictEqual(positions(events), Array.from({ length: 16 }, (_, index) => before + BigInt(index + 1)))
  }),

  "a page holds 1,000 events at most, and the next one goes on after it": Effect.gen(function*() {
    const store = yield* EventStore
    const before = yield* store.head
    yield* Sample.filled(1_001)
    for (const limit of [undefined, 1_000, 5_000]) {
      const page = yield* store.readAll({ after: before, limit })
      deepStrictEqual([page.events.length, page.position, page.head], [1_000, before + 1_000n, before + 1_001n])
      const rest = yield* store.readAll({ after: page.position, limit })
      deepStrictEqual([positions(rest.events), rest.position], [[before + 1_001n], before + 1_001n])
    }
  }),

  "at the head and beyond there is nothing, and a reader stays where it is": Effect.gen(function*() {
    const store = yield* EventStore
    yield* Sample.filled(1)
    const head = yield* store.head
    for (const after of [head, head + 1n, head + 100_000n]) {
      for (const filter of [undefined, {}, { types: ["A"] }, { types: [] }]) {
        deepStrictEqual(yield* store.readAll({ after, filter }), { events: [], position: after, head })
      }
    }
  }),

  "a reader who begins before the log does begins with its first event": Effect.gen(function*() {
    const store = yield* EventStore
    yield* Sample.filled(3)
    for (const filter of [undefined, { types: [] }]) {
      const first = yield* store.readAll({ after: 0n, limit: 2, filter })
      for (const after of [-1n, -5n, -100_000n]) {
        deepStrictEqual(yield* store.readAll({ after, limit: 2, filter }), first)
      }
    }
  }),

  "a filter yields what is in each of its lists, in the order of the log": Effect.gen(function*() {
    const { before, events } = yield* varied
    for (const filter of filters) {
      const wanted = events.filter((event) => matches(event, filter))
      deepStrictEqual(yield* filtered(before, filter), wanted, Sample.describe(filter))
      deepStrictEqual(yield* filtered(before, filter, 2), wanted, Sample.describe(filter))
    }
  }),

  "a full page of a filter reaches to its last event, any other one to the head": Effect.gen(function*() {
    const store = yield* EventStore
    const { before, events } = yield* varied
    const filter = { types: ["C"], tenants: ["t1"] }
    const [first, second] = events.filter((event) => matches(event, filter)) as [Stored, Stored]
    const head = before + 16n
    deepStrictEqual(yield* store.readAll({ after: before, filter, limit: 1 }), {
      events: [first],
      position: first.position,
      head
    })
    deepStrictEqual(yield* store.readAll({ after: before, filter, limit: 2 }), {
      events: [first, second],
      position: second.position,
      head
    })
    deepStrictEqual(yield* store.readAll({ after: before, filter, limit: 3 }), {
      events: [first, second],
      position: head,
      head
    })
  }),

  "an empty list matches nothing, and the reader gets on all the same": Effect.gen(function*() {
    const store = yield* EventStore
    const { before } = yield* varied
    for (const filter of [{ tenants: [] }, { categories: [] }, { types: [] }, { types: ["A"], tenants: [] }]) {
      deepStrictEqual(yield* store.readAll({ after: before, filter }), {
        events: [],
        position: before + 16n,
        head: before + 16n
      })
    }
  }),

  "a filter in which nothing matches gets on by 10,000 positions at most": Effect.gen(function*() {
    const store = yield* EventStore
    const before = yield* store.head
    yield* Sample.filled(10_500)
    const type = Sample.name("rare")
    const [{ position }] = yield* Sample.commit(Sample.write(Sample.stream(), 0, [Sample.event({ type })]))
    let [after, steps] = [before, 0]
    while (after < position!) {
      const page = yield* store.readAll({ after, filter: { types: [type] } })
      assertTrue(page.position > after && page.position <= after + 10_000n)
      deepStrictEqual(positions(page.events), page.position < position! ? [] : [position])
      after = page.position
      steps++
    }
    strictEqual(steps, 2)
  }),

  "a filter takes its names literally": Effect.gen(function*() {
    const store = yield* EventStore
    const before = yield* store.head
    for (const name of odd) {
      yield* Sample.commit(
        Sample.write(Sample.stream({ tenant: name, category: name }), 0, [Sample.event({ type: name })])
      )
    }
    for (const name of odd) {
      for (const filter of [{ tenants: [name] }, { categories: [name] }, { types: [name] }]) {
        deepStrictEqual((yield* filtered(before, filter)).map(({ type }) => type), [name])
      }
    }
    deepStrictEqual(yield* filtered(before, { types: ["\uFFFD", "\uD835", "%", "1"] }), [])
  }),

  "the head is the last position": Effect.gen(function*() {
    const store = yield* EventStore
    const before = yield* store.head
    yield* Sample.filled(3)
    strictEqual(yield* store.head, before + 3n)
    strictEqual((yield* Sample.wholeLog(before)).at(-1)!.position, before + 3n)
  })
}
