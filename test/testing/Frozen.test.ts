/** Frozen inputs: whoever writes to what he was given is told so by name, and has changed nothing. */
import { assert, describe, it } from "@effect/vitest"
import { Cause, Chunk, DateTime, Effect, Equal, Exit, HashMap, Layer, Option, Schema } from "effect"
import * as Aggregate from "../../src/Aggregate.ts"
import * as AggregateRuntime from "../../src/AggregateRuntime.ts"
import * as Event from "../../src/Event.ts"
import * as Memory from "../../src/memory/Memory.ts"
import { freeze } from "../../src/testing/runtime/Frozen.ts"
import * as Scenario from "../../src/testing/Scenario.ts"
import * as TestRuntime from "../../src/testing/TestRuntime.ts"

class Address extends Schema.Class<Address>("Address")({ city: Schema.String }) {}

const Item = Schema.Struct({ sku: Schema.String, quantity: Schema.Int })
const CartState = Schema.Struct({
  items: Schema.Array(Item),
  address: Address,
  prices: Schema.ReadonlyMap(Schema.String, Schema.Struct({ cents: Schema.Int })),
  tags: Schema.ReadonlySet(Schema.String),
  since: Schema.Date,
  note: Schema.optionalKey(Schema.String)
})
const CartEvent = Event.union({ ItemAdded: { items: Schema.Array(Item) } })
const { ItemAdded } = CartEvent.cases

class Carts extends Aggregate.Service<Carts>()("Cart", {
  state: CartState,
  events: CartEvent,
  commands: [
    Aggregate.command("add", { payload: { items: Schema.Array(Item) } }),
    Aggregate.command("ask", { payload: { items: Schema.Array(Item) } })
  ]
}) {}

/** What a handler or `evolve` is given, with nothing read-only about it. */
type Given = any

const initial = (): typeof CartState.Type => ({
  items: [{ sku: "tea", quantity: 1 }],
  address: new Address({ city: "Lund" }),
  prices: new Map([["tea", { cents: 250 }]]),
  tags: new Set(["new"]),
  since: new Date(0)
})

/** Carts that do what a test says to what they are given. */
const cartsThat = (does: {
  readonly add?: (given: Given) => unknown
  readonly ask?: (given: Given) => unknown
  readonly evolve?: (state: Given, event: Given) => unknown
}) =>
  Carts.toLayer({
    initial: initial(),
    evolve: {
      ItemAdded: (state, event) => {
        does.evolve?.(state, event)
        return { ...state, items: [...state.items, ...event.items] }
      }
    },
    handlers: {
      add: (given) => {
        does.add?.(given)
        return Aggregate.decide([ItemAdded.make({ items: given.payload.items })])
      },
      ask: Effect.fnUntraced(function*(given) {
        yield* Effect.yieldNow
        does.ask?.(given)
        return Aggregate.decide([ItemAdded.make({ items: given.payload.items })])
      })
    }
  })

const one = { items: [{ sku: "cup", quantity: 2 }] }

/** What a command to such carts ends in, and the state after it. */
const outcomeOf = (does: Parameters<typeof cartsThat>[0], command: "add" | "ask" = "add") =>
  Effect.gen(function*() {
    const carts = yield* Carts
    const exit = yield* Effect.exit(carts.of("c-1", { metadata: { user: "ada" } })[command](one))
    const defect = Exit.isFailure(exit) ? Cause.squash(exit.cause) : undefined
    return { defect, events: yield* TestRuntime.events(Carts, "c-1"), state: yield* carts.state("c-1") }
  }).pipe(Effect.provide(cartsThat(does).pipe(Layer.provideMerge(TestRuntime.layer))))

