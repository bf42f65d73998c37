/**
 * The stores of the read side that fail on command: checkpoints, views, dead letters and leases, all at once. See
 * `FaultyStore` for the log.
 *
 * What a fault does to a call inside a transaction, it does to the transaction: `unavailable` undoes all of it.
 */
import { Context, Effect, Layer } from "effect"
import { CheckpointStore } from "../CheckpointStore.ts"
import { DeadLetters } from "../DeadLetters.ts"
import type { StoreUnavailable } from "../EventStore.ts"
import { Lease } from "../Lease.ts"
import { ViewStore } from "../ViewStore.ts"
import * as Faults from "./Faults.ts"

/** How each operation may be made to fail: the port, and what is asked of it. */
export type Failures = {
  readonly [Operation in (typeof operations)[number]]: StoreUnavailable
}

/** All that may be made to fail. */
export const operations = [
  "checkpoints.get",
  "checkpoints.list",
  "checkpoints.advance",
  "checkpoints.transaction",
  "checkpoints.pause",
  "checkpoints.resume",
  "checkpoints.remove",
  "views.prepare",
  "views.read",
  "views.write",
  "views.list",
  "views.count",
  "views.clear",
  "views.drop",
  "views.live",
  "views.flip",
  "letters.put",
  "letters.list",
  "letters.get",
  "letters.count",
  "letters.remove",
  "letters.clear",
  "letters.park",
  "letters.parked",
  "letters.unpark",
  "leases.claim",
  "leases.release",
  "leases.list"
] as const

/**
 * What a test commands.
 *
 * @example
 * ```ts
 * import { Effect, Layer } from "effect"
 * import * as Memory from "varve/memory/Memory"
 * import * as FaultyReadSide from "varve/testing/FaultyReadSide"
 * import { unavailable } from "varve/testing/FaultyStore"
 * import { ViewStore } from "varve/ViewStore"
 *
 * const program = Effect.gen(function*() {
 *   yield* (yield* FaultyReadSide.FaultyReadSide).next("views.live", unavailable)
 *   const { live } = yield* ViewStore
 *   const failed = yield* Effect.flip(live("orders"))
 *   return [failed._tag, yield* live("orders")]
 * })
 *
 * const Stores = FaultyReadSide.layer.pipe(Layer.provideMerge(Memory.layer))
 * await Effect.runPromise(Effect.provide(program, Stores)) // => ["StoreUnavailable", undefined]
 * ```
 */
export class FaultyReadSide extends Context.Service<
  FaultyReadSide,
  Faults.Faults<Failures> & {
    /** The stores below, past all faults. */
    readonly inner: {
      readonly checkpoints: CheckpointStore["Service"]
      readonly views: ViewStore["Service"]
      readonly letters: DeadLetters["Service"]
      readonly leases: Lease["Service"]
    }
  }
>()("varve/testing/FaultyReadSide") {}

type Inner = FaultyReadSide["Service"]["inner"]

const faultyCheckpoints = ({ checkpoints }: Inner, meet: Faults.Meet): CheckpointStore["Service"] => ({
  storeId: checkpoints.storeId,
  get: (id) => meet("checkpoints.get", [id], checkpoints.get(id)),
  list: (name) => meet("checkpoints.list", [name], checkpoints.list(name)),
  advance: (step, work) =>
    Effect.contextWith((context) =>
      meet("checkpoints.advance", [step], Effect.provideContext(checkpoints.advance(step, work), context))
    ),
  transaction: (work) =>
    Effect.contextWith((context) =>
      meet("checkpoints.transaction", [], Effect.provideContext(checkpoints.transaction(work), context))
    ),
  pause: (id, reason, epoch) => meet("checkpoints.pause", [id, reason, epoch], checkpoints.pause(id, reason, epoch)),
  resume: (id) => meet("checkpoints.resume", [id], checkpoints.resume(id)),
  remove: (id) => meet("checkpoints.remove", [id], checkpoints.remove(id))
})

