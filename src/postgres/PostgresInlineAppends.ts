/**
 * Appends whose writers know views. The server's function writes a group as a whole or says how things are; then it is
 * found out here, as in every other store, which of the appends can be written, and those are sent.
 */
import * as PgTypes from "@effect/sql-pg/PgTypes"
import { Effect, Result } from "effect"
import type { Append, Status, ViewId } from "../EventStore.ts"
import * as Inline from "../internal/inline.ts"
import { untyped } from "../internal/types.ts"
import * as Appends from "./PostgresAppends.ts"
import type { Row } from "./PostgresClient.ts"
import * as Rows from "./PostgresRows.ts"
import { tableOf } from "./PostgresViewStatements.ts"

/** Whether a write of the group lists a view. */
export const knowsViews = (group: ReadonlyArray<Append>): boolean =>
  group.some((append) => append.some(({ views = [] }) => views.length > 0))

/** How things are, as the server said it last: views, and documents by their places. */
interface Knowledge {
  readonly views: Map<string, Inline.Known>
  readonly documents: ReadonlyMap<string, string | undefined>
}

/** What is to be written, and which views end before which append of it. */
interface Chosen {
  readonly group: ReadonlyArray<Append>
  readonly views: ReadonlyArray<Inline.Known>
  readonly ends: ReadonlyArray<{ readonly view: ViewId; readonly before: number }>
}

/** Asks the server to write a group as a whole; `onlyLook` if it shall only say how things are. */
export type Send<E> = (parameters: ReadonlyArray<PgTypes.Parameter>) => Effect.Effect<Row, E>

/** What becomes of each append. */
export const append = Effect.fnUntraced(function*<E>(
  group: ReadonlyArray<Append>,
  send: Send<E>
): Effect.fn.Return<ReadonlyArray<Status>, E> {
  const statuses = new Map<Append, Status>()
  let chosen: Chosen = { group, views: believed(group), ends: [] }
  while (chosen.group.length > 0) {
    const encoded = Appends.encode(chosen.group)
    const documents = gather(chosen)
    const parameters = encodeViews(chosen, documents)
    const row = yield* send([...encoded.parameters, ...parameters, PgTypes.bool(!documents.isConsistent)])
    const report = reportOf(row)
    if (report.done) {
      const written = Appends.statusesOf(chosen.group, encoded, row)
      chosen.group.forEach((append, index) => statuses.set(append, written[index]!))
      break
    }
    const obstacles = Appends.obstaclesOf(chosen.group, encoded, row)
    chosen = choose(chosen.group, obstacles, knowledgeOf(report, documents), statuses)
  }
  return group.map((append) => statuses.get(append)!)
})

/** The writers have seen these views, and no others. */
const believed = (group: ReadonlyArray<Append>): ReadonlyArray<Inline.Known> => {
  const views = new Map<string, Inline.Known>()
  for (const { documents, view } of group.flat().flatMap(({ views = [] }) => views)) {
    const { name, version } = view
    if (documents !== undefined) views.set(Inline.nameOf(view), { name, version, types: new Set(), state: "inline" })
  }
  return [...views.values()]
}

// ── Documents

/** A document of a group: what it must be, what it becomes, and how often it is written on the way. */
interface Document {
  readonly tenant: string
  readonly key: string
  readonly expected: string | undefined
  document: string | undefined
  writes: number
  /** It was deleted on the way, so that it begins again. */
  anew: boolean
}

interface Documents {
  readonly byView: ReadonlyMap<string, { readonly view: ViewId; readonly byPlace: Map<string, Document> }>
  /** Each writer has decided on what those before him have made, and they agree on which views are inline. */
  readonly isConsistent: boolean
}

const placeOf = (view: ViewId, tenant: string, key: string): string => `${Inline.nameOf(view)}\0${tenant}\0${key}`

const gather = ({ ends, group, views }: Chosen): Documents => {
  const byView = new Map<string, { readonly view: ViewId; readonly byPlace: Map<string, Document> }>()
  const unseen = new Set<string>()
  let isConsistent = true
  for (const { stream: { tenant }, views = [] } of group.flat()) {
    for (const { documents, view } of views) {
      if (documents === undefined) {
        unseen.add(Inline.nameOf(view))
        continue
      }
      const own = byView.get(Inline.nameOf(view)) ?? { view, byPlace: new Map<string, Document>() }
      byView.set(Inline.nameOf(view), own)
      for (const { document, expected, key } of documents) {
        const place = placeOf(view, tenant, key)
        const one = own.byPlace.get(place) ??
          { tenant, key, expected, document: expected, writes: 0, anew: false }
        own.byPlace.set(place, one)
        isConsistent &&= one.document === expected
        become(one, document)
      }
    }
  }
  const isOther = views.some((view) =>
    unseen.has(Inline.nameOf(view)) && !ends.some((end) => Inline.nameOf(end.view) === Inline.nameOf(view))
  )
  return { byView, isConsistent: isConsistent && !isOther }
}

