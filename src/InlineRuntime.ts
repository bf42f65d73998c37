/**
 * Inline views in this process: between those who append and the store stands one who adds to each append what its events
 * make of the views that are inline, so that a document is there when the append is answered.
 *
 * Any number of processes may do so at once: documents are compared by the store, and what was decided on anything but
 * the truth is decided again.
 */
import { Clock, Context, Effect, Layer } from "effect"
import { EventStore } from "./EventStore.ts"
import { InlineHost } from "./InlineHost.ts"
import { InlineViews } from "./InlineViews.ts"
import * as Attention from "./internal/attention.ts"
import { append } from "./internal/inlineAppends.ts"
import type { Keeper } from "./internal/inlineDecisions.ts"
import * as InlineTexts from "./internal/inlineTexts.ts"
import * as InlineView from "./internal/inlineView.ts"
import * as Listeners from "./internal/listeners.ts"
import { type Kept, StoresDiffer } from "./ProjectionHost.ts"

const make = Effect.gen(function*() {
  const store = yield* EventStore
  const port = yield* InlineViews
  const keeper: Keeper = {
    store,
    clock: yield* Clock.Clock,
    views: new Map(),
    texts: InlineTexts.make(),
    doubted: new WeakMap()
  }
  const register: InlineHost["Service"]["register"] = Effect.fnUntraced(function*(projection) {
    const inline = InlineView.make(projection)
    yield* refuse(keeper, port, inline)
    yield* Effect.acquireRelease(
      Effect.sync(() => keeper.views.set(inline.name, inline)),
      () => Effect.sync(() => keeper.views.delete(inline.name))
    )
    return kept(port, inline)
  })
  const decorated = EventStore.of({
    ...store,
    // What has to be read and decided first is not done at once.
    appendNow: undefined,
    append: (group) => append(keeper, group)
  })
  return Context.make(EventStore, decorated).pipe(
    Context.add(InlineHost, InlineHost.of({ storeId: store.storeId, register }))
  )
})

/** What cannot be kept is a mistake in the program, which should not start. */
const refuse = (
  { store: { storeId }, views }: Keeper,
  port: InlineViews["Service"],
  { name, store, types, view }: InlineView.InlineView
): Effect.Effect<void> => {
  if (views.has(name)) return Effect.die(new TypeError(`The view "${view.name}" is already registered.`))
  if (types.size === 0) return Effect.die(new TypeError(`The view "${view.name}" has no handler.`))
  for (const [other, each] of Object.entries({ documents: store, "inline views": port })) {
    if (each.storeId === storeId) continue
    return Effect.die(new StoresDiffer({ projection: view.name, checkpoints: storeId, other, storeId: each.storeId }))
  }
  return Effect.void
}

const kept = (port: InlineViews["Service"], inline: InlineView.InlineView): Kept => {
  const know = (isInline: boolean) =>
    Effect.sync(() => {
      if (inline.state === "inline" && !isInline) Attention.call(inline.ended)
      inline.state = isInline ? "inline" : "followed"
      return isInline
    })
  return {
    enter: Effect.tap(port.enter({ ...inline.view, types: [...inline.types] }), ({ _tag }) => know(_tag === "inline")),
    leave: Effect.tap(port.leave(inline.view), () => know(false)),
    isInline: Effect.flatMap(
      port.list,
      (views) => know(views.some(({ name, version }) => name === inline.view.name && version === inline.view.version))
    ),
    ended: Effect.suspend(() => Attention.after(inline.ended, inline.ended.calls)),
    changes: Listeners.listen(inline.listeners)
  }
}

/**
 * Keeps inline views, and gives the `EventStore` through which appends take them in: provide it to whoever appends, and
 * to the Layers that `toInlineLayer` makes. Over a store that writes at once it has to be waited for.
 *
 * An append that a view does not take in is `Refused` with `ViewRefused`, and nothing of it is written.
 *
 * @example
 * ```ts
 * import { Effect, Layer, Schema } from "effect"
 * import * as Aggregate from "varve/Aggregate"
 * import * as AggregateRuntime from "varve/AggregateRuntime"
 * import * as Event from "varve/Event"
 * import * as InlineRuntime from "varve/InlineRuntime"
 * import * as Memory from "varve/memory/Memory"
 * import * as Projection from "varve/Projection"
 * import * as ProjectionRunner from "varve/ProjectionRunner"
 *
 * const BellEvent = Event.union({ BellRung: {} })
 * class Bells extends Aggregate.Service<Bells>()("Bell", {
 *   state: Schema.Struct({}),
 *   events: BellEvent,
 *   commands: [Aggregate.command("ring")]
 * }) {}
 * const BellsLive = Bells.toLayer({
 *   initial: {},
 *   evolve: { BellRung: (state) => state },
 *   handlers: { ring: () => Aggregate.decide([BellEvent.cases.BellRung.make({})]) }
 * })
 *
 * class Rung extends Projection.View<Rung>()("rung", { version: 1, document: Schema.Struct({ times: Schema.Int }) }) {}
 * const RungLive = Rung.toInlineLayer((on) => [
 *   on(BellEvent, { BellRung: (rung) => ({ times: (rung?.times ?? 0) + 1 }) })
 * ])
 *
 * // What a `Worker` does with its inline views.
 * const Live = BellsLive.pipe(
 *   Layer.provideMerge(RungLive),
 *   Layer.provide(AggregateRuntime.layer),
 *   Layer.provide(ProjectionRunner.layer),
 *   Layer.provide(InlineRuntime.layer),
 *   Layer.provide(Memory.layer)
 * )
 * const program = Effect.gen(function*() {
 *   const bell = (yield* Bells).of("door")
 *   yield* bell.ring()
 *   yield* bell.ring()
 *   return yield* (yield* Rung).get("door")
 * })
 * await Effect.runPromise(Effect.provide(program, Live)) // => { times: 2 }
 * ```
 */
export const layer: Layer.Layer<EventStore | InlineHost, never, EventStore | InlineViews> = Layer.effectContext(make)
