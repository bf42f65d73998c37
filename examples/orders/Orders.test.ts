/** What an order goes through: as given, when, then; by itself on a store; and loaded and saved by a script. */
import { assert, describe, it } from "@effect/vitest"
import { Effect, Layer, Stream } from "effect"
import { CommandFailed, VersionConflict } from "varve/AggregateHost"
import * as AggregateRuntime from "varve/AggregateRuntime"
import { EventStore } from "varve/EventStore"
import * as Memory from "varve/memory/Memory"
import * as Repository from "varve/Repository"
import * as Scenario from "varve/testing/Scenario"
import {
  behavior,
  ItemAdded,
  OrderCreated,
  OrderEmpty,
  type OrderEvent,
  OrderExists,
  Orders,
  OrderSent,
  OrderShipped,
  OrdersLive,
  OrderUnknown
} from "./Orders.ts"

const orders = Scenario.make(Orders, behavior)
const given = (...events: ReadonlyArray<OrderEvent>) => orders.given(events, { id: "order-123" })

const created = OrderCreated.make({ customerId: "customer-456" })
const two = { productId: "product-1", quantity: 2, priceCents: 2_999 }
const one = { productId: "product-2", quantity: 1, priceCents: 4_999 }
const parcel = { trackingNumber: "TRK-123", carrier: "DHL" }
const filled = [created, ItemAdded.make(two), ItemAdded.make(one)]
const sent = [...filled, OrderShipped.make(parcel)]

/** What becomes of two at 29.99 and one at 49.99. */
const total: typeof behavior.initial = { status: "open", items: [two, one], totalCents: 10_997, trackingNumber: "" }

describe("a decision", () => {
  it.effect("creates an order that is open and empty", () =>
    Effect.gen(function*() {
      const then = yield* given().when("create", { customerId: "customer-456" })
      assert.deepStrictEqual(then.events, [created])
      assert.deepStrictEqual(then.state, { status: "open", items: [], totalCents: 0, trackingNumber: "" })
    }))

  it.effect("refuses to create an order that exists, open or sent", () =>
    Effect.gen(function*() {
      for (const events of [[created], filled, sent]) {
        const then = yield* given(...events).when("create", { customerId: "customer-789" })
        assert.deepStrictEqual(then.rejection, new OrderExists({ orderId: "order-123" }))
        assert.deepStrictEqual(then.events, [])
      }
    }))

  it.effect("adds an item and answers the new total", () =>
    Effect.gen(function*() {
      const then = yield* given(created, ItemAdded.make(two)).when("addItem", one)
      assert.deepStrictEqual(then.events, [ItemAdded.make(one)])
      assert.deepStrictEqual(then.reply, { totalCents: 10_997 })
      assert.deepStrictEqual(then.state, total)
    }))

  it.effect("refuses items for an order that is unknown or sent", () =>
    Effect.gen(function*() {
      const unknown = yield* given().when("addItem", one)
      assert.deepStrictEqual(unknown.rejection, new OrderUnknown({ orderId: "order-123" }))
      const late = yield* given(...sent).when("addItem", one)
      assert.deepStrictEqual(late.rejection, new OrderSent({ orderId: "order-123", trackingNumber: "TRK-123" }))
      assert.deepStrictEqual(late.state, { ...total, status: "sent", trackingNumber: "TRK-123" })
    }))

  it.effect("takes no item in a quantity or at a price that is none, or without a product", () =>
    Effect.gen(function*() {
      for (
        const item of [
          { quantity: 0 },
          { quantity: 1.5 },
          { quantity: 10_001 },
          { priceCents: -1 },
          { priceCents: 100_000_001 },
          { productId: "" }
        ]
      ) {
        const exit = yield* Effect.exit(given(created).when("addItem", { ...one, ...item }))
        assert.strictEqual(exit._tag, "Failure", JSON.stringify(item))
      }
    }))

  it.effect("ships an order that has items, and keeps its tracking number", () =>
    Effect.gen(function*() {
      const then = yield* given(...filled).when("ship", parcel)
      assert.deepStrictEqual(then.events, [OrderShipped.make(parcel)])
      assert.deepStrictEqual(then.state, { ...total, status: "sent", trackingNumber: "TRK-123" })
    }))

  it.effect("refuses to ship an order that is unknown, empty, or sent before", () =>
    Effect.gen(function*() {
      const again = { trackingNumber: "TRK-124", carrier: "UPS" }
      const refusals = [
        [yield* given().when("ship", again), new OrderUnknown({ orderId: "order-123" })],
        [yield* given(created).when("ship", again), new OrderEmpty({ orderId: "order-123" })],
        [yield* given(...sent).when("ship", again), new OrderSent({ orderId: "order-123", trackingNumber: "TRK-123" })]
      ] as const
      for (const [then, rejection] of refusals) {
        assert.deepStrictEqual(then.rejection, rejection)
        assert.deepStrictEqual(then.events, [])
      }
    }))
})

