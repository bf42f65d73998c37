/**
 * Keeping snapshots: the newer in place of the older, each of its own stream, and never changed.
 */
import { deepStrictEqual, strictEqual } from "@effect/vitest/utils"
import { Effect } from "effect"
import type { StreamId, Version } from "../../Event.ts"
import type { EventStore } from "../../EventStore.ts"
import { type Snapshot, SnapshotStore } from "../../SnapshotStore.ts"
import type { Guarantees } from "./Guarantees.ts"
import * as Sample from "./Sample.ts"

/** A snapshot whose parts all name its version. */
export const snapshot = (version: Version, parts: Partial<Snapshot> = {}): Snapshot => ({
  version,
  fingerprint: `fingerprint ${version}`,
  state: `{"version":${version}}`,
  checksum: `${version}`.padStart(64, "0"),
  ...parts
})

/** The snapshot that is kept of a stream. */
const kept = Effect.fnUntraced(function*(stream: StreamId) {
  return (yield* (yield* SnapshotStore).load(stream)).snapshot
})

const texts = [
  "null",
  "{ \"b\" : 1,\n \"a\" : [1.0, 1E400, 12345678901234567890.5], \"a\":2 }",
  "\"\\u0041 é e\u0301 😀 \u2028 \uFFFF ' \\\" \\\\ -- %\"",
  `[${"[".repeat(500)}${"]".repeat(500)}]`,
  JSON.stringify("x".repeat(1024 * 1024))
]

/** What `save` and `discard` promise. */
export const guarantees: Guarantees<EventStore | SnapshotStore> = {
  "a stream has no snapshot until one is saved": Effect.gen(function*() {
    strictEqual(yield* kept(Sample.stream()), undefined)
    strictEqual(yield* kept(yield* Sample.filled(3)), undefined)
  }),

  "what is saved is loaded": Effect.gen(function*() {
    const { save } = yield* SnapshotStore
    const stream = yield* Sample.filled(3)
    strictEqual(yield* save(stream, snapshot(2)), true)
    deepStrictEqual(yield* kept(stream), snapshot(2))
  }),

  "a newer snapshot takes the place of an older one, never the other way round": Effect.gen(function*() {
    const { save } = yield* SnapshotStore
    const stream = yield* Sample.filled(9)
    for (const [version, isKept] of [[4, true], [3, false], [4, false], [5, true], [1, false], [9, true]] as const) {
      const given = snapshot(version, { state: isKept ? "{}" : "\"too old\"" })
      strictEqual(yield* save(stream, given), isKept, `${version}`)
    }
    deepStrictEqual(yield* kept(stream), snapshot(9, { state: "{}" }))
  }),

  "of many snapshots that are saved at once the newest stays": Effect.gen(function*() {
    const { save } = yield* SnapshotStore
    const stream = yield* Sample.filled(20)
    const versions = Array.from({ length: 20 }, (_, index) => 1 + (index * 7) % 20)
    yield* Effect.forEach(versions, (version) => save(stream, snapshot(version)), { concurrency: "unbounded" })
    deepStrictEqual(yield* kept(stream), snapshot(20))
  }),

  "a snapshot of a stream without events is not kept": Effect.gen(function*() {
    const { save } = yield* SnapshotStore
    const [unknown, receipts] = [Sample.stream(), Sample.stream()]
    yield* Sample.commit(Sample.write(receipts, 0, [], [Sample.receipt("rejected")]))
    for (const stream of [unknown, receipts]) {
      strictEqual(yield* save(stream, snapshot(1)), false)
      strictEqual(yield* save(stream, snapshot(0)), false)
      yield* Sample.commit(Sample.write(stream, 0, Sample.events(1)))
      strictEqual(yield* kept(stream), undefined)
    }
  }),

  "a snapshot of version 0 of a stream with events is kept until there is a newer one": Effect.gen(function*() {
    const { save } = yield* SnapshotStore
    const stream = yield* Sample.filled(1)
    strictEqual(yield* save(stream, snapshot(0)), true)
    deepStrictEqual(yield* kept(stream), snapshot(0))
    strictEqual(yield* save(stream, snapshot(0)), false)
    strictEqual(yield* save(stream, snapshot(1)), true)
  }),

  "a snapshot is discarded if it is of the given version, and no other": Effect.gen(function*() {
    const { discard, save } = yield* SnapshotStore
    const stream = yield* Sample.filled(5)
    strictEqual(yield* discard(stream, 3), false)
    yield* save(stream, snapshot(3))
    for (const version of [0, 2, 4]) strictEqual(yield* discard(stream, version), false)
    deepStrictEqual(yield* kept(stream), snapshot(3))
    strictEqual(yield* discard(stream, 3), true)
    strictEqual(yield* discard(stream, 3), false)
    strictEqual(yield* kept(stream), undefined)
    strictEqual(yield* save(stream, snapshot(1)), true)
  }),

  "tenants, categories and ids have snapshots of their own": Effect.gen(function*() {
    const { discard, save } = yield* SnapshotStore
    const stream = yield* Sample.filled(3)
    const others = [{ tenant: "other" }, { category: "other" }, { id: `${stream.id} ` }].map((part) => ({
      ...stream,
      ...part
    }))
    yield* save(stream, snapshot(1))
    for (const other of others) {
      yield* Sample.commit(Sample.write(other, 0, Sample.events(3)))
      strictEqual(yield* kept(other), undefined)
      strictEqual(yield* discard(other, 1), false)
      strictEqual(yield* save(other, snapshot(2)), true)
    }
    deepStrictEqual(yield* kept(stream), snapshot(1))
    strictEqual(yield* discard(others[0]!, 2), true)
    deepStrictEqual(yield* kept(others[1]!), snapshot(2))
  }),

  "state, fingerprint and checksum come back byte for byte": Effect.gen(function*() {
    const { save } = yield* SnapshotStore
    const stream = yield* Sample.filled(texts.length)
    for (const [index, state] of texts.entries()) {
      const given = snapshot(index + 1, { state, fingerprint: `é ' " ${index}` })
      strictEqual(yield* save(stream, given), true)
      deepStrictEqual(yield* kept(stream), given)
    }
  }),

  "neither who saved a snapshot nor who loaded it can change it": Effect.gen(function*() {
    const { save } = yield* SnapshotStore
    const stream = yield* Sample.filled(2)
    const given = { ...snapshot(2) }
    yield* save(stream, given)
    Reflect.set(given, "state", "\"spoilt\"")
    const loaded = yield* kept(stream)
    deepStrictEqual(loaded, snapshot(2))
    Reflect.set(loaded!, "state", "\"spoilt\"")
    deepStrictEqual(yield* kept(stream), snapshot(2))
  }),

  "saving and discarding snapshots leaves the log as it is": Effect.gen(function*() {
    const { discard, save } = yield* SnapshotStore
    const stream = yield* Sample.filled(3)
    const [head, events] = [yield* Sample.head, yield* Sample.wholeStream(stream)]
    yield* save(stream, snapshot(3))
    yield* discard(stream, 3)
    strictEqual(yield* Sample.head, head)
    deepStrictEqual(yield* Sample.wholeStream(stream), events)
    yield* Sample.commit(Sample.write(stream, 3, Sample.events(1)))
  })
}
