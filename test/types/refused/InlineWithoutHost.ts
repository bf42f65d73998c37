import { Effect, Layer } from "effect"
import * as Memory from "varve/memory/Memory"
import * as ProjectionRunner from "varve/ProjectionRunner"
import { OrderEvent, OrderSummaries } from "../Orders.ts"
const Inline = OrderSummaries.toInlineLayer((on) => [on(OrderEvent, { OrderShipped: () => undefined })])
const Live = Inline.pipe(Layer.provide(ProjectionRunner.layer), Layer.provide(Memory.layer))
Effect.runPromise(Effect.provide(Effect.flatMap(OrderSummaries, (views) => views.get("o-1")), Live))
