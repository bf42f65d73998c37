/**
 * What the log admits: what is exactly at a limit is written, what is one above it is refused, and malformed appends
 * reach nobody.
 */
import { deepStrictEqual, strictEqual } from "@effect/vitest/utils"
import { Effect } from "effect"
import { InputInvalid, LimitExceeded, limits } from "../../Admission.ts"
import type { Expected, New, StreamId } from "../../Event.ts"
import { type Append, EventStore, type NewReceipt, type Write } from "../../EventStore.ts"
import type { Guarantees } from "./Guarantees.ts"
import { malformed as malformedNames } from "./Names.ts"
import * as Sample from "./Sample.ts"

/** The append is refused for this kind of reason, and has left nothing. Answers the reason. */
const refused = Effect.fnUntraced(function*(kind: typeof InputInvalid | typeof LimitExceeded, append: Append) {
  const before = yield* Sample.head
  const status = yield* Sample.append(...append)
  if (status._tag !== "Refused") throw new Error(`Refused is expected, not ${Sample.describe(status)}`)
  strictEqual(status.reason.constructor, kind, String(status.reason))
  strictEqual(yield* Sample.head, before)
  return status.reason
})

/** Refused for a number above its limit. */
const exceeded = Effect.fnUntraced(function*(
  { actual, max, unit }: { readonly actual: number; readonly max: number; readonly unit: LimitExceeded["unit"] },
  append: Append
) {
  const reason = yield* refused(LimitExceeded, append)
  if (reason._tag !== "LimitExceeded") throw reason
  deepStrictEqual([reason.actual, reason.max, reason.unit], [actual, max, unit])
})

/** An event of exactly so many bytes: two for its metadata, two for its quotes, one for each character. */
const sized = (bytes: number): New => Sample.event({ data: "x".repeat(bytes - 4) })

const largest = (count: number) => Array.from({ length: count }, () => sized(limits.eventBytesMax))

const named = (name: string): ReadonlyArray<StreamId> => [
  Sample.stream({ tenant: name }),
  Sample.stream({ category: name }),
  Sample.stream({ id: name })
]

const malformedReceipts: ReadonlyArray<ReadonlyArray<NewReceipt>> = [
  [Sample.receipt("c", { events: -1 })],
  [Sample.receipt("c", { events: 0.5, through: 1 })],
  [Sample.receipt("c", { events: NaN })],
  [Sample.receipt("c", { through: -1 })],
  [Sample.receipt("c", { events: 2, through: 1 })],
  [Sample.receipt("c", { events: 0, through: 3 })],
  [Sample.receipt("c"), Sample.receipt("d"), Sample.receipt("c")],
  ...malformedNames.map((name) => [Sample.receipt(name)])
]

