import * as Aggregate from "varve/Aggregate"
Aggregate.decide([], { publish: [{ topic: "orders", body: new Date(0) }] })
