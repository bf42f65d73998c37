/**
 * Dead letters and parked streams: each of its own reader, kept until somebody says otherwise.
 */
import { assertTrue, deepStrictEqual, strictEqual } from "@effect/vitest/utils"
import { Effect } from "effect"
import type { CheckpointStore } from "../../CheckpointStore.ts"
import { type DeadLetter, DeadLetters, type ParkedStream, type ReaderId } from "../../DeadLetters.ts"
import type { Position, StreamId } from "../../Event.ts"
import type { Guarantees } from "./Guarantees.ts"
import * as Names from "./Names.ts"
import * as ReadSide from "./ReadSide.ts"
import * as Sample from "./Sample.ts"

const { letter } = ReadSide

const put = (...letters: ReadonlyArray<ReturnType<typeof letter>>) =>
  Effect.flatMap(DeadLetters, (store) => Effect.forEach(letters, store.put, { discard: true }))

const positions = (query: Parameters<DeadLetters["Service"]["list"]>[0]) =>
  Effect.flatMap(
    DeadLetters,
    (store) => Effect.map(store.list(query), (found) => found.map(({ position }) => Number(position)))
  )

/** Whose letter it is, and of which event. */
const places = (letters: ReadonlyArray<DeadLetter>) =>
  letters.map(({ position, reader }) => [Number(position), reader.name, reader.version])

const largest = BigInt(Number.MAX_SAFE_INTEGER)

const keeping: Guarantees<DeadLetters | CheckpointStore> = {
  "I14: a letter is kept as it was put": Effect.gen(function*() {
    const { count, get, list } = yield* DeadLetters
    const reader = ReadSide.reader({ version: 3 })
    const given = letter(reader, largest, { reason: "Undecodable", type: "a.b\"c'", error: "because" })
    const before = yield* ReadSide.nowMillis
    yield* put(given)
    const found = yield* get(reader, largest)
    const { attempts, firstAtMillis, lastAtMillis, ...rest } = found!
    deepStrictEqual(rest, given)
    deepStrictEqual([attempts, firstAtMillis], [1, lastAtMillis])
    assertTrue(Number.isSafeInteger(firstAtMillis) && before <= firstAtMillis)
    deepStrictEqual(yield* list({ reader }), [found!])
    strictEqual(yield* count(reader), 1)
    strictEqual(yield* get(reader, 1n), undefined)
  }),

  "an event that fails again is the same letter, which counts and remembers the last reason": Effect.gen(function*() {
    const { get, list } = yield* DeadLetters
    const reader = ReadSide.reader()
    yield* put(letter(reader, 5n, { error: "first" }))
    const first = (yield* get(reader, 5n))!
    yield* ReadSide.laterMillis
    const again = letter(reader, 5n, { error: "second", reason: "SchemaTooNew", type: "Other" })
    yield* put({ ...again, stream: { tenant: "x", category: "y", id: "z" } })
    const second = (yield* get(reader, 5n))!
    deepStrictEqual({ ...second, lastAtMillis: 0 }, {
      ...first,
      reason: "SchemaTooNew",
      error: "second",
      attempts: 2,
      lastAtMillis: 0
    })
    assertTrue(second.lastAtMillis > first.lastAtMillis)
    strictEqual((yield* list({ reader })).length, 1)
  }),

  "a letter is removed once, and begins again": Effect.gen(function*() {
    const { get, remove } = yield* DeadLetters
    const reader = ReadSide.reader()
    yield* put(letter(reader, 5n), letter(reader, 5n), letter(reader, 6n))
    strictEqual(yield* remove(reader, 5n), true)
    strictEqual(yield* remove(reader, 5n), false)
    strictEqual(yield* get(reader, 5n), undefined)
    deepStrictEqual(yield* positions({ reader }), [6])
    yield* put(letter(reader, 5n))
    strictEqual((yield* get(reader, 5n))?.attempts, 1)
  }),

  "letters are listed by position, page by page": Effect.gen(function*() {
    const reader = ReadSide.reader()
    const all = Array.from({ length: 30 }, (_, index) => 1 + index * 3)
    yield* put(...all.toReversed().map((position) => letter(reader, BigInt(position))))
    deepStrictEqual(yield* positions({ reader }), all)
    for (const limit of [1, 7, 29, 30, 31]) {
      const found: Array<number> = []
      while (true) {
        const after = found.length === 0 ? undefined : { position: BigInt(found.at(-1)!), reader }
        const page = yield* positions({ reader, limit, after })
        if (page.length === 0) break
        assertTrue(page.length <= limit)
        found.push(...page)
      }
      deepStrictEqual(found, all)
    }
    deepStrictEqual(yield* positions({ reader, after: { position: 5n }, limit: 2 }), [7, 10])
    deepStrictEqual(yield* positions({ reader, after: { position: 7n }, limit: 2 }), [10, 13])
    deepStrictEqual(yield* positions({ reader, after: { position: 0n }, limit: 0 }), [1])
    deepStrictEqual(yield* positions({ reader, after: { position: largest } }), [])
    deepStrictEqual(yield* positions({ reader, after: { position: -(2n ** 70n) }, limit: 1 }), [1])
    deepStrictEqual(yield* positions({ reader, after: { position: 2n ** 70n } }), [])
  }),

  "a list holds 100 letters unless asked otherwise, and 1,000 at most": Effect.gen(function*() {
    const reader = ReadSide.reader()
    const all = Array.from({ length: 1_001 }, (_, index) => index + 1)
    yield* put(...all.map((position) => letter(reader, BigInt(position))))
    for (const [limit, count] of [[undefined, 100], [1_000, 1_000], [2_000, 1_000], [-1, 1]] as const) {
      deepStrictEqual(yield* positions({ reader, limit }), all.slice(0, count))
    }
    strictEqual(yield* (yield* DeadLetters).count(reader), 1_001)
  }),

  "the letters of all readers are listed by position, name and version; none is lost between two pages": Effect.gen(
    function*() {
      const { list } = yield* DeadLetters
      const unique = Sample.name("all")
      const readers = Names.ordered.flatMap((end) =>
        [2, 10].map((version) => ReadSide.reader({ name: `${unique}${end}`, version }))
      )
      const at = [largest - 2n, largest - 1n]
      yield* put(...at.flatMap((position) => readers.map((reader) => letter(reader, position))).toReversed())
      const expected = at.flatMap((position) => readers.map(({ name, version }) => [Number(position), name, version]))
      const mine = (letters: ReadonlyArray<DeadLetter>) =>
        letters.filter(({ reader }) => reader.name.startsWith(unique))
      deepStrictEqual(places(mine(yield* list({ after: { position: largest - 3n }, limit: 1_000 }))), expected)
      for (const limit of [1, 3, 32]) {
        const found: Array<DeadLetter> = []
        let last: Pick<DeadLetter, "position" | "reader"> | { readonly position: Position } = { position: largest - 3n }
        while (true) {
          const page: ReadonlyArray<DeadLetter> = yield* list({ after: last, limit })
          if (page.length === 0) break
          found.push(...page)
          last = page.at(-1)!
        }
        deepStrictEqual(places(mine(found)), expected)
      }
    }
  )
}

