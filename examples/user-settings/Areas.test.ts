/** The areas of the settings, each by itself. */
import { assert, it } from "@effect/vitest"
import { Effect, Layer, Stream } from "effect"
import * as AggregateRuntime from "varve/AggregateRuntime"
import * as Memory from "varve/memory/Memory"
import { Custom, Display, Editor, Notifications } from "./Areas.ts"
import { history } from "./History.ts"
import { defaults } from "./Settings.ts"
import { SettingsInvalid, UserSettings, UserSettingsLive } from "./UserSettings.ts"

const Live = Layer.mergeAll(Display.layer, Notifications.layer, Editor.layer, Custom.layer).pipe(
  Layer.provideMerge(UserSettingsLive),
  Layer.provide(AggregateRuntime.layer),
  Layer.provide(Memory.layer)
)

it.effect("change what is theirs, each for a reason of its own, and leave the others alone", () =>
  Effect.gen(function*() {
    const [display, notifications, editor, custom] = [
      yield* Display,
      yield* Notifications,
      yield* Editor,
      yield* Custom
    ]
    const dark = { ...defaults.display, theme: "dark" }
    const rare = { systemUpdates: false, channels: ["email"] } as const
    const quiet = { ...defaults.notifications, ...rare }
    const narrow = { ...defaults.editor, tabSize: 2 }
    assert.deepStrictEqual(yield* display.update("ada", { theme: "dark" }), dark)
    assert.deepStrictEqual(yield* notifications.update("ada", rare), quiet)
    assert.deepStrictEqual(yield* editor.update("ada", { tabSize: 2 }), narrow)
    assert.deepStrictEqual(yield* custom.set("ada", "tea", { kind: "green" }), { tea: { kind: "green" } })
    assert.deepStrictEqual(
      [yield* display.get("ada"), yield* notifications.get("ada"), yield* editor.get("ada"), yield* custom.get("ada")],
      [dark, quiet, narrow, { tea: { kind: "green" } }]
    )
    const entries = yield* history("ada")
    assert.deepStrictEqual(entries.map(({ field, reason }) => [field, reason]), [
      ["/custom/tea", "Custom setting 'tea' updated"],
      ["/editor/tabSize", "Editor settings updated"],
      ["/notifications/systemUpdates", "Notification settings updated"],
      ["/notifications/channels", "Notification settings updated"],
      ["/display/theme", "Display settings updated"]
    ])
  }).pipe(Effect.provide(Live)))

it.effect("give a field back to its default, and a custom setting up", () =>
  Effect.gen(function*() {
    const [display, custom] = [yield* Display, yield* Custom]
    yield* display.update("ada", { theme: "dark", timeFormat: "12h" })
    assert.deepStrictEqual(yield* display.update("ada", { theme: null }), { ...defaults.display, timeFormat: "12h" })
    yield* custom.set("ada", "tea", "green")
    yield* custom.set("ada", "tea", ["black"])
    yield* custom.set("ada", "keys", "vim")
    assert.deepStrictEqual(yield* custom.unset("ada", "tea"), { keys: "vim" })
  }).pipe(Effect.provide(Live)))

it.effect("carry a change with an id out once, and keep who asked for it", () =>
  Effect.gen(function*() {
    const [editor, custom] = [yield* Editor, yield* Custom]
    const options = { commandId: "request-7", metadata: { user: "support" } }
    yield* editor.update("ada", { tabSize: 2 }, options)
    yield* editor.update("ada", { tabSize: 8 })
    yield* editor.update("ada", { tabSize: 2 }, options)
    assert.strictEqual((yield* editor.get("ada")).tabSize, 8)
    yield* custom.set("ada", "tea", "green", { metadata: { user: "support" } })
    yield* custom.unset("ada", "tea", { metadata: { user: "support" } })
    const recorded = yield* Stream.runCollect((yield* UserSettings).history("ada"))
    assert.deepStrictEqual(recorded.map(({ metadata }) => metadata.user), ["support", undefined, "support", "support"])
  }).pipe(Effect.provide(Live)))

it.effect("are refused what does not fit", () =>
  Effect.gen(function*() {
    const [editor, custom] = [yield* Editor, yield* Custom]
    const small = yield* Effect.flip(editor.update("ada", { fontSize: 7 }))
    assert.strictEqual(small._tag === "CommandFailed" && small.reason._tag, "InputInvalid")
    for (let count = 1; count <= 100; count++) yield* custom.set("ada", `setting-${count}`, count)
    assert.instanceOf(yield* Effect.flip(custom.set("ada", "more", true)), SettingsInvalid)
    assert.strictEqual(Object.keys(yield* custom.get("ada")).length, 100)
  }).pipe(Effect.provide(Live)))
