/** How a line ends when something beside the file is wrong: the store is away, or the app has a defect. */
import { assert, it } from "@effect/vitest"
import { Duration, Effect, Exit, Fiber, Layer, Option, Schema, Stream } from "effect"
import { TestClock } from "effect/testing"
import * as Aggregate from "../../src/Aggregate.ts"
import * as App from "../../src/cli/App.ts"
import * as Run from "../../src/cli/Run.ts"
import * as StatusLine from "../../src/cli/StatusLine.ts"
import * as Event from "../../src/Event.ts"
import { untyped } from "../../src/internal/types.ts"
import * as FaultyStore from "../../src/testing/FaultyStore.ts"
import * as Worker from "../../src/Worker.ts"
import { stores } from "../fixtures/Runtimes.ts"

const TallyEvent = Event.union({ Counted: {} })

class Tallies extends Aggregate.Service<Tallies>()("Tally", {
  state: Schema.Int,
  events: TallyEvent,
  commands: [Aggregate.command("count", { payload: { how: Schema.String } })]
}) {}

const thrown = (message: string): never => {
  throw new Error(message)
}

/** Counts words, and goes wrong wherever a line says so. */
const app = App.make({
  name: "tally",
  aggregates: Tallies.toLayer({
    initial: 0,
    evolve: { Counted: (total) => total + 1 },
    handlers: {
      count: ({ payload: { how } }) =>
        how === "handler" ? thrown("no ink") : Aggregate.decide([TallyEvent.cases.Counted.make({})])
    }
  }),
  line: Schema.Struct({ word: Schema.String, how: Schema.String }),
  key: ({ how, word }) => how === "key" ? thrown("no key") : word,
  execute: ({ how, word }, commandId) =>
    how === "execute"
      ? thrown("no hands")
      : how === "nothing"
      ? untyped(undefined)
      : how === "untagged"
      ? Effect.fail(untyped<App.Rejection>("no"))
      : Effect.flatMap(Tallies, (tallies) => tallies.of(word, { commandId }).count({ how }))
})

const live = Worker.layer({ aggregates: [app.aggregates] }).pipe(Layer.provideMerge(stores))

/** Runs lines that say how they go wrong; what was said, without the progress. */
const begin = Effect.fnUntraced(function*(hows: ReadonlyArray<string>) {
  const said: Array<string> = []
  const status = StatusLine.make({ write: (text) => said.push(text) })
  const texts = hows.map((how, index) => JSON.stringify({ word: `w${index}`, how }))
  const lines = Stream.fromIterable(texts.map((text, index) => ({ number: index + 1, text, problem: undefined })))
  const options = { strict: false, concurrency: 64, patience: Duration.seconds(30) }
  const running = yield* Effect.forkChild(
    Effect.exit(Run.run(app, { batch: "batch", count: Option.none(), lines }, options, status)),
    { startImmediately: true }
  )
  return { running, said: () => said.filter((text) => !text.includes(" lines · ")) }
})

const place = / \(\/.*\/test\/cli\/Outcomes\.test\.ts:\d+\)/

it.effect("an app that returns no Effect has a defect, and one that fails without a tag is counted by what it gave", () =>
  Effect.gen(function*() {
    const { running, said } = yield* begin(["nothing", "untagged", "well"])
    const summary = yield* yield* Fiber.join(running)
    assert.deepStrictEqual([summary.accepted, summary.bad, summary.lines], [1, 1, 3])
    assert.deepStrictEqual(summary.rejected, { "a failure without a tag (string)": 1 })
    assert.deepStrictEqual(said().map((text) => text.replace(/ \(\/.*\)/, "")), [
      "line 1 is bad: its handler ended in a defect: the app's execute returned no Effect but undefined\n"
    ])
  }).pipe(Effect.provide(live)))

it.effect("a defect of the app makes its line bad, wherever it is, and no other", () =>
  Effect.gen(function*() {
    const { running, said } = yield* begin(["well", "handler", "execute", "key", "well"])
    const summary = yield* yield* Fiber.join(running)
    assert.deepStrictEqual([summary.accepted, summary.bad, summary.lines, summary.position], [2, 3, 5, "2"])
    assert.match(said().join(""), place)
    assert.sameMembers(said().map((text) => text.replace(place, "")), [
      "line 2 is bad: its handler ended in a defect: no ink\n",
      "line 3 is bad: its handler ended in a defect: no hands\n",
      "line 4 is bad: its key cannot be told: no key\n"
    ])
  }).pipe(Effect.provide(live)))

it.effect("a store that is away for a while is waited for, which is said once each time", () =>
  Effect.gen(function*() {
    const { always, heal } = yield* FaultyStore.FaultyStore
    yield* always("append", FaultyStore.unavailable)
    const { running, said } = yield* begin(["well", "well", "well"])
    yield* TestClock.adjust("20 seconds")
    assert.deepStrictEqual(said(), [
      "The store is unavailable (any): out of reach, as the test commanded. Trying again for up to 30s …\n"
    ])
    yield* heal
    yield* TestClock.adjust("2 seconds")
    const summary = yield* yield* Fiber.join(running)
    assert.deepStrictEqual([summary.accepted, summary.bad, summary.position], [3, 0, "3"])
    assert.lengthOf(said(), 1)
  }).pipe(Effect.provide(live)))

it.effect("a store that stays away stops the run, which names a line and why, and counts nothing as done", () =>
  Effect.gen(function*() {
    const { always, heal } = yield* FaultyStore.FaultyStore
    yield* always("append", FaultyStore.unavailable, FaultyStore.onStream("w1"))
    const { running } = yield* begin(["well", "well", "well"])
    yield* TestClock.adjust("40 seconds")
    const problem = "The store is unavailable (any): out of reach, as the test commanded"
    assert.deepStrictEqual(yield* Fiber.join(running), Exit.fail(new Run.RunStopped({ line: 2, problem })))
    // Again, and it is completed: what was done is not done twice.
    yield* heal
    const again = yield* yield* Fiber.join((yield* begin(["well", "well", "well"])).running)
    assert.deepStrictEqual([again.accepted, again.position], [3, "3"])
  }).pipe(Effect.provide(live)))

it.effect("an append that was lost is settled: the line is done once", () =>
  Effect.gen(function*() {
    const { next } = yield* FaultyStore.FaultyStore
    yield* next("append", FaultyStore.lostAfter, FaultyStore.lostBefore, FaultyStore.lostAfter)
    const { running } = yield* begin(["well", "well", "well"])
    yield* TestClock.adjust("30 seconds")
    const summary = yield* yield* Fiber.join(running)
    assert.deepStrictEqual([summary.accepted, summary.bad, summary.position], [3, 0, "3"])
  }).pipe(Effect.provide(live)))