const Live = OrdersLive.pipe(Layer.provide(AggregateRuntime.layer), Layer.provideMerge(Memory.layer))

describe("an order on a store", () => {
  it.effect("is created, filled and sent, and every step is on record", () =>
    Effect.gen(function*() {
      const order = (yield* Orders).of("order-123", { metadata: { user: "ann" } })
      yield* order.create({ customerId: "customer-456" })
      assert.deepStrictEqual(yield* order.addItem(two), { totalCents: 5_998 })
      assert.deepStrictEqual(yield* order.addItem(one), { totalCents: 10_997 })
      assert.deepStrictEqual(yield* (yield* Orders).state("order-123"), total)
      yield* order.ship(parcel)
      assert.deepStrictEqual(yield* (yield* Orders).state("order-123"), {
        ...total,
        status: "sent",
        trackingNumber: "TRK-123"
      })
      const history = yield* Stream.runCollect((yield* Orders).history("order-123"))
      assert.deepStrictEqual(history.map(({ event }) => event), sent)
      assert.deepStrictEqual(history.map(({ metadata, version }) => [version, metadata.user]), [
        [1, "ann"],
        [2, "ann"],
        [3, "ann"],
        [4, "ann"]
      ])
    }).pipe(Effect.provide(Live)))

  it.effect("refuses what it refuses as a typed failure, and no event tells of it", () =>
    Effect.gen(function*() {
      const order = (yield* Orders).of("order-123")
      assert.deepStrictEqual(yield* Effect.flip(order.addItem(one)), new OrderUnknown({ orderId: "order-123" }))
      yield* order.create({ customerId: "customer-456" })
      assert.deepStrictEqual(yield* Effect.flip(order.ship(parcel)), new OrderEmpty({ orderId: "order-123" }))
      assert.strictEqual(yield* (yield* EventStore).head, 1n)
    }).pipe(Effect.provide(Live)))

  it.effect("shows its state as it was after any of its events", () =>
    Effect.gen(function*() {
      const order = (yield* Orders).of("order-123")
      yield* order.create({ customerId: "customer-456" })
      yield* order.addItem(two)
      yield* order.addItem(one)
      const then = yield* (yield* Orders).stateAt("order-123", { version: 2 })
      assert.deepStrictEqual(then.state, { ...total, items: [two], totalCents: 5_998 })
    }).pipe(Effect.provide(Live)))
})

/** The version at which a save was refused, and that at which it would not have been. */
const conflict = (expected: number, actual: number) =>
  new CommandFailed({ reason: new VersionConflict({ aggregate: "Order", id: "order-123", expected, actual }) })

