import { Schema } from "effect"
import * as Event from "varve/Event"
import { OrderEvent, OrderShipped } from "../Orders.ts"
Event.evolved(OrderEvent, (was) => [
  was("OrderSent@1", Schema.Struct({}), () => [OrderShipped.make({ carrier: "DHL" })], { yields: ["OrderPlaced"] })
])
