import { evolve, handlers, initial, Orders } from "../Orders.ts"
const { touch: _, ...others } = handlers
Orders.toLayer({ initial, evolve, handlers: others })
