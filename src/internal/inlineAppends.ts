/**
 * Appends on their way to the store with what they make of inline views: sent, and decided and sent again where views or
 * documents are otherwise than this process knew.
 */
import { Effect, Random, Result } from "effect"
import {
  type Append,
  AppendLost,
  type Status,
  StoreUnavailable,
  type ViewRefused,
  type Written
} from "../EventStore.ts"
import type { Change } from "../ProjectionHost.ts"
import * as Attention from "./attention.ts"
import { elapsedMillis } from "./elapsed.ts"
import { nameOf } from "./inline.ts"
import { type Again, decide, type Item, type Keeper, placeOf, viewsOf } from "./inlineDecisions.ts"
import * as InlineRefusals from "./inlineRefusals.ts"
import * as InlineTexts from "./inlineTexts.ts"
import * as Listeners from "./listeners.ts"

type Failure = StoreUnavailable | AppendLost

/** The same as `EventStore.append`, with all that the views of this process make of it. */
export const append = (
  keeper: Keeper,
  group: ReadonlyArray<Append>
): Effect.Effect<ReadonlyArray<Status>, Failure> =>
  group.some((append) => append.some((write) => viewsOf(keeper, write).length > 0))
    ? settle(keeper, group)
    : keeper.store.append(group)

/** Decided so often in vain, an append is refused. */
const roundsMax = 20

/** From then on a pause between them lets others finish. */
const promptRounds = 5

/** So long at most an append waits for a view to be filled: twice as long as a store holds it back for. */
const fillingMillisMax = 2_000

const settle = Effect.fnUntraced(function*(
  keeper: Keeper,
  group: ReadonlyArray<Append>
): Effect.fn.Return<ReadonlyArray<Status>, Failure> {
  const items = group.map((append): Item => ({
    append,
    isDoubted: keeper.doubted.has(append),
    sent: undefined,
    again: undefined,
    status: undefined
  }))
  const beganMillis = elapsedMillis(keeper.clock)
  const life = keeper.store.life?.()
  for (let round = 1;;) {
    yield* Effect.catchTags(attempt(keeper, items, life), {
      AppendLost: (lost) => doubt(keeper, items, lost),
      StoreUnavailable: (error) => unreachable(keeper, items, error)
    })
    if (open(items).length === 0) break
    if (isFilling(items) && elapsedMillis(keeper.clock) - beganMillis < fillingMillisMax) {
      yield* Effect.sleep("5 millis")
    } else if (round++ === roundsMax) {
      yield* refuse(keeper, new Map(open(items).map((item) => [item, InlineRefusals.unsettled(item.again!)])), items)
      break
    } else if (round > promptRounds) {
      yield* Effect.sleep((yield* Random.next) * round)
    }
  }
  for (const { append } of items) keeper.doubted.delete(append)
  return items.map(({ status }) => status!)
})

const open = (items: ReadonlyArray<Item>): ReadonlyArray<Item> => items.filter(({ status }) => status === undefined)

const isFilling = (items: ReadonlyArray<Item>): boolean =>
  open(items).some(({ again }) => again?._tag === "ViewsChanged" && again.state === "filling")

/** Decides all that have no status yet, and sends them. */
const attempt = Effect.fnUntraced(function*(
  keeper: Keeper,
  items: ReadonlyArray<Item>,
  life: number | undefined
): Effect.fn.Return<void, Failure> {
  yield* refuse(keeper, yield* decide(keeper, open(items)), items)
  for (const part of parts(open(items))) {
    // The events were decided before this began, and on what the log was then.
    if (keeper.store.life?.() !== life) return yield* replaced
    const statuses = yield* keeper.store.append(part.map(({ sent }) => sent!))
    part.forEach((item, index) => take(keeper, item, statuses[index]!))
    correct(keeper, part)
  }
})

const replaced = new StoreUnavailable({ operation: "append", detail: "the log was replaced while views were asked" })

/** A view does not take them in, so they are not written. But what may have been written already is not known to be. */
const refuse = (
  keeper: Keeper,
  refused: ReadonlyMap<Item, ViewRefused>,
  items: ReadonlyArray<Item>
): Effect.Effect<void> => {
  for (const [item, reason] of refused) {
    if (item.isDoubted) return Effect.orDie(doubt(keeper, items, reason))
    item.status = { _tag: "Refused", reason }
  }
  return Effect.void
}

const partBytesMax = 4 * 1_024 * 1_024

