/** What the history of settings tells, and that what was restored stays so. */
import { assert, it } from "@effect/vitest"
import { Array, Clock, Effect, Option, Schema, Stream } from "effect"
import { TestClock } from "effect/testing"
import * as Memory from "varve/memory/Memory"
import { numbered, settingsAfter, SomeChanges, start, update, version } from "./fixtures.ts"
import { history, NotOver, restore, summary } from "./History.ts"
import { type Changes, defaults } from "./Settings.ts"
import { cached, fresh, UserSettings } from "./UserSettings.ts"

/** Changes a user's settings a second later, as many times. */
const updateAll = (user: string, all: ReadonlyArray<Changes>) =>
  Effect.forEach(all, (changes) => Effect.andThen(TestClock.adjust("1 second"), update(user, changes)), {
    discard: true
  })

const themes = (...all: ReadonlyArray<"dark" | "light" | "auto">) =>
  all.map((theme): Changes => ({ display: { theme } }))

it.effect("tells what changed from what to what, when and why, the newest first", () =>
  Effect.gen(function*() {
    const process = yield* start()
    yield* TestClock.setTime(1_000)
    yield* process(update("ada", { display: { theme: "dark" }, custom: { tea: "green" } }, "night"))
    yield* TestClock.setTime(2_000)
    yield* process(update("ada", { display: { theme: "light" }, editor: { tabSize: 2 } }))
    yield* TestClock.setTime(3_000)
    yield* process(update("ada", { display: { theme: null }, custom: { tea: null } }, "enough"))

    const first = { version: 1, at: new Date(1_000), reason: "night" }
    const second = { version: 2, at: new Date(2_000), reason: undefined }
    const third = { version: 3, at: new Date(3_000), reason: "enough" }
    const expected = [
      { ...third, field: "/display/theme", oldValue: "light", newValue: "auto" },
      { ...third, field: "/custom/tea", oldValue: "green", newValue: undefined },
      { ...second, field: "/display/theme", oldValue: "dark", newValue: "light" },
      { ...second, field: "/editor/tabSize", oldValue: 4, newValue: 2 },
      { ...first, field: "/display/theme", oldValue: "auto", newValue: "dark" },
      { ...first, field: "/custom/tea", oldValue: undefined, newValue: "green" }
    ]
    for (const limit of Array.range(0, 7)) {
      assert.deepStrictEqual(yield* process(history("ada", { limit })), expected.slice(0, limit))
    }
    assert.deepStrictEqual(yield* process(history("ada")), expected)
  }).pipe(Effect.provide(Memory.layer)))

it.effect("tells of the newest fifty changes unless asked for more", () =>
  Effect.gen(function*() {
    const process = yield* start()
    for (const number of Array.range(1, 120)) {
      yield* process(update("ada", { editor: { fontSize: 8 + number % 25 } }, `change ${number}`))
    }
    const entries = yield* process(history("ada"))
    assert.deepStrictEqual(
      entries.map(({ reason }) => reason),
      Array.range(71, 120).reverse().map((n) => `change ${n}`)
    )
    assert.lengthOf(yield* process(history("ada", { limit: 200 })), 120)
  }).pipe(Effect.provide(Memory.layer)))

it.effect("sums up how often settings were changed, since when, and when last", () =>
  Effect.gen(function*() {
    const process = yield* start()
    assert.deepStrictEqual(yield* process(summary("ada")), Option.none())
    for (const [index, theme] of (["dark", "dark", "light"] as const).entries()) {
      yield* TestClock.setTime(1_000 * (index + 1))
      yield* process(update("ada", { display: { theme } }))
    }
    const expected = { version: 2, createdAt: new Date(1_000), updatedAt: new Date(3_000) }
    assert.deepStrictEqual(yield* process(summary("ada")), Option.some(expected))
  }).pipe(Effect.provide(Memory.layer)))

it.effect.prop(
  "tells one story: each old value is the new one before it, from the defaults to what is so now",
  [Schema.Array(SomeChanges)],
  ([all]) =>
    Effect.gen(function*() {
      const process = yield* start()
      yield* process(updateAll("ada", all))
      const told: Record<string, Record<string, unknown>> = structuredClone(defaults)
      for (const { field, newValue, oldValue } of (yield* process(history("ada", { limit: 10_000 }))).toReversed()) {
        const [, area, name] = field.split("/")
        const fields = told[area!]!
        assert.deepStrictEqual(Object.hasOwn(fields, name!) ? fields[name!] : undefined, oldValue, field)
        if (newValue === undefined) Reflect.deleteProperty(fields, name!)
        else fields[name!] = newValue
      }
      assert.deepStrictEqual<unknown>(yield* process(fresh("ada")), told)
    }).pipe(Effect.scoped, Effect.provide(Memory.layer)),
  { arbitrary: { runs: 60, size: 24 } }
)

