/** Ledgers as they are today, as an app: a line enters an amount. */
import { Effect, Schema } from "effect"
import * as App from "../../src/cli/App.ts"
import { behavior, Ledgers } from "../fixtures/Ledger.ts"

export default App.make({
  name: "ledgers",
  aggregates: Ledgers.toLayer(behavior),
  line: Schema.Struct({ id: Schema.String, cents: Schema.Int }),
  key: ({ id }) => id,
  execute: ({ cents, id }, commandId) =>
    Effect.flatMap(Ledgers, (ledgers) => ledgers.of(id, { commandId }).enter({ cents }))
})
