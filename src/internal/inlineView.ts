/**
 * An inline view in this process, compiled: which documents the events of a write are for, and what they become.
 */
import { Result } from "effect"
import { refuseName } from "../Admission.ts"
import type { New, StreamId } from "../Event.ts"
import type { DocumentWrite, ViewId, ViewRefused, Write } from "../EventStore.ts"
import type { InlineProjection } from "../InlineHost.ts"
import type { ViewStore } from "../ViewStore.ts"
import { Arrival } from "./arrival.ts"
import * as Attention from "./attention.ts"
import { problemOf } from "./codec.ts"
import { isFor, nameOf } from "./inline.ts"
import * as InlineRefusals from "./inlineRefusals.ts"
import type { Text } from "./inlineTexts.ts"
import type * as Listeners from "./listeners.ts"
import * as Routing from "./routing.ts"
import { untyped } from "./types.ts"
import * as ViewDocuments from "./viewDocuments.ts"

export interface InlineView {
  readonly store: ViewStore["Service"]
  readonly view: ViewId
  readonly name: string
  readonly types: ReadonlySet<string>
  readonly routing: Routing.Routing
  readonly documents: ViewDocuments.Documents
  /** Called when it is found to be inline no longer. */
  readonly ended: Attention.Attention
  readonly listeners: Listeners.Listeners
  /** As far as this process knows; the store knows better. */
  state: "inline" | "followed"
}

/** Throws what `Routing.make` does. */
export const make = ({ document, sources, store, view: { name, version } }: InlineProjection): InlineView => {
  const routing = Routing.make(name, sources)
  const view = { name, version }
  return {
    store,
    view,
    name: nameOf(view),
    types: new Set(routing.storedTypes),
    routing,
    documents: ViewDocuments.make(document),
    ended: Attention.make(),
    listeners: new Set(),
    state: "followed"
  }
}

/** Whether events of a write belong to it. */
export const wants = ({ types }: InlineView, write: Write): boolean => isFor(write, types)

/** One event at one document. */
export interface Step {
  readonly key: string
  readonly run: (document: unknown) => unknown
}

/** What the events of a write do to which documents, in order. */
export const stepsOf = (
  inline: InlineView,
  { events, stream }: Write
): Result.Result<ReadonlyArray<Step>, ViewRefused> => {
  const steps: Array<Step> = []
  try {
    for (const event of events) if (inline.types.has(event.type)) addSteps(steps, inline, event, stream)
    return Result.succeed(steps)
  } catch (error) {
    return Result.fail(InlineRefusals.failed(inline.view, problemOf(error)))
  }
}

const addSteps = (steps: Array<Step>, { routing }: InlineView, event: New, stream: StreamId): void => {
  for (const { cases, codec } of routing.byType.get(event.type) ?? []) {
    const decoded = codec.decode(event)
    if (Result.isFailure(decoded)) {
      throw new TypeError(`its event ${event.type} cannot be read: ${decoded.failure._tag}`)
    }
    for (const [index, part] of decoded.success.entries()) {
      const arrival = new Arrival(event, stream, codec, part, decoded.success.length === 1 ? 0 : index + 1)
      for (const { handle, key } of cases.get(part._tag) ?? []) {
        for (const own of keysOf(key, arrival)) {
          steps.push({ key: own, run: (document) => handle(document, arrival.event, arrival) })
        }
      }
    }
  }
}

const keysOf = (key: Routing.Case["key"], arrival: Arrival): ReadonlyArray<string> => {
  if (key === undefined) return [arrival.id]
  // What his types let the user look at is no more than what is there.
  const keys = key(arrival.event, untyped(arrival))
  // A document is given an event once, however often it is named.
  const all = keys === undefined ? [] : typeof keys === "string" ? [keys] : [...new Set(keys)]
  for (const each of all) {
    const refusal = refuseName("the key of a document", each)
    if (refusal !== undefined) throw refusal
  }
  return all
}

/** A document while events are applied to it. */
interface Open {
  readonly expected: Text
  document: unknown
}

/** What the steps make of the documents that are found. */
export const apply = (
  { documents, view }: InlineView,
  steps: ReadonlyArray<Step>,
  find: (key: string) => Text
): Result.Result<ReadonlyArray<DocumentWrite>, ViewRefused> => {
  const open = new Map<string, Open>()
  try {
    for (const { key, run } of steps) {
      const one = open.get(key) ?? begin(documents, { view, key }, find(key))
      open.set(key, one)
      one.document = run(one.document)
    }
    const all = Array.from(
      open,
      ([key, one]) => ({ key, expected: one.expected, document: close(documents, key, one.document) })
    )
    return Result.succeed(all)
  } catch (error) {
    return Result.fail(InlineRefusals.failed(view, problemOf(error)))
  }
}

/** Made anew from its text each time, so that nothing that a handler does to it lasts. */
const begin = (
  { decode }: ViewDocuments.Documents,
  { key, view }: { readonly key: string; readonly view: ViewId },
  text: Text
): Open => {
  if (text === undefined) return { expected: text, document: undefined }
  const read = decode(text)
  if (Result.isSuccess(read)) return { expected: text, document: read.success }
  const problem = `its document "${key}" cannot be read: ${read.failure}`
  throw new TypeError(`${problem}. ${ViewDocuments.mended(view.version)}`)
}

const close = ({ encode }: ViewDocuments.Documents, key: string, document: unknown): Text => {
  if (document === undefined) return undefined
  const text = encode(document)
  if (Result.isFailure(text)) throw new TypeError(`its document "${key}" cannot be kept: ${text.failure}`)
  return text.success
}
