import * as Aggregate from "varve/Aggregate"
import { MoneyDeposited } from "../../fixtures/Account.ts"
import { evolve, handlers, initial, Orders } from "../Orders.ts"
Orders.toLayer({
  initial,
  evolve,
  handlers: { ...handlers, touch: () => Aggregate.decide([MoneyDeposited.make({ cents: 1 })]) }
})
