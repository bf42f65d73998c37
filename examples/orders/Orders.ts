/**
 * An order: created, filled with items, shipped once.
 */
import { Schema } from "effect"
import * as Aggregate from "varve/Aggregate"
import * as Event from "varve/Event"

// ── what has happened, for ever

/** Bounded, so that a total stays a whole number that JSON can hold. */
export const Item = {
  productId: Schema.NonEmptyString,
  quantity: Schema.Int.check(Schema.isBetween({ minimum: 1, maximum: 10_000 })),
  priceCents: Schema.Int.check(Schema.isBetween({ minimum: 0, maximum: 100_000_000 }))
}
export const Parcel = { trackingNumber: Schema.NonEmptyString, carrier: Schema.NonEmptyString }

export const OrderEvent = Event.union({
  OrderCreated: { customerId: Schema.NonEmptyString },
  ItemAdded: Item,
  OrderShipped: Parcel
})
export type OrderEvent = typeof OrderEvent.Type
export const { ItemAdded, OrderCreated, OrderShipped } = OrderEvent.cases

// ── what may be asked, and how it may be refused

export class OrderExists extends Schema.TaggedError<OrderExists>()("OrderExists", { orderId: Schema.String }) {}
export class OrderUnknown extends Schema.TaggedError<OrderUnknown>()("OrderUnknown", { orderId: Schema.String }) {}
export class OrderEmpty extends Schema.TaggedError<OrderEmpty>()("OrderEmpty", { orderId: Schema.String }) {}
export class OrderSent extends Schema.TaggedError<OrderSent>()("OrderSent", {
  orderId: Schema.String,
  trackingNumber: Schema.String
}) {}

export class Orders extends Aggregate.Service<Orders>()("Order", {
  state: Schema.Struct({
    status: Schema.Literals(["unknown", "open", "sent"]),
    items: Schema.Array(Schema.Struct(Item)),
    totalCents: Schema.Int,
    trackingNumber: Schema.String
  }),
  events: OrderEvent,
  commands: [
    Aggregate.command("create", { payload: { customerId: Schema.NonEmptyString }, error: OrderExists }),
    Aggregate.command("addItem", {
      payload: Item,
      success: Schema.Struct({ totalCents: Schema.Int }),
      error: [OrderUnknown, OrderSent]
    }),
    Aggregate.command("ship", { payload: Parcel, error: [OrderUnknown, OrderEmpty, OrderSent] })
  ]
}) {}

// ── how it is decided, and what it leads to

export const behavior = Orders.behavior({
  initial: { status: "unknown", items: [], totalCents: 0, trackingNumber: "" },
  evolve: {
    OrderCreated: (order) => ({ ...order, status: "open" }),
    ItemAdded: (order, { _tag, ...item }) => ({
      ...order,
      items: [...order.items, item],
      totalCents: order.totalCents + item.quantity * item.priceCents
    }),
    OrderShipped: (order, { trackingNumber }) => ({ ...order, status: "sent", trackingNumber })
  },
  handlers: {
    create: ({ id, payload, state }) =>
      state.status === "unknown"
        ? Aggregate.decide([OrderCreated.make(payload)])
        : new OrderExists({ orderId: id }),
    addItem: ({ id, payload, state }) => {
      if (state.status === "unknown") return new OrderUnknown({ orderId: id })
      if (state.status === "sent") return new OrderSent({ orderId: id, trackingNumber: state.trackingNumber })
      const totalCents = state.totalCents + payload.quantity * payload.priceCents
      return Aggregate.decide([ItemAdded.make(payload)], { reply: { totalCents } })
    },
    ship: ({ id, payload, state }) => {
      if (state.status === "unknown") return new OrderUnknown({ orderId: id })
      if (state.status === "sent") return new OrderSent({ orderId: id, trackingNumber: state.trackingNumber })
      if (state.items.length === 0) return new OrderEmpty({ orderId: id })
      return Aggregate.decide([OrderShipped.make(payload)])
    }
  }
})

export const OrdersLive = Orders.toLayer(behavior, { snapshotEvery: 100 })
