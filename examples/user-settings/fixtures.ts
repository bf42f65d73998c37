/** What the tests of the settings share: changes of all kinds, and processes that come and go on one store. */
import { Effect, Layer, Schema, Struct } from "effect"
import * as AggregateRuntime from "varve/AggregateRuntime"
import { Changes, Choices, merge, nothing, type Settings, settingsOf } from "./Settings.ts"
import { UserSettings, UserSettingsLive } from "./UserSettings.ts"

/** Not -0, which is another number than 0 to a test, and the same in JSON. */
const Number = Schema.Int.check(Schema.isGreaterThan(0))

const Value = Schema.Union([Number, Schema.Boolean, Schema.Array(Number), Schema.Struct({ deep: Number })])

/** Few names, so that changes meet; and one that every object has already. */
const custom = { tea: Value, keys: Value, constructor: Value }

const optional = Struct.map(Schema.optionalKey)

/** Some changes, as `it.prop` makes them up. */
export const SomeChanges = Changes.mapFields(
  Struct.assign({ custom: Schema.optionalKey(Schema.Struct(optional(Struct.map(custom, Schema.NullOr)))) })
)

/** Some choices. */
export const SomeChoices = Choices.mapFields(Struct.assign({ custom: Schema.Struct(optional(custom)) }))

/** What changes come to, one after the other. */
export const settingsAfter = (all: ReadonlyArray<Changes>): Settings => settingsOf(all.reduce<Choices>(merge, nothing))

/** Changes that are others for each number. */
export const numbered = (number: number): Changes => ({
  editor: { fontSize: 8 + number % 25 },
  custom: { [`setting-${number % 7}`]: number }
})

/** Carries out what one process does. */
export type Process = <A, E>(does: Effect.Effect<A, E, UserSettings>) => Effect.Effect<A, E>

/** Starts a process: it has its own aggregates on the store that all share, until the scope closes. */
export const start = (options: AggregateRuntime.Options = {}) =>
  UserSettingsLive.pipe(
    Layer.provide(AggregateRuntime.layerWith(options)),
    Layer.fresh,
    Layer.build,
    Effect.map((context): Process => Effect.provide(context))
  )

/** Changes a user's settings. */
export const update = Effect.fnUntraced(function*(user: string, changes: Changes, reason?: string) {
  const users = yield* UserSettings
  return yield* users.of(user).update({ changes, ...reason !== undefined && { reason } })
})

/** The version of a user's settings, as a command is answered. */
export const version = Effect.fnUntraced(function*(user: string) {
  return (yield* (yield* UserSettings).of(user, { returning: "commit" }).update({ changes: {} })).version
})
