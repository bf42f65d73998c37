/** An aggregate as a user of the package writes it, with its behaviour and a service that a handler needs. */
import { Context, Effect, Schema } from "effect"
import { Aggregate, Event } from "varve"

export const ParcelEvent = Event.union({
  ParcelSent: { carrier: Schema.String, grams: Schema.Int },
  ParcelDelivered: {}
})
export const { ParcelDelivered, ParcelSent } = ParcelEvent.cases

export class AlreadySent extends Schema.TaggedError<AlreadySent>()("AlreadySent", { id: Schema.String }) {}
export class NotSent extends Schema.TaggedError<NotSent>()("NotSent", {}) {}

export class Scales extends Context.Service<Scales, { readonly weigh: (id: string) => Effect.Effect<number> }>()(
  "consumer/Scales"
) {}

export class Parcels extends Aggregate.Service<Parcels>()("Parcel", {
  state: Schema.Struct({ status: Schema.Literals(["new", "sent", "delivered"]) }),
  events: ParcelEvent,
  commands: [
    Aggregate.command("send", {
      payload: { carrier: Schema.String },
      success: Schema.Struct({ grams: Schema.Int }),
      error: AlreadySent
    }),
    Aggregate.command("deliver", { error: NotSent })
  ]
}) {}

export const behavior = Parcels.behavior({
  initial: { status: "new" },
  evolve: {
    ParcelSent: () => ({ status: "sent" }),
    ParcelDelivered: () => ({ status: "delivered" })
  },
  handlers: {
    send: Effect.fnUntraced(function*({ id, payload, state }) {
      if (state.status !== "new") return yield* new AlreadySent({ id })
      const grams = yield* (yield* Scales).weigh(id)
      return Aggregate.decide([ParcelSent.make({ ...payload, grams })], { reply: { grams } })
    }),
    deliver: ({ state }) => state.status === "sent" ? Aggregate.decide([ParcelDelivered.make({})]) : new NotSent()
  }
})

export const ParcelsLive = Parcels.toLayer(behavior, { snapshotEvery: 100 })
