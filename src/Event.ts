/**
 * The words of the log: how a stream is named, and what an event looks like on its way in and on its way out.
 *
 * An event has one shape per stage: the user's value → `New` (encoded, admitted, with an id) → `Stored` (as the store
 * returns it) → `Recorded` (decoded again, for readers). Pure values: no clock, no fibers.
 */
import { Result, Schema } from "effect"
import {
  admitJson,
  type AdmittedJson,
  InputInvalid,
  LimitExceeded,
  limits,
  type Refusal,
  refuseName
} from "./Admission.ts"
import { parseObject } from "./internal/codec.ts"
import * as Evolution from "./internal/evolution.ts"
import { type Events, type Tagged, tags } from "./internal/shapes.ts"

export { coverage, CoverageIncomplete } from "./internal/coverage.ts"
export { EventTypeTaken, ReleasedShapeInvalid, shapeNames as shapes } from "./internal/evolution.ts"
export { evolved, releasedShapes, tags, typePrefix, types, union } from "./internal/shapes.ts"
export type { Events, PureCodec, Released, ShapeName, Was } from "./internal/shapes.ts"

/**
 * How a stream is named: three strings of 1 to 255 characters that are never glued together, so that no id can reach
 * into another tenant or category.
 */
export interface StreamId {
  readonly tenant: string
  readonly category: string
  readonly id: string
}

/**
 * What a write expects of its stream: exactly so many events, none at all, at least one, or nothing in particular.
 * The last two let a late writer through, so nobody decides on them.
 */
export type Expected = Version | "noStream" | "exists" | "any"

/** The tenant of those who name none. */
export const defaultTenant = "default"

/** The reserved category of messages: the stream of a key holds its messages, in order. Projections skip it. */
export const outboxCategory = "outbox"

/** The type of a message in the log. */
export const messageType = "varve.Message"

/** How many events a stream holds: 0 when it is empty. A count, never an index; a stream's events are 1, 2, 3, … */
export type Version = number

/** The place of an event in the log: 1, 2, 3, … without holes, in the order of commits. */
export type Position = bigint

/** What rides along with an event: correlation id, causation id, user, anything that is a string. */
export type Metadata = Readonly<Record<string, string>>

/** An event on its way into a store: encoded, admitted, and named by a version 7 UUID before the first attempt. */
export interface New {
  /** In lower case: the same append sent again is recognized by it. */
  readonly eventId: string
  readonly type: string
  /** Of the shape that `data` has; 1 for events that were never changed. */
  readonly schemaVersion: number
  /** The event as JSON text, without its tag: that is `type`. */
  readonly data: string
  /** As JSON text: an object whose values are strings. */
  readonly metadata: string
  /** Of `data` and `metadata` together, as UTF-8. */
  readonly bytes: number
}

/** An event as a store returns it: still encoded, as it was when it was `New`. */
export interface Stored extends StreamId {
  /** Its place in its stream. */
  readonly version: Version
  /** Its place in the log. */
  readonly position: Position
  readonly eventId: string
  readonly type: string
  readonly schemaVersion: number
  readonly data: string
  readonly metadata: string
  /** The store's clock at the append, in whole milliseconds since 1970; it never goes back along the log. */
  readonly recordedAtMillis: number
}

/**
 * An event as its readers see it: one of today's. A stored event of a released shape may have become several, which
 * share its version and position (see `evolved`).
 */
export interface Recorded<E> extends StreamId {
  /** Decoded. */
  readonly event: E
  /** Its place in its stream. */
  readonly version: Version
  /** Its place in the log. */
  readonly position: Position
  /** Of the stored event. If that has become several, each has its number behind it: `eventId/1`, `eventId/2`, …. */
  readonly eventId: string
  /** Of today's shape, in the log: prefix and tag. So is `schemaVersion`. */
  readonly type: string
  readonly schemaVersion: number
  readonly metadata: Metadata
  /** The store's clock at the append, in whole milliseconds; it never goes back along the log. */
  readonly recordedAt: Date
}

const uuid = /^[0-9a-f]{8}-[0-9a-f]{4}-[0-9a-f]{4}-[0-9a-f]{4}-[0-9a-f]{12}$/

const refuseEventId = (eventId: string): Refusal | undefined =>
  uuid.test(eventId) ? undefined : new InputInvalid({ what: "the id of an event", problem: "a UUID is expected" })

