import { Effect, Layer } from "effect"
import * as Memory from "varve/memory/Memory"
import { OrderSummaries, OrderSummariesLive } from "../Orders.ts"
const Live = OrderSummariesLive.pipe(Layer.provide(Memory.layer))
Effect.runPromise(Effect.provide(Effect.flatMap(OrderSummaries, (views) => views.get("o-1")), Live))
