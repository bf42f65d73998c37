/**
 * Names and texts: what is written comes back byte for byte, reaches into nothing else, and cannot be changed by those
 * who hold it.
 */
import { deepStrictEqual, strictEqual } from "@effect/vitest/utils"
import { Effect } from "effect"
import type { New, StreamId } from "../../Event.ts"
import { type Append, EventStore } from "../../EventStore.ts"
import type { Guarantees } from "./Guarantees.ts"
import { odd as names } from "./Names.ts"
import * as Sample from "./Sample.ts"

const deep = (levels: number): unknown => levels === 0 ? [] : { in: [deep(levels - 1)] }

const values: ReadonlyArray<unknown> = [
  null,
  0,
  "",
  [],
  { "": "" },
  "quotes \" and \\ and / and \b\f\n\r\t and \u2028\u2029 and \u007f",
  "😀 é e\u0301 \uFFFD \uFFFF \u{10FFFF}",
  { "key with \" and \\u0041 and \\\\": "\\u0000 is text here", constructor: { prototype: 1 }, "1": 1, b: 2, a: 3 },
  [0.1, -0, 1e21, 1e-7, Number.MAX_SAFE_INTEGER, Number.MAX_VALUE, 5e-324],
  deep(500)
]

/** JSON as no encoder of ours writes it; a store that parses and prints it again would change it. */
const texts = [
  "{ \"b\" : 1,\n\t\"a\" : [ 1.0, 1E400, -0.0, 12345678901234567890.123456789 ] }",
  "{\"twice\":1,\"twice\":2}",
  "\"\\u0041\\u00e9\\ud83d\\ude00\\/\"",
  "  [ ]  "
]

const roundTrip = Effect.fnUntraced(function*(given: ReadonlyArray<New>) {
  const stream = Sample.stream()
  const before = yield* Sample.head
  yield* Sample.commit(Sample.write(stream, 0, given))
  for (const found of [yield* Sample.wholeStream(stream), yield* Sample.wholeLog(before)]) {
    deepStrictEqual(found.map(({ data }) => data), given.map(({ data }) => data))
    deepStrictEqual(found.map(({ metadata }) => metadata), given.map(({ metadata }) => metadata))
    deepStrictEqual(found.map(({ type }) => type), given.map(({ type }) => type))
  }
})

/** Changes whatever can be changed in a value, as deep as it goes. */
const spoil = (value: unknown): void => {
  if (typeof value !== "object" || value === null) return
  for (const key of Object.keys(value)) {
    spoil(Reflect.get(value, key))
    Reflect.set(value, key, "spoilt")
  }
  if (Array.isArray(value)) Reflect.set(value, "length", 0)
}

const append = (stream: StreamId, data: unknown): Append => [Sample.write(stream, 0, [Sample.event({ data })])]

