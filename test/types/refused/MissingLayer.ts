import { Effect } from "effect"
import { Orders } from "../Orders.ts"
Effect.runPromise(Effect.flatMap(Orders, (orders) => orders.of("o-1").touch()))
