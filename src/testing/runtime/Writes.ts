/**
 * Writes of another writer: events of the user's own types, encoded and appended past every runtime and every fault.
 */
import { Effect, Result } from "effect"
import { admitMetadata } from "../../Admission.ts"
import type { Also } from "../../Decision.ts"
import { defaultTenant, make, type Metadata } from "../../Event.ts"
import type { Append, EventStore, Status, Write } from "../../EventStore.ts"
import { eventCodec } from "../../internal/evolution.ts"

/** Whose streams, and what to keep with each event. */
export interface Options {
  /** The default tenant unless given. */
  readonly tenant?: string | undefined
  readonly metadata?: Metadata | undefined
}

/** Appends to one stream or to several, all or nothing. What cannot be written is a mistake of the test: a defect. */
export const write = (
  store: EventStore["Service"],
  nextEventId: () => string,
  writes: ReadonlyArray<Also>,
  options: Options = {}
): Effect.Effect<void> =>
  Effect.suspend(() => {
    const [first, ...rest] = writes.map((write) => encode(write, nextEventId, options))
    if (first === undefined) return Effect.void
    const append: Append = [first, ...rest]
    return Effect.map(Effect.orDie(store.append([append])), ([status]) => {
      const problem = problemOf(status, append)
      if (problem !== undefined) throw new Error(`What the test wrote was not written: ${problem}.`)
    })
  })

const encode = (
  { category, events, expected, id, schema }: Also,
  nextEventId: () => string,
  { metadata = {}, tenant = defaultTenant }: Options
): Write => {
  const codec = eventCodec(schema)
  const admitted = orThrow(admitMetadata(metadata))
  const encoded = events.map((event) => {
    const data = orThrow(
      Result.mapError(codec.encode(event), (problem) => `${category} ${id}: ${event._tag}: ${problem}`)
    )
    return orThrow(make({ ...data, eventId: nextEventId(), metadata: admitted }))
  })
  return { stream: { tenant, category, id }, expected, events: encoded, receipts: [] }
}

const problemOf = (status: Status | undefined, append: Append): string | undefined => {
  switch (status?._tag) {
    case "Committed":
      return undefined
    case "Conflict": {
      const { expected, stream } = append[status.write]!
      return `${stream.category} ${stream.id} is at version ${status.actual}, not ${expected}`
    }
    case "Refused":
      return status.reason.message
    default:
      return `the store answered ${status?._tag ?? "nothing"}`
  }
}

const orThrow = <A, E>(result: Result.Result<A, E>): A =>
  Result.getOrThrowWith(result, (problem) => problem instanceof Error ? problem : new TypeError(String(problem)))
