/**
 * What the bench asks of a contestant on the read side: a store with a log in it, and something that is made of the log.
 */
import { type Entry, entryOf, evolve, initial, type Ledger } from "./ledger.ts"
import type { Setting } from "./World.ts"

/**
 * What is made of a log of entries.
 *
 * - `fold`: one ledger in memory, of all entries
 * - `view`: a document for each key, kept in the store with how far it has come. A thousand entries in a row touch each
 *   of the keys
 */
export type Making = { readonly target: "fold" } | { readonly target: "view"; readonly keys: 100 | 1_000 }

/** What was made, by key; of a fold under the key "". */
export type Made = ReadonlyMap<string, Ledger>

/** A contestant with its store open. Whatever fails, fails loudly. */
export interface Readings {
  /** Puts entries 0 to `length` - 1 into each of these ledgers, one ledger after the other. Not measured. */
  readonly seed: (ids: ReadonlyArray<string>, length: number) => Promise<void>
  /**
   * Makes it anew from the log's first `count` entries, beside what was made before. Answers how to look at it once it is
   * made, and kept where it is to be kept; looking is not measured.
   */
  readonly catchUp: (making: Making, count: number) => Promise<() => Promise<Made>>
  /** Has a view with a document for each entry by its reference, and tells of each that is in it. Answers how to end. */
  readonly watch: (onApplied: (reference: string) => void) => Promise<() => Promise<void>>
  /** Appends one entry to a ledger of its own, however long that is. */
  readonly append: (entry: Entry) => Promise<void>
  readonly close: () => Promise<void>
}

/** What the module of a contestant exports. */
export type OpenReadings = (setting: Setting) => Promise<Readings>

/** Which document an entry is for. */
export const keyOf = ({ reference }: Pick<Entry, "reference">, keys: 100 | 1_000): string =>
  keys === 1_000 ? reference : reference.slice(-2)

/** What must have been made of so many entries, as many as there are different ones or several times as many. */
export const expectedOf = (making: Making, count: number): Made => {
  const made = new Map<string, Ledger>()
  for (let number = 0; number < count; number++) {
    const entry = entryOf(number)
    const key = making.target === "fold" ? "" : keyOf(entry, making.keys)
    made.set(key, evolve(made.get(key) ?? initial, entry))
  }
  return made
}
