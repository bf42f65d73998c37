/**
 * Choices by a seed: the same seed makes the same choices, on every machine.
 */
import { Effect, Random } from "effect"

/** What can be thrown for. */
export interface Dice {
  /** A whole number from 0 to below `count`. */
  readonly below: (count: number) => number
  /** True so often in a hundred. */
  readonly chance: (percent: number) => boolean
  readonly pick: <A>(items: ReadonlyArray<A>) => A
  /** One of the names, as often as its weight says. */
  readonly weigh: <Name extends string>(weights: Readonly<Record<Name, number>>) => Name
  /** An id of an event. */
  readonly uuid: () => string
}

/** The dice of the seed under which this runs. */
export const dice: Effect.Effect<Dice> = Effect.map(Random.Random, (random) => {
  const below = (count: number) => Math.floor(random.nextDoubleUnsafe() * count)
  const chance = (percent: number) => below(100) < percent
  const pick = <A>(items: ReadonlyArray<A>): A => items[below(items.length)]!
  const hex = (digits: number) => Array.from({ length: digits }, () => below(16).toString(16)).join("")
  return {
    below,
    chance,
    pick,
    weigh: <Name extends string>(weights: Readonly<Record<Name, number>>): Name => {
      const names = Object.keys(weights) as Array<Name>
      return pick(names.flatMap((name) => Array<Name>(weights[name]).fill(name)))
    },
    uuid: () => `${hex(8)}-${hex(4)}-7${hex(3)}-8${hex(3)}-${hex(12)}`
  }
})
