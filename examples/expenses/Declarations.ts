/**
 * A declaration of travel expenses: handed in, approved by one role after the other or rejected, and paid.
 *
 * This is the protocol: what is on record, what may be asked, and how it may be refused. Clients need no more than this;
 * how it is decided is in `behavior.ts`.
 */
import { Schema } from "effect"
import * as Aggregate from "varve/Aggregate"
import * as Event from "varve/Event"

// ── words

/**
 * An amount of money as decimal text, exactly as it was declared: "26.85". A binary number cannot hold most decimals,
 * cents are too coarse for what the log has, and the record of a claim must not be rounded. Whoever calculates turns it
 * into a `BigDecimal`.
 */
export const Amount = Schema.String.check(
  Schema.isPattern(/^(0|[1-9]\d{0,14})(\.\d{1,20})?$/, { expected: "a decimal number like \"26.85\"" })
)

/** Who may approve. The supervisor's approval is the final one. */
export const Approver = Schema.Literals(["PRE_APPROVER", "ADMINISTRATION", "BUDGET OWNER", "SUPERVISOR"])

/** Who may reject. An employee withdraws what is theirs; "MISSING" is a rejection whose author the log has lost. */
export const Rejecter = Schema.Literals([...Approver.literals, "EMPLOYEE", "MISSING"])

/** What may happen to a declaration, in the words of the log. */
export const Step = Schema.Literals([
  "Declaration SAVED by EMPLOYEE",
  "Declaration SUBMITTED by EMPLOYEE",
  "Declaration APPROVED by PRE_APPROVER",
  "Declaration APPROVED by ADMINISTRATION",
  "Declaration APPROVED by BUDGET OWNER",
  "Declaration FINAL_APPROVED by SUPERVISOR",
  "Declaration REJECTED by PRE_APPROVER",
  "Declaration REJECTED by ADMINISTRATION",
  "Declaration REJECTED by BUDGET OWNER",
  "Declaration REJECTED by SUPERVISOR",
  "Declaration REJECTED by EMPLOYEE",
  "Declaration REJECTED by MISSING",
  "Request Payment",
  "Payment Handled"
]).annotate({ expected: "a step of a declaration, in the words of the log" })
export type Step = typeof Step.Type

const Claim = { number: Schema.NonEmptyString, budget: Schema.NonEmptyString, amount: Amount }

// ── what has happened, for ever

export const DeclarationEvent = Event.union({
  DeclarationSaved: Claim,
  DeclarationSubmitted: Claim,
  DeclarationApproved: { by: Approver },
  DeclarationRejected: { by: Rejecter },
  PaymentRequested: {},
  /** With what was paid, so that whoever adds up need not know the rest of the stream. Older ones do not say. */
  PaymentHandled: { claim: Schema.optionalKey(Schema.Struct(Claim)) }
})
export type DeclarationEvent = typeof DeclarationEvent.Type

/** What an event is called in the log. */
export const stepOf = (event: DeclarationEvent): Step => {
  switch (event._tag) {
    case "DeclarationSaved":
      return "Declaration SAVED by EMPLOYEE"
    case "DeclarationSubmitted":
      return "Declaration SUBMITTED by EMPLOYEE"
    case "DeclarationApproved":
      return event.by === "SUPERVISOR"
        ? "Declaration FINAL_APPROVED by SUPERVISOR"
        : `Declaration APPROVED by ${event.by}`
    case "DeclarationRejected":
      return `Declaration REJECTED by ${event.by}`
    case "PaymentRequested":
      return "Request Payment"
    case "PaymentHandled":
      return "Payment Handled"
  }
}

// ── what may be asked, and how it may be refused

const refused = { declaration: Schema.String, step: Step }

/** Nothing has been handed in that this step could be about. */
export class NotSubmitted extends Schema.TaggedError<NotSubmitted>()("NotSubmitted", refused) {}
/** The money is on its way: the declaration is closed. */
export class AlreadyPaid extends Schema.TaggedError<AlreadyPaid>()("AlreadyPaid", refused) {}
/** This step is the one that was taken last. */
export class AlreadyDone extends Schema.TaggedError<AlreadyDone>()("AlreadyDone", refused) {}
/** This step does not come after the last one. */
export class NotItsTurn extends Schema.TaggedError<NotItsTurn>()("NotItsTurn", { ...refused, after: Step }) {}

/** A declaration: the step that was taken last, and what was claimed last. */
export const Declaration = Schema.Struct({
  last: Schema.NullOr(Step),
  claim: Schema.NullOr(Schema.Struct(Claim))
})
export type Declaration = typeof Declaration.Type

const error = [NotSubmitted, AlreadyPaid, AlreadyDone, NotItsTurn]

export class Declarations extends Aggregate.Service<Declarations>()("Declaration", {
  state: Declaration,
  events: DeclarationEvent,
  commands: [
    Aggregate.command("save", { payload: Claim, error }),
    Aggregate.command("submit", { payload: Claim, error }),
    Aggregate.command("approve", { payload: { by: Approver }, error }),
    Aggregate.command("reject", { payload: { by: Rejecter }, error }),
    Aggregate.command("requestPayment", { error }),
    Aggregate.command("handlePayment", { error })
  ]
}) {}
