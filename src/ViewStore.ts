/**
 * The port of views: documents by key, with the fields that may be asked for. A projection writes them in the
 * transaction of its checkpoint; anybody reads. Checked by `varve/testing/ViewStoreSuite`.
 */
import { Context, type Effect } from "effect"
import type { StoreUnavailable } from "./EventStore.ts"

/** A view by its name, and the version of the code that fills it. Each version has documents of its own. */
export interface ViewId {
  /** Lower-case letters, digits and hyphens, a letter first; 1 to 40 characters. */
  readonly name: string
  /** 1 to 999,999. */
  readonly version: number
}

/** What a field holds: how it is compared, and put in order. Text by code points. */
export type FieldType = "text" | "number" | "boolean"

/** A field of a document that may be asked for: top level, by its encoded name; letters, digits, `_`; 1 to 40. */
export interface ViewIndex {
  readonly field: string
  readonly type: FieldType
}

/** What a store has to know of a view before the first document. */
export interface ViewDefinition extends ViewId {
  readonly indexes: ReadonlyArray<ViewIndex>
}

/** A document as it is kept. */
export interface StoredDocument {
  readonly key: string
  /** How often it was written, 1 at least. A key that was deleted begins again. */
  readonly revision: number
  /** As JSON text: an object. */
  readonly document: string
}

/** What becomes of the document of a key. */
export interface DocumentChange {
  readonly tenant: string
  /** 1 to 255 characters. */
  readonly key: string
  /** As JSON text: an object; undefined deletes it. */
  readonly document: string | undefined
}

/** What an indexed field is compared with; null is where the document has no such field, or null. */
export type FieldValue = string | number | boolean | null

/** Which documents of a tenant. */
export interface ViewQuery {
  readonly tenant: string
  /** Fields that must be equal, each of them indexed. */
  readonly where?: ReadonlyArray<{ readonly field: string; readonly equals: FieldValue }> | undefined
  /** By an indexed field, then by key; by key alone unless given. Null comes last, in either direction. */
  readonly orderBy?: { readonly field: string; readonly direction: "ascending" | "descending" } | undefined
  /** Only what comes after this document in that order. Where it was taken from need not exist any more. */
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

/** The documents of all views in this store. */
export class ViewStore extends Context.Service<ViewStore, {
  /** Names the database behind this layer. */
  readonly storeId: string
  /**
   * Makes room for the documents of a view, and indexes for what may be asked; nothing where all is there already.
   * Several workers may ask at once. A version whose indexes have changed gets those that are missing.
   */
  readonly prepare: (view: ViewDefinition) => Effect.Effect<void, StoreUnavailable>
  /** The documents of these keys, as far as there are any, in no particular order; 1,000 keys at most. */
  readonly read: (
    view: ViewId,
    keys: ReadonlyArray<{ readonly tenant: string; readonly key: string }>
  ) => Effect.Effect<ReadonlyArray<StoredDocument & { readonly tenant: string }>, StoreUnavailable>
  /** Writes documents, as part of the transaction that it is asked in, if any. A key is at most once among them. */
  readonly write: (view: ViewId, changes: ReadonlyArray<DocumentChange>) => Effect.Effect<void, StoreUnavailable>
  /** Documents in order. The fields of a query are those that `prepare` was given. */
  readonly list: (
    view: ViewDefinition,
    query: ViewQuery
  ) => Effect.Effect<ReadonlyArray<StoredDocument>, StoreUnavailable>
  /** How many documents of a tenant there are. */
  readonly count: (
    view: ViewDefinition,
    query: Pick<ViewQuery, "tenant" | "where">
  ) => Effect.Effect<number, StoreUnavailable>
  /** Deletes all documents of a version, as part of the transaction that it is asked in, if any. */
  readonly clear: (view: ViewId) => Effect.Effect<void, StoreUnavailable>
  /** Forgets a version altogether: its documents, their room, and whether it is the one that is read. */
  readonly drop: (view: ViewId) => Effect.Effect<void, StoreUnavailable>
  /** Which version of a view is read; undefined if none was ever said. */
  readonly live: (name: string) => Effect.Effect<LiveVersion | undefined, StoreUnavailable>
  /**
   * Says which version is read from now on, if it is still `from` that was, as part of the transaction that it is asked
   * in, if any. Answers whether it was.
   */
  readonly flip: (
    name: string,
    change: { readonly from: number | undefined; readonly to: LiveVersion }
  ) => Effect.Effect<boolean, StoreUnavailable>
}>()("varve/ViewStore") {}
