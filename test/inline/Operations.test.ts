/**
 * Inline views over their life: restarts, new versions beside old ones, what operators do, and what it costs.
 */
import { assert, describe, it } from "@effect/vitest"
import { deepStrictEqual, strictEqual } from "@effect/vitest/utils"
import { Context, Effect, Layer, Schema, type Scope } from "effect"
import * as AggregateRuntime from "../../src/AggregateRuntime.ts"
import { EventStore, type Status } from "../../src/EventStore.ts"
import * as InlineRuntime from "../../src/InlineRuntime.ts"
import { InlineViews } from "../../src/InlineViews.ts"
import * as Projection from "../../src/Projection.ts"
import { ProjectionHost } from "../../src/ProjectionHost.ts"
import * as ProjectionRunner from "../../src/ProjectionRunner.ts"
import { Projections } from "../../src/Projections.ts"
import { ViewStore } from "../../src/ViewStore.ts"
import { AccountEvent, Accounts, behavior, Supervisor } from "../fixtures/Account.ts"
import { newEvent } from "../fixtures/Runtimes.ts"
import { memory } from "./memory.ts"
import {
  areInline,
  assertFolded,
  Balances,
  BalancesLive,
  becomeInline,
  NotesLive,
  type Ports,
  type Process,
  scenario,
  start
} from "./world.ts"

const deposit = ({ context }: { readonly context: Context.Context<Accounts> }, id: string, cents: number) =>
  Context.get(context, Accounts).of(id, { returning: "commit" }).deposit({ cents })

const inMemory = <A, E>(run: Effect.Effect<A, E, Ports | Scope.Scope>) => scenario(memory, run)

/** Of virtual time: it passes when all who can go on have done so. */
const moment = Effect.sleep("100 millis")

/** How the balances fare. */
const statusOf = Effect.fnUntraced(function*({ context }: Process) {
  const [status] = yield* Context.get(context, Projections).status("balances")
  return status!
})

const stateOf = (process: Process) => Effect.map(statusOf(process), ({ state }) => state)

const untilState = Effect.fnUntraced(function*(process: Process, state: string) {
  for (let waited = 0; (yield* stateOf(process)) !== state; waited++) {
    assert.isBelow(waited, 600, `it is ${yield* stateOf(process)}, and not ${state}`)
    yield* moment
  }
})

