/**
 * The history of all users' settings, for support: whose were changed last, by whom, and from what to what.
 *
 * One user's history is told best by the aggregate itself (`History.ts`): all of it, and at once. A list of users is what
 * no aggregate can tell, since each knows of one user only. So this view has a document a user, and keeps of each what
 * fits into a list: the newest twenty changes, and custom settings by name, since their values may be of any size.
 */
import { Schema } from "effect"
import * as Projection from "varve/Projection"
import { entriesOf, type Entry } from "./History.ts"
import { Choices, merge, nothing, Settings, settingsOf } from "./Settings.ts"
import { SettingsEvent } from "./UserSettings.ts"

const newestMax = 20

const Change = Schema.Struct({
  version: Schema.Int,
  at: Schema.Date,
  /** Who asked for it, as the command's metadata say. */
  by: Schema.optionalKey(Schema.String),
  field: Schema.String,
  oldValue: Schema.optionalKey(Schema.Json),
  newValue: Schema.optionalKey(Schema.Json),
  reason: Schema.optionalKey(Schema.String)
})

export class SettingsHistory extends Projection.View<SettingsHistory>()("settings-history", {
  version: 1,
  document: Schema.Struct({
    theme: Settings.fields.display.fields.theme,
    changedAt: Schema.Date,
    /** How often there was something to change. */
    updates: Schema.Int,
    /** The newest first. */
    newest: Schema.Array(Change),
    /** What the next change is from; without custom settings. */
    choices: Choices
  }),
  indexes: ["theme", "changedAt", "updates"]
}) {}

export const SettingsHistoryLive = SettingsHistory.toLayer((on) => [
  on(SettingsEvent, {
    UserSettingsUpdated: (user, event, { metadata, recordedAt, version }) => {
      const before = user?.choices ?? nothing
      const after = merge(before, event.changes)
      const changed = entriesOf({ event, recordedAt, version }, before, after)
      return {
        theme: settingsOf(after).display.theme,
        changedAt: recordedAt,
        updates: (user?.updates ?? 0) + 1,
        newest: [...changed.map((entry) => shown(entry, metadata.user)), ...user?.newest ?? []].slice(0, newestMax),
        choices: { ...after, custom: {} }
      }
    }
  })
])

const shown = (
  { at, field, newValue, oldValue, reason, version }: Entry,
  by: string | undefined
): typeof Change.Type => ({
  version,
  at,
  field,
  ...by !== undefined && { by },
  ...reason !== undefined && { reason },
  ...!field.startsWith("/custom/") && { oldValue: oldValue ?? null, newValue: newValue ?? null }
})
