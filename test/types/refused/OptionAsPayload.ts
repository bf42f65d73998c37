import { Effect } from "effect"
import { Orders } from "../Orders.ts"
export const program = Effect.flatMap(Orders, (orders) => orders.of("o-1").touch({ commandId: "c-1" }))
