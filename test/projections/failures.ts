/**
 * Scenarios of events that cannot be worked off: nothing is passed over without a letter, and what was is taken back
 * without loss.
 */
import { assert } from "@effect/vitest"
import { Context, Effect, Latch, Result, Schema } from "effect"
import type { Stored } from "../../src/Event.ts"
import { EventStore } from "../../src/EventStore.ts"
import type { Settings } from "../../src/ProjectionHost.ts"
import { Projections, type ProjectionStatus } from "../../src/Projections.ts"
import { AccountEvent } from "../fixtures/Account.ts"
import { newEvent } from "../fixtures/Runtimes.ts"
import { assertEqual } from "./crashes.ts"
import { offline, sourcesWith, Traces } from "./traces.ts"
import {
  allEvents,
  append,
  caughtUp,
  documentsOf,
  eventually,
  grow,
  type Point,
  type Process,
  randomOf,
  scenario,
  start,
  type Stores
} from "./world.ts"

const settings: Settings = { pageEvents: 9, drainDeadline: 0 }

/** A view whose handler fails at events of 13 cents, until it is mended. */
const fragile = (options: Settings) => {
  const mended = { all: false }
  const layer = Traces.toLayer(
    sourcesWith((cents) => {
      if (cents === 13 && !mended.all) throw new Error("13 brings bad luck")
    }),
    { ...settings, ...options }
  )
  return { layer, mended }
}

const operations = ({ context }: Process<never>) => Context.get(context, Projections)

const statusOf = (process: Process<never>, name = "traces") =>
  Effect.map(operations(process).status(name), ([status]) => status!)

/** Ends when a projection fares as is said. */
export const when = (process: Process<never>, is: (status: ProjectionStatus) => boolean, name?: string) =>
  eventually(`it fares like ${is}`, statusOf(process, name), is)

/** Where the events of bad luck are. */
const unlucky = (events: ReadonlyArray<Stored>) =>
  events.filter(({ data, type }) => type.startsWith("Money") && JSON.parse(data).cents === 13)

/** Paused at the first event that fails; mended and tried again, it goes on as if nothing had been. */
export const pauses = (stores: Stores, seed: number) =>
  scenario(
    stores,
    Effect.gen(function*() {
      const { layer, mended } = fragile({})
      yield* grow(randomOf(seed), 30)
      yield* append("a-1", newEvent({ data: { cents: 13, note: "n1" } }))
      yield* append("a-2", newEvent({ data: { cents: 5 } }))
      const process = yield* start(layer, { lease: stores.lease })
      const status = yield* when(process, ({ state }) => state === "paused")
      const [first] = unlucky(yield* allEvents)
      assert.strictEqual(status.position, first!.position - 1n)
      assert.strictEqual(status.letters, 1)
      assert.match(status.why ?? "", /13 brings bad luck/)
      const [letter] = yield* operations(process).deadLetters("traces")
      assert.deepInclude(letter, { position: first!.position, type: first!.type, reason: "HandlerFailed", attempts: 3 })
      assert.strictEqual(letter!.error, "13 brings bad luck")
      // What came before is there, and nothing of what came after.
      const before = (yield* allEvents).filter(({ position }) => position < first!.position)
      assert.deepStrictEqual(
        new Map([...yield* documentsOf("traces", 1)].toSorted()),
        new Map([...offline(before)].toSorted())
      )
      mended.all = true
      assert.deepStrictEqual(yield* operations(process).retry("traces", first!.position), {
        applied: 0,
        left: undefined
      })
      yield* caughtUp(process, Traces)
      yield* assertEqual("traces", 1, `seed ${seed}`)
      assert.strictEqual((yield* statusOf(process)).letters, 0)
    })
  )

/** Each event that fails has its letter, and the others are all there; a skipped one may be had later. */
export const skips = (stores: Stores, seed: number) =>
  scenario(
    stores,
    Effect.gen(function*() {
      const { layer, mended } = fragile({ onFailure: "skip", tries: 1 })
      yield* grow(randomOf(seed), 30)
      yield* append("lucky", newEvent({ data: { cents: 1 } }), newEvent({ data: { cents: 13 } }))
      const process = yield* start(layer, { lease: stores.lease })
      yield* caughtUp(process, Traces)
      const events = yield* allEvents
      const letters = yield* operations(process).deadLetters("traces")
      assert.deepStrictEqual(letters.map(({ position }) => position), unlucky(events).map(({ position }) => position))
      const others = events.filter((event) => !unlucky(events).includes(event))
      assert.deepStrictEqual(
        new Map([...yield* documentsOf("traces", 1)].toSorted()),
        new Map([...offline(others)].toSorted())
      )
      mended.all = true
      const last = letters.at(-1)!.position
      assert.deepStrictEqual(yield* operations(process).retry("traces", last), { applied: 1, left: undefined })
      const withLast = events.filter((event) => event.position === last || others.includes(event))
      assert.deepStrictEqual((yield* documentsOf("traces", 1)).get("lucky"), offline(withLast).get("lucky"))
      assert.lengthOf(yield* operations(process).deadLetters("traces"), letters.length - 1)
    })
  )

