/** Ledgers with a view, as an app whose release the environment says: its version, what it cannot work off, and then. */
import { Effect, Layer, Schema } from "effect"
import * as App from "../../src/cli/App.ts"
import * as Projection from "../../src/Projection.ts"
import { behavior, LedgerEvent, Ledgers } from "../fixtures/Ledger.ts"

const { POISON = "", THEN = "pause", VERSION = "1" } = process.env

class Balances extends Projection.View<Balances>()("balances", {
  version: Number(VERSION),
  document: Schema.Struct({ cents: Schema.Int, entries: Schema.Int, large: Schema.Boolean }),
  indexes: ["cents", "large"]
}) {}

const BalancesLive = Balances.toLayer((on) => [
  on(LedgerEvent, {
    Entered: (balance, event) => {
      if (String(event.cents) === POISON) throw new Error(`nobody can book ${event.cents}`)
      const cents = (balance?.cents ?? 0) + event.cents
      return { cents, entries: (balance?.entries ?? 0) + 1, large: cents >= 1_000 }
    }
  })
], { onFailure: THEN === "quarantine" ? "quarantine" : "pause", tries: 1 })

class Sum extends Projection.Fold<Sum, number>()("sum") {}
const SumLive = Sum.toLayer({
  initial: () => 0,
  sources: (on) => [on(LedgerEvent, { Entered: (sum, { cents }) => sum + cents })]
})

const Nothing = Projection.effect("nothing", {
  from: "now",
  sources: (on) => [on(LedgerEvent, { Entered: () => Effect.void })]
})

export default App.make({
  name: "ledgers",
  aggregates: Ledgers.toLayer(behavior),
  projections: Layer.mergeAll(BalancesLive, SumLive, Nothing.toLayer()),
  line: Schema.Struct({ id: Schema.String, cents: Schema.Int }),
  key: ({ id }) => id,
  execute: ({ cents, id }, commandId) =>
    Effect.flatMap(Ledgers, (ledgers) => ledgers.of(id, { commandId }).enter({ cents }))
})
