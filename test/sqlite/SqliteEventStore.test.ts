/**
 * What SQLite adds to the promises of every store: several connections and processes on one file, and failures that
 * say honestly whether something was written.
 */
import { assert, describe, it } from "@effect/vitest"
import { deepStrictEqual, strictEqual } from "@effect/vitest/utils"
import { Context, Deferred, Effect, Exit, Fiber, Latch, Stream } from "effect"
import { TestClock } from "effect/testing"
import { spawnSync } from "node:child_process"
import { join } from "node:path"
import { EventStore, type LogPage } from "../../src/EventStore.ts"
import * as Sample from "../../src/testing/suites/Sample.ts"
import { failingCommit, freshFile, open } from "./file.ts"
import { ended, startProcess } from "./processes.ts"

const on = (events: EventStore["Service"]) => <A, E, R>(effect: Effect.Effect<A, E, R>) =>
  Effect.provideService(effect, EventStore, events)

const counted = (count: number) => Array.from({ length: count }, (_, index) => index + 1)

/** Two connections to one file, with a stream of two events. */
const pair = Effect.gen(function*() {
  const filename = yield* freshFile
  const [one, two] = [yield* open({ filename }), yield* open({ filename })]
  return { one: one.events, two: two.events, stream: yield* on(one.events)(Sample.filled(2)) }
})

describe("two connections to one file", () => {
  it.effect("see at once what the other one wrote", () =>
    Effect.gen(function*() {
      const { one, two, stream } = yield* pair
      strictEqual(one.storeId, two.storeId)
      strictEqual(yield* two.head, 2n)
      deepStrictEqual(yield* two.readStream(stream), yield* one.readStream(stream))
      yield* on(two)(Sample.commit(Sample.write(stream, 2, Sample.events(1), [Sample.receipt("c")])))
      strictEqual((yield* one.readStream(stream)).version, 3)
      strictEqual((yield* one.receipt(stream, "c"))?.version, 2)
    }))

  it.effect("exclude each other at a version, and repeat no command", () =>
    Effect.gen(function*() {
      const { one, two, stream } = yield* pair
      const write = Sample.write(stream, 2, Sample.events(1), [Sample.receipt("c", { events: 1, through: 1 })])
      yield* on(two)(Sample.commit(write))
      deepStrictEqual(yield* on(one)(Sample.append(Sample.write(stream, 2, Sample.events(1)))), {
        _tag: "Conflict",
        write: 0,
        actual: 3
      })
      strictEqual((yield* on(one)(Sample.append({ ...write, expected: 3 })))._tag, "Duplicate")
    }))

  it.effect("I8: number the log without holes between them", () =>
    Effect.gen(function*() {
      const { one, two } = yield* pair
      yield* Effect.forEach([one, two, one, two], (events) =>
        Effect.gen(function*() {
          for (const count of counted(20)) {
            yield* Sample.filled(1 + count % 3)
            yield* Effect.yieldNow
          }
        }).pipe(on(events)), { concurrency: "unbounded" })
      const log = yield* on(one)(Sample.wholeLog(0n))
      deepStrictEqual(log.map(({ position }) => Number(position)), counted(log.length))
      deepStrictEqual(yield* on(two)(Sample.wholeLog(0n)), log)
      strictEqual(yield* two.audit(0n), BigInt(log.length))
    }))

  it.effect("go on along the same time, whichever clock is ahead", () =>
    Effect.gen(function*() {
      const { one, two } = yield* pair
      yield* TestClock.setTime(5_000)
      yield* on(one)(Sample.filled(1))
      yield* TestClock.setTime(3_000)
      yield* on(two)(Sample.filled(1))
      const times = (yield* on(two)(Sample.wholeLog(2n))).map(({ recordedAtMillis }) => recordedAtMillis)
      deepStrictEqual(times, [5_000, 5_000])
      assert.isAtLeast((yield* two.readStream(Sample.stream())).readAtMillis, 5_000)
    }))

  it.effect("follow each other: 20 milliseconds after a commit, and without looking at the log until then", () =>
    Effect.gen(function*() {
      const { one, two } = yield* pair
      const pages: Array<LogPage> = []
      const followed = two.follow({ after: 0n }).pipe(Stream.runForEach((page) => Effect.sync(() => pages.push(page))))
      yield* Effect.forkScoped(followed, { startImmediately: true })
      yield* TestClock.adjust("1 second")
      deepStrictEqual(pages.map(({ position }) => position), [2n])
      yield* on(one)(Sample.filled(3))
      yield* TestClock.adjust("20 millis")
      deepStrictEqual(pages.map(({ position }) => position), [2n, 5n])
    }))

  it.live("follow each other in real time", () =>
    Effect.gen(function*() {
      const { one, two } = yield* pair
      const seen = yield* Deferred.make<LogPage>()
      const followed = two.follow({ after: 2n }).pipe(Stream.runForEach((page) => Deferred.succeed(seen, page)))
      yield* Effect.forkScoped(followed, { startImmediately: true })
      yield* on(one)(Sample.filled(3))
      const page = yield* Effect.timeout(Deferred.await(seen), "10 seconds")
      deepStrictEqual(page.events.map(({ position }) => position), [3n, 4n, 5n])
    }))
})

