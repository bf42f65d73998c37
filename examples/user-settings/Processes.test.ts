/** Settings on a store, in one process and in several: what they see of each other, and what lasts. */
import { assert, it } from "@effect/vitest"
import { Array, Effect, Layer } from "effect"
import { TestClock } from "effect/testing"
import * as AggregateRuntime from "varve/AggregateRuntime"
import { defaultTenant } from "varve/Event"
import { EventStore } from "varve/EventStore"
import * as Memory from "varve/memory/Memory"
import { SnapshotStore } from "varve/SnapshotStore"
import * as Worker from "varve/Worker"
import { numbered, settingsAfter, start, update, version } from "./fixtures.ts"
import { history } from "./History.ts"
import { defaults, settingsOf } from "./Settings.ts"
import { cached, fresh, UserSettings, UserSettingsLive } from "./UserSettings.ts"

/** What so many numbered changes come to. */
const after = (count: number) => settingsAfter(Array.range(1, count).map(numbered))

const stream = { tenant: defaultTenant, category: "UserSettings", id: "ada" }

const changeNumbered = (number: number) => update("ada", numbered(number))

it.effect("a new user has the defaults, fresh and cached, and nothing is kept of the look", () =>
  Effect.gen(function*() {
    const process = yield* start()
    assert.deepStrictEqual(yield* process(fresh("ada")), defaults)
    assert.deepStrictEqual(yield* process(cached("ada")), defaults)
    assert.strictEqual(yield* (yield* EventStore).head, 0n)
  }).pipe(Effect.provide(Memory.layer)))

it.effect("a user's settings are nobody else's", () =>
  Effect.gen(function*() {
    const process = yield* start()
    yield* process(update("ada", { display: { theme: "dark" } }))
    assert.deepStrictEqual(yield* process(fresh("grace")), defaults)
    assert.deepStrictEqual(yield* process(history("grace")), [])
  }).pipe(Effect.provide(Memory.layer)))

it.effect("a fresh read sees at once what another process changed, a cached one after five minutes and a half at most", () =>
  Effect.gen(function*() {
    const [here, there] = [yield* start(), yield* start()]
    assert.strictEqual((yield* here(cached("ada"))).display.theme, "auto")
    yield* there(update("ada", { display: { theme: "dark" } }))
    assert.strictEqual((yield* here(cached("ada"))).display.theme, "auto")
    // A cached read does not make what it reads younger.
    yield* Effect.replicateEffect(Effect.andThen(TestClock.adjust("1 minute"), here(cached("ada"))), 4)
    assert.strictEqual((yield* here(cached("ada"))).display.theme, "auto")
    yield* TestClock.adjust("90 seconds")
    assert.strictEqual((yield* here(cached("ada"))).display.theme, "dark")

    yield* there(update("ada", { display: { theme: "light" } }))
    assert.strictEqual((yield* here(fresh("ada"))).display.theme, "light")
    assert.strictEqual((yield* here(cached("ada"))).display.theme, "light")
  }).pipe(Effect.provide(Memory.layer)))

it.effect("a cached read sees at once what its own process changed", () =>
  Effect.gen(function*() {
    const process = yield* start()
    for (const theme of ["dark", "light", null] as const) {
      yield* process(update("ada", { display: { theme } }))
      assert.strictEqual((yield* process(cached("ada"))).display.theme, theme ?? "auto")
    }
  }).pipe(Effect.provide(Memory.layer)))

it.effect("so many users are in the cache as the runtime was told, the last ones asked", () =>
  Effect.gen(function*() {
    const [here, there] = [yield* start({ maxActive: 2 }), yield* start()]
    for (const user of ["ada", "grace", "mary"]) {
      yield* here(cached(user))
      yield* there(update(user, { display: { theme: "dark" } }))
    }
    const themes = yield* Effect.forEach(["mary", "grace", "ada"], (user) => here(cached(user)))
    assert.deepStrictEqual(themes.map(({ display }) => display.theme), ["auto", "auto", "dark"])
  }).pipe(Effect.provide(Memory.layer)))

