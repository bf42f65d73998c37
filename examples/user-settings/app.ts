/**
 * The settings as an app of the command line: `npm start -- run --app examples/user-settings/app.ts --commands FILE`.
 *
 * A line of the file is what somebody changed: `{"user":"ada","changes":{"display":{"theme":"dark"}},"reason":"night"}`.
 */
import { Effect, Schema } from "effect"
import * as App from "varve/cli/App"
import { Changes } from "./Settings.ts"
import { SettingsHistoryLive } from "./SettingsHistory.ts"
import { Reason, UserSettings, UserSettingsLive } from "./UserSettings.ts"

export default App.make({
  name: "user-settings",
  aggregates: UserSettingsLive,
  projections: SettingsHistoryLive,
  line: Schema.Struct({ user: Schema.NonEmptyString, changes: Changes, reason: Schema.optionalKey(Reason) }),
  key: ({ user }) => user,
  execute: Effect.fnUntraced(function*({ user, ...update }, commandId) {
    return yield* (yield* UserSettings).of(user, { commandId }).update(update)
  })
})
