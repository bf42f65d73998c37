/**
 * What only a store on a server can get into: several workers, connections that end, clocks of others, roles, and what
 * it says of all this.
 */
import { assert, describe, it } from "@effect/vitest"
import { deepStrictEqual, strictEqual } from "@effect/vitest/utils"
import { Clock, Effect, Exit, Fiber, Layer, Stream } from "effect"
import { randomInt } from "node:crypto"
import { EventStore, type Status } from "../../src/EventStore.ts"
import * as Postgres from "../../src/postgres/Postgres.ts"
import * as Sample from "../../src/testing/suites/Sample.ts"
import { freshSchema, onPostgres, open, stranger, url } from "./server.ts"

const oneEvent = (expected: number, stream = Sample.stream()) =>
  [Sample.write(stream, expected, Sample.events(1))] as const

/** Holds the writers' lock until the scope closes, as a writer who hangs. */
const holdLog = Effect.fnUntraced(function*(schema: string) {
  const sql = yield* stranger
  yield* sql`SELECT pg_advisory_lock(1986098789, ${`${schema}.events`}::regclass::oid::int)`
})

/** Waits until somebody waits for the writers' lock, and says who. */
const waitingWriter = Effect.fnUntraced(function*() {
  const sql = yield* stranger
  const look = sql<{ readonly pid: number }>`SELECT pid FROM pg_locks
    WHERE locktype = 'advisory' AND classid = 1986098789 AND NOT granted`
  return (yield* Effect.repeat(look, { until: (rows) => rows.length > 0 }))[0]!.pid
})

const endBackend = Effect.fnUntraced(function*(pid: number) {
  const sql = yield* stranger
  yield* sql`SELECT pg_terminate_backend(${pid})`
})

const refusal = (options: Partial<Postgres.Options>) =>
  Effect.map(Effect.flip(Effect.scoped(open(options))), ({ message }) => message)

/** Neither SQL nor a secret, and in one line. */
const isFitForPeople = (message: string) =>
  assert.notMatch(message, /SELECT|INSERT|append_v\d|secret|\n|\bat .*:\d+|password=/)

