import { evolve, handlers, initial, Orders } from "../Orders.ts"
Orders.toLayer({ initial, evolve, handlers: { ...handlers, touch: () => {} } })
