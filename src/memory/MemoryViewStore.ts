/**
 * Views in memory, in one transaction with whatever else is kept there. A query looks at all documents of its tenant.
 */
import { Effect, HashMap, Option, Result } from "effect"
import type { Refusal } from "../Admission.ts"
import { StoreUnavailable } from "../EventStore.ts"
import * as Views from "../internal/documents.ts"
import { byCodePoints } from "../internal/order.ts"
import {
  type DocumentChange,
  type FieldValue,
  type StoredDocument,
  type ViewDefinition,
  type ViewId,
  type ViewQuery,
  ViewStore
} from "../ViewStore.ts"
import * as MemoryTables from "./MemoryTables.ts"

/** The view store over tables in memory. */
export const make = (tables: MemoryTables.MemoryTables, storeId: string): ViewStore["Service"] =>
  ViewStore.of({ storeId, ...documents(tables), ...rooms(tables) })

/** What is written and asked in a view that has room. */
const documents = (tables: MemoryTables.MemoryTables) =>
  ({
    read: (view, keys) =>
      read(tables, view, "read", (documents) =>
        keys.flatMap(({ key, tenant }) => {
          const found = Option.getOrUndefined(HashMap.get(ofTenant(documents, tenant), key))
          return found === undefined ? [] : [{ ...found, tenant }]
        })),
    write: (view, changes) =>
      Effect.suspend((): Effect.Effect<void, StoreUnavailable | Refusal> => {
        const refusal = Views.refuseChanges(changes)
        return refusal === undefined
          ? write(tables, view, "write", (documents) => applyAll(documents, changes))
          : Effect.fail(refusal)
      }),
    list: (view, query) => read(tables, view, "list", (documents) => select(documents, view, query)),
    count: (view, query) => read(tables, view, "count", (documents) => matching(documents, view, query).length),
    clear: (view) => write(tables, view, "clear", () => HashMap.empty())
  }) satisfies Partial<ViewStore["Service"]>

/** Which versions have room, and which is read. */
const rooms = (tables: MemoryTables.MemoryTables) =>
  ({
    prepare: (view) =>
      Effect.suspend(() => {
        Views.assertDefinition(view)
        const key = keyOf(view)
        return MemoryTables.write(tables, (state) =>
          HashMap.has(state.views, key)
            ? [undefined, state]
            : [undefined, { ...state, views: HashMap.set(state.views, key, HashMap.empty()) }])
      }),
    drop: (view) =>
      Effect.suspend(() => {
        Views.assertView(view)
        return MemoryTables.write(tables, (state) => {
          const isLive = liveOf(state, view.name)?.version === view.version
          const live = isLive ? HashMap.remove(state.live, view.name) : state.live
          return [undefined, { ...state, live, views: HashMap.remove(state.views, keyOf(view)) }]
        })
      }),
    live: (name) =>
      Effect.suspend(() => {
        Views.assertViewName(name)
        return MemoryTables.read(tables, (state) => liveOf(state, name))
      }),
    flip: (name, { from, to }) =>
      Effect.suspend(() => {
        Views.assertView({ name, version: to.version })
        return MemoryTables.write(tables, (state) => {
          if (liveOf(state, name)?.version !== from) return [false, state]
          const live = Object.freeze({ version: to.version, pinned: to.pinned })
          return [true, { ...state, live: HashMap.set(state.live, name, live) }]
        })
      })
  }) satisfies Partial<ViewStore["Service"]>

/** Looks at the documents of a view that has room. */
const read = <A>(
  tables: MemoryTables.MemoryTables,
  view: ViewId,
  operation: string,
  look: (documents: MemoryTables.Documents) => A
): Effect.Effect<A, StoreUnavailable> =>
  Effect.flatMap(
    MemoryTables.read(tables, (state) => Result.map(roomOf(state, view, operation), look)),
    Effect.fromResult
  )

/** Changes the documents of a view that has room. */
const write = (
  tables: MemoryTables.MemoryTables,
  view: ViewId,
  operation: string,
  change: (documents: MemoryTables.Documents) => MemoryTables.Documents
): Effect.Effect<void, StoreUnavailable> =>
  Effect.flatMap(
    MemoryTables.write(tables, (state): readonly [Result.Result<void, StoreUnavailable>, MemoryTables.State] => {
      const room = roomOf(state, view, operation)
      if (Result.isFailure(room)) return [Result.fail(room.failure), state]
      return [Result.void, { ...state, views: HashMap.set(state.views, keyOf(view), change(room.success)) }]
    }),
    Effect.fromResult
  )

