/**
 * Lanes: work of one key goes one after the other, in the order in which it came; work of different keys goes side by
 * side, in bounded number. Nothing piles up: where the number is reached, the source waits.
 */
import { Effect, FiberSet, Semaphore, Stream } from "effect"

/** One piece of work, and the lane that it goes in. */
export interface Piece<E, R> {
  readonly key: string
  readonly work: Effect.Effect<void, E, R>
}

/** Does all pieces, `width` of them at a time. The first failure stops the rest. */
export const run = <E, E2, R, R2>(
  pieces: Stream.Stream<Piece<E, R>, E2, R2>,
  width: number
): Effect.Effect<void, E | E2, R | R2> =>
  Effect.scoped(Effect.gen(function*() {
    const places = Semaphore.makeUnsafe(width)
    const lanes = new Map<string, Array<Piece<E, R>>>()
    const fibers = yield* FiberSet.make<void, E>()
    const fork = yield* FiberSet.runtime(fibers)<R>()

    const drive = (key: string, lane: Array<Piece<E, R>>) =>
      Effect.whileLoop({
        while: () => lane.length > 0 || !lanes.delete(key),
        body: () => Effect.ensuring(lane.shift()!.work, places.release(1)),
        step: () => {}
      })
    const add = (piece: Piece<E, R>) => {
      const lane = lanes.get(piece.key)
      if (lane !== undefined) return void lane.push(piece)
      const opened = [piece]
      lanes.set(piece.key, opened)
      fork(drive(piece.key, opened))
    }

    const added = Stream.runForEach(pieces, (piece) => Effect.map(places.take(1), () => add(piece)))
    yield* Effect.raceFirst(Effect.andThen(added, FiberSet.awaitEmpty(fibers)), FiberSet.join(fibers))
  }))
