import { Effect, Layer } from "effect"
import * as AggregateRuntime from "varve/AggregateRuntime"
import { evolve, handlers, initial, Orders } from "../Orders.ts"
const Live = Orders.toLayer({ initial, evolve, handlers }).pipe(Layer.provide(AggregateRuntime.layer))
Effect.runPromise(Effect.provide(Effect.flatMap(Orders, (orders) => orders.of("o-1").touch()), Live))
