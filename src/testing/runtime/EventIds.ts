/**
 * Event ids that follow from a seed: version 7 UUIDs that sort in the order in which they were made.
 */
import type { Clock } from "effect"
import { randomOf } from "../Seeded.ts"

/**
 * The maker of ids: 48 bits of the clock's time, 26 bits that count, 48 bits by chance. As long as the clock does not go
 * back, so many ids that 26 bits cannot count them have to be made before one sorts before an earlier one.
 */
export const make = (seed: number, clock: Clock.Clock): () => string => {
  const random = randomOf(seed)
  const chance = (digits: number) => hex(random.below(16 ** digits), digits)
  let made = 0
  return () => {
    const time = hex(Math.max(0, Math.floor(clock.currentTimeMillisUnsafe())), 12)
    const count = made++ % 2 ** 26
    const high = hex(0x7000 | (count >>> 14), 4)
    const low = hex(0x8000 | (count & 0x3fff), 4)
    return `${time.slice(0, 8)}-${time.slice(8)}-${high}-${low}-${chance(6)}${chance(6)}`
  }
}

const hex = (number: number, digits: number): string => number.toString(16).padStart(digits, "0").slice(-digits)
