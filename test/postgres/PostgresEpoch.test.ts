/**
 * A log that was put back behind its readers is another one to them, however it came about.
 */
import { assert, describe, it } from "@effect/vitest"
import { deepStrictEqual, strictEqual } from "@effect/vitest/utils"
import { Effect, Fiber } from "effect"
import type { Stored } from "../../src/Event.ts"
import type { Append, Written } from "../../src/EventStore.ts"
import * as Sample from "../../src/testing/suites/Sample.ts"
import { dump, freshDatabase } from "./dump.ts"
import { freshSchema, onPostgres, open, stranger, url } from "./server.ts"

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
