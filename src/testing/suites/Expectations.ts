/**
 * What a write may expect of its stream, and that of those who expect the same only one is right.
 */
import { assertTrue, deepStrictEqual, strictEqual } from "@effect/vitest/utils"
import { Effect } from "effect"
import type { Expected } from "../../Event.ts"
import { EventStore } from "../../EventStore.ts"
import type { Guarantees } from "./Guarantees.ts"
import * as Sample from "./Sample.ts"

/** For streams of 0, 1 and 2 events: whether the expectation is met. */
const table: ReadonlyArray<readonly [Expected, readonly [boolean, boolean, boolean]]> = [
  ["any", [true, true, true]],
  ["exists", [false, true, true]],
  ["noStream", [true, false, false]],
  [0, [true, false, false]],
  [1, [false, true, false]],
  [2, [false, false, true]],
  [3, [false, false, false]],
  [Number.MAX_SAFE_INTEGER, [false, false, false]]
]

const checkExpectation = Effect.fnUntraced(function*(expected: Expected, version: number, isMet: boolean) {
  for (const count of [0, 1, 2]) {
    const stream = yield* Sample.filled(version)
    const before = yield* Sample.head
    const position = count === 0 ? undefined : before + BigInt(count)
    deepStrictEqual(
      yield* Sample.append(Sample.write(stream, expected, Sample.events(count))),
      isMet
        ? { _tag: "Committed", writes: [{ version: version + count, position }] }
        : { _tag: "Conflict", write: 0, actual: version },
      `${expected} on ${version} events with ${count}`
    )
    strictEqual((yield* Sample.wholeStream(stream)).length, isMet ? version + count : version)
  }
})

/** Reads a stream's version, gives others a turn, and tries to write an event that names it. */
const decideOnce = Effect.fnUntraced(function*(stream: ReturnType<typeof Sample.stream>) {
  const { version } = yield* (yield* EventStore).readStream(stream)
  yield* Effect.yieldNow
  const status = yield* Sample.append(Sample.write(stream, version, [Sample.event({ data: { decidedOn: version } })]))
  if (status._tag === "Conflict") assertTrue(status.actual > version)
  return status._tag === "Committed"
})

/** What `append` promises of expectations. */
export const guarantees: Guarantees<EventStore> = {
  "each expectation is met by the streams that it names, and by no other": Effect.gen(function*() {
    for (const [expected, met] of table) {
      for (const [version, isMet] of met.entries()) yield* checkExpectation(expected, version, isMet)
    }
  }),

  "a stream that holds receipts but no events does not exist": Effect.gen(function*() {
    const stream = Sample.stream()
    yield* Sample.commit(Sample.write(stream, "noStream", [], [Sample.receipt("rejected")]))
    deepStrictEqual(yield* Sample.append(Sample.write(stream, "exists")), { _tag: "Conflict", write: 0, actual: 0 })
    deepStrictEqual(yield* Sample.commit(Sample.write(stream, "noStream")), [{ version: 0, position: undefined }])
  }),

  "I3: of ten writers who expect the same version exactly one wins": Effect.gen(function*() {
    const stream = Sample.stream()
    for (const [version, expected] of (["noStream", 1, 2] as const).entries()) {
      const attempt = Effect.suspend(() => Sample.append(Sample.write(stream, expected, Sample.events(1))))
      const statuses = yield* Effect.replicateEffect(attempt, 10, { concurrency: "unbounded" })
      const lost = statuses.filter(({ _tag }) => _tag !== "Committed")
      strictEqual(lost.length, 9)
      for (const status of lost) deepStrictEqual(status, { _tag: "Conflict", write: 0, actual: version + 1 })
      strictEqual((yield* Sample.wholeStream(stream)).length, version + 1)
    }
  }),

  "I3: no version is decided on twice, and each winner has seen everything before": Effect.gen(function*() {
    const stream = Sample.stream()
    const rounds = Effect.replicateEffect(Effect.suspend(() => decideOnce(stream)), 12)
    const outcomes = yield* Effect.replicateEffect(rounds, 8, { concurrency: "unbounded" })
    const found = yield* Sample.wholeStream(stream)
    strictEqual(found.length, outcomes.flat().filter((won) => won).length)
    deepStrictEqual(
      found.map(({ data }) => data),
      found.map((_, index) => JSON.stringify({ decidedOn: index }))
    )
  }),

  "I3: of writers who share one of their streams exactly one wins, wherever it stands among their writes": Effect.gen(
    function*() {
      for (const place of [0, 1, 2]) {
        const shared = Sample.stream()
        const attempt = Effect.suspend(() => {
          const streams = [Sample.stream(), Sample.stream()].toSpliced(place, 0, shared)
          const [first, ...rest] = streams.map((stream) => Sample.write(stream, 0, Sample.events(1)))
          return Sample.append(first!, ...rest)
        })
        const statuses = yield* Effect.replicateEffect(attempt, 5, { concurrency: "unbounded" })
        strictEqual(statuses.filter(({ _tag }) => _tag === "Committed").length, 1)
        const lost = statuses.filter(({ _tag }) => _tag !== "Committed")
        for (const status of lost) deepStrictEqual(status, { _tag: "Conflict", write: place, actual: 1 })
        strictEqual((yield* Sample.wholeStream(shared)).length, 1)
      }
    }
  )
}