describe("several processes on one file", () => {
  it.live("I3: decide on no version twice, and number the log without holes", () =>
    Effect.gen(function*() {
      const [filename, stream] = [yield* freshFile, Sample.stream()]
      const writers = yield* Effect.forEach(counted(3), () => startProcess("writer.ts", filename, stream.id, "40"))
      const codes = yield* Effect.forEach(writers, ({ child }) => ended(child), { concurrency: "unbounded" })
      deepStrictEqual(codes, [0, 0, 0])
      const { events } = yield* open({ filename })
      const found = yield* on(events)(Sample.wholeStream(stream))
      deepStrictEqual(found.map(({ version }) => version), counted(120))
      deepStrictEqual(found.map(({ position }) => Number(position)), counted(120))
      deepStrictEqual(found.map(({ data }) => JSON.parse(data).decidedOn), counted(120).map((version) => version - 1))
      deepStrictEqual(writers.flatMap(({ told }) => told).toSorted((a, b) => a - b), counted(120))
    }), 60_000)

  it.live("I6: lose nothing that was answered when one of them is killed", () =>
    Effect.gen(function*() {
      const [filename, stream] = [yield* freshFile, Sample.stream()]
      const { child, told } = yield* startProcess("writer.ts", filename, stream.id, "1000000")
      const { events } = yield* open({ filename })
      const followed = events.follow({ after: 0n }).pipe(Stream.takeUntil(({ head }) => head >= 100n), Stream.runDrain)
      yield* Effect.timeout(followed, "30 seconds")
      child.kill("SIGKILL")
      yield* ended(child)
      const found = yield* on(events)(Sample.wholeStream(stream))
      deepStrictEqual(found.map(({ version }) => version), counted(found.length))
      assert.isAtLeast(found.length, told.at(-1)!)
      yield* on(events)(Sample.commit(Sample.write(stream, found.length, Sample.events(1))))
      strictEqual(yield* events.audit(0n), BigInt(found.length + 1))
    }), 60_000)
})

/** A store on a file whose tables an application has tampered with. */
const tampered = Effect.fnUntraced(function*(...statements: ReadonlyArray<string>) {
  const { events, sql } = yield* open({ filename: yield* freshFile })
  const stream = yield* on(events)(Sample.filled(1))
  for (const statement of statements) yield* sql.unsafe(statement)
  return { events, sql, stream }
})

const abort = (table: string, how: string) =>
  `CREATE TRIGGER spoil BEFORE INSERT ON ${table} BEGIN SELECT RAISE(${how}, 'INSERT INTO secrets'); END`

