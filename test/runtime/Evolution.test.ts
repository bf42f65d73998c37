/** Streams whose events have evolved, wherever they are read: replay, history, states of then, snapshots, repositories. */
import { assert, it } from "@effect/vitest"
import { Effect, Result, Schema, Stream } from "effect"
import * as Aggregate from "../../src/Aggregate.ts"
import { HandlerMissing, SchemaTooNew, type Settings, StreamUnreadable } from "../../src/AggregateHost.ts"
import * as Event from "../../src/Event.ts"
import type { Recorded } from "../../src/Event.ts"
import { EventStore } from "../../src/EventStore.ts"
import { untyped } from "../../src/internal/types.ts"
import * as Repository from "../../src/Repository.ts"
import { FaultySnapshotStore } from "../../src/testing/FaultySnapshotStore.ts"
import * as Scenario from "../../src/testing/Scenario.ts"
import * as TestRuntime from "../../src/testing/TestRuntime.ts"
import {
  behavior,
  Entered,
  type LedgerEvent,
  LedgerEvent as Evolved,
  Ledgers,
  oldBehavior,
  OldLedgers,
  Struck
} from "../fixtures/Ledger.ts"
import { metric, newEvent, reasonOf, start, storedIn, stores, writeForeign } from "../fixtures/Runtimes.ts"

const stream = (id: string): Event.StreamId => ({ tenant: Event.defaultTenant, category: "Ledger", id })

const startLedgers = (settings?: Settings) =>
  start(Ledgers, Ledgers.toLayer(behavior, { drainDeadline: 0, ...settings }))
const startOldLedgers = (settings?: Settings) =>
  start(OldLedgers, OldLedgers.toLayer(oldBehavior, { drainDeadline: 0, ...settings }))

/** Enters an amount and stops, once what goes on beside the command has come to its end. */
const enterOnce = <E, R>(
  starting: Effect.Effect<Ledgers["Service"] | OldLedgers["Service"], E, R>,
  cents: number
) =>
  Effect.scoped(Effect.gen(function*() {
    const ledgers = yield* starting
    yield* ledgers.of("a").enter({ cents })
    yield* Effect.replicateEffect(Effect.yieldNow, 20, { discard: true })
  }))

/** Writes events as they were stored once, behind every runtime's back. */
const writePast = (id: string, ...past: ReadonlyArray<Scenario.Past>) =>
  writeForeign({
    stream: stream(id),
    expected: "any",
    events: past.map(({ data, shape }) => {
      const [type = "", version] = shape.split("@")
      return newEvent({ type, schemaVersion: Number(version), data })
    }),
    receipts: []
  })

/** Something that once happened: how it was stored, and what it is in today's events. */
interface Happened {
  readonly stored: Scenario.Past
  readonly today: ReadonlyArray<LedgerEvent>
}

const Cents = Schema.Int.check(Schema.isBetween({ minimum: 0, maximum: 1_000 }))

/** Any of the shapes there ever were. */
const Shape = Schema.Union([
  Schema.Struct({
    shape: Schema.Literals(["Entered@1", "Entered@2", "Entered@3", "Erased@1", "Struck@1", "Viewed@1"]),
    cents: Cents
  }),
  Schema.Struct({ shape: Schema.Literal("Moved@1"), from: Cents, to: Cents }),
  Schema.Struct({ shape: Schema.Literal("Entries@1"), several: Schema.Array(Cents).check(Schema.isMaxLength(4)) })
])

const happen = (given: typeof Shape.Type): Happened => {
  const stored = (data: unknown, ...today: ReadonlyArray<LedgerEvent>): Happened => ({
    stored: Scenario.was(given.shape, data),
    today
  })
  switch (given.shape) {
    case "Moved@1":
      return stored(
        { from: given.from, to: given.to },
        Struck.make({ cents: given.from }),
        Entered.make({ cents: given.to, note: "moved" })
      )
    case "Entries@1":
      return stored(
        { cents: given.several },
        ...given.several.map((cents) => Entered.make({ cents, note: "one of several" }))
      )
    case "Entered@1":
      return stored({ euros: given.cents / 100 }, Entered.make({ cents: given.cents, note: "" }))
    case "Entered@2":
      return stored({ cents: given.cents }, Entered.make({ cents: given.cents, note: "" }))
    case "Entered@3":
      return stored({ cents: given.cents, note: "now" }, Entered.make({ cents: given.cents, note: "now" }))
    case "Erased@1":
    case "Struck@1":
      return stored({ cents: given.cents }, Struck.make({ cents: given.cents }))
    case "Viewed@1":
      return stored({})
  }
}

