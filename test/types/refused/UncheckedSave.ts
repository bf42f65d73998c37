import { Effect } from "effect"
import * as Repository from "varve/Repository"
import { evolve, handlers, initial, OrderPlaced, Orders } from "../Orders.ts"
Effect.flatMap(
  Repository.make(Orders, { initial, evolve, handlers }),
  (orders) => orders.save("o-1", { events: [OrderPlaced.make({ totalCents: 1 })] })
)
