/**
 * A log that was put back behind its readers is another one to them, however it came about.
 */
import { assert, describe, it } from "@effect/vitest"
import { deepStrictEqual, strictEqual } from "@effect/vitest/utils"
import { Context, Effect, Fiber, Layer, Schedule } from "effect"
import { isDeepStrictEqual } from "node:util"
import { type CommandFailed, isCommandFailed } from "../../src/AggregateHost.ts"
import * as AggregateRuntime from "../../src/AggregateRuntime.ts"
import type { Stored } from "../../src/Event.ts"
import type { Append, Written } from "../../src/EventStore.ts"
import * as Postgres from "../../src/postgres/Postgres.ts"
import * as Sample from "../../src/testing/suites/Sample.ts"
import { Accounts, behavior, Supervisor } from "../fixtures/Account.ts"
import { dump, freshDatabase } from "./dump.ts"
import { freshSchema, onPostgres, open, stranger, strangerAt, url } from "./server.ts"

type Stores = Effect.Success<ReturnType<typeof open>>

/** A command that was acknowledged: what was sent, and what it became. */
interface Acknowledged {
  readonly append: Append
  readonly writes: ReadonlyArray<Written>
}

/** Writes on and on, and tells what was acknowledged. */
const writeOn = Effect.fnUntraced(function*({ events }: Stores, acknowledged: Array<Acknowledged>) {
  while (true) {
    const receipt = Sample.receipt(Sample.name("command"), { events: 2, through: 2 })
    const append = [Sample.write(Sample.stream(), 0, Sample.events(2), [receipt])] as const
    const [status] = yield* events.append([append])
    if (status!._tag !== "Committed") return assert.fail(status!._tag)
    acknowledged.push({ append, writes: status!.writes })
  }
})

const all = Effect.fnUntraced(function*({ events }: Stores) {
  const found: Array<Stored> = []
  const head = yield* events.head
  while (BigInt(found.length) < head) found.push(...(yield* events.readAll({ after: BigInt(found.length) })).events)
  return found
})

/** Accounts in a database, each of which saves a snapshot after each command. */
const accountsIn = (url: string, schema: string) =>
  Effect.map(
    Layer.build(
      Accounts.toLayer(behavior, { snapshotEvery: 1 }).pipe(
        Layer.provide(AggregateRuntime.layer),
        Layer.provide(Supervisor.layerYes),
        Layer.provide(Postgres.layer({ url, schema }))
      )
    ),
    (context) => Context.get(context, Accounts)
  )

/** A worker that has been there before its log is put back to where it had one event. */
const accountsAt = Effect.fnUntraced(function*({ url }: { readonly url: string }) {
  const schema = yield* freshSchema
  const accounts = yield* accountsIn(url, schema)
  const sql = yield* strangerAt(url)
  const snapshots = sql<{ readonly version: number }>`SELECT version FROM ${
    sql(`${schema}.snapshots`)
  } ORDER BY version`
  const putBack = Effect.gen(function*() {
    yield* Effect.repeat(snapshots, { until: (rows) => isDeepStrictEqual(rows.map(({ version }) => version), [2, 3]) })
    yield* sql`SELECT pg_terminate_backend(pid) FROM pg_stat_activity
      WHERE datname = current_database() AND pid <> pg_backend_pid()`
    yield* sql`DELETE FROM ${sql(`${schema}.snapshots`)}`
    yield* sql`DELETE FROM ${sql(`${schema}.events`)} WHERE position > 1`
    // As if the row had been restored.
    yield* sql`UPDATE ${sql(`${schema}.epochs`)} SET one = one`
  })
  return { accounts, putBack, later: accountsIn(url, schema) }
})

/** Asks again as long as the store is not there. */
const untilThere = <A, E, R>(asked: Effect.Effect<A, E, R>) =>
  Effect.retry(asked, {
    times: 50,
    schedule: Schedule.spaced("20 millis"),
    while: (error) => isCommandFailed(error) && error.reason._tag === "StoreUnavailable"
  })

const oneEvent = () => [Sample.write(Sample.stream(), 0, Sample.events(1))] as const
const id = { name: "totals", version: 1, partition: 0 }

