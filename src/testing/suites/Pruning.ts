/**
 * Forgetting receipts: oldest first, in pages, and never one that is young enough to be needed.
 */
import { deepStrictEqual, strictEqual } from "@effect/vitest/utils"
import { Effect } from "effect"
import type { StreamId } from "../../Event.ts"
import { EventStore } from "../../EventStore.ts"
import type { Guarantees } from "./Guarantees.ts"
import * as Sample from "./Sample.ts"

const pruneAll = Effect.fnUntraced(function*(beforeMillis: number) {
  const { pruneReceipts } = yield* EventStore
  while ((yield* pruneReceipts({ beforeMillis, limit: 1_000 })) > 0) { /* page by page */ }
})

/** Receipts of an old time, then of a newer one; the receipts of other tests are gone. */
const twoAges = Effect.gen(function*() {
  const stream = Sample.stream()
  yield* pruneAll(yield* Sample.laterMillis)
  for (const id of ["old 1", "old 2", "old 3"]) yield* leave(stream, id)
  const between = yield* Sample.laterMillis
  for (const id of ["new 1", "new 2"]) yield* leave(stream, id)
  return { stream, between }
})

const leave = (stream: StreamId, commandId: string) =>
  Sample.commit(Sample.write(stream, "any", Sample.events(1), [Sample.receipt(commandId, { events: 1, through: 1 })]))

const remaining = Effect.fnUntraced(function*(stream: StreamId) {
  const { receipt } = yield* EventStore
  const found: Array<string> = []
  for (const id of ["old 1", "old 2", "old 3", "new 1", "new 2"]) {
    if ((yield* receipt(stream, id)) !== undefined) found.push(id)
  }
  return found
})

/** What `pruneReceipts` promises. */
export const guarantees: Guarantees<EventStore> = {
  "forgets at most so many receipts at once, the oldest first, and answers how many": Effect.gen(function*() {
    const { between, stream } = yield* twoAges
    const { pruneReceipts } = yield* EventStore
    strictEqual(yield* pruneReceipts({ beforeMillis: between, limit: 2 }), 2)
    deepStrictEqual(yield* remaining(stream), ["old 3", "new 1", "new 2"])
    strictEqual(yield* pruneReceipts({ beforeMillis: between, limit: 2 }), 1)
    strictEqual(yield* pruneReceipts({ beforeMillis: between, limit: 2 }), 0)
    deepStrictEqual(yield* remaining(stream), ["new 1", "new 2"])
  }),

  "forgets nothing that is as young as the given time": Effect.gen(function*() {
    const { stream } = yield* twoAges
    const { pruneReceipts } = yield* EventStore
    const events = yield* Sample.wholeStream(stream)
    const [oldest, newest] = [events[0]!.recordedAtMillis, events.at(-1)!.recordedAtMillis]
    strictEqual(yield* pruneReceipts({ beforeMillis: oldest, limit: 1_000 }), 0)
    yield* pruneReceipts({ beforeMillis: newest, limit: 1_000 })
    deepStrictEqual((yield* remaining(stream)).at(-1), "new 2")
    yield* pruneReceipts({ beforeMillis: newest + 1, limit: 1_000 })
    deepStrictEqual(yield* remaining(stream), [])
  }),

  "forgets nothing when asked for nothing": Effect.gen(function*() {
    const { stream } = yield* twoAges
    strictEqual(yield* (yield* EventStore).pruneReceipts({ beforeMillis: Number.MAX_SAFE_INTEGER, limit: 0 }), 0)
    strictEqual((yield* remaining(stream)).length, 5)
  }),

  "a command whose receipt is forgotten is carried out again, and its events stay": Effect.gen(function*() {
    const { stream } = yield* twoAges
    yield* pruneAll(yield* Sample.laterMillis)
    const again = Sample.receipt("old 1", { events: 1, through: 1 })
    deepStrictEqual((yield* Sample.commit(Sample.write(stream, 5, Sample.events(1), [again])))[0]!.version, 6)
    strictEqual((yield* (yield* EventStore).receipt(stream, "old 1"))?.version, 6)
    deepStrictEqual(yield* remaining(stream), ["old 1"])
  }),

  "a receipt that was left anew is as young as its second command": Effect.gen(function*() {
    const { between, stream } = yield* twoAges
    const { pruneReceipts } = yield* EventStore
    yield* pruneAll(between)
    yield* leave(stream, "old 1")
    strictEqual(yield* pruneReceipts({ beforeMillis: between, limit: 1_000 }), 0)
    deepStrictEqual(yield* remaining(stream), ["old 1", "new 1", "new 2"])
  })
}
