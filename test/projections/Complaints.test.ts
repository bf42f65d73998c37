/**
 * A projection whose store fails tries again by itself, and says what it fails of: somebody may have to mend it.
 */
import { assert, describe, it } from "@effect/vitest"
import { Effect, Logger } from "effect"
import { StoreUnavailable } from "../../src/EventStore.ts"
import type { Fault } from "../../src/testing/Faults.ts"
import { randomOf } from "../../src/testing/Seeded.ts"
import { memory } from "./memory.ts"
import { sources, Traces } from "./traces.ts"
import { caughtUp, grow, type Process, scenario, start } from "./world.ts"

const mayNot = new StoreUnavailable({ operation: "setDown", detail: "grant it CREATE", lasting: true })
const away = new StoreUnavailable({ operation: "setDown", detail: "the connection was lost" })

const traces = Traces.toLayer(sources, { drainDeadline: 0 })

const saidOf = ({ message }: StoreUnavailable) => `"traces" cannot go on, and tries again: ${message}`

/** Nothing is set down until that has been tried so often; then it goes on. */
const failing = Effect.fnUntraced(function*(process: Process<never>, error: StoreUnavailable, times: number) {
  const faults = Array.from({ length: times }, (): Fault<StoreUnavailable> => () => Effect.fail(error))
  yield* process.faults.next("checkpoints.advance", ...faults)
  yield* grow(randomOf(times), 5)
  yield* caughtUp(process, Traces)
})

const saying = <A, E, R>(run: (said: Array<unknown>) => Effect.Effect<A, E, R>) => {
  const said: Array<unknown> = []
  const logger = Logger.make(({ message }) => said.push(message))
  return Effect.provide(run(said), Logger.layer([logger]))
}

describe("a projection that its store fails", () => {
  it.effect("says so once, and at once where it will not pass by itself; and again when it has succeeded since", () =>
    saying((said) =>
      scenario(
        memory,
        Effect.gen(function*() {
          const process = yield* start(traces, memory)
          yield* failing(process, mayNot, 1)
          assert.deepStrictEqual(said.flat(), [saidOf(mayNot)])
          yield* failing(process, mayNot, 8)
          assert.deepStrictEqual(said.flat(), [saidOf(mayNot), saidOf(mayNot)])
        })
      )
    ))

  it.effect("says so once when it has lasted, and not of what has passed at once", () =>
    saying((said) =>
      scenario(
        memory,
        Effect.gen(function*() {
          const process = yield* start(traces, memory)
          yield* failing(process, away, 1)
          assert.deepStrictEqual(said, [])
          yield* failing(process, away, 8)
          assert.deepStrictEqual(said.flat(), [saidOf(away)])
        })
      )
    ))
})
