/** Files of commands, read as they are: every line with its number, wherever the chunks of the file end. */
import { assert, it } from "@effect/vitest"
import { Effect, Option, Stream } from "effect"
import { gzipSync } from "node:zlib"
import * as CommandFile from "../../src/cli/CommandFile.ts"
import { makeFile } from "./processes.ts"

const words = [
  "",
  "a",
  "ü",
  "€",
  "😀",
  "{}",
  "  ",
  "\t",
  "\"\\n\"",
  "x".repeat(5_000),
  "€".repeat(3_000),
  "😀".repeat(20_000)
]

/** Lines of all lengths, with characters of all lengths, so that a chunk ends inside of every kind of them. */
const texts = Array.from(
  { length: 3_000 },
  (_, index) => `${words[(index * index) % words.length]}${index % 13}`.repeat(index % 3)
)

const packings = [["log.ndjson", "", Buffer.from], ["log.ndjson.gz", "", gzipSync], [
  "log",
  ", gzipped,",
  gzipSync
]] as const
for (const [name, how, content] of packings) {
  it.effect(`${name}${how} gives every line its number and its text, and passes over empty ones`, () =>
    Effect.gen(function*() {
      const file = yield* CommandFile.open(makeFile(name, content(texts.join("\n"))))
      const lines = yield* Stream.runCollect(file.lines)
      const expected = texts.map((text, index) => ({ number: index + 1, text: text.trim(), problem: undefined }))
        .filter(({ text }) => text !== "")
      assert.deepStrictEqual(lines, expected)
      assert.deepStrictEqual(file.count, Option.some(expected.length))
    }))
}

it.effect("an empty file has no lines, and a name", () =>
  Effect.gen(function*() {
    const file = yield* CommandFile.open(makeFile("log.ndjson", ""))
    assert.deepStrictEqual(yield* Stream.runCollect(file.lines), [])
    assert.strictEqual(file.batch, "e3b0c44298fc1c149afbf4c8996fb92427ae41e4649b934ca495991b7852b855")
  }))

it.effect("is the same batch whatever blanks stand at its end, and another one where a line has another number", () =>
  Effect.gen(function*() {
    const batchOf = (content: string) =>
      Effect.map(CommandFile.open(makeFile("log.ndjson", content)), ({ batch }) => batch)
    const batch = yield* batchOf("{}\n1\n")
    for (const content of ["{}\n1", "{}\n1\n\n", "{}\r\n1\r\n", "{}\n1\n \n\t\n"]) {
      assert.strictEqual(yield* batchOf(content), batch)
    }
    const others = yield* Effect.forEach(["\n{}\n1\n", "{}\n\n1\n", "1\n{}\n", "{}\n", "{}1\n"], batchOf)
    assert.strictEqual(new Set([batch, ...others]).size, 6)
  }))

it.effect("a batch that is given goes before the content", () =>
  Effect.gen(function*() {
    assert.strictEqual((yield* CommandFile.open(makeFile("log.ndjson", "{}"), "monday")).batch, "monday")
  }))