const keyOf = ({ name, version }: ViewId): string => JSON.stringify([name, version])

const liveOf = (state: MemoryTables.State, name: string) => Option.getOrUndefined(HashMap.get(state.live, name))

const roomOf = (
  state: MemoryTables.State,
  view: ViewId,
  operation: string
): Result.Result<MemoryTables.Documents, StoreUnavailable> => {
  Views.assertView(view)
  return Option.match(HashMap.get(state.views, keyOf(view)), {
    onSome: Result.succeed,
    onNone: () => Result.fail(new StoreUnavailable({ operation, detail: Views.noRoom(view), lasting: true }))
  })
}

const ofTenant = (documents: MemoryTables.Documents, tenant: string) =>
  Option.getOrElse(HashMap.get(documents, tenant), () => HashMap.empty<string, StoredDocument>())

const applyAll = (
  documents: MemoryTables.Documents,
  changes: ReadonlyArray<DocumentChange>
): MemoryTables.Documents => {
  let changed = documents
  for (const [tenant, own] of Map.groupBy(changes, ({ tenant }) => tenant)) {
    const written = HashMap.mutate(ofTenant(documents, tenant), (draft) => {
      for (const change of own) apply(draft, change)
    })
    changed = HashMap.set(changed, tenant, written)
  }
  return changed
}

const apply = (draft: HashMap.HashMap<string, StoredDocument>, { document, key }: DocumentChange): void => {
  if (document === undefined) {
    HashMap.remove(draft, key)
  } else {
    const revision = (Option.getOrUndefined(HashMap.get(draft, key))?.revision ?? 0) + 1
    HashMap.set(draft, key, Object.freeze({ key, revision, document }))
  }
}

/** A document with what it is compared by. */
interface Compared {
  readonly stored: StoredDocument
  readonly fields: Readonly<Record<string, unknown>>
}

/** What was parsed of the documents that are kept: they never change. */
const parsed = new WeakMap<StoredDocument, Readonly<Record<string, unknown>>>()

const parse = (stored: StoredDocument): Compared => {
  const known = parsed.get(stored)
  if (known !== undefined) return { stored, fields: known }
  const fields = Views.fieldsOf(stored.document) ?? {}
  parsed.set(stored, fields)
  return { stored, fields }
}

const matching = (
  documents: MemoryTables.Documents,
  view: ViewDefinition,
  { tenant, where }: Pick<ViewQuery, "tenant" | "where">
): ReadonlyArray<Compared> => filtered(documents, Views.planned(view, { tenant, where, limit: 1 }))

const filtered = (
  documents: MemoryTables.Documents,
  plan: Views.PlannedQuery | undefined
): ReadonlyArray<Compared> =>
  plan === undefined ? [] : Array.from(HashMap.values(ofTenant(documents, plan.tenant)), parse)
    .filter(({ fields }) =>
      plan.where.every(({ equals, field, type }) => Views.comparable(type, fields[field]) === equals)
    )

/** Where a document stands in an order. */
interface Place {
  readonly value: FieldValue
  readonly key: string
}

const select = (
  documents: MemoryTables.Documents,
  view: ViewDefinition,
  query: ViewQuery
): ReadonlyArray<StoredDocument> => {
  const plan = Views.planned(view, query)
  if (plan === undefined) return []
  const { after, descending, limit, orderBy } = plan
  const placed = filtered(documents, plan).map(({ fields, stored }) => ({
    stored,
    value: orderBy === undefined ? null : Views.comparable(orderBy.type, fields[orderBy.field]),
    key: stored.key
  }))
  return placed
    .filter((place) => after === undefined || inOrder(place, after, descending) > 0)
    .sort((a, b) => inOrder(a, b, descending))
    .slice(0, limit)
    .map(({ stored }) => stored)
}

const inOrder = (a: Place, b: Place, descending: boolean): number => {
  if ((a.value === null) !== (b.value === null)) return a.value === null ? 1 : -1
  const upwards = byValue(a.value, b.value) || byCodePoints(a.key, b.key)
  return descending ? -upwards : upwards
}

const byValue = (a: FieldValue, b: FieldValue): number => {
  if (typeof a === "string" && typeof b === "string") return byCodePoints(a, b)
  return Number(a) - Number(b)
}
