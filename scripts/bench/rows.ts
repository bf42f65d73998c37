/**
 * What the bench measures: its rows, who takes part in each, and what is asked of the outcome. The targets are those of
 * the design, for the machine that runs all of a row's contestants in turn.
 */
import type { Setting } from "./World.ts"

/**
 * What there is to do.
 *
 * - `commands`: one command after the other on ledgers that are in memory already
 * - `cold`: one command on each ledger, right after a restart
 * - `load`: read one ledger from its first event, again and again
 * - `heap`: have ledgers idle, and weigh them
 */
export interface Work {
  readonly kind: "commands" | "cold" | "load" | "heap"
  readonly store: Setting["store"]
  readonly ledgers: number
  /** Events that are already in each ledger. */
  readonly length: number
  readonly callers: number
  /** How many commands in a row go to the same ledger; 1 unless given. */
  readonly burst?: number
  /** How many commands a ledger takes before it counts as longer than `length`; then a new store is begun. */
  readonly growth?: number
}

/** Who takes part. Without `work` he does the row's. */
export interface Contestant {
  readonly name: string
  readonly module: "varve" | "ceiling" | "emmett" | "castore"
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
  /** What is counted; of bytes fewer are better. */
  readonly unit: "commands/s" | "events/s" | "bytes"
  readonly work: Work
  readonly contestants: ReadonlyArray<Contestant>
  readonly comparisons: ReadonlyArray<Comparison>
  /** For a row that is measured in itself. */
  readonly most?: { readonly of: string; readonly must: number; readonly stretch: number }
}

const varve: Contestant = { name: "varve", module: "varve" }
const receipts: Contestant = { name: "varve, receipts", module: "varve", setting: { receipts: true } }
const ceiling: Contestant = { name: "ceiling", module: "ceiling" }
const emmett: Contestant = { name: "emmett", module: "emmett" }
const castore: Contestant = { name: "castore", module: "castore" }
const nodeInsert: Contestant = { name: "node insert", module: "ceiling", setting: { ungrouped: true } }
const queuedEmmett: Contestant = { name: "emmett, queue", module: "emmett", setting: { queue: "all" } }

/** One ledger after the other, so that none grows far beyond its length. */
const oneCaller = { kind: "commands", ledgers: 50, length: 10, callers: 1, burst: 20, growth: 20 } as const
const manyCallers = { kind: "commands", ledgers: 1_000, length: 10, callers: 64, growth: 20 } as const
const hot = { kind: "commands", ledgers: 1, length: 100, callers: 64, growth: 1_000 } as const

