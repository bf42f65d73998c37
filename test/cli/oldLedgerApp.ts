/** Ledgers as they were at first, as an app: what it writes is read by `ledgerApp` in shapes that have been released. */
import { Effect, Schema } from "effect"
import * as App from "../../src/cli/App.ts"
import { oldBehavior, OldLedgers } from "../fixtures/Ledger.ts"

export default App.make({
  name: "ledgers",
  aggregates: OldLedgers.toLayer(oldBehavior),
  line: Schema.Struct({ id: Schema.String, cents: Schema.Int }),
  key: ({ id }) => id,
  execute: ({ cents, id }, commandId) =>
    Effect.flatMap(OldLedgers, (ledgers) => ledgers.of(id, { commandId }).enter({ cents }))
})
