/**
 * What an aggregate in memory costs: the heap with a hundred thousand of them, idle after one command each, less the
 * heap once they are passivated. The log itself stays in both.
 *
 * `npm run soak -- heap [AGGREGATES]`. It needs `--expose-gc`, which it gives itself.
 */
import { Effect, Layer } from "effect"
import { TestClock } from "effect/testing"
import { setFlagsFromString } from "node:v8"
import { runInNewContext } from "node:vm"
import * as AggregateRuntime from "../../src/AggregateRuntime.ts"
import * as Memory from "../../src/memory/Memory.ts"
import { Accounts, behavior, Supervisor } from "../../test/fixtures/Account.ts"

/** Heap in bytes. */
export interface Report {
  readonly aggregates: number
  readonly bytesEach: number
  readonly heapWithBytes: number
  readonly heapWithoutBytes: number
}

setFlagsFromString("--expose-gc")
const collectGarbage: () => void = runInNewContext("gc")

const heapBytes = Effect.sync(() => {
  collectGarbage()
  collectGarbage()
  return process.memoryUsage().heapUsed
})

const maxIdleTime = "1 minute"

/** Gives each of `aggregates` accounts a deposit, and measures. */
export const run = (aggregates: number): Effect.Effect<Report> =>
  Effect.gen(function*() {
    const accounts = yield* Accounts
    for (let number = 0; number < aggregates; number++) {
      yield* Effect.orDie(accounts.of(`account-${number}`).deposit({ cents: 100 }))
    }
    const heapWithBytes = yield* heapBytes
    yield* TestClock.adjust("5 minutes")
    const heapWithoutBytes = yield* heapBytes
    const bytesEach = Math.round((heapWithBytes - heapWithoutBytes) / aggregates)
    return { aggregates, bytesEach, heapWithBytes, heapWithoutBytes }
  }).pipe(
    Effect.provide(
      Accounts.toLayer(behavior, { maxIdleTime }).pipe(
        Layer.provide(AggregateRuntime.layerWith({ maxActive: aggregates })),
        Layer.provide(Supervisor.layerYes),
        Layer.provide(Memory.layer),
        Layer.provideMerge(TestClock.layer())
      )
    )
  )