/** Stepped over the event that it was paused at, it has nothing left to try again. */
export const stepsPastTheLetter = (stores: Stores) =>
  scenario(
    stores,
    Effect.gen(function*() {
      const { layer, mended } = fragile({ tries: 1 })
      for (const cents of [1, 13, 2]) yield* append("a-1", newEvent({ data: { cents } }))
      const process = yield* start(layer, { lease: stores.lease })
      yield* when(process, ({ state }) => state === "paused")
      const { deadLetters, resume, retry, step } = operations(process)
      assert.deepInclude(yield* step("traces"), { position: 2n, changes: [] })
      assert.lengthOf(yield* deadLetters("traces"), 1, "it failed once more")
      mended.all = true
      assert.deepInclude(yield* step("traces"), { position: 2n, failure: undefined })
      assert.lengthOf(yield* deadLetters("traces"), 0)
      yield* resume("traces")
      yield* caughtUp(process, Traces)
      assert.match((yield* Effect.flip(retry("traces", 2n))).message, /there is no letter at 2/)
      yield* assertEqual("traces", 1, "each event is applied once")
    })
  )

/** Of two who try the same skipped event again, one applies it, and the other one is told. */
export const retriesOnce = (stores: Stores) =>
  scenario(
    stores,
    Effect.gen(function*() {
      const { layer, mended } = fragile({ onFailure: "skip", tries: 1 })
      for (const cents of [1, 2, 13]) yield* append("a-1", newEvent({ data: { cents } }))
      const process = yield* start(layer, { lease: stores.lease })
      yield* caughtUp(process, Traces)
      mended.all = true
      const bothSeen = Latch.makeUnsafe()
      yield* process.next("letters.get", (call) => Effect.tap(call, bothSeen.await))
      yield* process.next("letters.get", (call) => Effect.tap(call, bothSeen.open))
      const retry = Effect.result(operations(process).retry("traces", 3n))
      const answers = yield* Effect.all([retry, retry], { concurrency: "unbounded" })
      assert.deepStrictEqual(answers.map(({ _tag }) => _tag).toSorted(), ["Failure", "Success"])
      const failure = answers.find(Result.isFailure)?.failure
      assert.match(failure?.message ?? "", /somebody else has settled its letter meanwhile/)
      yield* assertEqual("traces", 1, "each event is applied once")
      assert.lengthOf(yield* operations(process).deadLetters("traces"), 0)
    })
  )

/** Each account has a document of its own. */
const alone = { shared: false }

/**
 * The stream of an event that fails is passed over, and others go on. Mended and taken back, the view is what it would
 * be had nothing failed, also when events keep coming, when the process that takes it back dies at a point of it, and
 * when it fails once more on the way.
 */
