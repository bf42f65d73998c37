/**
 * The documents that an event is for.
 */
import { assert, it } from "@effect/vitest"
import { Effect, Layer, Schema } from "effect"
import * as AggregateRuntime from "../../src/AggregateRuntime.ts"
import * as InlineRuntime from "../../src/InlineRuntime.ts"
import * as Memory from "../../src/memory/Memory.ts"
import * as Projection from "../../src/Projection.ts"
import * as ProjectionRunner from "../../src/ProjectionRunner.ts"
import { AccountEvent, Accounts, behavior, Supervisor } from "../fixtures/Account.ts"

class Counts extends Projection.View<Counts>()("counts", {
  version: 1,
  document: Schema.Struct({ events: Schema.Int })
}) {}

type Sources = Parameters<typeof Counts.toInlineLayer>[0]

/** One handler names a document twice, and another one names it too. */
const sources: Sources = (on) => {
  const count = {
    MoneyDeposited: (before: { readonly events: number } | undefined) => ({ events: (before?.events ?? 0) + 1 })
  }
  return [
    on(AccountEvent, count, { key: (_, { id }) => [id, "all", id, "all"] }),
    on(AccountEvent, count, { key: () => "all" })
  ]
}

const accounts = Layer.provide(Accounts.toLayer(behavior, { drainDeadline: 0 }), Supervisor.layerYes)

const ways = {
  followed: Counts.toLayer(sources),
  inline: Counts.toInlineLayer(sources)
}

for (const [way, view] of Object.entries(ways)) {
  const Live = accounts.pipe(
    Layer.provideMerge(view),
    Layer.provide(AggregateRuntime.layer),
    Layer.provideMerge(ProjectionRunner.layer),
    Layer.provide(InlineRuntime.layer),
    Layer.provide(Memory.layer)
  )

  it.effect(`I11: gives a document an event once for each handler, however often it names it (${way})`, () =>
    Effect.gen(function*() {
      const account = (yield* Accounts).of("a", { consistent: [Counts] })
      yield* account.deposit({ cents: 1 })
      yield* account.deposit({ cents: 2 })
      const { get } = yield* Counts
      assert.deepStrictEqual([yield* get("a"), yield* get("all")], [{ events: 2 }, { events: 4 }])
    }).pipe(Effect.provide(Live)))
}
