/**
 * What the Layers of a view are made of: the view is taken in on its hosts, and answers what is asked of it.
 */
import { Effect, Stream } from "effect"
import type { PureCodec } from "../Event.ts"
import { InlineHost } from "../InlineHost.ts"
import type { Definition, Hosted, InlineSettings, Kept, Settings, Source, Target } from "../ProjectionHost.ts"
import { ViewStore } from "../ViewStore.ts"
import { on, register } from "./declaration.ts"
import * as Documents from "./viewDocuments.ts"
import * as ViewReads from "./viewReads.ts"

/** What a view is declared with; see `ViewOptions`. */
interface Options {
  readonly version: number
  readonly document: PureCodec
  readonly indexes?: ReadonlyArray<string> | undefined
  readonly was?: (was: (earlier: Documents.Earlier) => Documents.Earlier) => ReadonlyArray<Documents.Earlier>
}

/** How a view is asked. Throws where its declaration cannot be. */
export const readableOf = (name: string, { document, indexes = [], version, was }: Options): ViewReads.Readable => {
  const earlier = was?.((earlier) => earlier) ?? []
  for (const schema of [document, ...earlier.map(({ document }) => document)]) Documents.refuseOthers(name, schema)
  const view = { name, version, indexes: Documents.indexesOf(document, indexes) }
  const readable: ViewReads.Readable = {
    view,
    document,
    fields: ViewReads.schemasOf(document, view),
    was: earlier
  }
  ViewReads.refuseEarlier(readable)
  return readable
}

/** What the events of which unions do to documents. */
export type Sources = (own: typeof on) => ReadonlyArray<Source>

/** A view that is followed. */
export const followed = Effect.fnUntraced(function*(
  definition: Definition,
  readable: ViewReads.Readable,
  sources: Sources,
  settings: Settings
) {
  const { document, view } = readable
  const store = yield* ViewStore
  const target: Target = { _tag: "View", store, view, document, sources: sources(on) }
  return ViewReads.make(readable, store, yield* register(definition, target, settings))
})

/** A view that is inline as soon as it can be. */
export const inline = Effect.fnUntraced(function*(
  definition: Definition,
  readable: ViewReads.Readable,
  sources: Sources,
  settings: InlineSettings
) {
  const { document, view } = readable
  const projection = { store: yield* ViewStore, view, document, sources: sources(on) }
  const kept = yield* (yield* InlineHost).register(projection)
  const target: Target = { _tag: "View", ...projection, inline: kept }
  const hosted = yield* register(definition, target, settings)
  return ViewReads.make(readable, projection.store, { ...hosted, changes: changesOf(hosted, kept, view.version) })
})

/** What its reader and what appends make of a view: this, too, as long as its version is the one that is read. */
const changesOf = ({ changes, live }: Hosted, kept: Kept, version: number): Hosted["changes"] => {
  const isShown = Effect.map(
    Effect.orElseSucceed(live, () => undefined),
    (live) => live === undefined || live.version >= version
  )
  return Stream.merge(changes, Stream.filterEffect(kept.changes, () => isShown))
}
