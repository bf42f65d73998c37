/** What is written together stands or falls together: own events, events of other streams, messages; within limits. */
import { assert, it } from "@effect/vitest"
import { Effect, Exit, Schema } from "effect"
import { LimitExceeded, limits } from "../../src/Admission.ts"
import * as Aggregate from "../../src/Aggregate.ts"
import { VersionConflict } from "../../src/AggregateHost.ts"
import type { Decision, Message } from "../../src/Decision.ts"
import * as Event from "../../src/Event.ts"
import { untyped } from "../../src/internal/types.ts"
import * as FaultyStore from "../../src/testing/FaultyStore.ts"
import { type AccountEvent, Accounts, behavior, InsufficientFunds, Supervisor } from "../fixtures/Account.ts"
import {
  accountStream,
  deposited,
  foreign,
  foreignWrite,
  moved,
  reasonOf,
  start,
  startAccounts,
  storedIn,
  stores,
  withdrawn
} from "../fixtures/Runtimes.ts"

const { decide } = Aggregate

/** Accounts whose `touch` decides what the test wants. */
const startDeciding = (touch: () => Decision<AccountEvent, void>) =>
  start(Accounts, Accounts.toLayer({ ...behavior, handlers: { ...behavior.handlers, touch } })).pipe(
    Effect.provide(Supervisor.layerYes)
  )

const messagesOf = (key: string) =>
  Effect.map(
    storedIn({ ...accountStream(key), category: "outbox" }),
    (events) => events.map(({ data, type }) => ({ type, ...JSON.parse(data) }))
  )

/** A decision that comes back as one reason, and leaves nothing behind. */
const refused = (touch: () => Decision<AccountEvent, void>) =>
  Effect.gen(function*() {
    const accounts = yield* startDeciding(touch)
    const reason = yield* reasonOf(accounts.of("a").touch())
    const { inner } = yield* FaultyStore.FaultyStore
    assert.strictEqual(yield* inner.head, 0n)
    yield* accounts.of("a").deposit({ cents: 1 })
    return reason
  })

it.effect(
  "I1: moves money from one account to another, or not at all",
  Effect.fnUntraced(function*() {
    const accounts = yield* startAccounts()
    yield* accounts.of("a").deposit({ cents: 5 })
    yield* accounts.of("a").transfer({ cents: 3, to: "b" })
    assert.deepStrictEqual([yield* moved("a"), yield* moved("b")], [[5, -3], [3]])
    const error = yield* Effect.flip(accounts.of("a").transfer({ cents: 3, to: "b" }))
    assert.deepStrictEqual(error, new InsufficientFunds({ balanceCents: 2, requestedCents: 3 }))
    assert.deepStrictEqual([yield* moved("a"), yield* moved("b")], [[5, -3], [3]])
  }, Effect.provide(stores))
)

it.effect(
  "shows the other account what was written to it at once",
  Effect.fnUntraced(function*() {
    const accounts = yield* startAccounts()
    yield* accounts.of("b").deposit({ cents: 1 })
    yield* accounts.of("a").deposit({ cents: 5 })
    yield* accounts.of("a").transfer({ cents: 3, to: "b" })
    assert.deepStrictEqual(yield* accounts.of("b").withdraw({ cents: 4 }), 0)
  }, Effect.provide(stores))
)

it.effect(
  "gives the events of one decision places that follow each other, its own first",
  Effect.fnUntraced(function*() {
    const accounts = yield* startDeciding(() =>
      decide([deposited(1), deposited(2)], {
        also: [Accounts.write("c", [deposited(3)]), Accounts.write("b", [deposited(4)])],
        publish: [{ topic: "t", body: 5 }]
      })
    )
    yield* accounts.of("a").touch()
    const { inner } = yield* FaultyStore.FaultyStore
    const { events } = yield* inner.readAll({ after: 0n })
    assert.deepStrictEqual(events.map(({ category, id, position, version }) => [position, category, id, version]), [
      [1n, "Account", "a", 1],
      [2n, "Account", "a", 2],
      [3n, "Account", "c", 1],
      [4n, "Account", "b", 1],
      [5n, "outbox", "a", 1]
    ])
  }, Effect.provide(stores))
)

