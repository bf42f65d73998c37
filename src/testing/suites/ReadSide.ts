/**
 * What the suites of the read side write and read back: readers, views and documents that no other test knows.
 */
import { assert } from "@effect/vitest"
import { assertTrue } from "@effect/vitest/utils"
import { Cause, Effect, Exit } from "effect"
import { SecureRandom } from "effect/crypto"
import { TestClock } from "effect/testing"
import type { CheckpointId, Step } from "../../CheckpointStore.ts"
import { CheckpointStore } from "../../CheckpointStore.ts"
import type { NewDeadLetter, ReaderId } from "../../DeadLetters.ts"
import type { Position } from "../../Event.ts"
import {
  type DocumentChange,
  type ViewDefinition,
  type ViewId,
  type ViewIndex,
  type ViewQuery,
  ViewStore
} from "../../ViewStore.ts"
import * as Sample from "./Sample.ts"

/** A checkpoint that no other test knows. */
export const checkpoint = (parts: Partial<CheckpointId> = {}): CheckpointId => ({
  name: Sample.name("reader"),
  version: 1,
  partition: 0,
  ...parts
})

/** A step of it. */
export const step = (id: CheckpointId, revision: number, to: Position, epoch = "epoch"): Step => ({
  id,
  revision,
  to,
  epoch
})

/** A reader that no other test knows. */
export const reader = (parts: Partial<ReaderId> = {}): ReaderId => ({
  name: Sample.name("reader"),
  version: 1,
  ...parts
})

/** A letter of an event that nobody could work off. */
export const letter = (reader: ReaderId, position: Position, parts: Partial<NewDeadLetter> = {}): NewDeadLetter => ({
  reader,
  position,
  stream: { tenant: "t", category: "c", id: `${position}` },
  type: "Happened",
  reason: "HandlerFailed",
  error: `at ${position}`,
  ...parts
})

/** A view that no other test knows. */
export const view = (indexes: ReadonlyArray<ViewIndex> = []): ViewDefinition => ({
  name: `v-${SecureRandom.uuidV4Unsafe()}`,
  version: 1,
  indexes
})

/** A view of its own that has room. */
export const prepared = Effect.fnUntraced(function*(indexes: ReadonlyArray<ViewIndex> = []) {
  const made = view(indexes)
  yield* (yield* ViewStore).prepare(made)
  return made
})

/** The tenant of what says nothing else. */
export const tenant = "t"

/** A document under a key. */
export const put = (key: string, document: unknown, of = tenant): DocumentChange => ({
  tenant: of,
  key,
  document: JSON.stringify(document)
})

/** The end of a document. */
export const gone = (key: string, of = tenant): DocumentChange => ({ tenant: of, key, document: undefined })

/** Writes documents. */
export const write = (view: ViewId, ...changes: ReadonlyArray<DocumentChange>) =>
  Effect.flatMap(ViewStore, (views) => views.write(view, changes))

/** The document under a key, as it was written. */
export const documentAt = Effect.fnUntraced(function*(view: ViewId, key: string, of = tenant) {
  const [found] = yield* (yield* ViewStore).read(view, [{ tenant: of, key }])
  return found?.document
})

/** The keys that a query finds, in its order. */
export const keys = (view: ViewDefinition, query: Partial<ViewQuery> = {}) =>
  Effect.flatMap(
    ViewStore,
    (views) => Effect.map(views.list(view, { tenant, limit: 1_000, ...query }), (found) => found.map(({ key }) => key))
  )

/** What an Effect dies of; nothing of it was answered. */
export const defectOf = <A, E, R>(effect: Effect.Effect<A, E, R>) =>
  Effect.map(Effect.exit(effect), (exit) => {
    if (Exit.isSuccess(exit)) return assert.fail(`a defect is expected, not ${Sample.describe(exit.value)}`)
    assertTrue(Exit.hasDies(exit) && !Exit.hasFails(exit), Cause.pretty(exit.cause))
    return Cause.squash(exit.cause)
  })

/** It dies because of what it was given, and says so. */
export const refused = <A, E, R>(effect: Effect.Effect<A, E, R>) =>
  Effect.map(defectOf(effect), (defect) => {
    const tag = typeof defect === "object" && defect !== null && "_tag" in defect ? defect._tag : defect
    assert.include(["InputInvalid", "LimitExceeded"], tag)
  })

/** Changes whatever can be changed in a value, as deep as it goes. */
export const spoil = (value: unknown): void => {
  if (typeof value !== "object" || value === null) return
  for (const key of Object.keys(value)) {
    spoil(Reflect.get(value, key))
    Reflect.set(value, key, "spoilt")
  }
  if (Array.isArray(value)) Reflect.set(value, "length", 0)
}

/** The time of the store's clock. */
export const nowMillis = Effect.gen(function*() {
  const store = yield* CheckpointStore
  return (yield* store.pause(checkpoint({ name: "clock of the suites" }), "", "epoch")).updatedAtMillis
})

/** Lets time pass until the store's clock has moved on, be it virtual or its own. */
export const laterMillis = Effect.gen(function*() {
  const before = yield* nowMillis
  while (true) {
    yield* TestClock.adjust(1)
    const now = yield* nowMillis
    if (now > before) return now
  }
})
