/**
 * What the suites write and read back: streams that nobody else writes to, events, receipts, and appends that are alone
 * in their group. A suite shares one log among its tests, so nothing here relies on a log that is empty.
 */
import { assert } from "@effect/vitest"
import { Effect, Result } from "effect"
import { SecureRandom } from "effect/crypto"
import { TestClock } from "effect/testing"
import { admitMetadata } from "../../Admission.ts"
import * as Event from "../../Event.ts"
import {
  type Append,
  EventStore,
  type LogFilter,
  type NewReceipt,
  type Status,
  type Write,
  type Written
} from "../../EventStore.ts"

/** A stream that no other test knows. */
export const stream = (parts: Partial<Event.StreamId> = {}): Event.StreamId => ({
  tenant: Event.defaultTenant,
  category: "suite",
  id: SecureRandom.uuidV4Unsafe(),
  ...parts
})

/** A name that no other test knows. */
export const name = (prefix: string): string => `${prefix}-${SecureRandom.uuidV4Unsafe()}`

/** What an event may differ in from the usual one. */
export interface EventParts {
  readonly type?: string
  readonly schemaVersion?: number
  readonly data?: unknown
  readonly metadata?: Event.Metadata
}

/** An event with an id of its own. */
export const event = ({ data = {}, metadata = {}, schemaVersion = 1, type = "Happened" }: EventParts = {}): Event.New =>
  Result.getOrThrow(
    Result.flatMap(
      admitMetadata(metadata),
      (admitted) => Event.make({ eventId: SecureRandom.uuidV7Unsafe(), type, schemaVersion, data, metadata: admitted })
    )
  )

/** So many events, numbered from 1. */
export const events = (count: number, parts: EventParts = {}): ReadonlyArray<Event.New> =>
  Array.from({ length: count }, (_, index) => event({ data: { number: index + 1 }, ...parts }))

/** The receipt of a command that caused no events, unless the parts say otherwise. */
export const receipt = (commandId: string, parts: Partial<NewReceipt> = {}): NewReceipt => ({
  commandId,
  hash: `hash of ${commandId}`,
  events: 0,
  through: 0,
  outcome: `{"of":${JSON.stringify(commandId)}}`,
  ...parts
})

/** Events for a stream, and receipts. */
export const write = (
  stream: Event.StreamId,
  expected: Event.Expected,
  events: ReadonlyArray<Event.New> = [],
  receipts: ReadonlyArray<NewReceipt> = []
): Write => ({ stream, expected, events, receipts })

/** What becomes of these writes as one append. */
export const append = (...writes: Append) =>
  Effect.gen(function*() {
    const statuses = yield* (yield* EventStore).append([writes])
    return statuses.length === 1 ? statuses[0]! : assert.fail(`one status is expected, not ${statuses.length}`)
  })

/** What becomes of these appends as one group. */
export const appendGroup = (...group: ReadonlyArray<Append>) =>
  Effect.flatMap(EventStore, (store) => store.append(group))

/** Where the writes of an append ended up, which must have been written. */
export const committed = (status: Status | undefined): readonly [Written, ...ReadonlyArray<Written>] => {
  const [first, ...rest] = status?._tag === "Committed" ? status.writes : []
  return first === undefined ? assert.fail(`Committed is expected, not ${describe(status)}`) : [first, ...rest]
}

/** Writes these as one append, which must succeed, and answers where they ended up. */
export const commit = (...writes: Append) => Effect.map(append(...writes), committed)

/** Writes so many events to a new stream. */
export const filled = Effect.fnUntraced(function*(count: number, parts: Partial<Event.StreamId> = {}) {
  const filled = stream(parts)
  for (let version = 0; version < count; version += 1_000) {
    yield* commit(write(filled, version, events(Math.min(1_000, count - version))))
  }
  return filled
})

/** A whole stream, however many pages it has. */
export const wholeStream = Effect.fnUntraced(function*(stream: Event.StreamId) {
  const store = yield* EventStore
  const found: Array<Event.Stored> = []
  while (true) {
    const page = yield* store.readStream(stream, { after: found.length })
    found.push(...page.events)
    if (page.events.length === 0) return found
  }
})

/** The ids of a stream's events, in order. */
export const eventIds = (stream: Event.StreamId) =>
  Effect.map(wholeStream(stream), (events) => events.map(({ eventId }) => eventId))

/** The log after a position, however many pages it has. */
export const wholeLog = Effect.fnUntraced(function*(after: Event.Position, filter?: LogFilter) {
  const store = yield* EventStore
  const found: Array<Event.Stored> = []
  let next = after
  while (true) {
    const page = yield* store.readAll({ after: next, filter })
    found.push(...page.events)
    if (page.position === next) return found
    next = page.position
  }
})

/** The last position of the log. */
export const head = Effect.flatMap(EventStore, (store) => store.head)

/** How an event that was written comes back. */
export const stored = (
  { category, id, tenant }: Event.StreamId,
  { data, eventId, metadata, schemaVersion, type }: Event.New,
  place: Pick<Event.Stored, "version" | "position" | "recordedAtMillis">
): Event.Stored => ({ tenant, category, id, eventId, type, schemaVersion, data, metadata, ...place })

/** The store's clock. */
export const storeMillis = Effect.gen(function*() {
  return (yield* (yield* EventStore).readStream(stream())).readAtMillis
})

/**
 * Lets time pass until the store's clock has moved on: virtual time for a store that asks Effect's clock, and a few
 * looks for a store that has its own.
 */
export const laterMillis = Effect.gen(function*() {
  const before = yield* storeMillis
  while (true) {
    yield* TestClock.adjust(1)
    const now = yield* storeMillis
    if (now > before) return now
  }
})

/** Virtual time passes while this waits, for stores that learn by polling that something has happened. */
export const whileTimePasses = <A, E, R>(effect: Effect.Effect<A, E, R>): Effect.Effect<A, E, R> =>
  Effect.raceFirst(effect, Effect.forever(TestClock.adjust("100 millis")))

/** A value in words, for the message of a failed test. */
export const describe = (value: unknown): string =>
  JSON.stringify(value, (_key, inner) => typeof inner === "bigint" ? `${inner}n` : inner)
