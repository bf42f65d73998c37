import { OrderEvent, OrderSummaries } from "../Orders.ts"
OrderSummaries.toInlineLayer((on) => [
  on(OrderEvent, { OrderShipped: (document, _, { position }) => position > 1n ? document : undefined })
])
