/**
 * Writing documents and reading them by key: each of its own view, version and tenant, byte for byte.
 */
import { assertTrue, deepStrictEqual, strictEqual } from "@effect/vitest/utils"
import { Effect } from "effect"
import { limits } from "../../Admission.ts"
import { type DocumentChange, type ViewDefinition, type ViewId, ViewStore } from "../../ViewStore.ts"
import type { Guarantees } from "./Guarantees.ts"
import * as Names from "./Names.ts"
import * as ReadSide from "./ReadSide.ts"

const { gone, put, tenant } = ReadSide

/** A document as text, which need not be as an encoder of ours writes it. */
const text = (key: string, document: string, of = tenant): DocumentChange => ({ tenant: of, key, document })

const read = (view: ViewId, ...keys: ReadonlyArray<string>) =>
  Effect.flatMap(ViewStore, (views) =>
    Effect.map(
      views.read(view, keys.map((key) => ({ tenant, key }))),
      (found) => found.toSorted((a, b) => keys.indexOf(a.key) - keys.indexOf(b.key))
    ))

/** How often the document of a key was written. */
const revisionOf = (view: ViewId, key: string) => Effect.map(read(view, key), ([found]) => found?.revision)

const writing: Guarantees<ViewStore> = {
  "what was written is read, and nothing else": Effect.gen(function*() {
    const view = yield* ReadSide.prepared()
    yield* ReadSide.write(view, put("a", { n: 1 }), put("b", { n: 2 }), put("c", { n: 3 }))
    deepStrictEqual(yield* read(view, "c", "unknown", "a"), [
      { tenant, key: "c", revision: 1, document: `{"n":3}` },
      { tenant, key: "a", revision: 1, document: `{"n":1}` }
    ])
    deepStrictEqual(yield* read(view), [])
    deepStrictEqual(yield* read(view, "A", "a ", "%", "_"), [])
  }),

  "a document is replaced as a whole, and counts how often": Effect.gen(function*() {
    const view = yield* ReadSide.prepared()
    yield* ReadSide.write(view, put("a", { n: 1, gone: true }))
    yield* ReadSide.write(view, put("a", { n: 2 }), put("b", {}))
    yield* ReadSide.write(view, put("a", { n: 2 }))
    deepStrictEqual(yield* read(view, "a", "b"), [
      { tenant, key: "a", revision: 3, document: `{"n":2}` },
      { tenant, key: "b", revision: 1, document: "{}" }
    ])
  }),

  "a document is deleted, and its key begins again": Effect.gen(function*() {
    const view = yield* ReadSide.prepared()
    yield* ReadSide.write(view, put("a", {}), put("b", {}))
    yield* ReadSide.write(view, put("a", {}))
    yield* ReadSide.write(view, gone("a"), gone("unknown"))
    deepStrictEqual(yield* ReadSide.keys(view), ["b"])
    yield* ReadSide.write(view, put("a", {}))
    strictEqual(yield* revisionOf(view, "a"), 1)
    yield* ReadSide.write(view)
    deepStrictEqual(yield* ReadSide.keys(view), ["a", "b"])
  }),

  "the documents of a page are written and read at once": Effect.gen(function*() {
    const view = yield* ReadSide.prepared([{ field: "n", type: "number" }])
    const changes = Array.from({ length: 1_000 }, (_, n) => put(`key ${n}`, { n, text: "x".repeat(100) }))
    for (const revision of [1, 2]) {
      yield* ReadSide.write(view, ...changes)
      const found = yield* read(view, ...changes.map(({ key }) => key))
      deepStrictEqual(found, changes.map(({ document, key }) => ({ tenant, key, revision, document: document! })))
    }
    yield* ReadSide.write(view, ...changes.slice(1).map(({ key }) => gone(key)))
    deepStrictEqual(yield* ReadSide.keys(view), ["key 0"])
  }),

  "a document comes back byte for byte": Effect.gen(function*() {
    const view = yield* ReadSide.prepared([{ field: "n", type: "number" }, { field: "t", type: "text" }])
    const deep = (levels: number): unknown => levels === 0 ? [] : { in: [deep(levels - 1)] }
    const documents = [
      "{ \"b\" : 1,\n\t\"a\" : [ 1.0, -0.0, 12345678901234567890.123456789 ], \"n\": 1.50 }",
      "{\"t\":\"\\u0041\\u00e9\\/\"}",
      "  { }  ",
      ...Names.odd.map((name) => JSON.stringify({ [name === "__proto__" ? "proto" : name]: name, t: name })),
      JSON.stringify({ t: "quotes \" and \\ and / and \b\f\n\r\t and \u2028\u2029 and \u007f", n: 5e-324 }),
      JSON.stringify({ deep: deep(249), n: -0, t: "\u{10FFFF}" })
    ]
    yield* ReadSide.write(view, ...documents.map((document, index) => text(`${index}`, document)))
    const found = yield* read(view, ...documents.map((_, index) => `${index}`))
    deepStrictEqual(found.map(({ document }) => document), documents)
    const listed = yield* (yield* ViewStore).list(view, { tenant, limit: 1_000 })
    deepStrictEqual(new Set(listed.map(({ document }) => document)), new Set(documents))
  }),

  "a key is up to 255 characters of any kind": Effect.gen(function*() {
    const view = yield* ReadSide.prepared()
    const keys = [...Names.odd, "x".repeat(255), "😀".repeat(255)]
    for (const of of [tenant, ...keys]) {
      yield* ReadSide.write(view, ...keys.map((key) => put(key, { of, key }, of)))
    }
    for (const of of [tenant, ...keys]) {
      const found = yield* (yield* ViewStore).read(view, keys.map((key) => ({ tenant: of, key })))
      deepStrictEqual(
        new Map(found.map((document) => [document.key, document])),
        new Map(keys.map((key) => [key, { tenant: of, key, revision: 1, document: JSON.stringify({ of, key }) }]))
      )
    }
  })
}

