/** Ledgers with a view, as an app whose release the environment says: its version, what it cannot work off, and then, and how it is kept. */
import { Effect, Layer, Schema } from "effect"
import * as App from "../../src/cli/App.ts"
import * as Projection from "../../src/Projection.ts"
import { behavior, LedgerEvent, Ledgers } from "../fixtures/Ledger.ts"

const { KEPT = "followed", POISON = "", THEN = "pause", VERSION = "1" } = process.env

const Balance = Schema.Struct({ cents: Schema.Int, entries: Schema.Int, large: Schema.Boolean })

class Balances extends Projection.View<Balances>()("balances", {
  version: Number(VERSION),
  document: Balance,
  indexes: ["cents", "large"]
}) {}

const enter = (balance: typeof Balance.Type | undefined, event: { readonly cents: number }) => {
  if (String(event.cents) === POISON) throw new Error(`nobody can book ${event.cents}`)
  const cents = (balance?.cents ?? 0) + event.cents
  return { cents, entries: (balance?.entries ?? 0) + 1, large: cents >= 1_000 }
}
const BalancesInline = Balances.toInlineLayer((on) => [on(LedgerEvent, { Entered: enter })])
const BalancesFollowed = Balances.toLayer((on) => [on(LedgerEvent, { Entered: enter })], {
  onFailure: THEN === "quarantine" ? "quarantine" : "pause",
  tries: 1
})

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
  projections: Layer.mergeAll(KEPT === "inline" ? Layer.empty : BalancesFollowed, SumLive, Nothing.toLayer()),
  inline: KEPT === "inline" ? BalancesInline : undefined,
  line: Schema.Struct({ id: Schema.String, cents: Schema.Int }),
  key: ({ id }) => id,
  execute: ({ cents, id }, commandId) =>
    Effect.flatMap(Ledgers, (ledgers) => ledgers.of(id, { commandId }).enter({ cents }))
})