/** What an event is made of. */
export interface Parts {
  /** A UUID in lower case; of version 7, so that ids of the same time lie together in an index. */
  readonly eventId: string
  /** 1 to 255 characters. */
  readonly type: string
  /** Of the shape that `data` has: 1, 2, 3, … */
  readonly schemaVersion: number
  /** JSON data, already encoded by its schema, without its tag. */
  readonly data: unknown
  /** Made by `admitMetadata`. */
  readonly metadata: AdmittedJson
}

/**
 * Makes an event that a store may be given.
 *
 * - `InputInvalid`: an id that is no UUID in lower case, an empty type, data that is no JSON value or holds a NUL, a
 *   lone surrogate or a `__proto__` key
 * - `LimitExceeded`: a type of more than 255 characters, data and metadata of more than 256 KiB together
 *
 * @example
 * ```ts
 * import { Result } from "effect"
 * import * as Admission from "varve/Admission"
 * import * as Event from "varve/Event"
 *
 * const event = Result.gen(function*() {
 *   const metadata = yield* Admission.admitMetadata({ user: "u-1" })
 *   const eventId = "0198c2a4-5b1e-7c3d-9f00-6a2b41d0e7aa"
 *   return yield* Event.make({ eventId, type: "ItemAdded", schemaVersion: 1, data: { sku: "tea" }, metadata })
 * })
 * Result.map(event, ({ data }) => data) // => Result.succeed(`{"sku":"tea"}`)
 * ```
 */
export const make = (parts: Parts): Result.Result<New, Refusal> => {
  const refusal = refuseName("the type of an event", parts.type) ?? refuseEventId(parts.eventId)
  if (refusal !== undefined) return Result.fail(refusal)
  const what = `event "${parts.type}"`
  const data = admitJson(what, parts.data, limits.eventBytesMax)
  if (Result.isFailure(data)) return Result.fail(data.failure)
  const bytes = data.success.bytes + parts.metadata.bytes
  if (bytes > limits.eventBytesMax) {
    return Result.fail(new LimitExceeded({ what, actual: bytes, max: limits.eventBytesMax, unit: "bytes" }))
  }
  return Result.succeed({
    eventId: parts.eventId,
    type: parts.type,
    schemaVersion: parts.schemaVersion,
    data: data.success.text,
    metadata: parts.metadata.text,
    bytes
  })
}

// ── Reading

/** @internal What readers see of a stored event: the events of today that it has been decoded to, each as recorded. */
export const record = <E extends Tagged>(
  codec: Evolution.EventCodec,
  stored: Stored,
  events: ReadonlyArray<E>
): ReadonlyArray<Recorded<E>> => {
  const { data: _, metadata, recordedAtMillis, ...envelope } = stored
  return events.map((event, index) => ({
    ...envelope,
    ...codec.shapeOf(event),
    eventId: events.length === 1 ? stored.eventId : `${stored.eventId}/${index + 1}`,
    event,
    metadata: metadataOf(metadata),
    recordedAt: new Date(recordedAtMillis)
  }))
}

/** @internal Metadata that is not what this runtime wrote is shown as far as it is metadata. */
export const metadataOf = (text: string): Metadata => {
  const parsed = parseObject(text)
  if (Result.isFailure(parsed)) return {}
  return Object.fromEntries(
    Object.entries(parsed.success).filter((entry): entry is [string, string] => typeof entry[1] === "string")
  )
}

/**
 * A stored event that this build cannot read, with the stream and version that it stands at.
 *
 * - `TypeUnknown`: no union of the registry declares its type
 * - `TooNew`: its schema version is newer than all that are declared: deploy the newer build
 * - `Malformed`: it does not fit its schema, or its upcast fails; `problem` says why
 */
export class EventUndecodable extends Schema.TaggedError<EventUndecodable>()("EventUndecodable", {
  tenant: Schema.String,
  category: Schema.String,
  id: Schema.String,
  version: Schema.Int,
  position: Schema.BigInt,
  type: Schema.String,
  schemaVersion: Schema.Number,
  why: Schema.Literals(["TypeUnknown", "TooNew", "Malformed"]),
  problem: Schema.String
}) {
  override get message() {
    return `${this.category} ${this.id}: event ${this.version} (${this.type}@${this.schemaVersion}): ${this.problem}`
  }
}

