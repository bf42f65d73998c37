/**
 * The words of the log: how a stream is named, and what an event looks like on its way in and on its way out.
 *
 * An event has one shape per stage: the user's value → `New` (encoded, admitted, with an id) → `Stored` (as the store
 * returns it) → `Recorded` (decoded again, for readers). Pure values: no clock, no fibers.
 */
import { Result, Schema, SchemaAST } from "effect"
import {
  admitJson,
  type AdmittedJson,
  InputInvalid,
  LimitExceeded,
  limits,
  type Refusal,
  refuseName
} from "./Admission.ts"

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
  readonly eventId: string
  readonly type: string
  readonly schemaVersion: number
  /** The event as JSON text, without its tag: that is `type`. */
  readonly data: string
  readonly metadata: string
  /** Of `data` and `metadata` together, as UTF-8. */
  readonly bytes: number
}

/** An event as a store returns it: still encoded. */
export interface Stored extends StreamId {
  readonly version: Version
  readonly position: Position
  readonly eventId: string
  readonly type: string
  readonly schemaVersion: number
  readonly data: string
  readonly metadata: string
  /** The store's clock at the append, in whole milliseconds since 1970; it never goes back along the log. */
  readonly recordedAtMillis: number
}

/** An event as its readers see it. */
export interface Recorded<E> extends StreamId {
  readonly event: E
  readonly version: Version
  readonly position: Position
  readonly eventId: string
  readonly type: string
  readonly schemaVersion: number
  readonly metadata: Metadata
  readonly recordedAt: Date
}

/** A schema that needs no services, so that clients need none either. */
export interface PureCodec extends Schema.Top {
  readonly DecodingServices: never
  readonly EncodingServices: never
}

/** The schema of an aggregate's events: a union whose members have a `_tag`. */
export type Events = PureCodec & { readonly Type: { readonly _tag: string } }

declare module "effect/Schema" {
  namespace Annotations {
    interface Annotations {
      /** What stands before the tags of an event union in the log; set by `Event.union`. */
      readonly "varve/typePrefix"?: string | undefined
    }
  }
}

/**
 * The events of an aggregate: their schema and, by their tags, their types in the log and their topics on a broker.
 *
 * Events are past facts and are stored for ever: add cases and optional fields, never rename. It is a
 * `Schema.TaggedUnion`, so it has `cases`, `match` and `guards`. With `prefix`, an event's type is the prefix and the
 * tag, for logs that several teams share.
 *
 * @example
 * ```ts
 * import { Schema } from "effect"
 * import * as Event from "varve/Event"
 *
 * const CartEvent = Event.union({
 *   ItemAdded: { sku: Schema.String, quantity: Schema.Int },
 *   CartEmptied: {}
 * }, { prefix: "shop." })
 * const { ItemAdded } = CartEvent.cases
 *
 * ItemAdded.make({ sku: "tea", quantity: 2 }) // => { _tag: "ItemAdded", sku: "tea", quantity: 2 }
 * Event.types(CartEvent) // => ["shop.ItemAdded", "shop.CartEmptied"]
 * ```
 */
export const union = <const Cases extends Record<string, Schema.Struct.Fields>>(
  cases: Cases,
  options?: { readonly prefix?: string | undefined }
) => Schema.TaggedUnion(cases).annotate({ "varve/typePrefix": options?.prefix })

/** What stands before the tags of these events in the log; empty unless `union` was given a prefix. */
export const typePrefix = (events: Events): string => SchemaAST.resolve(events.ast)?.["varve/typePrefix"] ?? ""

/** The tags of these events, in the order of their definition. */
export const tags = (events: Events): ReadonlyArray<string> => {
  const encoded = SchemaAST.toEncoded(events.ast)
  const members = SchemaAST.isUnion(encoded) ? encoded.types : [encoded]
  return members.map((member) => tagOf(member))
}

/** The types of these events in the log: prefix and tag. */
export const types = (events: Events): ReadonlyArray<string> => {
  const prefix = typePrefix(events)
  return tags(events).map((tag) => prefix + tag)
}

const tagOf = (member: SchemaAST.AST): string => {
  const tag = SchemaAST.isObjects(member)
    ? member.propertySignatures.find(({ name }) => name === "_tag")?.type
    : undefined
  if (tag === undefined || !SchemaAST.isLiteral(tag) || typeof tag.literal !== "string") {
    throw new TypeError("Each member of an event union needs a literal `_tag`; make the union with `Event.union`.")
  }
  return tag.literal
}

const uuid = /^[0-9a-f]{8}-[0-9a-f]{4}-[0-9a-f]{4}-[0-9a-f]{4}-[0-9a-f]{12}$/

const refuseEventId = (eventId: string): Refusal | undefined =>
  uuid.test(eventId) ? undefined : new InputInvalid({ what: "the id of an event", problem: "a UUID is expected" })

/** What an event is made of. `data` is JSON data, already encoded by its schema. */
export interface Parts {
  readonly eventId: string
  readonly type: string
  readonly schemaVersion: number
  readonly data: unknown
  readonly metadata: AdmittedJson
}

/**
 * Makes an event that a store may be given.
 *
 * Refused: an id that is no UUID in lower case, a type that is not 1 to 255 characters, data with NUL, a lone surrogate or a `__proto__` key
 * (`InputInvalid`), data and metadata of more than 256 KiB together (`LimitExceeded`).
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