it.effect(
  "I1: writes neither when the other stream is not as expected, and names that stream",
  Effect.fnUntraced(function*() {
    const accounts = yield* startDeciding(() =>
      decide([deposited(1)], {
        also: [Accounts.write("b", [deposited(2)], { expected: 0 })],
        publish: [{ topic: "t", body: 1 }]
      })
    )
    yield* foreign("b", deposited(50))
    const reason = yield* reasonOf(accounts.of("a").touch())
    assert.deepStrictEqual(reason, new VersionConflict({ aggregate: "Account", id: "b", expected: 0, actual: 1 }))
    assert.deepStrictEqual([yield* moved("a"), yield* moved("b"), yield* messagesOf("a")], [[], [50], []])
  }, Effect.provide(stores))
)

const expectations = [["noStream", 0, 1], ["exists", 1, 0], [1, 1, 0], [2, 2, 1]] as const
for (const [expected, met, unmet] of expectations) {
  it.effect(
    `I1: holds the expectation "${expected}" against another stream`,
    Effect.fnUntraced(function*() {
      const accounts = yield* startDeciding(() =>
        decide([deposited(1)], { also: [Accounts.write("b", [deposited(9)], { expected })] })
      )
      yield* foreign("b", ...Array.from({ length: unmet }, () => deposited(1)))
      const reason = yield* reasonOf(accounts.of("a").touch())
      assert.deepStrictEqual(reason, new VersionConflict({ aggregate: "Account", id: "b", expected, actual: unmet }))
      assert.deepStrictEqual(yield* moved("a"), [])
      if (met > unmet) {
        yield* foreign("b", ...Array.from({ length: met - unmet }, () => deposited(1)))
        yield* accounts.of("a").touch()
        assert.deepStrictEqual(yield* moved("a"), [1])
      }
    }, Effect.provide(stores))
  )
}

it.effect(
  "I1: writes neither when its own stream has gone on, and decides again",
  Effect.fnUntraced(function*() {
    const { next, overtakenBy } = yield* FaultyStore.FaultyStore
    const accounts = yield* startAccounts()
    yield* accounts.of("a").deposit({ cents: 5 })
    yield* next("append", overtakenBy(Accounts.write("a", [withdrawn(4)])))
    const error = yield* Effect.flip(accounts.of("a").transfer({ cents: 3, to: "b" }))
    assert.deepStrictEqual(error, new InsufficientFunds({ balanceCents: 1, requestedCents: 3 }))
    assert.deepStrictEqual([yield* moved("a"), yield* moved("b")], [[5, -4], []])
  }, Effect.provide(stores))
)

it.effect(
  "decides again when only the other stream was overtaken and may be so no more",
  Effect.fnUntraced(function*() {
    const { inner } = yield* FaultyStore.FaultyStore
    let decisions = 0
    const accounts = yield* startDeciding(() => {
      // The second decision knows better, as a handler that asks would.
      const expected = decisions++
      return decide([deposited(1)], { also: [Accounts.write("b", [deposited(2)], { expected })] })
    })
    yield* Effect.orDie(inner.append([[foreignWrite("b", [deposited(50)])]]))
    yield* accounts.of("a").touch()
    assert.strictEqual(decisions, 2)
    assert.deepStrictEqual([yield* moved("a"), yield* moved("b")], [[1], [50, 2]])
  }, Effect.provide(stores))
)

it.effect(
  "refuses to write to one stream twice in one decision",
  Effect.fnUntraced(function*() {
    const own = yield* refused(() => decide([deposited(1)], { also: [Accounts.write("a", [deposited(2)])] }))
    assert.strictEqual(
      own.message,
      "the decision of \"touch\" is not valid: it writes to Account \"a\" twice; put all its events into one place"
    )
  }, Effect.provide(stores))
)

