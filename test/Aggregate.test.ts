/** Definitions: a mistake in a name is found when the program starts, not when the first command comes. */
import { assert, it } from "@effect/vitest"
import { Schema } from "effect"
import * as Aggregate from "../src/Aggregate.ts"
import * as Command from "../src/Command.ts"
import * as Event from "../src/Event.ts"
import { untyped } from "../src/internal/types.ts"

const define = (name: string, commands: ReadonlyArray<Command.Any> = [], prefix?: string) =>
  Aggregate.Service<never>()(name, {
    state: Schema.Int,
    events: Event.union({ Counted: {} }, { prefix }),
    commands: untyped<readonly []>(commands)
  })

const command = (name: string) => Command.make<string>(name)

const mistakes: ReadonlyArray<readonly [string, () => unknown, string]> = [
  ["an aggregate without a name", () => define(""), "The name of an aggregate is not valid: it is empty."],
  ["NUL in its name", () => define("\0"), "The name of an aggregate is not valid: it contains a NUL character."],
  [
    "a name that is too long",
    () => define("n".repeat(300)),
    "The name of an aggregate has 300 characters; at most 255 are allowed."
  ],
  [
    "a type of event that is too long",
    () => define("Count", [], "p".repeat(250)),
    `The type "${"p".repeat(250)}Counted" of an event of Count has 257 characters; at most 255 are allowed.`
  ],
  ["a command without a name", () => command(""), "The name of a command is not valid: it is empty."],
  [
    "two commands of one name",
    () => define("Count", [command("count"), command("look"), command("count")]),
    "The aggregate \"Count\" has two commands named \"count\"."
  ]
]

for (const [what, make, problem] of mistakes) {
  it(`refuses ${what} where it is defined`, () => {
    assert.throws(make, TypeError, problem)
  })
}

it("takes any other name", () => {
  assert.strictEqual(define("n".repeat(255), [command("constructor"), command("été")]).definition.commands.length, 2)
})
