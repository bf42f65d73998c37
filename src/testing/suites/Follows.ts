/**
 * Following the log: everything after a position, in order, and then on as it grows.
 */
import { assertTrue, deepStrictEqual, strictEqual } from "@effect/vitest/utils"
import { Deferred, Effect, Fiber, Scheduler, Stream } from "effect"
import type { Position, Stored } from "../../Event.ts"
import { EventStore, type LogPage, type LogRange } from "../../EventStore.ts"
import type { Guarantees } from "./Guarantees.ts"
import * as Sample from "./Sample.ts"

/** Follows the log in the background until the test ends, and remembers what it saw. */
const follow = Effect.fnUntraced(function*(range: LogRange) {
  const store = yield* EventStore
  const pages: Array<LogPage> = []
  const waiting = new Map<Deferred.Deferred<void>, Position>()
  const position = () => pages.at(-1)?.position ?? range.after
  yield* store.follow(range).pipe(
    Stream.runForEach((page) =>
      Effect.sync(() => {
        pages.push(page)
        for (const [reached, awaited] of waiting) {
          if (awaited <= page.position) Deferred.doneUnsafe(reached, Effect.void)
        }
      })
    ),
    Effect.forkScoped({ startImmediately: true })
  )
  const until = (awaited: Position) =>
    Sample.whileTimePasses(Effect.suspend(() => {
      if (position() >= awaited) return Effect.void
      const reached = Deferred.makeUnsafe<void>()
      waiting.set(reached, awaited)
      return Deferred.await(reached)
    }))
  return { pages, position, until, events: (): ReadonlyArray<Stored> => pages.flatMap(({ events }) => events) }
})

const positions = (events: ReadonlyArray<Stored>) => events.map(({ position }) => position)

const between = (after: Position, to: Position) =>
  Array.from({ length: Number(to - after) }, (_, index) => after + BigInt(index + 1))

/** Many writers at once, in groups of any size. */
const storm = Effect.forEach(Array.from({ length: 8 }, (_, writer) => writer), (writer) =>
  Effect.gen(function*() {
    const stream = Sample.stream({ category: `c${writer % 2}` })
    for (let round = 0; round < 25; round++) {
      yield* Sample.append(
        Sample.write(stream, "any", Sample.events(1 + (round + writer) % 3, { type: `T${round % 3}` }))
      )
      yield* Effect.yieldNow
    }
  }), { concurrency: "unbounded", discard: true })

/** What `follow` promises. */
export const guarantees: Guarantees<EventStore> = {
  "follows the whole log from 0, without a hole": Effect.gen(function*() {
    yield* Sample.filled(3)
    const head = yield* Sample.head
    const follower = yield* follow({ after: 0n })
    yield* follower.until(head)
    deepStrictEqual(positions(follower.events()), between(0n, head))
  }),

  "follows from the middle: what stands after the position, and not the position itself": Effect.gen(function*() {
    const before = yield* Sample.head
    yield* Sample.filled(5)
    const follower = yield* follow({ after: before + 2n })
    yield* follower.until(before + 5n)
    deepStrictEqual(follower.events(), yield* Sample.wholeLog(before + 2n))
  }),

  "sees what is appended later, as soon as it is there": Effect.gen(function*() {
    const before = yield* Sample.head
    const follower = yield* follow({ after: before })
    for (const count of [1, 3, 2]) {
      const stream = yield* Sample.filled(count)
      const head = yield* Sample.head
      yield* follower.until(head)
      const ids = (yield* Sample.wholeStream(stream)).map(({ eventId }) => eventId)
      deepStrictEqual(follower.events().slice(-count).map(({ eventId }) => eventId), ids)
    }
    deepStrictEqual(follower.events(), yield* Sample.wholeLog(before))
  }),

  "waits at a position that the log has not reached, and begins behind it": Effect.gen(function*() {
    const before = yield* Sample.head
    const follower = yield* follow({ after: before + 2n })
    yield* Sample.filled(2)
    yield* Sample.filled(3)
    yield* follower.until(before + 5n)
    deepStrictEqual(positions(follower.events()), between(before + 2n, before + 5n))
  }),

  "a page holds no more events than the limit": Effect.gen(function*() {
    const before = yield* Sample.head
    const follower = yield* follow({ after: before, limit: 2 })
    yield* Sample.filled(5)
    yield* follower.until(before + 5n)
    deepStrictEqual(positions(follower.events()), between(before, before + 5n))
    assertTrue(follower.pages.every(({ events }) => events.length <= 2))
  }),

  "with a filter it sees what matches, and gets on where nothing does": Effect.gen(function*() {
    const before = yield* Sample.head
    const type = Sample.name("wanted")
    const follower = yield* follow({ after: before, filter: { types: [type] } })
    yield* Sample.filled(3)
    yield* follower.until(before + 3n)
    deepStrictEqual(follower.events(), [])
    yield* Sample.commit(Sample.write(Sample.stream(), 0, [Sample.event(), Sample.event({ type }), Sample.event()]))
    yield* follower.until(before + 6n)
    deepStrictEqual(positions(follower.events()), [before + 5n])
    strictEqual(follower.position(), before + 6n)
  }),

  "each page is progress": Effect.gen(function*() {
    const before = yield* Sample.head
    const followers = [yield* follow({ after: before }), yield* follow({ after: before, filter: { types: ["T1"] } })]
    yield* storm
    const head = yield* Sample.head
    for (const { pages, until } of followers) {
      yield* until(head)
      let last = before
      for (const { position } of pages) {
        assertTrue(position > last)
        last = position
      }
    }
  }),

  "I9: never repeats or skips an event, wherever it begins and however many write meanwhile": Effect.gen(function*() {
    const before = yield* Sample.head
    yield* Sample.filled(20)
    const followers = yield* Effect.forEach([0n, 1n, 13n, 20n], (ahead) => follow({ after: before + ahead, limit: 7 }))
    const filter = { types: ["T2"], categories: ["c1"] }
    const filtered = yield* follow({ after: before, filter })
    yield* storm
    const late = yield* follow({ after: before + 20n })
    const head = yield* Sample.head
    const log = yield* Sample.wholeLog(before)
    for (const [index, follower] of followers.entries()) {
      yield* follower.until(head)
      deepStrictEqual(follower.events(), log.slice([0, 1, 13, 20][index]))
    }
    yield* late.until(head)
    deepStrictEqual(late.events(), log.slice(20))
    yield* filtered.until(head)
    deepStrictEqual(filtered.events(), log.filter(({ category, type }) => type === "T2" && category === "c1"))
  }),

  "sees what a writer wrote that was interrupted, whenever that happened": Effect.gen(function*() {
    const follower = yield* follow({ after: yield* Sample.head })
    for (let turns = 0; turns < 100; turns++) {
      const stream = Sample.stream()
      const writer = yield* Sample.append(Sample.write(stream, 0, Sample.events(1))).pipe(
        Effect.provideService(Scheduler.MaxOpsBeforeYield, 4),
        Effect.forkChild({ startImmediately: true })
      )
      for (let turn = 0; turn < turns; turn++) yield* Effect.yieldNow
      yield* Fiber.interrupt(writer)
      const head = yield* Sample.head
      yield* follower.until(head)
      assertTrue((yield* Sample.wholeStream(stream)).length <= 1)
    }
    assertTrue(follower.events().length > 0)
  })
}
