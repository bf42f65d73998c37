/**
 * The versions of a view: making room for one, forgetting it, and saying which of them is read.
 */
import { deepStrictEqual, strictEqual } from "@effect/vitest/utils"
import { Effect } from "effect"
import { type ViewDefinition, ViewStore } from "../../ViewStore.ts"
import type { Guarantees } from "./Guarantees.ts"
import * as Names from "./Names.ts"
import * as ReadSide from "./ReadSide.ts"

const { put, tenant } = ReadSide

/** Whoever asks for documents of this view is told that there is no room for them. */
const isMissing = Effect.fnUntraced(function*(view: ViewDefinition) {
  const { clear, count, list, read, write } = yield* ViewStore
  const asked = [
    read(view, [{ tenant, key: "a" }]),
    read(view, []),
    write(view, [put("a", {})]),
    write(view, []),
    list(view, { tenant: "\0", limit: 1 }),
    count(view, { tenant: "\0" }),
    list(view, { tenant, limit: 1 }),
    count(view, { tenant }),
    clear(view)
  ]
  for (const ask of asked) {
    const error = yield* Effect.flip(Effect.asVoid(ask))
    deepStrictEqual([error._tag, "lasting" in error && error.lasting], ["StoreUnavailable", true], error.message)
  }
})

const malformedViews: ReadonlyArray<ViewDefinition> = [
  ...[...Names.malformed, "A", "1a", "-a", "a_b", "a b", "é", "a;", "a\n", "a".repeat(41)].map((name) => ({
    name,
    version: 1,
    indexes: []
  })),
  ...[0, -1, 1.5, NaN, 1_000_000].map((version) => ({ name: "a", version, indexes: [] })),
  ...[...Names.malformed, "a b", "a.b", "$", "é", "\"", "a'", "a".repeat(41), "__proto__"].map((field) => ({
    name: "a",
    version: 1,
    indexes: [{ field, type: "text" as const }]
  })),
  { name: "a", version: 1, indexes: [{ field: "a", type: "text" }, { field: "a", type: "number" }] }
]

const making: Guarantees<ViewStore> = {
  "a view that was never prepared is unavailable, and lastingly so": Effect.gen(function*() {
    const view = ReadSide.view()
    yield* isMissing(view)
    yield* (yield* ViewStore).prepare(view)
    deepStrictEqual(yield* ReadSide.keys(view), [])
    yield* isMissing({ ...view, version: 2 })
  }),

  "a view is prepared once, also when many ask at the same time": Effect.gen(function*() {
    const { prepare } = yield* ViewStore
    const view = ReadSide.view([{ field: "n", type: "number" }, { field: "t", type: "text" }])
    yield* Effect.replicateEffect(prepare(view), 10, { concurrency: "unbounded" })
    yield* ReadSide.write(view, put("a", { n: 1 }))
    yield* prepare(view)
    deepStrictEqual(yield* ReadSide.keys(view, { where: [{ field: "n", equals: 1 }] }), ["a"])
  }),

  "a version gets the indexes that it lacks, for the documents that it has": Effect.gen(function*() {
    const { prepare } = yield* ViewStore
    const before = yield* ReadSide.prepared([{ field: "n", type: "number" }])
    yield* ReadSide.write(before, put("a", { n: 1, N: "x" }), put("b", { n: "1", N: 2 }), put("c", { n: 2 }))
    const after: ViewDefinition = { ...before, indexes: [{ field: "N", type: "text" }, { field: "n", type: "text" }] }
    yield* prepare(after)
    deepStrictEqual(yield* ReadSide.keys(after, { where: [{ field: "n", equals: "1" }] }), ["b"])
    deepStrictEqual(yield* ReadSide.keys(after, { where: [{ field: "N", equals: "x" }] }), ["a"])
    deepStrictEqual(yield* ReadSide.keys(before, { where: [{ field: "n", equals: 1 }] }), ["a"])
  }),

  "indexes of names that look alike are indexes of their own": Effect.gen(function*() {
    const fields = [
      "a",
      "A",
      "aB",
      "Ab",
      "ab",
      "_",
      "1",
      "select",
      "constructor",
      "document",
      "key",
      "a_text",
      "a".repeat(40)
    ]
    const view = yield* ReadSide.prepared(fields.map((field) => ({ field, type: "text" })))
    yield* ReadSide.write(view, ...fields.map((field) => put(field, { [field]: "x" })), put("none", {}))
    for (const field of fields) {
      deepStrictEqual(yield* ReadSide.keys(view, { where: [{ field, equals: "x" }] }), [field])
      deepStrictEqual((yield* ReadSide.keys(view, { orderBy: { field, direction: "ascending" } }))[0], field)
    }
    const other: ViewDefinition = {
      name: `${view.name.slice(0, 30)}-1`,
      version: 1,
      indexes: [{ field: "a", type: "text" }]
    }
    const alike: ViewDefinition = {
      name: other.name.slice(0, -2),
      version: 1,
      indexes: [{ field: "1_a", type: "text" }]
    }
    for (const one of [other, alike]) yield* (yield* ViewStore).prepare(one)
    yield* ReadSide.write(other, put("other", { a: "x" }))
    yield* ReadSide.write(alike, put("alike", { "1_a": "x" }))
    deepStrictEqual(yield* ReadSide.keys(other, { where: [{ field: "a", equals: "x" }] }), ["other"])
    deepStrictEqual(yield* ReadSide.keys(alike, { where: [{ field: "1_a", equals: "x" }] }), ["alike"])
  }),

  "what cannot be the name of a view, a version or a field is a defect": Effect.gen(function*() {
    const { count, drop, flip, list, live, prepare, read } = yield* ViewStore
    for (const view of malformedViews) yield* ReadSide.refused(prepare(view))
    for (const view of malformedViews.filter(({ indexes }) => indexes.length === 0)) {
      for (const ask of [read(view, []), list(view, { tenant, limit: 1 }), count(view, { tenant }), drop(view)]) {
        yield* ReadSide.refused(Effect.asVoid(ask))
      }
      yield* ReadSide.refused(ReadSide.write(view, put("a", {})))
      yield* ReadSide.refused(flip(view.name, { from: undefined, to: { version: view.version, pinned: false } }))
      if (view.version === 1) yield* ReadSide.refused(live(view.name))
    }
  })
}

