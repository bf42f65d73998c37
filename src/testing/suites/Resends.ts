/**
 * An append that was lost on its way back is sent again, and is recognized by the ids of its events: it is answered as
 * it was the first time, and nothing is written twice.
 */
import { deepStrictEqual, strictEqual } from "@effect/vitest/utils"
import { Effect } from "effect"
import { type Append, EventStore, type Write } from "../../EventStore.ts"
import type { Guarantees } from "./Guarantees.ts"
import * as Sample from "./Sample.ts"

/** Writes it, lets others write to all of its streams, and sends it again, twice. */
const resend = Effect.fnUntraced(function*(append: Append) {
  const first = yield* Sample.append(...append)
  deepStrictEqual(yield* Sample.append(...append), first)
  for (const { stream } of append) yield* Sample.commit(Sample.write(stream, "any", Sample.events(3)))
  const before = yield* Sample.head
  deepStrictEqual(yield* Sample.append(...append), first)
  deepStrictEqual(yield* Sample.append(...append), first)
  strictEqual(yield* Sample.head, before)
  Sample.committed(first)
  for (const { events, stream } of append) {
    const ids = events.map(({ eventId }) => eventId)
    deepStrictEqual((yield* Sample.eventIds(stream)).filter((id) => ids.includes(id)), ids)
  }
})

/** Writes to several streams, of which one at least says where its events must stand. */
const mixed = Effect.gen(function*() {
  const [exact, any, exists, none] = [
    yield* Sample.filled(3),
    yield* Sample.filled(1),
    yield* Sample.filled(2),
    Sample.stream()
  ]
  const writes: ReadonlyArray<Write> = [
    Sample.write(exact, 3, Sample.events(2)),
    Sample.write(any, "any", Sample.events(3)),
    Sample.write(exists, "exists", Sample.events(1)),
    Sample.write(none, "noStream", Sample.events(2))
  ]
  return writes
})

/** What `append` promises of an append that is sent again. */
export const guarantees: Guarantees<EventStore> = {
  "an append at an exact version is recognized, also after later events": Effect.gen(function*() {
    yield* resend([Sample.write(yield* Sample.filled(2), 2, Sample.events(3))])
    yield* resend([Sample.write(Sample.stream(), 0, Sample.events(1))])
  }),

  "an append to a new stream is recognized, also after later events": resend([
    Sample.write(Sample.stream(), "noStream", Sample.events(3))
  ]),

  "an append of several writes is recognized as a whole, wherever the writes stand that expect nothing": Effect.gen(
    function*() {
      for (const turn of [0, 1, 2, 3]) {
        const [first, ...rest] = yield* mixed
        const writes = [first!, ...rest]
        const [head, ...tail] = [...writes.slice(turn), ...writes.slice(0, turn)]
        yield* resend([head!, ...tail])
      }
    }
  ),

  "a write without events beside it is answered as it was the first time": Effect.gen(function*() {
    const looked = Sample.write(yield* Sample.filled(2), 2)
    const empty = Sample.write(Sample.stream(), "noStream")
    const written = Sample.write(Sample.stream(), 0, Sample.events(1))
    yield* resend([looked, written, empty])
    yield* resend([
      Sample.write(Sample.stream(), "noStream"),
      Sample.write(Sample.stream(), "noStream", Sample.events(2)),
      Sample.write(yield* Sample.filled(1), 1)
    ])
  }),

  "a group that is sent again is answered as it was the first time, append by append": Effect.gen(function*() {
    const [full, stale] = [yield* Sample.filled(2), yield* Sample.filled(4)]
    const group: ReadonlyArray<Append> = [
      [Sample.write(full, 2, Sample.events(2))],
      [Sample.write(stale, 3, Sample.events(1))],
      [Sample.write(Sample.stream(), 0, Sample.events(1)), Sample.write(Sample.stream(), "any", Sample.events(1))],
      [Sample.write(Sample.stream({ id: "" }), 0)]
    ]
    const first = yield* Sample.appendGroup(...group)
    deepStrictEqual(first.map(({ _tag }) => _tag), ["Committed", "Conflict", "Committed", "Refused"])
    const before = yield* Sample.head
    deepStrictEqual(yield* Sample.appendGroup(...group), first)
    strictEqual(yield* Sample.head, before)
  }),

  "an append that was not written the first time is written the second time": Effect.gen(function*() {
    const stream = yield* Sample.filled(1)
    const append = Sample.append(Sample.write(stream, 2, Sample.events(1)))
    strictEqual((yield* append)._tag, "Conflict")
    yield* Sample.commit(Sample.write(stream, 1, Sample.events(1)))
    strictEqual((yield* append)._tag, "Committed")
    strictEqual((yield* append)._tag, "Committed")
    strictEqual((yield* Sample.wholeStream(stream)).length, 3)
  }),

  "another's event at that version is a conflict, even if it says the same": Effect.gen(function*() {
    const stream = yield* Sample.filled(2)
    const events = Sample.events(1, { data: { same: true } })
    yield* Sample.commit(Sample.write(stream, 2, Sample.events(1, { data: { same: true } })))
    for (const expected of ["noStream", 0, 1, 2] as const) {
      deepStrictEqual(yield* Sample.append(Sample.write(stream, expected, events)), {
        _tag: "Conflict",
        write: 0,
        actual: 3
      })
    }
  }),

  "an append whose other stream was taken by another is a conflict": Effect.gen(function*() {
    const [one, two] = [Sample.stream(), Sample.stream()]
    const append = Sample.append(Sample.write(one, 0, Sample.events(1)), Sample.write(two, 0, Sample.events(1)))
    yield* Sample.commit(Sample.write(two, 0, Sample.events(1)))
    deepStrictEqual(yield* append, { _tag: "Conflict", write: 1, actual: 1 })
    strictEqual((yield* Sample.wholeStream(one)).length, 0)
  }),

  "its events are recognized, whether the receipt that it left is still there or forgotten": Effect.gen(
    function*() {
      const store = yield* EventStore
      const stream = yield* Sample.filled(1)
      const receipt = Sample.receipt("c", { events: 2, through: 2 })
      const append = Sample.append(Sample.write(stream, 1, Sample.events(2), [receipt]))
      const first = yield* append
      deepStrictEqual(yield* append, first)
      while ((yield* store.pruneReceipts({ beforeMillis: yield* Sample.laterMillis, limit: 1_000 })) > 0) {
        /* pages */
      }
      deepStrictEqual(yield* append, first)
      strictEqual((yield* Sample.wholeStream(stream)).length, 3)
    }
  ),

  "the same append sent by two at once is written once": Effect.gen(function*() {
    const stream = Sample.stream()
    const append = Sample.append(Sample.write(stream, 0, Sample.events(2)))
    const [one, two] = yield* Effect.all([append, append], { concurrency: "unbounded" })
    deepStrictEqual(one, two)
    Sample.committed(one)
    strictEqual((yield* Sample.wholeStream(stream)).length, 2)
  })
}
