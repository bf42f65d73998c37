import { Effect } from "effect"
import { Orders } from "../Orders.ts"
Effect.flatMap(Orders, (orders) => orders.stateAt("o-1", { version: 1, time: new Date(0) }))
