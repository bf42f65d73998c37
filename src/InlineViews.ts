/**
 * The port of inline views: whose documents are written by the very append that writes the events, so that whoever is
 * answered finds them there. Checked by `varve/testing/InlineViewsSuite`.
 *
 * A view becomes inline at a point of the log. Up to there its reader has filled it and set a checkpoint; from there on
 * every append that holds one of its events says what becomes of its documents (`Write.views`). The store decides both in
 * one step with the append, so that no event is taken in by both or by neither.
 *
 * Who appends one of its events without knowing the view is not refused: the view is inline no longer, and its reader
 * goes on from just before that event. So a view is never wrong, also with workers of several builds; at worst it is
 * late.
 */
import { Context, type Effect } from "effect"
import type { Position } from "./Event.ts"
import type { StoreUnavailable, ViewId } from "./EventStore.ts"

/** A view that is to be inline. */
export interface InlineView extends ViewId {
  /** The types of its events, as in the log; 1 at least. */
  readonly types: ReadonlyArray<string>
}

/** A view that is inline no longer, as long as its reader does not know that yet. */
export interface EndedView extends ViewId {
  /** Up to here its documents hold all of its events, though its checkpoint is where it became inline. */
  readonly position: Position
}

/**
 * Whether a view that was to be inline is.
 *
 * - `inline`: it is, from now on or since it was before
 * - `filling`: its documents lack some of the last events. For a second from now on no writer who knows the view appends
 *   more of them: bring its checkpoint up to `position`, and ask again
 * - `behind`: its documents lack events, and its checkpoint is more than 10,000 positions from the end of the log. Let its
 *   reader go on
 * - `held`: its checkpoint is paused, or streams are parked, or it belongs to another epoch of the log
 *
 * Where it is not inline and was before, its checkpoint has been put to where it ended.
 */
export type Entered =
  | { readonly _tag: "inline" }
  | { readonly _tag: "filling"; readonly position: Position }
  | { readonly _tag: "behind" }
  | { readonly _tag: "held" }

/**
 * Which views are inline in this store. Ask it outside of transactions.
 *
 * A view's reader has one checkpoint, that of its name and version, and partition 0. While the view is inline nobody else
 * writes its documents (see `ViewStore`).
 *
 * @example
 * ```ts
 * import { Effect } from "effect"
 * import * as Event from "varve/Event"
 * import { EventStore } from "varve/EventStore"
 * import { InlineViews } from "varve/InlineViews"
 * import * as Memory from "varve/memory/Memory"
 * import { ViewStore } from "varve/ViewStore"
 *
 * const view = { name: "carts", version: 1, indexes: [], types: ["ItemAdded"] }
 * const parts = {
 *   eventId: "0198c2a4-5b1e-7c3d-9f00-6a2b41d0e7aa",
 *   type: "ItemAdded",
 *   schemaVersion: 1,
 *   data: { sku: "tea" },
 *   metadata: { text: "{}", bytes: 2 }
 * }
 *
 * const program = Effect.gen(function*() {
 *   const views = yield* ViewStore
 *   yield* views.prepare(view)
 *   const { _tag } = yield* (yield* InlineViews).enter(view)
 *   const stream = { tenant: Event.defaultTenant, category: "Cart", id: "c-1" }
 *   const documents = [{ key: "c-1", expected: undefined, document: `{"items":1}` }]
 *   const event = yield* Effect.fromResult(Event.make(parts))
 *   const write = { stream, expected: "noStream", events: [event], receipts: [], views: [{ view, documents }] } as const
 *   yield* (yield* EventStore).append([[write]])
 *   const [found] = yield* views.read(view, [{ tenant: stream.tenant, key: "c-1" }])
 *   return [_tag, found?.document]
 * })
 *
 * await Effect.runPromise(Effect.provide(program, Memory.layer)) // => ["inline", `{"items":1}`]
 * ```
 *
 * A view whose name, version or types cannot be is a defect with `InputInvalid` or `LimitExceeded`, since it comes from
 * code.
 */
export class InlineViews extends Context.Service<InlineViews, {
  /** Names the database behind this layer. */
  readonly storeId: string
  /** The views that are inline at this moment, by name (in code points) and version. */
  readonly list: Effect.Effect<ReadonlyArray<InlineView>, StoreUnavailable>
  /**
   * The views that were inline until somebody appended who did not know them, by name (in code points) and version: until
   * they are asked to `enter` or to `leave`, which puts their checkpoints there.
   */
  readonly ended: Effect.Effect<ReadonlyArray<EndedView>, StoreUnavailable>
  /**
   * Makes a view inline if its documents lack no event. Its checkpoint then is at the end of the log, and is made if there
   * was none. To ask for one that is inline adds types that are new.
   */
  readonly enter: (view: InlineView) => Effect.Effect<Entered, StoreUnavailable>
  /**
   * Gives a view back to its reader: its checkpoint is put to the end of the log, or to where it has ended before. Answers
   * whether it was inline, or had been.
   */
  readonly leave: (view: ViewId) => Effect.Effect<boolean, StoreUnavailable>
}>()("varve/InlineViews") {}
