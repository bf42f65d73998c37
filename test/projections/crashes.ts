/**
 * Scenarios of crashes: a process dies between two statements, another one goes on.
 */
import { assert } from "@effect/vitest"
import { Context, Effect } from "effect"
import { EventStore } from "../../src/EventStore.ts"
import { ProjectionHost } from "../../src/ProjectionHost.ts"
import * as Faults from "../../src/testing/Faults.ts"
import { unavailable } from "../../src/testing/FaultyStore.ts"
import { offline, sources, Traces } from "./traces.ts"
import {
  allEvents,
  assertOneChain,
  caughtUp,
  documentsOf,
  grow,
  type Point,
  randomOf,
  scenario,
  start,
  type Stores
} from "./world.ts"

const projections = Traces.toLayer(sources, { pageEvents: 7, cachedDocuments: 3, drainDeadline: 0 })

/** What the view must hold once all is done. */
export const assertEqual = Effect.fnUntraced(function*(name: string, version: number, what: string) {
  const expected = offline(yield* allEvents)
  assert.deepStrictEqual(
    new Map([...yield* documentsOf(name, version)].toSorted()),
    new Map([...expected].toSorted()),
    what
  )
})

/** A process dies at a point of its work, and another one takes over. Answers how many points there were. */
export const dyingAt = (stores: Stores, seed: number, dies: Point | undefined) =>
  scenario(
    stores,
    Effect.gen(function*() {
      const random = randomOf(seed)
      yield* grow(random, 20)
      const first = yield* start(projections, { lease: stores.lease, dies })
      yield* Effect.raceFirst(
        first.died,
        Effect.gen(function*() {
          yield* caughtUp(first, Traces)
          yield* grow(random, 10)
          yield* caughtUp(first, Traces)
        }).pipe(Effect.catchTag("StoreUnavailable", () => first.died))
      )
      const points = first.points()
      yield* first.kill
      yield* grow(random, 5)
      const second = yield* start(projections, { lease: stores.lease })
      yield* caughtUp(second, Traces)
      yield* assertEqual("traces", 1, `seed ${seed}, ${JSON.stringify(dies)}`)
      assertOneChain(`seed ${seed}, ${JSON.stringify(dies)}`, [first, second])
      return points
    })
  )

/** Dies at each point of its work, before and after it, for each seed. Answers how many runs that were. */
export const betweenStatements = Effect.fnUntraced(function*(stores: Stores, seeds: ReadonlyArray<number>) {
  let runs = 0
  for (const seed of seeds) {
    const points = yield* dyingAt(stores, seed, undefined)
    for (let nth = 1; nth <= points; nth++) {
      for (const side of ["before", "after"] as const) {
        yield* dyingAt(stores, seed, { nth, side })
        runs++
      }
    }
  }
  return runs
})

/** Two processes believe that they have every lease, and their stores answer late, as chance has it. */
export const sideBySide = Effect.fnUntraced(function*(stores: Stores, seed: number) {
  return yield* scenario(
    stores,
    Effect.gen(function*() {
      const random = randomOf(seed)
      const slow = (name: number) =>
        Faults.sometimes(
          { probability: 0.5, seed: seed * 2 + name },
          Faults.delayed("1 milli"),
          Faults.delayed("7 millis")
        )
      const both = yield* Effect.forEach([1, 2], (name) =>
        Effect.tap(
          start(projections, { lease: stores.lease, leases: "void" }),
          ({ trouble }) => trouble(slow(name))
        ))
      for (let round = 0; round < 20; round++) {
        yield* grow(random, 8)
        yield* Effect.sleep(random.below(200))
      }
      for (const process of both) yield* caughtUp(process, Traces)
      yield* assertEqual("traces", 1, `seed ${seed}`)
      assertOneChain(`seed ${seed}`, both)
      return both.map(({ steps }) => steps.length)
    })
  )
})

/** The store is gone for a while, and comes back, again and again; nobody looks after it. */
export const comesBack = Effect.fnUntraced(function*(stores: Stores, seed: number) {
  return yield* scenario(
    stores,
    Effect.gen(function*() {
      const random = randomOf(seed)
      const process = yield* start(projections, { lease: stores.lease })
      const failing = Faults.sometimes({ probability: 0.7, seed }, unavailable)
      for (let round = 0; round < 5; round++) {
        yield* process.trouble(failing)
        yield* grow(random, 10)
        yield* Effect.sleep("2 seconds")
        yield* process.trouble(undefined)
        const head = yield* (yield* EventStore).head
        yield* Context.get(process.context, ProjectionHost).await(Traces.definition, head, { deadline: "30 seconds" })
        yield* assertEqual("traces", 1, `seed ${seed}`)
      }
    })
  )
})
