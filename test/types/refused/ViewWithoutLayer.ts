import { Effect } from "effect"
import { OrderSummaries } from "../Orders.ts"
Effect.runPromise(Effect.flatMap(OrderSummaries, (views) => views.get("o-1")))
