/** Registries: any stored event of several unions by its type, and no type that could be two things. */
import { assert, describe, it } from "@effect/vitest"
import { Cause, Effect, Exit, Layer, Result, Schema } from "effect"
import * as Aggregate from "../../src/Aggregate.ts"
import * as AggregateRuntime from "../../src/AggregateRuntime.ts"
import * as Event from "../../src/Event.ts"
import { untyped } from "../../src/internal/types.ts"
import * as Memory from "../../src/memory/Memory.ts"

const OrderEvent = Event.union({ Placed: { cents: Schema.Int }, Noted: { text: Schema.String } })
const CartNow = Event.union({ Filled: { skus: Schema.Array(Schema.String) }, Emptied: {} }, { prefix: "cart." })
const CartEvent = Event.evolved(CartNow, (was) => [
  was(
    "cart.Filled@1",
    Schema.Struct({ sku: Schema.String }),
    ({ sku }) => [CartNow.cases.Filled.make({ skus: [sku] })],
    {
      yields: ["Filled"]
    }
  ),
  was("cart.Refilled@1", Schema.Struct({ sku: Schema.String }), ({ sku }) => [
    CartNow.cases.Emptied.make({}),
    CartNow.cases.Filled.make({ skus: [sku] })
  ])
])

const stored = (type: string, schemaVersion: number, data: unknown): Event.Stored => ({
  tenant: "default",
  category: "Cart",
  id: "c-1",
  version: 3,
  position: 17n,
  eventId: "00000000-0000-7000-8000-000000000001",
  type,
  schemaVersion,
  data: JSON.stringify(data),
  metadata: JSON.stringify({ user: "ada", damaged: 1 }),
  recordedAtMillis: 1_000
})

describe("a registry", () => {
  const registry = Event.registry([OrderEvent, CartEvent])

  it("decodes an event of each union by its type, with all that was recorded", () => {
    assert.deepStrictEqual(Result.getOrThrow(registry.decode(stored("Placed", 1, { cents: 5 }))), [{
      tenant: "default",
      category: "Cart",
      id: "c-1",
      version: 3,
      position: 17n,
      eventId: "00000000-0000-7000-8000-000000000001",
      type: "Placed",
      schemaVersion: 1,
      event: OrderEvent.cases.Placed.make({ cents: 5 }),
      metadata: { user: "ada" },
      recordedAt: new Date(1_000)
    }])
  })

  it("gives several parts of one event today's types and versions, and numbered ids", () => {
    const parts = Result.getOrThrow(registry.decode(stored("cart.Refilled", 1, { sku: "tea" })))
    assert.deepStrictEqual(
      parts.map(({ eventId, event, schemaVersion, type, version }) => ({
        eventId,
        event,
        schemaVersion,
        type,
        version
      })),
      [
        {
          eventId: `${stored("", 1, {}).eventId}/1`,
          event: CartNow.cases.Emptied.make({}),
          schemaVersion: 1,
          type: "cart.Emptied",
          version: 3
        },
        {
          eventId: `${stored("", 1, {}).eventId}/2`,
          event: CartNow.cases.Filled.make({ skus: ["tea"] }),
          schemaVersion: 2,
          type: "cart.Filled",
          version: 3
        }
      ]
    )
  })

  it("names the stored types that can yield some of today's events, and leaves the other parts out", () => {
    assert.deepStrictEqual(registry.storedTypes, ["Placed", "Noted", "cart.Filled", "cart.Emptied", "cart.Refilled"])
    const emptied = registry.only(["Emptied", "Noted"])
    assert.deepStrictEqual(emptied.storedTypes, ["Noted", "cart.Emptied", "cart.Refilled"])
    const parts = Result.getOrThrow(emptied.decode(stored("cart.Refilled", 1, { sku: "tea" })))
    assert.deepStrictEqual(parts.map(({ event, eventId }) => [event, eventId]), [
      [CartNow.cases.Emptied.make({}), `${stored("", 1, {}).eventId}/1`]
    ])
    assert.deepStrictEqual(emptied.decode(stored("Placed", 1, { cents: 5 })), Result.succeed([]))
    assert.throws(
      () => emptied.only([untyped<"Emptied">("Placed")]),
      TypeError,
      "No union of this registry has an event \"Placed\"."
    )
  })

  const refused: ReadonlyArray<readonly [string, Event.Stored, string, string]> = [
    [
      "of an unknown type",
      stored("Gone", 1, {}),
      "TypeUnknown",
      "Cart c-1: event 3 (Gone@1): this build does not know its type"
    ],
    [
      "that is newer than this build",
      stored("Placed", 2, {}),
      "TooNew",
      "Cart c-1: event 3 (Placed@2): it is newer than this build"
    ],
    [
      "that does not fit",
      stored("Placed", 1, {}),
      "Malformed",
      "Cart c-1: event 3 (Placed@1): Missing key at [\"cents\"]"
    ]
  ]
  it.each(refused)("names an event %s, and where it stands", (_, event, why, message) => {
    const undecodable = Result.getOrThrow(Result.flip(registry.decode(event)))
    assert.instanceOf(undecodable, Event.EventUndecodable)
    assert.deepStrictEqual([undecodable.why, undecodable.message, undecodable.position], [why, message, 17n])
  })

  it("refuses a type that two unions declare with different schemas, and takes it where they declare it alike", () => {
    const other = Event.union({ Noted: { text: Schema.Int } })
    assert.throws(
      () => Event.registry([CartEvent, OrderEvent, other]),
      Event.EventTypeTaken,
      "The event type \"Noted\" is declared by unions 2 and 3 of the registry, with different schemas or upcasts"
    )
    const same = Event.registry([OrderEvent, Event.union({ Noted: { text: Schema.String } })])
    assert.deepStrictEqual(same.storedTypes, ["Placed", "Noted"])
    assert.lengthOf(Result.getOrThrow(same.decode(stored("Noted", 1, { text: "x" }))), 1)
  })
})

