/**
 * An application's own SQL and its appends are one transaction, which holds nobody up while it is open.
 */
import { assert, describe, it } from "@effect/vitest"
import { deepStrictEqual, strictEqual } from "@effect/vitest/utils"
import { Deferred, Effect, Fiber, Random } from "effect"
import { BeginTransaction } from "effect/sql/SqlClient"
import type { Stored, StreamId } from "../../src/Event.ts"
import type { Append } from "../../src/EventStore.ts"
import type { Stage } from "../../src/postgres/PostgresTransaction.ts"
import * as Sample from "../../src/testing/suites/Sample.ts"
import { freshSchema, onPostgres, open, stranger } from "./server.ts"

/** A worker with a table of the application's own. */
const worker = Effect.gen(function*() {
  const schema = yield* freshSchema
  const stores = yield* open({ schema })
  const { sql } = stores
  const mine = sql(`${schema}.mine`)
  yield* sql`CREATE TABLE ${mine} (n int PRIMARY KEY)`
  const insert = (n: number) => sql`INSERT INTO ${mine} VALUES (${n})`
  const kept = Effect.gen(function*() {
    const rows = yield* sql<{ readonly n: number }>`SELECT n FROM ${mine} ORDER BY n`
    const [staged] = yield* sql<{ readonly count: bigint }>`SELECT count(*) FROM ${sql(`${schema}.staged`)}`
    strictEqual(Number(staged!.count), 0)
    return { rows: rows.map(({ n }) => n), head: yield* stores.events.head }
  })
  return { ...stores, schema, insert, kept }
})

const one = (stream = Sample.stream(), expected: Append[0]["expected"] = 0): Append => [
  Sample.write(stream, expected, Sample.events(1))
]

const both = <A, B, E, F>(first: Effect.Effect<A, E>, second: Effect.Effect<B, F>) => Effect.andThen(first, second)

