import * as Projection from "varve/Projection"
import { OrderEvent } from "../Orders.ts"
Projection.effect("mails", { sources: (on) => [on(OrderEvent, {})] })
