import { Schema } from "effect"
import * as Aggregate from "varve/Aggregate"
import { OrderEvent } from "../Orders.ts"
Aggregate.Service<never>()("Order", { state: Schema.Int, events: OrderEvent, commands: [{ tag: "x" }] })
