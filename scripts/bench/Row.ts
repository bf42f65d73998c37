/**
 * What a row of the bench is: the work, who takes part, and what is asked of the outcome; and what many rows share.
 */
import type { Making } from "./Readings.ts"
import type { Setting } from "./World.ts"

/**
 * What there is to do.
 *
 * - `commands`: one command after the other on ledgers that are in memory already
 * - `cold`: one command on each ledger, right after a restart
 * - `append`: batches of entries, whatever the state of a ledger is; what counts are the entries
 * - `load`: read one ledger from its first event, again and again
 * - `heap`: have ledgers idle, and weigh them
 * - `catchUp`: make something of the whole log, from its first entry on
 * - `latency`: append an entry now and then, and see when it is in what is made of the log
 */
export interface Work {
  readonly kind: "commands" | "cold" | "append" | "load" | "heap" | "catchUp" | "latency"
  readonly store: Setting["store"]
  readonly ledgers: number
  /** Events that are already in each ledger. */
  readonly length: number
  readonly callers: number
  /** How many entries are appended together; 1 unless given. */
  readonly batch?: number
  /** How many commands in a row go to the same ledger; 1 unless given. */
  readonly burst?: number
  /** How many commands a ledger takes before it counts as longer than `length`; then a new store is begun. */
  readonly growth?: number
  /** What is made of the log. */
  readonly making?: Making
  /** How many of the log's entries are caught up with; all unless given. */
  readonly entries?: number
  /** Whose latency is asked for: 0.5 is that of the entry in the middle. */
  readonly quantile?: number
  /** Entries are appended by a process, and arrive in another one. */
  readonly across?: boolean
}

/** Who takes part. Without `work` he does the row's. */
export interface Contestant {
  readonly name: string
  readonly module: "varve" | "ceiling" | "emmett" | "castore" | "messageDb" | "bare"
  readonly setting?: Partial<Setting>
  readonly work?: Partial<Work>
}

/** What one contestant has to be, compared with another of the same row. Without `must` it is for information. */
export interface Comparison {
  readonly of: string
  readonly with: string
  readonly must?: number
  readonly stretch?: number
}

/** One line of the bench: the same work for all contestants, in turn. */
export interface Row {
  readonly name: string
  readonly title: string
  /** What is counted; of bytes and milliseconds fewer are better. */
  readonly unit: "commands/s" | "events/s" | "bytes" | "ms"
  readonly work: Work
  readonly contestants: ReadonlyArray<Contestant>
  readonly comparisons: ReadonlyArray<Comparison>
  /** What has to be on the machine for it, beside what is installed by itself. */
  readonly needs?: "pgbouncer"
  /** What is measured in itself, in the row's unit. */
  readonly bounds?: ReadonlyArray<Bound>
}

/** What one contestant has to be, whatever others are: at least or at most so much. */
export interface Bound {
  readonly of: string
  readonly sense: "least" | "most"
  readonly must: number
  readonly stretch?: number
}

export const varve: Contestant = { name: "varve", module: "varve" }
export const receipts: Contestant = { name: "varve, receipts", module: "varve", setting: { receipts: true } }
export const ceiling: Contestant = { name: "ceiling", module: "ceiling" }
export const emmett: Contestant = { name: "emmett", module: "emmett" }
export const castore: Contestant = { name: "castore", module: "castore" }
export const nodeInsert: Contestant = { name: "node insert", module: "ceiling", setting: { ungrouped: true } }
export const queuedEmmett: Contestant = { name: "emmett, queue", module: "emmett", setting: { queue: "all" } }

/** One ledger after the other, so that none grows far beyond its length. */
export const oneCaller = { kind: "commands", ledgers: 50, length: 10, callers: 1, burst: 20, growth: 20 } as const
export const manyCallers = { kind: "commands", ledgers: 1_000, length: 10, callers: 64, growth: 20 } as const
export const hot = { kind: "commands", ledgers: 1, length: 100, callers: 64, growth: 1_000 } as const

/** The same work at three lengths, as three contestants. */
export const byLength = (
  store: Setting["store"],
  must?: number
): Pick<Row, "comparisons" | "contestants" | "work"> => ({
  work: { ...manyCallers, store },
  contestants: [10, 100, 1_000].map((length) => ({
    name: `varve, length ${length.toLocaleString("en")}`,
    module: "varve",
    work: { length }
  })),
  comparisons: [
    { of: "varve, length 100", with: "varve, length 10" },
    { of: "varve, length 1,000", with: "varve, length 10", ...(must === undefined ? {} : { must }) }
  ]
})
