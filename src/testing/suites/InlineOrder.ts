/**
 * What comes before documents when an append is decided, and what no document can be.
 */
import { assertTrue, deepStrictEqual, strictEqual } from "@effect/vitest/utils"
import { Effect } from "effect"
import { limits } from "../../Admission.ts"
import type { DocumentWrite, Write } from "../../EventStore.ts"
import type { Ports } from "./Entering.ts"
import type { Guarantees } from "./Guarantees.ts"
import * as Inlined from "./Inlined.ts"
import * as Names from "./Names.ts"
import * as ReadSide from "./ReadSide.ts"
import * as Sample from "./Sample.ts"

const { becomes, kept } = Inlined
const { tenant } = ReadSide

const order: Guarantees<Ports> = {
  "I5: an append that is sent again is recognized, whatever has become of its documents": Effect.gen(function*() {
    const view = yield* Inlined.inline()
    const written = Inlined.write(view, Inlined.stream(), 0, [becomes("a", undefined, { n: 1 })])
    const first = yield* Sample.append(written)
    const again = { ...written, views: [{ view, documents: [becomes("a", { n: 1 }, { n: 2 })] }] }
    for (const write of [written, again, { ...written, views: [] }]) {
      deepStrictEqual(yield* Sample.append(write), first)
      deepStrictEqual(yield* kept(view, "a"), [1, { n: 1 }])
    }
    yield* Inlined.append(view, becomes("a", { n: 1 }, undefined))
    deepStrictEqual(yield* Sample.append(again), first)
    strictEqual(yield* kept(view, "a"), undefined)
    strictEqual(yield* Inlined.isInline(view), true)
    yield* Sample.commit(Inlined.strange(view))
    deepStrictEqual(yield* Sample.append(again), first)
  }),

  "I5: a command that was carried out before is answered from its receipt, whatever its documents": Effect.gen(
    function*() {
      const view = yield* Inlined.inline()
      const stream = yield* Sample.filled(1, { tenant })
      yield* Sample.commit(Sample.write(stream, 1, [], [Sample.receipt("c")]))
      yield* Inlined.leavesNothing(view, { _tag: "Duplicate" }, [
        { ...Inlined.write(view, stream, 1, [becomes("a", { n: 7 }, { n: 8 })]), receipts: [Sample.receipt("c")] }
      ])
    }
  ),

  "an expectation of a stream comes before documents": Effect.gen(function*() {
    const view = yield* Inlined.inline()
    const stream = yield* Sample.filled(2, { tenant })
    yield* Inlined.leavesNothing(view, { _tag: "Conflict", write: 1, actual: 2 }, [
      Inlined.write(view, Inlined.stream(), 0, [becomes("a", { n: 7 }, { n: 8 })]),
      Inlined.write(view, stream, 1, [becomes("a", { n: 8 }, { n: 9 })])
    ])
  }),

  "a receipt is left with the documents": Effect.gen(function*() {
    const view = yield* Inlined.inline()
    const stream = Inlined.stream()
    const receipt = Sample.receipt("c", { events: 1, through: 1 })
    yield* Sample.commit({ ...Inlined.write(view, stream, 0, [becomes("a", undefined, {})]), receipts: [receipt] })
    const again = { ...Inlined.write(view, stream, 1, [becomes("a", {}, { n: 1 })]), receipts: [receipt] }
    yield* Inlined.leavesNothing(view, { _tag: "Duplicate" }, [again])
  })
}

/** The write with other documents. */
const withDocuments = (view: Inlined.Own, ...documents: ReadonlyArray<Partial<DocumentWrite>>): Write =>
  Inlined.write(view, Inlined.stream(), 0, documents.map((parts) => ({ ...becomes("a", undefined, {}), ...parts })))

const refusing: Guarantees<Ports> = {
  "what no document can be is refused": Effect.gen(function*() {
    const view = yield* Inlined.inline()
    const texts = [
      "",
      "{",
      "[]",
      "1",
      "null",
      "{} {}",
      "{\"a\":\"\\u0000\"}",
      "{\"a\":\"\\ud800\"}",
      "{\"__proto__\":1}"
    ]
    const large = JSON.stringify({ text: "x".repeat(limits.documentBytesMax) })
    const wrong: ReadonlyArray<Write> = [
      ...texts.map((document) => withDocuments(view, { document })),
      ...[...Names.malformed, "x".repeat(256)].map((key) => withDocuments(view, { key })),
      withDocuments(view, { document: large }),
      withDocuments(view, {}, {}),
      withDocuments(view, ...Array.from({ length: limits.writeDocumentsMax + 1 }, (_, n) => ({ key: `${n}` }))),
      withDocuments(
        view,
        ...Array.from({ length: 17 }, (_, n) => ({
          key: `${n}`,
          document: JSON.stringify({ text: "x".repeat(limits.documentBytesMax - 100) })
        }))
      ),
      { ...withDocuments(view, {}), events: [] },
      { ...withDocuments(view), views: [{ view, documents: [] }, { view: { ...view, version: 2 }, documents: [] }] },
      ...[{ name: "A", version: 1 }, { name: "a", version: 0 }].map((view): Write => ({
        ...Sample.write(Inlined.stream(), 0, Sample.events(1)),
        views: [{ view, documents: undefined }]
      }))
    ]
    for (const write of wrong) yield* Inlined.leavesNothing(view, { _tag: "Refused" }, [write])
  }),

  "I23: a neighbour of what is refused is written": Effect.gen(function*() {
    const view = yield* Inlined.inline()
    const statuses = yield* Sample.appendGroup(
      [withDocuments(view, { document: "[]" })],
      [withDocuments(view, { document: "{}" })]
    )
    deepStrictEqual(statuses.map(({ _tag }) => _tag), ["Refused", "Committed"])
    assertTrue((yield* kept(view, "a")) !== undefined)
  })
}

/** In which order `EventStore.append` looks at what it is given, and what it refuses. */
export const guarantees: Guarantees<Ports> = { ...order, ...refusing }