const forgetting: Guarantees<ViewStore> = {
  "a version is emptied of the documents of all tenants, and stays": Effect.gen(function*() {
    const view = yield* ReadSide.prepared([{ field: "n", type: "number" }])
    yield* ReadSide.write(view, put("a", { n: 1 }), put("a", { n: 1 }, "another"))
    yield* (yield* ViewStore).clear(view)
    for (const  of of[tenant, "another"]) deepStrictEqual(yield* ReadSide.keys(view, { tenant: of }), [])
    yield* ReadSide.write(view, put("a", { n: 2 }))
    deepStrictEqual(yield* ReadSide.keys(view, { where: [{ field: "n", equals: 1 }] }), [])
    deepStrictEqual(yield* ReadSide.keys(view, { where: [{ field: "n", equals: 2 }] }), ["a"])
  }),

  "a version that was dropped is gone, and begins empty if it is prepared again": Effect.gen(function*() {
    const { drop, prepare } = yield* ViewStore
    const view = yield* ReadSide.prepared([{ field: "n", type: "number" }])
    const other = { ...view, version: 2 }
    yield* prepare(other)
    for (const one of [view, other]) yield* ReadSide.write(one, put("a", { n: 1 }))
    yield* drop(view)
    yield* isMissing(view)
    yield* drop(view)
    deepStrictEqual(yield* ReadSide.keys(other), ["a"])
    yield* prepare(view)
    deepStrictEqual(yield* ReadSide.keys(view), [])
    yield* ReadSide.write(view, put("b", { n: 1 }))
    deepStrictEqual(yield* ReadSide.keys(view, { where: [{ field: "n", equals: 1 }] }), ["b"])
  }),

  "the version that is read is forgotten when it is dropped, and no other": Effect.gen(function*() {
    const { drop, flip, live } = yield* ViewStore
    const view = yield* ReadSide.prepared()
    yield* flip(view.name, { from: undefined, to: { version: 1, pinned: true } })
    yield* drop({ ...view, version: 2 })
    deepStrictEqual(yield* live(view.name), { version: 1, pinned: true })
    yield* drop(view)
    strictEqual(yield* live(view.name), undefined)
  })
}

const flipping: Guarantees<ViewStore> = {
  "the version that is read is changed from the one that it was": Effect.gen(function*() {
    const { flip, live } = yield* ViewStore
    const { name } = ReadSide.view()
    const to = (version: number, pinned = false) => ({ version, pinned })
    strictEqual(yield* live(name), undefined)
    strictEqual(yield* flip(name, { from: 1, to: to(2) }), false)
    strictEqual(yield* flip(name, { from: undefined, to: to(1) }), true)
    strictEqual(yield* flip(name, { from: undefined, to: to(2) }), false)
    strictEqual(yield* flip(name, { from: 2, to: to(3) }), false)
    deepStrictEqual(yield* live(name), to(1))
    strictEqual(yield* flip(name, { from: 1, to: to(1, true) }), true)
    deepStrictEqual(yield* live(name), to(1, true))
    strictEqual(yield* flip(name, { from: 1, to: to(999_999) }), true)
    strictEqual(yield* flip(name, { from: 999_999, to: to(2, true) }), true)
    deepStrictEqual(yield* live(name), to(2, true))
    strictEqual(yield* live(ReadSide.view().name), undefined)
  }),

  "of many who change it at once one does": Effect.gen(function*() {
    const { flip, live } = yield* ViewStore
    const { name } = ReadSide.view()
    for (const from of [undefined, 1]) {
      const answers = yield* Effect.replicateEffect(
        flip(name, { from, to: { version: (from ?? 0) + 1, pinned: false } }),
        10,
        { concurrency: "unbounded" }
      )
      deepStrictEqual(answers.filter((flipped) => flipped), [true])
    }
    strictEqual((yield* live(name))?.version, 2)
  })
}

/** What a view store promises of versions. */
export const guarantees: Guarantees<ViewStore> = { ...making, ...forgetting, ...flipping }