const Chain = Schema.Array(Shape).check(Schema.isMinLength(1), Schema.isMaxLength(12))

/** The state that today's events lead to, from their own scenario: no store, no past. */
const stateOf = (events: ReadonlyArray<LedgerEvent>) => Scenario.make(Ledgers, behavior).given(events).state

it.effect.prop(
  "I2: any chain of changed, renamed, split and dropped events is the state and the history of those written today, and its versions count what is stored",
  [Chain],
  ([chain]) =>
    Effect.gen(function*() {
      const happened = chain.map(happen)
      yield* writePast("a", ...happened.map(({ stored }) => stored))
      const ledgers = yield* startLedgers()
      const today = happened.flatMap((each) => each.today)

      assert.deepStrictEqual(yield* ledgers.state("a"), stateOf(today))
      for (let version = 0; version <= chain.length; version++) {
        const then = yield* ledgers.stateAt("a", { version })
        const before = happened.slice(0, version).flatMap((each) => each.today)
        assert.deepStrictEqual(then, { state: stateOf(before), version, settled: true })
      }

      const history = yield* Stream.runCollect(ledgers.history("a"))
      assert.deepStrictEqual(history.map(({ event }) => event), today)
      const versions = happened.flatMap((each, index) => each.today.map(() => index + 1))
      assert.deepStrictEqual(history.map(({ version }) => version), versions)
      assert.strictEqual(new Set(history.map(({ eventId }) => eventId)).size, today.length)
      const backwards = yield* Stream.runCollect(ledgers.history("a", { direction: "backwards" }))
      assert.deepStrictEqual(backwards, history.toReversed())

      const commit = yield* ledgers.of("a", { returning: "commit", ifVersion: chain.length }).enter({ cents: 1 })
      assert.strictEqual(commit.version, chain.length + 1)
      const repository = yield* Repository.make(Ledgers, behavior)
      const now = [...today, Entered.make({ cents: 1, note: "" })]
      assert.deepStrictEqual(yield* repository.load("a"), { state: stateOf(now), version: chain.length + 1 })
      const scenario = Scenario.make(Ledgers, behavior).given(happened.map(({ stored }) => stored))
      assert.deepStrictEqual(scenario.state, stateOf(today))
      const then = yield* scenario.when("enter", { cents: 1 })
      assert.strictEqual(then.reply, chain.length + 1)
    }).pipe(Effect.scoped, Effect.provide(stores)),
  { arbitrary: { runs: 200 } }
)

it.effect.prop(
  "I15: a snapshot anywhere in such a chain changes nothing",
  [Chain, Chain],
  ([before, after]) =>
    Effect.gen(function*() {
      const settings = { snapshotEvery: 1 }
      const [first, second] = [before.map(happen), after.map(happen)]
      yield* writePast("a", ...first.map(({ stored }) => stored))
      yield* enterOnce(startLedgers(settings), 5)
      yield* writePast("a", ...second.map(({ stored }) => stored))
      const { inner } = yield* FaultySnapshotStore
      assert.strictEqual((yield* inner.load(stream("a"))).snapshot?.version, before.length + 1)
      const today = [
        ...first.flatMap((each) => each.today),
        Entered.make({ cents: 5, note: "" }),
        ...second.flatMap((each) => each.today)
      ]
      const ledgers = yield* startLedgers(settings)
      assert.deepStrictEqual(yield* ledgers.state("a"), stateOf(today))
      assert.strictEqual(yield* metric("varve_snapshots_discarded_total"), 0)
    }).pipe(Effect.scoped, Effect.provide(stores)),
  { arbitrary: { runs: 100 } }
)