onPostgres(() => {
  describe("a transaction with appends", () => {
    it.live("keeps SQL and events together, in the order in which they were staged", () =>
      Effect.gen(function*() {
        const { events, insert, kept, transaction } = yield* worker
        const stream = Sample.stream()
        const value = yield* transaction.run((append) =>
          Effect.gen(function*() {
            yield* append(one(stream))
            yield* insert(1)
            yield* append(one(stream, 1))
            yield* append([Sample.write(Sample.stream(), "noStream", Sample.events(2)), Sample.write(stream, "exists")])
            return "value"
          })
        )
        strictEqual(value, "value")
        deepStrictEqual(yield* kept, { rows: [1], head: 4n })
        deepStrictEqual((yield* events.readStream(stream)).version, 2)
      }))

    it.live("that fails, or in which a part fails, appends nothing of what failed", () =>
      Effect.gen(function*() {
        const { insert, kept, sql, transaction } = yield* worker
        const failing = transaction.run((append) => both(both(insert(1), append(one())), Effect.fail("no")))
        strictEqual(yield* Effect.flip(failing), "no")
        deepStrictEqual(yield* kept, { rows: [], head: 0n })
        const part = (append: Stage) => Effect.ignore(sql.withTransaction(both(append(one()), Effect.fail("no"))))
        yield* transaction.run((append) => both(append(one()), both(part(append), append(one()))))
        deepStrictEqual(yield* kept, { rows: [], head: 2n })
      }))

    it.live("I3: that is in conflict when it is committed keeps nothing, and names the stream and its versions", () =>
      Effect.gen(function*() {
        const { events, insert, kept, transaction } = yield* worker
        const stream = Sample.stream({ category: "Invoice", id: "i-7" })
        const refused = yield* Effect.flip(transaction.run((append) =>
          Effect.gen(function*() {
            yield* insert(1)
            yield* append(one())
            yield* append(one(stream))
            yield* events.append([one(stream)])
          })
        ))
        assert.include(refused, { _tag: "TransactionRefused", message: "Invoice i-7 is at version 1, not 0" })
        deepStrictEqual(yield* kept, { rows: [], head: 1n })
      }))

    it.live("I3: in which an append only looks is refused if that is not so any more when it is committed", () =>
      Effect.gen(function*() {
        const { events, kept, transaction } = yield* worker
        const stream = Sample.stream()
        const refused = yield* Effect.flip(
          transaction.run((append) =>
            both(append([Sample.write(stream, 0)]), both(append(one()), events.append([one(stream)])))
          )
        )
        strictEqual(refused._tag, "TransactionRefused")
        deepStrictEqual(yield* kept, { rows: [], head: 1n })
      }))

    it.live("I3: decides on what is so when it may write, not on what was when it began to wait", () =>
      Effect.gen(function*() {
        const { events, schema, transaction } = yield* worker
        const { category, id, tenant } = Sample.stream()
        const sql = yield* stranger
        const lock = sql`1986098789, ${`${schema}.events`}::regclass::oid::int`
        yield* sql`SELECT pg_advisory_lock(${lock})`
        const running = yield* Effect.forkChild(
          Effect.flip(
            transaction.run((append) => both(append([Sample.write({ category, id, tenant }, 0)]), append(one())))
          ),
          { startImmediately: true }
        )
        const waiting = sql`SELECT 1 FROM pg_locks WHERE locktype = 'advisory' AND classid = 1986098789 AND NOT granted
          AND objid = ${`${schema}.events`}::regclass`
        yield* Effect.repeat(waiting, { until: ({ length }) => length > 0 })
        yield* sql`INSERT INTO ${sql(`${schema}.events`)} VALUES
          (1, ${tenant}, ${category}, ${id}, 1, 'T', 1, gen_random_uuid(), now(), '{}', '{}')`
        yield* sql`SELECT pg_advisory_unlock(${lock})`
        strictEqual((yield* Fiber.join(running))._tag, "TransactionRefused")
        strictEqual(yield* events.head, 1n)
      }))

    it.live("I5: carries a command out once, and answers with its receipt", () =>
      Effect.gen(function*() {
        const { insert, kept, transaction } = yield* worker
        const stream = Sample.stream()
        const receipt = Sample.receipt("c-1", { events: 1, through: 1 })
        const pay = (n: number) =>
          transaction.run((append) =>
            both(insert(n), append([Sample.write(stream, "any", Sample.events(1), [receipt])]))
          )
        yield* pay(1)
        const refused = yield* Effect.flip(pay(2))
        if (refused._tag !== "TransactionRefused") return assert.fail(refused._tag)
        const { commandId, hash, outcome } = receipt
        deepStrictEqual(refused.reason._tag === "CommandRepeated" && refused.reason.receipts, [
          { stream, commandId, hash, outcome, version: 1, position: 1n }
        ])
        deepStrictEqual(yield* kept, { rows: [1], head: 1n })
      }))

    it.live("I7: whose connection ends during the commit is lost, and is done again or recognized", () =>
      Effect.gen(function*() {
        const { insert, kept, schema, sql, transaction } = yield* worker
        yield* sql.unsafe(`CREATE FUNCTION ${schema}.wait() RETURNS trigger LANGUAGE plpgsql AS
          $$ BEGIN PERFORM pg_sleep(60); RETURN NULL; END $$`)
        yield* sql.unsafe(`CREATE CONSTRAINT TRIGGER wait AFTER INSERT ON ${schema}.mine DEFERRABLE INITIALLY DEFERRED
          FOR EACH ROW WHEN (NEW.n = 1) EXECUTE FUNCTION ${schema}.wait()`)
        const append = one()
        const again = (n: number) => transaction.run((stage) => both(insert(n), stage(append)))
        const running = yield* Effect.forkChild(Effect.flip(again(1)), { startImmediately: true })
        const other = yield* stranger
        const look = other<{ readonly pid: number }>`SELECT pid FROM pg_stat_activity
          WHERE query = 'COMMIT' AND state = 'active' AND wait_event = 'PgSleep'`
        const [backend] = yield* Effect.repeat(look, { until: ({ length }) => length > 0 })
        yield* other`SELECT pg_terminate_backend(${backend!.pid}, 5000)`
        strictEqual((yield* Fiber.join(running))._tag, "AppendLost")
        deepStrictEqual(yield* kept, { rows: [], head: 0n })
        yield* again(2)
        const refused = yield* Effect.flip(again(3))
        if (refused._tag !== "TransactionRefused") return assert.fail(refused._tag)
        deepStrictEqual(refused.reason._tag === "AppendRecognized" && refused.reason.writes, [
          { version: 1, position: 1n }
        ])
        deepStrictEqual(yield* kept, { rows: [2], head: 1n })
      }))

    it.live("I10: that is open, and has staged, holds nobody up", () =>
      Effect.gen(function*() {
        const { events, insert, kept, transaction } = yield* worker
        const hasStaged = yield* Deferred.make<void>()
        const mayEnd = yield* Deferred.make<void>()
        const stream = Sample.stream()
        const running = yield* Effect.forkChild(transaction.run((append) =>
          Effect.gen(function*() {
            yield* insert(1)
            yield* append(one(stream))
            yield* Deferred.succeed(hasStaged, undefined)
            yield* Deferred.await(mayEnd)
          })
        ))
        yield* Deferred.await(hasStaged)
        for (let position = 1n; position <= 20n; position++) {
          strictEqual((yield* events.append([one()]))[0]!._tag, "Committed")
          strictEqual((yield* events.readAll({ after: 0n })).position, position)
        }
        yield* transaction.run((append) => append(one()))
        yield* Deferred.succeed(mayEnd, undefined)
        yield* Fiber.join(running)
        deepStrictEqual(yield* kept, { rows: [1], head: 22n })
        strictEqual((yield* events.readStream(stream)).events[0]!.position, 22n)
      }))

    it.live("I10: whose commit waits for a writer who hangs is refused after 5 seconds, and keeps nothing", () =>
      Effect.gen(function*() {
        const { insert, kept, schema, transaction } = yield* worker
        const refused = yield* Effect.scoped(Effect.gen(function*() {
          const sql = yield* stranger
          yield* sql`SELECT pg_advisory_lock(1986098789, ${`${schema}.events`}::regclass::oid::int)`
          return yield* Effect.flip(transaction.run((append) => both(insert(1), append(one()))))
        }))
        assert.include(refused.message, "other writers held the log")
        deepStrictEqual(yield* kept, { rows: [], head: 0n })
      }))

    it.live("refuses at once what no log admits, and goes on if the work does", () =>
      Effect.gen(function*() {
        const { kept, transaction } = yield* worker
        const refusals: Array<string> = []
        yield* transaction.run((append) =>
          Effect.gen(function*() {
            const [tooMany, nameless] = [Sample.events(1_001), Sample.stream({ id: "" })]
            for (const wrong of [[Sample.write(Sample.stream(), 0, tooMany)], one(nameless)] as const) {
              refusals.push((yield* Effect.flip(append(wrong)))._tag)
            }
            yield* append(one())
          })
        )
        deepStrictEqual(refusals, ["LimitExceeded", "InputInvalid"])
        deepStrictEqual(yield* kept, { rows: [], head: 1n })
      }))

    it.live("I10: says what it cannot be: part of another, of a stricter isolation, over, or decided before its commit", () =>
      Effect.gen(function*() {
        const { checkpoints, kept, sql, transaction } = yield* worker
        const run = transaction.run((append) => append(one()))
        const part = "must not be part of another one"
        assert.include((yield* Effect.flip(sql.withTransaction(run))).message, part)
        assert.include((yield* Effect.flip(checkpoints.transaction(run))).message, part)
        const stricter = Effect.provideService(run, BeginTransaction, "BEGIN ISOLATION LEVEL REPEATABLE READ")
        assert.include((yield* Effect.flip(stricter)).message, "must be READ COMMITTED")
        const leaked = yield* transaction.run((append) => Effect.succeed(append))
        assert.include((yield* Effect.flip(leaked(one()))).message, "has ended")
        const early = yield* Effect.flip(
          transaction.run((append) => both(append(one()), sql`SET CONSTRAINTS ALL IMMEDIATE`))
        )
        strictEqual(early._tag, "SqlError")
        const later = yield* Effect.flip(
          transaction.run((append) => both(sql`SET CONSTRAINTS ALL IMMEDIATE`, append(one())))
        )
        assert.include(later.message, "SET CONSTRAINTS must leave appends to the commit")
        deepStrictEqual(yield* kept, { rows: [], head: 0n })
      }))
  })

  it.live(
    "I8, I9: of transactions and groups of 8 workers on the same streams, readers see 1, 2, 3, … and nothing goes",
    () =>
      Effect.gen(function*() {
        const { kept, schema, ...first } = yield* worker
        const workers = [first, ...(yield* Effect.forEach(Array.from({ length: 7 }), () => open({ schema })))]
        const streams = Array.from({ length: 5 }, () => Sample.stream())
        const acknowledged: Array<string> = []
        const seen: Array<Stored> = []
        let isOver = false
        const reading = yield* Effect.forkChild(Effect.whileLoop({
          while: () => !isOver || BigInt(seen.length) < acknowledged.length,
          body: () => first.events.readAll({ after: BigInt(seen.length), limit: 100 }),
          step: ({ events }) => seen.push(...events)
        }))
        yield* Effect.forEach(workers, (worker, number) => write(worker, { schema, number }, streams, acknowledged), {
          concurrency: 8
        })
        isOver = true
        yield* Fiber.join(reading)
        const head = BigInt(seen.length)
        strictEqual(yield* first.events.audit(0n), head)
        deepStrictEqual(seen.map(({ position }) => position), seen.map((_, index) => BigInt(index + 1)))
        deepStrictEqual(seen.map(({ eventId }) => eventId).toSorted(), acknowledged.toSorted())
        for (const { category, id } of streams) {
          const versions = seen.filter((event) => event.category === category && event.id === id)
            .map(({ version }) => version)
          deepStrictEqual(versions, versions.map((_, index) => index + 1))
        }
        const { rows } = yield* kept
        strictEqual(rows.length, seen.filter(({ type }) => type === "Paid").length)
      }),
    60_000
  )
})

