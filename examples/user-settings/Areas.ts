/**
 * One small service for each area of the settings, for whoever needs no more than that: the editor asks `Editor`, and
 * knows nothing of themes, of events, or of how settings are kept.
 */
import { Context, Effect, Layer } from "effect"
import type { CommandFailed, HandleOptions } from "varve/AggregateHost"
import { type Changes, type Settings, settingsOf } from "./Settings.ts"
import { type SettingsInvalid, UserSettings } from "./UserSettings.ts"

/** One area of every user's settings. */
interface Area<Name extends keyof Settings> {
  readonly get: (user: string) => Effect.Effect<Settings[Name], CommandFailed>
  readonly update: (user: string, changes: ChangesOf<Name>, options?: HandleOptions) => Updated<Name>
}

type ChangesOf<Name extends keyof Settings> = Required<Changes>[Name]

/** What the area is now. */
type Updated<Name extends keyof Settings> = Effect.Effect<Settings[Name], SettingsInvalid | CommandFailed>

/** The area of a name; `asked` says what changing it asks of the aggregate. */
const area = Effect.fnUntraced(function*<Name extends keyof Settings>(
  name: Name,
  asked: (changes: ChangesOf<Name>) => { readonly changes: Changes; readonly reason: string }
): Effect.fn.Return<Area<Name>, never, UserSettings> {
  const users = yield* UserSettings
  return {
    get: (user) => Effect.map(users.state(user, { consistency: "resident" }), (choices) => settingsOf(choices)[name]),
    update: (user, changes, options) =>
      Effect.map(users.of(user, options).update(asked(changes)), (settings) => settings[name])
  }
})

/** Theme, time zone and formats. */
export class Display extends Context.Service<Display, Area<"display">>()("user-settings/Display") {
  static readonly layer = Layer.effect(
    Display,
    area("display", (display) => ({ changes: { display }, reason: "Display settings updated" }))
  )
}

/** What a user is told of, and where. */
export class Notifications extends Context.Service<Notifications, Area<"notifications">>()(
  "user-settings/Notifications"
) {
  static readonly layer = Layer.effect(
    Notifications,
    area("notifications", (notifications) => ({
      changes: { notifications },
      reason: "Notification settings updated"
    }))
  )
}

/** How code is shown and indented. */
export class Editor extends Context.Service<Editor, Area<"editor">>()("user-settings/Editor") {
  static readonly layer = Layer.effect(
    Editor,
    area("editor", (editor) => ({ changes: { editor }, reason: "Editor settings updated" }))
  )
}

/** Settings of a user's own, one by one: they have names, and no defaults. */
export class Custom extends Context.Service<Custom, {
  readonly get: Area<"custom">["get"]
  /** Any JSON but null; in place of what was there. */
  readonly set: (
    user: string,
    name: string,
    value: Settings["custom"][string],
    options?: HandleOptions
  ) => Updated<"custom">
  readonly unset: (user: string, name: string, options?: HandleOptions) => Updated<"custom">
}>()("user-settings/Custom") {
  static readonly layer = Layer.effect(
    Custom,
    Effect.map(
      area("custom", (custom) => ({
        changes: { custom },
        reason: `Custom setting ${Object.keys(custom).map((name) => `'${name}'`).join(", ")} updated`
      })),
      ({ get, update }) => ({
        get,
        set: (user, name, value, options) => update(user, { [name]: value }, options),
        unset: (user, name, options) => update(user, { [name]: null }, options)
      })
    )
  )
}
