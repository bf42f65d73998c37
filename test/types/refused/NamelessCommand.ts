import * as Aggregate from "varve/Aggregate"
Aggregate.command("")
