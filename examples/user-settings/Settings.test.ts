/** How choices, changes and defaults lead to one another, whatever they are. */
import { assert, it } from "@effect/vitest"
import { Result, Schema } from "effect"
import { SomeChanges, SomeChoices } from "./fixtures.ts"
import { Changes, type Choices, defaults, diff, merge, nothing, settingsOf, validate } from "./Settings.ts"

const merged = (choices: Choices, ...all: ReadonlyArray<Changes>): Choices => all.reduce<Choices>(merge, choices)

/** The same, told in another way: a table of what was chosen last, laid over the defaults. */
const told = (all: ReadonlyArray<Changes>) => {
  const chosen = new Map<string, readonly [area: string, field: string, value: unknown]>()
  for (const [area, fields] of all.flatMap((changes) => Object.entries(changes))) {
    for (const [field, value] of Object.entries(fields)) chosen.set(`${area}/${field}`, [area, field, value])
  }
  const settings: Record<string, Record<string, unknown>> = structuredClone(defaults)
  for (const [area, field, value] of chosen.values()) if (value !== null) settings[area]![field] = value
  return settings
}

it("a new user has the defaults", () => {
  assert.deepStrictEqual(settingsOf(nothing), defaults)
})

it.prop("settings are the defaults with all changes over them, in order", [Schema.Array(SomeChanges)], ([all]) => {
  assert.deepStrictEqual<unknown>(settingsOf(merged(nothing, ...all)), told(all))
})

it.prop("settings fit their schema, whatever was chosen", [SomeChoices, SomeChanges], ([choices, changes]) => {
  const after = merged(choices, changes)
  assert.deepStrictEqual(validate(after), Result.succeed(settingsOf(after)))
})

it.prop("a field that is not named stays as it was, in the area of one that is", [SomeChoices], ([choices]) => {
  const { editor, ...others } = merged(choices, { editor: { tabSize: 8 } })
  assert.deepStrictEqual({ editor, ...others }, { ...choices, editor: { ...choices.editor, tabSize: 8 } })
})

it.prop("no changes change nothing, and nothing is what leads to the same", [SomeChoices], ([choices]) => {
  assert.deepStrictEqual(merged(choices, {}, { display: {}, custom: {} }), choices)
  assert.deepStrictEqual(diff(choices, choices), {})
})

it.prop("what leads from some choices to others leads there", [SomeChoices, SomeChoices], ([from, to]) => {
  assert.deepStrictEqual(merged(from, diff(from, to)), to)
})

it.prop("what leads there names no field in vain", [SomeChoices, SomeChoices], ([from, to]) => {
  for (const [area, fields] of Object.entries(diff(from, to))) {
    for (const [field, value] of Object.entries(fields)) {
      const alone = Schema.decodeUnknownSync(Changes)({ [area]: { [field]: value } })
      assert.notDeepEqual(merged(from, alone), from, `${area}/${field}`)
    }
  }
})

it("a hundred custom settings fit, and no more", () => {
  const many = Object.fromEntries(Array.from({ length: 100 }, (_, index) => [`setting-${index}`, index]))
  const full = merged(nothing, { custom: many })
  assert.deepStrictEqual(full.custom, many)
  assert.isTrue(Result.isSuccess(validate(full)))
  assert.isTrue(Result.isFailure(validate(merged(full, { custom: { more: 1 } }))))
  assert.isTrue(Result.isSuccess(validate(merged(full, { custom: { more: 1, "setting-0": null } }))))
})
