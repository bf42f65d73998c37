/**
 * The codec of an event union: today's events to and from the log, and the shapes that were released before, upcast.
 *
 * Compiled once per union. An event of today's shape costs the same whether or not its union has ever evolved.
 */
import { Result, Schema } from "effect"
import { refuseName } from "../Admission.ts"
import { type Codec, compile, compileCheck, parseObject, problemOf, schemaText } from "./codec.ts"
import {
  type Events,
  literalTag,
  type Released,
  releasedShapes,
  type ShapeName,
  type Tagged,
  tags,
  typePrefix
} from "./shapes.ts"

/** A released shape cannot be as it is declared; `shape` names it, `problem` says why. A mistake in the program. */
export class ReleasedShapeInvalid extends Schema.TaggedError<ReleasedShapeInvalid>()("ReleasedShapeInvalid", {
  shape: Schema.String,
  problem: Schema.String
}) {
  override get message() {
    return `The released shape "${this.shape}" cannot be declared so: ${this.problem}`
  }
}

/** The same type of event is declared twice, and not alike: `where` says by whom. A mistake in the program. */
export class EventTypeTaken extends Schema.TaggedError<EventTypeTaken>()("EventTypeTaken", {
  type: Schema.String,
  where: Schema.String
}) {
  override get message() {
    return `The event type "${this.type}" is declared by ${this.where}, with different schemas or upcasts: ` +
      "a stored event could not be told apart. Give one of them another name, or its union a prefix."
  }
}

/** A stored event that cannot be turned into today's. */
export type Undecodable =
  | { readonly _tag: "TypeUnknown" }
  | { readonly _tag: "TooNew" }
  | { readonly _tag: "Malformed"; readonly problem: string }

/** An event as JSON data, with its type. */
export interface EncodedEvent {
  readonly type: string
  readonly schemaVersion: number
  readonly data: unknown
}

/** What decoding looks at: the data are JSON text. */
export interface StoredShape {
  readonly type: string
  readonly schemaVersion: number
  readonly data: string
}

/** The events of an aggregate, compiled. */
export interface EventCodec {
  readonly encode: (event: Tagged) => Result.Result<EncodedEvent, string>
  /** Today's events of a stored one: itself, or the none or several that its released shape yields. */
  readonly decode: (stored: StoredShape) => Result.Result<ReadonlyArray<Tagged>, Undecodable>
  /** How an event of today is stored. */
  readonly shapeOf: (event: Tagged) => Shape
  readonly declarations: ReadonlyMap<string, Declaration>
}

/** A type in the log and a schema version. */
export interface Shape {
  readonly type: string
  readonly schemaVersion: number
}

/** A type in the log, with all the shapes that its events have or had. */
export interface Declaration {
  /** Of those who write it today; undefined if nobody does any more. */
  readonly tag: string | undefined
  /** Its released shapes, that of version 1 first. */
  readonly released: ReadonlyArray<ReleasedShape>
  /** The schemas of all its shapes as text. Made when it is asked for, since hardly anybody asks. */
  readonly schemas: () => ReadonlyArray<string>
}

interface ReleasedShape extends Released<Tagged> {
  readonly codec: Codec
  /** What its schema wants to be told beside the data. */
  readonly tag: string | undefined
}

/** Compiles a union. Throws `ReleasedShapeInvalid` where a released shape cannot be as it is declared. */
export const eventCodec = (events: Events): EventCodec => {
  const codec = compile(events)
  const prefix = typePrefix(events)
  const declarations = declare(events)
  const present = new Map(
    tags(events).map((tag) => {
      const type = prefix + tag
      return [type, { tag, shape: { type, schemaVersion: declarations.get(type)!.released.length + 1 } }]
    })
  )
  const shapes = new Map([...present.values()].map(({ shape, tag }) => [tag, shape]))
  const past = decodePast(declarations, compileCheck(events))
  return {
    encode: (event) =>
      Result.map(codec.encode(event), (encoded) => {
        const { _tag, ...data } = encoded as Tagged
        const { schemaVersion, type } = shapes.get(_tag)!
        return { type, schemaVersion, data }
      }),
    decode: (stored) => {
      const found = present.get(stored.type)
      if (found === undefined || found.shape.schemaVersion !== stored.schemaVersion) return past(stored)
      const data = parseObject(stored.data)
      if (Result.isFailure(data)) return malformed(data.failure)
      // Just parsed, so it is nobody else's: no copy is made for the tag.
      data.success["_tag"] = found.tag
      const event = codec.decode(data.success)
      return Result.isSuccess(event) ? Result.succeed([event.success as Tagged]) : malformed(event.failure)
    },
    shapeOf: ({ _tag }) => shapes.get(_tag)!,
    declarations
  }
}

