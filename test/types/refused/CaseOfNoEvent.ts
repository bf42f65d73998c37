import { OrderEvent, OrderSummaries } from "../Orders.ts"
OrderSummaries.toLayer((on) => [on(OrderEvent, { OrderPlcaed: () => undefined })])
