import { Schema } from "effect"
import * as Event from "varve/Event"
import { OrderEvent } from "../Orders.ts"
Event.evolved(OrderEvent, (was) => [
  was(
    "OrderPlaced@1",
    Schema.Struct({ total: Schema.String }),
    ({ total }) => [{ _tag: "OrderPlaced", totalCents: total }]
  )
])
