import { Effect } from "effect"
import { OrderSummaries } from "../Orders.ts"
export const program = Effect.flatMap(
  OrderSummaries,
  (views) => views.list({ orderBy: { field: "cents" }, after: { key: "o-1" } })
)
