/**
 * What campaigns of the read side look at in the end: all of the log, and the documents of a view.
 */
import { Effect } from "effect"
import { defaultTenant, type Stored } from "../../src/Event.ts"
import { EventStore } from "../../src/EventStore.ts"
import { type StoredDocument, ViewStore } from "../../src/ViewStore.ts"
import type { Trace } from "./readModels.ts"

/** All events there are. */
export const readLog = Effect.gen(function*() {
  const store = yield* EventStore
  const events: Array<Stored> = []
  for (const end = yield* store.head; events.length < end;) {
    events.push(...(yield* store.readAll({ after: BigInt(events.length) })).events)
  }
  return events
})

/** All documents of a version, by key. */
export const documentsOf = Effect.fnUntraced(function*(name: string, version: number) {
  const views = yield* ViewStore
  const documents = new Map<string, StoredDocument>()
  let after: { readonly key: string } | undefined
  while (true) {
    const page = yield* views.list({ name, version, indexes: [] }, { tenant: defaultTenant, limit: 1_000, after })
    for (const document of page) documents.set(document.key, document)
    if (page.length === 0) return documents
    after = page.at(-1)!
  }
})

/** Where documents are not what they must be. */
export const differences = (
  what: string,
  found: ReadonlyMap<string, Pick<StoredDocument, "document">>,
  wanted: ReadonlyMap<string, Trace>
): ReadonlyArray<string> =>
  [...new Set([...wanted.keys(), ...found.keys()])].flatMap((key) => {
    const [is, must] = [found.get(key)?.document, wanted.get(key) && JSON.stringify(wanted.get(key))]
    return is === must ? [] : [`${what} "${key}" is ${is}, not ${must}`]
  })
