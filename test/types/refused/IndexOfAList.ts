import { Schema } from "effect"
import * as Projection from "varve/Projection"
const document = Schema.Struct({ skus: Schema.Array(Schema.String), total: Schema.Int })
Projection.View<never>()("carts", { version: 1, document, indexes: ["total", "skus"] })