/** Decodes stored events of several unions. Made by `registry`. */
export interface Registry<out E extends Tagged> {
  /**
   * The types that stored events of these unions may have: a reader who gives them to `LogFilter.types` misses nothing,
   * whatever its events were called once.
   */
  readonly storedTypes: ReadonlyArray<string>
  /** Today's events of a stored one, in order: one if it was never changed, none or several otherwise. */
  readonly decode: (stored: Stored) => Result.Result<ReadonlyArray<Recorded<E>>, EventUndecodable>
  /**
   * For readers who ask for some of today's events, by their tags: `storedTypes` are those that can yield them, and
   * `decode` leaves the others out. A tag that no union has is a `TypeError`.
   */
  readonly only: <const T extends E["_tag"]>(
    tags: ReadonlyArray<T>
  ) => Registry<Extract<E, { readonly _tag: T }>>
}

/**
 * Decodes any stored event of these unions, by its type.
 *
 * Throws `EventTypeTaken` if two of them declare the same type, unless they do it alike: with the same schemas and
 * upcasts.
 *
 * @example
 * ```ts
 * import { Effect, Result, Schema } from "effect"
 * import * as Event from "varve/Event"
 * import { EventStore } from "varve/EventStore"
 * import * as Memory from "varve/memory/Memory"
 *
 * const Current = Event.union({ OrderPlaced: { totalCents: Schema.Int }, OrderShipped: { carrier: Schema.String } })
 * const OrderEvent = Event.evolved(Current, (was) => [
 *   was("OrderSent@1", Schema.Struct({}), () => [Current.cases.OrderShipped.make({ carrier: "unknown" })], {
 *     yields: ["OrderShipped"]
 *   })
 * ])
 * const shipments = Event.registry([OrderEvent]).only(["OrderShipped"])
 * shipments.storedTypes // => ["OrderShipped", "OrderSent"]
 *
 * const program = Effect.gen(function*() {
 *   const store = yield* EventStore
 *   const page = yield* store.readAll({ after: 0n, filter: { types: shipments.storedTypes } })
 *   return page.events.flatMap((stored) => Result.getOrThrow(shipments.decode(stored)))
 * })
 * await Effect.runPromise(Effect.provide(program, Memory.layer)) // => []
 * ```
 */
export const registry = <const Us extends ReadonlyArray<Events>>(unions: Us): Registry<Us[number]["Type"]> => {
  const codecs = unions.map(Evolution.eventCodec)
  codecs.forEach((codec, index) => refuseTaken(codecs.slice(0, index), codec))
  const byType = new Map(codecs.flatMap((codec) => [...codec.declarations.keys()].map((type) => [type, codec])))
  return reader({ codecs, byType }, new Set(unions.flatMap(tags)))
}

/** Every codec, and the one of each stored type. */
interface Codecs {
  readonly codecs: ReadonlyArray<Evolution.EventCodec>
  readonly byType: ReadonlyMap<string, Evolution.EventCodec>
}

const refuseTaken = (before: ReadonlyArray<Evolution.EventCodec>, codec: Evolution.EventCodec): void => {
  before.forEach((other, index) => {
    const type = Evolution.findTaken(other, codec)
    if (type === undefined) return
    const where = `unions ${index + 1} and ${before.length + 1} of the registry`
    throw new Evolution.EventTypeTaken({ type, where })
  })
}

const reader = <E extends Tagged>(codecs: Codecs, wanted: ReadonlySet<string>): Registry<E> => ({
  storedTypes: [...new Set(codecs.codecs.flatMap((codec) => Evolution.sourcesOf(codec, wanted)))],
  decode: (stored) => {
    const codec = codecs.byType.get(stored.type)
    if (codec === undefined) return Result.fail(undecodable(stored, { _tag: "TypeUnknown" }))
    return Result.mapBoth(codec.decode(stored), {
      onFailure: (why) => undecodable(stored, why),
      onSuccess: (events) =>
        record(codec, stored, events as ReadonlyArray<E>).filter(({ event }) => wanted.has(event._tag))
    })
  },
  only: (tags) => {
    const unknown = tags.find((tag) => !wanted.has(tag))
    if (unknown !== undefined) throw new TypeError(`No union of this registry has an event "${unknown}".`)
    return reader(codecs, new Set(tags))
  }
})

const undecodable = (stored: Stored, why: Evolution.Undecodable): EventUndecodable => {
  const { category, id, position, schemaVersion, tenant, type, version } = stored
  const problem = why._tag === "Malformed" ? why.problem : problems[why._tag]
  return new EventUndecodable({
    tenant,
    category,
    id,
    version,
    position,
    type,
    schemaVersion,
    why: why._tag,
    problem
  })
}

const problems = {
  TypeUnknown: "this build does not know its type",
  TooNew: "it is newer than this build"
} as const
