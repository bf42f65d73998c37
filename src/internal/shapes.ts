/**
 * How events are declared: the union of today's shapes, and the shapes that were released before them.
 *
 * A declaration is a schema with annotations, so it is only written down here. `evolution.ts` checks and compiles it.
 */
import { Schema, SchemaAST } from "effect"

/** A schema that needs no services, so that clients need none either. */
export interface PureCodec extends Schema.Top {
  readonly DecodingServices: never
  readonly EncodingServices: never
}

/** The schema of an aggregate's events: a union whose members have a `_tag`. */
export type Events = PureCodec & { readonly Type: { readonly _tag: string } }

/** Any event: what is common to all of them. */
export interface Tagged {
  readonly _tag: string
}

/** How a shape is named: its type in the log, and its schema version. */
export type ShapeName = `${string}@${number}`

/** A shape that events had once, and what they are today. Made by the `was` of `Event.evolved`. */
export interface Released<out Ev> {
  readonly shape: ShapeName
  readonly schema: PureCodec
  readonly up: (data: any) => ReadonlyArray<Ev>
  readonly yields: ReadonlyArray<string> | undefined
}

/** Declares a released shape. */
export interface Was<Ev extends Tagged> {
  /**
   * - `shape`: the type as it stands in the log, with its prefix if it has one, and the schema version: `OrderPlaced@1`
   * - `schema`: what was written then, without the `_tag`
   * - `up`: what it is today, none or several of today's events. Pure and total, as `evolve` is, and for ever: to read a
   *   history otherwise than before is a new `stateVersion`
   * - `yields`: the tags of the events that `up` may return; any unless given. Readers who ask for one type of event
   *   are spared the shapes that cannot yield it
   */
  <S extends PureCodec, const Y extends ReadonlyArray<Ev["_tag"]> = ReadonlyArray<Ev["_tag"]>>(
    shape: ShapeName,
    schema: S,
    up: (data: S["Type"]) => ReadonlyArray<Extract<Ev, { readonly _tag: Y[number] }>>,
    options?: { readonly yields: Y }
  ): Released<Ev>
}

declare module "effect/Schema" {
  namespace Annotations {
    interface Annotations {
      /** What stands before the tags of an event union in the log; set by `Event.union`. */
      readonly "varve/typePrefix"?: string | undefined
      /** What the events of a union looked like once; set by `Event.evolved`. */
      readonly "varve/released"?: ReadonlyArray<Released<Tagged>> | undefined
    }
  }
}

/**
 * The events of an aggregate: their schema and, by their tags, their types in the log and their topics on a broker.
 *
 * Events are past facts and are stored for ever. Cases and optional fields may be added; for any other change there is
 * `Event.evolved`. It is a `Schema.TaggedUnion`, so it has `cases`, `match` and `guards`. With `prefix`, an event's type is the prefix and the
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

/**
 * What stands before the tags of these events in the log; empty unless `union` was given a prefix.
 *
 * @example
 * ```ts
 * import * as Event from "varve/Event"
 *
 * Event.typePrefix(Event.union({ CartEmptied: {} }, { prefix: "shop." })) // => "shop."
 * Event.typePrefix(Event.union({ CartEmptied: {} })) // => ""
 * ```
 */
export const typePrefix = (events: Events): string => SchemaAST.resolve(events.ast)?.["varve/typePrefix"] ?? ""

/**
 * The tags of these events, in the order of their definition. Throws a `TypeError` if a member has no literal `_tag`.
 *
 * @example
 * ```ts
 * import * as Event from "varve/Event"
 *
 * Event.tags(Event.union({ ItemAdded: {}, CartEmptied: {} })) // => ["ItemAdded", "CartEmptied"]
 * ```
 */
export const tags = (events: Events): ReadonlyArray<string> => {
  const encoded = SchemaAST.toEncoded(events.ast)
  const members = SchemaAST.isUnion(encoded) ? encoded.types : [encoded]
  return members.map((member) => tagOf(member))
}

/**
 * The types of these events in the log today, prefix and tag, in the order of their definition. What was stored in a
 * released shape may have another: a filter names the `storedTypes` of a `registry`. Throws a `TypeError` if a member has
 * no literal `_tag`.
 *
 * @example
 * ```ts
 * import * as Event from "varve/Event"
 *
 * Event.types(Event.union({ CartEmptied: {} }, { prefix: "shop." })) // => ["shop.CartEmptied"]
 * ```
 */
