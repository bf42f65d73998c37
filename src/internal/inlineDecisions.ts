/**
 * Deciding what appends make of inline views: documents that this process does not know are read at once, and then each
 * append is decided on what those before it have made.
 *
 * What was decided last is what the next one is decided on, before the store has answered. It compares, so nothing has to
 * be right in here: what was decided on anything but the truth is decided again.
 */
import { type Clock, Effect, Result } from "effect"
import type {
  Append,
  DocumentConflict,
  EventStore,
  Status,
  StoreUnavailable,
  ViewId,
  ViewRefused,
  ViewsChanged,
  ViewWrite,
  Write
} from "../EventStore.ts"
import { nameOf } from "./inline.ts"
import * as InlineTexts from "./inlineTexts.ts"
import * as InlineView from "./inlineView.ts"

/** What keeps the inline views of a process. */
export interface Keeper {
  readonly store: EventStore["Service"]
  readonly clock: Clock.Clock
  /** By their names and versions. */
  readonly views: Map<string, InlineView.InlineView>
  readonly texts: InlineTexts.InlineTexts
  /**
   * Appends that may have been written, as they were sent. They are sent so again: with its events in it, a document is
   * no longer what it was decided on.
   */
  readonly doubted: WeakMap<Append, Append>
}

/** What the store says of an append that is to be tried again. */
export type Again = DocumentConflict | ViewsChanged

/** An append of a group, on its way. */
export interface Item {
  readonly append: Append
  readonly isDoubted: boolean
  /** As it was sent last. */
  sent: Append | undefined
  again: Again | undefined
  status: Status | undefined
}

/** The views of this process that events of a write belong to. */
export const viewsOf = ({ views }: Keeper, write: Write): ReadonlyArray<InlineView.InlineView> => {
  const own: Array<InlineView.InlineView> = []
  for (const view of views.values()) if (InlineView.wants(view, write)) own.push(view)
  return own
}

/** What the events of one write do to the documents of a view; undefined where that is left to the view's reader. */
interface Part {
  readonly view: InlineView.InlineView
  readonly steps: ReadonlyArray<InlineView.Step> | undefined
}

/** An append with what its writes do. */
interface Planned {
  readonly item: Item
  readonly parts: ReadonlyArray<ReadonlyArray<Part>>
}

/** Decides each of these, or says why a view does not take it in: `sent` is set, or it is among the refused. */
export const decide = Effect.fnUntraced(function*(
  keeper: Keeper,
  items: ReadonlyArray<Item>
): Effect.fn.Return<ReadonlyMap<Item, ViewRefused>, StoreUnavailable> {
  const refused = new Map<Item, ViewRefused>()
  const planned: Array<Planned> = []
  for (const item of items) {
    if (item.isDoubted && item.again === undefined) {
      item.sent = keeper.doubted.get(item.append)!
      continue
    }
    const parts = plan(keeper, item.append)
    if (Result.isSuccess(parts)) planned.push({ item, parts: parts.success })
    else refused.set(item, parts.failure)
  }
  const loaded = yield* load(keeper, planned)
  // From here to the sending nobody else decides: what was decided first is sent first.
  for (const { item, parts } of planned) {
    const sent = apply(keeper, item.append, parts, loaded)
    if (Result.isSuccess(sent)) item.sent = sent.success
    else refused.set(item, sent.failure)
  }
  return refused
})

const plan = (keeper: Keeper, append: Append): Result.Result<Planned["parts"], ViewRefused> =>
  Result.all(
    append.map((write) =>
      Result.all(
        viewsOf(keeper, write).map((view): Result.Result<Part, ViewRefused> =>
          view.state === "inline"
            ? Result.map(InlineView.stepsOf(view, write), (steps) => ({ view, steps }))
            : Result.succeed({ view, steps: undefined })
        )
      )
    )
  )

/** One text for one document: no name holds a NUL. */
export const placeOf = (view: ViewId, tenant: string, key: string): string => `${nameOf(view)}\0${tenant}\0${key}`

/** The documents of several views, by their places; what is not there is not in it. */
type Loaded = ReadonlyMap<string, string>

const readAtOnce = 1_000

/** Reads the documents that this process does not know. */
const load = Effect.fnUntraced(function*(
  keeper: Keeper,
  planned: ReadonlyArray<Planned>
): Effect.fn.Return<Loaded, StoreUnavailable> {
  const loaded = new Map<string, string>()
  for (const [{ store, view }, wanted] of missing(keeper, planned)) {
    const keys = [...wanted.values()]
    for (let from = 0; from < keys.length; from += readAtOnce) {
      const found = yield* store.read(view, keys.slice(from, from + readAtOnce))
      for (const { document, key, tenant } of found) loaded.set(placeOf(view, tenant, key), document)
    }
  }
  return loaded
})

type Wanted = Map<string, { readonly tenant: string; readonly key: string }>

const missing = ({ texts }: Keeper, planned: ReadonlyArray<Planned>): Map<InlineView.InlineView, Wanted> => {
  const byView = new Map<InlineView.InlineView, Wanted>()
  for (const { item, parts } of planned) {
    for (const [index, { expected, stream: { id, tenant } }] of item.append.entries()) {
      const isNew = expected === 0 || expected === "noStream"
      for (const { steps = [], view } of parts[index]!) {
        const wanted = byView.get(view) ?? new Map()
        byView.set(view, wanted)
        for (const { key } of steps) {
          const place = placeOf(view.view, tenant, key)
          // The document of a stream that begins: hardly ever there is one, and then the store says which.
          if (!texts.byPlace.has(place) && !(isNew && key === id)) wanted.set(place, { tenant, key })
        }
      }
    }
  }
  return byView
}

/** The append with what it makes of the views. All of it is remembered, or nothing. */
const apply = (
  { texts }: Keeper,
  append: Append,
  parts: Planned["parts"],
  loaded: Loaded
): Result.Result<Append, ViewRefused> => {
  const made = new Map<string, InlineTexts.Text>()
  const textAt = (place: string): InlineTexts.Text => {
    if (made.has(place)) return made.get(place)
    return texts.byPlace.has(place) ? texts.byPlace.get(place) : loaded.get(place)
  }
  const take = (write: Write, { steps, view: inline }: Part): Result.Result<ViewWrite, ViewRefused> => {
    const { view } = inline
    if (steps === undefined) return Result.succeed({ view, documents: undefined })
    const at = (key: string) => placeOf(view, write.stream.tenant, key)
    return Result.map(InlineView.apply(inline, steps, (key) => textAt(at(key))), (documents) => {
      for (const { document, key } of documents) made.set(at(key), document)
      return { view, documents }
    })
  }
  const writes = Result.all(append.map((write, index) =>
    Result.map(
      Result.all(parts[index]!.map((part) => take(write, part))),
      (views): Write => views.length === 0 ? write : { ...write, views }
    )
  ))
  return Result.map(writes, ([first, ...rest]) => {
    for (const [place, text] of made) InlineTexts.set(texts, place, text)
    return [first!, ...rest]
  })
}
