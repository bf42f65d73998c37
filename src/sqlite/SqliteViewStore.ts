/**
 * Views in the file of the log, in one transaction with whatever else is kept there.
 */
import { Effect, Result } from "effect"
import type { Refusal } from "../Admission.ts"
import { StoreUnavailable } from "../EventStore.ts"
import * as Views from "../internal/documents.ts"
import { type DocumentChange, type ViewId, ViewStore } from "../ViewStore.ts"
import type { SqliteInlineStatements } from "./SqliteInlineStatements.ts"
import type { SqliteReaderStatements } from "./SqliteReaderStatements.ts"
import type { SqliteTurns, Turn } from "./SqliteTurns.ts"
import type { SqliteViewStatements } from "./SqliteViewStatements.ts"

/** The view store over an open file whose tables are up to date. */
export const make = (
  readers: SqliteReaderStatements,
  views: SqliteViewStatements,
  inline: SqliteInlineStatements,
  turns: SqliteTurns,
  storeId: string
): ViewStore["Service"] =>
  ViewStore.of({ storeId, ...documents(turns, views, inline), ...rooms(turns, readers, views, inline) })

/** What is written and asked in a view that has room. */
const documents = (turns: SqliteTurns, views: SqliteViewStatements, inline: SqliteInlineStatements) => {
  const inRoom =
    (turn: Turn, isOpen: (view: ViewId) => boolean) =>
    <A>(view: ViewId, operation: string, work: () => A): Effect.Effect<A, StoreUnavailable> =>
      Effect.suspend(() => {
        Views.assertView(view)
        const done = turn(operation, () =>
          isOpen(view) ? ifRoom(views, view, operation, work) : inlineNow(view, operation))
        return Effect.flatMap(done, Effect.fromResult)
      })
  const read = inRoom(turns.read, () => true)
  const write = inRoom(turns.write, (view) => !isInline(inline, view))

  return {
    read: (view, keys) => read(view, "read", () => views.documents(view, keys)),
    write: (view, changes) =>
      Effect.suspend((): Effect.Effect<void, StoreUnavailable | Refusal> => {
        const refusal = Views.refuseChanges(changes)
        if (refusal !== undefined) return Effect.fail(refusal)
        return write(view, "write", () => writeDocuments(views, view, changes))
      }),
    list: (view, query) =>
      Effect.suspend(() => {
        const plan = Views.planned(view, query)
        return read(view, "list", () => plan === undefined ? views.ifRoom(view, []) : views.listDocuments(view, plan))
      }),
    count: (view, { tenant, where }) =>
      Effect.suspend(() => {
        const plan = Views.planned(view, { tenant, where, limit: 1 })
        return read(view, "count", () => plan === undefined ? views.ifRoom(view, 0) : views.countDocuments(view, plan))
      }),
    clear: (view) => write(view, "clear", () => views.deleteDocuments(view))
  } satisfies Partial<ViewStore["Service"]>
}

/** Which versions have room, and which is read. */
const rooms = (
  { read, write }: SqliteTurns,
  readers: SqliteReaderStatements,
  views: SqliteViewStatements,
  inline: SqliteInlineStatements
) =>
  ({
    prepare: (view) =>
      Effect.suspend(() => {
        Views.assertDefinition(view)
        // Whoever finds all of it there keeps nobody from writing.
        return Effect.flatMap(
          read("prepare", () => views.isPrepared(view)),
          (isPrepared) => isPrepared ? Effect.void : write("prepare", () => views.createRoom(view))
        )
      }),
    drop: (view) =>
      Effect.suspend(() => {
        Views.assertView(view)
        const dropped = write("drop", () => {
          if (isInline(inline, view)) return inlineNow(view, "drop")
          views.dropRoom(view)
          readers.deleteLive(view.name, view.version)
          return Result.void
        })
        return Effect.flatMap(dropped, Effect.fromResult)
      }),
    live: (name) =>
      Effect.suspend(() => {
        Views.assertViewName(name)
        return read("live", () => readers.live(name))
      }),
    flip: (name, { from, to }) =>
      Effect.suspend(() => {
        Views.assertView({ name, version: to.version })
        return write("flip", () => {
          if (readers.live(name)?.version !== from) return false
          readers.upsertLive(name, to)
          return true
        })
      })
  }) satisfies Partial<ViewStore["Service"]>

/** Whether the documents of a view are written by appends, or have been and are not given back yet. */
const isInline = (inline: SqliteInlineStatements, view: ViewId): boolean => {
  const row = inline.view(view)
  return row !== undefined && row.state !== "filling"
}

const inlineNow = (view: ViewId, operation: string): Result.Result<never, StoreUnavailable> =>
  Result.fail(new StoreUnavailable({ operation, detail: Views.isInline(view), lasting: true }))

/** A statement that fails may do so because its table is not there; else nobody has to look whether it is. */
const ifRoom = <A>(
  views: SqliteViewStatements,
  view: ViewId,
  operation: string,
  work: () => A
): Result.Result<A, StoreUnavailable> => {
  try {
    return Result.succeed(work())
  } catch (cause) {
    if (views.hasRoom(view)) throw cause
    return Result.fail(new StoreUnavailable({ operation, detail: Views.noRoom(view), lasting: true }))
  }
}

/** Writes documents inside a turn that has found all in order. */
export const writeDocuments = (
  views: SqliteViewStatements,
  view: ViewId,
  changes: ReadonlyArray<DocumentChange>
): void => {
  if (changes.length === 0) return views.ifRoom(view, undefined)
  const [upsert, remove] = [views.upsertDocument(view), views.deleteDocument(view)]
  for (const { document, key, tenant } of changes) {
    if (document === undefined) remove(tenant, key)
    else upsert(tenant, key, document)
  }
}
