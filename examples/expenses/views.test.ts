/** What the views of declarations tell: of single ones as given, and of a whole file as a script does that knows no Varve. */
import { assert, it } from "@effect/vitest"
import { Duration, Effect, Layer } from "effect"
import { TestClock } from "effect/testing"
import { readFileSync } from "node:fs"
import { fileURLToPath } from "node:url"
import * as AggregateRuntime from "varve/AggregateRuntime"
import { EventStore } from "varve/EventStore"
import * as Memory from "varve/memory/Memory"
import { ProjectionHost } from "varve/ProjectionHost"
import * as ProjectionRunner from "varve/ProjectionRunner"
import * as CommandFile from "../../src/cli/CommandFile.ts"
import * as Run from "../../src/cli/Run.ts"
import * as StatusLine from "../../src/cli/StatusLine.ts"
import app from "./app.ts"
import { DeclarationsLive } from "./behavior.ts"
import { Declarations } from "./Declarations.ts"
import { totals, units } from "./totals.ts"
import { BudgetTotals, BudgetTotalsLive, DeclarationsByStatus, DeclarationsByStatusLive } from "./views.ts"

const Live = Layer.mergeAll(DeclarationsLive, DeclarationsByStatusLive, BudgetTotalsLive).pipe(
  Layer.provide(AggregateRuntime.layer),
  Layer.provideMerge(ProjectionRunner.layer),
  Layer.provideMerge(Memory.layer)
)

/** Waits until both views have all that is in the log. */
const caughtUp = Effect.gen(function*() {
  const host = yield* ProjectionHost
  const head = yield* (yield* EventStore).head
  for (const { definition } of [DeclarationsByStatus, BudgetTotals]) {
    yield* host.await(definition, head, { deadline: "10 seconds" })
  }
})

const claim = { number: "2024-001", budget: "physics", amount: "26.85120450862128" }

it.effect("a declaration is where its last step has brought it, with what was claimed last", () =>
  Effect.gen(function*() {
    const declaration = (yield* Declarations).of("trip-1")
    const { get } = yield* DeclarationsByStatus
    const budgets = yield* BudgetTotals
    const corrected = { ...claim, budget: "chemistry", amount: "20.10" }
    const steps = [
      [declaration.submit(claim), { ...claim, status: "submitted" }],
      [declaration.approve({ by: "ADMINISTRATION" }), { ...claim, status: "under-review" }],
      [declaration.reject({ by: "SUPERVISOR" }), { ...claim, status: "rejected" }],
      [declaration.submit(corrected), { ...corrected, status: "submitted" }],
      [declaration.approve({ by: "SUPERVISOR" }), { ...corrected, status: "approved" }],
      [declaration.requestPayment(), { ...corrected, status: "payment-requested" }],
      [declaration.handlePayment(), { ...corrected, status: "paid" }]
    ] as const
    for (const [index, [step, expected]] of steps.entries()) {
      yield* TestClock.setTime(1_000 * index)
      yield* step
      yield* caughtUp
      assert.deepStrictEqual(yield* get("trip-1"), { ...expected, changedAt: new Date(1_000 * index) })
    }
    const none = { submissions: 0, submitted: "0", payments: 0, paid: "0" }
    assert.deepStrictEqual(yield* budgets.get("physics"), { ...none, submissions: 1, submitted: "26.85120450862128" })
    assert.deepStrictEqual(yield* budgets.get("chemistry"), {
      submissions: 1,
      submitted: "20.1",
      payments: 1,
      paid: "20.1"
    })
  }).pipe(Effect.provide(Live)))

it.effect("a declaration that was only saved has no total, and the totals of a budget are exact to the last decimal", () =>
  Effect.gen(function*() {
    const declarations = yield* Declarations
    yield* declarations.of("trip-1").save(claim)
    const amounts = ["0.1", "0.2", "999999999999999.99999999999999999999", "0.00000000000000000001", "0", "100"]
    for (const [index, amount] of amounts.entries()) {
      yield* declarations.of(`trip-${index + 2}`).submit({ ...claim, amount })
    }
    yield* caughtUp
    assert.deepStrictEqual(yield* (yield* BudgetTotals).get("physics"), {
      submissions: 6,
      submitted: "1000000000000100.3",
      payments: 0,
      paid: "0"
    })
  }).pipe(Effect.provide(Live)))

const path = fileURLToPath(new URL("fixture.ndjson", import.meta.url))

it.effect("after a whole file, both tell what a script tells that knows the rule and nothing of Varve", () =>
  Effect.gen(function*() {
    const bad = new Set<number>()
    const status = StatusLine.make({ write: (text) => bad.add(Number(/^line (\d+)/.exec(text)?.[1])) })
    const options = { strict: false, concurrency: 64, patience: Duration.seconds(30) }
    yield* Run.run(app, yield* CommandFile.open(path), options, status)
    yield* caughtUp

    const good = readFileSync(path, "utf8").split("\n").filter((line, index) =>
      line.trim() !== "" && !bad.has(index + 1)
    )
    const expected = totals(good.join("\n"))
    const declarations = yield* (yield* DeclarationsByStatus).list({ limit: 1_000 })
    const claims = declarations.map(({ document: { amount, budget, number, status }, key }) => [
      key,
      { amount, budget, number, status }
    ])
    assert.deepStrictEqual(Object.fromEntries(claims), expected.declarations)
    const budgets = yield* (yield* BudgetTotals).list()
    assert.deepStrictEqual(
      Object.fromEntries(budgets.map(({ document: { paid, submitted, ...counts }, key }) => [
        key,
        { ...counts, submitted: units(submitted), paid: units(paid) }
      ])),
      expected.budgets
    )
  }).pipe(Effect.provide(Live)))