describe("an order in a repository", () => {
  it.effect("is loaded as it was saved: the same items, the same total, as a running aggregate has it too", () =>
    Effect.gen(function*() {
      const repository = yield* Repository.make(Orders, behavior)
      assert.deepStrictEqual(yield* repository.save("order-123", { expected: 0, events: filled }), {
        version: 3,
        position: 3n
      })
      assert.deepStrictEqual(yield* repository.load("order-123"), { state: total, version: 3 })
      assert.deepStrictEqual(yield* (yield* Orders).state("order-123"), total)
    }).pipe(Effect.provide(Live)))

  it.effect("W13: is saved at the version that it was loaded at", () =>
    Effect.gen(function*() {
      const repository = yield* Repository.make(Orders, behavior)
      yield* repository.save("order-123", { expected: 0, events: filled })
      const { version } = yield* repository.load("order-123")
      const saved = yield* repository.save("order-123", { expected: version, events: [OrderShipped.make(parcel)] })
      assert.deepStrictEqual(saved, { version: 4, position: 4n })
      const { state } = yield* repository.load("order-123")
      assert.deepStrictEqual(state, { ...total, status: "sent", trackingNumber: "TRK-123" })
    }).pipe(Effect.provide(Live)))

  it.effect("W14: is saved by the first of two who loaded it; the second loads again, and nothing is lost", () =>
    Effect.gen(function*() {
      const repository = yield* Repository.make(Orders, behavior)
      yield* repository.save("order-123", { expected: 0, events: filled })
      const third = ItemAdded.make({ productId: "product-3", quantity: 1, priceCents: 1_999 })
      const fourth = ItemAdded.make({ productId: "product-4", quantity: 1, priceCents: 999 })
      const mine = yield* repository.load("order-123")
      const yours = yield* repository.load("order-123")

      yield* repository.save("order-123", { expected: mine.version, events: [third] })
      const refused = yield* Effect.flip(repository.save("order-123", { expected: yours.version, events: [fourth] }))
      assert.deepStrictEqual(refused, conflict(3, 4))
      assert.isTrue(refused.nothingWritten)

      const again = yield* repository.load("order-123")
      assert.strictEqual(again.version, 4)
      yield* repository.save("order-123", { expected: again.version, events: [fourth] })
      const { state, version } = yield* repository.load("order-123")
      assert.strictEqual(version, 5)
      assert.deepStrictEqual(state.items.map(({ productId }) => productId), [
        "product-1",
        "product-2",
        "product-3",
        "product-4"
      ])
      assert.strictEqual(state.totalCents, 10_997 + 1_999 + 999)
    }).pipe(Effect.provide(Live)))

  it.effect("is only checked by a save without events: right or stale, nothing is written", () =>
    Effect.gen(function*() {
      const repository = yield* Repository.make(Orders, behavior)
      yield* repository.save("order-123", { expected: 0, events: filled })
      assert.deepStrictEqual(yield* repository.save("order-123", { expected: 3, events: [] }), {
        version: 3,
        position: undefined
      })
      const stale = yield* Effect.flip(repository.save("order-123", { expected: 2, events: [] }))
      assert.deepStrictEqual(stale, conflict(2, 3))
      assert.strictEqual(yield* (yield* EventStore).head, 3n)
    }).pipe(Effect.provide(Live)))

  it.effect("W14: does not exist before its first event, nor after a first save that was refused", () =>
    Effect.gen(function*() {
      const repository = yield* Repository.make(Orders, behavior)
      assert.deepStrictEqual(
        yield* Effect.flip(repository.save("order-123", { expected: 1, events: filled })),
        conflict(1, 0)
      )
      yield* repository.save("order-123", { expected: 0, events: [] })
      assert.isFalse(yield* repository.exists("order-123"))
      assert.deepStrictEqual(yield* repository.load("order-123"), { state: behavior.initial, version: 0 })
      assert.deepStrictEqual(yield* (yield* EventStore).streams({ category: "Order" }), [])
      yield* repository.save("order-123", { expected: 0, events: [created] })
      assert.isTrue(yield* repository.exists("order-123"))
    }).pipe(Effect.provide(Live)))

  it.effect("is not overwritten behind a running aggregate's back: that decides on what the script saved", () =>
    Effect.gen(function*() {
      const repository = yield* Repository.make(Orders, behavior)
      const order = (yield* Orders).of("order-123")
      yield* order.create({ customerId: "customer-456" })
      const { version } = yield* repository.load("order-123")
      yield* repository.save("order-123", { expected: version, events: [ItemAdded.make(two)] })
      assert.deepStrictEqual(yield* order.addItem(one), { totalCents: 10_997 })
      assert.deepStrictEqual(yield* repository.load("order-123"), { state: total, version: 3 })
    }).pipe(Effect.provide(Live)))
})
