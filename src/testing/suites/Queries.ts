/**
 * Asking for documents: by fields, in an order, page by page.
 */
import { deepStrictEqual, strictEqual } from "@effect/vitest/utils"
import { Effect } from "effect"
import { SecureRandom } from "effect/crypto"
import { type FieldType, type FieldValue, type ViewDefinition, type ViewQuery, ViewStore } from "../../ViewStore.ts"
import type { Guarantees } from "./Guarantees.ts"
import * as Names from "./Names.ts"
import * as ReadSide from "./ReadSide.ts"

const { keys, put, tenant } = ReadSide

/** Values of each type, in order. */
const ordered: Readonly<Record<FieldType, ReadonlyArray<string | number | boolean>>> = {
  text: ["", " ", ...Names.ordered, "😀😀"],
  number: [
    -Number.MAX_VALUE,
    -1e21,
    -10,
    -9,
    -0.5,
    0,
    5e-324,
    1e-7,
    0.1,
    0.30000000000000004,
    1,
    2,
    10,
    2 ** 31,
    Number.MAX_SAFE_INTEGER,
    2 ** 53,
    1e21,
    Number.MAX_VALUE
  ],
  boolean: [false, true]
}

/** Documents that have no such field, or none of that type. */
const others: Readonly<Record<FieldType, ReadonlyArray<unknown>>> = {
  text: [0, 1, true, ["a"], { a: "a" }],
  number: ["0", "1", "10", true, [1], { a: 1 }],
  boolean: ["true", 1, 0, [true]]
}

/** A view with one indexed field, and two documents for each value, and some without one; written in no order. */
const filled = Effect.fnUntraced(function*(type: FieldType) {
  const view = yield* ReadSide.prepared([{ field: "f", type }])
  const values = ordered[type].flatMap((f, index) =>
    ["a", "b"].map((end) => put(`${`${index}`.padStart(2, "0")}${end}`, { f }))
  )
  const nulls = [put("n0", {}), put("n1", { f: null }), ...others[type].map((f, index) => put(`n${index + 2}`, { f }))]
  const written = [...values, ...nulls]
  yield* ReadSide.write(view, ...written.toReversed(), put("00a", { f: ordered[type][0] }, "another"))
  const [valued, unvalued] = [values.map(({ key }) => key), nulls.map(({ key }) => key)]
  return { view, values, nulls: unvalued, valued }
})

/** The value of the field to order by, as the next page wants it. */
const valueOf = (document: string, field: string): FieldValue | undefined => JSON.parse(document)[field]

/** A list page by page, each after the last of the one before. */
const paged = Effect.fnUntraced(function*(view: ViewDefinition, query: Omit<ViewQuery, "after">) {
  const { list } = yield* ViewStore
  const found: Array<string> = []
  let after: ViewQuery["after"]
  while (true) {
    const page = yield* list(view, { ...query, after })
    found.push(...page.map(({ key }) => key))
    const last = page.at(-1)
    if (last === undefined) return found
    after = { key: last.key, value: query.orderBy && valueOf(last.document, query.orderBy.field) }
  }
})

const types: ReadonlyArray<FieldType> = ["text", "number", "boolean"]

