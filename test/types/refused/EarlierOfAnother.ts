import { Schema } from "effect"
import * as Projection from "varve/Projection"
Projection.View<never>()("carts", {
  version: 2,
  document: Schema.Struct({ total: Schema.Int }),
  was: (was) => [was({ version: 1, document: Schema.Struct({ sum: Schema.Int }), up: ({ sum }) => ({ sum }) })]
})
