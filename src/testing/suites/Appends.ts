/**
 * Groups of appends: a status for each, neighbours that never matter, and writes that stand or fall together.
 */
import { assertTrue, deepStrictEqual, strictEqual } from "@effect/vitest/utils"
import { Clock, Effect } from "effect"
import { InputInvalid } from "../../Admission.ts"
import type { StreamId } from "../../Event.ts"
import { type Append, EventStore, type Status } from "../../EventStore.ts"
import type { Guarantees } from "./Guarantees.ts"
import * as Sample from "./Sample.ts"

/** An append with what is to become of it. */
interface Case {
  readonly append: Append
  readonly check: (status: Status) => void
  /** How many events it adds to the log. */
  readonly grows: number
  /** What its streams hold afterwards. */
  readonly versions: ReadonlyArray<readonly [StreamId, number]>
}

const good = Effect.sync((): Case => {
  const [one, two] = [Sample.stream(), Sample.stream()]
  const receipt = Sample.receipt("good", { events: 2, through: 2 })
  return {
    append: [Sample.write(one, "noStream", Sample.events(2), [receipt]), Sample.write(two, "any", Sample.events(1))],
    check: (status) => deepStrictEqual(Sample.committed(status).map(({ version }) => version), [2, 1]),
    grows: 3,
    versions: [[one, 2], [two, 1]]
  }
})

const conflicting = Effect.gen(function*(): Effect.fn.Return<Case, unknown, EventStore> {
  const [untouched, stale] = [Sample.stream(), yield* Sample.filled(1)]
  return {
    append: [Sample.write(untouched, 0, Sample.events(1)), Sample.write(stale, 5, Sample.events(1))],
    check: (status) => deepStrictEqual(status, { _tag: "Conflict", write: 1, actual: 1 }),
    grows: 0,
    versions: [[untouched, 0], [stale, 1]]
  }
})

const repeated = Effect.gen(function*(): Effect.fn.Return<Case, unknown, EventStore> {
  const stream = Sample.stream()
  const write = Sample.write(stream, 0, Sample.events(1), [Sample.receipt("repeated", { events: 1, through: 1 })])
  yield* Sample.commit(write)
  return {
    append: [{ ...write, events: Sample.events(1) }],
    check: (status) => strictEqual(status._tag, "Duplicate"),
    grows: 0,
    versions: [[stream, 1]]
  }
})

const malformed = Effect.sync((): Case => {
  const stream = Sample.stream()
  return {
    append: [Sample.write(stream, 0, Sample.events(1)), Sample.write(Sample.stream({ id: "" }), 0, Sample.events(1))],
    check: (status) => assertTrue(status._tag === "Refused" && status.reason instanceof InputInvalid),
    grows: 0,
    versions: [[stream, 0]]
  }
})

const orders = <A>(items: ReadonlyArray<A>): ReadonlyArray<ReadonlyArray<A>> =>
  items.length === 0
    ? [[]]
    : items.flatMap((item, index) => orders(items.toSpliced(index, 1)).map((rest) => [item, ...rest]))

const checkGroup = Effect.fnUntraced(function*(cases: ReadonlyArray<Case>) {
  const before = yield* Sample.head
  const statuses = yield* Sample.appendGroup(...cases.map(({ append }) => append))
  strictEqual(statuses.length, cases.length)
  cases.forEach(({ check }, index) => check(statuses[index]!))
  strictEqual(yield* Sample.head, before + BigInt(cases.reduce((sum, { grows }) => sum + grows, 0)))
  for (const [stream, version] of cases.flatMap(({ versions }) => versions)) {
    strictEqual((yield* Sample.wholeStream(stream)).length, version)
  }
})