it.effect("W4: what was restored stays so, in memory, after passivation, a restart and snapshots, and is on record", () =>
  Effect.gen(function*() {
    const process = yield* start()
    yield* process(updateAll("ada", themes("dark", "light")))
    yield* TestClock.adjust("1 hour")
    const restored = yield* process(restore("ada", new Date(1_500)))
    assert.strictEqual(restored.display.theme, "dark")

    const [newest] = yield* process(history("ada"))
    assert.deepStrictEqual(newest, {
      version: 3,
      at: new Date(3_602_000),
      field: "/display/theme",
      oldValue: "light",
      newValue: "dark",
      reason: "Restored to 1970-01-01T00:00:01.500Z"
    })

    for (const number of Array.range(1, 30)) {
      yield* process(update("ada", numbered(number)))
      yield* TestClock.adjust("6 minutes")
      const restarted = yield* start()
      for (const read of [process(cached("ada")), process(fresh("ada")), restarted(fresh("ada"))]) {
        assert.strictEqual((yield* read).display.theme, "dark")
      }
    }
  }).pipe(Effect.provide(Memory.layer)))

it.effect.prop(
  "W4: restoring leads to what was so at that time, whatever came after it, and what comes next builds on that",
  { before: Schema.Array(SomeChanges), after: Schema.Array(SomeChanges), next: Schema.Array(SomeChanges) },
  ({ after, before, next }) =>
    Effect.gen(function*() {
      const [process, other] = [yield* start(), yield* start()]
      yield* process(updateAll("ada", before))
      const time = new Date(yield* Clock.currentTimeMillis)
      yield* process(updateAll("ada", after))
      yield* TestClock.adjust("1 second")

      const versionBefore = yield* process(version("ada"))
      assert.deepStrictEqual(yield* other(restore("ada", time)), settingsAfter(before))
      const [newest] = yield* process(history("ada"))
      // Nothing to restore is nothing to tell.
      const isTold = newest?.reason === `Restored to ${time.toISOString()}`
      assert.strictEqual(isTold, (yield* process(version("ada"))) > versionBefore)

      yield* TestClock.adjust("6 minutes")
      assert.deepStrictEqual(yield* process(cached("ada")), settingsAfter(before))
      yield* process(updateAll("ada", next))
      for (const reader of [process, other, yield* start()]) {
        assert.deepStrictEqual(yield* reader(fresh("ada")), settingsAfter([...before, ...next]))
      }
    }).pipe(Effect.scoped, Effect.provide(Memory.layer)),
  { arbitrary: { runs: 60, size: 24 } }
)

it.effect("restores the defaults of the time before the first change, and is itself taken back the same way", () =>
  Effect.gen(function*() {
    const process = yield* start()
    yield* TestClock.setTime(1_000)
    yield* process(updateAll("ada", [numbered(1), numbered(2)]))
    yield* TestClock.adjust("1 second")
    assert.deepStrictEqual(yield* process(restore("ada", new Date(1_000))), defaults)
    yield* TestClock.adjust("1 second")
    const undone = yield* process(restore("ada", new Date(3_999), { reason: "a mistake" }))
    assert.deepStrictEqual(undone, settingsAfter([numbered(1), numbered(2)]))
    assert.deepStrictEqual(
      (yield* process(history("ada", { limit: 1 }))).map(({ reason, version }) => [version, reason]),
      [
        [4, "a mistake"]
      ]
    )
  }).pipe(Effect.provide(Memory.layer)))

it.effect("restores once for one command id, though settings have changed since, and keeps who asked for it", () =>
  Effect.gen(function*() {
    const process = yield* start()
    const options = { commandId: "request-7", metadata: { user: "support" } }
    yield* process(updateAll("ada", themes("dark", "light")))
    const restored = yield* process(restore("ada", new Date(1_000), options))
    yield* process(updateAll("ada", themes("light")))
    assert.deepStrictEqual(yield* process(restore("ada", new Date(1_000), options)), restored)
    assert.strictEqual((yield* process(fresh("ada"))).display.theme, "light")
    const users = yield* process(UserSettings)
    const recorded = yield* Stream.runCollect(users.history("ada"))
    assert.deepStrictEqual(recorded.map(({ metadata }) => metadata.user), [undefined, undefined, "support", undefined])
  }).pipe(Effect.provide(Memory.layer)))

it.effect("does not restore what is not over yet, nor a time that is none", () =>
  Effect.gen(function*() {
    const process = yield* start()
    yield* TestClock.setTime(1_000)
    yield* process(update("ada", numbered(1)))
    for (const millis of [1_000, 9_000]) {
      const time = new Date(millis)
      assert.deepStrictEqual(yield* Effect.flip(process(restore("ada", time))), new NotOver({ time }))
    }
    const refused = yield* Effect.flip(process(restore("ada", new Date(NaN))))
    assert.strictEqual(refused._tag === "CommandFailed" && refused.reason._tag, "InputInvalid")
    assert.strictEqual(yield* process(version("ada")), 1)
  }).pipe(Effect.provide(Memory.layer)))
