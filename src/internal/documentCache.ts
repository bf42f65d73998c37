/**
 * The documents of a view that a runner has in memory, decoded: those it has touched last. They are as the store has them
 * as long as nobody else has moved the checkpoint.
 */

/** A document of a key, as it is in the store and as it is about to become. */
export interface Cached {
  readonly tenant: string
  readonly key: string
  /** Whether it is known what the store has. */
  loaded: boolean
  /** Why the one in the store cannot be read. */
  problem: string | undefined
  /** As in the store; undefined if there is none. */
  committed: unknown
  /** As the events have made it that are being applied. */
  document: unknown
  /** How long its text is, as far as it is known; about how much memory it takes. */
  characters: number
  /** Whether it was asked for since somebody last looked for what to let go. */
  used: boolean
}

export interface DocumentCache {
  readonly documentsMax: number
  readonly byName: Map<string, Cached>
  /** Of all of them. */
  characters: number
}

/** So many characters of text may stay, whatever the number of documents: 32 Mi. */
const charactersMax = 32 * 1024 * 1024

export const make = (documentsMax: number): DocumentCache => ({ documentsMax, byName: new Map(), characters: 0 })

/** A document has become so long. */
export const measure = (cache: DocumentCache, cached: Cached, characters: number): void => {
  cache.characters += characters - cached.characters
  cached.characters = characters
}

/** The document of a key; unless it was loaded before, nothing is known of it. */
export const find = ({ byName }: DocumentCache, tenant: string, key: string): Cached => {
  // No name holds a NUL, so no key can reach into another tenant.
  const name = `${tenant}\0${key}`
  const found = byName.get(name)
  if (found !== undefined) {
    found.used = true
    return found
  }
  const made: Cached = {
    tenant,
    key,
    loaded: false,
    problem: undefined,
    committed: undefined,
    document: undefined,
    characters: 0,
    used: true
  }
  byName.set(name, made)
  return made
}

/** Lets documents go until they are few enough: those that nobody has asked for since the last time first. */
export const trim = (cache: DocumentCache): void => {
  const { byName, documentsMax } = cache
  for (const [name, cached] of byName) {
    if (byName.size <= documentsMax && cache.characters <= charactersMax) return
    byName.delete(name)
    if (cached.used) {
      cached.used = false
      byName.set(name, cached)
    } else {
      measure(cache, cached, 0)
    }
  }
}

export const clear = (cache: DocumentCache): void => {
  cache.byName.clear()
  cache.characters = 0
}