const ordering: Guarantees<ViewStore> = {
  "documents are listed by key, in code points": Effect.gen(function*() {
    const view = yield* ReadSide.prepared()
    yield* ReadSide.write(view, ...Names.ordered.toReversed().map((key) => put(key, {})))
    deepStrictEqual(yield* keys(view), Names.ordered)
    for (const limit of [1, 2, 5, 15, 16, 17]) deepStrictEqual(yield* paged(view, { tenant, limit }), Names.ordered)
    const after = (key: string) => keys(view, { after: { key }, limit: 2 })
    deepStrictEqual(yield* after("AB"), ["Az", "B"])
    deepStrictEqual(yield* after("\uD7FF"), ["\uE000", "\uFFFD"])
    deepStrictEqual(yield* after("A\0A"), ["A!", "AA"])
    deepStrictEqual(yield* after("😀"), [])
    deepStrictEqual(yield* after(""), ["!", "A"])
  }),

  "a page holds as many as were asked for, 1 to 1,000": Effect.gen(function*() {
    const view = yield* ReadSide.prepared([{ field: "f", type: "number" }])
    const all = Array.from({ length: 1_001 }, (_, index) => put(`${index}`.padStart(4, "0"), { f: 0 }))
    yield* ReadSide.write(view, ...all)
    const expected = all.map(({ key }) => key)
    for (const [limit, count] of [[1, 1], [7, 7], [1_000, 1_000], [2_000, 1_000], [0, 1], [-3, 1], [NaN, 1]] as const) {
      deepStrictEqual(yield* keys(view, { limit }), expected.slice(0, count))
      const orderBy = { field: "f", direction: "ascending" } as const
      deepStrictEqual(yield* keys(view, { limit, orderBy }), expected.slice(0, count))
    }
    deepStrictEqual(yield* paged(view, { tenant, limit: 1_000 }), expected)
  }),

  "documents are listed by a field of any type, then by key, upwards and downwards, those without it last": Effect.gen(
    function*() {
      for (const type of types) {
        const { nulls, valued, view } = yield* filled(type)
        const upwards = yield* keys(view, { orderBy: { field: "f", direction: "ascending" } })
        deepStrictEqual(upwards, [...valued, ...nulls])
        const downwards = yield* keys(view, { orderBy: { field: "f", direction: "descending" } })
        deepStrictEqual(downwards, [...valued.toReversed(), ...nulls.toReversed()])
      }
    }
  ),

  "pages of any size add up to the list, in any order": Effect.gen(function*() {
    for (const type of types) {
      const { nulls, valued, view } = yield* filled(type)
      for (const limit of [1, 2, 3, 7, 100]) {
        const query = { tenant, limit }
        const upwards = yield* paged(view, { ...query, orderBy: { field: "f", direction: "ascending" } })
        deepStrictEqual(upwards, [...valued, ...nulls], `${type} ${limit}`)
        const downwards = yield* paged(view, { ...query, orderBy: { field: "f", direction: "descending" } })
        deepStrictEqual(downwards, [...valued.toReversed(), ...nulls.toReversed()], `${type} ${limit}`)
      }
    }
  }),

  "a page goes on after a place where there is no document": Effect.gen(function*() {
    const view = yield* ReadSide.prepared([{ field: "f", type: "number" }])
    yield* ReadSide.write(view, ...[1, 2, 3].map((f) => put(`k${f}`, { f })), put("n1", {}), put("n3", {}))
    const cases: ReadonlyArray<readonly [ViewQuery["after"], Array<string>, Array<string>]> = [
      [{ key: "x", value: 0 }, ["k1", "k2", "k3", "n1", "n3"], ["n3", "n1"]],
      [{ key: "a", value: 2 }, ["k2", "k3", "n1", "n3"], ["k1", "n3", "n1"]],
      [{ key: "x", value: 2 }, ["k3", "n1", "n3"], ["k2", "k1", "n3", "n1"]],
      [{ key: "", value: 2.5 }, ["k3", "n1", "n3"], ["k2", "k1", "n3", "n1"]],
      [{ key: "x", value: 9 }, ["n1", "n3"], ["k3", "k2", "k1", "n3", "n1"]],
      [{ key: "n2", value: null }, ["n3"], ["n1"]],
      [{ key: "n2" }, ["n3"], ["n1"]],
      [{ key: "n2", value: "2" }, ["n3"], ["n1"]],
      [{ key: "n2", value: Infinity }, ["n3"], ["n1"]],
      [{ key: "n9", value: null }, [], ["n3", "n1"]]
    ]
    for (const [after, upwards, downwards] of cases) {
      deepStrictEqual(yield* keys(view, { after, orderBy: { field: "f", direction: "ascending" } }), upwards)
      deepStrictEqual(yield* keys(view, { after, orderBy: { field: "f", direction: "descending" } }), downwards)
    }
  })
}

