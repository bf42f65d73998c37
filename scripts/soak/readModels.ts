/**
 * What the campaigns of the read side make of a log, and what it must come to: said twice, once as a program says it and
 * once by code that knows nothing of projections.
 *
 * Two aggregates: wallets, whose coins are of a budget, and budgets. Every document shows each event that it was given,
 * in order and how often: nothing is left out, done twice or turned round without its being seen.
 */
import { Effect, Layer, Result, Schema } from "effect"
import { SecureRandom } from "effect/crypto"
import { SqlClient } from "effect/sql"
import { appendFileSync } from "node:fs"
import * as Event from "../../src/Event.ts"
import type { Append } from "../../src/EventStore.ts"
import * as Projection from "../../src/Projection.ts"
import type { Meta, Settings } from "../../src/ProjectionHost.ts"
import type { Seeded } from "../../src/testing/Seeded.ts"
import { schemaOf } from "./place.ts"

/** What happens to a wallet. */
export const WalletEvent = Event.union({
  Filled: { coins: Schema.Int, budget: Schema.String },
  Spent: { coins: Schema.Int, budget: Schema.String }
})
const BudgetEvent = Event.union({ Granted: { coins: Schema.Int }, Closed: {} })

/** The schema of a document. */
export const Trace = Schema.Struct({ events: Schema.Int, trace: Schema.Int, last: Schema.String })

/** What a document shows of the events that it was given. */
export type Trace = typeof Trace.Type

/** Order-sensitive: another sequence is another number. */
export const step = (before: Trace | undefined, { id, version }: Pick<Meta, "id" | "version">): Trace => ({
  events: (before?.events ?? 0) + 1,
  trace: ((before?.trace ?? 7) * 31 + version) % 1_000_003,
  last: `${id}@${version}`
})

const next = (before: Trace | undefined, _: unknown, meta: Meta) => step(before, meta)

const options = { version: 1, document: Trace, indexes: ["events"] } as const

/** A document for each wallet. */
class Wallets extends Projection.View<Wallets>()("wallets", options) {}

/** A document for each budget, made by both aggregates; closing it deletes it. */
class Budgets extends Projection.View<Budgets>()("budgets", options) {}

/** How many events there were of each type, and in all. */
class Counts extends Projection.View<Counts>()("counts", options) {}

/** Small pages and few documents in memory, so that there is much to go wrong. */
const settings: Settings = { pageEvents: 100, cachedDocuments: 30 }

const views = Layer.mergeAll(
  Wallets.toLayer((on) => [on(WalletEvent, { Filled: next, Spent: next })], { ...settings, partitions: 4 }),
  Budgets.toLayer(
    (on) => [
      on(WalletEvent, { Filled: next, Spent: next }, { key: ({ budget }) => budget }),
      on(BudgetEvent, { Granted: next, Closed: () => undefined })
    ],
    { ...settings, partitions: 3 }
  ),
  Counts.toLayer((on) => [
    on(WalletEvent, { Filled: next, Spent: next }, { key: ({ _tag }) => ["all", _tag] }),
    on(BudgetEvent, { Granted: next, Closed: next }, { key: ({ _tag }) => ["all", _tag] })
  ], settings)
)

/** The table of the SQL projection. */
export const tableOf = (place: string, suffix = "_v1"): string =>
  schemaOf(place) === undefined ? `seen${suffix}` : `${schemaOf(place)}.seen${suffix}`

/** A row for each event of a wallet: one that came twice would be refused by the key. */
const rows = (place: string) =>
  Projection.sql("seen", {
    version: 1,
    events: [WalletEvent],
    setUp: ({ suffix }) =>
      Effect.flatMap(SqlClient.SqlClient, (sql) =>
        sql`CREATE TABLE IF NOT EXISTS ${sql(tableOf(place, suffix))}
          (position BIGINT PRIMARY KEY, coins BIGINT NOT NULL)`),
    apply: (batch, { suffix }) =>
      Effect.flatMap(SqlClient.SqlClient, (sql) =>
        Effect.forEach(batch, ({ event, position }) =>
          sql`INSERT INTO ${sql(tableOf(place, suffix))} VALUES (${Number(position)}, ${event.coins})`))
  }).toLayer({ pageEvents: 100, partitions: 2 })

