/**
 * What the bench asks of a contestant: a store with ledgers in it, and somebody who carries out commands on them.
 */
import type { Entry, Ledger } from "./ledger.ts"

/** Which store a contestant shall open, and how. */
export interface Setting {
  readonly store: "memory" | "sqlite" | "postgres"
  /** Of a SQLite file that does not exist yet. */
  readonly filename: string
  /** Of a PostgreSQL database in which nothing is yet. */
  readonly url: string
  /** The URL is that of a PgBouncer. */
  readonly pooled?: boolean | undefined
  /** Commands carry an id and leave a receipt. */
  readonly receipts: boolean
  /** Save a snapshot whenever so many events are crossed; never unless given. */
  readonly snapshotEvery?: number | undefined
  /** Callers wait in a queue, one for all or one for each ledger: for stores that cannot be asked by several at once. */
  readonly queue?: "all" | "ledger" | undefined
  /** Only of the ceiling: each command is an insert and a commit of its own. */
  readonly ungrouped?: boolean | undefined
}

/** One command. */
export interface Booking {
  readonly id: string
  readonly entry: Entry
  readonly commandId: string
}

/** Entries that follow each other, to be appended together, whatever the ledger's state. */
export interface Batch {
  readonly id: string
  /** How many events the ledger holds before. */
  readonly version: number
  /** The number of the first entry. */
  readonly first: number
  readonly count: number
}

/** A ledger as it was read from the log, and how many events it holds. */
export interface Loaded {
  readonly ledger: Ledger
  readonly version: number
}

/** A contestant with its store open. Whatever fails, fails loudly: a command that is not carried out is an error. */
export interface World {
  /** It keeps ledgers in memory between commands, so it makes a difference whether they were asked before. */
  readonly warms: boolean
  /** Puts entries 0 to `length` - 1 into each of these ledgers, which are empty. Not measured. */
  readonly seed: (ids: ReadonlyArray<string>, length: number) => Promise<void>
  /** Has `callers` carry out one command after the other, at once, until there is none left. */
  readonly carryOut: (callers: number, next: () => Booking | undefined) => Promise<void>
  /** Has `callers` append one batch after the other, at once, until there is none left. Only on PostgreSQL. */
  readonly append?: (callers: number, next: () => Batch | undefined) => Promise<void>
  /** Reads a ledger from the first event on (or the last snapshot), not from what is held in memory. */
  readonly load: (id: string) => Promise<Loaded>
  /** How many events the store holds. */
  readonly count: (ids: ReadonlyArray<string>) => Promise<number>
  /** Forgets everything but the store. */
  readonly restart: () => Promise<void>
  readonly close: () => Promise<void>
}

/** What the module of a contestant exports. */
export type Open = (setting: Setting) => Promise<World>

/** Callers of a contestant whose commands are promises. */
export const callPromises = async <A>(
  callers: number,
  next: () => A | undefined,
  carryOut: (task: A) => Promise<unknown>
): Promise<void> => {
  const call = async () => {
    for (let task = next(); task !== undefined; task = next()) await carryOut(task)
  }
  await Promise.all(Array.from({ length: callers }, call))
}

/** Puts callers into the queue that a setting asks for: the next one's command begins when the one before has ended. */
export const queued = (
  { queue }: Setting,
  carryOut: (booking: Booking) => Promise<unknown>
): (booking: Booking) => Promise<unknown> => {
  if (queue === undefined) return carryOut
  const tails = new Map<string, Promise<unknown>>()
  return (booking) => {
    const key = queue === "all" ? "" : booking.id
    const tail = tails.get(key)
    const done = tail === undefined ? carryOut(booking) : tail.then(() => carryOut(booking))
    tails.set(key, done)
    return done
  }
}
