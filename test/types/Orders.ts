/**
 * A small protocol whose types the tests of types pin.
 */
import { Context, Effect, Schema } from "effect"
import * as Aggregate from "varve/Aggregate"
import * as Event from "varve/Event"
import * as Projection from "varve/Projection"

export const OrderEvent = Event.union({
  OrderPlaced: { totalCents: Schema.Int },
  OrderShipped: { carrier: Schema.String }
})
export const { OrderPlaced, OrderShipped } = OrderEvent.cases

export class AlreadyPlaced extends Schema.TaggedError<AlreadyPlaced>()("AlreadyPlaced", { orderId: Schema.String }) {}
export class NotShippable extends Schema.TaggedError<NotShippable>()("NotShippable", { status: Schema.String }) {}

export class Orders extends Aggregate.Service<Orders>()("Order", {
  state: Schema.Struct({ status: Schema.Literals(["new", "placed", "shipped"]) }),
  events: OrderEvent,
  commands: [
    Aggregate.command("place", {
      payload: { totalCents: Schema.Int },
      success: Schema.Struct({ totalCents: Schema.Int }),
      error: AlreadyPlaced
    }),
    Aggregate.command("ship", { payload: { carrier: Schema.String }, error: [AlreadyPlaced, NotShippable] }),
    Aggregate.command("note", { payload: { text: Schema.optionalKey(Schema.String) } }),
    Aggregate.command("touch")
  ]
}) {}

/** What a handler may ask. */
export class Carriers extends Context.Service<Carriers, { readonly known: (name: string) => Effect.Effect<boolean> }>()(
  "test/Carriers"
) {}

export const initial = { status: "new" } as const

export const evolve = {
  OrderPlaced: () => ({ status: "placed" }) as const,
  OrderShipped: () => ({ status: "shipped" }) as const
}

export const handlers = {
  place: () => Aggregate.decide([OrderPlaced.make({ totalCents: 1 })], { reply: { totalCents: 1 } }),
  ship: () => Aggregate.decide([]),
  note: () => Aggregate.decide([]),
  touch: () => Aggregate.decide([])
}

const Summary = Schema.Struct({
  status: Schema.Literals(["placed", "shipped"]),
  cents: Schema.Int,
  note: Schema.String
})
export type Summary = typeof Summary.Type

export class OrderSummaries extends Projection.View<OrderSummaries>()("order-summaries", {
  version: 1,
  document: Summary,
  indexes: ["status", "cents"]
}) {}

export const OrderSummariesLive = OrderSummaries.toLayer((on) => [
  on(OrderEvent, {
    OrderPlaced: (_, { totalCents }) => ({ status: "placed", cents: totalCents, note: "" }),
    OrderShipped: (before) => before && { ...before, status: "shipped" }
  })
])

export const mails = Projection.effect("mails", {
  from: "now",
  sources: (on) => [on(OrderEvent, { OrderPlaced: () => Effect.void })]
})