const faultyViews = ({ views }: Inner, meet: Faults.Meet): ViewStore["Service"] => ({
  storeId: views.storeId,
  prepare: (view) => meet("views.prepare", [view], views.prepare(view)),
  read: (view, keys) => meet("views.read", [view, keys], views.read(view, keys)),
  write: (view, changes) => meet("views.write", [view, changes], views.write(view, changes)),
  list: (view, query) => meet("views.list", [view, query], views.list(view, query)),
  count: (view, query) => meet("views.count", [view, query], views.count(view, query)),
  clear: (view) => meet("views.clear", [view], views.clear(view)),
  drop: (view) => meet("views.drop", [view], views.drop(view)),
  live: (name) => meet("views.live", [name], views.live(name)),
  flip: (name, change) => meet("views.flip", [name, change], views.flip(name, change))
})

const faultyLetters = ({ letters }: Inner, meet: Faults.Meet): DeadLetters["Service"] => ({
  storeId: letters.storeId,
  put: (letter) => meet("letters.put", [letter], letters.put(letter)),
  list: (query) => meet("letters.list", [query], letters.list(query)),
  get: (reader, position) => meet("letters.get", [reader, position], letters.get(reader, position)),
  count: (reader) => meet("letters.count", [reader], letters.count(reader)),
  remove: (reader, position) => meet("letters.remove", [reader, position], letters.remove(reader, position)),
  clear: (reader) => meet("letters.clear", [reader], letters.clear(reader)),
  park: (stream) => meet("letters.park", [stream], letters.park(stream)),
  parked: (reader) => meet("letters.parked", [reader], letters.parked(reader)),
  unpark: (stream) => meet("letters.unpark", [stream], letters.unpark(stream))
})

const faultyLeases = ({ leases }: Inner, meet: Faults.Meet): Lease["Service"] => ({
  claim: (claim) => meet("leases.claim", [claim], leases.claim(claim)),
  release: (claim) => meet("leases.release", [claim], leases.release(claim)),
  list: meet("leases.list", [], leases.list)
})

/** What fails on command. */
export type Provided = CheckpointStore | ViewStore | DeadLetters | Lease | FaultyReadSide

/**
 * Faults over the stores at hand.
 *
 * @example
 * ```ts
 * import { Effect, Layer } from "effect"
 * import { Lease } from "varve/Lease"
 * import * as Memory from "varve/memory/Memory"
 * import * as FaultyReadSide from "varve/testing/FaultyReadSide"
 * import { unavailable } from "varve/testing/FaultyStore"
 *
 * const program = Effect.gen(function*() {
 *   yield* (yield* FaultyReadSide.FaultyReadSide).next("leases.list", unavailable)
 *   const { list } = yield* Lease
 *   return [(yield* Effect.flip(list))._tag, yield* list]
 * })
 *
 * const Stores = FaultyReadSide.layer.pipe(Layer.provideMerge(Memory.layer))
 * await Effect.runPromise(Effect.provide(program, Stores)) // => ["StoreUnavailable", []]
 * ```
 */
export const layer: Layer.Layer<Provided, never, CheckpointStore | ViewStore | DeadLetters | Lease> = Layer
  .effectContext(Effect.gen(function*() {
    const inner: Inner = {
      checkpoints: yield* CheckpointStore,
      views: yield* ViewStore,
      letters: yield* DeadLetters,
      leases: yield* Lease
    }
    const [faults, meet] = Faults.make<Failures>()
    return Context.make(CheckpointStore, faultyCheckpoints(inner, meet)).pipe(
      Context.add(ViewStore, faultyViews(inner, meet)),
      Context.add(DeadLetters, faultyLetters(inner, meet)),
      Context.add(Lease, faultyLeases(inner, meet)),
      Context.add(FaultyReadSide, { ...faults, inner })
    )
  }))