const matching: Guarantees<ViewStore> = {
  "documents are found by what a field is, and by nothing that it is like": Effect.gen(function*() {
    const { count } = yield* ViewStore
    for (const type of types) {
      const { nulls, values, view } = yield* filled(type)
      for (const [index, equals] of ordered[type].entries()) {
        const where = [{ field: "f", equals }]
        deepStrictEqual(yield* keys(view, { where }), values.slice(2 * index, 2 * index + 2).map(({ key }) => key))
        strictEqual(yield* count(view, { tenant, where }), 2)
      }
      deepStrictEqual(yield* keys(view, { where: [{ field: "f", equals: null }] }), nulls)
      strictEqual(yield* count(view, { tenant, where: [{ field: "f", equals: null }] }), nulls.length)
      const foreign = types.filter((other) => other !== type).flatMap((other) => ordered[other])
      for (const equals of [...foreign, NaN, Infinity, "\0", "a\0", "\uD800", "%", "a' OR '1'='1", "null"]) {
        if (type === "text" && ordered.text.includes(equals)) continue
        deepStrictEqual(yield* keys(view, { where: [{ field: "f", equals }] }), [], `${type} ${String(equals)}`)
        strictEqual(yield* count(view, { tenant, where: [{ field: "f", equals }] }), 0)
      }
    }
  }),

  "zero is zero, whatever its sign, and numbers are those of JavaScript": Effect.gen(function*() {
    const view = yield* ReadSide.prepared([{ field: "f", type: "number" }])
    const texts = ["-0", "0", "0.0", "-0.0e3", "9007199254740993", "9007199254740992", "1e2", "100", "100.0"]
    yield* ReadSide.write(view, ...texts.map((text, index) => ({ tenant, key: `${index}`, document: `{"f":${text}}` })))
    for (const zero of [0, -0]) {
      deepStrictEqual(yield* keys(view, { where: [{ field: "f", equals: zero }] }), ["0", "1", "2", "3"])
    }
    deepStrictEqual(yield* keys(view, { where: [{ field: "f", equals: 2 ** 53 }] }), ["4", "5"])
    deepStrictEqual(yield* keys(view, { where: [{ field: "f", equals: 100 }] }), ["6", "7", "8"])
    deepStrictEqual(yield* keys(view, { orderBy: { field: "f", direction: "ascending" } }), [
      "0",
      "1",
      "2",
      "3",
      "6",
      "7",
      "8",
      "4",
      "5"
    ])
  }),

  "an indexed text may be longer than an index could hold": Effect.gen(function*() {
    const view = yield* ReadSide.prepared([{ field: "f", type: "text" }])
    // Nothing that an index could make short: whatever is read of it, its end decides.
    const long = Array.from({ length: 2_000 }, () => SecureRandom.uuidV4Unsafe()).join("")
    const texts = ["!", ...["", "!", "a", "b", "\u{10FFFF}"].map((end) => `${long}${end}`), "~"]
    yield* Effect.forEach(
      texts.toReversed(),
      (f, index) => ReadSide.write(view, put(`${texts.length - 1 - index}`, { f }))
    )
    for (const [index, equals] of texts.entries()) {
      deepStrictEqual(yield* keys(view, { where: [{ field: "f", equals }] }), [`${index}`])
    }
    const all = texts.map((_, index) => `${index}`)
    for (const limit of [1, 2, 99]) {
      const query = { tenant, limit }
      deepStrictEqual(yield* paged(view, { ...query, orderBy: { field: "f", direction: "ascending" } }), all)
      const downwards = yield* paged(view, { ...query, orderBy: { field: "f", direction: "descending" } })
      deepStrictEqual(downwards, all.toReversed())
    }
    yield* ReadSide.write(view, put("3", { f: long }))
    deepStrictEqual(yield* keys(view, { where: [{ field: "f", equals: long }] }), ["1", "3"])
  }),

  "several fields must all be equal, and the order may be that of another": Effect.gen(function*() {
    const view = yield* ReadSide.prepared([
      { field: "s", type: "text" },
      { field: "b", type: "boolean" },
      { field: "n", type: "number" }
    ])
    const documents = Array.from({ length: 24 }, (_, index) => ({
      ...(index % 4 === 3 ? {} : { s: ["new", "paid", "sent"][index % 4] }),
      b: index % 2 === 0,
      ...(index % 5 === 4 ? {} : { n: index % 5 })
    }))
    const keyOf = (index: number) => `${index}`.padStart(2, "0")
    yield* ReadSide.write(view, ...documents.map((document, index) => put(keyOf(index), document)))
    const { count } = yield* ViewStore
    for (const s of ["new", "paid", "sent", "lost", null]) {
      for (const b of [true, false]) {
        const where = [{ field: "s", equals: s }, { field: "b", equals: b }]
        const found = documents.flatMap((document, index) =>
          (document.s ?? null) === s && document.b === b ? [index] : []
        )
        deepStrictEqual(yield* keys(view, { where }), found.map(keyOf))
        strictEqual(yield* count(view, { tenant, where }), found.length)
        const byNumber = found.toSorted((x, y) => (documents[x]!.n ?? 9) - (documents[y]!.n ?? 9) || x - y)
        for (const limit of [1, 2, 50]) {
          const orderBy = { field: "n", direction: "ascending" } as const
          deepStrictEqual(yield* paged(view, { tenant, where, orderBy, limit }), byNumber.map(keyOf))
        }
      }
    }
    strictEqual(yield* count(view, { tenant }), 24)
    strictEqual(yield* count(view, { tenant, where: [] }), 24)
    const twice = [{ field: "s", equals: "new" }, { field: "s", equals: "paid" }]
    deepStrictEqual(yield* keys(view, { where: twice }), [])
  }),

  "the order may be that of the field that is asked for": Effect.gen(function*() {
    const view = yield* ReadSide.prepared([{ field: "f", type: "text" }])
    yield* ReadSide.write(
      view,
      put("a", { f: "x" }),
      put("b", { f: "y" }),
      put("c", { f: "x" }),
      put("d", {}),
      put("e", {})
    )
    const where = (equals: FieldValue) => [{ field: "f", equals }]
    const cases: ReadonlyArray<readonly [FieldValue, Array<string>]> = [["x", ["a", "c"]], [null, ["d", "e"]]]
    for (const [equals, found] of cases) {
      for (const limit of [1, 5]) {
        const query = { tenant, where: where(equals), limit }
        deepStrictEqual(yield* paged(view, { ...query, orderBy: { field: "f", direction: "ascending" } }), found)
        const downwards = yield* paged(view, { ...query, orderBy: { field: "f", direction: "descending" } })
        deepStrictEqual(downwards, found.toReversed())
      }
    }
  }),

  "a field of which there is no index is a defect, as is any other part of a document": Effect.gen(function*() {
    const { count, list } = yield* ViewStore
    const view = yield* ReadSide.prepared([{ field: "f", type: "text" }])
    yield* ReadSide.write(view, put("a", { f: "x", g: "y", in: { f: "x" } }))
    for (const field of ["g", "F", "in.f", "$.f", "", "f\" OR 1=1 --", "key", "document", "__proto__", "constructor"]) {
      const where = [{ field, equals: "x" }]
      yield* ReadSide.refused(list(view, { tenant, where, limit: 1 }))
      yield* ReadSide.refused(count(view, { tenant, where }))
      yield* ReadSide.refused(list(view, { tenant, orderBy: { field, direction: "ascending" }, limit: 1 }))
    }
  })
}

/** What `list` and `count` promise. */
export const guarantees: Guarantees<ViewStore> = { ...ordering, ...matching }