/** Two workers under load, a backup in the middle of it, and a reader that has come as far as the log. */
const backedUp = Effect.gen(function*() {
  const schema = yield* freshSchema
  const workers = [yield* open({ schema }), yield* open({ schema })] as const
  const [{ checkpoints, events }] = workers
  const acknowledged: Array<Acknowledged> = []
  const writing = yield* Effect.forEach(
    workers,
    (worker) => Effect.forEach([1, 2], () => Effect.forkChild(writeOn(worker, acknowledged)))
  )
  yield* Effect.repeat(Effect.sleep("5 millis"), { until: () => acknowledged.length > 50 })
  const epoch = yield* events.epoch
  yield* checkpoints.advance({ id, revision: 0, to: yield* events.head, epoch }, Effect.void)
  const before = [...acknowledged]
  const backup = yield* dump(schema)
  yield* Effect.repeat(Effect.sleep("5 millis"), { until: () => acknowledged.length > before.length + 50 })
  yield* Fiber.interruptAll(writing.flat())
  const { checkpoint } = yield* checkpoints.advance({ id, revision: 1, to: yield* events.head, epoch }, Effect.void)
  return { schema, epoch, before, backup, checkpoint, workers }
})

/** What a store that was restored holds, and that it goes on from there. */
const isWhole = Effect.fnUntraced(function*(restored: Stores, { before, epoch }: Effect.Success<typeof backedUp>) {
  const { checkpoints, events } = restored
  const head = yield* events.head
  strictEqual(yield* events.audit(0n), head)
  const log = yield* all(restored)
  for (const { append: [{ events, stream }], writes: [written] } of before) {
    const stored = log[Number(written!.position) - 1]!
    deepStrictEqual([stored.eventId, stored.id, stored.version], [events.at(-1)!.eventId, stream.id, written!.version])
  }
  const repeated = before.slice(0, 20).map(({ append: [{ receipts, stream }] }) =>
    [Sample.write(stream, 2, Sample.events(2), receipts)] as const
  )
  deepStrictEqual(new Set((yield* events.append(repeated)).map(({ _tag }) => _tag)), new Set(["Duplicate"]))
  const [status] = yield* events.append([oneEvent()])
  deepStrictEqual(status, { _tag: "Committed", writes: [{ version: 1, position: head + 1n }] })
  const now = yield* events.epoch
  assert.notStrictEqual(now, epoch)
  strictEqual(now.split("/")[0], events.storeId)
  strictEqual((yield* checkpoints.get(id))!.epoch, epoch)
  strictEqual(yield* events.epoch, now)
  return { head, epoch: now }
})

