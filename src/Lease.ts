/**
 * The port of leases: who of several workers does a thing, so that not all of them do it. It spares work and never
 * guards it: whoever believes that he holds a lease may be wrong, and a compare-and-set stops him where it matters.
 * Checked by `varve/testing/LeaseSuite`.
 */
import { Context, type Effect } from "effect"
import type { StoreUnavailable } from "./EventStore.ts"

/** A claim to a lease. */
export interface Claim {
  /** What is leased; 1 to 255 characters. */
  readonly name: string
  /** Who claims it: unique to a runner, 1 to 255 characters. */
  readonly holder: string
  /** How long it is his from now on, in whole milliseconds by the store's clock, unless he claims it again before. */
  readonly millis: number
}

/** Who holds a lease. */
export interface Held {
  readonly holder: string
  /** When it ends, by the store's clock, in whole milliseconds since 1970. */
  readonly untilMillis: number
  /** Whose turn it is: 1 for the first holder, and one more for each that is another one than the last. */
  readonly term: number
}

/**
 * The leases of all who share this store. Ask them outside of transactions, where others see them at once.
 *
 * A name, a holder or a time that cannot be one is a defect with `InputInvalid` or `LimitExceeded`.
 *
 * @example
 * ```ts
 * import { Effect } from "effect"
 * import { Lease } from "varve/Lease"
 * import * as Memory from "varve/memory/Memory"
 *
 * const program = Effect.gen(function*() {
 *   const { claim, release } = yield* Lease
 *   const first = yield* claim({ name: "invoices", holder: "worker 1", millis: 10_000 })
 *   const second = yield* claim({ name: "invoices", holder: "worker 2", millis: 10_000 })
 *   yield* release({ name: "invoices", holder: "worker 1" })
 *   const third = yield* claim({ name: "invoices", holder: "worker 2", millis: 10_000 })
 *   return [first.holder, second.holder, third.holder]
 * })
 *
 * await Effect.runPromise(Effect.provide(program, Memory.layer)) // => ["worker 1", "worker 1", "worker 2"]
 * ```
 */
export class Lease extends Context.Service<Lease, {
  /**
   * Takes a lease that is free, has ended, or is already one's own, which prolongs it. Answers who holds it now: the
   * claimant, if he got it.
   */
  readonly claim: (claim: Claim) => Effect.Effect<Held, StoreUnavailable>
  /** Gives a lease back, if it is still one's own. */
  readonly release: (claim: Pick<Claim, "name" | "holder">) => Effect.Effect<void, StoreUnavailable>
  /** The leases that have not ended, by name (in code points). */
  readonly list: Effect.Effect<ReadonlyArray<Held & { readonly name: string }>, StoreUnavailable>
}>()("varve/Lease") {}
