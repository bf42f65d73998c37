/** What makes two payloads the same: what they say, not how today's schema describes it. */
import { assert, it } from "@effect/vitest"
import { Effect, Schema } from "effect"
import * as Aggregate from "../../src/Aggregate.ts"
import type { Fields } from "../../src/Command.ts"
import * as Event from "../../src/Event.ts"
import { start, stores, tagOf } from "../fixtures/Runtimes.ts"

const Noted = Event.union({ Noted: {} })

/** Starts an aggregate whose one command carries such fields. */
const startNotes = (fields: Fields) => {
  class Notes extends Aggregate.Service<Notes>()("Note", {
    state: Schema.Int,
    events: Noted,
    commands: [Aggregate.command("note", { payload: fields, success: Schema.Int })]
  }) {}
  const live = Notes.toLayer({
    initial: 0,
    evolve: { Noted: (count) => count + 1 },
    handlers: { note: ({ state }) => Aggregate.decide([Noted.cases.Noted.make({})], { reply: state + 1 }) }
  })
  return start(Notes, live)
}

it.effect(
  "I5: a command stays the same when its payload's schema is annotated, checked, or given an optional field",
  Effect.fnUntraced(function*() {
    const releases = [
      yield* startNotes({ text: Schema.String }),
      yield* startNotes({ text: Schema.String.annotate({ description: "what is noted" }) }),
      yield* startNotes({ text: Schema.String.check(Schema.isMaxLength(100)) }),
      yield* startNotes({ text: Schema.String, author: Schema.optionalKey(Schema.String) })
    ]
    for (const notes of releases) {
      assert.strictEqual(yield* notes.of("n", { commandId: "c" }).note({ text: "hello" }), 1)
    }
    const [first, ...later] = releases
    assert.strictEqual(yield* tagOf(first!.of("n", { commandId: "c" }).note({ text: "bye" })), "CommandIdReused")
    for (const notes of later) {
      assert.strictEqual(yield* tagOf(notes.of("n", { commandId: "c" }).note({ text: "bye" })), "CommandIdReused")
    }
  }, Effect.provide(stores))
)

it.effect(
  "I5: values that are written alike are not taken for each other",
  Effect.fnUntraced(function*() {
    const any = Schema.Union([Schema.Number, Schema.String, Schema.BigInt, Schema.Date])
    const notes = yield* startNotes({ value: any, list: Schema.optionalKey(Schema.Array(any)) })
    const time = new Date("2026-01-02T03:04:05.678Z")
    const pairs = [[Number.NaN, "NaN"], [Infinity, "Infinity"], [12n, "12"], [
      time,
      "2026-01-02T03:04:05.678Z"
    ]] as const
    for (const [value, text] of pairs) {
      const { note } = notes.of("n", { commandId: `${text}` })
      const reply = yield* note({ value })
      assert.strictEqual(yield* note({ value }), reply)
      assert.strictEqual(yield* tagOf(note({ value: text })), "CommandIdReused")
      const nested = notes.of("n", { commandId: `${text} in a list` })
      const first = yield* nested.note({ value: text, list: [text, value] })
      assert.strictEqual(yield* nested.note({ value: text, list: [text, value] }), first)
      assert.strictEqual(yield* tagOf(nested.note({ value: text, list: [value, text] })), "CommandIdReused")
    }
  }, Effect.provide(stores))
)

it.effect(
  "I5: the same JSON under two schemas is another payload where it stands for other values",
  Effect.fnUntraced(function*() {
    const texts = yield* startNotes({ value: Schema.String })
    const numbers = yield* startNotes({ value: Schema.Number })
    yield* texts.of("n", { commandId: "c" }).note({ value: "NaN" })
    const { note } = numbers.of("n", { commandId: "c" })
    assert.strictEqual(yield* tagOf(note({ value: Number.NaN })), "CommandIdReused")
  }, Effect.provide(stores))
)