onPostgres(() => {
  describe("a schema", () => {
    it.live("is made once, however many workers start at once", () =>
      Effect.gen(function*() {
        const schema = yield* freshSchema
        const stores = yield* Effect.all(Array.from({ length: 10 }, () => open({ schema })), { concurrency: 10 })
        strictEqual(new Set(stores.map(({ events }) => events.storeId)).size, 1)
        const sql = yield* stranger
        deepStrictEqual(
          yield* sql`SELECT migration_id FROM ${sql(`${schema}.migrations`)} ORDER BY 1`,
          [1, 2, 3, 4, 5].map((migration_id) => ({ migration_id }))
        )
      }))

    it.live("is left alone by a worker that is told so, and by a check", () =>
      Effect.gen(function*() {
        const schema = yield* freshSchema
        const message = yield* refusal({ schema, migrate: false })
        assert.include(message, "migrate first")
        deepStrictEqual(yield* Postgres.migrate({ url, schema }, { check: true }), {
          current: 0,
          newest: 5,
          oldestBuild: 0
        })
        const sql = yield* stranger
        deepStrictEqual(yield* sql`SELECT 1 FROM pg_namespace WHERE nspname = ${schema}`, [])
        yield* Postgres.migrate({ url, schema })
        yield* open({ schema, migrate: false })
      }))

    it.live("that a newer build has changed serves this one, until a migration says that it cannot", () =>
      Effect.gen(function*() {
        const schema = yield* freshSchema
        yield* Effect.scoped(open({ schema }))
        const sql = yield* stranger
        yield* sql`INSERT INTO ${sql(`${schema}.migrations`)} (migration_id, name) VALUES (6, 'later')`
        yield* Effect.scoped(open({ schema }))
        yield* sql`UPDATE ${sql(`${schema}.store`)} SET oldest_build = 6`
        assert.include(yield* refusal({ schema }), "the schema needs a build that knows migration 6")
        for (const check of [true, false]) {
          const { message } = yield* Effect.flip(Postgres.migrate({ url, schema }, { check }))
          assert.include(message, "the schema needs a build that knows migration 6, this one knows 5")
        }
      }))

    it.live("is enough for a role that owns nothing else", () =>
      Effect.gen(function*() {
        const schema = yield* freshSchema
        const sql = yield* stranger
        yield* sql.unsafe(`CREATE ROLE ${schema} LOGIN`)
        yield* Effect.addFinalizer(() =>
          Effect.orDie(Effect.scoped(Effect.flatMap(stranger, (sql) =>
            sql.unsafe(`DROP OWNED BY ${schema}; `).pipe(
              Effect.andThen(sql.unsafe(`DROP ROLE ${schema}`))
            ))))
        )
        yield* sql.unsafe(`CREATE SCHEMA ${schema} AUTHORIZATION ${schema}`)
        const { events } = yield* open({ schema, url: url.replace("postgres@", `${schema}@`) })
        strictEqual((yield* events.append([oneEvent(0)]))[0]!._tag, "Committed")
      }))

    it.live("has a name that needs no quotes", () =>
      Effect.gen(function*() {
        for (const schema of ["", "Varve", "a-b", "a\"; DROP TABLE x", "1a", "a".repeat(41)]) {
          assert.include(yield* refusal({ schema }), "the schema's name must be")
        }
      }))
  })

  describe("what it says", () => {
    it.live("I22: names what is wrong with the connection, and keeps the password to itself", () =>
      Effect.gen(function*() {
        const wrong = [
          ["postgres://app:secret@127.0.0.1:1/app", "no server answers at its address"],
          [`${url.replace(/\/postgres$/, "/secret_database")}`, "the database does not exist"],
          [url.replace("postgres@", "nobody_here:secret@"), "the server does not admit this user"],
          ["postgres://app:secret@127.0.0.1:port/app", "its URL is not one"],
          ["mysql://app:secret@127.0.0.1/app", "the connection failed"]
        ] as const
        for (const [url, problem] of wrong) {
          const message = yield* refusal({ url })
          assert.include(message, problem)
          isFitForPeople(message)
        }
      }))

    it.live("I22: of a missing table is not its SQL", () =>
      Effect.gen(function*() {
        const schema = yield* freshSchema
        const { events, sql } = yield* open({ schema })
        yield* sql`DROP TABLE ${sql(`${schema}.events`)}`
        const read = yield* Effect.flip(events.readAll({ after: 0n }))
        const written = yield* Effect.flip(events.append([oneEvent(0)]))
        for (const { _tag, message } of [read, written]) {
          strictEqual(_tag, "StoreUnavailable")
          assert.include(message, "migrate first")
          isFitForPeople(message)
        }
      }))
  })

  describe("an append", () => {
    it.live("I7: one whose connection ends after it was sent is lost, and is settled by sending it again", () =>
      Effect.gen(function*() {
        const schema = yield* freshSchema
        const { events } = yield* open({ schema })
        const append = oneEvent(0)
        const lost = yield* Effect.scoped(Effect.gen(function*() {
          yield* holdLog(schema)
          const appending = yield* Effect.forkChild(Effect.flip(events.append([append])), { startImmediately: true })
          yield* endBackend(yield* waitingWriter())
          return yield* Fiber.join(appending)
        }))
        strictEqual(lost._tag, "AppendLost")
        isFitForPeople(lost.message)
        const [first] = yield* events.append([append])
        const [again] = yield* events.append([append])
        strictEqual(first!._tag, "Committed")
        deepStrictEqual(again, first)
        strictEqual(yield* events.head, 1n)
      }))

    it.live(
      "I7: one that a server falls silent on is lost after 15 seconds, and then the way is free again",
      (context) =>
        Effect.gen(function*() {
          const schema = yield* freshSchema
          const { events, sql } = yield* open({ schema })
          yield* events.append([oneEvent(0)])
          const backends = yield* sql<{ readonly pid: number; readonly isHere: boolean }>`
          SELECT pid, inet_server_addr() <<= '127.0.0.0/8' AS "isHere" FROM pg_stat_activity
          WHERE query LIKE ${`%"${schema}".append_v1%`} AND pid <> pg_backend_pid()`
          const { isHere, pid } = backends[0]!
          if (!isHere) context.skip("the server is on another machine")
          yield* Effect.acquireRelease(
            Effect.sync(() => process.kill(pid, "SIGSTOP")),
            () => Effect.sync(() => process.kill(pid, "SIGCONT"))
          )
          const append = oneEvent(0)
          strictEqual((yield* Effect.flip(events.append([append])))._tag, "AppendLost")
          strictEqual((yield* events.append([append]))[0]!._tag, "Committed")
          strictEqual(yield* events.head, 2n)
        }),
      60_000
    )

    it.live("I10: one that waits for a writer who hangs is refused after 5 seconds, and nothing is written", () =>
      Effect.gen(function*() {
        const schema = yield* freshSchema
        const { events } = yield* open({ schema })
        const refused = yield* Effect.scoped(
          Effect.andThen(holdLog(schema), Effect.flip(events.append([oneEvent(0)])))
        )
        strictEqual(refused._tag, "StoreUnavailable")
        assert.include(refused.message, "other writers held the log")
        strictEqual(yield* events.head, 0n)
      }))

    it.live("I10: one that only looks does not wait for writers", () =>
      Effect.gen(function*() {
        const schema = yield* freshSchema
        const { events } = yield* open({ schema })
        const stream = Sample.stream()
        yield* events.append([oneEvent(0, stream)])
        yield* holdLog(schema)
        const checks = [[Sample.write(stream, 1)], [Sample.write(Sample.stream(), "exists")]] as const
        deepStrictEqual((yield* events.append(checks)).map(({ _tag }) => _tag), ["Committed", "Conflict"])
      }))

    it.live("I3: of two workers who append to the same streams each is decided on what the other has written", () =>
      Effect.gen(function*() {
        const schema = yield* freshSchema
        const workers = [yield* open({ schema }), yield* open({ schema })]
        const streams = Array.from({ length: 3 }, () => Sample.stream())
        const work = ({ events }: (typeof workers)[number]) =>
          Effect.forEach(
            Array.from({ length: 60 }, (_, index) => streams[index % 3]!),
            (stream) =>
              Effect.gen(function*() {
                const { version } = yield* events.readStream(stream, { limit: 1 })
                const exact = Sample.write(stream, version, Sample.events(2))
                const any = Sample.write(Sample.stream(), "any", Sample.events(1))
                return (yield* events.append([[exact], [any]])).map(({ _tag }) => _tag)
              })
          )
        const told = (yield* Effect.forEach(workers, work, { concurrency: 2 })).flat(2)
        const count = (tag: Status["_tag"]) => told.filter((one) => one === tag).length
        strictEqual(count("Committed") + count("Conflict"), 240)
        assert.isAbove(count("Conflict"), 0)
        strictEqual(yield* workers[0]!.events.audit(0n), BigInt(120 + 2 * (count("Committed") - 120)))
      }))

    it.live("I23: to a stream whose names no index can hold is refused by itself", () =>
      Effect.gen(function*() {
        const schema = yield* freshSchema
        const { events } = yield* open({ schema })
        // Nothing that the server could make short.
        const wild = () =>
          Array.from({ length: 255 }, () => String.fromCodePoint(0x10000 + randomInt(0xf0000)))
            .join("")
        const [name, tenant] = [wild(), wild()]
        const statuses = yield* events.append([
          oneEvent(0, { tenant, category: name, id: wild() }),
          oneEvent(0, { tenant, category: name, id: "a".repeat(255) }),
          oneEvent(0)
        ])
        deepStrictEqual(statuses.map(({ _tag }) => _tag), ["Refused", "Committed", "Committed"])
        assert.include(statuses[0]!._tag === "Refused" && statuses[0]!.reason.message, "at most 2600 are allowed")
      }))

    it.live("recordedAt never goes back, though the server's clock does", () =>
      Effect.gen(function*() {
        const schema = yield* freshSchema
        const { events, sql } = yield* open({ schema })
        for (const hours of [0, -1, 1, -2]) {
          yield* sql.unsafe(`CREATE OR REPLACE FUNCTION ${schema}.clock_v1() RETURNS timestamptz LANGUAGE sql VOLATILE
            AS $$ SELECT date_trunc('milliseconds', clock_timestamp() + interval '${hours} hours') $$`)
          yield* events.append([oneEvent(0)])
        }
        const times = (yield* events.readAll({ after: 0n })).events.map(({ recordedAtMillis }) => recordedAtMillis)
        deepStrictEqual(times, times.toSorted((a, b) => a - b))
        strictEqual(times[2], times[3])
        assert.isAtLeast(times[2]! - times[1]!, 3_000_000)
      }))
  })

  it.live("recordedAt never goes back, though the clocks of two workers are an hour apart: it is the server's", () =>
    Effect.gen(function*() {
      const schema = yield* freshSchema
      const clock = yield* Clock.Clock
      const workers = yield* Effect.forEach(
        [-3_600_000, 3_600_000],
        (apart) =>
          Effect.map(open({ schema }), ({ events }) => {
            const shifted: Clock.Clock = Object.assign(Object.create(clock), {
              currentTimeMillisUnsafe: () => clock.currentTimeMillisUnsafe() + apart,
              currentTimeMillis: Effect.map(clock.currentTimeMillis, (millis) => millis + apart)
            })
            const append = Effect.suspend(() => events.append([oneEvent(0)]))
            return { append: Effect.provideService(append, Clock.Clock, shifted), events }
          })
      )
      const before = yield* Clock.currentTimeMillis
      for (let round = 0; round < 10; round++) {
        yield* Effect.all(workers.map(({ append }) => append), { concurrency: 2 })
      }
      const { events } = yield* workers[0]!.events.readAll({ after: 0n })
      const times = events.map(({ recordedAtMillis }) => recordedAtMillis)
      strictEqual(times.length, 20)
      deepStrictEqual(times, times.toSorted((a, b) => a - b))
      assert.isAtMost(Math.max(...times) - Math.min(before, ...times), 60_000)
    }))

  describe("a reader", () => {
    it.live("is not told a time that a writer under way may still be recorded before", () =>
      Effect.gen(function*() {
        const schema = yield* freshSchema
        const { events } = yield* open({ schema })
        const stream = Sample.stream()
        yield* events.append([oneEvent(0, stream)])
        const { events: [event], readAtMillis: idle } = yield* events.readStream(stream)
        assert.isAtLeast(idle, event!.recordedAtMillis)
        yield* holdLog(schema)
        yield* Effect.sleep("5 millis")
        strictEqual((yield* events.readStream(stream)).readAtMillis, event!.recordedAtMillis)
      }))

    it.live("I19: who follows in another worker is told at once, also after its listening connection was ended", () =>
      Effect.gen(function*() {
        const schema = yield* freshSchema
        const [writer, reader] = [yield* open({ schema }), yield* open({ schema })]
        const seen: Array<bigint> = []
        const following = yield* Effect.forkChild(
          Stream.runForEach(
            reader.events.follow({ after: 0n }),
            (page) => Effect.sync(() => seen.push(...page.events.map(({ position }) => position)))
          )
        )
        const listeners = reader.sql<{ readonly pid: number }>`SELECT pid FROM pg_stat_activity
          WHERE query = ${`LISTEN "varve_${schema}"`}`
        const untilListening = Effect.repeat(listeners, { until: (rows) => rows.length > 0 })
        const untilSeen = (count: number) =>
          Effect.repeat(Effect.andThen(Effect.sleep("1 millis"), Effect.sync(() => seen.length)), {
            until: (length) => length >= count
          })
        for (let round = 1; round <= 3; round++) {
          const [{ pid }] = [(yield* untilListening)[0]!]
          yield* writer.events.append([oneEvent(0)])
          yield* untilSeen(round)
          yield* endBackend(pid)
        }
        yield* Fiber.interrupt(following)
        deepStrictEqual(seen, [1n, 2n, 3n])
      }))

    it.live("behind a pooler gets on without statements that are kept and without listening", () =>
      Effect.gen(function*() {
        const schema = yield* freshSchema
        const { events, sql } = yield* open({ schema, behindPooler: true })
        const statuses: Array<Status> = []
        for (let times = 0; times < 3; times++) statuses.push(...yield* events.append([oneEvent(0)]))
        deepStrictEqual(statuses.map(({ _tag }) => _tag), ["Committed", "Committed", "Committed"])
        const pages = yield* Stream.runCollect(Stream.take(events.follow({ after: 0n }), 1))
        strictEqual(pages[0]!.events.length, 3)
        const rows = yield* sql`SELECT 1 FROM pg_stat_activity WHERE query = ${`LISTEN "varve_${schema}"`}`
        deepStrictEqual(rows, [])
      }))

    it.live("and the auditor find a hole that somebody has made, and where", () =>
      Effect.gen(function*() {
        const schema = yield* freshSchema
        const { events, sql } = yield* open({ schema })
        yield* Effect.provideService(Sample.filled(9), EventStore, events)
        strictEqual(yield* events.audit(0n), 9n)
        yield* sql`DELETE FROM ${sql(`${schema}.events`)} WHERE position IN (4, 5, 7)`
        const { message } = yield* Effect.flip(events.audit(0n))
        strictEqual(message, "The log has a hole: position 6 follows 3")
        strictEqual((yield* Effect.flip(events.audit(5n))).message, "The log has a hole: position 8 follows 6")
        strictEqual(yield* events.audit(7n), 9n)
        strictEqual((yield* Effect.flip(events.readAll({ after: 0n }))).message, message)
      }))

    it.live("asks again once the server is there again", () =>
      Effect.gen(function*() {
        const schema = yield* freshSchema
        const { events, sql } = yield* open({ schema })
        yield* events.append([oneEvent(0)])
        yield* sql`SELECT pg_terminate_backend(pid) FROM pg_stat_activity
          WHERE application_name = 'varve' AND pid <> pg_backend_pid() AND query LIKE ${`%"${schema}"%`}`
        const settled = Effect.retry(events.head, { times: 10 })
        strictEqual(yield* settled, 1n)
        const exit = yield* Effect.exit(Effect.retry(events.append([oneEvent(0)]), { times: 10 }))
        assert.isTrue(Exit.isSuccess(exit))
      }))
  })

  it.live("applications use the SqlClient of the store's database for tables of their own", () =>
    Effect.gen(function*() {
      const schema = yield* freshSchema
      const { sql } = yield* open({ schema })
      const table = sql(`${schema}.mine`)
      yield* sql`CREATE TABLE ${table} (n int)`
      const failing = sql.withTransaction(Effect.andThen(sql`INSERT INTO ${table} VALUES (1)`, Effect.fail("no")))
      strictEqual(yield* Effect.flip(failing), "no")
      deepStrictEqual(yield* sql`SELECT n FROM ${table}`, [])
      const head = Effect.flatMap(EventStore, (store) => store.head)
      strictEqual(yield* Effect.provide(head, Layer.fresh(Postgres.layer({ url, schema }))), 0n)
    }))
})
