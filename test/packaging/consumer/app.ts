/** An app for the command line that comes with the package. */
import { Effect, Layer, Schema } from "effect"
import { App } from "varve/cli"
import { Parcels, ParcelsLive, Scales } from "./Parcels.ts"

export default App.make({
  name: "parcels",
  aggregates: ParcelsLive.pipe(Layer.provide(Layer.succeed(Scales, { weigh: () => Effect.succeed(1) }))),
  line: Schema.Struct({ id: Schema.String }),
  key: ({ id }) => id,
  execute: ({ id }, commandId) =>
    Effect.flatMap(Parcels, (parcels) => parcels.of(id, { commandId }).send({ carrier: "DHL" }))
})