it.effect("a snapshot is kept of every tenth version", () =>
  Effect.gen(function*() {
    const process = yield* start()
    const snapshots = yield* SnapshotStore
    const kept: Array<number> = []
    for (const number of Array.range(1, 40)) {
      yield* process(changeNumbered(number))
      yield* Effect.replicateEffect(Effect.yieldNow, 20)
      const { snapshot, tail } = yield* snapshots.load(stream)
      kept.push(snapshot?.version ?? 0)
      assert.lengthOf(tail.events, number % 10)
    }
    assert.deepStrictEqual(Array.dedupe(kept), [0, 10, 20, 30, 40])
  }).pipe(Effect.provide(Memory.layer)))

it.effect("W2: settings, history and every state on the way are there after ten years, whatever is pruned", () =>
  Effect.gen(function*() {
    const counts = [["ada", 25], ["grace", 3]] as const
    yield* Effect.gen(function*() {
      const users = yield* UserSettings
      for (const [user, count] of counts) {
        for (const number of Array.range(1, count)) {
          yield* users.of(user, { commandId: `request-${number}` }).update({ changes: numbered(number) })
        }
      }
    }).pipe(Effect.provide(Layer.provide(UserSettingsLive, AggregateRuntime.layer)))
    yield* TestClock.adjust("3650 days")
    // A worker audits the log and prunes old receipts as soon as it starts.
    yield* Effect.gen(function*() {
      const users = yield* UserSettings
      yield* Effect.replicateEffect(Effect.yieldNow, 20)
      for (const [user, count] of counts) {
        assert.deepStrictEqual(yield* fresh(user), after(count))
        assert.lengthOf(Array.dedupe((yield* history(user, { limit: 1_000 })).map(({ version }) => version)), count)
        for (const version of Array.range(1, count)) {
          assert.deepStrictEqual(settingsOf((yield* users.stateAt(user, { version })).state), after(version))
        }
      }
      // Receipts are what is pruned: the id may be used again.
      const again = users.of("ada", { commandId: "request-1", returning: "commit" })
      assert.isFalse((yield* again.update({ changes: {} })).duplicate)
    }).pipe(Effect.provide(Worker.layer({ aggregates: [UserSettingsLive] })))
  }).pipe(Effect.provide(Memory.layer)))

it.effect("W3: no change is lost or made twice by what clocks say: all at one moment, or in a clock that goes back", () =>
  Effect.gen(function*() {
    const processes = [yield* start(), yield* start(), yield* start()]
    yield* TestClock.setTime(3_600_000)
    for (const number of Array.range(1, 40)) {
      if (number % 12 === 0) yield* TestClock.setTime(3_600_000 - number * 60_000)
      yield* processes[number % 3]!(changeNumbered(number))
      yield* Effect.replicateEffect(Effect.yieldNow, 20)
      const restarted = yield* start()
      assert.deepStrictEqual(yield* restarted(fresh("ada")), after(number))
    }
  }).pipe(Effect.provide(Memory.layer)))

it.effect("W5: the version is the count of changes, in the process that made them and in one that read them", () =>
  Effect.gen(function*() {
    const process = yield* start()
    for (const number of Array.range(1, 25)) {
      yield* process(changeNumbered(number))
      const restarted = yield* start()
      assert.deepStrictEqual([yield* process(version("ada")), yield* restarted(version("ada"))], [number, number])
    }
  }).pipe(Effect.provide(Memory.layer)))

it.effect("W6: of two processes that change the same settings at once neither undoes the other", () =>
  Effect.gen(function*() {
    const processes = [yield* start(), yield* start()]
    // Both know the settings, and neither what the other is about to do.
    yield* Effect.forEach(processes, (process) => process(cached("ada")))
    yield* Effect.forEach(
      Array.range(1, 20),
      (number) => processes[number % 2]!(update("ada", { custom: { [`setting-${number}`]: number } })),
      { concurrency: "unbounded" }
    )
    const { custom } = yield* processes[0]!(fresh("ada"))
    assert.deepStrictEqual(
      custom,
      Object.fromEntries(Array.range(1, 20).map((number) => [`setting-${number}`, number]))
    )
    assert.strictEqual(yield* processes[1]!(version("ada")), 20)
  }).pipe(Effect.provide(Memory.layer)))
