/** Events that have evolved: how released shapes are declared, what is refused, and what a stored one becomes. */
import { assert, describe, it } from "@effect/vitest"
import { Result, Schema } from "effect"
import * as Event from "../../src/Event.ts"
import { type EventCodec, eventCodec, findTaken } from "../../src/internal/evolution.ts"
import { untyped } from "../../src/internal/types.ts"

const Current = Event.union({
  Placed: { cents: Schema.Int.check(Schema.isGreaterThan(0)) },
  Shipped: { carrier: Schema.String }
})
const { Placed, Shipped } = Current.cases

const Euros = Schema.Struct({ euros: Schema.Finite })

const Evolved = Event.evolved(Current, (was) => [
  was("Placed@2", Schema.Struct({ cents: Schema.String }), ({ cents }) => [Placed.make({ cents: Number(cents) })]),
  was("Placed@1", Euros, ({ euros }) => [Placed.make({ cents: Math.round(euros * 100) })], { yields: ["Placed"] }),
  was("Bought@1", Euros, ({ euros }) => [Placed.make({ cents: euros * 100 }), Shipped.make({ carrier: "counter" })]),
  was("Viewed@1", Schema.Struct({}), () => [])
])

const codec = eventCodec(Evolved)
const decode = (type: string, schemaVersion: number, data: unknown, by: EventCodec = codec) =>
  by.decode({ type, schemaVersion, data: JSON.stringify(data) })
const decoded = (type: string, schemaVersion: number, data: unknown) =>
  Result.getOrThrow(decode(type, schemaVersion, data))

/** Why it does not decode. */
const whyNot = (result: ReturnType<EventCodec["decode"]>) => {
  const why = Result.getOrThrow(Result.flip(result))
  return why._tag === "Malformed" ? why.problem : why._tag
}

describe("a stored event", () => {
  it("of today's shape is itself, and is written with the version that follows the released ones", () => {
    const event = Placed.make({ cents: 5 })
    assert.deepStrictEqual(
      codec.encode(event),
      Result.succeed({ type: "Placed", schemaVersion: 3, data: { cents: 5 } })
    )
    assert.deepStrictEqual(decoded("Placed", 3, { cents: 5 }), [event])
    assert.strictEqual(Result.getOrThrow(codec.encode(Shipped.make({ carrier: "DHL" }))).schemaVersion, 1)
  })

  it("of a released shape is what its upcast yields: changed, renamed, split or dropped", () => {
    assert.deepStrictEqual(decoded("Placed", 1, { euros: 1.25 }), [Placed.make({ cents: 125 })])
    assert.deepStrictEqual(decoded("Placed", 2, { cents: "7" }), [Placed.make({ cents: 7 })])
    assert.deepStrictEqual(decoded("Bought", 1, { euros: 2 }), [
      Placed.make({ cents: 200 }),
      Shipped.make({ carrier: "counter" })
    ])
    assert.deepStrictEqual(decoded("Viewed", 1, {}), [])
  })

  it("that is newer than all that is declared is too new, also of a type that is written no more", () => {
    assert.strictEqual(whyNot(decode("Placed", 4, { cents: 5 })), "TooNew")
    assert.strictEqual(whyNot(decode("Viewed", 2, {})), "TooNew")
    assert.strictEqual(whyNot(decode("Shipped", 2, {})), "TooNew")
  })

  it("of a type that nobody declares is unknown", () => {
    assert.strictEqual(whyNot(decode("Cancelled", 1, {})), "TypeUnknown")
    assert.strictEqual(whyNot(decode("__proto__", 1, {})), "TypeUnknown")
  })

  it.each([0, -1, 1.5, Number.NaN])("with the schema version %s is malformed", (version) => {
    assert.strictEqual(
      whyNot(decode("Placed", version, { cents: 1 })),
      `${version} is no schema version; they begin at 1`
    )
  })

  it("that does not fit its released shape names the shape and the field", () => {
    const problem = whyNot(decode("Placed", 1, { euros: "secret" }))
    assert.match(problem, /^as Placed@1: .* at \["euros"\]$/)
    assert.notInclude(problem, "secret")
    assert.strictEqual(
      whyNot(codec.decode({ type: "Placed", schemaVersion: 1, data: "[1]" })),
      "as Placed@1: a JSON object is expected"
    )
  })

  it("whose upcast throws, or yields what is no event, names the shape and why", () => {
    const broken = (up: () => unknown, yields?: ReadonlyArray<"Placed">) =>
      whyNot(decode(
        "Old",
        1,
        {},
        eventCodec(Event.evolved(Current, (was) => [
          was("Old@1", Schema.Struct({}), untyped(up), ...yields === undefined ? [] : [{ yields }])
        ]))
      ))
    assert.strictEqual(
      broken(() => {
        throw new Error("no rate")
      }),
      "the upcast of Old@1 threw: no rate"
    )
    assert.strictEqual(broken(() => Placed.make({ cents: 1 })), "the upcast of Old@1 returned no list of events")
    assert.strictEqual(broken(async () => []), "the upcast of Old@1 returned no list of events")
    assert.match(broken(() => [{ _tag: "Gone" }]), /^the upcast of Old@1 yields no event of today: /)
    assert.match(
      broken(() => [{ _tag: "Placed", cents: -1 }]),
      /^the upcast of Old@1 yields no event of today: .*at \["cents"\]/
    )
    assert.strictEqual(
      broken(() => [Shipped.make({ carrier: "x" })], ["Placed"]),
      "the upcast of Old@1 yields \"Shipped\", which its `yields` do not name"
    )
  })

  it("may be declared by the tagged schema of then", () => {
    const Old = Event.union({ Sent: { carrier: Schema.String } })
    const evolved = eventCodec(Event.evolved(Current, (was) => [
      was("Sent@1", Old.cases.Sent, ({ carrier }) => [Shipped.make({ carrier })])
    ]))
    assert.deepStrictEqual(Result.getOrThrow(decode("Sent", 1, { carrier: "DHL" }, evolved)), [
      Shipped.make({ carrier: "DHL" })
    ])
  })

  it("is named as it stands in the log: with the prefix of then", () => {
    const Prefixed = Event.union({ Placed: { cents: Schema.Int } }, { prefix: "shop." })
    const evolved = eventCodec(Event.evolved(Prefixed, (was) => [
      was("Placed@1", Euros, ({ euros }) => [Prefixed.cases.Placed.make({ cents: euros })]),
      was("shop.Placed@1", Euros, ({ euros }) => [Prefixed.cases.Placed.make({ cents: euros * 100 })])
    ]))
    const placed = (cents: number) => Prefixed.cases.Placed.make({ cents })
    assert.deepStrictEqual(Result.getOrThrow(decode("Placed", 1, { euros: 3 }, evolved)), [placed(3)])
    assert.deepStrictEqual(Result.getOrThrow(decode("shop.Placed", 1, { euros: 3 }, evolved)), [placed(300)])
    assert.deepStrictEqual(Result.getOrThrow(decode("shop.Placed", 2, { cents: 3 }, evolved)), [placed(3)])
  })
})

