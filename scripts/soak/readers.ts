/**
 * Reader hunt: many writers append to one log on PostgreSQL, some of them within long transactions of their own, while
 * others on the same server hold transactions open, write in another database and build an index there; readers join at
 * random and follow. Each must see 1, 2, 3, … without hole or repeat, and soon.
 *
 * `npm run soak -- readers [EVENTS] [SEED]`, 1,000,000 events unless given. The tests run a small one.
 */
import * as PgClient from "@effect/sql-pg/PgClient"
import { Context, Effect, Fiber, Layer, Redacted, Stream } from "effect"
import { Reactivity } from "effect/reactivity"
import type { SqlError } from "effect/sql"
import { EventStore } from "../../src/EventStore.ts"
import * as Postgres from "../../src/postgres/Postgres.ts"
import { randomOf, type Seeded } from "../../src/testing/Seeded.ts"
import * as Sample from "../../src/testing/suites/Sample.ts"

/** What readers saw. */
export interface Report {
  readonly events: number
  readonly readers: number
  /** From the moment that the append was answered to that when a reader at the end had the event, in milliseconds. */
  readonly delayMillis: { readonly p50: number; readonly p99: number }
  /** How often writers found that somebody else had been first. */
  readonly conflicts: number
  readonly foreignTransactions: number
  readonly eventsPerSecond: number
  readonly problems: ReadonlyArray<string>
}

const writers = 16
const readers = 8
const streams = 40
const workers = 2
/** However few events are asked for, so many transactions of others have ended while they were written. */
const foreignMin = 3

interface Hunt {
  readonly stores: ReadonlyArray<EventStore["Service"]>
  readonly events: number
  /** When an append was answered, by its last position. */
  readonly answered: Map<bigint, number>
  readonly delays: Array<number>
  readonly problems: Array<string>
  written: number
  conflicts: number
  foreign: number
}

/** Lets writers write `events` together, with readers, and strangers on the same server. */
export const run = (url: string, events: number, seed: number): Effect.Effect<Report, unknown> =>
  Effect.scoped(Effect.gen(function*() {
    const schema = `hunt_${process.pid}_${seed}`
    const strange = yield* stranger(url)
    yield* Effect.addFinalizer(() => Effect.orDie(strange`DROP SCHEMA IF EXISTS ${strange(schema)} CASCADE`))
    const open = Effect.map(Layer.build(Postgres.layer({ url, schema })), Context.get(EventStore))
    const stores = yield* Effect.all(Array.from({ length: workers }, () => open))
    const hunt: Hunt = {
      stores,
      events,
      answered: new Map(),
      delays: [],
      problems: [],
      written: 0,
      conflicts: 0,
      foreign: 0
    }
    const started = performance.now()
    const strangers = yield* Effect.forkChild(disturb(hunt, url, schema))
    const reading = yield* Effect.forkChild(each(readers, (index) => reader(hunt, index, randomOf(seed * 77 + index))))
    yield* each(writers, (index) => writer(hunt, url, index, randomOf(seed * 31 + index)))
    const seconds = (performance.now() - started) / 1_000
    yield* Fiber.join(reading)
    yield* Fiber.interrupt(strangers)
    if ((yield* stores[0]!.head) !== BigInt(hunt.written)) {
      hunt.problems.push("the log is not as long as what was written")
    }
    return describe(hunt, seconds)
  }))

const stranger = (url: string) =>
  PgClient.makeClient({ url: Redacted.make(url) }).pipe(Effect.provide(Reactivity.layer))

const each = <E>(count: number, work: (index: number) => Effect.Effect<void, E>) =>
  Effect.forEach(Array.from({ length: count }, (_, index) => index), work, { concurrency: count, discard: true })

/** Enough was written, and enough of it under disturbance. */
const isOver = ({ events, foreign, written }: Hunt): boolean => written >= events && foreign >= foreignMin

/**
 * Appends until there is enough. Every fourth writer does so now and then in the middle of a transaction of his own, as
 * somebody who has something else to write on the same server.
 */
