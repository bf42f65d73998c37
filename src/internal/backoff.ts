/**
 * How long to wait before trying again: 100, 200, 400 ms …, at most 10 s, give or take a fifth, so that those who failed
 * together do not come back together.
 */
import { Effect, Random } from "effect"

const firstMillis = 100
const mostMillis = 10_000

/** In milliseconds, after so many failures, 1 at least. */
export const backoff = (failures: number): Effect.Effect<number> =>
  Effect.map(
    Random.next,
    (random) => Math.min(mostMillis, firstMillis * 2 ** Math.min(failures - 1, 20)) * (0.8 + 0.4 * random)
  )
