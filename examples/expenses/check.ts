/** How the lines of a log must end by the rule, told without Varve: `node examples/expenses/check.ts LOG.ndjson.gz` */
import { readFileSync } from "node:fs"
import { gunzipSync } from "node:zlib"
import { first, next } from "./rule.ts"

const rule: Readonly<Record<string, ReadonlyArray<string>>> = next

const reasonOf = (last: string | undefined, step: string): string | undefined => {
  if (last === undefined) return first.some((allowed) => allowed === step) ? undefined : "NotSubmitted"
  if (rule[last]?.includes(step)) return undefined
  return last === "Payment Handled" ? "AlreadyPaid" : last === step ? "AlreadyDone" : "NotItsTurn"
}

/** Each line of a log, and why it must be rejected, if it must. */
export function* judge(log: string) {
  const lasts = new Map<string, string>()
  for (const text of log.trimEnd().split("\n")) {
    const line: Readonly<Record<string, string>> = JSON.parse(text)
    const { activity = "", case: declaration = "" } = line
    const reason = reasonOf(lasts.get(declaration), activity)
    if (reason === undefined) lasts.set(declaration, activity)
    yield { line, reason }
  }
}

export const check = (log: string) => {
  const counts = { accepted: 0, rejected: {} as Record<string, number> }
  for (const { reason } of judge(log)) {
    if (reason === undefined) counts.accepted++
    else counts.rejected[reason] = (counts.rejected[reason] ?? 0) + 1
  }
  return counts
}

if (import.meta.main) console.log(check(gunzipSync(readFileSync(process.argv[2] ?? "")).toString()))
