/**
 * What an inline view does not take in is not written, and nobody else is affected.
 */
import { assert, describe, it } from "@effect/vitest"
import { deepStrictEqual, strictEqual } from "@effect/vitest/utils"
import { Context, Effect, Exit, Layer, Schema } from "effect"
import { limits } from "../../src/Admission.ts"
import * as AggregateRuntime from "../../src/AggregateRuntime.ts"
import { type Append, EventStore } from "../../src/EventStore.ts"
import type { InlineHost } from "../../src/InlineHost.ts"
import * as InlineRuntime from "../../src/InlineRuntime.ts"
import * as Memory from "../../src/memory/Memory.ts"
import * as Projection from "../../src/Projection.ts"
import type { ProjectionHost } from "../../src/ProjectionHost.ts"
import * as ProjectionRunner from "../../src/ProjectionRunner.ts"
import * as FaultyStore from "../../src/testing/FaultyStore.ts"
import * as Sample from "../../src/testing/suites/Sample.ts"
import { ViewStore } from "../../src/ViewStore.ts"
import { AccountEvent, Accounts, behavior, Supervisor } from "../fixtures/Account.ts"
import { answersOf, fork, forkAtOnce, newEvent } from "../fixtures/Runtimes.ts"

const Entry = Schema.Struct({ cents: Schema.Int, text: Schema.optionalKey(Schema.String) })

class Picky extends Projection.View<Picky>()("picky", { version: 1, document: Entry }) {}

const large = "x".repeat(limits.documentBytesMax)

/** Takes in what it likes: 13 throws, 14 does not fit its schema, 15 is too large, 16 has no key that can be one. */
const PickyLive = Picky.toInlineLayer((on) => [
  on(AccountEvent, {
    MoneyDeposited: (document, { cents }) => {
      if (cents === 13) throw new Error("thirteen")
      if (cents === 14) return { cents: 0.5 }
      if (cents === 15) return { cents, text: large }
      if (cents === 17 && document !== undefined) return Object.assign(document, { cents: document.cents + 17 })
      return { cents: (document?.cents ?? 0) + cents }
    }
  }, { key: ({ cents }, { id }) => cents === 16 ? "" : id })
])

const accounts = Layer.provide(Accounts.toLayer(behavior, { drainDeadline: 0 }), Supervisor.layerYes)

const Live = accounts.pipe(
  Layer.provideMerge(PickyLive),
  Layer.provide(AggregateRuntime.layer),
  Layer.provide(ProjectionRunner.layer),
  Layer.provideMerge(InlineRuntime.layer),
  Layer.provideMerge(Layer.provideMerge(FaultyStore.layerShared, Memory.layer))
)

/** The same view in a later build, by the same version. */
class Renamed extends Projection.View<Renamed>()("picky", {
  version: 1,
  document: Schema.Struct({ amountCents: Schema.Int })
}) {}

const RenamedLive = Renamed.toInlineLayer((on) => [
  on(AccountEvent, { MoneyDeposited: (_, { cents }) => ({ amountCents: cents }) })
])

/** A build with its view, over the stores at hand. */
const build = <View>(view: Layer.Layer<View, never, InlineHost | ProjectionHost | ViewStore>) =>
  accounts.pipe(
    Layer.provideMerge(view),
    Layer.provide(AggregateRuntime.layer),
    Layer.provide(ProjectionRunner.layer),
    Layer.provide(InlineRuntime.layer),
    Layer.fresh
  )

const deposit = (id: string, cents: number, parts: { readonly commandId?: string } = {}) =>
  Effect.flatMap(Accounts, (accounts) => accounts.of(id, { returning: "commit", ...parts }).deposit({ cents }))

const reasonOf = Effect.fnUntraced(function*(command: Effect.Effect<unknown, unknown, Accounts>) {
  const exit = yield* Effect.exit(command)
  const error = Exit.findErrorOption(exit)
  if (error._tag === "None") return assert.fail(`a failure is expected: ${String(exit)}`)
  const failure = error.value as {
    readonly reason: { readonly _tag: string; readonly message: string }
    readonly isRetryable: boolean
  }
  return [failure.reason._tag, failure.isRetryable, failure.reason.message] as const
})

const documentOf = (id: string) => Effect.flatMap(Picky, ({ get }) => get(id))