type Worker = Effect.Success<ReturnType<typeof open>>

/** Appends, sometimes as part of a transaction that takes its time, and sometimes on a version that it only hopes for. */
const write = Effect.fnUntraced(function*(
  { events, sql, transaction }: Worker,
  { number, schema }: { readonly number: number; readonly schema: string },
  streams: ReadonlyArray<StreamId>,
  acknowledged: Array<string>
) {
  for (let round = 0; round < 60; round++) {
    const stream = streams[yield* Random.nextIntBetween(0, streams.length - 1)]!
    const hoped = (yield* Random.nextBoolean)
      ? "any" as const
      : (yield* events.readStream(stream, { limit: 1 })).version
    const isTransaction = yield* Random.nextBoolean
    const made = Sample.events(yield* Random.nextIntBetween(1, 3), { type: isTransaction ? "Happened" : "Grouped" })
    const tell = Effect.sync(() => acknowledged.push(...made.map(({ eventId }) => eventId)))
    if (isTransaction) {
      const paid = Sample.event({ type: "Paid" })
      const run = transaction.run((append) =>
        Effect.gen(function*() {
          yield* append([Sample.write(stream, hoped, made)])
          yield* Effect.sleep("2 millis")
          yield* sql`INSERT INTO ${sql(`${schema}.mine`)} VALUES (${number * 1_000 + round})`
          yield* append([Sample.write(Sample.stream(), 0, [paid])])
        })
      )
      const isKept = yield* Effect.as(run, true).pipe(
        Effect.catchTag("TransactionRefused", () => Effect.succeed(false))
      )
      if (isKept) acknowledged.push(paid.eventId)
      if (isKept) yield* tell
    } else {
      const [status] = yield* events.append([[Sample.write(stream, hoped, made)]])
      if (status!._tag === "Committed") yield* tell
    }
  }
})
