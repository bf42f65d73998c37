import * as Projection from "varve/Projection"
import { OrderEvent } from "../Orders.ts"
Projection.effect("mails", {
  from: "now",
  sources: (on) => [on(OrderEvent, { OrderPlaced: () => Promise.resolve() })]
})
