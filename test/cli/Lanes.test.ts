/** Lanes: order within a key, side by side across keys, a bound for all, and one failure for all. */
import { assert, it } from "@effect/vitest"
import { Effect, Exit, Fiber, Latch, Stream } from "effect"
import * as Lanes from "../../src/cli/Lanes.ts"

it.effect("does the work of one key in order, one after the other, and that of others meanwhile", () =>
  Effect.gen(function*() {
    const opens = yield* Latch.make()
    const done: Array<string> = []
    const work = (name: string, waits: boolean) =>
      Effect.andThen(waits ? opens.await : Effect.void, Effect.sync(() => void done.push(name)))
    const pieces = Stream.fromIterable([
      { key: "a", work: work("a1", true) },
      { key: "a", work: work("a2", false) },
      { key: "b", work: work("b1", false) },
      { key: "b", work: work("b2", false) }
    ])
    const running = yield* Effect.forkChild(Lanes.run(pieces, 10), { startImmediately: true })
    while (done.length < 2) yield* Effect.yieldNow
    assert.deepStrictEqual(done, ["b1", "b2"])
    yield* opens.open
    yield* Fiber.join(running)
    assert.deepStrictEqual(done, ["b1", "b2", "a1", "a2"])
  }))

it.effect("takes no more from the source than may be under way at once", () =>
  Effect.gen(function*() {
    const opens = yield* Latch.make()
    let taken = 0
    let [now, most] = [0, 0]
    const piece = (number: number) => ({
      key: String(number % 7),
      work: Effect.gen(function*() {
        most = Math.max(most, ++now)
        yield* opens.await
        now--
      })
    })
    const pieces = Stream.range(1, 1_000).pipe(
      Stream.rechunk(1),
      Stream.map((number) => {
        taken++
        return piece(number)
      })
    )
    const running = yield* Effect.forkChild(Lanes.run(pieces, 5), { startImmediately: true })
    for (let step = 0; step < 100; step++) yield* Effect.yieldNow
    // One more than has a place: it waits for one.
    assert.strictEqual(taken, 6)
    yield* opens.open
    yield* Fiber.join(running)
    assert.strictEqual(taken, 1_000)
    assert.isAtMost(most, 5)
  }))

it.effect("stops everything at the first failure, which is its own", () =>
  Effect.gen(function*() {
    let interrupted = 0
    const pieces = Stream.fromIterable([
      { key: "a", work: Effect.onInterrupt(Effect.never, () => Effect.sync(() => void interrupted++)) },
      { key: "b", work: Effect.fail("no more") },
      { key: "b", work: Effect.die("never begun") }
    ])
    assert.deepStrictEqual(yield* Effect.exit(Lanes.run(pieces, 10)), Exit.fail("no more"))
    assert.strictEqual(interrupted, 1)
  }))

it.effect("fails with what the source fails with", () =>
  Effect.gen(function*() {
    const torn: Stream.Stream<Lanes.Piece<never, never>, string> = Stream.fail("torn")
    assert.deepStrictEqual(yield* Effect.exit(Lanes.run(torn, 10)), Exit.fail("torn"))
  }))
