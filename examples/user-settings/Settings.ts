/**
 * The settings of a user, in four areas: how things are displayed, what is notified, the editor, and custom ones.
 *
 * Three shapes of the same fields: what a user has chosen (`Choices`), what that comes to with the defaults under it
 * (`Settings`), and what leads from some choices to others (`Changes`). Pure values: no event, no runtime.
 */
import { Equal, Predicate, Record, Schema, Struct } from "effect"

// ── the fields

const Display = Schema.Struct({
  theme: Schema.Literals(["light", "dark", "auto"]),
  // A name, not looked up: zones come and go from one release of ICU to the next, and events must stay readable.
  timezone: Schema.String.check(Schema.isPattern(/^[A-Za-z][A-Za-z0-9_+/-]{0,63}$/, { expected: "a time zone" })),
  dateFormat: Schema.Literals(["YYYY-MM-DD", "DD.MM.YYYY", "MM/DD/YYYY"]),
  timeFormat: Schema.Literals(["24h", "12h"])
})

const Notifications = Schema.Struct({
  executionCompleted: Schema.Boolean,
  executionFailed: Schema.Boolean,
  systemUpdates: Schema.Boolean,
  securityAlerts: Schema.Boolean,
  channels: Schema.UniqueArray(Schema.Literals(["in_app", "email", "slack", "webhook"]))
})

const Editor = Schema.Struct({
  fontSize: Schema.Int.check(Schema.isBetween({ minimum: 8, maximum: 32 })),
  tabSize: Schema.Literals([2, 4, 8]),
  useTabs: Schema.Boolean,
  wordWrap: Schema.Boolean,
  showLineNumbers: Schema.Boolean
})

/** How custom settings may be called. */
const areNamed = Schema.isPropertyNames(
  Schema.String.check(Schema.isPattern(/^[a-z][A-Za-z0-9.-]{0,63}$/, { expected: "the name of a setting" }))
)

/** Any JSON but null, which takes a setting away. It is changed as a whole. */
const Value = Schema.Union([Schema.String, Schema.Finite, Schema.Boolean, Schema.Array(Schema.Json), Schema.JsonObject])

const Custom = Schema.Record(Schema.String, Value).check(areNamed)

// ── the three shapes

/** What a user sees: every field has a value, and there are not too many. */
export const Settings = Schema.Struct({
  display: Display,
  notifications: Notifications,
  editor: Editor,
  custom: Custom.check(Schema.isMaxProperties(100))
})
export type Settings = typeof Settings.Type

const optional = Struct.map(Schema.optionalKey)

/** What a user has chosen. A field that is not here has its default, whatever that is by then. */
export const Choices = Schema.Struct({
  display: Display.mapFields(optional),
  notifications: Notifications.mapFields(optional),
  editor: Editor.mapFields(optional),
  custom: Custom
})
export type Choices = typeof Choices.Type

const nullable = Struct.map(Schema.NullOr)

/** What shall be different. Fields that are left out stay as they are; null gives a field back to its default. */
export const Changes = Schema.Struct({
  display: Display.mapFields(nullable).mapFields(optional),
  notifications: Notifications.mapFields(nullable).mapFields(optional),
  editor: Editor.mapFields(nullable).mapFields(optional),
  custom: Schema.Record(Schema.String, Schema.NullOr(Value)).check(areNamed)
}).mapFields(optional)
export type Changes = typeof Changes.Type

/** What a new user sees. */
export const defaults: Settings = {
  display: { theme: "auto", timezone: "UTC", dateFormat: "YYYY-MM-DD", timeFormat: "24h" },
  notifications: {
    executionCompleted: true,
    executionFailed: true,
    systemUpdates: true,
    securityAlerts: true,
    channels: ["in_app"]
  },
  editor: { fontSize: 14, tabSize: 4, useTabs: false, wordWrap: true, showLineNumbers: true },
  custom: {}
}

/** What a new user has chosen. */
export const nothing: Choices = { display: {}, notifications: {}, editor: {}, custom: {} }

// ── how one leads to the other

/** What choices come to. */
export const settingsOf = (choices: Choices): Settings => ({
  display: { ...defaults.display, ...choices.display },
  notifications: { ...defaults.notifications, ...choices.notifications },
  editor: { ...defaults.editor, ...choices.editor },
  custom: choices.custom
})

/** Whether choices come to settings that fit; they are changed field by field, and may fit each but not together. */
export const validate = (choices: Choices) => Schema.decodeResult(Settings)(settingsOf(choices))

/** Changes some choices, area by area and field by field. */
export const merge = (choices: Choices, changes: Changes): Choices =>
  decodeChoices(
    Record.map(choices, (fields, area) => Record.filter({ ...fields, ...changes[area] }, Predicate.isNotNull))
  )

/** What leads from some choices to others: `merge(from, diff(from, to))` is `to`. Empty if they are the same. */
export const diff = (from: Choices, to: Choices): Changes =>
  decodeChanges(
    Record.filter(Record.map(to, (fields, area) => diffFields(from[area], fields)), (fields) => !isEmpty(fields))
  )

/** All that was chosen is given back to its default, unless it is chosen still; of this, what makes a difference. */
const diffFields = (from: Fields, to: Fields): Fields =>
  Record.filter({ ...Record.map(from, () => null), ...to }, (value, field) => !Equal.equals(value, from[field]))

type Fields = { readonly [field: string]: Schema.Json }

/** Whether there is nothing to change. */
export const isEmpty = (changes: object): boolean => Object.keys(changes).length === 0

const decodeChoices = Schema.decodeUnknownSync(Choices)
const decodeChanges = Schema.decodeUnknownSync(Changes)
