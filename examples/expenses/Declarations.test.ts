/** What a declaration goes through, as given, when, then; and that its decisions keep to the rule, step by step. */
import { assert, describe, it } from "@effect/vitest"
import { Effect } from "effect"
import * as Scenario from "varve/testing/Scenario"
import { behavior } from "./behavior.ts"
import {
  AlreadyDone,
  AlreadyPaid,
  Approver,
  DeclarationEvent,
  Declarations,
  NotItsTurn,
  NotSubmitted,
  Rejecter,
  Step,
  stepOf
} from "./Declarations.ts"
import * as rule from "./rule.ts"

const { DeclarationApproved, DeclarationRejected, DeclarationSaved, DeclarationSubmitted } = DeclarationEvent.cases
const { PaymentHandled, PaymentRequested } = DeclarationEvent.cases

const declarations = Scenario.make(Declarations, behavior)
const given = (...events: ReadonlyArray<DeclarationEvent>) => declarations.given(events, { id: "trip-1" })

const claim = { number: "2024-001", budget: "physics", amount: "26.85120450862128" }
const saved = DeclarationSaved.make(claim)
const submitted = DeclarationSubmitted.make(claim)
const approved = (by: typeof Approver.Type) => DeclarationApproved.make({ by })
const rejected = (by: typeof Rejecter.Type) => DeclarationRejected.make({ by })
const requested = PaymentRequested.make({})
const handled = PaymentHandled.make({ claim })

it.effect("is handed in once, with what is claimed", () =>
  Effect.gen(function*() {
    const then = yield* given().when("submit", claim)
    assert.deepStrictEqual(then.events, [submitted])
    assert.deepStrictEqual(then.state, { last: "Declaration SUBMITTED by EMPLOYEE", claim })
  }))

it.effect("may be saved before it is handed in", () =>
  Effect.gen(function*() {
    assert.deepStrictEqual((yield* given().when("save", claim)).events, [saved])
  }))

it.effect("is paid after the supervisor's approval, once payment was requested", () =>
  Effect.gen(function*() {
    const way = [submitted, approved("ADMINISTRATION"), approved("SUPERVISOR")]
    assert.deepStrictEqual((yield* given(...way).when("requestPayment")).events, [requested])
    const then = yield* given(...way, requested).when("handlePayment")
    assert.deepStrictEqual(then.events, [handled])
    assert.deepStrictEqual(then.state, { last: "Payment Handled", claim })
  }))

it.effect("is handed in again after the employee withdrew it, and stands for what was claimed last", () =>
  Effect.gen(function*() {
    const corrected = { ...claim, amount: "20.00" }
    const withdrawn = [submitted, rejected("ADMINISTRATION"), rejected("EMPLOYEE")]
    const then = yield* given(...withdrawn).when("submit", corrected)
    assert.deepStrictEqual(then.events, [DeclarationSubmitted.make(corrected)])
    assert.deepStrictEqual(then.state, { last: "Declaration SUBMITTED by EMPLOYEE", claim: corrected })
  }))

it.effect("keeps an amount as it was written, to the last digit and zero", () =>
  Effect.gen(function*() {
    for (const amount of ["26.85120450862128", "0.0", "100", "0.10", "999999999999999.99999999999999999999"]) {
      const { state } = yield* given().when("submit", { ...claim, amount })
      assert.strictEqual(state.claim?.amount, amount)
    }
  }))

it.effect("takes no amount that is not a plain decimal", () =>
  Effect.gen(function*() {
    for (
      const amount of ["", "-1", "+1", "1.", ".5", "01", "1,5", "1e3", "NaN", "1 ", "1\n", "٣", "1000000000000000"]
    ) {
      const exit = yield* Effect.exit(given().when("submit", { ...claim, amount }))
      assert.strictEqual(exit._tag, "Failure", `the amount ${JSON.stringify(amount)}`)
    }
  }))

describe("a refusal changes nothing and names the reason:", () => {
  it.effect("NotSubmitted, while there is nothing to decide on", () =>
    Effect.gen(function*() {
      const then = yield* given().when("approve", { by: "SUPERVISOR" })
      const step = "Declaration FINAL_APPROVED by SUPERVISOR"
      assert.deepStrictEqual(then.rejection, new NotSubmitted({ declaration: "trip-1", step }))
      assert.deepStrictEqual(then.events, [])
      assert.deepStrictEqual(then.state, { last: null, claim: null })
    }))

  it.effect("AlreadyDone, when the last step is asked for again", () =>
    Effect.gen(function*() {
      const then = yield* given(submitted, approved("ADMINISTRATION")).when("approve", { by: "ADMINISTRATION" })
      const step = "Declaration APPROVED by ADMINISTRATION"
      assert.deepStrictEqual(then.rejection, new AlreadyDone({ declaration: "trip-1", step }))
      assert.deepStrictEqual(then.state, { last: step, claim })
    }))

  it.effect("AlreadyPaid, for all that comes after the money, paying again included", () =>
    Effect.gen(function*() {
      const paid = given(submitted, approved("SUPERVISOR"), requested, handled)
      for (
        const [then, step] of [
          [yield* paid.when("handlePayment"), "Payment Handled"],
          [yield* paid.when("requestPayment"), "Request Payment"],
          [yield* paid.when("submit", claim), "Declaration SUBMITTED by EMPLOYEE"]
        ] as const
      ) assert.deepStrictEqual(then.rejection, new AlreadyPaid({ declaration: "trip-1", step }))
    }))

  it.effect("NotItsTurn, when the step does not come after the last one", () =>
    Effect.gen(function*() {
      const then = yield* given(submitted).when("requestPayment")
      assert.deepStrictEqual(
        then.rejection,
        new NotItsTurn({
          declaration: "trip-1",
          step: "Request Payment",
          after: "Declaration SUBMITTED by EMPLOYEE"
        })
      )
    }))
})

describe("the rule", () => {
  const events: ReadonlyArray<DeclarationEvent> = [
    saved,
    submitted,
    ...Approver.literals.map(approved),
    ...Rejecter.literals.map(rejected),
    requested,
    handled
  ]

  const ask = (last: DeclarationEvent | undefined, event: DeclarationEvent) => {
    const { when } = last === undefined ? given() : given(submitted, last)
    switch (event._tag) {
      case "DeclarationSaved":
        return when("save", claim)
      case "DeclarationSubmitted":
        return when("submit", claim)
      case "DeclarationApproved":
        return when("approve", event)
      case "DeclarationRejected":
        return when("reject", event)
      case "PaymentRequested":
        return when("requestPayment")
      case "PaymentHandled":
        return when("handlePayment")
    }
  }

  it("speaks of every step, and every event is one step", () => {
    assert.sameMembers(events.map(stepOf), [...Step.literals])
    assert.sameMembers(Object.keys(rule.next), [...Step.literals])
  })

  it.effect("is kept by every decision: what it allows is done, and nothing else", () =>
    Effect.gen(function*() {
      for (const last of [undefined, ...events]) {
        const allowed: ReadonlyArray<Step> = last === undefined ? rule.first : rule.next[stepOf(last)]
        for (const event of events) {
          const then = yield* ask(last, event)
          const isAllowed = allowed.includes(stepOf(event))
          assert.deepStrictEqual(then.events, isAllowed ? [event] : [])
          assert.strictEqual(then.rejection === undefined, isAllowed)
        }
      }
    }))
})
