/**
 * The stores on SQLite keep the promises of every store, in a file that can be closed, opened again and shared.
 */
import { assert, describe, it } from "@effect/vitest"
import { deepStrictEqual, strictEqual } from "@effect/vitest/utils"
import { Effect, Exit, Fiber } from "effect"
import { TestClock } from "effect/testing"
import { spawnSync } from "node:child_process"
import { mkdirSync, writeFileSync } from "node:fs"
import { dirname, join } from "node:path"
import { EventStore, type StoreUnavailable } from "../../src/EventStore.ts"
import type * as Sqlite from "../../src/sqlite/Sqlite.ts"
import * as CheckpointStoreSuite from "../../src/testing/CheckpointStoreSuite.ts"
import * as DeadLettersSuite from "../../src/testing/DeadLettersSuite.ts"
import * as EventStoreSuite from "../../src/testing/EventStoreSuite.ts"
import * as InlineViewsSuite from "../../src/testing/InlineViewsSuite.ts"
import * as LeaseSuite from "../../src/testing/LeaseSuite.ts"
import * as SnapshotStoreSuite from "../../src/testing/SnapshotStoreSuite.ts"
import * as Sample from "../../src/testing/suites/Sample.ts"
import { snapshot } from "../../src/testing/suites/Snapshots.ts"
import * as ViewStoreSuite from "../../src/testing/ViewStoreSuite.ts"
import { freshFile, layerFresh, open, stranger } from "./file.ts"

EventStoreSuite.suite("SQLite", layerFresh)
SnapshotStoreSuite.suite("SQLite", layerFresh)
CheckpointStoreSuite.suite("SQLite", layerFresh)
ViewStoreSuite.suite("SQLite", layerFresh)
DeadLettersSuite.suite("SQLite", layerFresh)
LeaseSuite.suite("SQLite", layerFresh)
InlineViewsSuite.suite("SQLite", layerFresh)

/** Why a file cannot be opened, after as much virtual time as it takes; told in plain words. */
const refusal = Effect.fnUntraced(function*(options: Sqlite.Options) {
  const opening = yield* Effect.forkChild(Effect.flip(Effect.scoped(open(options))), { startImmediately: true })
  yield* TestClock.adjust("6 seconds")
  const error: StoreUnavailable = yield* Fiber.join(opening)
  strictEqual(error._tag, "StoreUnavailable")
  assert.notMatch(error.message, /SELECT|INSERT|CREATE|PRAGMA|BEGIN|COMMIT|SQLITE_|\n|\bat .*:\d+/)
  return error.detail
})

