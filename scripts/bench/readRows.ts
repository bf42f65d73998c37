/**
 * The rows of the bench on the read side: what catching up with a log of 100,000 events comes to, and how soon after an
 * append a view has it.
 *
 * Emmett takes each event to the database by itself, which would take minutes: it is asked for the first 20,000 events,
 * and where it fills views its log has no more than 10,000, which is no disadvantage.
 */
import { type Bound, type Contestant, emmett, type Row, varve, type Work } from "./Row.ts"

const caughtUp = { kind: "catchUp", ledgers: 100, length: 1_000, callers: 1 } as const

const fold = { target: "fold" } as const
const view = { target: "view", keys: 100 } as const
const wideView = { target: "view", keys: 1_000 } as const

type Database = "sqlite" | "postgres"

const names = { sqlite: "SQLite FULL", postgres: "PostgreSQL" }

const limitOf = (store: Database): Contestant => ({
  name: "raw reading",
  module: store === "sqlite" ? "ceiling" : "bare",
  // It counts, and keeps no documents.
  work: { making: fold }
})

const foldRow = (store: Database): Row => ({
  name: `${store}-fold`,
  title: `${names[store]}, catching up with 100,000 events: a fold`,
  unit: "events/s",
  work: { ...caughtUp, store, making: fold },
  contestants: [varve, { ...emmett, work: { entries: 20_000 } }, limitOf(store)],
  comparisons: [
    { of: "varve", with: "emmett", must: 25 },
    { of: "varve", with: "raw reading" }
  ],
  bounds: [{ of: "varve", sense: "least", must: 200_000, stretch: 350_000 }]
})

const viewRow = (store: Database, making: typeof view | typeof wideView, must: number): Row => ({
  name: making.keys === 100 ? `${store}-view` : `${store}-view-wide`,
  title: `${names[store]}, catching up with 100,000 events: a view of ${making.keys.toLocaleString("en")} documents, ` +
    "all of them in each page",
  unit: "events/s",
  work: { ...caughtUp, store, making },
  contestants: [varve, { ...emmett, work: { ledgers: 10 } }, limitOf(store)],
  comparisons: [
    { of: "varve", with: "emmett" },
    { of: "varve", with: "raw reading" }
  ],
  bounds: [{ of: "varve", sense: "least", must }]
})

const doing = (name: string, work: Partial<Work>): Contestant => ({ ...varve, name, work })

const arriving = { kind: "latency", ledgers: 1, length: 0, callers: 1 } as const

const inProcess = doing("varve, in process", {})
const across = doing("varve, across processes", { across: true })
const late = doing("varve, across processes, p99", { across: true, quantile: 0.99 })

const most = ({ name }: Contestant, must: number, stretch?: number): Bound => ({
  of: name,
  sense: "most",
  must,
  ...(stretch === undefined ? {} : { stretch })
})

export const readRows: ReadonlyArray<Row> = [
  {
    name: "memory-projections",
    title: "Memory, catching up with 100,000 events",
    unit: "events/s",
    work: { ...caughtUp, store: "memory" },
    contestants: [
      doing("varve, fold", { making: fold }),
      doing("varve, view of 100", { making: view }),
      doing("varve, view of 1,000", { making: wideView })
    ],
    comparisons: [],
    bounds: [
      { of: "varve, fold", sense: "least", must: 200_000, stretch: 350_000 },
      { of: "varve, view of 100", sense: "least", must: 60_000 },
      { of: "varve, view of 1,000", sense: "least", must: 20_000 }
    ]
  },
  ...(["sqlite", "postgres"] as const).flatMap((store) => [
    foldRow(store),
    viewRow(store, view, 60_000),
    viewRow(store, wideView, 20_000)
  ]),
  {
    name: "memory-latency",
    title: "Memory, from an append to a view that has it",
    unit: "ms",
    work: { ...arriving, store: "memory" },
    contestants: [inProcess],
    comparisons: [],
    bounds: [most(inProcess, 2, 1)]
  },
  {
    name: "sqlite-latency",
    title: "SQLite FULL, from an append to a view that has it",
    unit: "ms",
    work: { ...arriving, store: "sqlite" },
    contestants: [inProcess, across, late, { ...emmett, name: "emmett, in process" }],
    comparisons: [],
    bounds: [most(inProcess, 2, 1), most(across, 50)]
  },
  {
    name: "postgres-latency",
    title: "PostgreSQL, from an append to a view that has it",
    unit: "ms",
    work: { ...arriving, store: "postgres" },
    contestants: [
      inProcess,
      across,
      late,
      { ...emmett, name: "emmett, in process" },
      { name: "insert and notify", module: "bare" },
      { name: "insert and notify, p99", module: "bare", work: { quantile: 0.99 } }
    ],
    comparisons: [],
    bounds: [most(inProcess, 2, 1), most(across, 3, 1.5), most(late, 15, 6)]
  }
]