describe("a declaration", () => {
  it("keeps the union's cases, and can be added to", () => {
    const More = Event.evolved(Evolved, (was) => [was("Seen@1", Schema.Struct({}), () => [])])
    assert.deepStrictEqual(More.cases.Placed.make({ cents: 1 }), Placed.make({ cents: 1 }))
    assert.deepStrictEqual(Event.shapes(More), [
      "Placed@3",
      "Shipped@1",
      "Placed@1",
      "Placed@2",
      "Bought@1",
      "Viewed@1",
      "Seen@1"
    ])
    assert.deepStrictEqual(Event.types(More), ["Placed", "Shipped"])
  })

  const Any = Schema.Struct({})
  const refused: ReadonlyArray<readonly [string, ReadonlyArray<string>, string]> = [
    ["that is declared twice", ["Old@1", "Old@1"], "\"Old@1\" cannot be declared so: it is declared twice"],
    ["before which a version is left out", ["Old@1", "Old@3"], "\"Old@3\" cannot be declared so: \"Old@2\" is missing"],
    ["whose first version is left out", ["Placed@2"], "\"Placed@2\" cannot be declared so: \"Placed@1\" is missing"],
    ["without a version", ["Old"], "\"Old\" cannot be declared so: its name is the type in the log, @, and"],
    ["of version 0", ["Old@0"], "\"Old@0\" cannot be declared so: its name is"],
    ["of half a version", ["Old@1.5"], "\"Old@1.5\" cannot be declared so: its name is"],
    ["without a type", ["@1"], "\"@1\" cannot be declared so: its type is not valid: it is empty"]
  ]
  it.each(refused)("of a shape %s is refused, and names it", (_, shapes, message) => {
    const events = Event.evolved(Current, (was) => shapes.map((shape) => was(untyped(shape), Any, () => [])))
    assert.throws(() => eventCodec(events), Event.ReleasedShapeInvalid, message)
  })

  it("that yields an event which there is not today is refused, and names both", () => {
    const events = Event.evolved(
      Current,
      (was) => [was("Old@1", Any, () => [], { yields: untyped<ReadonlyArray<"Placed">>(["Gone"]) })]
    )
    assert.throws(
      () => eventCodec(events),
      Event.ReleasedShapeInvalid,
      "\"Old@1\" cannot be declared so: it yields \"Gone\", which is no event of today"
    )
  })

  it("is like another one of the same type if schemas and upcasts are the same, and not otherwise", () => {
    const evolving = (carrier: string) =>
      Event.evolved(Current, (was) => [
        was("Sent@1", Any, () => [Shipped.make({ carrier })])
      ])
    const one = eventCodec(evolving("a"))
    assert.isUndefined(findTaken(codec, eventCodec(Evolved)))
    assert.strictEqual(findTaken(one, eventCodec(evolving("a"))), "Sent")
    assert.strictEqual(findTaken(codec, eventCodec(Current)), "Placed")
    assert.strictEqual(
      findTaken(eventCodec(Current), eventCodec(Event.union({ Shipped: { carrier: Schema.Int } }))),
      "Shipped"
    )
    assert.isUndefined(findTaken(eventCodec(Current), eventCodec(Event.union({ Shipped: { carrier: Schema.String } }))))
  })
})