describe("a SQLite file", () => {
  it.effect("I6: is written with a write-ahead log and synced at each commit", () =>
    Effect.gen(function*() {
      for (const exclusive of [false, true]) {
        const { sql } = yield* open({ filename: yield* freshFile, exclusive })
        deepStrictEqual((yield* sql`PRAGMA synchronous`.values)[0], [2])
        deepStrictEqual((yield* sql`PRAGMA journal_mode`.values)[0], ["wal"])
        deepStrictEqual((yield* sql`PRAGMA busy_timeout`.values)[0], [0])
      }
    }))

  it.effect("begins as an empty log", () =>
    Effect.gen(function*() {
      const { events } = yield* open({ filename: yield* freshFile })
      strictEqual(yield* events.head, 0n)
      deepStrictEqual(yield* events.readAll({ after: 0n }), { events: [], position: 0n, head: 0n })
      strictEqual(yield* events.audit(0n), 0n)
      deepStrictEqual(yield* events.streams({ category: "suite" }), [])
    }))

  it.effect("keeps everything when it is closed and opened again", () =>
    Effect.gen(function*() {
      const [filename, stream] = [yield* freshFile, Sample.stream()]
      const receipt = Sample.receipt("c", { events: 3, through: 3 })
      const append = Sample.append(Sample.write(stream, 0, Sample.events(3), [receipt]))
      const session = Effect.scoped(Effect.gen(function*() {
        const { events, snapshots } = yield* open({ filename })
        const status = yield* Effect.provideService(append, EventStore, events)
        const isKept = yield* snapshots.save(stream, snapshot(2))
        const found = yield* Effect.all([
          events.readAll({ after: 0n }),
          events.receipt(stream, "c"),
          events.streams({ category: "suite" }),
          Effect.map(snapshots.load(stream), ({ snapshot }) => snapshot)
        ])
        return { status: status._tag, isKept, storeId: events.storeId, found }
      }))
      const first = yield* session
      yield* TestClock.adjust("1 day")
      deepStrictEqual(yield* session, { ...first, status: "Committed", isKept: false })
      strictEqual(first.found[0].events.length, 3)
      strictEqual(first.found[3]?.version, 2)
    }))

  it.effect("goes on in time where it was, even if the clock is behind when it is opened again", () =>
    Effect.gen(function*() {
      const filename = yield* freshFile
      const session = Effect.scoped(Effect.gen(function*() {
        const { events } = yield* open({ filename })
        yield* Effect.provideService(Sample.filled(1), EventStore, events)
        return (yield* events.readAll({ after: 0n })).events.at(-1)!.recordedAtMillis
      }))
      yield* TestClock.setTime(1_000_000)
      strictEqual(yield* session, 1_000_000)
      yield* TestClock.setTime(999_000)
      strictEqual(yield* session, 1_000_000)
      yield* TestClock.setTime(1_000_001.9)
      strictEqual(yield* session, 1_000_001)
    }))

  it.effect("has an id that stays, and that no other file has", () =>
    Effect.gen(function*() {
      const [one, two] = [yield* freshFile, yield* freshFile]
      const idOf = (filename: string) => Effect.scoped(Effect.map(open({ filename }), ({ events }) => events.storeId))
      strictEqual(yield* idOf(one), yield* idOf(one))
      assert.notStrictEqual(yield* idOf(one), yield* idOf(two))
    }))

  it.effect("that cannot be opened says why in plain words", () =>
    Effect.gen(function*() {
      const folder = dirname(yield* freshFile)
      mkdirSync(join(folder, "folder"))
      writeFileSync(join(folder, "text"), "This is no database, but a text about one. ".repeat(50))
      assert.match(yield* refusal({ filename: join(folder, "nowhere", "log.sqlite") }), /folder must exist/)
      assert.match(yield* refusal({ filename: join(folder, "folder") }), /cannot be opened/)
      assert.match(yield* refusal({ filename: join(folder, "text") }), /not a SQLite database/)
      assert.match(yield* refusal({ filename: ":memory:" }), /names no file/)
      assert.match(yield* refusal({ filename: "" }), /names no file/)
      assert.match(yield* refusal({ filename: join(folder, "a\0b") }), /null bytes/)
    }))

  it.effect("that is read-only is read, and says so to who would write", () =>
    Effect.gen(function*() {
      const filename = yield* freshFile
      // Root may write to every file, whatever its mode is, so the engine is told instead.
      const readOnly = `file:${filename}?mode=ro`
      assert.match(yield* refusal({ filename: readOnly }), /cannot be opened/)
      yield* Effect.scoped(
        Effect.flatMap(open({ filename }), ({ events }) => Effect.provideService(Sample.filled(2), EventStore, events))
      )
      const { events } = yield* open({ filename: readOnly })
      strictEqual((yield* events.readAll({ after: 0n })).events.length, 2)
      const error = yield* Effect.flip(Effect.provideService(Sample.filled(1), EventStore, events))
      deepStrictEqual([error._tag, error.detail], ["StoreUnavailable", "the file is read-only"])
      strictEqual(yield* events.head, 2n)
    }))
})