describe("an inline view", () => {
  it.effect("is inline while nobody runs it, and at once when somebody does again", () =>
    inMemory(Effect.gen(function*() {
      const first = yield* start()
      yield* deposit(first, "a", 1)
      yield* first.kill
      assert.isTrue(yield* areInline)
      const second = yield* start()
      yield* deposit(second, "a", 2)
      deepStrictEqual(yield* Context.get(second.context, Balances).get("a"), { cents: 3, moves: 2 })
      yield* assertFolded
    })))

  it.effect("says that it is inline, in every process, and that it is never behind", () =>
    inMemory(Effect.gen(function*() {
      const [one, other] = [yield* start(), yield* start()]
      for (let n = 1; n <= 5; n++) yield* deposit(one, "a", n)
      for (const process of [one, other]) {
        yield* untilState(process, "inline")
        const { head, lagEvents, lagSeconds, partitions, position } = yield* statusOf(process)
        deepStrictEqual([position, head, lagEvents, lagSeconds, partitions.length], [5n, 5n, 0n, 0, 1])
      }
    })))

  it.effect("says how far it is once somebody has ended it, though nobody runs it", () =>
    inMemory(Effect.gen(function*() {
      const store = yield* EventStore
      const process = yield* start()
      for (let n = 1; n <= 3; n++) yield* deposit(process, "a", n)
      yield* process.kill
      yield* moment
      const events = [newEvent({ type: "MoneyDeposited", data: { cents: 4 } })]
      const stream = { tenant: "default", category: "Account", id: "a" }
      yield* store.append([[{ stream, expected: "any", events, receipts: [] }]])
      const idle = Layer.provideMerge(BalancesLive, ProjectionRunner.layerIdle).pipe(Layer.provide(InlineRuntime.layer))
      const [status] = yield* Context.get(yield* Layer.build(idle), Projections).status("balances")
      const { head, lagEvents, partitions, position, state, versions } = status!
      deepStrictEqual([state, position, head, lagEvents], ["standby", 3n, 4n, 1n])
      deepStrictEqual(versions, [{ version: 1, position: 3n }])
      assert.match(partitions[0]?.why ?? "", /^it was inline up to position 3, and then somebody appended its events/)
    })))

  it.effect("is not waited for: what has a position is in it", () =>
    inMemory(Effect.gen(function*() {
      const [one, other] = [yield* start(), yield* start()]
      const { position } = yield* deposit(one, "a", 1)
      for (const { context } of [one, other]) {
        yield* Context.get(context, ProjectionHost).await(Balances.definition, position!, { deadline: 0 })
      }
    })))

  it.effect("is waited for where it is followed", () =>
    inMemory(Effect.gen(function*() {
      const process = yield* start()
      yield* (yield* InlineViews).leave({ name: "balances", version: 1 })
      const { position } = yield* deposit(process, "a", 1)
      yield* Context.get(process.context, ProjectionHost).await(Balances.definition, position!, {
        deadline: "1 minute"
      })
      deepStrictEqual(yield* Context.get(process.context, Balances).get("a"), { cents: 1, moves: 1 })
    })))

  it.effect("I16: is paused like any other: it stands still until it is resumed, and then is inline again", () =>
    inMemory(Effect.gen(function*() {
      const process = yield* start()
      const projections = Context.get(process.context, Projections)
      const balances = Context.get(process.context, Balances)
      yield* deposit(process, "a", 1)
      yield* projections.pause("balances", { reason: "why" })
      yield* deposit(process, "a", 2)
      yield* untilState(process, "paused")
      deepStrictEqual(yield* balances.get("a"), { cents: 1, moves: 1 })
      const stepped = yield* projections.step("balances")
      deepStrictEqual(stepped?.changes.map(({ after }) => after), [{ cents: 3, moves: 2 }])
      yield* deposit(process, "a", 3)
      yield* projections.resume("balances")
      yield* untilState(process, "inline")
      deepStrictEqual(yield* balances.get("a"), { cents: 6, moves: 3 })
      yield* deposit(process, "a", 4)
      deepStrictEqual(yield* balances.get("a"), { cents: 10, moves: 4 })
      yield* assertFolded
    })))

  it.effect("I11: is reset while commands come, and is filled and inline again", () =>
    inMemory(Effect.gen(function*() {
      const [one, other] = [yield* start(), yield* start()]
      for (let n = 1; n <= 20; n++) yield* deposit(one, `a-${n % 3}`, n)
      const busy = Effect.forEach(
        Array.from({ length: 40 }, (_, n) => n),
        (n) => deposit(n % 2 === 0 ? one : other, `a-${n % 3}`, 1 + n),
        { discard: true }
      )
      yield* Effect.all([busy, Context.get(other.context, Projections).reset("balances")], { concurrency: "unbounded" })
      yield* becomeInline([one, other])
      yield* assertFolded
    })))

  it.effect("I14: is followed and pauses at what it cannot take in, if that was appended without it", () =>
    inMemory(Effect.gen(function*() {
      const store = yield* EventStore
      const stream = { tenant: "default", category: "Account", id: "a" }
      const process = yield* start()
      yield* deposit(process, "b", 1)
      const event = newEvent({ type: "MoneyDeposited", data: { cents: "none" } })
      yield* store.append([[{ stream, expected: "any", events: [event], receipts: [] }]])
      yield* untilState(process, "paused")
      // Who appends goes on: the view is late, and says so.
      strictEqual((yield* deposit(process, "b", 2)).version, 2)
      const [letter] = yield* Context.get(process.context, Projections).deadLetters("balances")
      strictEqual(letter?.position, 2n)
    })))
})

class Doubled extends Projection.View<Doubled>()("balances", {
  version: 2,
  document: Schema.Struct({ double: Schema.Int }),
  was: (was) => [
    was({
      version: 1,
      document: Schema.Struct({ cents: Schema.Int, moves: Schema.Int }),
      up: ({ cents }) => ({ double: 2 * cents })
    })
  ]
}) {}

const doubled = (document: { readonly double: number } | undefined, cents: number) => {
  const double = (document?.double ?? 0) + 2 * cents
  return double === 0 ? undefined : { double }
}

const DoubledLive = Doubled.toInlineLayer((on) => [
  on(AccountEvent, {
    MoneyDeposited: (document, { cents }) => doubled(document, cents),
    MoneyWithdrawn: (document, { cents }) => doubled(document, -cents)
  })
])

/** Starts the newer build, over the stores at hand. */
const startNewer = Effect.gen(function*() {
  const stores = yield* Effect.context<Ports>()
  const accounts = Layer.provide(Accounts.toLayer(behavior, { drainDeadline: 0 }), Supervisor.layerYes)
  const live = accounts.pipe(
    Layer.provideMerge(DoubledLive),
    Layer.provide(AggregateRuntime.layer),
    Layer.provideMerge(ProjectionRunner.layerWith({ lease: "1 second" })),
    Layer.provideMerge(InlineRuntime.layer),
    Layer.provideMerge(Layer.succeedContext(stores))
  )
  return yield* Layer.buildWithMemoMap(live, Layer.makeMemoMapUnsafe(), yield* Effect.scope)
})

