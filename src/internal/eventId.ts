/**
 * Where event ids come from: version 7 UUIDs (RFC 9562), so that ids sort by time. A reference, so that a simulation can
 * make the same ids from the same seed.
 *
 * The library's maker asks the system for randomness each time, which was a third of a command's cost; ours asks for 512
 * ids at once.
 */
import { Clock, Context, Effect } from "effect"
import { SecureRandom } from "effect/crypto"

/** Makes event ids. Those of one process sort in the order in which they were made. */
export const EventIds = Context.Reference<(nowMillis: number) => string>("varve/EventIds", {
  defaultValue: () => makeIds()
})

/** The maker of the next event's id, at the clock's time. */
export const nextEventId: Effect.Effect<() => string> = Effect.gen(function*() {
  const clock = yield* Clock.Clock
  const make = yield* EventIds
  return () => make(clock.currentTimeMillisUnsafe())
})

const poolIds = 512
const bytesPerId = 8

/** 48 bits of time, a counter of 42 bits that begins anywhere in its lower half each millisecond, 32 random bits. */
const makeIds = (): (nowMillis: number) => string => {
  let pool: DataView = new DataView(new ArrayBuffer(0))
  let at = 0
  let millis = -1
  let time = ""
  let high = 0
  let low = 0
  const begin = (nowMillis: number) => {
    millis = nowMillis
    const text = nowMillis.toString(16).padStart(12, "0")
    time = `${text.slice(0, 8)}-${text.slice(8)}`
    high = pool.getUint32(at) & 0x7ff
    low = pool.getUint32(at) >>> 2
  }
  return (nowMillis) => {
    if (at >= pool.byteLength) {
      pool = new DataView(SecureRandom.randomBytesUnsafe(poolIds * bytesPerId).buffer)
      at = 0
    }
    const now = Math.trunc(nowMillis)
    if (now > millis) begin(now)
    else if (++low > 0x3fff_ffff) {
      low = 0
      // The clock stands still or went back, and 2^41 ids were made meanwhile: time goes on without it.
      if (++high > 0xfff) begin(millis + 1)
    }
    const random = pool.getUint32(at + 4)
    at += bytesPerId
    return `${time}-7${nibbles(high)}-${variant(low)}-${hex(low, 16)}${hex(random, 32)}`
  }
}

const bytes = Array.from({ length: 256 }, (_, byte) => byte.toString(16).padStart(2, "0"))

/** The lowest bits of a number, whole bytes of them. */
const hex = (value: number, bits: 16 | 32): string => {
  const low = bytes[(value >>> 8) & 0xff]! + bytes[value & 0xff]!
  return bits === 16 ? low : bytes[value >>> 24]! + bytes[(value >>> 16) & 0xff]! + low
}

/** The counter's upper part: twelve bits, three digits. */
const nibbles = (high: number): string => (high >>> 8).toString(16) + bytes[high & 0xff]!

/** The variant's two bits, and the fourteen highest of the counter's lower part. */
const variant = (low: number): string => bytes[0x80 | (low >>> 24)]! + bytes[(low >>> 16) & 0xff]!
