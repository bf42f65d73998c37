/**
 * Receipts: a command is carried out once, whatever its expectation says later, and the store remembers how it ended.
 */
import { deepStrictEqual, strictEqual } from "@effect/vitest/utils"
import { Effect } from "effect"
import type { StreamId } from "../../Event.ts"
import { EventStore, type NewReceipt, type Receipt } from "../../EventStore.ts"
import type { Guarantees } from "./Guarantees.ts"
import * as Sample from "./Sample.ts"

/** How a receipt that was written comes back. */
const kept = (
  { category, id, tenant }: StreamId,
  { commandId, hash, outcome }: NewReceipt,
  place: Pick<Receipt, "version" | "position">
): Receipt => ({ stream: { tenant, category, id }, commandId, hash, outcome, ...place })

/** What `append` and `receipt` promise of receipts. */
export const guarantees: Guarantees<EventStore> = {
  "I5: a repeated command is a duplicate, whether its expectation is stale, met or nothing": Effect.gen(function*() {
    const stream = Sample.stream()
    const receipt = Sample.receipt("c", { events: 2, through: 2 })
    const before = yield* Sample.head
    yield* Sample.commit(Sample.write(stream, "noStream", Sample.events(2), [receipt]))
    for (const expected of ["noStream", 0, 1, 2, 7, "any", "exists"] as const) {
      for (const events of [Sample.events(2), []]) {
        const repeated = { ...receipt, events: events.length, through: events.length }
        deepStrictEqual(yield* Sample.append(Sample.write(stream, expected, events, [repeated])), {
          _tag: "Duplicate",
          receipts: [kept(stream, receipt, { version: 2, position: before + 2n })]
        })
      }
    }
    strictEqual(yield* Sample.head, before + 2n)
  }),

  "a duplicate has the receipt that was stored, whatever hash and outcome come with the repetition": Effect.gen(
    function*() {
      const stream = Sample.stream()
      const first = Sample.receipt("c", { hash: "one", outcome: "{\"reply\":1}" })
      const second = Sample.receipt("c", { hash: "two", outcome: "{\"reply\":2}" })
      yield* Sample.commit(Sample.write(stream, 0, [], [first]))
      deepStrictEqual(yield* Sample.append(Sample.write(stream, 0, [], [second])), {
        _tag: "Duplicate",
        receipts: [kept(stream, first, { version: 0, position: undefined })]
      })
      strictEqual((yield* (yield* EventStore).receipt(stream, "c"))?.hash, "one")
    }
  ),

  "each receipt of a write counts its own events": Effect.gen(function*() {
    const store = yield* EventStore
    const stream = yield* Sample.filled(3)
    const before = yield* store.head
    const one = Sample.receipt("one", { events: 2, through: 2 })
    const none = Sample.receipt("none", { events: 0, through: 2 })
    const rest = Sample.receipt("rest", { events: 3, through: 5 })
    yield* Sample.commit(Sample.write(stream, 3, Sample.events(5), [one, none, rest]))
    deepStrictEqual(yield* store.receipt(stream, "one"), kept(stream, one, { version: 5, position: before + 2n }))
    deepStrictEqual(yield* store.receipt(stream, "none"), kept(stream, none, { version: 5, position: undefined }))
    deepStrictEqual(yield* store.receipt(stream, "rest"), kept(stream, rest, { version: 8, position: before + 5n }))
  }),

  "a write without events leaves receipts too": Effect.gen(function*() {
    const store = yield* EventStore
    const [empty, full, before] = [Sample.stream(), yield* Sample.filled(2), yield* store.head]
    for (const [stream, version] of [[empty, 0], [full, 2]] as const) {
      const rejected = Sample.receipt("rejected", { outcome: "{\"rejected\":true}" })
      deepStrictEqual(yield* Sample.commit(Sample.write(stream, version, [], [rejected])), [
        { version, position: undefined }
      ])
      deepStrictEqual(
        yield* store.receipt(stream, "rejected"),
        kept(stream, rejected, { version, position: undefined })
      )
      strictEqual((yield* Sample.append(Sample.write(stream, version, [], [rejected])))._tag, "Duplicate")
    }
    strictEqual(yield* store.head, before)
  }),

  "a receipt is of its stream alone: tenant, category and id": Effect.gen(function*() {
    const store = yield* EventStore
    const stream = Sample.stream()
    const others = [{ tenant: "other" }, { category: "other" }, { id: `${stream.id}'` }].map((part) => ({
      ...stream,
      ...part
    }))
    const receipt = Sample.receipt("c", { events: 1, through: 1 })
    yield* Sample.commit(Sample.write(stream, 0, Sample.events(1), [receipt]))
    for (const other of others) {
      strictEqual(yield* store.receipt(other, "c"), undefined)
      yield* Sample.commit(Sample.write(other, 0, Sample.events(1), [receipt]))
      deepStrictEqual((yield* store.receipt(other, "c"))?.stream, other)
    }
    strictEqual(yield* store.receipt(stream, "C"), undefined)
    strictEqual(yield* store.receipt(stream, "c "), undefined)
    strictEqual(yield* store.receipt(Sample.stream(), "c"), undefined)
  }),

  "one repeated command makes the whole append a duplicate, which leaves nothing of the others": Effect.gen(
    function*() {
      const store = yield* EventStore
      const [one, two] = [Sample.stream(), Sample.stream()]
      const [old, fresh] = [Sample.receipt("old"), Sample.receipt("fresh")]
      yield* Sample.commit(Sample.write(two, 0, [], [old]))
      const before = yield* store.head
      const status = yield* Sample.append(
        Sample.write(one, 7, Sample.events(1), [fresh]),
        Sample.write(two, 0, Sample.events(1), [fresh, old])
      )
      deepStrictEqual(status, {
        _tag: "Duplicate",
        receipts: [kept(two, old, { version: 0, position: undefined })]
      })
      strictEqual(yield* store.receipt(one, "fresh"), undefined)
      strictEqual(yield* store.receipt(two, "fresh"), undefined)
      strictEqual(yield* store.head, before)
    }
  ),

  "a duplicate has all receipts that were found, in the order of writes and commands": Effect.gen(function*() {
    const [one, two, before] = [Sample.stream(), Sample.stream(), yield* Sample.head]
    const a = Sample.receipt("a", { events: 1, through: 1 })
    const b = Sample.receipt("b", { events: 1, through: 2 })
    const again = Sample.receipt("a", { hash: "of the other stream" })
    yield* Sample.commit(Sample.write(one, 0, Sample.events(2), [a, b]), Sample.write(two, 0, [], [again]))
    const status = yield* Sample.append(
      Sample.write(two, 0, [], [Sample.receipt("new"), again]),
      Sample.write(one, 0, [], [{ ...b, events: 0, through: 0 }, { ...a, events: 0, through: 0 }])
    )
    deepStrictEqual(status, {
      _tag: "Duplicate",
      receipts: [
        kept(two, again, { version: 0, position: undefined }),
        kept(one, b, { version: 2, position: before + 2n }),
        kept(one, a, { version: 1, position: before + 1n })
      ]
    })
  }),

  "what is not written leaves no receipt": Effect.gen(function*() {
    const stream = yield* Sample.filled(1)
    const [conflict, refused] = [Sample.receipt("conflict"), Sample.receipt("refused", { through: 9 })]
    strictEqual((yield* Sample.append(Sample.write(stream, 0, [], [conflict])))._tag, "Conflict")
    strictEqual((yield* Sample.append(Sample.write(stream, 1, [], [refused])))._tag, "Refused")
    const store = yield* EventStore
    strictEqual(yield* store.receipt(stream, "conflict"), undefined)
    strictEqual(yield* store.receipt(stream, "refused"), undefined)
    yield* Sample.commit(Sample.write(stream, 1, [], [conflict]))
  }),

  "I5: of the same command sent ten times at once one is carried out": Effect.gen(function*() {
    const stream = Sample.stream()
    const attempt = Effect.suspend(() =>
      Sample.append(Sample.write(stream, "any", Sample.events(1), [Sample.receipt("c", { events: 1, through: 1 })]))
    )
    const statuses = yield* Effect.replicateEffect(attempt, 10, { concurrency: "unbounded" })
    strictEqual(statuses.filter(({ _tag }) => _tag === "Committed").length, 1)
    strictEqual(statuses.filter(({ _tag }) => _tag === "Duplicate").length, 9)
    strictEqual((yield* Sample.wholeStream(stream)).length, 1)
  })
}
