/**
 * The `SqlClient` of a file, as applications use it for their own tables.
 */
import { assert, describe, it } from "@effect/vitest"
import { deepStrictEqual, strictEqual } from "@effect/vitest/utils"
import { Effect, Exit, Fiber, Latch, Stream } from "effect"
import { SqlClient } from "effect/sql"
import { TestClock } from "effect/testing"
import { freshFile, open, stranger } from "./file.ts"

/** A client with a table of its own. */
const notes = Effect.gen(function*() {
  const filename = yield* freshFile
  const { sql } = yield* open({ filename })
  yield* sql`CREATE TABLE notes (id INTEGER PRIMARY KEY, text TEXT UNIQUE)`
  const add = (text: string) => sql`INSERT INTO notes (text) VALUES (${text})`
  const texts = Effect.map(sql`SELECT text FROM notes ORDER BY id`.values, (rows) => rows.flat())
  return { filename, sql, add, texts }
})

const fill = (sql: SqlClient.SqlClient, count: number) =>
  sql`WITH RECURSIVE n (i) AS (SELECT 1 UNION ALL SELECT i + 1 FROM n WHERE i < ${count})
    INSERT INTO notes (text) SELECT 'note ' || i FROM n`

describe("the SqlClient of a SQLite file", () => {
  it.effect("keeps a transaction as a whole or not at all", () =>
    Effect.gen(function*() {
      const { add, sql, texts } = yield* notes
      yield* sql.withTransaction(Effect.andThen(add("a"), add("b")))
      const failed = yield* Effect.flip(sql.withTransaction(Effect.andThen(add("c"), Effect.fail("no"))))
      strictEqual(failed, "no")
      const died = yield* Effect.exit(sql.withTransaction(Effect.andThen(add("d"), Effect.die("defect"))))
      assert.isTrue(Exit.hasDies(died))
      deepStrictEqual(yield* texts, ["a", "b"])
    }))

  it.effect("rolls a transaction back that is interrupted, and goes on", () =>
    Effect.gen(function*() {
      const { add, sql, texts } = yield* notes
      const begun = yield* Latch.make()
      const transaction = add("a").pipe(Effect.andThen(begun.open), Effect.andThen(Effect.never), sql.withTransaction)
      const fiber = yield* Effect.forkChild(transaction, { startImmediately: true })
      yield* begun.await
      yield* Fiber.interrupt(fiber)
      yield* add("b")
      deepStrictEqual(yield* texts, ["b"])
    }))

  it.effect("rolls back to where an inner transaction began", () =>
    Effect.gen(function*() {
      const { add, sql, texts } = yield* notes
      const inner = Effect.ignore(sql.withTransaction(Effect.andThen(add("inner"), Effect.fail("no"))))
      yield* sql.withTransaction(add("before").pipe(Effect.andThen(inner), Effect.andThen(add("after"))))
      deepStrictEqual(yield* texts, ["before", "after"])
    }))

  it.effect("goes on after a commit that failed", () =>
    Effect.gen(function*() {
      const { add, sql, texts } = yield* notes
      yield* sql`CREATE TABLE links (id INTEGER REFERENCES notes (id) DEFERRABLE INITIALLY DEFERRED)`
      const failed = yield* Effect.flip(
        sql.withTransaction(Effect.andThen(add("a"), sql`INSERT INTO links VALUES (9)`))
      )
      strictEqual(failed.reason._tag, "ConstraintError")
      yield* sql.withTransaction(add("b"))
      deepStrictEqual(yield* texts, ["b"])
    }))

  it.effect("lets fibers take turns, so that what one reads in a transaction nobody else changes", () =>
    Effect.gen(function*() {
      const { add, sql, texts } = yield* notes
      yield* add("0")
      const increment = Effect.gen(function*() {
        const [row] = yield* sql<{ readonly text: string }>`SELECT text FROM notes`
        yield* Effect.yieldNow
        yield* sql`UPDATE notes SET text = ${`${Number(row!.text) + 1}`}`
      }).pipe(sql.withTransaction)
      yield* Effect.replicateEffect(increment, 20, { concurrency: "unbounded" })
      deepStrictEqual(yield* texts, ["20"])
    }))

  it.effect("names what is wrong by its kind, also in a stream", () =>
    Effect.gen(function*() {
      const { add, sql } = yield* notes
      yield* add("a")
      const { reason } = yield* Effect.flip(add("a"))
      strictEqual(reason._tag, "UniqueViolation")
      if (reason._tag === "UniqueViolation") assert.include(reason.constraint, "notes.text")
      strictEqual((yield* Effect.flip(sql`INSERT INTO notes (id) VALUES ('x')`))._tag, "SqlError")
      strictEqual((yield* Effect.flip(sql`SELEC 1`))._tag, "SqlError")
      strictEqual((yield* Effect.flip(Stream.runDrain(sql`SELEC 1`.stream)))._tag, "SqlError")
      strictEqual((yield* Effect.flip(sql`SELECT ${{}}`))._tag, "SqlError")
      strictEqual((yield* Effect.flip(Stream.runDrain(sql`SELECT abs(-9223372036854775808)`.stream)))._tag, "SqlError")
    }))

  it.effect("streams rows as far as they are asked for", () =>
    Effect.gen(function*() {
      const { sql } = yield* notes
      yield* fill(sql, 1_000)
      const rows = sql<{ readonly id: number }>`SELECT id FROM notes ORDER BY id`.stream
      const ids = yield* Stream.runCollect(Stream.map(rows, ({ id }) => id))
      deepStrictEqual(ids, Array.from({ length: 1_000 }, (_, index) => index + 1))
      const evens = sql`SELECT id FROM notes WHERE id % 2 = 0 AND id < ${7}`.stream
      deepStrictEqual((yield* Stream.runCollect(evens)).map((row) => ({ ...row })), [{ id: 2 }, { id: 4 }, { id: 6 }])
      strictEqual((yield* Stream.runCollect(sql`SELECT id FROM notes WHERE id > 1000`.stream)).length, 0)
    }))

  it.effect("closes a stream whose reader leaves early, and writes on top of what others have written since", () =>
    Effect.gen(function*() {
      const { add, filename, sql } = yield* notes
      yield* fill(sql, 1_000)
      const other = yield* stranger(filename)
      const some = yield* Stream.runCollect(Stream.take(sql`SELECT id FROM notes`.stream, 3))
      strictEqual(some.length, 3)
      other.exec("INSERT INTO notes (text) VALUES ('theirs')")
      yield* sql.withTransaction(add("ours"))
      deepStrictEqual(yield* sql`SELECT text FROM notes WHERE id > 1000 ORDER BY id`.values, [["theirs"], ["ours"]])
    }))

  it.effect("reads large integers exactly where it is asked to, and never rounds them", () =>
    Effect.gen(function*() {
      const { sql } = yield* notes
      const large = sql<{ readonly n: bigint }>`SELECT 9007199254740993 AS n`
      strictEqual((yield* Effect.flip(large))._tag, "SqlError")
      const exact = Effect.provideService(SqlClient.SafeIntegers, true)
      strictEqual((yield* exact(large))[0]!.n, 9007199254740993n)
      strictEqual((yield* exact(Stream.runCollect(large.stream)))[0]!.n, 9007199254740993n)
      strictEqual((yield* sql<{ readonly n: number }>`SELECT 9007199254740991 AS n`)[0]!.n, 9007199254740991)
    }))

  it.effect("takes what JavaScript has for values", () =>
    Effect.gen(function*() {
      const { sql } = yield* notes
      const bytes = new Uint8Array([0, 255])
      const date = new Date("2026-01-02T03:04:05.678Z")
      const values = sql`SELECT ${true}, ${false}, ${null}, ${date}, ${bytes}, ${12n}, ${1.5}, ${"é😀"}`.values
      deepStrictEqual(yield* values, [[1, 0, null, "2026-01-02T03:04:05.678Z", bytes, 12, 1.5, "é😀"]])
    }))

  it.effect("gives rows for what returns rows, and counts for what does not", () =>
    Effect.gen(function*() {
      const { sql } = yield* notes
      const [row] = yield* sql<{ readonly id: number }>`INSERT INTO notes (text) VALUES ('a') RETURNING id`
      strictEqual(row!.id, 1)
      deepStrictEqual(yield* sql`UPDATE notes SET text = 'b'`, [])
      const [changes] = (yield* sql`UPDATE notes SET text = 'c'`.raw) as ReadonlyArray<{ readonly changes: number }>
      strictEqual(changes!.changes, 1)
    }))

  it.effect("prepares more different statements than it keeps", () =>
    Effect.gen(function*() {
      const { sql } = yield* notes
      for (let round = 0; round < 2; round++) {
        for (let n = 0; n < 300; n++) deepStrictEqual(yield* sql.unsafe(`SELECT ${n} AS n`).values, [[n]])
      }
    }))

  it.effect("waits for a file that another one has locked, outside of transactions and at their beginning", () =>
    Effect.gen(function*() {
      const { add, filename, sql, texts } = yield* notes
      const other = yield* stranger(filename)
      for (const [text, write] of [["a", add("a")], ["b", sql.withTransaction(add("b"))]] as const) {
        other.exec("BEGIN IMMEDIATE")
        const writer = yield* Effect.forkChild(write, { startImmediately: true })
        yield* TestClock.adjust("4 seconds")
        strictEqual(writer.pollUnsafe(), undefined)
        other.exec("COMMIT")
        yield* TestClock.adjust("50 millis")
        yield* Fiber.join(writer)
        strictEqual((yield* texts).at(-1), text)
      }
      other.exec("BEGIN IMMEDIATE")
      const writer = yield* Effect.forkChild(Effect.flip(add("c")), { startImmediately: true })
      yield* TestClock.adjust("6 seconds")
      strictEqual((yield* Fiber.join(writer)).reason._tag, "LockTimeoutError")
      deepStrictEqual(yield* texts, ["a", "b"])
    }))
})