describe("an exclusive SQLite file", () => {
  it.effect("lets nobody else in until it is closed", () =>
    Effect.gen(function*() {
      const filename = yield* freshFile
      yield* Effect.scoped(Effect.gen(function*() {
        const { events } = yield* open({ filename, exclusive: true })
        assert.match(yield* refusal({ filename }), /another process/)
        assert.match(yield* refusal({ filename, exclusive: true }), /another process/)
        const read =
          `new (require("node:sqlite").DatabaseSync)(process.argv[1]).prepare("SELECT * FROM varve_events").all()`
        const { status, stderr } = spawnSync(process.execPath, ["-e", read, filename], { encoding: "utf8" })
        strictEqual(status, 1)
        assert.match(stderr, /database is locked/)
        yield* Effect.provideService(Sample.filled(1), EventStore, events)
      }))
      const { events } = yield* open({ filename })
      strictEqual(yield* events.head, 1n)
    }))

  it.effect("is not to be had while somebody else has it open, who goes on", () =>
    Effect.gen(function*() {
      const filename = yield* freshFile
      const { events } = yield* open({ filename })
      assert.match(yield* refusal({ filename, exclusive: true }), /another process/)
      yield* Effect.provideService(Sample.filled(1), EventStore, events)
    }))

  it.effect("knows the versions of streams at once, but not during a transaction of the application", () =>
    Effect.gen(function*() {
      const { events, sql } = yield* open({ filename: yield* freshFile, exclusive: true })
      const stream = yield* Effect.provideService(Sample.filled(3), EventStore, events)
      const versionNow = events.versionNow!
      deepStrictEqual([versionNow(stream), versionNow(Sample.stream())], [3, 0])
      yield* sql.withTransaction(Effect.sync(() => strictEqual(versionNow(stream), undefined)))
      strictEqual(versionNow(stream), 3)
    }))

  it.effect("is the only one that does: others may have written meanwhile", () =>
    Effect.gen(function*() {
      const { events } = yield* open({ filename: yield* freshFile })
      strictEqual(events.versionNow, undefined)
    }))
})

describe("a locked SQLite file", () => {
  const locked = Effect.gen(function*() {
    const filename = yield* freshFile
    const { events } = yield* open({ filename })
    const other = yield* stranger(filename)
    other.exec("BEGIN IMMEDIATE")
    const writing = Effect.provideService(Sample.filled(1), EventStore, events)
    return { events, other, writer: yield* Effect.forkChild(Effect.exit(writing), { startImmediately: true }) }
  })

  it.effect("makes a writer wait until it is free", () =>
    Effect.gen(function*() {
      const { events, other, writer } = yield* locked
      yield* TestClock.adjust("4 seconds")
      strictEqual(writer.pollUnsafe(), undefined)
      strictEqual(yield* events.head, 0n)
      other.exec("COMMIT")
      yield* TestClock.adjust("50 millis")
      assert.isTrue(Exit.isSuccess(yield* Fiber.join(writer)))
      strictEqual(yield* events.head, 1n)
    }))

  it.effect("is unavailable after 5 seconds, and nothing is written", () =>
    Effect.gen(function*() {
      const { events, other, writer } = yield* locked
      yield* TestClock.adjust("6 seconds")
      const error = yield* Effect.flip(yield* Fiber.join(writer))
      strictEqual(error._tag, "StoreUnavailable")
      assert.match(error.message, /another process is writing/)
      other.exec("COMMIT")
      yield* TestClock.adjust("1 minute")
      strictEqual(yield* events.head, 0n)
      yield* Effect.provideService(Sample.filled(1), EventStore, events)
    }))

  it.effect("is read all the while, and checks are answered", () =>
    Effect.gen(function*() {
      const { events } = yield* locked
      strictEqual((yield* events.readStream(Sample.stream())).version, 0)
      deepStrictEqual(yield* events.append([[Sample.write(Sample.stream(), 3)]]), [
        { _tag: "Conflict", write: 0, actual: 0 }
      ])
    }))

  it.effect("is left alone by a writer who stops waiting", () =>
    Effect.gen(function*() {
      const { events, other, writer } = yield* locked
      yield* TestClock.adjust("1 second")
      yield* Fiber.interrupt(writer)
      other.exec("COMMIT")
      yield* TestClock.adjust("1 minute")
      strictEqual(yield* events.head, 0n)
    }))
})