const become = (one: Document, document: string | undefined): void => {
  if (document === undefined) {
    one.anew ||= one.document !== undefined
    one.writes = 0
  } else if (document !== one.document) {
    one.writes++
  }
  one.document = document
}

// ── Columns

const ints = (values: ReadonlyArray<number>): PgTypes.Parameter =>
  Result.getOrThrow(PgTypes.array([...values], PgTypes.OID.int4))

const bools = (values: ReadonlyArray<boolean>): PgTypes.Parameter =>
  Result.getOrThrow(PgTypes.array([...values], PgTypes.OID.bool))

const encodeViews = (
  { ends, group, views }: Chosen,
  { byView }: Documents
): ReadonlyArray<PgTypes.Parameter> => {
  const listed = group.flat().flatMap(({ views = [] }, index) =>
    views.map(({ view }) => ({ ...view, write: index + 1 }))
  )
  const expected = [...views].sort((a, b) => a.name === b.name ? a.version - b.version : a.name < b.name ? -1 : 1)
  const own = [...byView.values()].filter(({ byPlace }) => byPlace.size > 0)
  const documents = own.flatMap(({ byPlace }) => [...byPlace.values()])
  let through = 0
  return [
    ints(listed.map(({ write }) => write)),
    Rows.texts(listed.map(({ name }) => name)),
    ints(listed.map(({ version }) => version)),
    Rows.texts(expected.map(({ name }) => name)),
    ints(expected.map(({ version }) => version)),
    Rows.texts(expected.map(({ state }) => state)),
    Rows.texts(ends.map(({ view }) => view.name)),
    ints(ends.map(({ view }) => view.version)),
    ints(ends.map(({ before }) => before)),
    Rows.texts(own.map(({ view }) => tableOf(view))),
    ints(own.map(({ byPlace }) => through += byPlace.size)),
    Rows.texts(documents.map(({ tenant }) => tenant)),
    Rows.texts(documents.map(({ key }) => key)),
    Rows.texts(documents.map(({ expected }) => expected ?? null)),
    Rows.texts(documents.map(({ document }) => document ?? null)),
    ints(documents.map(({ writes }) => writes)),
    bools(documents.map(({ anew }) => anew))
  ]
}

/** The function's answer, beside that of any append; see there. */
interface Report {
  readonly done: boolean
  readonly views: ReadonlyArray<Inline.Known>
  readonly actual: ReadonlyArray<string | null>
}

const reportOf = (row: Row): Report => {
  const [done, names, versions, types, states, actual] = untyped<
    readonly [
      boolean,
      ReadonlyArray<string>,
      ReadonlyArray<number>,
      ReadonlyArray<string>,
      ReadonlyArray<Inline.Known["state"]>,
      Report["actual"]
    ]
  >(row.slice(9))
  const views = names.map((name, index) => ({
    name,
    version: versions[index]!,
    types: new Set<string>(JSON.parse(types[index]!)),
    state: states[index]!
  }))
  return { done, views, actual }
}

const knowledgeOf = ({ actual, views }: Report, { byView }: Documents): Knowledge => {
  const places = [...byView.values()].flatMap(({ byPlace }) => [...byPlace.keys()])
  return {
    views: new Map(views.map((view) => [Inline.nameOf(view), view])),
    documents: new Map(places.map((place, index) => [place, actual[index] ?? undefined]))
  }
}

// ── Choosing

/** Finds out which appends can be written, and says of the others why not. */
const choose = (
  group: ReadonlyArray<Append>,
  obstacles: ReadonlyArray<Status | undefined>,
  { documents, views }: Knowledge,
  statuses: Map<Append, Status>
): Chosen => {
  const all = [...views.values()]
  const made = new Map(documents)
  const ends: Array<Chosen["ends"][number]> = []
  const chosen: Array<Append> = []
  let before = 0
  for (const [index, append] of group.entries()) {
    const status = obstacles[index] ?? Inline.changed(append, views) ??
      Inline.conflict(append, (view, tenant, key) => made.get(placeOf(view, tenant, key)))
    if (status !== undefined) {
      statuses.set(append, status)
      continue
    }
    for (const name of Inline.ended(append, views)) {
      ends.push({ view: views.get(name)!, before })
      views.delete(name)
    }
    for (const { stream: { tenant }, views: taken = [] } of append) {
      for (const { documents = [], view } of taken) {
        for (const { document, key } of documents) made.set(placeOf(view, tenant, key), document)
      }
    }
    chosen.push(append)
    for (const { events } of append) before += events.length
  }
  return { group: chosen, views: all.filter((view) => isRelevant(view, chosen)), ends }
}

/** Whether the server will say of a view how it is: an event may belong to it, or a write lists it. */
const isRelevant = (view: Inline.Known, group: ReadonlyArray<Append>): boolean =>
  group.flat().some(({ events, views = [] }) =>
    events.some(({ type }) => view.types.has(type)) ||
    views.some((listed) => Inline.nameOf(listed.view) === Inline.nameOf(view))
  )