onPostgres(() => {
  describe("a backup that was made while others wrote", () => {
    it.live("I20: restored into another database is whole, and of another epoch", () =>
      Effect.gen(function*() {
        const backup = yield* backedUp
        const database = yield* freshDatabase()
        yield* backup.backup.restore(database.url)
        const workers = yield* Effect.all(
          Array.from({ length: 5 }, () => open({ schema: backup.schema, url: database.url })),
          { concurrency: 5 }
        )
        const epochs = yield* Effect.forEach(workers, ({ events }) => events.epoch)
        strictEqual(new Set(epochs).size, 1)
        const { head } = yield* isWhole(workers[0]!, backup)
        assert.isTrue(backup.checkpoint.position > head)
        assert.notStrictEqual(backup.checkpoint.epoch, epochs[0])
        strictEqual(yield* backup.workers[1].events.epoch, backup.epoch)
      }))

    it.live("I20: restored into its own database is of another epoch, also for a worker that went on running", () =>
      Effect.gen(function*() {
        const backup = yield* backedUp
        const { epoch, schema, workers } = backup
        const sql = yield* stranger
        yield* sql`SET client_min_messages = error`
        yield* sql`DROP SCHEMA ${sql(schema)} CASCADE`
        yield* backup.backup.restore(url)
        const settled = yield* Effect.retry(workers[0].events.epoch, { times: 3 })
        assert.notStrictEqual(settled, epoch)
        yield* isWhole(workers[1], backup)
      }))
  })

  describe("an epoch", () => {
    it.live("I20: is another one in a copy of the database", () =>
      Effect.gen(function*() {
        const [schema, origin] = [yield* freshSchema, yield* freshDatabase()]
        const first = yield* Effect.scoped(Effect.flatMap(open({ schema, url: origin.url }), ({ events }) =>
          Effect.andThen(events.append([oneEvent()]), events.epoch)))
        const copy = yield* freshDatabase(origin.name)
        const { events } = yield* open({ schema, url: copy.url })
        const second = yield* events.epoch
        assert.notStrictEqual(second, first)
        strictEqual(yield* events.audit(0n), 1n)
        strictEqual((yield* open({ schema, url: origin.url })).events.storeId, events.storeId)
        strictEqual(yield* (yield* open({ schema, url: origin.url })).events.epoch, first)
      }))

    it.live("I20: is another one on another timeline of the server, and the same to all who notice at once", () =>
      Effect.gen(function*() {
        const schema = yield* freshSchema
        const workers = yield* Effect.forEach([1, 2, 3, 4, 5], () => open({ schema }))
        const ask = Effect.forEach(workers, ({ events }) => events.epoch, { concurrency: 5 })
        const first = new Set(yield* ask)
        const sql = yield* stranger
        yield* sql.unsafe(`CREATE OR REPLACE FUNCTION ${schema}.timeline_v1() RETURNS text LANGUAGE plpgsql AS
          $$ BEGIN PERFORM pg_sleep(0.05); RETURN '00000002'; END $$`)
        const second = new Set(yield* ask)
        deepStrictEqual([first.size, second], [1, new Set([[...first][0]!.replace("/1", "/2")])])
      }))

    for (const first of ["a command", "a look", "a rejection"] as const) {
      it.live(`I3: of the log ends what an aggregate remembers, where ${first} is the first that comes`, () =>
        Effect.gen(function*() {
          const { accounts, later, putBack } = yield* accountsAt(yield* freshDatabase())
          yield* Effect.forEach([1, 10, 100], (cents) => accounts.of("a").deposit({ cents }))
          yield* Effect.forEach([1, 2], () => accounts.of("b").deposit({ cents: 5 }))
          // The last two of its events were lost with the server that had them, and others have come in their place.
          yield* putBack
          const other = yield* later
          yield* Effect.forEach([7, 7], (cents) => other.of("a").deposit({ cents }))
          const asked: Effect.Effect<unknown, CommandFailed> = {
            "a command": accounts.of("a").deposit({ cents: 1_000 }),
            "a look": accounts.state("a"),
            "a rejection": Effect.catchTag(
              accounts.of("a").withdraw({ cents: 100 }),
              "InsufficientFunds",
              Effect.succeed
            )
          }[first]
          const answer: unknown = yield* untilThere(asked)
          if (first === "a rejection") assert.deepInclude(answer, { balanceCents: 15 })
          yield* untilThere(accounts.of("a").deposit({ cents: 1_000 }))
          const cents = first === "a command" ? 2_015 : 1_015
          const told = { balanceCents: cents }
          deepStrictEqual(yield* accounts.state("a"), told)
          // Nor is it kept for those who come later.
          deepStrictEqual(yield* (yield* later).state("a"), told)
          deepStrictEqual(yield* accounts.state("b"), { balanceCents: 0 })
        }))
    }

    it.live("stays as it is while a schema is used, vacuumed and opened again", () =>
      Effect.gen(function*() {
        const schema = yield* freshSchema
        const { events, sql } = yield* open({ schema })
        const first = yield* events.epoch
        yield* events.append([oneEvent()])
        const table = sql(`${schema}.epochs`)
        yield* sql`VACUUM (FREEZE) ${table}`.unprepared
        strictEqual(yield* events.epoch, first)
        yield* sql`VACUUM (FULL, FREEZE) ${table}`.unprepared
        strictEqual(yield* events.epoch, first)
        strictEqual(yield* (yield* open({ schema })).events.epoch, first)
      }))
  })
})