/** What `append` promises of limits and malformed appends. */
export const guarantees: Guarantees<EventStore> = {
  "a write holds 1,000 events at most": Effect.gen(function*() {
    const [stream, max] = [Sample.stream(), limits.writeEventsMax]
    yield* exceeded({ actual: max + 1, max, unit: "events" }, [Sample.write(stream, 0, Sample.events(max + 1))])
    deepStrictEqual((yield* Sample.commit(Sample.write(stream, 0, Sample.events(max))))[0].version, max)
  }),

  "a write holds 4 MiB of events at most, and an event of 256 KiB comes back as it was": Effect.gen(function*() {
    const [stream, max] = [Sample.stream(), limits.writeBytesMax]
    const events = largest(max / limits.eventBytesMax)
    yield* exceeded({ actual: max + 4, max, unit: "bytes" }, [Sample.write(stream, 0, [...events, sized(4)])])
    yield* Sample.commit(Sample.write(stream, 0, events))
    const found = yield* Sample.wholeStream(stream)
    strictEqual(found.length, events.length)
    found.forEach(({ data }, index) => strictEqual(data === events[index]!.data, true))
  }),

  "an append holds 100 writes at most, each within its own limits": Effect.gen(function*() {
    const writes = (count: number): Append => {
      const [first, ...rest] = Array.from({ length: count }, () => Sample.write(Sample.stream(), 0, Sample.events(1)))
      return [first!, ...rest]
    }
    const max = limits.appendWritesMax
    yield* exceeded({ actual: max + 1, max, unit: "writes" }, writes(max + 1))
    strictEqual((yield* Sample.commit(...writes(max))).length, max)
  }),

  "tenants, categories and ids have 255 characters at most, counted by code points": Effect.gen(function*() {
    const max = limits.nameCharactersMax
    for (const character of ["x", "é", "𝒳"]) {
      for (const stream of named(character.repeat(max + 1))) {
        yield* exceeded({ actual: max + 1, max, unit: "characters" }, [Sample.write(stream, 0, Sample.events(1))])
      }
      for (const stream of named(character.repeat(max - 36) + Sample.stream().id)) {
        yield* Sample.commit(Sample.write(stream, 0, Sample.events(1)))
        const [found] = yield* Sample.wholeStream(stream)
        deepStrictEqual({ tenant: found!.tenant, category: found!.category, id: found!.id }, stream)
      }
    }
  }),

  "a command id has 255 characters at most, counted by code points": Effect.gen(function*() {
    const [store, max] = [yield* EventStore, limits.nameCharactersMax]
    for (const character of ["x", "𝒳"]) {
      const [stream, longest] = [Sample.stream(), character.repeat(max)]
      const withCommand = (commandId: string) => Sample.write(stream, 0, [], [Sample.receipt(commandId)])
      yield* exceeded({ actual: max + 1, max, unit: "characters" }, [withCommand(longest + character)])
      yield* Sample.commit(withCommand(longest))
      strictEqual((yield* store.receipt(stream, longest))?.commandId, longest)
    }
  }),

  "an outcome has 256 KiB at most, counted as UTF-8": Effect.gen(function*() {
    const [store, stream, max] = [yield* EventStore, Sample.stream(), limits.outcomeBytesMax]
    const outcome = JSON.stringify("é".repeat(max / 2 - 1))
    const withOutcome = (outcome: string) => Sample.write(stream, 0, [], [Sample.receipt("c", { outcome })])
    yield* exceeded({ actual: max + 1, max, unit: "bytes" }, [withOutcome(`${outcome} `)])
    yield* Sample.commit(withOutcome(outcome))
    strictEqual((yield* store.receipt(stream, "c"))?.outcome === outcome, true)
  }),

  "empty names, NUL and lone surrogates are refused": Effect.gen(function*() {
    for (const name of malformedNames) {
      for (const stream of named(name)) yield* refused(InputInvalid, [Sample.write(stream, 0, Sample.events(1))])
    }
  }),

  "expectations that are no count of events are refused": Effect.gen(function*() {
    const expectations: ReadonlyArray<Expected> = [-1, 0.5, NaN, Infinity, -Infinity, 2 ** 53]
    for (const expected of expectations) {
      yield* refused(InputInvalid, [Sample.write(Sample.stream(), expected, Sample.events(1))])
    }
  }),

  "receipts that count other events than their write has, or repeat a command, are refused": Effect.gen(function*() {
    const stream = Sample.stream()
    for (const receipts of malformedReceipts) {
      yield* refused(InputInvalid, [Sample.write(stream, 0, Sample.events(2), receipts)])
    }
    strictEqual(yield* (yield* EventStore).receipt(stream, "c"), undefined)
  }),

  "an append without writes, or with two to one stream, is refused": Effect.gen(function*() {
    const none: ReadonlyArray<Write> = []
    yield* refused(InputInvalid, none as Append)
    const stream = Sample.stream()
    yield* refused(InputInvalid, [
      Sample.write(stream, "any", Sample.events(1)),
      Sample.write(Sample.stream(), "any", Sample.events(1)),
      Sample.write({ ...stream }, "any", Sample.events(1))
    ])
  }),

  "a stream is in a group once: what comes second is refused, whatever became of the first": Effect.gen(function*() {
    const [fresh, stale] = [Sample.stream(), yield* Sample.filled(1)]
    const statuses = yield* Sample.appendGroup(
      [Sample.write(fresh, 0, Sample.events(1))],
      [Sample.write(stale, 0, Sample.events(1))],
      [Sample.write(Sample.stream(), 0, Sample.events(1)), Sample.write({ ...fresh }, "any", Sample.events(1))],
      [Sample.write(stale, "any", Sample.events(1))],
      [Sample.write({ ...fresh, tenant: "other" }, 0, Sample.events(1))]
    )
    deepStrictEqual(statuses.map(({ _tag }) => _tag), ["Committed", "Conflict", "Refused", "Refused", "Committed"])
    strictEqual((yield* Sample.wholeStream(fresh)).length, 1)
    strictEqual((yield* Sample.wholeStream(stale)).length, 1)
  })
}