/** None of these is written because one of them cannot be. */
const refusedWith = Effect.fnUntraced(function*(
  view: ViewDefinition,
  tag: "InputInvalid" | "LimitExceeded",
  ...changes: ReadonlyArray<DocumentChange>
) {
  const error = yield* Effect.flip(ReadSide.write(view, put("first", {}), ...changes, put("last", {})))
  strictEqual(error._tag, tag, error.message)
  deepStrictEqual(yield* ReadSide.keys(view), [])
})

const refusing: Guarantees<ViewStore> = {
  "of documents that are written together one that cannot be is in the way of all": Effect.gen(function*() {
    const view = yield* ReadSide.prepared()
    for (const name of Names.malformed) {
      yield* refusedWith(view, "InputInvalid", put(name, {}))
      yield* refusedWith(view, "InputInvalid", put("a", {}, name))
      yield* refusedWith(view, "InputInvalid", gone(name))
    }
    yield* refusedWith(view, "LimitExceeded", put("x".repeat(256), {}))
    yield* refusedWith(view, "LimitExceeded", put("a", {}, "x".repeat(256)))
    yield* refusedWith(view, "InputInvalid", put("a", { n: 1 }), put("b", {}), put("a", { n: 2 }))
    yield* refusedWith(view, "InputInvalid", put("a", {}), gone("a"))
  }),

  "a document is a JSON object that every store can keep": Effect.gen(function*() {
    const view = yield* ReadSide.prepared([{ field: "t", type: "text" }])
    const wrong = [
      "",
      "null",
      "1",
      "\"text\"",
      "[]",
      "true",
      "{",
      "{}{}",
      "{'a':1}",
      "{\"a\":undefined}",
      "{\"a\":NaN}",
      "\0",
      ...[{ t: "\0" }, { t: "a\uD800" }, { "\0": 1 }, { "\uDC00": 1 }].map((value) => JSON.stringify(value)),
      `{"t":"\uD800"}`,
      `{"t":"\0"}`,
      `{"__proto__":{}}`,
      `{"a":[{"__proto__":1}]}`,
      `{"a":${"[".repeat(600)}${"]".repeat(600)}}`
    ]
    for (const document of wrong) yield* refusedWith(view, "InputInvalid", text("a", document))
    yield* ReadSide.write(view, text("a", `{"t":"\\\\u0000 and __proto__ are text here"}`))
  }),

  "a document is 1 MiB at most": Effect.gen(function*() {
    const view = yield* ReadSide.prepared()
    const sized = (bytes: number, character: string) => {
      const count = Math.floor((bytes - 8) / Buffer.byteLength(character))
      const filled = `{"a":"${character.repeat(count)}"}`
      return `${filled}${" ".repeat(bytes - Buffer.byteLength(filled))}`
    }
    for (const character of ["x", "é", "😀"]) {
      yield* refusedWith(view, "LimitExceeded", text("a", sized(limits.documentBytesMax + 1, character)))
      const largest = sized(limits.documentBytesMax, character)
      yield* ReadSide.write(view, text("a", largest))
      strictEqual(yield* ReadSide.documentAt(view, "a"), largest)
      yield* ReadSide.write(view, gone("a"))
    }
  }),

  "a key that cannot be written finds no document": Effect.gen(function*() {
    const view = yield* ReadSide.prepared()
    const { count, list, read } = yield* ViewStore
    yield* ReadSide.write(view, put("\uFFFD", {}), put("a\uFFFD", {}), put("\uFFFD", {}, "\uFFFD"))
    for (const name of [...Names.malformed, "\uFFFD\0"]) {
      deepStrictEqual(yield* read(view, [{ tenant, key: name }, { tenant: name, key: "\uFFFD" }]), [])
      deepStrictEqual(yield* list(view, { tenant: name, limit: 9 }), [])
      strictEqual(yield* count(view, { tenant: name }), 0)
    }
  })
}