const mutations: ReadonlyArray<readonly [property: string, mutate: (given: Given) => unknown]> = [
  ["state.items", ({ state }) => state.items = []],
  ["state.items[0].quantity", ({ state }) => state.items[0].quantity++],
  ["state.items[1]", ({ state }) => state.items.push(1)],
  ["2026", ({ state }) => state.address[2026] = 1],
  ["state.items[0]", ({ state }) => state.items.pop()],
  ["state.items.length", ({ state }) => state.items.length = 0],
  ["note", ({ state }) => Object.defineProperty(state, "note", { value: "x" })],
  ["state.address", ({ state }) => delete state.address],
  ["state.address.city", ({ state }) => state.address.city = "Ystad"],
  ["state.prices.set(\"cup\")", ({ state }) => state.prices.set("cup", 1)],
  ["state.prices.clear()", ({ state }) => state.prices.clear()],
  ["state.prices.get(\"tea\").cents", ({ state }) => state.prices.get("tea").cents = 0],
  ["state.tags.add(\"old\")", ({ state }) => state.tags.add("old")],
  ["state.since.setFullYear(1999)", ({ state }) => state.since.setFullYear(1999)],
  ["payload.items[0].sku", ({ payload }) => payload.items[0].sku = "pot"],
  ["metadata.user", ({ metadata }) => metadata.user = "eve"],
  ["id", (given) => given.id = "c-2"]
]

describe("frozen: a handler", () => {
  for (const [property, mutate] of mutations) {
    for (const command of ["add", "ask"] as const) {
      it.effect(`that writes to ${property} ends in a defect that names both ("${command}")`, () =>
        Effect.gen(function*() {
          const { defect, events, state } = yield* outcomeOf({ [command]: mutate }, command)
          assert.instanceOf(defect, TestRuntime.Mutated)
          assert.instanceOf(defect.cause, TypeError)
          assert.strictEqual(defect.aggregate, "Cart")
          assert.strictEqual(defect.by, `the handler "${command}"`)
          const named = defect.property.split(" or ")
          assert.include(named, property)
          assert.include(defect.message, `Cart: the handler "${command}" wrote to ${defect.property}`)
          assert.deepStrictEqual(events, [])
          assert.deepStrictEqual(JSON.stringify(state), JSON.stringify(initial()))
          assert.deepStrictEqual([state.prices.get("tea"), state.tags.size], [{ cents: 250 }, 1])
        }))
    }
  }

  it.effect("is told exactly which property it was, unless several objects have one of this name", () =>
    Effect.gen(function*() {
      const propertyOf = (add: (given: Given) => unknown) =>
        Effect.map(outcomeOf({ add }), ({ defect }) => defect instanceof TestRuntime.Mutated && defect.property)
      assert.strictEqual(yield* propertyOf(({ state }) => state.address.city = "Ystad"), "state.address.city")
      assert.strictEqual(
        yield* propertyOf(({ state }) => state.items[0].sku = "pot"),
        "state.items[0].sku or payload.items[0].sku"
      )
    }))

  it.effect("dies of its own errors as ever", () =>
    Effect.gen(function*() {
      const own = Object.freeze({ foreign: 1 })
      const errors: ReadonlyArray<readonly [string, () => unknown]> = [
        ["x is not iterable", () => {
          throw new TypeError("x is not iterable")
        }],
        [
          "Cannot assign to read only property 'foreign' of object '#<Object>'",
          () => Object.assign(own, { foreign: 2 })
        ]
      ]
      for (const [message, add] of errors) {
        const { defect } = yield* outcomeOf({ add })
        assert.instanceOf(defect, TypeError)
        assert.strictEqual(defect.message, message)
      }
    }))
})

describe("frozen: evolve", () => {
  it.effect("that writes to the state ends in a defect that names it, and nothing is appended", () =>
    Effect.gen(function*() {
      const { defect, events } = yield* outcomeOf({ evolve: (state, { items }) => state.items.push(...items) })
      assert.instanceOf(defect, TestRuntime.Mutated)
      assert.strictEqual(defect.by, "evolve of ItemAdded")
      assert.strictEqual(defect.property, "state.items[1] or event.items[1]")
      assert.deepStrictEqual(events, [])
    }))

  it.effect("that writes to the event ends in a defect that names it", () =>
    Effect.gen(function*() {
      const { defect } = yield* outcomeOf({ evolve: (_, event) => event._tag = "Other" })
      assert.instanceOf(defect, TestRuntime.Mutated)
      assert.strictEqual(defect.property, "event._tag")
    }))

  it.effect("that does so on a replay makes the stream unreadable, by the same words", () =>
    Effect.gen(function*() {
      const carts = yield* Carts
      yield* TestRuntime.given([Carts.write("c-1", [ItemAdded.make(one)])])
      const { reason } = yield* Effect.flip(carts.state("c-1"))
      assert.strictEqual(reason._tag, "StreamUnreadable")
      assert.include(reason.message, "Cart: evolve of ItemAdded wrote to state.address.city. What")
    }).pipe(
      Effect.provide(
        cartsThat({ evolve: (state) => state.address.city = "Ystad" }).pipe(Layer.provideMerge(TestRuntime.layer))
      )
    ))
})