/** What every store promises of names and texts. */
export const guarantees: Guarantees<EventStore> = {
  "any name is a stream of its own, as an id, as a category and as a tenant": Effect.gen(function*() {
    const unique = Sample.name("names")
    const streams = names.flatMap((name) => [
      { tenant: unique, category: "names", id: name },
      { tenant: unique, category: name, id: "a" },
      { tenant: name, category: unique, id: "a" }
    ])
    for (const stream of streams) Sample.committed((yield* Sample.appendGroup(append(stream, { ...stream })))[0])
    for (const stream of streams) {
      const found = yield* Sample.wholeStream(stream)
      deepStrictEqual(found.map(({ category, data, id, tenant }) => [data, tenant, category, id]), [
        [JSON.stringify(stream), stream.tenant, stream.category, stream.id]
      ])
    }
  }),

  "names are never glued together": Effect.gen(function*() {
    const name = Sample.name("glue")
    for (const separator of ["", ":", "/", "-", " ", "\u0001", "\",\"", "','"]) {
      const [left, right] = [`${name}${separator}b`, `b${separator}c`]
      for (
        const [tenant, category, id] of [[left, "c", "d"], [name, right, "d"], ["t", left, "c"], ["t", name, right]]
      ) {
        yield* Sample.commit(...append({ tenant: tenant!, category: category!, id: id! }, 1))
      }
    }
  }),

  "a name that cannot be written is the name of an empty stream, and finds no other": Effect.gen(function*() {
    const store = yield* EventStore
    const category = Sample.name("malformed")
    const known = Sample.stream({ category, id: "\uFFFD" })
    yield* Sample.commit(Sample.write(known, 0, Sample.events(1), [Sample.receipt("\uFFFD")]))
    for (const id of ["\uD800", "\uDC00", "\uFFFD\0", "", "\0"]) {
      const { events, version } = yield* store.readStream({ ...known, id })
      deepStrictEqual([events, version], [[], 0])
      strictEqual(yield* store.receipt({ ...known, id }, "\uFFFD"), undefined)
      strictEqual(yield* store.receipt(known, id), undefined)
      deepStrictEqual(yield* store.streams({ category: id }), [])
    }
  }),

  "data and metadata come back byte for byte": Effect.gen(function*() {
    yield* roundTrip(values.map((data) => Sample.event({ data })))
    const metadata = Object.fromEntries(
      names.filter((name) => name !== "__proto__").map((name) => [name, `of ${name}`])
    )
    yield* roundTrip([Sample.event({ metadata }), ...names.map((type) => Sample.event({ type, data: type }))])
  }),

  "JSON text is kept as it is written, not as it is meant": Effect.gen(function*() {
    yield* roundTrip(texts.map((data) => ({ ...Sample.event(), data })))
    yield* roundTrip([{ ...Sample.event(), metadata: "{ \"b\":\"1\",  \"a\":\"2\" }" }])
  }),

  "the hash, the outcome and the id of a command come back byte for byte": Effect.gen(function*() {
    const store = yield* EventStore
    const stream = Sample.stream()
    const outcomes = [
      ...texts,
      ...values.map((value) => JSON.stringify(value)),
      ...names.map((name) => JSON.stringify(name))
    ]
    const receipts = outcomes.map((outcome, index) => {
      const name = names[index % names.length]!
      return Sample.receipt(index < names.length ? name : `${index}`, { outcome, hash: `hash ${name}` })
    })
    yield* Sample.commit(Sample.write(stream, 0, [], receipts))
    for (const { commandId, hash, outcome } of receipts) {
      deepStrictEqual(yield* store.receipt(stream, commandId), {
        stream,
        commandId,
        hash,
        outcome,
        version: 0,
        position: undefined
      })
    }
  }),

  "I2: what a reader does to what it was given changes nothing for the next one": Effect.gen(function*() {
    const store = yield* EventStore
    const stream = Sample.stream({ category: Sample.name("spoilt") })
    const before = yield* store.head
    const write = Sample.write(stream, 0, Sample.events(2), [Sample.receipt("c", { events: 1, through: 1 })])
    spoil(yield* Sample.appendGroup([write]))
    const reads = Effect.all([
      store.readStream(stream),
      store.readStream(stream, { direction: "backwards" }),
      store.readAll({ after: before }),
      store.readAll({ after: before, filter: { categories: [stream.category] } }),
      store.receipt(stream, "c"),
      store.streams({ category: stream.category }),
      Sample.appendGroup([write])
    ])
    // A store with a clock of its own says another time each time.
    const told = Effect.map(reads, (found) => Sample.describe(found).replaceAll(/"readAtMillis":\d+/g, ""))
    const first = yield* told
    for (const found of yield* reads) spoil(found)
    strictEqual(yield* told, first)
  }),

  "what a writer does to what it gave changes nothing in the log": Effect.gen(function*() {
    const store = yield* EventStore
    const stream = { ...Sample.stream() }
    const known = { ...stream }
    const write = Sample.write(stream, 0, Sample.events(2), [Sample.receipt("c", { events: 1, through: 1 })])
    const events = write.events.map((event) => ({ ...event }))
    yield* Sample.commit(write)
    spoil(write)
    const found = yield* Sample.wholeStream(known)
    const [{ position, recordedAtMillis }] = [found[0]!]
    deepStrictEqual(
      found,
      events.map((event, index) =>
        Sample.stored(known, event, { version: index + 1, position: position + BigInt(index), recordedAtMillis })
      )
    )
    deepStrictEqual((yield* store.receipt(known, "c"))?.stream, known)
  })
}