const apart: Guarantees<ViewStore> = {
  "I21: a tenant reads, lists and counts its own documents, whatever key it asks for": Effect.gen(function*() {
    const view = yield* ReadSide.prepared([{ field: "n", type: "number" }])
    const { count, list, read } = yield* ViewStore
    const tenants = ["one", "One", "on", "one ", "%", "o_e", "", "'one'", "one' OR '1'='1"].filter((name) =>
      name !== ""
    )
    for (const [n, of] of tenants.entries()) {
      yield* ReadSide.write(view, put("a", { n, of }, of), put(`only ${n}`, { n }, of))
    }
    for (const [n, of] of tenants.entries()) {
      const others = tenants.map((_, other) => `only ${other}`).filter((key) => key !== `only ${n}`)
      deepStrictEqual(yield* read(view, others.map((key) => ({ tenant: of, key }))), [])
      const listed = yield* list(view, { tenant: of, limit: 99 })
      deepStrictEqual(listed.map(({ key }) => key), ["a", `only ${n}`])
      strictEqual(yield* ReadSide.documentAt(view, "a", of), JSON.stringify({ n, of }))
      strictEqual(yield* count(view, { tenant: of }), 2)
      for (const equals of tenants.keys()) {
        const where = [{ field: "n", equals }]
        strictEqual(yield* count(view, { tenant: of, where }), equals === n ? 2 : 0)
        const orderBy = { field: "n", direction: "descending" } as const
        const found = yield* list(view, { tenant: of, where, orderBy, limit: 99 })
        strictEqual(found.length, equals === n ? 2 : 0)
      }
      const after = { key: "", value: null }
      strictEqual((yield* list(view, { tenant: of, after, limit: 99 })).length, 2)
    }
  }),

  "I21: a tenant writes and deletes its own documents only": Effect.gen(function*() {
    const view = yield* ReadSide.prepared()
    yield* ReadSide.write(view, put("a", { of: "one" }, "one"), put("a", { of: "two" }, "two"))
    yield* ReadSide.write(view, put("a", { of: "one again" }, "one"), gone("b", "two"))
    yield* ReadSide.write(view, gone("a", "three"))
    const { read } = yield* ViewStore
    const found = yield* read(view, ["one", "two", "three"].map((tenant) => ({ tenant, key: "a" })))
    deepStrictEqual(
      found.map(({ document, revision, tenant }) => [tenant, revision, document]).toSorted(),
      [["one", 2, `{"of":"one again"}`], ["two", 1, `{"of":"two"}`]]
    )
    yield* ReadSide.write(view, gone("a", "one"))
    deepStrictEqual([yield* ReadSide.documentAt(view, "a", "one"), yield* ReadSide.documentAt(view, "a", "two")], [
      undefined,
      `{"of":"two"}`
    ])
  }),

  "views and their versions have documents of their own": Effect.gen(function*() {
    const { clear, prepare } = yield* ViewStore
    const one = ReadSide.view()
    const views = [one, { ...one, version: 2 }, { ...one, version: 12 }, { ...one, version: 999_999 }, ReadSide.view()]
    for (const view of views) yield* prepare(view)
    for (const [n, view] of views.entries()) yield* ReadSide.write(view, put("a", { n }), put(`only ${n}`, {}))
    for (const [n, view] of views.entries()) {
      deepStrictEqual(yield* ReadSide.keys(view), ["a", `only ${n}`])
      strictEqual(yield* ReadSide.documentAt(view, "a"), `{"n":${n}}`)
    }
    yield* clear(one)
    deepStrictEqual(yield* Effect.forEach(views, (view) => Effect.map(ReadSide.keys(view), ({ length }) => length)), [
      0,
      2,
      2,
      2,
      2
    ])
  }),

  "what others do to what they gave or were given changes nothing in the store": Effect.gen(function*() {
    const view = yield* ReadSide.prepared()
    const { list, read } = yield* ViewStore
    const changes = [{ ...put("a", { n: 1 }) }]
    yield* ReadSide.write(view, ...changes)
    ReadSide.spoil(changes)
    ReadSide.spoil(yield* read(view, [{ tenant, key: "a" }]))
    ReadSide.spoil(yield* list(view, { tenant, limit: 1 }))
    deepStrictEqual(yield* list(view, { tenant, limit: 1 }), [{ key: "a", revision: 1, document: `{"n":1}` }])
    assertTrue((yield* ReadSide.documentAt(view, "a")) === `{"n":1}`)
  })
}

/** What a view store promises of documents. */
export const guarantees: Guarantees<ViewStore> = { ...writing, ...refusing, ...apart }
