/** What the list of orders tells of the orders. */
import { assert, it } from "@effect/vitest"
import { Effect, Layer } from "effect"
import { TestClock } from "effect/testing"
import * as AggregateRuntime from "varve/AggregateRuntime"
import { EventStore } from "varve/EventStore"
import * as Memory from "varve/memory/Memory"
import { ProjectionHost } from "varve/ProjectionHost"
import * as ProjectionRunner from "varve/ProjectionRunner"
import { Orders, OrdersLive } from "./Orders.ts"
import { OrderSummaries, OrderSummariesLive } from "./OrderSummaries.ts"

const Live = Layer.mergeAll(OrdersLive, OrderSummariesLive).pipe(
  Layer.provide(AggregateRuntime.layer),
  Layer.provideMerge(ProjectionRunner.layer),
  Layer.provideMerge(Memory.layer)
)

/** Waits until the view has all that is in the log. */
const caughtUp = Effect.gen(function*() {
  const { head } = yield* EventStore
  yield* (yield* ProjectionHost).await(OrderSummaries.definition, yield* head, { deadline: "10 seconds" })
})

const parcel = { trackingNumber: "TRK-123", carrier: "DHL" }

/** Creates an order of so many pieces at a price. */
const create = Effect.fnUntraced(function*(id: string, customerId: string, quantity: number, priceCents: number) {
  const order = (yield* Orders).of(id)
  yield* order.create({ customerId })
  yield* order.addItem({ productId: "product-1", quantity, priceCents })
})

it.effect("has a line an order: what it comes to, and whether it was sent and when", () =>
  Effect.gen(function*() {
    yield* TestClock.setTime(1_000)
    yield* create("order-1", "ann", 2, 1_500)
    yield* TestClock.setTime(2_000)
    yield* (yield* Orders).of("order-1").ship(parcel)
    yield* caughtUp
    const summaries = yield* OrderSummaries
    assert.deepStrictEqual(yield* summaries.get("order-1"), {
      status: "sent",
      customerId: "ann",
      items: 2,
      totalCents: 3_000,
      createdAt: new Date(1_000),
      sentAt: new Date(2_000)
    })
    assert.isUndefined(yield* summaries.get("order-2"))
  }).pipe(Effect.provide(Live)))

it.effect("tells the open orders, a customer's, and the dearest, each in its order and page by page", () =>
  Effect.gen(function*() {
    yield* create("order-1", "ann", 1, 500)
    yield* create("order-2", "bob", 3, 500)
    yield* create("order-3", "ann", 2, 500)
    yield* create("order-4", "bob", 2, 500)
    yield* (yield* Orders).of("order-2").ship(parcel)
    yield* caughtUp
    const { count, list } = yield* OrderSummaries
    const keys = (query: Parameters<typeof list>[0]) => Effect.map(list(query), (found) => found.map(({ key }) => key))

    assert.deepStrictEqual(yield* keys({ where: { status: "open" } }), ["order-1", "order-3", "order-4"])
    assert.deepStrictEqual(yield* keys({ where: { customerId: "ann", status: "open" } }), ["order-1", "order-3"])
    assert.strictEqual(yield* count({ where: { status: "sent" } }), 1)

    const orderBy = { field: "totalCents", direction: "descending" } as const
    const dearest = yield* list({ orderBy, limit: 2 })
    assert.deepStrictEqual(dearest.map(({ document, key }) => [key, document.totalCents]), [
      ["order-2", 1_500],
      ["order-4", 1_000]
    ])
    assert.deepStrictEqual(yield* keys({ orderBy, after: dearest.at(-1) }), ["order-3", "order-1"])
  }).pipe(Effect.provide(Live)))