describe("an append that fails", () => {
  it.effect("I1: on its way leaves neither events nor receipts, of none of the group", () =>
    Effect.gen(function*() {
      for (const how of ["ABORT", "FAIL", "ROLLBACK"]) {
        const { events, sql, stream } = yield* tampered(abort("varve_receipts", how))
        const fresh = Sample.stream()
        const group = events.append([
          [Sample.write(fresh, 0, Sample.events(2))],
          [Sample.write(stream, 1, Sample.events(2), [Sample.receipt("c", { events: 2, through: 2 })])]
        ])
        const error = yield* Effect.flip(group)
        strictEqual(error._tag, "StoreUnavailable")
        assert.notMatch(error.message, /INSERT|secrets|varve_/)
        strictEqual(yield* events.head, 1n)
        deepStrictEqual([(yield* events.readStream(fresh)).version, (yield* events.readStream(stream)).version], [0, 1])
        strictEqual(yield* events.receipt(stream, "c"), undefined)
        yield* sql`DROP TRIGGER spoil`
        deepStrictEqual((yield* group).map(({ _tag }) => _tag), ["Committed", "Committed"])
        strictEqual(yield* events.head, 5n)
      }
    }))

  it.effect("I1: for want of room leaves nothing, and is written once there is room", () =>
    Effect.gen(function*() {
      const { events, sql, stream } = yield* tampered()
      const [pages] = yield* sql<{ readonly count: number }>`SELECT page_count AS count FROM pragma_page_count`
      yield* sql.unsafe(`PRAGMA max_page_count = ${pages!.count + 20}`)
      const append = on(events)(Sample.append(Sample.write(stream, 1, [
        ...Sample.events(3),
        Sample.event({ data: "x".repeat(200_000) })
      ])))
      const error = yield* Effect.flip(append)
      deepStrictEqual([error._tag, error.detail], ["StoreUnavailable", "the disk is full"])
      strictEqual(yield* events.head, 1n)
      yield* sql`PRAGMA max_page_count = 1000000`
      strictEqual((yield* append)._tag, "Committed")
      deepStrictEqual((yield* events.readStream(stream)).version, 5)
    }))

  it.effect("I7: before its commit has begun is not written, for certain", () =>
    Effect.gen(function*() {
      const { events, sql, stream } = yield* tampered(
        "CREATE TABLE parents (id INTEGER PRIMARY KEY)",
        "CREATE TABLE children (id INTEGER REFERENCES parents (id) DEFERRABLE INITIALLY DEFERRED)",
        "CREATE TRIGGER spoil AFTER INSERT ON varve_events BEGIN INSERT INTO children VALUES (1); END"
      )
      const append = on(events)(Sample.append(Sample.write(stream, 1, Sample.events(2))))
      const error = yield* Effect.flip(append)
      strictEqual(error._tag, "StoreUnavailable")
      assert.notMatch(error.message, /FOREIGN|children|varve_/)
      strictEqual(yield* events.head, 1n)
      yield* sql`INSERT INTO parents VALUES (1)`
      strictEqual((yield* append)._tag, "Committed")
      strictEqual(yield* events.head, 3n)
    }))

  it.live("I7: because the file may not grow is not written, for certain, and says so", () =>
    Effect.gen(function*() {
      const filename = yield* freshFile
      const script = join(import.meta.dirname, "fullDisk.ts")
      const limited = ["-c", "ulimit -f 1000 && exec \"$0\" \"$@\"", process.execPath, script, filename]
      const { status, stderr, stdout } = spawnSync("sh", limited, { encoding: "utf8" })
      deepStrictEqual([status, stderr], [0, ""])
      const { acknowledged, failed, head } = JSON.parse(stdout)
      assert.isAbove(acknowledged, 0)
      strictEqual(head, acknowledged)
      deepStrictEqual(failed, {
        _tag: "StoreUnavailable",
        message: "The store is unavailable (append): the disk failed"
      })
      const { events } = yield* open({ filename })
      strictEqual(yield* events.head, BigInt(acknowledged))
      strictEqual(yield* events.audit(0n), BigInt(acknowledged))
    }), 60_000)

  for (const [code, name] of [[13, "SQLITE_FULL"], [778, "SQLITE_IOERR_WRITE"]] as const) {
    it.effect(`I7: for ${name} in its commit is not written, for certain`, () =>
      Effect.gen(function*() {
        const { events, stream } = yield* tampered()
        yield* failingCommit(code, "ROLLBACK")
        const error = yield* Effect.flip(on(events)(Sample.append(Sample.write(stream, 1, Sample.events(2)))))
        strictEqual(error._tag, "StoreUnavailable")
      }))
  }

  for (const outcome of ["ROLLBACK", "COMMIT"]) {
    it.effect(`I7: in an fsync is lost, be it a ${outcome}: nobody knows, and the same append settles it`, () =>
      Effect.gen(function*() {
        const { events, stream } = yield* tampered()
        const append = on(events)(Sample.append(Sample.write(stream, 1, Sample.events(2))))
        const error = yield* failingCommit(1034, outcome).pipe(Effect.andThen(Effect.flip(append)), Effect.scoped)
        strictEqual(error._tag, "AppendLost")
        strictEqual(error.detail, "the disk failed")
        const first = yield* append
        strictEqual(first._tag, "Committed")
        deepStrictEqual(yield* append, first)
        strictEqual(yield* events.head, 3n)
      }))
  }
})