const writer = Effect.fnUntraced(function*(hunt: Hunt, url: string, index: number, random: Seeded) {
  const append = appendOnce(hunt, hunt.stores[index % workers]!, random)
  const hasOwn = index % 4 === 0
  const own = yield* stranger(url)
  yield* own`CREATE TEMP TABLE mine (n int)`
  const inTransaction = own.withTransaction(
    Effect.all([own`INSERT INTO mine VALUES (1)`, append, Effect.sleep("100 millis")], { discard: true })
  )
  while (!isOver(hunt)) yield* hasOwn && random.below(20) === 0 ? inTransaction : append
}, Effect.scoped)

/** One to twenty events, to a stream that others write to as well. */
const appendOnce = (hunt: Hunt, store: EventStore["Service"], random: Seeded) =>
  Effect.gen(function*() {
    const stream = { tenant: "hunt", category: "hunt", id: `s${random.below(streams)}` }
    const expected = random.below(4) === 0 ? (yield* store.readStream(stream, { limit: 1 })).version : "any"
    const count = 1 + random.below(20)
    const [status] = yield* store.append([[Sample.write(stream, expected, Sample.events(count))]])
    if (status?._tag === "Committed") {
      hunt.written += count
      hunt.answered.set(status.writes[0]!.position!, performance.now())
    } else if (status?._tag === "Conflict") hunt.conflicts++
    else hunt.problems.push(`an append was answered with ${status?._tag}`)
  })

/** Joins when some part of the log is written, follows from the beginning, and leaves at its end. */
const reader = Effect.fnUntraced(function*(hunt: Hunt, index: number, random: Seeded) {
  const store = hunt.stores[random.below(workers)]!
  const joinsAt = index * random.below(hunt.events / readers)
  yield* Effect.repeat(Effect.sleep("1 millis"), { until: () => hunt.written >= joinsAt })
  let last = 0n
  const isAtEnd = () => isOver(hunt) && last >= BigInt(hunt.written)
  yield* store.follow({ after: 0n, limit: 1 + random.below(1_000) }).pipe(
    Stream.tap((page) =>
      Effect.sync(() => {
        const now = performance.now()
        // Who is still on his way to the end waits for himself.
        const isUpToDate = page.position === page.head
        for (const { position } of page.events) {
          if (position !== last + 1n) hunt.problems.push(`reader ${index} saw ${position} after ${last}`)
          last = position
          const answeredAt = hunt.answered.get(position)
          if (isUpToDate && answeredAt !== undefined) hunt.delays.push(Math.max(0, now - answeredAt))
        }
      })
    ),
    Stream.takeUntil(isAtEnd),
    Stream.runDrain
  )
})

/** What others do on a server: transactions that stay open, here and in another database, and the making of an index. */
const disturb = Effect.fnUntraced(function*(hunt: Hunt, url: string, schema: string) {
  const here = yield* stranger(url)
  const other = new URL(url)
  other.pathname = `/${schema}`
  yield* here`CREATE DATABASE ${here(schema)}`
  yield* Effect.addFinalizer(() => Effect.orDie(here`DROP DATABASE IF EXISTS ${here(schema)} WITH (FORCE)`))
  const there = yield* stranger(String(other))
  for (const sql of [here, there]) yield* sql`CREATE TEMP TABLE busy (n int)`
  const hold = (sql: PgClient.PgClient): Effect.Effect<void, SqlError.SqlError> =>
    sql.withTransaction(
      Effect.andThen(sql`INSERT INTO busy SELECT generate_series(1, 1000)`, Effect.sleep("200 millis"))
    )
  const index = Effect.andThen(there`CREATE INDEX busy_n_idx ON busy (n)`, there`DROP INDEX busy_n_idx`)
  const forever = (work: Effect.Effect<unknown, SqlError.SqlError>) =>
    Effect.forever(Effect.tap(work, () => Effect.sync(() => hunt.foreign++)))
  yield* Effect.all([forever(hold(here)), forever(Effect.andThen(hold(there), index))], { concurrency: 2 })
}, Effect.scoped)

const describe = (hunt: Hunt, seconds: number): Report => {
  const sorted = hunt.delays.toSorted((a, b) => a - b)
  const quantile = (q: number) => Math.round((sorted[Math.floor(sorted.length * q)] ?? 0) * 10) / 10
  return {
    events: hunt.written,
    readers,
    delayMillis: { p50: quantile(0.5), p99: quantile(0.99) },
    conflicts: hunt.conflicts,
    foreignTransactions: hunt.foreign,
    eventsPerSecond: Math.round(hunt.written / seconds),
    problems: hunt.problems
  }
}