it.effect("frozen: what a caller is given of the state is frozen too", () =>
  Effect.gen(function*() {
    const { state } = yield* outcomeOf({})
    assert.isTrue(Object.isFrozen(state.items))
    assert.throws(() => (state as Given).items.push(1), TypeError)
  }))

it.effect("frozen: a scenario does the same", () =>
  Effect.gen(function*() {
    const behavior = Carts.behavior({
      initial: initial(),
      evolve: { ItemAdded: (state) => state },
      handlers: {
        add: (given: Given) => {
          given.state.items.push(1)
          return Aggregate.decide([])
        },
        ask: () => Aggregate.decide([])
      }
    })
    const exit = yield* Effect.exit(Scenario.make(Carts, behavior).given([]).when("add", one))
    const defect = Exit.isFailure(exit) ? Cause.squash(exit.cause) : undefined
    assert.instanceOf(defect, TestRuntime.Mutated)
    assert.strictEqual(defect.property, "state.items[1] or payload.items[1]")
  }))

it.effect("frozen: the runtime of production freezes nothing", () => {
  const seen: Array<unknown> = []
  const watching = cartsThat({
    add: ({ metadata, payload, state }) => seen.push(metadata, payload, payload.items, state, state.items)
  })
  return Effect.gen(function*() {
    yield* (yield* Carts).of("c-1").add(one)
    assert.lengthOf(seen, 5)
    assert.deepStrictEqual(seen.filter((value) => Object.isFrozen(value)), [])
  }).pipe(Effect.provide(watching.pipe(Layer.provide(AggregateRuntime.layer), Layer.provide(Memory.layer))))
})

describe("frozen: freezing", () => {
  it("leaves Effect's data types as they are, which keep caches, and freezes what they hold", () => {
    const hold = (deep: number) => ({ deep: [deep] })
    const held = [hold(1), hold(2), hold(3)] as const
    const now = DateTime.makeUnsafe(0)
    const state = freeze({
      now,
      option: Option.some(held[0]),
      map: HashMap.make(["a", held[1]]),
      chunk: Chunk.make(held[2])
    })
    assert.deepStrictEqual(held.map(({ deep }) => Object.isFrozen(deep)), [true, true, true])
    assert.strictEqual(DateTime.getPartUtc(state.now, "year"), 1970)
    assert.isFalse(Object.isFrozen(now))
    const grown = HashMap.set(state.map, "b", held[0])
    assert.deepStrictEqual([HashMap.size(state.map), HashMap.size(grown)], [1, 2])
    assert.isTrue(Equal.equals(Chunk.append(state.chunk, held[0]), Chunk.make(held[2], held[0])))
  })

  it("comes to an end in rings, and lets pass what cannot be frozen", () => {
    const ring: { self?: unknown; bytes: Uint8Array } = { bytes: new Uint8Array(2) }
    ring.self = ring
    assert.isTrue(Object.isFrozen(freeze(ring)))
    ring.bytes[0] = 1
    assert.strictEqual(ring.bytes[0], 1)
  })

  it("leaves a value equal to what it was", () => {
    assert.deepStrictEqual(freeze(initial()), initial())
    assert.deepStrictEqual(structuredClone(freeze({ a: new Map([[1, new Date(0)]]) })), {
      a: new Map([[1, new Date(0)]])
    })
  })
})
