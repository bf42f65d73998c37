/** Runners that end, and one that runs nothing: what they leave, and what is done in their place. */
import { assert, it } from "@effect/vitest"
import { Effect, Layer, Schema } from "effect"
import { CheckpointStore } from "../../src/CheckpointStore.ts"
import { EventStore } from "../../src/EventStore.ts"
import * as Memory from "../../src/memory/Memory.ts"
import * as Projection from "../../src/Projection.ts"
import { ProjectionHost } from "../../src/ProjectionHost.ts"
import * as ProjectionRunner from "../../src/ProjectionRunner.ts"
import { Projections } from "../../src/Projections.ts"
import { AccountEvent } from "../fixtures/Account.ts"
import { deposited, foreignWrite, withdrawn } from "../fixtures/Runtimes.ts"

class Deposits extends Projection.View<Deposits>()("deposits", {
  version: 1,
  document: Schema.Struct({ cents: Schema.Int })
}) {}

const DepositsLive = Deposits.toLayer((on) => [
  on(AccountEvent, { MoneyDeposited: (sum, { cents }) => ({ cents: (sum?.cents ?? 0) + cents }) })
])

const on = (runner: typeof ProjectionRunner.layer) => Layer.fresh(DepositsLive.pipe(Layer.provideMerge(runner)))

const append = Effect.fnUntraced(function*(...events: ReadonlyArray<AccountEvent>) {
  yield* (yield* EventStore).append([[foreignWrite("a-1", events)]])
})

it.effect("a runner that ends has set down what it passed over, though the time for that had not come", () =>
  Effect.gen(function*() {
    const { get } = yield* CheckpointStore
    const position = Effect.map(get({ name: "deposits", version: 1, partition: 0 }), (found) => found?.position)
    yield* Effect.gen(function*() {
      const host = yield* ProjectionHost
      const reached = (position: bigint) => host.await(Deposits.definition, position, { deadline: "1 second" })
      yield* append(deposited(5))
      yield* reached(1n)
      yield* append(withdrawn(1), withdrawn(1))
      yield* reached(3n)
      assert.strictEqual(yield* position, 1n)
    }).pipe(Effect.provide(on(ProjectionRunner.layer)))
    assert.strictEqual(yield* position, 3n)
  }).pipe(Effect.provide(Memory.layer)))

it.effect("a runner that is idle runs nothing, and does what is asked of it by hand", () =>
  Effect.gen(function*() {
    yield* append(deposited(5), deposited(7))
    const { pause, resume, status, step } = yield* Projections
    const { get } = yield* Deposits
    yield* Effect.yieldNow
    assert.isUndefined(yield* get("a-1"))
    yield* pause("deposits")
    const stepped = yield* step("deposits")
    assert.deepStrictEqual(stepped?.changes.map(({ after, before }) => [before, after]), [[undefined, { cents: 5 }]])
    assert.deepStrictEqual(yield* get("a-1"), { cents: 5 })
    yield* resume("deposits")
    const [found] = yield* status()
    assert.deepStrictEqual([found?.state, found?.position, found?.lagEvents], ["standby", 1n, 1n])
  }).pipe(Effect.provide(Layer.provideMerge(on(ProjectionRunner.layerIdle), Memory.layer))))