describe("a transaction of the application on the same client", () => {
  const withTable = Effect.gen(function*() {
    const { events, sql } = yield* open({ filename: yield* freshFile })
    yield* sql`CREATE TABLE notes (text TEXT)`
    return { events, sql, notes: sql`SELECT text FROM notes`.values }
  })

  it.effect("makes appends and reads wait until it ends, and has its own outcome", () =>
    Effect.gen(function*() {
      for (const outcome of [Effect.void, Effect.fail("no")]) {
        const { events, notes, sql } = yield* withTable
        const [begun, ends] = [yield* Latch.make(), yield* Latch.make()]
        const transaction = sql`INSERT INTO notes VALUES ('a')`.pipe(
          Effect.andThen(begun.open),
          Effect.andThen(ends.await),
          Effect.andThen(outcome),
          sql.withTransaction
        )
        const application = yield* Effect.forkChild(Effect.exit(transaction), { startImmediately: true })
        yield* begun.await
        const writer = yield* Effect.forkChild(on(events)(Sample.filled(2)), { startImmediately: true })
        const reader = yield* Effect.forkChild(events.head, { startImmediately: true })
        yield* TestClock.adjust("1 second")
        deepStrictEqual([writer.pollUnsafe(), reader.pollUnsafe()], [undefined, undefined])
        yield* ends.open
        const isKept = Exit.isSuccess(yield* Fiber.join(application))
        strictEqual((yield* events.readStream(yield* Fiber.join(writer))).version, 2)
        deepStrictEqual(yield* notes, isKept ? [["a"]] : [])
        strictEqual(yield* Fiber.join(reader), 2n)
      }
    }))

  it.effect("may read the log, and cannot append to it: that would wait for its own end", () =>
    Effect.gen(function*() {
      const { events, notes, sql } = yield* withTable
      const note = sql`INSERT INTO notes VALUES ('a')`
      const error = yield* Effect.flip(sql.withTransaction(Effect.andThen(note, on(events)(Sample.filled(1)))))
      strictEqual(error._tag, "StoreUnavailable")
      assert.match(error.message, /from inside a transaction/)
      deepStrictEqual(yield* notes, [])
      yield* on(events)(Sample.filled(1))
      const { events: read } = yield* sql.withTransaction(Effect.andThen(note, events.readAll({ after: 0n })))
      deepStrictEqual([read.length, yield* sql.withTransaction(events.head)], [1, 1n])
      deepStrictEqual(yield* notes, [["a"]])
    }))

  it.effect("holds nobody up for longer than 5 seconds, also where another fiber asks for it", () =>
    Effect.gen(function*() {
      const { events, sql } = yield* withTable
      // As a command does: the store is used by a fiber that knows nothing of the transaction that waits for it.
      const asking = on(events)(Sample.filled(2)).pipe(
        Effect.updateContext((context: Context.Context<never>) => Context.omit(sql.transactionService)(context)),
        Effect.forkChild,
        Effect.flatMap(Fiber.join)
      )
      const application = yield* Effect.forkChild(sql.withTransaction(asking), { startImmediately: true })
      yield* TestClock.adjust("4999 millis")
      strictEqual(application.pollUnsafe(), undefined)
      yield* TestClock.adjust("1 milli")
      const exit = yield* Fiber.await(application)
      assert.match(String(exit), /the application held its SqlClient/)
      strictEqual(yield* events.head, 0n)
    }))
})

