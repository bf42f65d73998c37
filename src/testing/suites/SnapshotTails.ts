/**
 * Loading a snapshot together with the events after it, as of one moment.
 */
import { assertTrue, deepStrictEqual, strictEqual } from "@effect/vitest/utils"
import { Effect } from "effect"
import { EventStore } from "../../EventStore.ts"
import { type Loaded, SnapshotStore } from "../../SnapshotStore.ts"
import type { Guarantees } from "./Guarantees.ts"
import * as Sample from "./Sample.ts"
import { snapshot } from "./Snapshots.ts"

/** The version of the snapshot, the versions of the tail, and the version of the stream. */
const outline = ({ snapshot, tail }: Loaded) =>
  [snapshot?.version, tail.events.map(({ version }) => version), tail.version] as const

/** What `load` promises. */
export const guarantees: Guarantees<EventStore | SnapshotStore> = {
  "without a snapshot the tail is the stream": Effect.gen(function*() {
    const { load } = yield* SnapshotStore
    const stream = yield* Sample.filled(3)
    deepStrictEqual(outline(yield* load(stream)), [undefined, [1, 2, 3], 3])
    deepStrictEqual((yield* load(stream)).tail.events, yield* Sample.wholeStream(stream))
    deepStrictEqual(outline(yield* load(Sample.stream())), [undefined, [], 0])
    deepStrictEqual(outline(yield* load(Sample.stream(), { atMost: 5 })), [undefined, [], 0])
  }),

  "with a snapshot the tail is what stands after it": Effect.gen(function*() {
    const { load, save } = yield* SnapshotStore
    const stream = yield* Sample.filled(5)
    yield* save(stream, snapshot(2))
    deepStrictEqual(outline(yield* load(stream)), [2, [3, 4, 5], 5])
    yield* save(stream, snapshot(5))
    deepStrictEqual(outline(yield* load(stream)), [5, [], 5])
    yield* Sample.commit(Sample.write(stream, 5, Sample.events(1)))
    deepStrictEqual(outline(yield* load(stream)), [5, [6], 6])
  }),

  "atMost ends the tail, and a snapshot beyond it counts as none": Effect.gen(function*() {
    const { load, save } = yield* SnapshotStore
    const stream = yield* Sample.filled(6)
    yield* save(stream, snapshot(3))
    const cases: ReadonlyArray<readonly [number, number | undefined, Array<number>]> = [
      [0, undefined, []],
      [1, undefined, [1]],
      [2, undefined, [1, 2]],
      [3, 3, []],
      [4, 3, [4]],
      [6, 3, [4, 5, 6]],
      [9, 3, [4, 5, 6]]
    ]
    for (const [atMost, version, tail] of cases) {
      deepStrictEqual(outline(yield* load(stream, { atMost })), [version, tail, 6], `${atMost}`)
    }
  }),

  "a snapshot that is newer than its stream is loaded as it is; the reader has to judge": Effect.gen(function*() {
    const { load, save } = yield* SnapshotStore
    const stream = yield* Sample.filled(2)
    strictEqual(yield* save(stream, snapshot(7)), true)
    deepStrictEqual(outline(yield* load(stream)), [7, [], 2])
    deepStrictEqual(outline(yield* load(stream, { atMost: 2 })), [undefined, [1, 2], 2])
    deepStrictEqual(outline(yield* load(stream, { atMost: 7 })), [7, [], 2])
  }),

  "the tail is a first page of 1,000 events; the stream has the rest": Effect.gen(function*() {
    const { load, save } = yield* SnapshotStore
    const stream = yield* Sample.filled(1_503)
    const counted = (from: number) => Array.from({ length: 1_000 }, (_, index) => from + index)
    deepStrictEqual(outline(yield* load(stream)), [undefined, counted(1), 1_503])
    yield* save(stream, snapshot(500))
    deepStrictEqual(outline(yield* load(stream)), [500, counted(501), 1_503])
    deepStrictEqual(outline(yield* load(stream, { atMost: 1_500 })), [500, counted(501), 1_503])
    const rest = yield* (yield* EventStore).readStream(stream, { after: 1_500 })
    deepStrictEqual(rest.events.map(({ version }) => version), [1_501, 1_502, 1_503])
  }),

  "a tail says when it was read": Effect.gen(function*() {
    const { load } = yield* SnapshotStore
    const stream = yield* Sample.filled(1)
    const [before, { tail }, after] = [yield* Sample.storeMillis, yield* load(stream), yield* Sample.storeMillis]
    assertTrue(Number.isSafeInteger(tail.readAtMillis))
    assertTrue(before <= tail.readAtMillis && tail.readAtMillis <= after)
    assertTrue(tail.events[0]!.recordedAtMillis <= tail.readAtMillis)
  }),

  "a tail is of one moment: its version and its events belong together while others write": Effect.gen(function*() {
    const { load, save } = yield* SnapshotStore
    const stream = yield* Sample.filled(1)
    const writing = Effect.gen(function*() {
      for (let version = 1; version < 30; version++) {
        yield* Sample.commit(Sample.write(stream, version, Sample.events(1)))
        if (version % 5 === 0) yield* save(stream, snapshot(version))
        yield* Effect.yieldNow
      }
    })
    const reading = Effect.gen(function*() {
      for (let round = 0; round < 60; round++) {
        const { snapshot, tail } = yield* load(stream)
        const after = snapshot?.version ?? 0
        deepStrictEqual(
          tail.events.map(({ version }) => version),
          Array.from({ length: tail.version - after }, (_, index) => after + index + 1)
        )
        yield* Effect.yieldNow
      }
    })
    yield* Effect.all([writing, reading, reading], { concurrency: "unbounded" })
  })
}
