/**
 * Views in memory, in one transaction with whatever else is kept there. A query looks at all documents of its tenant.
 */
import { Effect, HashMap, Option, Result } from "effect"
import type { Refusal } from "../Admission.ts"
import { StoreUnavailable } from "../EventStore.ts"
import * as Views from "../internal/documents.ts"
import { byCodePoints } from "../internal/order.ts"
import {
  type FieldValue,
  type StoredDocument,
  type ViewDefinition,
  type ViewId,
  type ViewQuery,
  ViewStore
} from "../ViewStore.ts"
import * as MemoryDocuments from "./MemoryDocuments.ts"
import * as MemoryLog from "./MemoryLog.ts"
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
          const found = MemoryDocuments.find(documents, tenant, key)
          return found === undefined ? [] : [{ ...found, tenant }]
        })),
    write: (view, changes) =>
      Effect.suspend((): Effect.Effect<void, StoreUnavailable | Refusal> => {
        const refusal = Views.refuseChanges(changes)
        return refusal === undefined
          ? write(tables, view, "write", (documents) => MemoryDocuments.applyAll(documents, changes))
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
        const key = MemoryDocuments.keyOf(view)
        return MemoryTables.write(tables, (state) =>
          HashMap.has(state.views, key)
            ? [undefined, state]
            : [undefined, { ...state, views: HashMap.set(state.views, key, HashMap.empty()) }])
      }),
    drop: (view) =>
      Effect.suspend(() => {
        Views.assertView(view)
        const change: MemoryTables.Change<Result.Result<void, StoreUnavailable>> = (state) => {
          if (MemoryLog.inlineOf(tables.log, view) !== undefined) return [inline(view, "drop"), state]
          const isLive = liveOf(state, view.name)?.version === view.version
          const live = isLive ? HashMap.remove(state.live, view.name) : state.live
          return [Result.void, { ...state, live, views: HashMap.remove(state.views, MemoryDocuments.keyOf(view)) }]
        }
        return Effect.flatMap(MemoryTables.write(tables, change), Effect.fromResult)
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
  look: (documents: MemoryDocuments.Documents) => A
): Effect.Effect<A, StoreUnavailable> =>
  Effect.flatMap(
    MemoryTables.read(tables, (state) =>
      Result.map(roomOf(state, view, operation), (room) =>
        look(MemoryLog.inlineOf(tables.log, view)?.documents ?? room))),
    Effect.fromResult
  )

/** Changes the documents of a view that has room. */
const write = (
  tables: MemoryTables.MemoryTables,
  view: ViewId,
  operation: string,
  change: (documents: MemoryDocuments.Documents) => MemoryDocuments.Documents
): Effect.Effect<void, StoreUnavailable> =>
  Effect.flatMap(
    MemoryTables.write(tables, (state): readonly [Result.Result<void, StoreUnavailable>, MemoryTables.State] => {
      const room = MemoryLog.inlineOf(tables.log, view) === undefined
        ? roomOf(state, view, operation)
        : inline(view, operation)
      if (Result.isFailure(room)) return [Result.fail(room.failure), state]
      return [Result.void, {
        ...state,
        views: HashMap.set(state.views, MemoryDocuments.keyOf(view), change(room.success))
      }]
    }),
    Effect.fromResult
  )

/** Whoever is inline is written by appends only. */
const inline = (view: ViewId, operation: string): Result.Result<never, StoreUnavailable> =>
  Result.fail(new StoreUnavailable({ operation, detail: Views.isInline(view), lasting: true }))

const liveOf = (state: MemoryTables.State, name: string) => Option.getOrUndefined(HashMap.get(state.live, name))

const roomOf = (
  state: MemoryTables.State,
  view: ViewId,
  operation: string
): Result.Result<MemoryDocuments.Documents, StoreUnavailable> => {
  Views.assertView(view)
  return Option.match(HashMap.get(state.views, MemoryDocuments.keyOf(view)), {
    onSome: Result.succeed,
    onNone: () => Result.fail(new StoreUnavailable({ operation, detail: Views.noRoom(view), lasting: true }))
  })
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
  documents: MemoryDocuments.Documents,
  view: ViewDefinition,
  { tenant, where }: Pick<ViewQuery, "tenant" | "where">
): ReadonlyArray<Compared> => filtered(documents, Views.planned(view, { tenant, where, limit: 1 }))

const filtered = (
  documents: MemoryDocuments.Documents,
  plan: Views.PlannedQuery | undefined
): ReadonlyArray<Compared> =>
  plan === undefined ? [] : Array.from(HashMap.values(MemoryDocuments.ofTenant(documents, plan.tenant)), parse)
    .filter(({ fields }) =>
      plan.where.every(({ equals, field, type }) => Views.comparable(type, fields[field]) === equals)
    )

/** Where a document stands in an order. */
interface Place {
  readonly value: FieldValue
  readonly key: string
}

const select = (
  documents: MemoryDocuments.Documents,
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
