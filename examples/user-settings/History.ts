/**
 * The past of a user's settings: what changed, from what to what and why; and the way back.
 */
import { Array, Effect, Option, Schema, Stream } from "effect"
import type { HandleOptions } from "varve/AggregateHost"
import type { Recorded, Version } from "varve/Event"
import { type Choices, merge, type Settings, settingsOf } from "./Settings.ts"
import { type SettingsEvent, UserSettings } from "./UserSettings.ts"

/** One field that changed. */
export interface Entry {
  readonly version: Version
  readonly at: Date
  /** The area and the field: "/editor/tabSize". */
  readonly field: string
  /** What the user saw; undefined for a custom setting that was not there. */
  readonly oldValue: Schema.Json | undefined
  readonly newValue: Schema.Json | undefined
  readonly reason: string | undefined
}

/** The changes of a user's settings, the newest first; at most `limit` of them, 50 unless given. */
export const history = Effect.fnUntraced(function*(user: string, { limit = 50 }: { readonly limit?: number } = {}) {
  const users = yield* UserSettings
  // Every event changes at least one field, so as many events are enough.
  const newest = yield* users.history(user, { direction: "backwards" }).pipe(Stream.take(limit), Stream.runCollect)
  const oldest = newest.at(-1)
  if (oldest === undefined) return []
  const { state } = yield* users.stateAt(user, { version: oldest.version - 1 })
  const [, entries] = Array.mapAccum(newest.toReversed(), state, (before, recorded) => {
    const after = merge(before, recorded.event.changes)
    return [after, entriesOf(recorded, before, after)]
  })
  return entries.toReversed().flat().slice(0, limit)
})

/** What an event changed. */
export const entriesOf = (
  { event: { changes, reason }, recordedAt, version }: Pick<
    Recorded<SettingsEvent>,
    "event" | "recordedAt" | "version"
  >,
  before: Choices,
  after: Choices
): ReadonlyArray<Entry> => {
  const [old, now] = [flat(settingsOf(before)), flat(settingsOf(after))]
  return Object.keys(flat(changes)).map((field) => ({
    version,
    at: recordedAt,
    field,
    oldValue: old[field],
    newValue: now[field],
    reason
  }))
}

/** The values by area and field. */
const flat = (areas: { readonly [area in keyof Settings]?: object }): { readonly [field: string]: Schema.Json } =>
  Object.fromEntries(
    Object.entries(areas).flatMap(([area, fields]) =>
      Object.entries(fields).map(([field, value]) => [`/${area}/${field}`, value])
    )
  )

/** How often a user's settings were changed, since when, and when last; nothing for a new user. */
export const summary = Effect.fnUntraced(function*(user: string) {
  const users = yield* UserSettings
  const first = yield* Stream.runHead(users.history(user, { to: 1 }))
  const last = yield* Stream.runHead(users.history(user, { direction: "backwards" }))
  return Option.map(Option.all([first, last]), ([created, updated]) => ({
    version: updated.version,
    createdAt: created.recordedAt,
    updatedAt: updated.recordedAt
  }))
})

/** What one may go back to is over: until then it may still change. */
export class NotOver extends Schema.TaggedError<NotOver>()("NotOver", { time: Schema.Date }) {}

/**
 * Makes a user's settings what they were at a time. That is one more change: so they stay restored, it shows in the
 * history, and it can be taken back in the same way.
 */
export const restore = Effect.fnUntraced(function*(
  user: string,
  time: Date,
  { reason, ...options }: HandleOptions & { readonly reason?: string } = {}
) {
  const users = yield* UserSettings
  const { settled, state } = yield* users.stateAt(user, { time })
  if (!settled) return yield* new NotOver({ time })
  return yield* users.of(user, options).replace({
    choices: state,
    reason: reason ?? `Restored to ${time.toISOString()}`
  })
})
