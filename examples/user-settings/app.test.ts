/** What comes of the lines of `changes.ndjson`. */
import { assert, it } from "@effect/vitest"
import { Duration, Effect, Layer } from "effect"
import { fileURLToPath } from "node:url"
import * as Memory from "varve/memory/Memory"
import * as Worker from "varve/Worker"
import * as CommandFile from "../../src/cli/CommandFile.ts"
import * as Run from "../../src/cli/Run.ts"
import * as StatusLine from "../../src/cli/StatusLine.ts"
import app from "./app.ts"
import { defaults } from "./Settings.ts"
import { fresh } from "./UserSettings.ts"

const path = fileURLToPath(new URL("changes.ndjson", import.meta.url))

const live = Worker.layer({ aggregates: [app.aggregates] }).pipe(Layer.provideMerge(Memory.layer))

/** Runs the file; `said` is what was said about bad lines. */
const run = Effect.gen(function*() {
  const said: Array<string> = []
  const status = StatusLine.make({ write: (text) => said.push(text) })
  const options = { strict: false, concurrency: 64, patience: Duration.seconds(30) }
  const { accepted, bad, position, rejected } = yield* Run.run(app, yield* CommandFile.open(path), options, status)
  return { summary: { accepted, rejected, bad, position }, said: said.filter((text) => text.startsWith("line ")) }
})

it.effect("are carried out in the order of their user; bad ones are named, an empty one is no event", () =>
  Effect.gen(function*() {
    const { said, summary } = yield* run
    assert.deepStrictEqual(summary, { accepted: 6, rejected: {}, bad: 3, position: "5" })
    assert.deepStrictEqual(said, [
      "line 5 is bad: Expected a value between 8 and 32 at [\"changes\"][\"editor\"][\"fontSize\"]\n",
      "line 7 is bad: Expected the name of a setting at [\"changes\"][\"custom\"][\"Not a name\"]\n",
      "line 9 is bad: Expected \"light\" | \"dark\" | \"auto\" at [\"changes\"][\"display\"][\"theme\"]\n"
    ])
    assert.deepStrictEqual(yield* fresh("ada"), {
      ...defaults,
      display: { ...defaults.display, timezone: "Europe/London" },
      editor: { ...defaults.editor, tabSize: 2 }
    })
    assert.deepStrictEqual(yield* fresh("grace"), {
      ...defaults,
      notifications: { ...defaults.notifications, channels: ["in_app", "email"] },
      custom: { "vim.mode": true }
    })
  }).pipe(Effect.provide(live)))

it.effect("are carried out once, however often the file is run", () =>
  Effect.gen(function*() {
    const first = yield* run
    assert.deepStrictEqual(yield* run, first)
  }).pipe(Effect.provide(live)))
