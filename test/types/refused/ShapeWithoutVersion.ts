import { Schema } from "effect"
import * as Event from "varve/Event"
import { OrderEvent } from "../Orders.ts"
Event.evolved(OrderEvent, (was) => [was("OrderPlaced", Schema.Struct({}), () => [])])
