/**
 * What the suites of inline views write and read back: a view that is inline and whose events no other test appends, and
 * appends with its documents.
 */
import { deepStrictEqual, strictEqual } from "@effect/vitest/utils"
import { Effect } from "effect"
import { CheckpointStore } from "../../CheckpointStore.ts"
import type { Expected, Position, StreamId } from "../../Event.ts"
import { type Append, type DocumentWrite, EventStore, type Status, type ViewId, type Write } from "../../EventStore.ts"
import { type InlineView, InlineViews } from "../../InlineViews.ts"
import type { ViewDefinition, ViewIndex } from "../../ViewStore.ts"
import { ViewStore } from "../../ViewStore.ts"
import * as ReadSide from "./ReadSide.ts"
import * as Sample from "./Sample.ts"

/** A view with room, and the types of its events. */
export interface Own extends InlineView, ViewDefinition {}

/** A view of its own that is not inline yet. */
export const prepared = (indexes: ReadonlyArray<ViewIndex> = []) =>
  Effect.map(ReadSide.prepared(indexes), (view): Own => ({ ...view, types: [`of ${view.name}`] }))

/** A view of its own that is inline. */
export const inline = Effect.fnUntraced(function*(indexes: ReadonlyArray<ViewIndex> = []) {
  const view = yield* prepared(indexes)
  yield* lookThrough(view)
  yield* enters(view, "inline")
  return view
})

const idOf = ({ name, version }: ViewId) => ({ name, version, partition: 0 })

/** The checkpoint of a view's reader. */
export const checkpointOf = (view: ViewId) => Effect.flatMap(CheckpointStore, (store) => store.get(idOf(view)))

/** What a view's reader does: it moves its checkpoint, and writes documents with it. */
export const fill = Effect.fnUntraced(function*(
  view: ViewId,
  to: Position,
  ...documents: ReadonlyArray<readonly [key: string, document: unknown]>
) {
  const found = yield* checkpointOf(view)
  const { epoch } = yield* EventStore
  const work = documents.length === 0
    ? Effect.void
    : ReadSide.write(view, ...documents.map(([key, document]) => ReadSide.put(key, document)))
  const step = ReadSide.step(idOf(view), found?.revision ?? 0, to, yield* epoch)
  yield* (yield* CheckpointStore).advance(step, work)
})

/** The reader of a view has found none of its events, however long the log is by now. */
export const lookThrough = (view: ViewId) => Effect.flatMap(Sample.head, (head) => fill(view, head))

/** It is answered so when it is to be inline. */
export const enters = Effect.fnUntraced(
  function*(view: InlineView, expected: "inline" | "filling" | "behind" | "held") {
    const entered = yield* (yield* InlineViews).enter(view)
    strictEqual(entered._tag, expected)
    return entered
  }
)

/** Whether it is inline. */
export const isInline = ({ name, version }: ViewId) =>
  Effect.map(
    Effect.flatMap(InlineViews, ({ list }) => list),
    (views) => views.some((view) => view.name === name && view.version === version)
  )

/** A stream of the tenant of these suites. */
export const stream = (parts: Partial<StreamId> = {}): StreamId => Sample.stream({ tenant: ReadSide.tenant, ...parts })

/** Events of a view. */
export const events = ({ types: [type] }: Own, count = 1) => Sample.events(count, { type: type! })

/** What becomes of a document, as JSON values; undefined where there is none. */
export const becomes = (key: string, expected: unknown, document: unknown): DocumentWrite => ({
  key,
  expected: textOf(expected),
  document: textOf(document)
})

/** A document as text. */
export const textOf = (document: unknown): string | undefined =>
  document === undefined ? undefined : JSON.stringify(document)

/** An event of a view for a stream, with what becomes of documents. */
export const write = (
  view: Own,
  stream: StreamId,
  expected: Expected,
  documents: ReadonlyArray<DocumentWrite> | undefined
): Write => ({
  ...Sample.write(stream, expected, events(view)),
  views: [{ view: { name: view.name, version: view.version }, documents }]
})

/** An event of a view at the end of a stream of its own. */
export const append = (view: Own, ...documents: ReadonlyArray<DocumentWrite>) =>
  Sample.append(write(view, stream(), 0, documents))

/** An event of a view from somebody who does not know it. */
export const strange = (view: Own) => Sample.write(stream(), 0, events(view))

/** What is kept under a key, with how often it was written. */
export const kept = Effect.fnUntraced(function*(view: ViewId, key: string, tenant = ReadSide.tenant) {
  const [found] = yield* (yield* ViewStore).read(view, [{ tenant, key }])
  return found && [found.revision, JSON.parse(found.document)]
})

/** The append is answered so, and has left neither events nor documents. */
export const leavesNothing = Effect.fnUntraced(function*(view: Own, expected: Partial<Status>, append: Append) {
  const look = Effect.gen(function*() {
    const documents = yield* (yield* ViewStore).list(view, { tenant: ReadSide.tenant, limit: 1_000 })
    return [yield* Sample.head, documents, yield* Effect.forEach(append, ({ stream }) => Sample.eventIds(stream))]
  })
  const before = yield* look
  const status = yield* Sample.append(...append)
  deepStrictEqual({ ...status, ...expected }, status)
  deepStrictEqual(yield* look, before)
})
