/**
 * The documents of a view in memory: values that are replaced as a whole, never changed.
 */
import { HashMap, Option } from "effect"
import type { DocumentChange, StoredDocument, ViewId } from "../ViewStore.ts"

/** The documents of one version of a view, by tenant and key. */
export type Documents = HashMap.HashMap<string, HashMap.HashMap<string, StoredDocument>>

/** One text for one version of a view. */
export const keyOf = ({ name, version }: ViewId): string => JSON.stringify([name, version])

/** Those of one tenant. */
export const ofTenant = (documents: Documents, tenant: string): HashMap.HashMap<string, StoredDocument> =>
  Option.getOrElse(HashMap.get(documents, tenant), () => HashMap.empty<string, StoredDocument>())

/** One of them. */
export const find = (documents: Documents, tenant: string, key: string): StoredDocument | undefined =>
  Option.getOrUndefined(HashMap.get(ofTenant(documents, tenant), key))

/** What they become. */
export const applyAll = (documents: Documents, changes: ReadonlyArray<DocumentChange>): Documents => {
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
