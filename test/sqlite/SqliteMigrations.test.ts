/**
 * Tables are made once, also when several start at the same time, and a file of a newer build is left alone.
 */
import { assert, describe, it } from "@effect/vitest"
import { deepStrictEqual, strictEqual } from "@effect/vitest/utils"
import { Effect } from "effect"
import { EventStore } from "../../src/EventStore.ts"
import * as Sample from "../../src/testing/suites/Sample.ts"
import { freshFile, open, stranger } from "./file.ts"

describe("the tables of the stores", () => {
  it.effect("are made once, also when many open a new file at the same time", () =>
    Effect.gen(function*() {
      const filename = yield* freshFile
      const opened = yield* Effect.all(Array.from({ length: 5 }, () => open({ filename })), {
        concurrency: "unbounded"
      })
      strictEqual(new Set(opened.map(({ events }) => events.storeId)).size, 1)
      for (const { events } of opened) yield* Effect.provideService(Sample.filled(1), EventStore, events)
      strictEqual(yield* opened[0]!.events.head, 5n)
      deepStrictEqual(yield* opened[0]!.sql`SELECT count(*) FROM varve_store`.values, [[1]])
    }))

  it.effect("all begin with varve_, and leave the rest of the file to the application", () =>
    Effect.gen(function*() {
      const { sql } = yield* open({ filename: yield* freshFile })
      const tables = yield* sql<{ readonly name: string }>`SELECT name FROM sqlite_schema WHERE type = 'table'`
      deepStrictEqual(tables.map(({ name }) => name).filter((name) => !name.startsWith("varve_")), [])
      yield* sql`CREATE TABLE events (id INTEGER)`
    }))

  it.effect("of a newer build are refused, in words that say what to do, and are not touched", () =>
    Effect.gen(function*() {
      const filename = yield* freshFile
      const change = (statement: string) =>
        Effect.scoped(Effect.flatMap(open({ filename }), ({ sql }) => sql.unsafe(statement)))
      yield* change("INSERT INTO varve_migrations (migration_id, name) VALUES (99, 'later')")
      const error = yield* Effect.flip(change("SELECT 1"))
      strictEqual(error._tag, "StoreUnavailable")
      assert.match(error.message, /schema 99, this build knows 3; deploy the newer build/)
    }))

  it.effect("that are missing are made in a file of an older build, which keeps its log and its id", () =>
    Effect.gen(function*() {
      const filename = yield* freshFile
      const before = yield* Effect.scoped(Effect.gen(function*() {
        const { events, sql } = yield* open({ filename })
        yield* Effect.provideService(Sample.filled(3), EventStore, events)
        // As the first build has left it.
        for (const name of ["checkpoints", "dead_letters", "parked", "leases", "live_views", "inline_views"]) {
          yield* sql.unsafe(`DROP TABLE varve_${name}`)
        }
        yield* sql`DELETE FROM varve_migrations WHERE migration_id > 1`
        return { storeId: events.storeId, log: yield* events.readAll({ after: 0n }) }
      }))
      const { checkpoints, events, leases, letters } = yield* open({ filename })
      deepStrictEqual({ storeId: events.storeId, log: yield* events.readAll({ after: 0n }) }, before)
      deepStrictEqual([yield* checkpoints.list(), yield* letters.list({}), yield* leases.list], [[], [], []])
    }))

  it.effect("are not made beside those of another program that has the same names", () =>
    Effect.gen(function*() {
      const filename = yield* freshFile
      const foreign = yield* stranger(filename)
      foreign.exec("CREATE TABLE varve_events (id INTEGER)")
      const error = yield* Effect.flip(Effect.scoped(open({ filename })))
      strictEqual(
        error.message,
        "The store is unavailable (migrate): the file has a table varve_events that another " +
          "program has made; name another file"
      )
      deepStrictEqual(foreign.prepare("SELECT name FROM sqlite_schema").all().map(({ name }) => name), ["varve_events"])
    }))

  it.effect("of readers are not made beside those of another program either", () =>
    Effect.gen(function*() {
      for (const name of ["varve_checkpoints", "varve_leases", "varve_inline_views"]) {
        const filename = yield* freshFile
        const foreign = yield* stranger(filename)
        foreign.exec(`CREATE TABLE ${name} (id INTEGER)`)
        const error = yield* Effect.flip(Effect.scoped(open({ filename })))
        assert.match(error.message, new RegExp(`the file has a table ${name} that another program has made`))
      }
    }))

  it.effect("that cannot be made say why", () =>
    Effect.gen(function*() {
      const filename = yield* freshFile
      const foreign = yield* stranger(filename)
      foreign.exec("CREATE TABLE varve_store (id INTEGER)")
      foreign.exec("CREATE TABLE varve_migrations (migration_id INTEGER PRIMARY KEY, created_at TEXT, name TEXT)")
      const error = yield* Effect.flip(Effect.scoped(open({ filename })))
      strictEqual(
        error.message,
        "The store is unavailable (migrate): its tables cannot be made: the database failed with code 1"
      )
    }))

  it.effect("are kept in a file: whoever names none is told of the memory store", () =>
    Effect.gen(function*() {
      for (const filename of [":memory:", ""]) {
        const error = yield* Effect.flip(Effect.scoped(open({ filename })))
        strictEqual(
          error.message,
          "The store is unavailable (open): it names no file; for a log that may be forgotten use the memory store"
        )
      }
    }))

  it.effect("refuse what is not text or a number, so that nothing that was read can surprise its reader", () =>
    Effect.gen(function*() {
      const { events, sql } = yield* open({ filename: yield* freshFile })
      yield* Effect.provideService(Sample.filled(1), EventStore, events)
      const error = yield* Effect.flip(sql`UPDATE varve_events SET data = ${new Uint8Array([1])}`)
      strictEqual(error.reason._tag, "ConstraintError")
    }))

  it.effect("hold each version of a stream and each command once, whoever writes", () =>
    Effect.gen(function*() {
      const { events, sql } = yield* open({ filename: yield* freshFile })
      const write = Sample.write(Sample.stream(), 0, Sample.events(2), [Sample.receipt("c")])
      yield* Effect.provideService(Sample.commit(write), EventStore, events)
      const columns = "tenant, category, stream_id"
      const twice = [
        `INSERT INTO varve_events SELECT position + 9, ${columns}, version, type, schema_version, event_id, recorded_at,
          data, metadata FROM varve_events`,
        `INSERT INTO varve_receipts SELECT number + 9, ${columns}, command_id, hash, version, position, outcome,
          recorded_at FROM varve_receipts`
      ]
      for (const statement of twice) {
        strictEqual((yield* Effect.flip(sql.unsafe(statement))).reason._tag, "UniqueViolation")
      }
    }))
})