const listed = Effect.map(
  Effect.flatMap(InlineViews, ({ list }) => list),
  (views) => views.filter(({ name }) => name === "balances").map(({ version }) => version)
)

describe("a new version of an inline view", () => {
  it.effect("I16: is filled beside the old one, takes its place and is inline; the old one is followed", () =>
    inMemory(Effect.gen(function*() {
      const older = yield* start()
      for (let n = 1; n <= 30; n++) yield* deposit(older, `a-${n % 3}`, n)
      deepStrictEqual(yield* listed, [1])
      const newer = yield* startNewer
      const { get } = Context.get(newer, Doubled)
      const shown = yield* get("a-1")
      deepStrictEqual(shown, { double: 2 * 145 })
      for (let waited = 0; !(yield* listed).includes(2); waited++) {
        assert.isBelow(waited, 100)
        yield* moment
      }
      yield* deposit({ context: newer }, "a-1", 5)
      yield* moment
      deepStrictEqual(yield* get("a-1"), { double: 300 })
      // Who appends in the new build does not know the old version, which ends it and leaves it to the old build's reader.
      deepStrictEqual(yield* listed, [2])
      const position = yield* (yield* EventStore).head
      yield* Context.get(older.context, ProjectionHost).await(Balances.definition, position, { deadline: "1 minute" })
      const { read } = yield* ViewStore
      const [old] = yield* read({ name: "balances", version: 1 }, [{ tenant: "default", key: "a-1" }])
      deepStrictEqual(JSON.parse(old!.document), { cents: 150, moves: 11 })
    })))
})

describe("an append that inline views take in", () => {
  it.effect("I3: is not written where the log turns out to be another one while their documents are read", () =>
    inMemory(Effect.gen(function*() {
      const context = yield* Effect.context<Ports>()
      const [store, views] = [Context.get(context, EventStore), Context.get(context, ViewStore)]
      let lives = 0
      const replaced = Context.add(context, EventStore, EventStore.of({ ...store, life: () => lives })).pipe(
        Context.add(ViewStore, {
          ...views,
          read: (view, keys) => Effect.tap(views.read(view, keys), () => Effect.sync(() => lives++))
        })
      )
      yield* deposit(yield* start(), "a-1", 5)
      const second = yield* Effect.provideContext(start(), replaced)
      const head = yield* store.head
      const { reason } = yield* Effect.flip(deposit(second, "a-1", 6))
      strictEqual(reason._tag, "StoreUnavailable")
      strictEqual(yield* store.head, head)
    })))
})

describe("what an inline view costs", () => {
  it.effect("one process decides on its own documents without asking, and never in vain, however hot they are", () =>
    inMemory(Effect.gen(function*() {
      const told: Array<Status["_tag"]> = []
      let groups = 0
      const context = yield* Effect.context<Ports>()
      const store = Context.get(context, EventStore)
      const counting = EventStore.of({
        ...store,
        versionNow: undefined,
        appendNow: undefined,
        append: (group) =>
          Effect.tap(Effect.andThen(Effect.yieldNow, store.append(group)), (statuses) =>
            Effect.sync(() => {
              groups++
              told.push(...statuses.map(({ _tag }) => _tag))
            }))
      })
      const accounts = Layer.provide(Accounts.toLayer(behavior, { drainDeadline: 0 }), Supervisor.layerYes)
      const live = accounts.pipe(
        Layer.provideMerge(Layer.merge(BalancesLive, NotesLive)),
        Layer.provide(AggregateRuntime.layer),
        Layer.provide(ProjectionRunner.layer),
        Layer.provide(InlineRuntime.layer),
        Layer.provide(Layer.succeedContext(Context.add(context, EventStore, counting)))
      )
      const built = yield* Layer.buildWithMemoMap(live, Layer.makeMemoMapUnsafe(), yield* Effect.scope)
      const clients = Array.from({ length: 64 }, (_, index) => index)
      yield* Effect.forEach(
        clients,
        (index) =>
          Effect.forEach(
            Array.from({ length: 10 }),
            () => Context.get(built, Accounts).of(`a-${index}`).deposit({ cents: 1 }),
            { discard: true }
          ),
        {
          concurrency: "unbounded",
          discard: true
        }
      )
      deepStrictEqual([...new Set(told)], ["Committed"])
      assert.isBelow(groups, 64)
      yield* assertFolded
    })))
})