const apart: Guarantees<DeadLetters | CheckpointStore> = {
  "readers and their versions have letters and parked streams of their own": Effect.gen(function*() {
    const { clear, count, get, park, parked, remove, unpark } = yield* DeadLetters
    const unique = Sample.name("own")
    const readers: ReadonlyArray<ReaderId> = [
      { name: unique, version: 1 },
      { name: unique, version: 12 },
      ...Names.odd.map((odd) => ({ name: `${unique}${odd}`, version: 1 }))
    ]
    const stream = { tenant: "t", category: "c", id: "s" }
    for (const [index, reader] of readers.entries()) {
      yield* put(letter(reader, 1n, { error: `${index}` }))
      yield* park({ reader, stream, fromPosition: BigInt(index + 1) })
    }
    for (const [index, reader] of readers.entries()) {
      strictEqual((yield* get(reader, 1n))?.error, `${index}`)
      deepStrictEqual((yield* parked(reader)).map(({ fromPosition }) => fromPosition), [BigInt(index + 1)])
    }
    yield* clear(readers[0]!)
    strictEqual(yield* remove(readers[2]!, 1n), true)
    strictEqual(yield* unpark({ reader: readers[2]!, stream, fromPosition: 3n }), true)
    const counts = yield* Effect.forEach(
      readers,
      (reader) => Effect.all([count(reader), Effect.map(parked(reader), ({ length }) => length)])
    )
    deepStrictEqual(counts, readers.map((_, index) => index === 0 || index === 2 ? [0, 0] : [1, 1]))
  }),

  "an error is kept as far as it can be: 4,000 characters, of those that a store can hold": Effect.gen(function*() {
    const { get } = yield* DeadLetters
    const reader = ReadSide.reader()
    const cases = [
      ["", ""],
      ["a\0b\uD800c\uDC00 '\" é 😀\n", "a\uFFFDb\uFFFDc\uFFFD '\" é 😀\n"],
      ["😀".repeat(5_000), "😀".repeat(4_000)],
      [`${"x".repeat(3_999)}😀y`, `${"x".repeat(3_999)}😀`]
    ] as const
    for (const [given, kept] of cases) {
      yield* put(letter(reader, 1n, { error: given }))
      strictEqual((yield* get(reader, 1n))?.error, kept)
    }
  }),

  "what cannot be a letter is a defect, and what cannot be one's name finds none": Effect.gen(function*() {
    const { clear, count, get, list, park, parked, remove, unpark } = yield* DeadLetters
    const reader = ReadSide.reader({ name: "\uFFFD" })
    const stream: StreamId = { tenant: "\uFFFD", category: "\uFFFD", id: "\uFFFD" }
    yield* put(letter(reader, 1n))
    yield* park({ reader, stream, fromPosition: 1n })
    for (const name of Names.malformed) {
      const other = { ...reader, name }
      deepStrictEqual([yield* get(other, 1n), yield* count(other)], [undefined, 0])
      deepStrictEqual([yield* list({ reader: other }), yield* parked(other)], [[], []])
      deepStrictEqual([yield* remove(other, 1n), yield* unpark({ reader: other, stream, fromPosition: 1n })], [
        false,
        false
      ])
      yield* clear(other)
      yield* ReadSide.refused(put(letter(other, 1n)))
      yield* ReadSide.refused(put(letter(reader, 1n, { type: name })))
      for (const wrong of [{ ...stream, tenant: name }, { ...stream, category: name }, { ...stream, id: name }]) {
        yield* ReadSide.refused(put(letter(reader, 1n, { stream: wrong })))
        yield* ReadSide.refused(park({ reader, stream: wrong, fromPosition: 1n }))
        strictEqual(yield* unpark({ reader, stream: wrong, fromPosition: 1n }), false)
      }
    }
    for (const position of [0n, -1n, 2n ** 53n, 2n ** 70n]) {
      strictEqual(yield* get(reader, position), undefined)
      strictEqual(yield* remove(reader, position), false)
      strictEqual(yield* unpark({ reader, stream, fromPosition: position }), false)
      yield* ReadSide.refused(put(letter(reader, position)))
      yield* ReadSide.refused(park({ reader, stream: { ...stream, id: "b" }, fromPosition: position }))
    }
    for (const version of [0, 1.5, NaN]) yield* ReadSide.refused(put(letter({ ...reader, version }, 1n)))
    deepStrictEqual([yield* positions({ reader }), (yield* parked(reader)).length], [[1], 1])
    yield* clear(reader)
  }),

  "what a reader does to what it was given changes nothing in the store": Effect.gen(function*() {
    const { get, list, park, parked } = yield* DeadLetters
    const reader = ReadSide.reader()
    const given = letter({ ...reader }, 1n)
    const stream = { reader: { ...reader }, stream: { tenant: "t", category: "c", id: "s" }, fromPosition: 1n }
    yield* put(given)
    yield* park(stream)
    const told = Effect.map(Effect.all([get(reader, 1n), list({ reader }), parked(reader)]), Sample.describe)
    const before = yield* told
    ReadSide.spoil([given, stream])
    strictEqual(yield* told, before)
    ReadSide.spoil(yield* Effect.all([get(reader, 1n), list({ reader }), parked(reader)]))
    strictEqual(yield* told, before)
  })
}

