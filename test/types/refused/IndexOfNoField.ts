import { Schema } from "effect"
import * as Projection from "varve/Projection"
Projection.View<never>()("carts", { version: 1, document: Schema.Struct({ sku: Schema.String }), indexes: ["skus"] })