/** The same work at three lengths, as three contestants. */
const byLength = (store: Setting["store"], must?: number): Pick<Row, "comparisons" | "contestants" | "work"> => ({
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

export const rows: ReadonlyArray<Row> = [
  {
    name: "memory-one",
    title: "Memory, one caller, length 10",
    unit: "commands/s",
    work: { ...oneCaller, store: "memory" },
    contestants: [varve, receipts, emmett, castore, ceiling],
    comparisons: [
      { of: "varve", with: "emmett", must: 1, stretch: 2 },
      { of: "varve", with: "castore" },
      { of: "varve, receipts", with: "varve" },
      { of: "varve", with: "ceiling" }
    ]
  },
  {
    name: "memory-many",
    title: "Memory, 1,000 aggregates, 64 callers, length 10",
    unit: "commands/s",
    work: { ...manyCallers, store: "memory" },
    contestants: [varve, receipts, emmett, castore, ceiling],
    comparisons: [
      { of: "varve", with: "emmett", must: 2, stretch: 4 },
      { of: "varve", with: "castore", must: 2, stretch: 4 },
      { of: "varve, receipts", with: "varve" },
      { of: "varve", with: "ceiling" }
    ]
  },
  {
    name: "memory-many-long",
    title: "Memory, 1,000 aggregates, 64 callers, length 1,000",
    unit: "commands/s",
    work: { ...manyCallers, store: "memory", length: 1_000, growth: 100 },
    contestants: [varve, emmett, castore],
    comparisons: [
      { of: "varve", with: "emmett", must: 8, stretch: 16 },
      { of: "varve", with: "castore", must: 8, stretch: 16 }
    ]
  },
  {
    name: "memory-hot",
    title: "Memory, one hot aggregate, 64 callers, length 100 to 1,100",
    unit: "commands/s",
    work: { ...hot, store: "memory" },
    contestants: [
      varve,
      { ...emmett, name: "emmett, queue", setting: { queue: "ledger" } },
      { ...castore, name: "castore, queue", setting: { queue: "ledger" } },
      ceiling
    ],
    comparisons: [
      { of: "varve", with: "emmett, queue" },
      { of: "varve", with: "castore, queue" },
      { of: "varve", with: "ceiling" }
    ]
  },
  { name: "memory-flat", title: "Memory, flat cost, 64 callers", unit: "commands/s", ...byLength("memory") },
  {
    name: "sqlite-one",
    title: "SQLite FULL, one caller, length 10",
    unit: "commands/s",
    work: { ...oneCaller, store: "sqlite" },
    contestants: [varve, receipts, emmett, nodeInsert, ceiling],
    comparisons: [
      { of: "varve", with: "emmett", must: 3, stretch: 4 },
      { of: "varve, receipts", with: "varve" },
      { of: "varve", with: "node insert" },
      { of: "varve", with: "ceiling" }
    ]
  },
  {
    name: "sqlite-many",
    title: "SQLite FULL, 1,000 aggregates, 64 callers, length 10",
    unit: "commands/s",
    work: { ...manyCallers, store: "sqlite" },
    contestants: [varve, receipts, queuedEmmett, ceiling],
    comparisons: [
      { of: "varve", with: "emmett, queue", must: 30, stretch: 45 },
      { of: "varve, receipts", with: "varve" },
      { of: "varve", with: "ceiling" }
    ]
  },
  {
    name: "sqlite-hot",
    title: "SQLite FULL, one hot aggregate, 64 callers, length 100 to 1,100",
    unit: "commands/s",
    work: { ...hot, store: "sqlite" },
    contestants: [varve, queuedEmmett, ceiling],
    comparisons: [{ of: "varve", with: "emmett, queue" }, { of: "varve", with: "ceiling" }]
  },
  { name: "sqlite-flat", title: "SQLite FULL, flat cost, 64 callers", unit: "commands/s", ...byLength("sqlite", 0.45) },
  {
    name: "sqlite-cold",
    title: "SQLite FULL, cold start, 1,000 aggregates of length 1,000, 64 callers",
    unit: "commands/s",
    work: { kind: "cold", store: "sqlite", ledgers: 1_000, length: 1_000, callers: 64 },
    contestants: [
      varve,
      { ...varve, name: "varve, snapshots", setting: { snapshotEvery: 100 } },
      // It has no cold start: it reads the stream for every command, however many streams there are.
      { ...queuedEmmett, work: { ledgers: 300 } }
    ],
    comparisons: [
      { of: "varve", with: "emmett, queue" },
      { of: "varve, snapshots", with: "emmett, queue" },
      { of: "varve, snapshots", with: "varve" }
    ]
  },
  {
    name: "rehydrate",
    title: "SQLite, rehydrate 10,000 events",
    unit: "events/s",
    work: { kind: "load", store: "sqlite", ledgers: 1, length: 10_000, callers: 1 },
    contestants: [varve, emmett, ceiling],
    comparisons: [
      { of: "varve", with: "emmett", must: 2.5, stretch: 4 },
      { of: "varve", with: "ceiling" }
    ]
  },
  {
    name: "heap",
    title: "Heap of an idle aggregate, of 100,000 in memory",
    unit: "bytes",
    work: { kind: "heap", store: "memory", ledgers: 100_000, length: 1, callers: 1 },
    contestants: [varve],
    comparisons: [],
    most: { of: "varve", must: 1_024, stretch: 400 }
  }
]
