/**
 * What every store does with inline views before it writes an append: whether they are as its writer knew, and its
 * documents as he decided on. Kept in one place, so that no adapter is stricter or laxer.
 */
import { InputInvalid } from "../Admission.ts"
import type { Checkpoint } from "../CheckpointStore.ts"
import { outboxCategory, type Position, type Stored } from "../Event.ts"
import type { Append, DocumentConflict, ViewId, ViewsChanged, Write } from "../EventStore.ts"
import type { InlineView } from "../InlineViews.ts"
import { assertView } from "./documents.ts"
import { assertName } from "./readers.ts"

/** A view that is inline or about to be, as a store keeps it. */
export interface Known extends ViewId {
  readonly types: ReadonlySet<string>
  readonly state: "inline" | "filling"
}

/** How long writers who know a view hold back its events, so that it can be filled to the end of the log. */
export const fillingMillis = 1_000

/** How far a view's checkpoint may be from the end of the log for its last events to be looked for. */
export const behindMax = 10_000n

/** Throws unless a view may be inline like this. */
export const assertInline = (view: InlineView): void => {
  assertView(view)
  for (const type of view.types) assertName("the type of an event", type)
  if (view.types.length === 0) throw new InputInvalid({ what: "the view", problem: "it has no types of events" })
}

/** One text for one view: no name of a view holds a colon. */
export const nameOf = ({ name, version }: ViewId): string => `${name}:${version}`

/** What there is to know of a view that is to be inline. */
export interface Standing {
  /** Of its reader. */
  readonly checkpoint: Checkpoint | undefined
  readonly epoch: string
  readonly head: Position
  readonly isParked: () => boolean
  /** Whether one of its events stands after a position. */
  readonly hasEvents: (after: Position) => boolean
}

/** Why a view cannot be inline yet, if it cannot. */
export const lack = (
  { checkpoint, epoch, hasEvents, head, isParked }: Standing
): "held" | "behind" | "filling" | undefined => {
  const position = checkpoint?.position ?? 0n
  const isStrange = checkpoint !== undefined && (checkpoint.paused !== undefined || checkpoint.epoch !== epoch)
  if (isStrange || position > head || isParked()) return "held"
  if (head - position > behindMax) return "behind"
  return hasEvents(position) ? "filling" : undefined
}

/** Whether a stored event belongs to a view. */
export const isOf = ({ category, type }: Stored, types: ReadonlySet<string>): boolean =>
  category !== outboxCategory && types.has(type)

/** Whether one of the events of a write belongs to a view. Messages of the outbox belong to none. */
export const isFor = ({ events, stream }: Pick<Write, "events" | "stream">, types: ReadonlySet<string>): boolean =>
  stream.category !== outboxCategory && events.some(({ type }) => types.has(type))

/** The first view that is otherwise than its writer knew. */
export const changed = (append: Append, known: ReadonlyMap<string, Known>): ViewsChanged | undefined => {
  for (const [write, { views = [] }] of append.entries()) {
    for (const { documents, view } of views) {
      const state = known.get(nameOf(view))?.state ?? "followed"
      const isAsKnown = documents === undefined ? state === "followed" : state === "inline"
      if (!isAsKnown) return of(write, view, state)
    }
  }
  return halfTaken(append, known)
}

/** Whoever takes one of his writes into a view must do so with all of them. */
const halfTaken = (append: Append, known: ReadonlyMap<string, Known>): ViewsChanged | undefined => {
  if (append.length === 1) return undefined
  const views = append.flatMap(({ views = [] }) => views.map(({ view }) => view))
  for (const [write, each] of append.entries()) {
    const view = views.find((view) => {
      const inline = known.get(nameOf(view))
      return inline !== undefined && isFor(each, inline.types) && !isListed(each, nameOf(view))
    })
    if (view !== undefined) return of(write, view, "inline")
  }
  return undefined
}

const of = (write: number, { name, version }: ViewId, state: ViewsChanged["state"]): ViewsChanged => ({
  _tag: "ViewsChanged",
  write,
  view: { name, version },
  state
})

const isListed = ({ views = [] }: Write, name: string): boolean => views.some(({ view }) => nameOf(view) === name)

/** The views that are inline no longer once an append is written, whose writer does not know them. */
export const ended = (append: Append, known: ReadonlyMap<string, Known>): ReadonlyArray<string> =>
  [...known].flatMap(([name, { types }]) =>
    append.some((write) => isFor(write, types) && !isListed(write, name)) ? [name] : []
  )

/** Finds the text of a document; undefined if there is none. */
export type Find = (view: ViewId, tenant: string, key: string) => string | undefined

/** The first document that is another than its writer decided on. */
export const conflict = (append: Append, find: Find): DocumentConflict | undefined => {
  // What earlier writes of the same append make of it; none of them is written yet.
  const made = new Map<string, string | undefined>()
  for (const [write, { stream: { tenant }, views = [] }] of append.entries()) {
    for (const { documents = [], view } of views) {
      for (const { document, expected, key } of documents) {
        // No name that is admitted holds a NUL.
        const place = `${nameOf(view)}\0${tenant}\0${key}`
        const actual = made.has(place) ? made.get(place) : find(view, tenant, key)
        if (actual !== expected) {
          return { _tag: "DocumentConflict", write, view: { name: view.name, version: view.version }, key, actual }
        }
        made.set(place, document)
      }
    }
  }
  return undefined
}