describe("aggregates on one runtime", () => {
  const aggregate = (name: string, events: typeof OrderEvent | typeof CartEvent) => {
    class Some extends Aggregate.Service<Some>()(name, { state: Schema.Int, events, commands: [] }) {}
    return Some.toLayer({
      initial: 0,
      evolve: {
        Placed: (n: number) => n,
        Noted: (n: number) => n,
        Filled: (n: number) => n,
        Emptied: (n: number) => n
      },
      handlers: {}
    })
  }
  const build = (...layers: ReadonlyArray<ReturnType<typeof aggregate>>) =>
    layers.reduce((all, layer) => Layer.merge(all, layer)).pipe(
      Layer.provide(AggregateRuntime.layer),
      Layer.provide(Memory.layer),
      Layer.build,
      Effect.scoped,
      Effect.exit
    )
  const defectOf = (exit: Exit.Exit<unknown, unknown>): unknown =>
    Exit.isFailure(exit) ? Cause.squash(exit.cause) : assert.fail("it was built")

  it.effect(
    "may share a type that they declare alike",
    Effect.fnUntraced(function*() {
      const exit = yield* build(
        aggregate("One", CartEvent),
        aggregate("Two", CartEvent),
        aggregate("Three", OrderEvent)
      )
      assert.isTrue(Exit.isSuccess(exit))
    })
  )

  it.effect(
    "do not start with one type of two schemas",
    Effect.fnUntraced(function*() {
      const Other = Event.union({ Placed: { cents: Schema.String }, Noted: { text: Schema.String } })
      const defect = defectOf(yield* build(aggregate("One", OrderEvent), aggregate("Two", untyped(Other))))
      assert.instanceOf(defect, Event.EventTypeTaken)
      assert.strictEqual(defect.type, "Placed")
      assert.strictEqual(defect.where, "the aggregates \"One\" and \"Two\"")
    })
  )

  it.effect(
    "do not start with a released shape that cannot be so",
    Effect.fnUntraced(function*() {
      const wrong = Event.evolved(OrderEvent, (was) => [was("Placed@2", Schema.Struct({}), () => [])])
      const defect = defectOf(yield* build(aggregate("One", wrong)))
      assert.instanceOf(defect, Event.ReleasedShapeInvalid)
      assert.strictEqual(defect.shape, "Placed@2")
    })
  )
})
