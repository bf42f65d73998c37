/**
 * What an administration asks of its declarations: which of them are where, and what was asked of which budget and paid
 * from it.
 */
import { Schema } from "effect"
import * as Projection from "varve/Projection"
import { Amount, type Approver, DeclarationEvent } from "./Declarations.ts"

// ── each declaration, and where it is

/** Approved is what the supervisor has approved; what others have approved is under review. */
export const Status = Schema.Literals([
  "saved",
  "submitted",
  "under-review",
  "approved",
  "rejected",
  "payment-requested",
  "paid"
])

const Declared = Schema.Struct({
  status: Status,
  number: Schema.String,
  budget: Schema.String,
  amount: Amount,
  changedAt: Schema.Date
})
type Declared = typeof Declared.Type

export class DeclarationsByStatus extends Projection.View<DeclarationsByStatus>()("declarations-by-status", {
  version: 1,
  document: Declared,
  indexes: ["status", "budget", "changedAt"]
}) {}

/** What is claimed stays. There is nothing to move before something was claimed. */
const moved = (declared: Declared | undefined, status: Declared["status"], { recordedAt }: Projection.Meta) =>
  declared && { ...declared, status, changedAt: recordedAt }

const statusAfter = (by: typeof Approver.Type) => (by === "SUPERVISOR" ? "approved" : "under-review")

export const DeclarationsByStatusLive = DeclarationsByStatus.toLayer((on) => [
  on(DeclarationEvent, {
    DeclarationSaved: (_, { _tag, ...claim }, { recordedAt }) => ({ ...claim, status: "saved", changedAt: recordedAt }),
    DeclarationSubmitted: (_, { _tag, ...claim }, { recordedAt }) => ({
      ...claim,
      status: "submitted",
      changedAt: recordedAt
    }),
    DeclarationApproved: (declared, { by }, meta) => moved(declared, statusAfter(by), meta),
    DeclarationRejected: (declared, _, meta) => moved(declared, "rejected", meta),
    PaymentRequested: (declared, _, meta) => moved(declared, "payment-requested", meta),
    PaymentHandled: (declared, _, meta) => moved(declared, "paid", meta)
  })
])

// ── each budget, whoever's declarations are about it

const Totals = Schema.Struct({
  /** How often something was handed in: a declaration that was sent back and comes again is one more. */
  submissions: Schema.Int,
  /** What that comes to, exactly: decimal text, like an amount. */
  submitted: Schema.String,
  payments: Schema.Int,
  paid: Schema.String
})
const nothing: typeof Totals.Type = { submissions: 0, submitted: "0", payments: 0, paid: "0" }

export class BudgetTotals extends Projection.View<BudgetTotals>()("budget-totals", {
  version: 1,
  document: Totals,
  indexes: ["submissions", "payments"]
}) {}

/** The documents are those of budgets, not of streams: events of many declarations meet in one. */
export const BudgetTotalsLive = BudgetTotals.toLayer((on) => [
  on(DeclarationEvent, {
    DeclarationSubmitted: (totals = nothing, { amount }) => ({
      ...totals,
      submissions: totals.submissions + 1,
      submitted: sum(totals.submitted, amount)
    })
  }, { key: ({ budget }) => budget }),
  on(DeclarationEvent, {
    PaymentHandled: (totals = nothing, { claim }) => ({
      ...totals,
      payments: totals.payments + 1,
      paid: sum(totals.paid, claim?.amount ?? "0")
    })
  }, { key: ({ claim }) => claim?.budget })
])

const sum = (one: string, other: string): string => textOf(unitsOf(one) + unitsOf(other))

/** As many decimals as an amount may have. */
const decimals = 20

const unitsOf = (amount: string): bigint => {
  const [whole, fraction = ""] = amount.split(".")
  return BigInt(whole + fraction.padEnd(decimals, "0"))
}

const textOf = (units: bigint): string => {
  const digits = String(units).padStart(decimals + 1, "0")
  return `${digits.slice(0, -decimals)}.${digits.slice(-decimals)}`.replace(/\.?0+$/, "")
}
