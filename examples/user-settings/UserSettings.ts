/**
 * The aggregate: a user's choices, changed by one kind of event, which says what changed and why.
 */
import { Effect, Result, Schema } from "effect"
import * as Aggregate from "varve/Aggregate"
import * as Event from "varve/Event"
import { Changes, Choices, diff, isEmpty, merge, nothing, Settings, settingsOf, validate } from "./Settings.ts"

// ── what has happened, for ever

/** Why somebody changed something, in their own words. */
export const Reason = Schema.NonEmptyString.check(Schema.isMaxLength(500))

export const SettingsEvent = Event.union({
  UserSettingsUpdated: { changes: Changes, reason: Schema.optionalKey(Reason) }
})
export type SettingsEvent = typeof SettingsEvent.Type
export const { UserSettingsUpdated } = SettingsEvent.cases

// ── what may be asked, and how it may be refused

/** Each field fits, but not all of them together. */
export class SettingsInvalid extends Schema.TaggedError<SettingsInvalid>()("SettingsInvalid", {
  user: Schema.String,
  problem: Schema.String
}) {}

export class UserSettings extends Aggregate.Service<UserSettings>()("UserSettings", {
  state: Choices,
  events: SettingsEvent,
  commands: [
    /** Changes some fields. What changes nothing is no event. */
    Aggregate.command("update", {
      payload: { changes: Changes, reason: Schema.optionalKey(Reason) },
      success: Settings,
      error: SettingsInvalid
    }),
    /** Makes these the choices, whatever they are by now. */
    Aggregate.command("replace", {
      payload: { choices: Choices, reason: Schema.optionalKey(Reason) },
      success: Settings,
      error: SettingsInvalid
    })
  ]
}) {}

// ── how it is decided, and what it leads to

interface Given {
  readonly id: string
  readonly state: Choices
  readonly payload: { readonly reason?: string }
}

/** Both commands are decided alike: one event leads from the choices to others, if these differ and fit. */
const choose = ({ id, payload: { reason }, state }: Given, choices: Choices) =>
  Result.match(validate(choices), {
    onFailure: ({ message }) => new SettingsInvalid({ user: id, problem: message }),
    onSuccess: (settings) => {
      const changes = diff(state, choices)
      const event = UserSettingsUpdated.make({ changes, ...reason !== undefined && { reason } })
      return Aggregate.decide(isEmpty(changes) ? [] : [event], { reply: settings })
    }
  })

export const behavior = UserSettings.behavior({
  initial: nothing,
  evolve: {
    UserSettingsUpdated: (choices, { changes }) => merge(choices, changes)
  },
  handlers: {
    update: (given) => choose(given, merge(given.state, given.payload.changes)),
    replace: (given) => choose(given, given.payload.choices)
  }
})

/**
 * The cache is the aggregate itself, as long as it is in memory; there is no second one to keep right. It leaves memory
 * five minutes after its last command or fresh read. How many stay at most is the `maxActive` of the runtime.
 */
export const UserSettingsLive = UserSettings.toLayer(behavior, { snapshotEvery: 10, maxIdleTime: "5 minutes" })

// ── how it is read

/** A user's settings as they are at this moment, whichever process changed them. */
export const fresh = Effect.fnUntraced(function*(user: string) {
  return settingsOf(yield* (yield* UserSettings).state(user))
})

/** A user's settings as this process saw them last. Its own changes are there at once, those of others in minutes. */
export const cached = Effect.fnUntraced(function*(user: string) {
  return settingsOf(yield* (yield* UserSettings).state(user, { consistency: "resident" }))
})