it.effect(
  "names the aggregate of an event beside whose id is no name",
  Effect.fnUntraced(function*() {
    const reason = yield* refused(() => decide([], { also: [Accounts.write("", [deposited(2)])] }))
    assert.strictEqual(reason.message, "the id of Account in `also` of \"touch\" is not valid: it is empty")
  }, Effect.provide(stores))
)

it.effect(
  "refuses to write to another stream twice in one decision",
  Effect.fnUntraced(function*() {
    const twice = yield* refused(() =>
      decide([], { also: [Accounts.write("b", [deposited(2)]), Accounts.write("b", [deposited(3)])] })
    )
    assert.strictEqual(
      twice.message,
      "the decision of \"touch\" is not valid: it writes to Account \"b\" twice; put all its events into one place"
    )
  }, Effect.provide(stores))
)

it.effect(
  "publishes messages by their keys, in order, with the decision",
  Effect.fnUntraced(function*() {
    const accounts = yield* startDeciding(() =>
      decide([deposited(1)], {
        publish: [
          { topic: "mail", key: "k", body: { n: 1 }, headers: { h: "v" } },
          { topic: "mail", body: { n: 2 } },
          { topic: "post", key: "k", body: null },
          { topic: "mail", key: "k", body: [4] }
        ]
      })
    )
    yield* accounts.of("a").touch()
    assert.deepStrictEqual(yield* messagesOf("k"), [
      { type: "varve.Message", topic: "mail", body: { n: 1 }, headers: { h: "v" } },
      { type: "varve.Message", topic: "post", body: null, headers: {} },
      { type: "varve.Message", topic: "mail", body: [4], headers: {} }
    ])
    assert.deepStrictEqual(yield* messagesOf("a"), [
      { type: "varve.Message", topic: "mail", body: { n: 2 }, headers: {} }
    ])
    yield* accounts.of("a").touch()
    assert.lengthOf(yield* messagesOf("k"), 6)
  }, Effect.provide(stores))
)

const strays: ReadonlyArray<readonly [string, Message, string]> = [
  ["an empty topic", { topic: "", body: 1 }, "the topic of a message is not valid: it is empty"],
  [
    "an empty key",
    { topic: "t", key: "", body: 1 },
    "the key of a message that \"touch\" publishes is not valid: it is empty"
  ],
  [
    "a key that is a number",
    { topic: "t", key: untyped(7), body: 1 },
    "the key of a message that \"touch\" publishes is not valid: a string is expected, not number"
  ],
  ["a topic with NUL", { topic: "\0", body: 1 }, "the topic of a message is not valid: it contains a NUL character"],
  [
    "a topic of null",
    { topic: untyped(null), body: 1 },
    "the topic of a message is not valid: a string is expected, not null"
  ],
  [
    "a topic that is too long",
    { topic: "t".repeat(256), body: 1 },
    "the topic of a message has 256 characters; at most 255 are allowed"
  ],
  [
    "a forbidden key deep in its body",
    { topic: "t", body: { deep: [JSON.parse("{\"__proto__\":1}")] } },
    "event \"varve.Message\" is not valid: it contains a \"__proto__\" key"
  ]
]

for (const [what, message, problem] of strays) {
  it.effect(
    `I22: refuses a message with ${what}, and leaves nothing behind`,
    Effect.fnUntraced(function*() {
      const reason = yield* refused(() => decide([deposited(1)], { publish: [message] }))
      assert.strictEqual(reason.message, problem)
    }, Effect.provide(stores))
  )
}

it.effect(
  "publishes nothing for a command that is repeated",
  Effect.fnUntraced(function*() {
    const accounts = yield* startDeciding(() => decide([], { publish: [{ topic: "t", body: 1 }] }))
    yield* accounts.of("a", { commandId: "c" }).touch()
    yield* accounts.of("a", { commandId: "c" }).touch()
    assert.lengthOf(yield* messagesOf("a"), 1)
  }, Effect.provide(stores))
)