const gapAfter = (events: EventStore["Service"], position: bigint) =>
  Effect.map(Effect.flip(events.audit(position)), (error) => error._tag === "LogGap" && [error.after, error.found])

describe("a damaged log", () => {
  const damaged = Effect.gen(function*() {
    const { events, sql } = yield* tampered()
    yield* on(events)(Sample.filled(9))
    yield* sql`DELETE FROM varve_events WHERE position = 4`
    return events
  })

  it.effect("is a LogGap to everybody who reads across the hole, and to nobody else", () =>
    Effect.gen(function*() {
      const events = yield* damaged
      const gap = { _tag: "LogGap", after: 3n, found: 5n } as const
      for (const after of [0n, 2n, 3n]) {
        const error = yield* Effect.flip(events.readAll({ after }))
        assert.deepInclude(error, gap)
      }
      assert.deepInclude(yield* Effect.flip(Stream.runDrain(events.follow({ after: 0n }))), gap)
      strictEqual((yield* events.readAll({ after: 0n, limit: 3 })).events.length, 3)
      strictEqual((yield* events.readAll({ after: 4n })).events.length, 6)
    }))

  it.effect("is found by an audit, 100,000 positions at a time", () =>
    Effect.gen(function*() {
      const { events, sql } = yield* tampered()
      yield* sql`WITH RECURSIVE n (i) AS (SELECT 2 UNION ALL SELECT i + 1 FROM n WHERE i < 100500)
        INSERT INTO varve_events SELECT i, 't', 'c', 's', i, 'T', 1, '', 0, '', '' FROM n`
      deepStrictEqual([yield* events.audit(0n), yield* events.audit(499n)], [100_000n, 100_499n])
      yield* sql`DELETE FROM varve_events WHERE position = 100200`
      strictEqual(yield* events.audit(100n), 100_100n)
      deepStrictEqual(yield* gapAfter(events, 100_100n), [100_199n, 100_201n])
      yield* sql`DELETE FROM varve_events WHERE position > 500 AND position <= 90000`
      deepStrictEqual(yield* gapAfter(events, 0n), [500n, 90_001n])
      deepStrictEqual(yield* gapAfter(events, 89_999n), [89_999n, 90_001n])
      deepStrictEqual(yield* gapAfter(events, 90_000n), [100_199n, 100_201n])
    }))

  it.effect("is found by an audit, which names the first hole and goes on behind it", () =>
    Effect.gen(function*() {
      const events = yield* damaged
      for (const after of [0n, 2n, 3n]) deepStrictEqual(yield* gapAfter(events, after), [3n, 5n])
      strictEqual(yield* events.audit(4n), 10n)
    }))

  it.effect("does not stop who reads with a filter, for whom a hole looks like any other event", () =>
    Effect.gen(function*() {
      const page = yield* (yield* damaged).readAll({ after: 0n, filter: { types: ["Happened"] } })
      deepStrictEqual([page.events.length, page.position], [9, 10n])
    }))
})
