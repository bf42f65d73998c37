/**
 * Documents that are written by appends: with the events or not at all, each decided on what was there before it.
 */
import { deepStrictEqual, strictEqual } from "@effect/vitest/utils"
import { Effect } from "effect"
import { limits } from "../../Admission.ts"
import type { Append, DocumentWrite, Status, Write } from "../../EventStore.ts"
import { ViewStore } from "../../ViewStore.ts"
import type { Ports } from "./Entering.ts"
import type { Guarantees } from "./Guarantees.ts"
import * as Inlined from "./Inlined.ts"
import * as Names from "./Names.ts"
import * as ReadSide from "./ReadSide.ts"
import * as Sample from "./Sample.ts"

const { becomes, kept } = Inlined
const { tenant } = ReadSide

const tags = (statuses: ReadonlyArray<Status>) => statuses.map(({ _tag }) => _tag)

const writing: Guarantees<Ports> = {
  "I1: documents are there when the append is answered, and count how often they were written": Effect.gen(
    function*() {
      const view = yield* Inlined.inline([{ field: "n", type: "number" }])
      const stream = Inlined.stream()
      yield* Sample.commit(Inlined.write(view, stream, 0, [
        becomes("a", undefined, { n: 1 }),
        becomes("b", undefined, { n: 1 })
      ]))
      yield* Sample.commit(Inlined.write(view, stream, 1, [becomes("a", { n: 1 }, { n: 2 })]))
      deepStrictEqual([yield* kept(view, "a"), yield* kept(view, "b")], [[2, { n: 2 }], [1, { n: 1 }]])
      deepStrictEqual(yield* ReadSide.keys(view, { where: [{ field: "n", equals: 2 }] }), ["a"])
      strictEqual(yield* (yield* ViewStore).count(view, { tenant }), 2)
      yield* Sample.commit(Inlined.write(view, stream, 2, [becomes("a", { n: 2 }, undefined)]))
      deepStrictEqual(yield* ReadSide.keys(view), ["b"])
      yield* Sample.commit(Inlined.write(view, stream, 3, [becomes("a", undefined, { n: 4 })]))
      deepStrictEqual(yield* kept(view, "a"), [1, { n: 4 }])
    }
  ),

  "several views are written by one append": Effect.gen(function*() {
    const [one, two] = [yield* Inlined.inline(), yield* Inlined.inline()]
    const [first, second] = [
      Inlined.write(one, Inlined.stream(), 0, [becomes("a", undefined, { n: 1 })]),
      Inlined.write(two, Inlined.stream(), 0, [becomes("a", undefined, { n: 2 })])
    ]
    const both: Write = {
      ...first,
      events: [...first.events, ...second.events],
      views: [...first.views!, ...second.views!]
    }
    yield* Sample.commit(both)
    deepStrictEqual([yield* kept(one, "a"), yield* kept(two, "a")], [[1, { n: 1 }], [1, { n: 2 }]])
  }),

  "I21: a document belongs to the tenant of its stream": Effect.gen(function*() {
    const view = yield* Inlined.inline()
    const tenants = [tenant, ...Names.odd]
    for (const [n, own] of tenants.entries()) {
      yield* Sample.commit(Inlined.write(view, Sample.stream({ tenant: own }), 0, [becomes("a", undefined, { n })]))
    }
    deepStrictEqual(
      yield* Effect.forEach(tenants, (own) => kept(view, "a", own)),
      tenants.map((_, n) => [1, { n }])
    )
  }),

  "keys are told apart, however odd they are": Effect.gen(function*() {
    const view = yield* Inlined.inline()
    for (const [n, key] of Names.odd.entries()) yield* Inlined.append(view, becomes(key, undefined, { n }))
    for (const [n, key] of Names.odd.entries()) {
      strictEqual((yield* Inlined.append(view, becomes(key, { n }, { n: n + 1_000 })))._tag, "Committed", key)
      deepStrictEqual(yield* kept(view, key), [2, { n: n + 1_000 }])
    }
  }),

  "a document is kept byte for byte, and compared so": Effect.gen(function*() {
    const view = yield* Inlined.inline([{ field: "n", type: "number" }])
    const texts = [
      "{ \"n\" : 1.0 }",
      "{\"n\":1}",
      "{\"n\":1e0}",
      "{\"t\":\"\\u00e9\"}",
      "{\"t\":\"é\"}",
      "{\"a\":1,\"b\":2}",
      "{\"b\":2,\"a\":1}",
      `{"n":12345678901234567890.5,"t":${JSON.stringify(Names.odd)}}`
    ]
    let expected: string | undefined
    for (const document of texts) {
      for (const wrong of texts.filter((text) => text !== expected)) {
        const status = yield* Inlined.append(view, { key: "a", expected: wrong, document })
        deepStrictEqual(status, {
          _tag: "DocumentConflict",
          write: 0,
          view: { name: view.name, version: 1 },
          key: "a",
          actual: expected
        })
      }
      strictEqual((yield* Inlined.append(view, { key: "a", expected, document }))._tag, "Committed")
      strictEqual(yield* ReadSide.documentAt(view, "a"), document)
      expected = document
    }
  }),

  "a thousand documents and a large one are written by one append": Effect.gen(function*() {
    const view = yield* Inlined.inline()
    const many = Array.from({ length: limits.writeDocumentsMax - 1 }, (_, n) => becomes(`${n}`, undefined, { n }))
    const large = { text: "x".repeat(limits.documentBytesMax - 20) }
    strictEqual((yield* Inlined.append(view, ...many, becomes("large", undefined, large)))._tag, "Committed")
    strictEqual(yield* (yield* ViewStore).count(view, { tenant }), 1_000)
    deepStrictEqual(yield* kept(view, "large"), [1, large])
    strictEqual((yield* Inlined.append(view, becomes("large", large, undefined)))._tag, "Committed")
  })
}

