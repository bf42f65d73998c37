/**
 * Demo traffic: customers who create orders, fill them, and have them shipped, as one seeded random source tells. The
 * traffic is a function of the seed and the order's number, so it goes on where it stopped: what was carried out before
 * is recognized by its command id.
 */
import { Cause, Duration, Effect, Exit, Option, Random, Semaphore } from "effect"
import { Orders } from "./Orders.ts"

/** What has been sent so far. */
export interface Tally {
  commands: number
  rejected: number
  failed: number
  /** Of the last thousand commands, in milliseconds. */
  readonly latencies: Array<number>
}

export const makeTally = (): Tally => ({ commands: 0, rejected: 0, failed: 0, latencies: [] })

/** How many orders may be open at once. */
const openMax = 32
const latenciesKept = 1_000

/** Sends commands for ever, about `rate` a second. */
export const run = Effect.fnUntraced(
  function*(options: { readonly seed: string; readonly rate: number; readonly tally: Tally }) {
    const orders = yield* Orders
    const places = Semaphore.makeUnsafe(openMax)
    let number = yield* resume

    const send = (command: Effect.Effect<unknown, { readonly _tag: string }>) =>
      Effect.map(Effect.timed(Effect.exit(command)), ([took, exit]) => {
        options.tally.commands++
        options.tally.latencies.push(Duration.toMillis(took))
        if (options.tally.latencies.length > latenciesKept) options.tally.latencies.shift()
        if (Exit.isSuccess(exit)) return
        const error = Cause.findErrorOption(exit.cause)
        const isRejected = Option.isSome(error) && error.value._tag !== "CommandFailed"
        options.tally[isRejected ? "rejected" : "failed"]++
      })

    const live = Effect.fnUntraced(function*(order: number) {
      const id = orderId(order)
      const step = (name: string) =>
        orders.of(id, { commandId: `${options.seed}/${id}/${name}`, metadata: { user: "demo" } })
      const pause = Effect.sleep((1_000 * openMax) / options.rate)
      yield* send(step("create").create({ customerId: `customer-${yield* Random.nextIntBetween(1, 500)}` }))
      const items = yield* Random.nextIntBetween(0, 4)
      for (let item = 1; item <= items; item++) {
        yield* pause
        const priceCents = yield* Random.nextIntBetween(99, 9_999)
        const quantity = yield* Random.nextIntBetween(1, 5)
        const productId = `product-${yield* Random.nextIntBetween(1, 50)}`
        yield* send(step(`item-${item}`).addItem({ productId, quantity, priceCents }))
      }
      yield* pause
      // An order without items is refused: a demo without a "no" would not be true to life.
      yield* send(step("ship").ship({ trackingNumber: `T${order}`, carrier: "varve-post" }))
      yield* pause
    })

    return yield* Effect.forever(Effect.gen(function*() {
      const order = number++
      const { status } = yield* orders.state(orderId(order), { consistency: "resident" })
      if (status === "sent") return
      yield* places.take(1)
      yield* Effect.forkChild(
        Effect.ensuring(Random.withSeed(live(order), `${options.seed}/${order}`), places.release(1))
      )
      yield* Effect.sleep(4_000 / options.rate)
    }))
  }
)

const orderId = (number: number): string => `o-${String(number).padStart(9, "0")}`

/** An order with many items is overtaken by those with few: so far behind the newest one may be unfinished. */
const overtakenMax = 4 * openMax

/** The first order that may be unfinished. Orders are created in turn, so the newest one is found by halving. */
const resume = Effect.gen(function*() {
  const orders = yield* Orders
  let newest = 0
  let none = 1
  while (yield* orders.exists(orderId(none))) [newest, none] = [none, 2 * none]
  while (none - newest > 1) {
    const middle = Math.floor((newest + none) / 2)
    if (yield* orders.exists(orderId(middle))) newest = middle
    else none = middle
  }
  return Math.max(1, newest - overtakenMax)
})
