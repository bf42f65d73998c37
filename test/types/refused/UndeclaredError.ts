import { evolve, handlers, initial, NotShippable, Orders } from "../Orders.ts"
Orders.toLayer({ initial, evolve, handlers: { ...handlers, place: () => new NotShippable({ status: "new" }) } })
