/** Hostile input in payloads of any shape: typed answers, no defects, nobody's prototype changed, neighbours unharmed. */
import { assert, it } from "@effect/vitest"
import { Effect, Exit, Schema } from "effect"
import * as Aggregate from "../../src/Aggregate.ts"
import * as Event from "../../src/Event.ts"
import { isDeeperThan } from "../../src/internal/json.ts"
import { untyped } from "../../src/internal/types.ts"
import * as FaultyStore from "../../src/testing/FaultyStore.ts"
import { reasonOf, start, startAccounts, stores, tagOf } from "../fixtures/Runtimes.ts"

const PageEvent = Event.union({ PageWritten: { body: Schema.Json } })
class Pages extends Aggregate.Service<Pages>()("Page", {
  state: Schema.Json,
  events: PageEvent,
  commands: [
    Aggregate.command("write", { payload: { body: Schema.Json } }),
    Aggregate.command("look", { payload: { body: Schema.Json }, success: Schema.Json }),
    Aggregate.command("publish", { payload: { body: Schema.Json } })
  ]
}) {}

const startPages = start(
  Pages,
  Pages.toLayer({
    initial: null,
    evolve: { PageWritten: (_, { body }) => body },
    handlers: {
      write: ({ payload }) => Aggregate.decide([PageEvent.cases.PageWritten.make(payload)]),
      look: ({ payload }) => Aggregate.decide([], { reply: payload.body }),
      publish: ({ payload }) => Aggregate.decide([], { publish: [{ topic: "t", body: payload.body }] })
    }
  })
)

const nested = (depth: number) => JSON.parse(`${"[".repeat(depth)}1${"]".repeat(depth)}`)

const hostile: ReadonlyArray<readonly [string, unknown]> = [
  ["a NUL character", "a\0b"],
  ["a NUL character deep inside", { a: [{ b: "\0" }] }],
  ["a NUL character in a key", { "a\0": 1 }],
  ["a lone high surrogate", "\ud800"],
  ["a lone low surrogate in a key", { "\udc00": 1 }],
  ["surrogates the wrong way round", ["\udc00\ud800"]],
  ["a `__proto__` key", JSON.parse("{\"__proto__\":{\"polluted\":true}}")],
  ["a `__proto__` key deep inside", JSON.parse("[{\"a\":{\"__proto__\":1}}]")],
  ["a `__proto__` key under a list of lists", JSON.parse(`${"[".repeat(400)}{"__proto__":1}${"]".repeat(400)}`)]
]

for (const [what, body] of hostile) {
  it.effect(
    `I22: refuses an event with ${what}`,
    Effect.fnUntraced(function*() {
      const pages = yield* startPages
      for (const commandId of [undefined, "c"]) {
        assert.strictEqual(yield* tagOf(pages.of("a", { commandId }).write(untyped({ body }))), "InputInvalid")
        assert.strictEqual(yield* tagOf(pages.of("a", { commandId }).publish(untyped({ body }))), "InputInvalid")
      }
      // A receipt is kept like an event, so a reply may hold no more than one.
      assert.strictEqual(yield* tagOf(pages.of("a", { commandId: "d" }).look(untyped({ body }))), "InputInvalid")
      const { inner } = yield* FaultyStore.FaultyStore
      assert.strictEqual(yield* inner.head, 0n)
      yield* pages.of("a").write({ body: "fine" })
      assert.notProperty({}, "polluted")
    }, Effect.provide(stores))
  )
}

const strange: ReadonlyArray<readonly [string, Schema.Json]> = [
  ["an escaped backslash before what would be a NUL", "\\u0000"],
  ["text that says __proto__", "\"__proto__\":"],
  ["keys of all objects", JSON.parse("{\"constructor\":{\"prototype\":1},\"toString\":null,\"hasOwnProperty\":[]}")],
  ["characters beyond the first plane", "𝕏\u{10ffff}"],
  ["line separators and quotes", "\u2028\u2029\"'`;--"],
  ["an empty key", { "": "" }],
  ["numbers at the edges", [0, -0, 5e-324, 1.7976931348623157e308, 9007199254740991]]
]

for (const [what, body] of strange) {
  it.effect(
    `I22: keeps ${what} as it is`,
    Effect.fnUntraced(function*() {
      const pages = yield* startPages
      yield* pages.of("a", { commandId: "c" }).write({ body })
      yield* pages.of("a", { commandId: "c" }).write({ body })
      assert.deepStrictEqual(JSON.stringify(yield* (yield* startPages).state("a")), JSON.stringify(body))
    }, Effect.provide(stores))
  )
}

it.effect.each([100, 499, 500, 1_000, 3_000, 5_000, 8_000, 10_000, 30_000, 100_000])(
  "I22: has a typed answer to data nested %i levels deep, and to the next command",
  (depth) =>
    Effect.gen(function*() {
      const pages = yield* startPages
      for (const commandId of [undefined, "c"]) {
        const { look, publish, write } = pages.of("a", { commandId })
        const body = nested(depth)
        for (const command of [write({ body }), publish({ body }), Effect.asVoid(look({ body }))]) {
          if (depth >= 500) assert.strictEqual(yield* tagOf(command), "InputInvalid")
          else assert.isFalse(Exit.hasDies(yield* Effect.exit(command)))
        }
      }
      yield* pages.of("a").write({ body: "fine" })
      assert.strictEqual(yield* pages.state("a"), "fine")
    }).pipe(Effect.provide(stores))
)

it.effect(
  "I22: says what is wrong with a payload in one line, without its data",
  Effect.fnUntraced(function*() {
    const accounts = yield* startAccounts()
    const payloads = [undefined, null, 1, "x", [], { cents: "secret" }, { cents: 1, note: { secret: 1 } }, {
      cents: 0.5
    }]
    for (const payload of payloads) {
      const reason = yield* reasonOf(accounts.of("a").deposit(untyped(payload)))
      assert.strictEqual(reason._tag, "InputInvalid")
      assert.notMatch(reason.message, /\n|secret|\.ts/)
    }
  }, Effect.provide(stores))
)

it.effect(
  "I22: does not look into fields that the payload does not have: they may go in circles, or be shared without end",
  Effect.fnUntraced(function*() {
    const accounts = yield* startAccounts()
    const circle: { self?: unknown } = {}
    circle.self = circle
    let shared: unknown = "leaf"
    for (let level = 0; level < 60; level++) shared = [shared, shared]
    for (const more of [circle, shared]) {
      yield* accounts.of("a").deposit(untyped({ cents: 5, more }))
    }
    assert.deepStrictEqual(yield* accounts.state("a"), { balanceCents: 10 })
    assert.isFalse(isDeeperThan(60, shared))
    assert.isTrue(isDeeperThan(59, shared))
  }, Effect.provide(stores))
)

it.effect(
  "I22: drops fields that the payload does not have",
  Effect.fnUntraced(function*() {
    const accounts = yield* startAccounts()
    const payload = JSON.parse("{\"cents\":5,\"__proto__\":{\"polluted\":true},\"admin\":true}")
    yield* accounts.of("a", { commandId: "c" }).deposit(payload)
    yield* accounts.of("a", { commandId: "c" }).deposit({ cents: 5 })
    const { inner } = yield* FaultyStore.FaultyStore
    const { events } = yield* inner.readAll({ after: 0n })
    assert.deepStrictEqual(events.map(({ data }) => data), ["{\"cents\":5}"])
    assert.notProperty({}, "polluted")
  }, Effect.provide(stores))
)