const many = (length: number) => Array.from({ length }, () => deposited(1))

it.effect(
  "writes a thousand events at once, and refuses one more",
  Effect.fnUntraced(function*() {
    let events = many(limits.writeEventsMax)
    const accounts = yield* startDeciding(() => decide(events))
    yield* accounts.of("a").touch()
    assert.deepStrictEqual(yield* accounts.state("a"), { balanceCents: 1_000 })
    events = many(limits.writeEventsMax + 1)
    const tooMany = { what: "the decision of \"touch\"", actual: 1_001, max: 1_000, unit: "events" } as const
    assert.deepStrictEqual(yield* reasonOf(accounts.of("a").touch()), new LimitExceeded(tooMany))
    assert.lengthOf(yield* moved("a"), 1_000)
  }, Effect.provide(stores))
)

/** What counts how often one of its values is encoded. */
const counted = { encodings: 0 }
const Counting = Schema.Int.pipe(Schema.check(Schema.makeFilter(() => {
  counted.encodings++
  return undefined
})))
const TallyEvent = Event.union({ Tallied: { by: Counting } })
class Tallies extends Aggregate.Service<Tallies>()("Tally", {
  state: Schema.Int,
  events: TallyEvent,
  commands: [Aggregate.command("tally", { payload: { events: Schema.Int, where: Schema.Literals(["own", "also"]) } })]
}) {}

it.effect(
  "counts before it encodes: a thousand and one events are refused without a look at them",
  Effect.fnUntraced(function*() {
    const one: typeof TallyEvent.Type = { _tag: "Tallied", by: 1 }
    const tallies = yield* start(
      Tallies,
      Tallies.toLayer({
        initial: 0,
        evolve: { Tallied: (total, { by }) => total + by },
        handlers: {
          tally: ({ payload: { events, where } }) => {
            const all = Array.from({ length: events }, () => one)
            return where === "own" ? decide(all) : decide([], { also: [Tallies.write("b", all)] })
          }
        }
      })
    )
    for (const where of ["own", "also"] as const) {
      counted.encodings = 0
      assert.strictEqual((yield* reasonOf(tallies.of("a").tally({ events: 1_001, where })))._tag, "LimitExceeded")
      assert.strictEqual(counted.encodings, 0)
      yield* tallies.of("a").tally({ events: 3, where })
      assert.isAtLeast(counted.encodings, 3)
    }
  }, Effect.provide(stores))
)

it.effect(
  "refuses a thousand and one messages under one key, and takes as many under two",
  Effect.fnUntraced(function*() {
    let keys = 1
    const accounts = yield* startDeciding(() =>
      decide([], {
        publish: Array.from({ length: 1_001 }, (_, index) => ({ topic: "t", key: `k${index % keys}`, body: 1 }))
      })
    )
    const reason = yield* reasonOf(accounts.of("a").touch())
    assert.deepStrictEqual([reason._tag, yield* messagesOf("k0")], ["LimitExceeded", []])
    keys = 2
    yield* accounts.of("a").touch()
    assert.lengthOf([...yield* messagesOf("k0"), ...yield* messagesOf("k1")], 1_001)
  }, Effect.provide(stores))
)

it.effect(
  "writes to a hundred streams at once, and refuses one more",
  Effect.fnUntraced(function*() {
    let others = limits.appendWritesMax - 1
    const accounts = yield* startDeciding(() =>
      decide([deposited(1)], {
        also: Array.from({ length: others }, (_, index) => Accounts.write(`b${index}`, [deposited(1)]))
      })
    )
    yield* accounts.of("a").touch()
    assert.deepStrictEqual(yield* moved("b98"), [1])
    others++
    const tooMany = { what: "the decision of \"touch\"", actual: 101, max: 100, unit: "writes" } as const
    assert.deepStrictEqual(yield* reasonOf(accounts.of("a").touch()), new LimitExceeded(tooMany))
    assert.deepStrictEqual([yield* moved("a"), yield* moved("b98")], [[1], [1]])
  }, Effect.provide(stores))
)

