/** What support is told of everybody's settings, and that it is what each user's own history says. */
import { assert, it } from "@effect/vitest"
import { Array, Effect, Layer, Schema } from "effect"
import { TestClock } from "effect/testing"
import * as AggregateRuntime from "varve/AggregateRuntime"
import { EventStore } from "varve/EventStore"
import * as Memory from "varve/memory/Memory"
import { ProjectionHost } from "varve/ProjectionHost"
import * as ProjectionRunner from "varve/ProjectionRunner"
import { SomeChanges } from "./fixtures.ts"
import { history } from "./History.ts"
import { SettingsHistory, SettingsHistoryLive } from "./SettingsHistory.ts"
import { UserSettings, UserSettingsLive } from "./UserSettings.ts"

const Live = Layer.mergeAll(UserSettingsLive, SettingsHistoryLive).pipe(
  Layer.provide(AggregateRuntime.layer),
  Layer.provideMerge(ProjectionRunner.layer),
  Layer.provideMerge(Memory.layer)
)

/** Waits until the view has all that is in the log. */
const caughtUp = Effect.gen(function*() {
  const { head } = yield* EventStore
  yield* (yield* ProjectionHost).await(SettingsHistory.definition, yield* head, { deadline: "10 seconds" })
})

it.effect("tells whose settings were changed last, by whom, from what to what; of custom ones, which", () =>
  Effect.gen(function*() {
    const users = yield* UserSettings
    const { count, get, list } = yield* SettingsHistory
    yield* TestClock.setTime(1_000)
    yield* users.of("ada", { metadata: { user: "support" } }).update({
      changes: { display: { theme: "dark" }, custom: { tea: "green" } },
      reason: "asked for"
    })
    yield* TestClock.setTime(2_000)
    yield* users.of("grace").update({ changes: { editor: { tabSize: 2 } } })
    yield* TestClock.setTime(3_000)
    yield* users.of("ada").update({ changes: { display: { theme: "light" } } })
    yield* caughtUp

    const latest = yield* list({ orderBy: { field: "changedAt", direction: "descending" } })
    assert.deepStrictEqual(latest.map(({ document, key }) => [key, document.changedAt, document.updates]), [
      ["ada", new Date(3_000), 2],
      ["grace", new Date(2_000), 1]
    ])
    const first = { version: 1, at: new Date(1_000), by: "support", reason: "asked for" }
    assert.deepStrictEqual((yield* get("ada"))?.newest, [
      { version: 2, at: new Date(3_000), field: "/display/theme", oldValue: "dark", newValue: "light" },
      { ...first, field: "/display/theme", oldValue: "auto", newValue: "dark" },
      { ...first, field: "/custom/tea" }
    ])
    assert.deepStrictEqual([yield* count({ where: { theme: "light" } }), yield* count({ where: { theme: "dark" } })], [
      1,
      0
    ])
  }).pipe(Effect.provide(Live)))

it.effect("keeps the newest twenty changes of a user, whatever a user does", () =>
  Effect.gen(function*() {
    const user = (yield* UserSettings).of("ada")
    for (const number of Array.range(1, 30)) {
      yield* user.update({
        changes: { editor: { fontSize: 8 + number % 25 }, custom: { large: "x".repeat(100_000 + number) } }
      })
    }
    yield* caughtUp
    const newest = (yield* (yield* SettingsHistory).get("ada"))?.newest ?? []
    assert.deepStrictEqual(
      newest.map(({ version }) => version),
      Array.range(21, 30).toReversed().flatMap((n) => [n, n])
    )
  }).pipe(Effect.provide(Live)))

it.effect.prop(
  "says of the newest changes what the user's own history says",
  [Schema.Array(SomeChanges)],
  ([all]) =>
    Effect.gen(function*() {
      const user = (yield* UserSettings).of("ada")
      yield* Effect.forEach(all, (changes) => Effect.andThen(TestClock.adjust("1 second"), user.update({ changes })))
      yield* caughtUp
      const told = (yield* (yield* SettingsHistory).get("ada"))?.newest ?? []
      const own = yield* history("ada", { limit: 20 })
      assert.deepStrictEqual<unknown>(
        told,
        own.map(({ at, field, newValue, oldValue, version }) => ({
          version,
          at,
          field,
          ...!field.startsWith("/custom/") && { oldValue, newValue }
        }))
      )
    }).pipe(Effect.provide(Live)),
  { arbitrary: { runs: 40, size: 24 } }
)
