/**
 * Orders as a list shows them: by status, by customer, by what they come to. No aggregate could tell, since each knows of
 * one order only.
 */
import { Schema } from "effect"
import * as Projection from "varve/Projection"
import { OrderEvent } from "./Orders.ts"

/** An order in one line. */
const OrderSummary = Schema.Struct({
  status: Schema.Literals(["open", "sent"]),
  customerId: Schema.String,
  items: Schema.Int,
  totalCents: Schema.Int,
  createdAt: Schema.Date,
  sentAt: Schema.NullOr(Schema.Date)
})

export class OrderSummaries extends Projection.View<OrderSummaries>()("order-summaries", {
  version: 1,
  document: OrderSummary,
  indexes: ["status", "customerId", "totalCents", "createdAt"]
}) {}

export const OrderSummariesLive = OrderSummaries.toLayer((on) => [
  on(OrderEvent, {
    OrderCreated: (_, { customerId }, { recordedAt }) => ({
      status: "open",
      customerId,
      items: 0,
      totalCents: 0,
      createdAt: recordedAt,
      sentAt: null
    }),
    ItemAdded: (order, { priceCents, quantity }) =>
      order && {
        ...order,
        items: order.items + quantity,
        totalCents: order.totalCents + quantity * priceCents
      },
    OrderShipped: (order, _, { recordedAt }) => order && { ...order, status: "sent", sentAt: recordedAt }
  })
])
