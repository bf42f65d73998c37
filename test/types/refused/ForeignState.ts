import * as Projection from "varve/Projection"
import { OrderEvent } from "../Orders.ts"
class Total extends Projection.Fold<Total, number>()("total") {}
Total.toLayer({ initial: () => 0, sources: (on) => [on(OrderEvent, { OrderPlaced: (sum) => `${sum}` })] })