describe("an inline view", () => {
  it.effect("I7: refuses what its handler throws at, what fits no document and what is too large; nothing is written", () =>
    Effect.gen(function*() {
      yield* deposit("a", 1)
      for (
        const [cents, problem] of [[13, /thirteen/], [14, /cannot be kept/], [15, /bytes/], [16, /empty/]] as const
      ) {
        const [tag, isRetryable, message] = yield* reasonOf(deposit("a", cents))
        deepStrictEqual([tag, isRetryable], ["ViewRefused", false])
        assert.match(message, /inline view picky \(version 1\)/)
        assert.match(message, problem)
      }
      strictEqual(yield* Sample.head, 1n)
      deepStrictEqual(yield* documentOf("a"), { cents: 1 })
      strictEqual((yield* deposit("a", 2)).version, 2)
      deepStrictEqual(yield* documentOf("a"), { cents: 3 })
    }).pipe(Effect.provide(Live)))

  it.effect("I14: whose documents were changed without a new version says so, and takes nothing in", () =>
    Effect.gen(function*() {
      yield* Effect.provide(deposit("a", 1), build(PickyLive))
      const [tag, , message] = yield* Effect.provide(reasonOf(deposit("a", 1)), build(RenamedLive))
      strictEqual(tag, "ViewRefused")
      assert.match(
        message,
        /its document "a" cannot be read: .*give the view a new version \(version: 2\), which is filled/
      )
      strictEqual(yield* Sample.head, 1n)
    }).pipe(Effect.provide(Memory.layer)))

  it.effect("I11: takes in what its handler changes in place", () =>
    Effect.gen(function*() {
      yield* deposit("a", 1)
      yield* deposit("a", 17)
      deepStrictEqual(yield* documentOf("a"), { cents: 18 })
    }).pipe(Effect.provide(Live)))

  it.effect("I23: refuses one command, and not those that travel with it, of the same aggregate or of others", () =>
    Effect.gen(function*() {
      yield* deposit("a", 1)
      const { gate, next } = yield* held
      yield* next
      const first = yield* fork(deposit("first", 1))
      const callers = yield* Effect.forEach(
        [["a", 2], ["a", 13], ["a", 3], ["b", 4], ["c", 13], ["a", 4]] as const,
        ([id, cents]) => forkAtOnce(Effect.exit(deposit(id, cents)))
      )
      yield* gate.open
      const exits = yield* answersOf(callers)
      yield* answersOf([first])
      deepStrictEqual(exits.map(Exit.isSuccess), [true, false, true, true, false, true])
      deepStrictEqual([yield* documentOf("a"), yield* documentOf("b"), yield* documentOf("c")], [
        { cents: 10 },
        { cents: 4 },
        undefined
      ])
    }).pipe(Effect.provide(Live)))

  it.effect("I23: is not asked of what it does not want", () =>
    Effect.gen(function*() {
      const store = yield* EventStore
      const group: ReadonlyArray<Append> = [
        [Sample.write(Sample.stream(), 0, Sample.events(1))],
        [Sample.write(account("x"), 0, [newEvent({ type: "MoneyDeposited", data: { cents: 13 } })])],
        [Sample.write(account("y"), 0, [newEvent({ type: "MoneyDeposited", data: { cents: 5 } })])],
        [Sample.write(account("z"), 0, [newEvent({ type: "MoneyDeposited", data: { cents: "five" } })])],
        [Sample.write(account("w"), 3, [newEvent({ type: "MoneyDeposited", data: { cents: 5 } })])]
      ]
      const statuses = yield* store.append(group)
      deepStrictEqual(statuses.map(({ _tag }) => _tag), ["Committed", "Refused", "Committed", "Refused", "Conflict"])
      deepStrictEqual(yield* documentOf("y"), { cents: 5 })
    }).pipe(Effect.provide(Live)))

  it.effect("I7: does not refuse what may have been written: an append is sent again as it was", () =>
    Effect.gen(function*() {
      const faulty = yield* FaultyStore.FaultyStore
      yield* deposit("a", 7)
      yield* faulty.next("append", FaultyStore.lostAfter)
      // A third one would be refused.
      const { version } = yield* Sample.whileTimePasses(deposit("a", 7))
      strictEqual(version, 2)
      deepStrictEqual(yield* Effect.flatMap(Twice, ({ get }) => get("a")), { times: 2 })
    }).pipe(Effect.provide(TwiceLiveAll)))

  it.effect("is read only where this process does not know a document, and not for a stream that begins", () =>
    Effect.gen(function*() {
      yield* deposit("a", 1)
      yield* deposit("a", 2)
      yield* deposit("b", 1)
      const { reads } = yield* Counted
      deepStrictEqual(reads(), 0)
    }).pipe(Effect.provide(CountedLive)))
})

const account = (id: string) => ({ tenant: "default", category: "Account", id })

/** The next append waits, so that those after it travel together. */
const held = Effect.gen(function*() {
  const gate = yield* FaultyStore.gate
  const faulty = yield* FaultyStore.FaultyStore
  return { gate, next: faulty.next("append", gate.before) }
})

const Times = Schema.Struct({ times: Schema.Int })

class Twice extends Projection.View<Twice>()("twice", { version: 1, document: Times }) {}

/** Takes in two events, and no more. */
const TwiceLive = Twice.toInlineLayer((on) => [
  on(AccountEvent, {
    MoneyDeposited: (document) => {
      if (document?.times === 2) throw new Error("it has taken in two already")
      return { times: (document?.times ?? 0) + 1 }
    }
  })
])

const TwiceLiveAll = accounts.pipe(
  Layer.provideMerge(TwiceLive),
  Layer.provide(AggregateRuntime.layer),
  Layer.provide(ProjectionRunner.layer),
  Layer.provideMerge(InlineRuntime.layer),
  Layer.provideMerge(Layer.provideMerge(FaultyStore.layerShared, Memory.layer))
)

/** How often documents were read by appends. */
class Counted extends Context.Service<Counted, { readonly reads: () => number }>()("test/Counted") {}

const counting = Layer.effectContext(Effect.gen(function*() {
  const views = yield* ViewStore
  let count = 0
  const counted = ViewStore.of({
    ...views,
    read: (view, keys) => {
      count++
      return views.read(view, keys)
    }
  })
  return Context.make(ViewStore, counted).pipe(Context.add(Counted, { reads: () => count }))
}))

const CountedLive = accounts.pipe(
  Layer.provideMerge(PickyLive),
  Layer.provide(AggregateRuntime.layer),
  Layer.provide(ProjectionRunner.layer),
  Layer.provideMerge(InlineRuntime.layer),
  Layer.provideMerge(Layer.provideMerge(counting, Memory.layer))
)
