/**
 * The port of views: documents by key, with the fields that may be asked for. A projection writes them in the
 * transaction of its checkpoint; anybody reads. Checked by `varve/testing/ViewStoreSuite`.
 */
import { Context, type Effect } from "effect"
import type { Refusal } from "./Admission.ts"
import type { StoreUnavailable, ViewId } from "./EventStore.ts"

export type { ViewId } from "./EventStore.ts"

/**
 * What a field holds: how it is compared, and put in order. Text by code points, numbers as those of JavaScript, false
 * before true. A value of another type counts as null.
 */
export type FieldType = "text" | "number" | "boolean"

/** A field of a document that may be asked for: top level, by its encoded name; 1 to 40 of A-Z, a-z, 0-9 and `_`. */
export interface ViewIndex {
  readonly field: string
  readonly type: FieldType
}

/** What a store has to know of a view before the first document. */
export interface ViewDefinition extends ViewId {
  /** Each field once. */
  readonly indexes: ReadonlyArray<ViewIndex>
}

/** A document as it is kept. */
export interface StoredDocument {
  readonly key: string
  /** How often it was written, 1 at least. A key that was deleted begins again. */
  readonly revision: number
  /** As JSON text: an object, as it was given. */
  readonly document: string
}

/** What becomes of the document of a key. */
export interface DocumentChange {
  readonly tenant: string
  /** 1 to 255 characters. */
  readonly key: string
  /** As JSON text, an object, as `Admission.admitJson` makes it, at most 1 MiB; undefined deletes it. */
  readonly document: string | undefined
}

/** What an indexed field is compared with; null is where the document has no such field, null, or another type. */
export type FieldValue = string | number | boolean | null

/** Which documents of a tenant. */
export interface ViewQuery {
  readonly tenant: string
  /** Fields that must be equal, each of them indexed. */
  readonly where?: ReadonlyArray<{ readonly field: string; readonly equals: FieldValue }> | undefined
  /**
   * By an indexed field, then by key (in code points), both in this direction; by key upwards unless given. Null comes
   * last, in either direction.
   */
  readonly orderBy?: { readonly field: string; readonly direction: "ascending" | "descending" } | undefined
  /**
   * Only what comes after this document in that order; `value` is that of the field to order by. The document need not
   * exist any more.
   */
  readonly after?: { readonly key: string; readonly value?: FieldValue | undefined } | undefined
  /** At most so many; 1 to 1,000. */
  readonly limit: number
}

/** Which version of a view is read. */
export interface LiveVersion {
  readonly version: number
  /** An operator said so: a newer version that has caught up does not take over by itself. */
  readonly pinned: boolean
}

/**
 * The documents of all views in this store.
 *
 * What is asked inside a transaction (`CheckpointStore.advance`, or that of the same database's `SqlClient`) takes part
 * in it, and sees what it has written before. A view that was not prepared, or was dropped, is `StoreUnavailable`, and
 * lastingly so; only `drop` finds nothing to do. Nor can one that is inline be written, cleared or dropped: its documents
 * are written by appends (see `InlineViews`).
 *
 * A name of a view, a version or a field that cannot be one, or a query by a field that has no index, is a defect with
 * `InputInvalid` or `LimitExceeded`, since it comes from code. Tenants, keys and documents come from data: those that
 * cannot be are refused where they are written, and find nothing where they are read.
 *
 * @example
 * ```ts
 * import { Effect } from "effect"
 * import * as Memory from "varve/memory/Memory"
 * import { ViewStore } from "varve/ViewStore"
 *
 * const orders = { name: "orders", version: 1, indexes: [{ field: "status", type: "text" }] } as const
 * const put = (key: string, document: object) => ({ tenant: "t", key, document: JSON.stringify(document) })
 *
 * const program = Effect.gen(function*() {
 *   const views = yield* ViewStore
 *   yield* views.prepare(orders)
 *   yield* views.write(orders, [put("o-1", { status: "placed" }), put("o-2", { status: "sent" })])
 *   return yield* views.list(orders, { tenant: "t", where: [{ field: "status", equals: "sent" }], limit: 10 })
 * })
 *
 * const sent = [{ key: "o-2", revision: 1, document: `{"status":"sent"}` }]
 * await Effect.runPromise(Effect.provide(program, Memory.layer)) // => sent
 * ```
 */
export class ViewStore extends Context.Service<ViewStore, {
  /** Names the database behind this layer. */
  readonly storeId: string
  /**
   * Makes room for the documents of a view, and indexes for what may be asked; nothing where all is there already.
   * Several workers may ask at once. A version whose indexes have changed gets those that are missing, and loses none.
   */
  readonly prepare: (view: ViewDefinition) => Effect.Effect<void, StoreUnavailable>
  /** The documents of these keys, as far as there are any, in no particular order. A key is at most once among them. */
  readonly read: (
    view: ViewId,
    keys: ReadonlyArray<{ readonly tenant: string; readonly key: string }>
  ) => Effect.Effect<ReadonlyArray<StoredDocument & { readonly tenant: string }>, StoreUnavailable>
  /**
   * Writes documents, all or none of them.
   *
   * - `InputInvalid`: a tenant or a key cannot be one, a key of a tenant is twice among them, or a document is no JSON
   *   object, or holds what no store can keep
   * - `LimitExceeded`: a name of more than 255 characters, a document of more than 1 MiB
   */
  readonly write: (
    view: ViewId,
    changes: ReadonlyArray<DocumentChange>
  ) => Effect.Effect<void, StoreUnavailable | Refusal>
  /** Documents in order. The fields of a query are those that `prepare` was given. */
  readonly list: (
    view: ViewDefinition,
    query: ViewQuery
  ) => Effect.Effect<ReadonlyArray<StoredDocument>, StoreUnavailable>
  /** How many documents of a tenant there are, or how many of those with these fields. */
  readonly count: (
    view: ViewDefinition,
    query: Pick<ViewQuery, "tenant" | "where">
  ) => Effect.Effect<number, StoreUnavailable>
  /** Deletes all documents of a version, those of all tenants. */
  readonly clear: (view: ViewId) => Effect.Effect<void, StoreUnavailable>
  /** Forgets a version altogether: its documents, their room, and whether it is the one that is read. */
  readonly drop: (view: ViewId) => Effect.Effect<void, StoreUnavailable>
  /** Which version of a view is read; undefined if none was ever said. */
  readonly live: (name: string) => Effect.Effect<LiveVersion | undefined, StoreUnavailable>
  /** Says which version is read from now on, if it is still `from` that was. Answers whether it was. */
  readonly flip: (
    name: string,
    change: { readonly from: number | undefined; readonly to: LiveVersion }
  ) => Effect.Effect<boolean, StoreUnavailable>
}>()("varve/ViewStore") {}