it.effect(
  "I15: a snapshot from before an evolution is not trusted, and one from after it is",
  Effect.fnUntraced(function*() {
    const settings = { snapshotEvery: 1 }
    const { inner } = yield* FaultySnapshotStore
    const fingerprint = Effect.map(inner.load(stream("a")), ({ snapshot }) => snapshot?.fingerprint)
    yield* enterOnce(startOldLedgers(settings), 5)
    const old = yield* fingerprint
    assert.isDefined(old)
    yield* enterOnce(startLedgers(settings), 6)
    assert.strictEqual(yield* metric("varve_snapshots_discarded_total"), 1)
    assert.notStrictEqual(yield* fingerprint, old)
    const ledgers = yield* startLedgers(settings)
    assert.deepStrictEqual(yield* ledgers.state("a"), ["+5", "+6"])
    assert.strictEqual(yield* metric("varve_snapshots_discarded_total"), 1)
  }, Effect.provide(stores))
)

it.effect(
  "I15: declaring what was released discards snapshots also where today's types stay the same",
  Effect.fnUntraced(function*() {
    const settings = { snapshotEvery: 1 }
    const Was = Event.union({ Entered: { cents: Schema.Int, note: Schema.String }, Struck: { cents: Schema.Int } })
    const Before = Event.evolved(Was, (was) => [
      was(
        "Entered@1",
        Schema.Struct({ euros: Schema.Finite }),
        ({ euros }) => [Was.cases.Entered.make({ cents: euros, note: "" })]
      ),
      was(
        "Entered@2",
        Schema.Struct({ cents: Schema.Int }),
        ({ cents }) => [Was.cases.Entered.make({ cents, note: "" })]
      )
    ])
    const command = Aggregate.command("enter", { payload: { cents: Schema.Int }, success: Schema.Int })
    class Befores extends Aggregate.Service<Befores>()("Ledger", {
      state: Schema.Array(Schema.String),
      events: Before,
      commands: [command]
    }) {}
    const live = Befores.toLayer({
      ...behavior,
      evolve: { ...behavior.evolve, Entered: (entries) => [...entries, "before"] }
    }, settings)
    yield* enterOnce(start(Befores, live), 5)
    const ledgers = yield* startLedgers(settings)
    assert.deepStrictEqual(yield* ledgers.state("a"), ["+5"])
    assert.strictEqual(yield* metric("varve_snapshots_discarded_total"), 1)
  }, Effect.provide(stores))
)

it.effect(
  "the parts of an event share its version, position and time, and are numbered",
  Effect.fnUntraced(function*() {
    yield* writePast(
      "a",
      Scenario.was("Viewed@1", {}),
      Scenario.was("Moved@1", { from: 1, to: 2 }),
      Scenario.was("Erased@1", { cents: 3 })
    )
    const [, moved, erased] = yield* storedIn(stream("a"))
    const ledgers = yield* startLedgers()
    const history: ReadonlyArray<Recorded<LedgerEvent>> = yield* Stream.runCollect(ledgers.history("a"))
    const [first, second, third] = history
    assert.strictEqual(first?.eventId, `${moved?.eventId}/1`)
    assert.strictEqual(second?.eventId, `${moved?.eventId}/2`)
    assert.strictEqual(third?.eventId, erased?.eventId)
    assert.deepStrictEqual(
      history.map(({ position, type, schemaVersion, version }) => ({ position, type, schemaVersion, version })),
      [
        { position: 2n, type: "Struck", schemaVersion: 1, version: 2 },
        { position: 2n, type: "Entered", schemaVersion: 3, version: 2 },
        { position: 3n, type: "Struck", schemaVersion: 1, version: 3 }
      ]
    )
    assert.strictEqual(first?.recordedAt.getTime(), moved?.recordedAtMillis)
    assert.deepStrictEqual(yield* TestRuntime.events(Ledgers, "a"), history.map(({ event }) => event))
  }, Effect.provide(stores))
)

