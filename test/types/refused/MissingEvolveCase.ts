import { evolve, handlers, initial, Orders } from "../Orders.ts"
Orders.toLayer({ initial, evolve: { OrderPlaced: evolve.OrderPlaced }, handlers })