/** What goes to the store at once: documents may be large, and their number is not known when a group is made. */
const parts = (items: ReadonlyArray<Item>): ReadonlyArray<ReadonlyArray<Item>> => {
  const all: Array<Array<Item>> = []
  let left = 0
  for (const item of items) {
    const bytes = bytesOf(item)
    if (all.length === 0 || bytes > left) {
      all.push([])
      left = partBytesMax
    }
    all.at(-1)!.push(item)
    left -= bytes
  }
  return all
}

const bytesOf = ({ sent }: Item): number => {
  let bytes = 0
  for (const { views = [] } of sent!) {
    for (const { documents = [] } of views) {
      for (const { document = "", expected = "" } of documents) bytes += document.length + expected.length
    }
  }
  return bytes
}

/** What the store says of one append. */
const take = (keeper: Keeper, item: Item, status: Status): void => {
  if (status._tag === "DocumentConflict" || status._tag === "ViewsChanged") {
    item.again = status
    if (status._tag === "ViewsChanged") learn(keeper, status)
    return
  }
  item.status = status
  // What was recognized may have been written as it was sent before.
  if (status._tag === "Committed" && !(item.isDoubted && item.again !== undefined)) {
    publish(keeper, item.sent!, status.writes)
  }
}

/** Tells those who listen what has become of documents. */
const publish = ({ views }: Keeper, append: Append, writes: ReadonlyArray<Written>): void => {
  const watched = [...views.values()].filter(({ listeners }) => listeners.size > 0)
  for (const { documents, listeners, name, view } of watched) {
    const changes = append.flatMap(({ stream: { tenant }, views = [] }, index) =>
      views.filter((each) => nameOf(each.view) === name).flatMap((each) =>
        (each.documents ?? []).flatMap(
          ({ document, expected, key }): ReadonlyArray<Change<unknown>> => {
            const read = document === undefined ? Result.succeed(undefined) : documents.decode(document)
            if (document === expected || Result.isFailure(read)) return []
            return [{ tenant, key, document: read.success, position: writes[index]!.position! }]
          }
        )
      )
    )
    Listeners.publish(listeners, view.name, changes)
  }
}

const learn = ({ views }: Keeper, { state, view }: Extract<Again, { readonly _tag: "ViewsChanged" }>): void => {
  const own = views.get(nameOf(view))
  if (own === undefined) return
  own.state = state === "inline" ? "inline" : "followed"
  if (state === "followed") Attention.call(own.ended)
}

/** What was decided in vain is not known any more, but for what the store says instead. */
const correct = ({ texts }: Keeper, part: ReadonlyArray<Item>): void => {
  for (const { isDoubted, sent, status } of part) {
    if (status?._tag === "Committed" && !isDoubted) continue
    for (const place of places(sent!)) InlineTexts.forget(texts, place)
  }
  for (const item of open(part)) {
    if (item.again?._tag === "DocumentConflict") {
      const { actual, key, view, write } = item.again
      InlineTexts.set(texts, placeOf(view, item.append[write]!.stream.tenant, key), actual)
    }
    // It is certain that this was not written; of what was sent before that is not said.
    if (!item.isDoubted) item.sent = undefined
  }
}

const places = (append: Append): ReadonlyArray<string> =>
  append.flatMap(({ stream: { tenant }, views = [] }) =>
    views.flatMap(({ documents = [], view }) => documents.map(({ key }) => placeOf(view, tenant, key)))
  )

/** Whatever was sent may have been written, so it is to be sent again, as it is. */
const doubt = <E>({ doubted, texts }: Keeper, items: ReadonlyArray<Item>, reason: E): Effect.Effect<never, E> =>
  Effect.suspend(() => {
    for (const { append, sent } of items) {
      if (sent === undefined) continue
      doubted.set(append, sent)
      for (const place of places(sent)) InlineTexts.forget(texts, place)
    }
    return Effect.fail(reason)
  })

/** Of what is open nothing was written. If others of the group were, that is to be found out again. */
const unreachable = (
  keeper: Keeper,
  items: ReadonlyArray<Item>,
  error: StoreUnavailable
): Effect.Effect<never, Failure> => {
  if (items.some(({ status }) => status?._tag === "Committed")) {
    return doubt(keeper, items, new AppendLost({ detail: error.message }))
  }
  for (const place of items.flatMap(({ sent }) => sent === undefined ? [] : places(sent))) {
    InlineTexts.forget(keeper.texts, place)
  }
  return Effect.fail(error)
}