it.effect(
  "a stream of nothing but dropped events has a version, and goes on from there; a history of thousands of them is empty",
  Effect.fnUntraced(function*() {
    for (let written = 0; written < 2_500; written += 500) {
      yield* writePast("a", ...Array.from({ length: 500 }, () => Scenario.was("Viewed@1", {})))
    }
    const ledgers = yield* startLedgers()
    assert.isTrue(yield* ledgers.exists("a"))
    assert.strictEqual(yield* ledgers.of("a").enter({ cents: 1 }), 2_501)
    const history = yield* Stream.runCollect(ledgers.history("a"))
    assert.deepStrictEqual(history.map(({ version }) => version), [2_501])
  }, Effect.provide(stores))
)

const names = { aggregate: "Ledger", id: "a" }
const unreadable: ReadonlyArray<readonly [string, Scenario.Past, unknown]> = [
  [
    "I14: an event that is newer than this build is named, and nothing is decided on it",
    Scenario.was("Entered@4", { cents: 1, note: "" }),
    new SchemaTooNew({ ...names, version: 2, type: "Entered", schemaVersion: 4 })
  ],
  [
    "I14: an event of a dropped type that is newer than what was dropped is not dropped",
    Scenario.was("Viewed@2", {}),
    new SchemaTooNew({ ...names, version: 2, type: "Viewed", schemaVersion: 2 })
  ],
  [
    "an event of a type that nobody declares is named",
    Scenario.was("Burnt@1", {}),
    new HandlerMissing({ ...names, name: "Burnt" })
  ],
  [
    "an event that does not fit its released shape is named with its field",
    Scenario.was("Entered@2", { cents: "1" }),
    new StreamUnreadable({
      ...names,
      version: 2,
      type: "Entered",
      problem: "as Entered@2: Expected number at [\"cents\"]"
    })
  ]
]
for (const [name, past, reason] of unreadable) {
  it.effect(
    name,
    Effect.fnUntraced(function*() {
      yield* writePast("a", Scenario.was("Entered@1", { euros: 1 }), past)
      const ledgers = yield* startLedgers()
      assert.deepStrictEqual(yield* reasonOf(ledgers.of("a").enter({ cents: 1 })), untyped(reason))
      assert.deepStrictEqual(yield* reasonOf(ledgers.state("a")), untyped(reason))
      assert.deepStrictEqual(yield* reasonOf(Stream.runCollect(ledgers.history("a"))), untyped(reason))
      assert.lengthOf(yield* storedIn(stream("a")), 2)
      assert.deepStrictEqual((yield* ledgers.stateAt("a", { version: 1 })).state, ["+100"])
    }, Effect.provide(stores))
  )
}

it.effect(
  "an older build that reads what a newer one has written says so, and changes nothing",
  Effect.fnUntraced(function*() {
    const ledgers = yield* startLedgers()
    yield* ledgers.of("a").enter({ cents: 1 })
    const old = yield* startOldLedgers()
    const reason = new SchemaTooNew({ ...names, version: 1, type: "Entered", schemaVersion: 3 })
    assert.deepStrictEqual(yield* reasonOf(old.of("a").enter({ cents: 1 })), untyped(reason))
  }, Effect.provide(stores))
)

it.effect(
  "I9: who follows some of today's events by their stored types misses none of them, whatever they were called",
  Effect.fnUntraced(function*() {
    yield* writePast(
      "a",
      Scenario.was("Entered@1", { euros: 1 }),
      Scenario.was("Erased@1", { cents: 2 }),
      Scenario.was("Viewed@1", {}),
      Scenario.was("Moved@1", { from: 3, to: 4 }),
      Scenario.was("Struck@1", { cents: 5 }),
      Scenario.was("Entries@1", { cents: [6] })
    )
    const store = yield* EventStore
    const struck = Event.registry([Evolved]).only(["Struck"])
    assert.deepStrictEqual(struck.storedTypes, ["Entered", "Struck", "Erased", "Moved"])
    const pages = yield* Stream.runCollect(
      Stream.take(store.follow({ after: 0n, filter: { types: struck.storedTypes } }), 1)
    )
    const read = pages.flatMap(({ events }) => events.flatMap((stored) => Result.getOrThrow(struck.decode(stored))))
    assert.deepStrictEqual(read.map(({ event }) => event.cents), [2, 3, 5])
    assert.deepStrictEqual(read.map(({ event }) => event._tag), ["Struck", "Struck", "Struck"])
  }, Effect.provide(stores))
)