const decodePast =
  (declarations: EventCodec["declarations"], check: Codec["decode"]): EventCodec["decode"] => (stored) => {
    const declaration = declarations.get(stored.type)
    if (declaration === undefined) return Result.fail({ _tag: "TypeUnknown" })
    const { released, tag } = declaration
    const shape = released[stored.schemaVersion - 1]
    if (shape !== undefined) return upcast(shape, stored, check)
    const newest = released.length + (tag === undefined ? 0 : 1)
    return stored.schemaVersion > newest
      ? Result.fail({ _tag: "TooNew" })
      : malformed(`${stored.schemaVersion} is no schema version; they begin at 1`)
  }

const upcast = (
  released: ReleasedShape,
  stored: StoredShape,
  check: Codec["decode"]
): ReturnType<EventCodec["decode"]> => {
  const { codec, shape, tag } = released
  const then = Result.flatMap(
    parseObject(stored.data),
    (data) => codec.decode(tag === undefined ? data : { ...data, _tag: tag })
  )
  if (Result.isFailure(then)) return malformed(`as ${shape}: ${then.failure}`)
  const parts = yielded(released, then.success)
  if (Result.isFailure(parts)) return malformed(`the upcast of ${shape} ${parts.failure}`)
  const checked: Array<Tagged> = []
  for (const part of parts.success) {
    const event = check(part)
    if (Result.isFailure(event)) return malformed(`the upcast of ${shape} yields no event of today: ${event.failure}`)
    const { _tag } = event.success as Tagged
    if (released.yields?.includes(_tag) === false) {
      return malformed(`the upcast of ${shape} yields "${_tag}", which its \`yields\` do not name`)
    }
    checked.push(event.success as Tagged)
  }
  return Result.succeed(checked)
}

const yielded = ({ up }: ReleasedShape, then: unknown): Result.Result<ReadonlyArray<unknown>, string> => {
  try {
    const parts: unknown = up(then)
    return Array.isArray(parts) ? Result.succeed(parts) : Result.fail("returned no list of events")
  } catch (error) {
    return Result.fail(`threw: ${problemOf(error)}`)
  }
}

const malformed = (problem: string): Result.Result<never, Undecodable> => Result.fail({ _tag: "Malformed", problem })

// ── Declarations

/** The types of a union in the log, those of today first; checked. */
const declare = (events: Events): Map<string, Declaration> => {
  const prefix = typePrefix(events)
  const today = tags(events)
  const past = Map.groupBy(releasedShapes(events), ({ shape }) => parseShape(shape).type)
  for (const released of past.values()) refuseWrong(released, today)
  const declarations = new Map<string, Declaration>()
  for (const tag of today) declarations.set(prefix + tag, declaration(events, tag, past.get(prefix + tag) ?? []))
  for (const [type, released] of past) {
    if (!declarations.has(type)) declarations.set(type, declaration(events, undefined, released))
  }
  return declarations
}

const declaration = (
  events: Events,
  tag: string | undefined,
  released: ReadonlyArray<Released<Tagged>>
): Declaration => ({
  tag,
  released: released.toSorted((a, b) => parseShape(a.shape).schemaVersion - parseShape(b.shape).schemaVersion)
    .map((each) => ({ ...each, codec: compile(each.schema), tag: literalTag(each.schema) })),
  schemas: () => [
    ...released.map(({ schema, shape }) => `${shape} ${schemaText(schema)}`).sort(),
    ...tag === undefined ? [] : [schemaText(memberOf(events, tag))]
  ]
})

