/**
 * The rows of the bench on PostgreSQL. The server is npm's, with its own settings: fsync and synchronous_commit are on.
 *
 * Peers that read the stream for each command do so however many streams there are; where streams are long they have
 * fewer of them, which is no disadvantage, since filling theirs takes much longer than measuring.
 */
import {
  byLength,
  castore,
  type Comparison,
  type Contestant,
  emmett,
  hot,
  manyCallers,
  oneCaller,
  receipts,
  type Row,
  varve,
  type Work
} from "./Row.ts"

const messageDb: Contestant = { name: "message-db", module: "messageDb" }
const rawGroups: Contestant = { name: "raw group insert", module: "bare" }
const nodeInsert: Contestant = { name: "node insert", module: "bare", setting: { ungrouped: true } }

const doing = (contestant: Contestant, work: Partial<Work>): Contestant => ({ ...contestant, work })
const named = (name: string, contestant: Contestant, work: Partial<Work>): Contestant => ({ ...contestant, name, work })
const fewer = (ledgers: number) => [emmett, castore, messageDb].map((peer) => doing(peer, { ledgers }))

const queued = ({ module, name }: Contestant, work: Partial<Work>): Contestant => ({
  name: `${name}, queue`,
  module,
  setting: { queue: "ledger" },
  work
})

const oneSequential = (length: 10 | 1_000): Row => ({
  name: length === 10 ? "postgres-one" : "postgres-one-long",
  title: `PostgreSQL, one caller, length ${length.toLocaleString("en")}`,
  unit: "commands/s",
  work: { ...oneCaller, store: "postgres", length, ...(length === 10 ? {} : { ledgers: 20, growth: 100 }) },
  contestants: [varve, receipts, emmett, castore, messageDb, nodeInsert],
  comparisons: [
    { of: "varve", with: "node insert", must: 0.4, stretch: 0.55 },
    { of: "varve", with: "emmett", ...(length === 10 ? { must: 1.5, stretch: 3 } : { must: 9, stretch: 18 }) },
    { of: "varve", with: "castore", must: 1 },
    { of: "varve", with: "message-db" },
    { of: "varve, receipts", with: "varve" }
  ]
})

const many = { ...manyCallers, store: "postgres" } as const

const overEmmett = (varve: Omit<Comparison, "of" | "with">, receipts: Omit<Comparison, "of" | "with">) => [
  { of: "varve", with: "emmett", ...varve },
  { of: "varve, receipts", with: "emmett", ...receipts },
  { of: "varve", with: "raw group insert", must: 0.45, stretch: 0.6 },
  { of: "varve, receipts", with: "raw group insert", must: 0.35, stretch: 0.6 },
  { of: "varve", with: "castore" },
  { of: "varve", with: "message-db" }
]

const appends = (
  batch: 1 | 10 | 100,
  { must, stretch }: { readonly must: number; readonly stretch: number }
): Row => ({
  name: `postgres-append-${batch}`,
  title: `PostgreSQL, append of ${batch === 1 ? "1 event" : `${batch} events`}, 64 callers`,
  unit: "events/s",
  work: { ...many, kind: "append", length: 0, batch },
  contestants: [varve, emmett, castore, messageDb, rawGroups],
  comparisons: [
    { of: "varve", with: "emmett", must, stretch },
    { of: "varve", with: "castore", must: 4 },
    { of: "varve", with: "message-db" },
    { of: "varve", with: "raw group insert" }
  ]
})

/** Few streams, since they are long: the same few at each length. */
const longest = { ...many, ledgers: 10, growth: 10_000 } as const

export const postgresRows: ReadonlyArray<Row> = [
  oneSequential(10),
  oneSequential(1_000),
  {
    name: "postgres-many",
    title: "PostgreSQL, 1,000 aggregates, 64 callers, length 10",
    unit: "commands/s",
    work: many,
    contestants: [varve, receipts, emmett, castore, messageDb, rawGroups],
    comparisons: overEmmett({ must: 13, stretch: 20 }, { must: 10, stretch: 20 })
  },
  {
    name: "postgres-many-long",
    title: "PostgreSQL, 1,000 aggregates, 64 callers, length 1,000",
    unit: "commands/s",
    work: { ...many, length: 1_000, growth: 100 },
    contestants: [varve, receipts, ...fewer(100), rawGroups],
    comparisons: overEmmett({ must: 100, stretch: 150 }, { must: 80, stretch: 150 })
  },
  {
    name: "postgres-hot",
    title: "PostgreSQL, one hot aggregate, 64 callers",
    unit: "commands/s",
    work: { ...hot, store: "postgres", growth: 30_000 },
    contestants: [
      varve,
      named("varve, 1,000 aggregates", varve, many),
      queued(emmett, { growth: 500 }),
      queued(castore, { growth: 500 })
    ],
    comparisons: [
      { of: "varve", with: "varve, 1,000 aggregates", must: 1, stretch: 2 },
      { of: "varve", with: "emmett, queue" },
      { of: "varve", with: "castore, queue" }
    ]
  },
  {
    name: "postgres-cold",
    title: "PostgreSQL, cold start, 1,000 aggregates of length 1,000, 64 callers",
    unit: "commands/s",
    work: { kind: "cold", store: "postgres", ledgers: 1_000, length: 1_000, callers: 64 },
    contestants: [
      varve,
      { ...varve, name: "varve, snapshots", setting: { snapshotEvery: 100 } },
      doing(emmett, { ledgers: 100 })
    ],
    comparisons: [
      { of: "varve, snapshots", with: "emmett", must: 25, stretch: 50 },
      { of: "varve", with: "emmett" },
      { of: "varve, snapshots", with: "varve" }
    ]
  },
  appends(1, { must: 10, stretch: 15 }),
  appends(10, { must: 3, stretch: 4 }),
  appends(100, { must: 1, stretch: 1.4 }),
  {
    name: "postgres-rehydrate",
    title: "PostgreSQL, rehydrate 10,000 events",
    unit: "events/s",
    work: { kind: "load", store: "postgres", ledgers: 1, length: 10_000, callers: 1 },
    contestants: [varve, emmett, castore, messageDb, { ...rawGroups, name: "ceiling" }],
    comparisons: [
      { of: "varve", with: "emmett", must: 2.5, stretch: 4 },
      { of: "varve", with: "castore", must: 1.5 },
      { of: "varve", with: "message-db" },
      { of: "varve", with: "ceiling" }
    ]
  },
  {
    name: "postgres-flat",
    title: "PostgreSQL, flat cost, 64 callers",
    unit: "commands/s",
    ...byLength("postgres", 0.75)
  },
  {
    name: "postgres-flat-longest",
    title: "PostgreSQL, flat cost, 10 aggregates, 64 callers",
    unit: "commands/s",
    work: longest,
    contestants: [10, 1_000, 100_000].map((length) =>
      named(`varve, length ${length.toLocaleString("en")}`, varve, { length })
    ),
    comparisons: [
      { of: "varve, length 1,000", with: "varve, length 10" },
      { of: "varve, length 100,000", with: "varve, length 10" }
    ]
  },
  {
    name: "postgres-pgbouncer",
    title: "PostgreSQL through PgBouncer in transaction mode, 1,000 aggregates, 64 callers, length 10",
    unit: "commands/s",
    needs: "pgbouncer",
    work: many,
    contestants: [varve, { ...varve, name: "varve, pgbouncer", setting: { pooled: true } }],
    comparisons: [{ of: "varve, pgbouncer", with: "varve" }]
  }
]
