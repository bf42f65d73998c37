/**
 * The order of the log: versions and positions without holes, and a clock that never goes back along it.
 */
import { assertTrue, deepStrictEqual, strictEqual } from "@effect/vitest/utils"
import { Clock, Effect } from "effect"
import { TestClock } from "effect/testing"
import type { StreamId } from "../../Event.ts"
import { type Append, EventStore } from "../../EventStore.ts"
import type { Guarantees } from "./Guarantees.ts"
import * as Sample from "./Sample.ts"

/** Positions from one on. */
const counted = (count: number, after = 0n) => Array.from({ length: count }, (_, index) => after + BigInt(index + 1))

const append = (stream: StreamId, count: number): Append => [Sample.write(stream, "any", Sample.events(count))]

/** Writers that get in each other's way: new events, conflicts, duplicates and refusals, all at once. */
const storm = Effect.gen(function*() {
  const streams = ["a", "b", "c"].flatMap((
    tenant
  ) => [Sample.stream({ tenant }), Sample.stream({ tenant, category: "c2" })])
  const refused: Append = [Sample.write(Sample.stream({ id: "\0" }), 0, Sample.events(1))]
  yield* Effect.forEach(Array.from({ length: 12 }, (_, writer) => writer), (writer) =>
    Effect.gen(function*() {
      for (let round = 0; round < 8; round++) {
        const [one, two] = [streams[(writer + round) % 6]!, streams[(writer + 2 * round + 1) % 6]!]
        const receipt = Sample.receipt(`${round}`, { events: 1, through: 1 })
        yield* Sample.appendGroup([Sample.write(two, round, Sample.events(2))], refused, append(one, 1 + round % 3))
        yield* Effect.yieldNow
        yield* Sample.appendGroup([Sample.write(two, "any", Sample.events(1), [receipt])], append(Sample.stream(), 1))
      }
    }), { concurrency: "unbounded", discard: true })
  return streams
})

/** What every store promises of positions, versions and times. */
export const guarantees: Guarantees<EventStore> = {
  "I8: positions are 1..N over all streams and tenants, whatever became of appends in between": Effect.gen(function*() {
    yield* storm
    const found = yield* Sample.wholeLog(0n)
    deepStrictEqual(found.map(({ position }) => position), counted(found.length))
    strictEqual(yield* Sample.head, BigInt(found.length))
  }),

  "I8: what is not written takes no position": Effect.gen(function*() {
    const [stream, before] = [yield* Sample.filled(1), yield* Sample.head]
    const command = Sample.write(stream, 1, [], [Sample.receipt("c")])
    yield* Sample.commit(command)
    const statuses = yield* Sample.appendGroup(
      [Sample.write(Sample.stream(), 3, Sample.events(5))],
      [{ ...command, events: Sample.events(5) }],
      [Sample.write(Sample.stream({ tenant: "" }), 0, Sample.events(5))],
      append(Sample.stream(), 1)
    )
    deepStrictEqual(statuses.map(({ _tag }) => _tag), ["Conflict", "Duplicate", "Refused", "Committed"])
    deepStrictEqual(Sample.committed(statuses[3]), [{ version: 1, position: before + 1n }])
  }),

  "I8: the log extends the order of each stream, and the order in which appends were answered": Effect.gen(function*() {
    const streams = yield* storm
    const log = yield* Sample.wholeLog(0n)
    for (const { category, id, tenant } of streams) {
      const own = log.filter((event) => event.id === id && event.tenant === tenant && event.category === category)
      deepStrictEqual(own, yield* Sample.wholeStream({ tenant, category, id }))
    }
    const stream = Sample.stream()
    let last = yield* Sample.head
    for (let round = 0; round < 5; round++) {
      const [{ position }] = yield* Sample.commit(...append(stream, 2))
      assertTrue(position! > last)
      last = position!
    }
  }),

  "I2: versions of a stream are 1..n, however its writers take turns": Effect.gen(function*() {
    for (const stream of yield* storm) {
      const found = yield* Sample.wholeStream(stream)
      deepStrictEqual(found.map(({ version }) => version), found.map((_, index) => index + 1))
      strictEqual((yield* (yield* EventStore).readStream(stream)).version, found.length)
    }
  }),

  "I2: what was read once is read the same ever after": Effect.gen(function*() {
    const streams = yield* storm
    const before = yield* Effect.forEach(streams, Sample.wholeStream)
    for (const stream of streams) yield* Sample.commit(...append(stream, 3))
    for (const [index, stream] of streams.entries()) {
      deepStrictEqual((yield* Sample.wholeStream(stream)).slice(0, before[index]!.length), before[index])
    }
  }),

  "appends of a group stand in the log in the order of the group": Effect.gen(function*() {
    const [streams, before] = [Array.from({ length: 5 }, () => Sample.stream()), yield* Sample.head]
    const statuses = yield* Sample.appendGroup(...streams.map((stream, index) => append(stream, index + 1)))
    deepStrictEqual(
      statuses.map((status) => Sample.committed(status)[0]!.position),
      [1n, 3n, 6n, 10n, 15n].map((position) => before + position)
    )
    deepStrictEqual(
      (yield* Sample.wholeLog(before)).map(({ id, position }) => [id, position]),
      streams.flatMap(({ id }, index) => Array<string>(index + 1).fill(id)).map((
        id,
        index
      ) => [id, before + BigInt(index + 1)])
    )
  }),

  "recordedAt is the store's clock in whole milliseconds, the same for all events of a group": Effect.gen(function*() {
    const [one, two] = [Sample.stream(), Sample.stream()]
    const before = yield* Sample.laterMillis
    yield* TestClock.adjust(0.7)
    yield* Sample.appendGroup(append(one, 2), append(two, 1))
    yield* TestClock.adjust(0.3)
    const after = yield* Sample.laterMillis
    const times = [...(yield* Sample.wholeStream(one)), ...(yield* Sample.wholeStream(two))]
      .map(({ recordedAtMillis }) => recordedAtMillis)
    assertTrue(Number.isSafeInteger(times[0]) && before <= times[0]! && times[0]! < after)
    deepStrictEqual(times, [times[0], times[0], times[0]])
  }),

  "recordedAt never goes back along the log, even if the clock does": Effect.gen(function*() {
    const before = yield* Sample.head
    const now = yield* Clock.currentTimeMillis
    for (const millis of [0, 5_000, -86_400_000, 1_000, 6_000, -1]) {
      yield* TestClock.setTime(now + millis)
      yield* Sample.commit(...append(Sample.stream(), 2))
    }
    yield* TestClock.setTime(now + 6_000)
    const times = (yield* Sample.wholeLog(before)).map(({ recordedAtMillis }) => recordedAtMillis)
    deepStrictEqual(times, times.toSorted((a, b) => a - b))
    assertTrue((yield* Sample.storeMillis) >= times.at(-1)!)
  })
}