const place = ({ fromPosition, stream }: ParkedStream) => [Number(fromPosition), stream]

const parking: Guarantees<DeadLetters | CheckpointStore> = {
  "a stream is parked once, from where it was first, and taken back from there": Effect.gen(function*() {
    const { park, parked, unpark } = yield* DeadLetters
    const reader = ReadSide.reader()
    const stream = { tenant: "t", category: "c", id: "s" }
    deepStrictEqual(yield* parked(reader), [])
    const before = yield* ReadSide.nowMillis
    yield* park({ reader, stream, fromPosition: 7n })
    const first = yield* parked(reader)
    deepStrictEqual(first.map((found) => ({ ...found, sinceMillis: 0 })), [
      { reader, stream, fromPosition: 7n, sinceMillis: 0 }
    ])
    assertTrue(Number.isSafeInteger(first[0]!.sinceMillis) && before <= first[0]!.sinceMillis)
    yield* ReadSide.laterMillis
    for (const fromPosition of [7n, 3n, 9n]) yield* park({ reader, stream, fromPosition })
    deepStrictEqual(yield* parked(reader), first)
    for (const fromPosition of [3n, 8n]) strictEqual(yield* unpark({ reader, stream, fromPosition }), false)
    strictEqual(yield* unpark({ reader, stream, fromPosition: 7n }), true)
    strictEqual(yield* unpark({ reader, stream, fromPosition: 7n }), false)
    deepStrictEqual(yield* parked(reader), [])
    yield* park({ reader, stream, fromPosition: 9n })
    deepStrictEqual((yield* parked(reader)).map(place), [[9, stream]])
  }),

  "parked streams are listed by the position from which they are": Effect.gen(function*() {
    const { park, parked } = yield* DeadLetters
    const reader = ReadSide.reader()
    const streams = Names.odd.flatMap((odd) => [
      { tenant: odd, category: "c", id: "s" },
      { tenant: "t", category: odd, id: "s" },
      { tenant: "t", category: "c", id: odd }
    ])
    const from = streams.map((stream, index) => ({ stream, fromPosition: 1 + (index * 37) % 1_009 }))
    for (const { fromPosition, stream } of from) yield* park({ reader, stream, fromPosition: BigInt(fromPosition) })
    const expected = from.toSorted((a, b) => a.fromPosition - b.fromPosition)
    deepStrictEqual((yield* parked(reader)).map(place), expected.map((one) => [one.fromPosition, one.stream]))
  })
}

/** What dead letters promise. */
export const guarantees: Guarantees<DeadLetters | CheckpointStore> = { ...keeping, ...apart, ...parking }
