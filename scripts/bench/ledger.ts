/**
 * The one domain of the bench: a ledger whose entries are events of 180 bytes. Every contestant carries out the same
 * commands with this decider, so that what differs is how they load, append and answer.
 */

/** An entry: as JSON text it is 180 bytes long. */
export interface Entry {
  readonly reference: string
  readonly cents: number
  readonly currency: string
  readonly channel: string
  readonly memo: string
}

/** A ledger as its events have made it. */
export interface Ledger {
  readonly entries: number
  readonly balanceCents: number
}

/** The size of an event's data as JSON text. */
const entryBytes = 180

const balanceCentsMax = 1e15

export const initial: Ledger = { entries: 0, balanceCents: 0 }

/** Whether the entry may be booked: an answer that depends on the state. */
export const mayBook = (ledger: Ledger, { cents }: Pick<Entry, "cents">): boolean =>
  cents > 0 && ledger.balanceCents + cents <= balanceCentsMax

export const evolve = (ledger: Ledger, { cents }: Pick<Entry, "cents">): Ledger => ({
  entries: ledger.entries + 1,
  balanceCents: ledger.balanceCents + cents
})

const makeEntry = (number: number): Entry => {
  const reference = `ref-${String(number).padStart(6, "0")}`
  const entry = { reference, cents: 100 + (number * 7) % 900, currency: "EUR", channel: "card", memo: "" }
  return { ...entry, memo: "m".repeat(entryBytes - JSON.stringify(entry).length) }
}

/** Made beforehand: making them is no part of what is measured. */
const entries: ReadonlyArray<Entry> = Array.from({ length: 1_000 }, (_, number) => makeEntry(number))

/** The entry with this number; they recur after a thousand. */
export const entryOf = (number: number): Entry => entries[number % entries.length]!

/** No command of the bench may be refused: whoever refuses one has lost count. */
export class BookingRefused extends Error {
  constructor(id: string) {
    super(`${id}: an entry was refused that should have been booked`)
  }
}
