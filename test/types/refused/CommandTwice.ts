import { Schema } from "effect"
import * as Aggregate from "varve/Aggregate"
import { OrderEvent } from "../Orders.ts"
const commands = [Aggregate.command("place", { payload: { n: Schema.Int } }), Aggregate.command("place")] as const
Aggregate.Service<never>()("Order", { state: Schema.Int, events: OrderEvent, commands })
