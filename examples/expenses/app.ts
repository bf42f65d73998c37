/**
 * The declarations as an app of the command line: `npm start -- run --app examples/expenses/app.ts --commands FILE`.
 *
 * A line of the file is what the university's log has: one step of one declaration.
 */
import { Effect, Layer, Schema } from "effect"
import * as App from "varve/cli/App"
import { DeclarationsLive } from "./behavior.ts"
import { Amount, Declarations, Step } from "./Declarations.ts"
import { BudgetTotalsLive, DeclarationsByStatusLive } from "./views.ts"

const Line = Schema.Struct({
  case: Schema.NonEmptyString,
  activity: Step,
  time: Schema.String.check(
    Schema.isPattern(/^\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d\.\d{3}[+-]\d\d:\d\d$/, { expected: "a time with its offset" })
  ),
  role: Schema.String,
  resource: Schema.String,
  step: Schema.String,
  Amount,
  BudgetNumber: Schema.NonEmptyString,
  DeclarationNumber: Schema.NonEmptyString
})
type Line = typeof Line.Type

type Declaration = ReturnType<(typeof Declarations.Service)["of"]>

/** What a line asks of its declaration. */
const send = (line: Line, declaration: Declaration) => {
  const claim = { number: line.DeclarationNumber, budget: line.BudgetNumber, amount: line.Amount }
  switch (line.activity) {
    case "Declaration SAVED by EMPLOYEE":
      return declaration.save(claim)
    case "Declaration SUBMITTED by EMPLOYEE":
      return declaration.submit(claim)
    case "Declaration APPROVED by PRE_APPROVER":
      return declaration.approve({ by: "PRE_APPROVER" })
    case "Declaration APPROVED by ADMINISTRATION":
      return declaration.approve({ by: "ADMINISTRATION" })
    case "Declaration APPROVED by BUDGET OWNER":
      return declaration.approve({ by: "BUDGET OWNER" })
    case "Declaration FINAL_APPROVED by SUPERVISOR":
      return declaration.approve({ by: "SUPERVISOR" })
    case "Declaration REJECTED by PRE_APPROVER":
      return declaration.reject({ by: "PRE_APPROVER" })
    case "Declaration REJECTED by ADMINISTRATION":
      return declaration.reject({ by: "ADMINISTRATION" })
    case "Declaration REJECTED by BUDGET OWNER":
      return declaration.reject({ by: "BUDGET OWNER" })
    case "Declaration REJECTED by SUPERVISOR":
      return declaration.reject({ by: "SUPERVISOR" })
    case "Declaration REJECTED by EMPLOYEE":
      return declaration.reject({ by: "EMPLOYEE" })
    case "Declaration REJECTED by MISSING":
      return declaration.reject({ by: "MISSING" })
    case "Request Payment":
      return declaration.requestPayment()
    case "Payment Handled":
      return declaration.handlePayment()
  }
}

export default App.make({
  name: "expenses",
  aggregates: DeclarationsLive,
  projections: Layer.mergeAll(DeclarationsByStatusLive, BudgetTotalsLive),
  line: Line,
  key: (line) => line.case,
  execute: Effect.fnUntraced(function*(line, commandId) {
    const declarations = yield* Declarations
    // Who took the step and when is not needed to decide; it rides along with the event.
    const { resource, role, step, time } = line
    return yield* send(line, declarations.of(line.case, { commandId, metadata: { resource, role, step, time } }))
  })
})
