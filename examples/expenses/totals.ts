/** What the views of a log must tell, told without Varve: `node examples/expenses/totals.ts LOG.ndjson.gz` */
import { readFileSync } from "node:fs"
import { gunzipSync } from "node:zlib"
import { judge } from "./check.ts"

const statusOf = (activity: string): string => {
  if (activity === "Request Payment") return "payment-requested"
  if (activity === "Payment Handled") return "paid"
  if (activity.includes(" APPROVED ")) return "under-review"
  return / (?:FINAL_)?(SAVED|SUBMITTED|APPROVED|REJECTED) /.exec(activity)![1]!.toLowerCase()
}

/** The whole number that an amount is in its last decimal, of which it may have 20. */
export const units = (amount: string): bigint =>
  BigInt(amount.replace(/^\d+$/, "$&.").replace(/\.(.*)/, (_, part) => part.padEnd(20, "0")))

export const totals = (log: string) => {
  const declarations: Record<string, { status: string; number: string; budget: string; amount: string }> = {}
  const budgets: Record<string, { submissions: number; submitted: bigint; payments: number; paid: bigint }> = {}
  for (const { line, reason } of judge(log)) {
    if (reason !== undefined) continue
    const { activity, Amount, BudgetNumber, case: name, DeclarationNumber } = line
    const isClaim = / (SAVED|SUBMITTED) /.test(activity!)
    const claim = isClaim
      ? { number: DeclarationNumber!, budget: BudgetNumber!, amount: Amount! }
      : declarations[name!]!
    declarations[name!] = { ...claim, status: statusOf(activity!) }
    const total = budgets[claim.budget] ?? { submissions: 0, submitted: 0n, payments: 0, paid: 0n }
    if (activity!.includes(" SUBMITTED ")) {
      budgets[claim.budget] = {
        ...total,
        submissions: total.submissions + 1,
        submitted: total.submitted + units(claim.amount)
      }
    } else if (activity === "Payment Handled") {
      budgets[claim.budget] = { ...total, payments: total.payments + 1, paid: total.paid + units(claim.amount) }
    }
  }
  return { declarations, budgets }
}

if (import.meta.main) console.log(totals(gunzipSync(readFileSync(process.argv[2] ?? "")).toString()).budgets)