export const quarantines = (stores: Stores, seed: number, dies: Point | undefined) =>
  scenario(
    stores,
    Effect.gen(function*() {
      const random = randomOf(seed)
      const { layer, mended } = fragile({ onFailure: "quarantine", tries: 1 })
      yield* grow(random, 20, alone)
      yield* append("a-1", newEvent({ data: { cents: 13 } }))
      yield* append("a-1", newEvent({ data: { cents: 3, note: "n2" } }), newEvent({ data: { cents: 13 } }))
      yield* grow(random, 20, alone)
      const first = yield* start(layer, { lease: stores.lease })
      yield* caughtUp(first, Traces)
      const events = yield* allEvents
      const parked = yield* operations(first).parked("traces")
      assert.isAbove(parked.length, 0)
      const passedOver = ({ id, category, position }: Stored) =>
        parked.some(({ fromPosition, stream }) =>
          stream.id === id && stream.category === category && position >= fromPosition
        )
      assert.deepStrictEqual(
        new Map([...yield* documentsOf("traces", 1)].toSorted()),
        new Map([...offline(events.filter((event) => !passedOver(event)))].toSorted()),
        "the others have gone on, and nothing of the parked ones was done"
      )
      yield* first.kill
      mended.all = true
      const second = yield* start(layer, { lease: stores.lease, dies })
      const takeBack = Effect.gen(function*() {
        yield* caughtUp(second, Traces)
        yield* grow(random, 5, alone)
        for (const { fromPosition } of yield* operations(second).parked("traces")) {
          yield* operations(second).retry("traces", fromPosition)
          yield* grow(random, 3, alone)
        }
        yield* caughtUp(second, Traces)
      })
      yield* Effect.raceFirst(
        second.died,
        Effect.catch(takeBack, () => dies === undefined ? Effect.die("failed") : second.died)
      )
      const points = second.points()
      yield* second.kill
      const third = yield* start(layer, { lease: stores.lease })
      yield* caughtUp(third, Traces)
      for (const { fromPosition } of yield* operations(third).parked("traces")) {
        assert.deepInclude(yield* operations(third).retry("traces", fromPosition), { left: undefined })
      }
      yield* caughtUp(third, Traces)
      const status = yield* statusOf(third)
      assert.deepStrictEqual([status.letters, status.parked], [0, 0])
      yield* assertEqualButForOrder(`seed ${seed}, ${JSON.stringify(dies)}`)
      return points
    })
  )

/** Whoever takes a stream back has with the answer what was passed over until then. */
export const takesBackAtOnce = (stores: Stores) =>
  scenario(
    stores,
    Effect.gen(function*() {
      const { layer, mended } = fragile({ onFailure: "quarantine", tries: 1 })
      const process = yield* start(layer, { lease: stores.lease })
      for (const cents of [13, 1, 2, 3]) {
        yield* append("a-1", newEvent({ data: { cents } }))
        yield* caughtUp(process, Traces)
      }
      mended.all = true
      assert.deepStrictEqual(yield* operations(process).retry("traces", 1n), { applied: 4, left: undefined })
      yield* assertEqual("traces", 1, "with the answer")
    })
  )

/**
 * Documents of one stream are what they would be had nothing failed. Those that several streams share have had all
 * events, in the order in which they were worked off.
 */
const assertEqualButForOrder = Effect.fnUntraced(function*(what: string) {
  const expected = offline(yield* allEvents)
  const actual = yield* documentsOf("traces", 1)
  assert.deepStrictEqual([...actual.keys()].toSorted(), [...expected.keys()].toSorted(), what)
  for (const [key, document] of expected) {
    const found = actual.get(key) as typeof document
    if (key.startsWith("note")) assert.strictEqual(found.events, document.events, `${what}: ${key}`)
    else assert.deepStrictEqual(found, document, `${what}: ${key}`)
  }
})

/** An event that is no event of its type: told apart from a handler's failure. */
export const undecodable = (stores: Stores) =>
  scenario(
    stores,
    Effect.gen(function*() {
      yield* append("a-1", newEvent({ data: { cents: 5 } }), newEvent({ data: { cents: "many" } }))
      const process = yield* start(fragile({ tries: 2 }).layer, { lease: stores.lease })
      yield* when(process, ({ state }) => state === "paused")
      const [letter] = yield* operations(process).deadLetters("traces")
      assert.deepInclude(letter, { position: 2n, reason: "Undecodable", attempts: 2 })
      // Given up for good, it is gone with its letter.
      yield* operations(process).discard("traces", 2n)
      yield* append("a-1", newEvent({ data: { cents: 6 } }))
      yield* caughtUp(process, Traces)
      assert.deepInclude((yield* documentsOf("traces", 1)).get("a-1") as object, { events: 2 })
      assert.lengthOf(yield* operations(process).deadLetters("traces"), 0)
    })
  )

class Declined extends Schema.TaggedError<Declined>()("Declined", { code: Schema.Int }) {}

