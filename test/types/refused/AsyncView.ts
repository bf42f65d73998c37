import { OrderEvent, OrderSummaries } from "../Orders.ts"
OrderSummaries.toLayer((on) => [on(OrderEvent, { OrderPlaced: async () => undefined })])