export const types = (events: Events): ReadonlyArray<string> => {
  const prefix = typePrefix(events)
  return tags(events).map((tag) => prefix + tag)
}

/**
 * Today's events together with the shapes that were released before: one line for each, which says what it is today.
 *
 * Nothing is rewritten in the log. A stored event of a released shape is decoded by the schema of then and turned into
 * none or several of today's events wherever it is read: a field that changed, a type with another name, an event that
 * has become several, or one that means nothing any more. Today's shape of a type has the schema version that follows
 * its released ones, so whoever changes `OrderPlaced` for the first time declares `OrderPlaced@1` and goes on writing
 * version 2. The types, and not only the shapes, of events that are written no more are declared in the same way.
 *
 * The parts of one stored event share its version, position and time. If it yields several, their ids are
 * `eventId/1`, `eventId/2`, …. A stored event whose schema version is newer than all that is declared is
 * `SchemaTooNew`: an older build is reading what a newer one has written.
 *
 * The declaration is checked when a Layer, a `Repository`, a `Scenario` or a registry is made of it: a name that is
 * none, a shape that is declared twice, a version that is left out, and `yields` that name no event of today are
 * `ReleasedShapeInvalid`.
 *
 * @example
 * ```ts
 * import { Schema } from "effect"
 * import * as Event from "varve/Event"
 *
 * const Current = Event.union({
 *   OrderPlaced: { totalCents: Schema.Int },
 *   OrderShipped: { carrier: Schema.String }
 * })
 * const { OrderPlaced, OrderShipped } = Current.cases
 *
 * const OrderEvent = Event.evolved(Current, (was) => [
 *   // A field that changed: euros became cents.
 *   was("OrderPlaced@1", Schema.Struct({ total: Schema.Finite }), (then) => [
 *     OrderPlaced.make({ totalCents: Math.round(then.total * 100) })
 *   ]),
 *   // A type that was renamed.
 *   was("OrderSent@1", Schema.Struct({ carrier: Schema.String }), (then) => [OrderShipped.make(then)]),
 *   // One that means nothing any more.
 *   was("OrderViewed@1", Schema.Struct({}), () => [])
 * ])
 *
 * Event.shapes(OrderEvent) // => ["OrderPlaced@2", "OrderShipped@1", "OrderPlaced@1", "OrderSent@1", "OrderViewed@1"]
 * ```
 */
export const evolved = <U extends Events>(
  events: U,
  released: (was: Was<U["Type"]>) => ReadonlyArray<Released<U["Type"]>>
): U => {
  const was: Was<U["Type"]> = (shape, schema, up, options) => ({ shape, schema, up, yields: options?.yields })
  return events.annotate({ "varve/released": [...releasedShapes(events), ...released(was)] }) as U
}

/**
 * The shapes that were released before, in the order of their declaration.
 *
 * @example
 * ```ts
 * import { Schema } from "effect"
 * import * as Event from "varve/Event"
 *
 * const Current = Event.union({ ItemAdded: { sku: Schema.String } })
 * const CartEvent = Event.evolved(Current, (was) => [
 *   was("ItemPut@1", Schema.Struct({ sku: Schema.String }), ({ sku }) => [Current.cases.ItemAdded.make({ sku })])
 * ])
 * Event.releasedShapes(CartEvent).map(({ shape }) => shape) // => ["ItemPut@1"]
 * ```
 */
export const releasedShapes = (events: Events): ReadonlyArray<Released<Tagged>> =>
  SchemaAST.resolve(events.ast)?.["varve/released"] ?? []

/** The literal tag of a schema that is a struct with one. */
export const literalTag = (schema: PureCodec): string | undefined => tagIn(SchemaAST.toEncoded(schema.ast))

const tagIn = (ast: SchemaAST.AST): string | undefined => {
  const tag = SchemaAST.isObjects(ast) ? ast.propertySignatures.find(({ name }) => name === "_tag")?.type : undefined
  return tag !== undefined && SchemaAST.isLiteral(tag) && typeof tag.literal === "string" ? tag.literal : undefined
}

const tagOf = (member: SchemaAST.AST): string => {
  const tag = tagIn(member)
  if (tag !== undefined) return tag
  throw new TypeError("Each member of an event union needs a literal `_tag`; make the union with `Event.union`.")
}
