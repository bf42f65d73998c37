/** What a scenario says of a test that is itself wrong. */
import { assert, it } from "@effect/vitest"
import { Cause, Effect } from "effect"
import { untyped } from "../../src/internal/types.ts"
import * as Scenario from "../../src/testing/Scenario.ts"
import { Accounts, behavior, Supervisor } from "../fixtures/Account.ts"

const accounts = Scenario.make(Accounts, behavior)

const problemOf = <A>(then: Effect.Effect<A, never, Supervisor>) =>
  Effect.map(
    Effect.flip(Effect.sandbox(Effect.provide(then, Supervisor.layerYes))),
    (cause) => untyped<Error>(Cause.squash(cause)).message
  )

it.effect("names the command that there is not, and those that there are", () =>
  Effect.gen(function*() {
    const problem = yield* problemOf(accounts.given([]).when(untyped<"touch">("nope")))
    assert.match(problem, /^Account has no command "nope"; it has: deposit, withdraw, .*touch/)
  }))

it.effect("says of a payload what does not fit, in plain words", () =>
  Effect.gen(function*() {
    const problem = yield* problemOf(accounts.given([]).when("deposit", untyped({ cents: "1" })))
    assert.match(problem, /^the payload of "deposit": Expected .*\["cents"\]$/)
  }))