/** Whatever a handler throws has its letter, which says what it was. */
export const throwsAnything = (stores: Stores) =>
  scenario(
    stores,
    Effect.gen(function*() {
      const cyclic: { _tag: string; self?: unknown } = { _tag: "Cyclic" }
      cyclic.self = cyclic
      const throwing = Object.defineProperty({}, "_tag", { get: () => assert.fail("looked at") })
      const thrown: ReadonlyArray<readonly [unknown, string]> = [
        [Object.create(null), "{}"],
        [new Declined({ code: 7 }), "Declined {\"code\":7}"],
        [{ _tag: "Declined", code: 7n }, "Declined {\"code\":\"7\"}"],
        [cyclic, "Cyclic"],
        [throwing, "it says nothing of itself"],
        [undefined, "undefined"],
        [Symbol("no"), "Symbol(no)"],
        [{ long: "x".repeat(1_000) }, `{"long":"${"x".repeat(491)}`]
      ]
      yield* append("a-1", ...thrown.map((_, index) => newEvent({ data: { cents: index + 1 } })))
      const layer = Traces.toLayer(
        sourcesWith((cents) => {
          throw thrown[cents - 1]![0]
        }),
        { ...settings, tries: 1, onFailure: "skip" }
      )
      const process = yield* start(layer, { lease: stores.lease })
      yield* caughtUp(process, Traces)
      const letters = yield* operations(process).deadLetters("traces")
      assert.deepStrictEqual(letters.map(({ error }) => error), thrown.map(([, error]) => error))
    })
  )

/** An event of a newer build: nobody pauses for it, and nothing is passed over. */
export const tooNew = (stores: Stores) =>
  scenario(
    stores,
    Effect.gen(function*() {
      yield* append("a-1", newEvent({ data: { cents: 5 } }), newEvent({ data: { cents: 6 }, schemaVersion: 2 }))
      const process = yield* start(fragile({ onFailure: "skip" }).layer, { lease: stores.lease })
      const status = yield* when(process, ({ state }) => state === "stopped")
      assert.match(status.why ?? "", /waits for a newer build at position 2/)
      assert.deepStrictEqual([status.position, status.letters], [1n, 0])
      // It has let others have the lease.
      yield* when(process, () => true)
      const { leases } = process.faults.inner
      yield* eventually("the lease is let go", leases.list, ({ length }) => length === 0)
    })
  )

/** An event that leads to what cannot be kept is found among those that were applied with it. */
export const unfit = (stores: Stores, place: number) =>
  scenario(
    stores,
    Effect.gen(function*() {
      for (let at = 1; at <= 20; at++) {
        yield* append(`a-${at % 3}`, newEvent({ data: { cents: at === place ? 17 : 1 } }))
      }
      const layer = Traces.toLayer((on) => [
        on(AccountEvent, {
          MoneyDeposited: (before, { cents }, { id }) => ({
            events: cents === 17 ? 0.5 : (before?.events ?? 0) + 1,
            trace: 0,
            last: id
          })
        })
      ], { ...settings, pageEvents: 20, tries: 1, onFailure: "skip" })
      const process = yield* start(layer, { lease: stores.lease })
      yield* caughtUp(process, Traces)
      const letters = yield* operations(process).deadLetters("traces")
      assert.deepStrictEqual(letters.map(({ position }) => position), [BigInt(place)])
      const counts = [...(yield* documentsOf("traces", 1)).values()].map((document) =>
        (document as { events: number }).events
      )
      assert.strictEqual(
        counts.reduce((sum, count) => sum + count, 0),
        19
      )
    })
  )

/** One of many streams is poison: the others do not wait for it. */
export const amongMany = (stores: Stores, streams: number) =>
  scenario(
    stores,
    Effect.gen(function*() {
      const { layer, mended } = fragile({ onFailure: "quarantine", tries: 1, pageEvents: 1_000 })
      const store = yield* EventStore
      for (let from = 0; from < streams; from += 500) {
        yield* store.append(Array.from({ length: Math.min(500, streams - from) }, (_, index) =>
          [{
            stream: { tenant: "default", category: "Account", id: `s-${from + index}` },
            expected: "noStream" as const,
            events: [newEvent({ data: { cents: from + index === 777 ? 13 : 1 } }), newEvent({ data: { cents: 2 } })],
            receipts: []
          }] as const))
      }
      const process = yield* start(layer, { lease: stores.lease })
      yield* caughtUp(process, Traces)
      assert.strictEqual((yield* documentsOf("traces", 1)).size, streams - 1)
      const status = yield* statusOf(process)
      assert.deepStrictEqual([status.letters, status.parked, status.lagEvents], [1, 1, 0n])
      mended.all = true
      const [letter] = yield* operations(process).deadLetters("traces")
      assert.deepStrictEqual(yield* operations(process).retry("traces", letter!.position), {
        applied: 2,
        left: undefined
      })
      yield* assertEqual("traces", 1, "after the fix")
    })
  )
