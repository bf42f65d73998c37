/**
 * The orders as an app of the command line, for a file of commands and for what its views tell:
 * `npm start -- run --app examples/orders/app.ts --commands FILE`.
 *
 * A line of the file is one command of one order: `{"order":"o-1","create":{"customerId":"ann"}}`.
 */
import { Effect, Schema } from "effect"
import * as App from "varve/cli/App"
import { Item, Orders, OrdersLive, Parcel } from "./Orders.ts"
import { OrderSummariesLive } from "./OrderSummaries.ts"

const order = Schema.NonEmptyString

const Line = Schema.Union([
  Schema.Struct({ order, create: Schema.Struct({ customerId: Schema.NonEmptyString }) }),
  Schema.Struct({ order, addItem: Schema.Struct(Item) }),
  Schema.Struct({ order, ship: Schema.Struct(Parcel) })
])
type Line = typeof Line.Type

type Order = ReturnType<(typeof Orders.Service)["of"]>

/** What a line asks of its order. */
const send = (line: Line, order: Order) => {
  if ("create" in line) return order.create(line.create)
  if ("addItem" in line) return order.addItem(line.addItem)
  return order.ship(line.ship)
}

export default App.make({
  name: "orders",
  aggregates: OrdersLive,
  projections: OrderSummariesLive,
  line: Line,
  key: (line) => line.order,
  execute: Effect.fnUntraced(function*(line, commandId) {
    return yield* send(line, (yield* Orders).of(line.order, { commandId }))
  })
})
