import { Schema } from "effect"
import * as Event from "varve/Event"
import { MoneyDeposited } from "../../fixtures/Account.ts"
import { OrderEvent } from "../Orders.ts"
Event.evolved(OrderEvent, (was) => [
  was("OrderPlaced@1", Schema.Struct({}), () => [MoneyDeposited.make({ cents: 1 })])
])