/** The schema of one of today's events. */
const memberOf = (events: Events, tag: string): Events => {
  const cases = (events as { readonly cases?: Readonly<Record<string, Events>> }).cases
  return cases?.[tag] ?? events
}

/** A type in the log and a schema version; "OrderPlaced@1" is that of `OrderPlaced` before it was changed first. */
export const parseShape = (name: string): Shape => {
  const at = name.lastIndexOf("@")
  const version = name.slice(at + 1)
  if (at < 0 || !/^[1-9]\d{0,8}$/.test(version)) {
    throw invalid(name, "its name is the type in the log, @, and its schema version: 1, 2, 3, …")
  }
  return { type: name.slice(0, at), schemaVersion: Number(version) }
}

/** How a shape is named. */
export const nameOf = ({ schemaVersion, type }: Shape): ShapeName => `${type}@${schemaVersion}`

/** Refuses the released shapes of one type where they cannot be as they are declared. */
const refuseWrong = (released: ReadonlyArray<Released<Tagged>>, today: ReadonlyArray<string>): void => {
  const versions = new Set<number>()
  for (const { shape, yields = [] } of released) {
    const { schemaVersion, type } = parseShape(shape)
    const refusal = refuseName("its type", type)
    if (refusal !== undefined) throw invalid(shape, refusal.message)
    if (versions.has(schemaVersion)) throw invalid(shape, "it is declared twice")
    versions.add(schemaVersion)
    const unknown = yields.find((tag) => !today.includes(tag))
    if (unknown !== undefined) throw invalid(shape, `it yields "${unknown}", which is no event of today`)
  }
  for (const { shape } of released) {
    const { schemaVersion, type } = parseShape(shape)
    const missing = schemaVersion - 1
    if (missing > 0 && !versions.has(missing)) {
      throw invalid(
        shape,
        `"${nameOf({ type, schemaVersion: missing })}" is missing; every version before it was released`
      )
    }
  }
}

const invalid = (shape: string, problem: string) => new ReleasedShapeInvalid({ shape, problem })

/**
 * All shapes that stored events of a union have or had: today's first, then the released ones, each by its name.
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
 * Event.shapes(CartEvent) // => ["ItemAdded@1", "ItemPut@1"]
 * ```
 */
export const shapeNames = (events: Events): ReadonlyArray<ShapeName> => {
  const declarations = [...declare(events)]
  const today = declarations.flatMap(([type, { released, tag }]) =>
    tag === undefined ? [] : [nameOf({ type, schemaVersion: released.length + 1 })]
  )
  return [...today, ...declarations.flatMap(([, { released }]) => released.map(({ shape }) => shape))]
}

/** The stored types that can yield one of these events: their own, and those of the released shapes. */
export const sourcesOf = (codec: EventCodec, wanted: ReadonlySet<string>): ReadonlyArray<string> =>
  [...codec.declarations].flatMap(([type, { released, tag }]) => {
    const own = tag !== undefined && wanted.has(tag)
    return own || released.some(({ yields }) => yields?.some((tag) => wanted.has(tag)) ?? true) ? [type] : []
  })

/** A type that both unions declare, and not alike. Alike are the same schemas of each version, and the same upcasts. */
export const findTaken = (one: EventCodec, other: EventCodec): string | undefined => {
  for (const [type, declaration] of one.declarations) {
    const second = other.declarations.get(type)
    if (second !== undefined && !isAlike(declaration, second)) return type
  }
  return undefined
}

const isAlike = (one: Declaration, other: Declaration): boolean => {
  if (one.tag !== other.tag || one.released.length !== other.released.length) return false
  if (one.released.some(({ up }, index) => up !== other.released[index]!.up)) return false
  const schemas = other.schemas()
  return one.schemas().every((schema, index) => schema === schemas[index])
}
