/**
 * What the bench measures: its rows, who takes part in each, and what is asked of the outcome. The targets are those of
 * the design, for the machine that runs all of a row's contestants in turn.
 */
import { postgresRows } from "./postgresRows.ts"
import { readRows } from "./readRows.ts"
import {
  byLength,
  castore,
  ceiling,
  emmett,
  hot,
  manyCallers,
  nodeInsert,
  oneCaller,
  queuedEmmett,
  receipts,
  type Row,
  varve
} from "./Row.ts"

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
  ...postgresRows,
  ...readRows,
  {
    name: "heap",
    title: "Heap of an idle aggregate, of 100,000 in memory",
    unit: "bytes",
    work: { kind: "heap", store: "memory", ledgers: 100_000, length: 1, callers: 1 },
    contestants: [varve],
    comparisons: [],
    bounds: [{ of: "varve", sense: "most", must: 1_024, stretch: 400 }]
  }
]