/** A line for each closed budget, in a file that all workers write to. */
export const letters = (file: string) =>
  Projection.effect("letters", {
    from: "beginning",
    sources: (on) => [
      on(BudgetEvent, {
        Closed: (_, { position }) => Effect.sync(() => appendFileSync(file, `${position}\n`))
      })
    ]
  }).toLayer()

/** All of them on the store at a place; `file` is where effects leave their mark. */
export const all = (place: string, file: string) => Layer.mergeAll(views, rows(place), letters(file))

/** The names of all, with how many partitions each has. */
export const partitions: Readonly<Record<string, number>> = { wallets: 4, budgets: 3, counts: 1, seen: 2, letters: 1 }

// ── The log

const wallets = 60
const budgets = 12

/** What a writer appends at once: a few streams, a few events each, some that nobody wants. */
export const appends = (random: Seeded): ReadonlyArray<Append> => {
  const streams = new Map(Array.from({ length: 1 + random.below(6) }, () => {
    const category = random.oneOf(["Wallet", "Wallet", "Wallet", "Budget", "Noise"])
    const id = category === "Budget" ? `b-${random.below(budgets)}` : `w-${random.below(wallets)}`
    return [`${category} ${id}`, { tenant: Event.defaultTenant, category, id }] as const
  }))
  return Array.from(streams.values(), (stream): Append => [{
    stream,
    expected: "any",
    events: Array.from({ length: 1 + random.below(5) }, () => eventOf(stream.category, random)),
    receipts: []
  }])
}

const eventOf = (category: string, random: Seeded): Event.New => {
  const coins = 1 + random.below(100)
  if (category === "Noise") return newEvent("Heard", {})
  if (category === "Budget") return random.below(6) === 0 ? newEvent("Closed", {}) : newEvent("Granted", { coins })
  return newEvent(random.oneOf(["Filled", "Spent"]), { coins, budget: `b-${random.below(budgets)}` })
}

/** An event that anybody may have written. */
export const newEvent = (type: string, data: object): Event.New =>
  Result.getOrThrow(Event.make({
    eventId: SecureRandom.uuidV7Unsafe(),
    type,
    schemaVersion: 1,
    data,
    metadata: { text: "{}", bytes: 2 }
  }))

// ── What it must come to

/** Documents by view and key, and what is not in views. */
export interface Expected {
  readonly views: Readonly<Record<"wallets" | "budgets" | "counts", ReadonlyMap<string, Trace>>>
  /** How many events each document was given at least once in its life, deletions included. */
  readonly touched: ReadonlyMap<string, number>
  /** Of the events of wallets, with their coins. */
  readonly seen: ReadonlyMap<number, number>
  /** Of closed budgets. */
  readonly closed: ReadonlyArray<number>
}

/** What a log must come to. */
export const expected = (log: ReadonlyArray<Event.Stored>): Expected => {
  const [wallets, budgets, counts] = [new Map<string, Trace>(), new Map<string, Trace>(), new Map<string, Trace>()]
  const touched = new Map<string, number>()
  const seen = new Map<number, number>()
  const closed: Array<number> = []
  for (const { data, id, position, type, version } of log) {
    const add = (name: string, documents: Map<string, Trace>, key: string) => {
      touched.set(`${name} ${key}`, (touched.get(`${name} ${key}`) ?? 0) + 1)
      documents.set(key, step(documents.get(key), { id, version }))
    }
    if (type === "Heard") continue
    add("counts", counts, "all")
    add("counts", counts, type)
    if (type === "Closed") {
      budgets.delete(id)
      closed.push(Number(position))
    } else if (type === "Granted") add("budgets", budgets, id)
    else {
      const { budget, coins } = JSON.parse(data)
      add("wallets", wallets, id)
      add("budgets", budgets, budget)
      seen.set(Number(position), coins)
    }
  }
  return { views: { wallets, budgets, counts }, touched, seen, closed }
}