/** So many appends at once, each of which adds one to a number in a document, however often it takes. */
const addUp = (view: Inlined.Own, count: number) =>
  Effect.replicateEffect(
    Effect.gen(function*() {
      const stream = Inlined.stream()
      let actual: string | undefined
      while (true) {
        const n = actual === undefined ? 0 : JSON.parse(actual).n
        const status = yield* Sample.append(
          Inlined.write(view, stream, 0, [{ key: "sum", expected: actual, document: JSON.stringify({ n: n + 1 }) }])
        )
        if (status._tag === "Committed") return
        if (status._tag !== "DocumentConflict") throw new Error(Sample.describe(status))
        actual = status.actual
      }
    }),
    count,
    { concurrency: "unbounded", discard: true }
  )

const deciding: Guarantees<Ports> = {
  "I3: no two appends are decided on the same document": Effect.gen(function*() {
    const view = yield* Inlined.inline()
    yield* addUp(view, 20)
    deepStrictEqual(yield* kept(view, "sum"), [20, { n: 20 }])
  }),

  "I3: a document that was deleted and made anew is not taken for the old one": Effect.gen(function*() {
    const view = yield* Inlined.inline()
    yield* Inlined.append(view, becomes("a", undefined, { n: 1 }))
    yield* Inlined.append(view, becomes("a", { n: 1 }, undefined))
    yield* Inlined.append(view, becomes("a", undefined, { n: 2 }))
    yield* Inlined.leavesNothing(view, { _tag: "DocumentConflict", actual: Inlined.textOf({ n: 2 })! }, [
      Inlined.write(view, Inlined.stream(), 0, [becomes("a", { n: 1 }, { n: 10 })])
    ])
  }),

  "I1: where one document is another, nothing of the append is written": Effect.gen(function*() {
    const view = yield* Inlined.inline()
    yield* Inlined.append(view, becomes("a", undefined, { n: 1 }), becomes("b", undefined, { n: 1 }))
    const wrong: ReadonlyArray<readonly [DocumentWrite, unknown]> = [
      [becomes("a", undefined, { n: 2 }), { n: 1 }],
      [becomes("a", { n: 0 }, { n: 2 }), { n: 1 }],
      [becomes("a", { n: 0 }, undefined), { n: 1 }],
      [becomes("a", { n: 0 }, { n: 0 }), { n: 1 }],
      [becomes("a", undefined, undefined), { n: 1 }],
      [becomes("c", { n: 1 }, { n: 2 }), undefined],
      [becomes("c", { n: 1 }, { n: 1 }), undefined]
    ]
    for (const [document, actual] of wrong) {
      const conflict = { _tag: "DocumentConflict", key: document.key, actual: Inlined.textOf(actual) } as const
      const before = [becomes("b", { n: 1 }, { n: 2 }), becomes("d", undefined, {})]
      yield* Inlined.leavesNothing(view, { ...conflict, write: 0 }, [
        Inlined.write(view, Inlined.stream(), 0, [...before, document])
      ])
      yield* Inlined.leavesNothing(view, { ...conflict, write: 1 }, [
        Inlined.write(view, Inlined.stream(), 0, before),
        Inlined.write(view, Inlined.stream(), 0, [document])
      ])
    }
  }),

  "a document that does not change is looked at, and not written": Effect.gen(function*() {
    const view = yield* Inlined.inline()
    yield* Inlined.append(view, becomes("a", undefined, { n: 1 }))
    for (const same of [becomes("a", { n: 1 }, { n: 1 }), becomes("b", undefined, undefined)]) {
      strictEqual((yield* Inlined.append(view, same))._tag, "Committed")
    }
    deepStrictEqual([yield* kept(view, "a"), yield* kept(view, "b")], [[1, { n: 1 }], undefined])
  }),

  "an append in a group is decided on what those before it have made of a document": Effect.gen(function*() {
    const view = yield* Inlined.inline()
    const step = (expected: unknown, document: unknown): Append => [
      Inlined.write(view, Inlined.stream(), 0, [becomes("a", expected, document)])
    ]
    const statuses = yield* Sample.appendGroup(
      step(undefined, { n: 1 }),
      step({ n: 1 }, { n: 2 }),
      step({ n: 2 }, { n: 2 }),
      step({ n: 2 }, undefined),
      step(undefined, { n: 5 }),
      step({ n: 5 }, { n: 6 })
    )
    deepStrictEqual(tags(statuses), Array.from({ length: 6 }, () => "Committed"))
    deepStrictEqual(yield* kept(view, "a"), [2, { n: 6 }])
  }),

  "I23: an append that is not written leaves its neighbours' documents as they are": Effect.gen(function*() {
    const view = yield* Inlined.inline()
    yield* Inlined.append(view, becomes("a", undefined, { n: 0 }))
    const full = yield* Sample.filled(1, { tenant })
    const step = (expected: number, document: number, parts: Partial<Write> = {}): Append => [
      { ...Inlined.write(view, Inlined.stream(), 0, [becomes("a", { n: expected }, { n: document })]), ...parts }
    ]
    const statuses = yield* Sample.appendGroup(
      step(0, 1),
      step(1, 2, { stream: full }),
      step(7, 8),
      step(2, 3),
      step(1, 4),
      step(4, 5, { receipts: [Sample.receipt("")] }),
      step(4, 6)
    )
    deepStrictEqual(tags(statuses), [
      "Committed",
      "Conflict",
      "DocumentConflict",
      "DocumentConflict",
      "Committed",
      "Refused",
      "Committed"
    ])
    deepStrictEqual(statuses.map((status) => status._tag === "DocumentConflict" && status.actual).slice(2, 4), [
      "{\"n\":1}",
      "{\"n\":1}"
    ])
    deepStrictEqual(yield* kept(view, "a"), [4, { n: 6 }])
  }),

  "I23: an append that is written beside one whose document is another has consecutive positions": Effect.gen(
    function*() {
      const view = yield* Inlined.inline()
      const before = yield* Sample.head
      const statuses = yield* Sample.appendGroup(
        [Sample.write(Inlined.stream(), 0, Sample.events(2))],
        [Inlined.write(view, Inlined.stream(), 0, [becomes("a", { n: 1 }, { n: 2 })])],
        [
          Inlined.write(view, Inlined.stream(), 0, [becomes("a", undefined, { n: 1 })]),
          Sample.write(Inlined.stream(), 0, Sample.events(2), [Sample.receipt("c", { events: 1, through: 2 })])
        ],
        [Sample.write(Inlined.stream(), "any", Sample.events(1))]
      )
      deepStrictEqual(tags(statuses), ["Committed", "DocumentConflict", "Committed", "Committed"])
      const positions = statuses.flatMap((status) => status._tag === "Committed" ? status.writes : [])
      deepStrictEqual(positions.map(({ position }) => position! - before), [2n, 3n, 5n, 6n])
      strictEqual(yield* Sample.head, before + 6n)
    }
  ),

  "the writes of one append are decided one after the other": Effect.gen(function*() {
    const view = yield* Inlined.inline()
    yield* Sample.commit(
      Inlined.write(view, Inlined.stream(), 0, [becomes("a", undefined, { n: 1 })]),
      Inlined.write(view, Inlined.stream(), 0, [becomes("a", { n: 1 }, { n: 2 })]),
      Inlined.write(view, Inlined.stream(), 0, [becomes("b", undefined, {})])
    )
    deepStrictEqual([yield* kept(view, "a"), yield* kept(view, "b")], [[2, { n: 2 }], [1, {}]])
    yield* Inlined.leavesNothing(view, { _tag: "DocumentConflict", write: 1, actual: Inlined.textOf({ n: 3 })! }, [
      Inlined.write(view, Inlined.stream(), 0, [becomes("a", { n: 2 }, { n: 3 })]),
      Inlined.write(view, Inlined.stream(), 0, [becomes("a", { n: 2 }, { n: 4 })])
    ])
  }),

  "whoever takes one of its writes into a view does so with all of them": Effect.gen(function*() {
    const view = yield* Inlined.inline()
    const known = Inlined.write(view, Inlined.stream(), 0, [becomes("a", undefined, {})])
    for (const [write, append] of [[known, Inlined.strange(view)], [Inlined.strange(view), known]].entries()) {
      yield* Inlined.leavesNothing(view, { _tag: "ViewsChanged", write: 1 - write, state: "inline" }, [
        append[0]!,
        append[1]!
      ])
    }
    strictEqual(yield* Inlined.isInline(view), true)
  }),

  "documents of a view that is not inline are not written": Effect.gen(function*() {
    const view = yield* Inlined.prepared()
    for (const documents of [[], [becomes("a", undefined, {})]]) {
      yield* Inlined.leavesNothing(view, {
        _tag: "ViewsChanged",
        write: 0,
        view: { name: view.name, version: 1 },
        state: "followed"
      }, [
        Inlined.write(view, Inlined.stream(), 0, documents)
      ])
    }
  }),

  "whoever does not know yet that a view is inline writes nothing": Effect.gen(function*() {
    const view = yield* Inlined.inline()
    yield* Inlined.leavesNothing(view, { _tag: "ViewsChanged", write: 0, state: "inline" }, [
      Inlined.write(view, Inlined.stream(), 0, undefined)
    ])
    strictEqual((yield* Inlined.append(view))._tag, "Committed")
    strictEqual(yield* Inlined.isInline(view), true)
  })
}

/** What `EventStore.append` promises of the documents of inline views. */
export const guarantees: Guarantees<Ports> = { ...writing, ...deciding }
