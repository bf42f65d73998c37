/**
 * How a declaration is decided: a step is taken if the rule says that it may follow the last one.
 */
import * as Aggregate from "varve/Aggregate"
import {
  AlreadyDone,
  AlreadyPaid,
  type Declaration,
  DeclarationEvent,
  Declarations,
  NotItsTurn,
  NotSubmitted,
  type Step,
  stepOf
} from "./Declarations.ts"
import * as rule from "./rule.ts"

const { DeclarationApproved, DeclarationRejected, DeclarationSaved, DeclarationSubmitted } = DeclarationEvent.cases
const { PaymentHandled, PaymentRequested } = DeclarationEvent.cases

/** The steps that may come right after another, or first of all. */
const allowedAfter = (last: Step | null): ReadonlyArray<Step> => (last === null ? rule.first : rule.next[last])

interface Given {
  readonly id: string
  readonly state: Declaration
}

/** All commands are decided alike: each asks for one event, and the event stands for the step. */
const take = ({ id, state: { last } }: Given, event: DeclarationEvent) => {
  const step = stepOf(event)
  if (allowedAfter(last).includes(step)) return Aggregate.decide([event])
  const refused = { declaration: id, step }
  if (last === null) return new NotSubmitted(refused)
  if (last === "Payment Handled") return new AlreadyPaid(refused)
  if (last === step) return new AlreadyDone(refused)
  return new NotItsTurn({ ...refused, after: last })
}

/** What is claimed stays; the step is a new one. */
const moved = ({ claim }: Declaration, event: DeclarationEvent): Declaration => ({ last: stepOf(event), claim })

/** Where nothing was claimed nothing is paid either: `take` refuses it. */
const paid = ({ claim }: Declaration) => (claim === null ? {} : { claim })

export const behavior = Declarations.behavior({
  initial: { last: null, claim: null },
  evolve: {
    DeclarationSaved: (_, { _tag, ...claim }) => ({ last: "Declaration SAVED by EMPLOYEE", claim }),
    DeclarationSubmitted: (_, { _tag, ...claim }) => ({ last: "Declaration SUBMITTED by EMPLOYEE", claim }),
    DeclarationApproved: moved,
    DeclarationRejected: moved,
    PaymentRequested: moved,
    PaymentHandled: moved
  },
  handlers: {
    save: (given) => take(given, DeclarationSaved.make(given.payload)),
    submit: (given) => take(given, DeclarationSubmitted.make(given.payload)),
    approve: (given) => take(given, DeclarationApproved.make(given.payload)),
    reject: (given) => take(given, DeclarationRejected.make(given.payload)),
    requestPayment: (given) => take(given, PaymentRequested.make({})),
    handlePayment: (given) => take(given, PaymentHandled.make(paid(given.state)))
  }
})

export const DeclarationsLive = Declarations.toLayer(behavior)
