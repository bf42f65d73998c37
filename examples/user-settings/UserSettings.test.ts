/** What a change of settings is decided to be: given, when, then. */
import { assert, it } from "@effect/vitest"
import { Effect } from "effect"
import * as Scenario from "varve/testing/Scenario"
import { type Changes, defaults, settingsOf } from "./Settings.ts"
import { behavior, SettingsInvalid, UserSettings, UserSettingsUpdated } from "./UserSettings.ts"

const users = Scenario.make(UserSettings, behavior)
const given = (...all: ReadonlyArray<Changes>) =>
  users.given(all.map((changes) => UserSettingsUpdated.make({ changes })), { id: "ada" })

it.effect("records what changes and why, and answers the settings", () =>
  Effect.gen(function*() {
    const changes: Changes = { display: { theme: "dark" }, editor: { tabSize: 2 } }
    const then = yield* given().when("update", { changes, reason: "night" })
    assert.deepStrictEqual(then.events, [UserSettingsUpdated.make({ changes, reason: "night" })])
    assert.deepStrictEqual(then.reply, {
      ...defaults,
      display: { ...defaults.display, theme: "dark" },
      editor: { ...defaults.editor, tabSize: 2 }
    })
  }))

it.effect("records nothing for an update that is empty, or that changes nothing", () =>
  Effect.gen(function*() {
    const before = given({ display: { theme: "dark" }, custom: { tea: ["green"] } })
    for (
      const changes of [
        {},
        { display: {} },
        { display: { theme: "dark" } },
        { custom: { tea: ["green"], coffee: null } },
        { editor: { fontSize: null } }
      ] as const
    ) {
      const then = yield* before.when("update", { changes, reason: "why not" })
      assert.deepStrictEqual(then.events, [])
      assert.deepStrictEqual(then.reply, settingsOf(before.state))
    }
  }))

it.effect("records of an update only what makes a difference", () =>
  Effect.gen(function*() {
    const changes: Changes = { display: { theme: "dark", timeFormat: "12h" } }
    const then = yield* given({ display: { theme: "dark" } }).when("update", { changes })
    assert.deepStrictEqual(then.events, [UserSettingsUpdated.make({ changes: { display: { timeFormat: "12h" } } })])
  }))

it.effect("gives a field back to its default, and takes a custom setting away", () =>
  Effect.gen(function*() {
    const changes: Changes = { display: { theme: null }, custom: { tea: null } }
    const then = yield* given({ display: { theme: "dark" }, custom: { tea: "green", keys: "vim" } })
      .when("update", { changes })
    assert.deepStrictEqual(then.events, [UserSettingsUpdated.make({ changes })])
    assert.deepStrictEqual(then.reply, { ...defaults, custom: { keys: "vim" } })
  }))

it.effect("takes what is the default for a choice: it stays when the default changes", () =>
  Effect.gen(function*() {
    const changes: Changes = { display: { theme: "auto" } }
    assert.deepStrictEqual((yield* given().when("update", { changes })).state.display, { theme: "auto" })
  }))

it.effect("changes a custom setting as a whole", () =>
  Effect.gen(function*() {
    const then = yield* given({ custom: { tea: { kind: "green", sugar: 1 } } })
      .when("update", { changes: { custom: { tea: { kind: "black" } } } })
    assert.deepStrictEqual(then.reply?.custom, { tea: { kind: "black" } })
  }))

it.effect("refuses what does not fit in any area, at any depth", () =>
  Effect.gen(function*() {
    for (
      const changes of [
        { display: { theme: "blue" } },
        { display: { timezone: "" } },
        { notifications: { channels: ["pigeon"] } },
        { notifications: { channels: ["email", "email"] } },
        { notifications: { systemUpdates: "yes" } },
        { editor: { fontSize: 7 } },
        { editor: { fontSize: 33 } },
        { editor: { fontSize: 14.5 } },
        { editor: { tabSize: 3 } },
        { custom: { "Not a name": 1 } },
        { custom: { a: undefined } }
      ]
    ) {
      const asked: unknown = { changes }
      const exit = yield* Effect.exit(given().when("update", asked as { changes: Changes }))
      assert.strictEqual(exit._tag, "Failure", JSON.stringify(changes))
    }
  }))

it.effect("refuses what fits field by field, but not together with what was chosen before", () =>
  Effect.gen(function*() {
    const many = Object.fromEntries(Array.from({ length: 100 }, (_, index) => [`setting-${index}`, index]))
    const then = yield* given({ custom: many }).when("update", { changes: { custom: { more: 1 } } })
    assert.deepStrictEqual(then.events, [])
    assert.instanceOf(then.rejection, SettingsInvalid)
    assert.match(then.rejection!.problem, /at most 100/)
  }))
