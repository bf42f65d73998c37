/**
 * The port of whatever keeps inline views: in this process, `InlineRuntime`, which stands between those who append and the
 * store.
 */
import { Context, type Effect, type Scope } from "effect"
import type { PureCodec } from "./Event.ts"
import type { Kept, Source } from "./ProjectionHost.ts"
import type { ViewDefinition, ViewStore } from "./ViewStore.ts"

/** A view as a host keeps it: what `Target` of a `ProjectionHost` says of it. */
export interface InlineProjection {
  readonly store: ViewStore["Service"]
  readonly view: ViewDefinition
  readonly document: PureCodec
  /** Their handlers look at no more than `InlineMeta`. */
  readonly sources: ReadonlyArray<Source>
}

/**
 * Keeps inline views. Users provide it to what `toInlineLayer` makes, and the `EventStore` beside it to whoever appends.
 *
 * @example
 * ```ts
 * import { Effect, Layer } from "effect"
 * import { InlineHost } from "varve/InlineHost"
 * import * as InlineRuntime from "varve/InlineRuntime"
 * import * as Memory from "varve/memory/Memory"
 *
 * const Live = Layer.provide(InlineRuntime.layer, Memory.layer)
 * const program = Effect.map(InlineHost, ({ storeId }) => storeId.length)
 *
 * await Effect.runPromise(Effect.provide(program, Live)) // => 36
 * ```
 */
export class InlineHost extends Context.Service<InlineHost, {
  /** Names the database of its log. */
  readonly storeId: string
  /**
   * Takes a view in until the scope closes: from now on appends of this process know it.
   *
   * Mistakes in the program are defects: a view that is there already, `StoresDiffer` if its documents are in another
   * store than the log, `ReleasedShapeInvalid` and `EventTypeTaken` as for any projection.
   */
  readonly register: (projection: InlineProjection) => Effect.Effect<Kept, never, Scope.Scope>
}>()("varve/InlineHost") {}
