/**
 * What a handler is given is what the store has, however events are parted into batches, and whoever has come between.
 */
import { assert, describe, it } from "@effect/vitest"
import { Effect, Schema } from "effect"
import type { Position } from "../../src/Event.ts"
import { untyped } from "../../src/internal/types.ts"
import * as Projection from "../../src/Projection.ts"
import type { Definition, Settings } from "../../src/ProjectionHost.ts"
import { Projections } from "../../src/Projections.ts"
import { AccountEvent } from "../fixtures/Account.ts"
import { newEvent } from "../fixtures/Runtimes.ts"
import { memory } from "./memory.ts"
import { append, caughtUp, documentsOf, scenario, start } from "./world.ts"

const settings: Settings = { drainDeadline: 0, tries: 2, onFailure: "skip" }

interface Filled {
  readonly definition: Definition
  readonly layer: Parameters<typeof start<never, never>>[0]
}

/** What a view has come to. */
interface Outcome {
  readonly documents: ReadonlyArray<readonly [string, unknown]>
  readonly letters: ReadonlyArray<Position>
}

/** Fills a view from these deposits, in one batch or each in a process of its own. */
const filled = (view: Filled, deposits: ReadonlyArray<number>, { apart }: { readonly apart: boolean }) =>
  scenario(
    memory,
    Effect.gen(function*() {
      let outcome: Outcome = { documents: [], letters: [] }
      for (const [index, cents] of deposits.entries()) {
        yield* append("a", newEvent({ data: { cents } }))
        if (apart || index === deposits.length - 1) outcome = yield* worked(view)
      }
      return outcome
    })
  )

const worked = Effect.fnUntraced(function*({ definition, layer }: Filled) {
  const process = yield* start(layer, { lease: memory.lease })
  yield* caughtUp(process, { definition })
  const { deadLetters } = yield* Effect.provideContext(Projections, process.context)
  const letters = (yield* deadLetters(definition.name)).map(({ position }) => position)
  yield* process.stop
  return { documents: [...yield* documentsOf(definition.name, 1)], letters }
})

/** Events in one batch come to the same as events of which each has a process of its own. */
const alike = Effect.fnUntraced(function*(view: Filled, deposits: ReadonlyArray<number>, expected: Outcome) {
  for (const apart of [false, true]) {
    assert.deepStrictEqual(yield* filled(view, deposits, { apart }), expected, apart ? "apart" : "in one batch")
  }
})

describe("a handler of a view", () => {
  it.effect("I11: is not given what its document's schema does not keep", () => {
    class Sums extends Projection.View<Sums>()("sums", { version: 1, document: Schema.Struct({ sum: Schema.Int }) }) {}
    const layer = Sums.toLayer((on) => [
      on(AccountEvent, {
        MoneyDeposited: (kept, { cents }) => {
          const hidden = kept === undefined ? 0 : untyped<{ readonly hidden?: number }>(kept).hidden ?? 0
          return { sum: hidden + cents, hidden: hidden + cents }
        }
      })
    ], settings)
    return alike({ definition: Sums.definition, layer }, [1, 2, 3], { documents: [["a", { sum: 3 }]], letters: [] })
  })

  it.effect("I14: fails at the event that makes a document which cannot be kept, also where the next one mends it", () => {
    const Least = Schema.Struct({ least: Schema.Int.check(Schema.isGreaterThanOrEqualTo(0)) })
    class Levels extends Projection.View<Levels>()("levels", { version: 1, document: Least }) {}
    const layer = Levels.toLayer((on) => [
      on(AccountEvent, {
        MoneyDeposited: (kept, { cents }) => ({ least: (kept?.least ?? 0) + (cents === 3 ? -3 : cents) })
      })
    ], settings)
    const expected: Outcome = { documents: [["a", { least: 6 }]], letters: [2n] }
    return alike({ definition: Levels.definition, layer }, [1, 3, 5], expected)
  })

  it.effect("I11: may change a document of a class in place: it is kept", () => {
    class Purse extends Schema.Class<Purse>("Purse")({ cents: Schema.mutableKey(Schema.Int) }) {}
    class Purses extends Projection.View<Purses>()("purses", { version: 1, document: Purse }) {}
    const layer = Purses.toLayer((on) => [
      on(AccountEvent, {
        MoneyDeposited: (kept, { cents }) => {
          const purse = kept ?? new Purse({ cents: 0 })
          purse.cents += cents
          return purse
        }
      })
    ], settings)
    return alike({ definition: Purses.definition, layer }, [1, 2, 4], {
      documents: [["a", { cents: 7 }]],
      letters: []
    })
  })

  it.effect("I11: that fails leaves nothing of what it has done to a date", () => {
    class Days extends Projection.View<Days>()("days", { version: 1, document: Schema.Struct({ on: Schema.Date }) }) {}
    const layer = Days.toLayer((on) => [
      on(AccountEvent, {
        MoneyDeposited: (kept, { cents }) => {
          const day = kept?.on ?? new Date(0)
          day.setUTCDate(day.getUTCDate() + 1)
          if (cents === 13) throw new Error("no luck")
          return { on: day }
        }
      })
    ], settings)
    return alike({ definition: Days.definition, layer }, [1, 13, 2], {
      documents: [["a", { on: "1970-01-03T00:00:00.000Z" }]],
      letters: [2n]
    })
  })
})