/** A note that makes the event exactly so large, as UTF-8. */
const noteFor = (bytes: number) => "n".repeat(bytes - Buffer.byteLength(JSON.stringify({ cents: 1, note: "" })) - 2)

it.effect(
  "takes an event of 256 KiB, and refuses one byte more",
  Effect.fnUntraced(function*() {
    const accounts = yield* startAccounts()
    yield* accounts.of("a").deposit({ cents: 1, note: noteFor(limits.eventBytesMax) })
    const reason = yield* reasonOf(accounts.of("a").deposit({ cents: 1, note: noteFor(limits.eventBytesMax + 1) }))
    const tooLarge = { what: "event \"MoneyDeposited\"", actual: 262_145, max: 262_144, unit: "bytes" } as const
    assert.deepStrictEqual(reason, new LimitExceeded(tooLarge))
    assert.deepStrictEqual(yield* moved("a"), [1])
  }, Effect.provide(stores))
)

it.effect(
  "counts bytes, not characters",
  Effect.fnUntraced(function*() {
    const accounts = yield* startAccounts()
    const half = "é".repeat(limits.eventBytesMax / 2)
    assert.strictEqual((yield* reasonOf(accounts.of("a").deposit({ cents: 1, note: half })))._tag, "LimitExceeded")
    assert.isTrue(Exit.isSuccess(yield* Effect.exit(accounts.of("a").deposit({ cents: 1, note: half.slice(50) }))))
  }, Effect.provide(stores))
)

it.effect(
  "refuses more than 4 MiB for one stream",
  Effect.fnUntraced(function*() {
    const reason = yield* refused(() =>
      decide(Array.from({ length: 17 }, () => ({ ...deposited(1), note: noteFor(limits.eventBytesMax - 100) })))
    )
    assert.deepStrictEqual([reason._tag, "unit" in reason && reason.unit], ["LimitExceeded", "bytes"])
  }, Effect.provide(stores))
)

it.effect(
  "takes names of 255 characters, and refuses longer ones",
  Effect.fnUntraced(function*() {
    const accounts = yield* startAccounts()
    // Each of these characters is two UTF-16 units.
    const [most, more] = ["𝕏".repeat(limits.nameCharactersMax), "𝕏".repeat(limits.nameCharactersMax + 1)]
    yield* accounts.of(most, { commandId: most, metadata: { [most]: "x" }, tenant: most }).deposit({ cents: 1 })
    const tooLong = [
      accounts.of(more),
      accounts.of("a", { commandId: more }),
      accounts.of("a", { metadata: { [more]: "x" } }),
      accounts.of("a", { tenant: more })
    ]
    for (const client of tooLong) {
      const reason = yield* reasonOf(client.deposit({ cents: 1 }))
      assert.deepStrictEqual(reason._tag === "LimitExceeded" && [reason.actual, reason.unit], [256, "characters"])
    }
    assert.deepStrictEqual(yield* moved(most, most), [1])
    assert.deepStrictEqual(yield* moved("a"), [])
  }, Effect.provide(stores))
)

it.effect(
  "takes metadata of 16 KiB, with the command id that it adds, and refuses one byte more",
  Effect.fnUntraced(function*() {
    const accounts = yield* startAccounts()
    const room = limits.metadataBytesMax - JSON.stringify({ user: "", causationId: "c" }).length
    const send = (user: string) => accounts.of("a", { commandId: "c", metadata: { user } }).deposit({ cents: 1 })
    assert.strictEqual((yield* reasonOf(send("u".repeat(room + 1))))._tag, "LimitExceeded")
    assert.deepStrictEqual(yield* moved("a"), [])
    yield* send("u".repeat(room))
    assert.deepStrictEqual(yield* moved("a"), [1])
  }, Effect.provide(stores))
)