/** What `append` promises of groups and of the writes of one append. */
export const guarantees: Guarantees<EventStore> = {
  "an empty group has no statuses": Effect.gen(function*() {
    deepStrictEqual(yield* Sample.appendGroup(), [])
  }),

  "an event is there to be read as soon as its append is answered": Effect.gen(function*() {
    const store = yield* EventStore
    const [stream, event, before] = [Sample.stream(), Sample.event({ data: { cents: 1 } }), yield* store.head]
    deepStrictEqual(yield* Sample.append(Sample.write(stream, "noStream", [event])), {
      _tag: "Committed",
      writes: [{ version: 1, position: before + 1n }]
    })
    const { events, version } = yield* store.readStream(stream)
    strictEqual(version, 1)
    const place = { version: 1, position: before + 1n, recordedAtMillis: events[0]!.recordedAtMillis }
    deepStrictEqual(events, [Sample.stored(stream, event, place)])
    deepStrictEqual((yield* store.readAll({ after: before })).events, events)
  }),

  "each append of a group has its own status, in the order of the group": Effect.gen(function*() {
    const streams = Array.from({ length: 3 }, () => Sample.stream())
    yield* Sample.commit(Sample.write(streams[1]!, 0, Sample.events(3)))
    const before = yield* Sample.head
    const statuses = yield* Sample.appendGroup(
      ...streams.map((stream): Append => [Sample.write(stream, 0, Sample.events(2))])
    )
    deepStrictEqual(statuses, [
      { _tag: "Committed", writes: [{ version: 2, position: before + 2n }] },
      { _tag: "Conflict", write: 0, actual: 3 },
      { _tag: "Committed", writes: [{ version: 2, position: before + 4n }] }
    ])
  }),

  "I23: a conflict, a refusal or a duplicate never changes what becomes of its neighbours, in any order": Effect.gen(
    function*() {
      for (const order of orders([good, conflicting, repeated, malformed])) {
        yield* checkGroup(yield* Effect.all([...order, good]))
      }
    }
  ),

  "I23: a group in which nothing can be written is answered append by append": Effect.gen(function*() {
    for (const kinds of [[conflicting, conflicting], [malformed, repeated], [malformed], [conflicting, malformed]]) {
      yield* checkGroup(yield* Effect.all(kinds))
    }
  }),

  "writes to several streams are written as one, with consecutive positions in their order": Effect.gen(function*() {
    const [one, two, three] = [Sample.stream(), yield* Sample.filled(2), Sample.stream()]
    const before = yield* Sample.head
    const writes = yield* Sample.commit(
      Sample.write(one, 0, Sample.events(2)),
      Sample.write(two, 2, Sample.events(3)),
      Sample.write(three, "any", Sample.events(1))
    )
    deepStrictEqual(writes, [
      { version: 2, position: before + 2n },
      { version: 5, position: before + 5n },
      { version: 1, position: before + 6n }
    ])
    const added = yield* Sample.wholeLog(before)
    deepStrictEqual(added.map(({ position }) => position), [1n, 2n, 3n, 4n, 5n, 6n].map((number) => before + number))
    deepStrictEqual(added.map(({ id }) => id), [one.id, one.id, two.id, two.id, two.id, three.id])
    deepStrictEqual(added.map(({ version }) => version), [1, 2, 3, 4, 5, 1])
  }),

  "I1: an append of which one write conflicts leaves nothing behind, whichever write it is": Effect.gen(function*() {
    const store = yield* EventStore
    for (const unmet of [0, 1, 2]) {
      const streams = [yield* Sample.filled(1), yield* Sample.filled(1), yield* Sample.filled(1)] as const
      const before = yield* store.head
      const writeTo = (stream: StreamId, index: number) =>
        Sample.write(stream, index === unmet ? 0 : 1, Sample.events(2), [
          Sample.receipt("r", { events: 1, through: 2 })
        ])
      const [one, two, three] = streams
      const status = yield* Sample.append(writeTo(one, 0), writeTo(two, 1), writeTo(three, 2))
      deepStrictEqual(status, { _tag: "Conflict", write: unmet, actual: 1 })
      strictEqual(yield* store.head, before)
      for (const stream of streams) {
        strictEqual((yield* Sample.wholeStream(stream)).length, 1)
        strictEqual(yield* store.receipt(stream, "r"), undefined)
      }
    }
  }),

  "I1: events, positions and receipts of one append are all there once it is committed": Effect.gen(function*() {
    const store = yield* EventStore
    const streams = [Sample.stream(), Sample.stream()] as const
    const before = yield* store.head
    const receipt = Sample.receipt("r", { events: 2, through: 2 })
    const [one, two] = streams
    yield* Sample.commit(
      Sample.write(one, 0, Sample.events(2), [receipt]),
      Sample.write(two, "any", Sample.events(2), [receipt])
    )
    strictEqual(yield* store.head, before + 4n)
    for (const [index, stream] of streams.entries()) {
      const position = before + BigInt(2 * index + 2)
      deepStrictEqual((yield* Sample.wholeStream(stream)).map((event) => event.position), [position - 1n, position])
      strictEqual((yield* store.receipt(stream, "r"))?.position, position)
    }
  }),

  "a conflict names the first write that is not met": Effect.gen(function*() {
    const [met, unmet] = [yield* Sample.filled(1), yield* Sample.filled(2)]
    const last = yield* Sample.filled(3)
    const status = yield* Sample.append(
      Sample.write(met, 1, Sample.events(1)),
      Sample.write(unmet, 1, Sample.events(1)),
      Sample.write(last, 1, Sample.events(1))
    )
    deepStrictEqual(status, { _tag: "Conflict", write: 1, actual: 2 })
  }),

  "a write without events looks whether its expectation is met, and adds nothing": Effect.gen(function*() {
    const stream = yield* Sample.filled(2)
    const before = yield* Sample.head
    deepStrictEqual(yield* Sample.commit(Sample.write(stream, 2)), [{ version: 2, position: undefined }])
    deepStrictEqual(yield* Sample.append(Sample.write(stream, 1)), { _tag: "Conflict", write: 0, actual: 2 })
    deepStrictEqual(yield* Sample.commit(Sample.write(Sample.stream(), 0)), [{ version: 0, position: undefined }])
    strictEqual(yield* Sample.head, before)
    strictEqual((yield* Sample.wholeStream(stream)).length, 2)
  }),

  "a write without events stands or falls with its neighbours in the append": Effect.gen(function*() {
    const [looked, written] = [yield* Sample.filled(1), Sample.stream()]
    const writeTo = (expected: number) =>
      Sample.append(Sample.write(written, "any", Sample.events(1)), Sample.write(looked, expected))
    deepStrictEqual(yield* writeTo(0), { _tag: "Conflict", write: 1, actual: 1 })
    strictEqual((yield* Sample.wholeStream(written)).length, 0)
    strictEqual(Sample.committed(yield* writeTo(1))[1]!.position, undefined)
    strictEqual((yield* Sample.wholeStream(written)).length, 1)
  }),

  "a group may have 512 appends": Effect.gen(function*() {
    const store = yield* EventStore
    const streams = Array.from({ length: 512 }, () => Sample.stream())
    const before = yield* store.head
    const statuses = yield* store.append(streams.map((stream): Append => [
      Sample.write(stream, 0, Sample.events(2), [Sample.receipt("r", { events: 2, through: 2 })])
    ]))
    statuses.forEach((status, index) => {
      deepStrictEqual(Sample.committed(status), [{ version: 2, position: before + BigInt(2 * index + 2) }])
    })
    const added = yield* Sample.wholeLog(before)
    deepStrictEqual(added.map(({ id }) => id), streams.flatMap(({ id }) => [id, id]))
  }),

  "what a stream's version is, the store knows at once or not at all": Effect.gen(function*() {
    const { versionNow } = yield* EventStore
    if (versionNow === undefined) return
    const stream = yield* Sample.filled(3)
    for (const [asked, version] of [[stream, 3], [Sample.stream(), 0]] as const) {
      strictEqual(versionNow(asked) ?? version, version)
    }
  }),

  "what a store writes at once is written as everything else is": Effect.gen(function*() {
    const store = yield* EventStore
    if (store.appendNow === undefined) return
    const [nowMillis, before] = [yield* Clock.currentTimeMillis, yield* store.head]
    const stream = Sample.stream()
    const receipt = Sample.receipt("r", { events: 2, through: 2 })
    const append: Append = [Sample.write(stream, 0, Sample.events(2), [receipt])]
    const overtaken: Append = [Sample.write(stream, 1, Sample.events(1))]
    const statuses = [...store.appendNow([append], nowMillis), ...store.appendNow([append], nowMillis)]
    for (const status of statuses) deepStrictEqual(Sample.committed(status), [{ version: 2, position: before + 2n }])
    deepStrictEqual(store.appendNow([overtaken], nowMillis), [{ _tag: "Conflict", write: 0, actual: 2 }])
    strictEqual((yield* Sample.wholeStream(stream)).length, 2)
    strictEqual((yield* store.receipt(stream, "r"))?.version, 2)
    strictEqual(yield* store.head, before + 2n)
  }),

  "a store has an id": Effect.gen(function*() {
    assertTrue((yield* EventStore).storeId.length > 0)
  })
}
