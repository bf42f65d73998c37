/**
 * What only readers on a server can get into: transactions whose connection ends, two runners, roles, and tables that
 * are made while others work.
 */
import { assert, describe, it } from "@effect/vitest"
import { deepStrictEqual, strictEqual } from "@effect/vitest/utils"
import { Cause, Deferred, Effect, Exit, Fiber } from "effect"
import { Socket } from "node:net"
import { vi } from "vitest"
import type { Step } from "../../src/CheckpointStore.ts"
import type { ViewDefinition } from "../../src/ViewStore.ts"
import { freshSchema, onPostgres, open, place, stranger, url } from "./server.ts"

const id = { name: "totals", version: 1, partition: 0 }
const step = (revision: number, to = 10n): Step => ({ id, revision, to, epoch: "e" })
const view: ViewDefinition = { name: "order-totals", version: 2, indexes: [{ field: "status", type: "text" }] }
const change = (key: string, status = "open") => ({ tenant: "t", key, document: JSON.stringify({ status }) })

/** A worker of a schema of its own, with a table of the application, and the view prepared. */
const worker = Effect.gen(function*() {
  const schema = yield* freshSchema
  const stores = yield* open({ schema })
  yield* stores.views.prepare(view)
  const { sql } = stores
  const mine = sql(`${schema}.mine`)
  yield* sql`CREATE TABLE ${mine} (n int PRIMARY KEY)`
  const insert = (n: number) => sql`INSERT INTO ${mine} VALUES (${n})`
  const kept = Effect.gen(function*() {
    const rows = yield* sql<{ readonly n: number }>`SELECT n FROM ${mine} ORDER BY n`
    const documents = yield* stores.views.count(view, { tenant: "t" })
    return { rows: rows.map(({ n }) => n), documents, revision: (yield* stores.checkpoints.get(id))?.revision ?? 0 }
  })
  return { ...stores, schema, insert, kept }
})

const nothing = { rows: [], documents: 0, revision: 0 }

/** Ends the connection that this runs on, as a server that restarts does. */
const endOwnBackend = Effect.fnUntraced(function*({ sql }: Pick<Effect.Success<typeof worker>, "sql">) {
  const rows = yield* sql<{ readonly pid: number }>`SELECT pg_backend_pid() AS pid`
  yield* endBackend(rows[0]!.pid)
})

const endBackend = Effect.fnUntraced(function*(pid: number) {
  const other = yield* stranger
  yield* other`SELECT pg_terminate_backend(${pid}, 5000)`
}, Effect.scoped)

/** Neither SQL nor a secret, and in one line. */
const isFitForPeople = (message: string) => assert.notMatch(message, /SELECT|INSERT|UPDATE|COMMIT|\n|\bat .*:\d+/)

/** A failure of the store, and nothing else: no defect, whatever happened on the way. */
const unavailable = (exit: Exit.Exit<unknown, { readonly _tag: string; readonly message: string }>) => {
  if (Exit.isSuccess(exit)) return assert.fail("it succeeded")
  const [reason, ...others] = exit.cause.reasons
  strictEqual(others.length, 0)
  if (reason === undefined || !Cause.isFailReason(reason)) return assert.fail(String(exit.cause))
  strictEqual(reason.error._tag, "StoreUnavailable")
  isFitForPeople(reason.error.message)
  return reason.error.message
}

onPostgres(() => {
  describe("an advance", () => {
    it.live("I11: keeps the application's SQL, the documents and the checkpoint together", () =>
      Effect.gen(function*() {
        const { checkpoints, insert, kept, views } = yield* worker
        const work = Effect.andThen(insert(1), views.write(view, [change("a"), change("b")]))
        yield* checkpoints.advance(step(0), work)
        deepStrictEqual(yield* kept, { rows: [1], documents: 2, revision: 1 })
        const failing = Effect.andThen(insert(2), Effect.andThen(views.clear(view), Effect.fail("no")))
        strictEqual(yield* Effect.flip(checkpoints.advance(step(1), failing)), "no")
        deepStrictEqual(yield* kept, { rows: [1], documents: 2, revision: 1 })
      }))

    it.live("I11: whose connection ends under it keeps nothing, is a typed failure, and leaves the way free", () =>
      Effect.gen(function*() {
        const own = yield* worker
        const { checkpoints, insert, kept, sql, views } = own
        const write = views.write(view, [change("a")])
        const endings = {
          "before a statement of the store": Effect.andThen(endOwnBackend(own), write),
          "before it commits": endOwnBackend(own),
          "before it fails": Effect.andThen(endOwnBackend(own), write),
          "in a transaction inside it": sql.withTransaction(Effect.andThen(endOwnBackend(own), write))
            .pipe(Effect.catchTag("SqlError", Effect.die)),
          "in one that is caught": Effect.ignore(sql.withTransaction(Effect.andThen(endOwnBackend(own), write)))
        }
        for (const [when, ending] of Object.entries(endings)) {
          const work = Effect.andThen(insert(1), Effect.andThen(write, ending))
          const exit = yield* Effect.exit(checkpoints.advance(step(0), Effect.catchTag(work, "SqlError", Effect.die)))
          assert.isString(unavailable(exit), when)
          deepStrictEqual(yield* kept, nothing, when)
        }
        yield* checkpoints.advance(step(0), write)
        deepStrictEqual(yield* kept, { rows: [], documents: 1, revision: 1 })
      }))

    it.live("I11: whose connection ends while it commits says that it does not know", () =>
      Effect.gen(function*() {
        const { checkpoints, insert, kept, schema, sql, views } = yield* worker
        yield* sql.unsafe(`CREATE FUNCTION ${schema}.wait() RETURNS trigger LANGUAGE plpgsql AS
          $$ BEGIN PERFORM pg_sleep(60); RETURN NULL; END $$`)
        yield* sql.unsafe(`CREATE CONSTRAINT TRIGGER wait AFTER INSERT ON ${schema}.mine DEFERRABLE INITIALLY DEFERRED
          FOR EACH ROW EXECUTE FUNCTION ${schema}.wait()`)
        const work = Effect.andThen(insert(1), views.write(view, [change("a")]))
        const advancing = yield* Effect.forkChild(Effect.exit(checkpoints.advance(step(0), work)), {
          startImmediately: true
        })
        const other = yield* stranger
        const look = other<{ readonly pid: number }>`SELECT pid FROM pg_stat_activity
          WHERE query = 'COMMIT' AND state = 'active' AND wait_event = 'PgSleep'`
        const [backend] = yield* Effect.repeat(look, { until: ({ length }) => length > 0 })
        yield* endBackend(backend!.pid)
        assert.include(unavailable(yield* Fiber.join(advancing)), "whether it was kept is not known")
        deepStrictEqual(yield* kept, nothing)
      }))

    it.live("I11: in which a statement failed and nobody minded is not kept in part", () =>
      Effect.gen(function*() {
        const { checkpoints, insert, kept, views } = yield* worker
        const work = Effect.andThen(
          Effect.andThen(insert(1), views.write(view, [change("a")])),
          Effect.ignore(insert(1))
        )
        const exit = yield* Effect.exit(checkpoints.advance(step(0), work))
        assert.include(unavailable(exit), "a statement of the transaction had failed")
        deepStrictEqual(yield* kept, nothing)
      }))

    it.live("I11: inside which a transaction fails goes on without that one", () =>
      Effect.gen(function*() {
        const { checkpoints, insert, kept, sql } = yield* worker
        const inner = Effect.ignore(sql.withTransaction(Effect.andThen(insert(2), insert(1))))
        yield* checkpoints.advance(step(0), Effect.andThen(insert(1), inner))
        deepStrictEqual(yield* kept, { rows: [1], documents: 0, revision: 1 })
      }))

    it.live("I12: that comes second waits for the first one, and is refused before its work begins", () =>
      Effect.gen(function*() {
        const { checkpoints, kept, schema, views } = yield* worker
        const second = yield* open({ schema })
        const isHolding = yield* Deferred.make<void>()
        const mayEnd = yield* Deferred.make<void>()
        const waiting = Effect.andThen(Deferred.succeed(isHolding, undefined), Deferred.await(mayEnd))
        const first = yield* Effect.forkChild(
          checkpoints.advance(step(0), Effect.andThen(views.write(view, [change("a")]), waiting))
        )
        yield* Deferred.await(isHolding)
        const refused = yield* Effect.forkChild(
          Effect.flip(second.checkpoints.advance(step(0), Effect.die("its work began")))
        )
        const other = yield* stranger
        yield* Effect.repeat(
          other`SELECT 1 FROM pg_stat_activity WHERE wait_event_type = 'Lock' AND query LIKE ${`%"${schema}".checkpoints%`}`,
          { until: ({ length }) => length > 0 }
        )
        yield* Deferred.succeed(mayEnd, undefined)
        yield* Fiber.join(first)
        const moved = yield* Fiber.join(refused)
        deepStrictEqual([moved._tag, "actual" in moved && moved.actual], ["CheckpointMoved", 1])
        deepStrictEqual(yield* kept, { rows: [], documents: 1, revision: 1 })
      }))

    it.live(
      "I12: that is interrupted, or whose work does not go on, lets the next one begin",
      () =>
        Effect.gen(function*() {
          const { checkpoints, kept, schema, views } = yield* worker
          const second = yield* open({ schema })
          const isHolding = yield* Deferred.make<void>()
          const stuck = Effect.andThen(views.write(view, [change("a")]), Deferred.succeed(isHolding, undefined))
          const first = yield* Effect.forkChild(checkpoints.advance(step(0), Effect.andThen(stuck, Effect.never)))
          yield* Deferred.await(isHolding)
          yield* Fiber.interrupt(first)
          deepStrictEqual(yield* kept, nothing)
          const hanging = yield* Effect.forkChild(checkpoints.advance(step(0), Effect.never))
          strictEqual(
            (yield* Effect.retry(second.checkpoints.advance(step(0), Effect.void), { times: 3 })).checkpoint.revision,
            1
          )
          yield* Fiber.interrupt(hanging)
        }),
      20_000
    )

    it.live(
      "I11, I12: of two runners whose connections are ended at random counts each step once",
      () =>
        Effect.gen(function*() {
          const { checkpoints, schema, sql, views } = yield* worker
          yield* sql`INSERT INTO ${sql(`${schema}.mine`)} VALUES (0)`
          const second = yield* open({ schema })
          const end = 300n
          const told = { kept: 0, moved: 0, unavailable: 0, unknown: 0 }
          const run = Effect.fnUntraced(function*(runner: Pick<typeof second, "checkpoints" | "views" | "sql">) {
            while (true) {
              const found = yield* runner.checkpoints.get(id)
              const to = (found?.position ?? 0n) + 1n
              if (to > end) return
              const count = Effect.andThen(
                runner.sql`UPDATE ${runner.sql(`${schema}.mine`)} SET n = n + 1`,
                runner.views.write(view, [{ tenant: "t", key: "n", document: JSON.stringify({ n: Number(to) }) }])
              )
              const advancing = runner.checkpoints.advance({ ...step(found?.revision ?? 0), to }, count)
              yield* Effect.catchTags(Effect.map(advancing, () => told.kept++), {
                CheckpointMoved: () => Effect.sync(() => told.moved++),
                SqlError: () => Effect.sync(() => told.unavailable++),
                StoreUnavailable: ({ detail }) =>
                  Effect.sync(() => detail.includes("not known") ? told.unknown++ : told.unavailable++)
              })
            }
          })
          const again = (runner: Pick<typeof second, "checkpoints" | "views" | "sql">) =>
            Effect.retry(run(runner), { while: ({ _tag }) => _tag === "StoreUnavailable" })
          const other = yield* stranger
          const kill = other`SELECT pg_terminate_backend(pid) FROM pg_stat_activity WHERE application_name = 'varve'
          AND query LIKE ${`%${schema}%`} AND pid <> pg_backend_pid() ORDER BY random() LIMIT 1`
          // Never so often that nobody comes anywhere.
          const killing = yield* Effect.forkChild(Effect.forever(Effect.suspend(() => {
            const due = told.kept + 1
            const untilDue = Effect.repeat(Effect.sleep("1 millis"), { until: () => told.kept >= due })
            return Effect.andThen(kill, untilDue)
          })))
          yield* Effect.all([again({ checkpoints, views, sql }), again(second)], { concurrency: 2 })
          yield* Fiber.interrupt(killing)
          const counted = yield* other`SELECT n FROM ${other(`${schema}.mine`)}`
          deepStrictEqual(counted, [{ n: Number(end) }])
          const [document] = yield* Effect.retry(views.read(view, [{ tenant: "t", key: "n" }]), { times: 5 })
          deepStrictEqual([document!.revision, JSON.parse(document!.document)], [Number(end), { n: Number(end) }])
          strictEqual((yield* Effect.retry(checkpoints.get(id), { times: 5 }))!.revision, Number(end))
          assert.isAbove(told.unavailable + told.unknown, 0)
          assert.isAbove(told.moved, 0)
        }),
      60_000
    )

    it.live("takes five round trips where it reads and writes documents, three where it does neither", () =>
      Effect.gen(function*() {
        const { checkpoints, views } = yield* worker
        const { port } = new URL(`${place.url}`)
        const isToServer = (socket: unknown) => socket instanceof Socket && `${socket.remotePort}` === port
        const sent = vi.spyOn(Socket.prototype, "write")
        yield* Effect.addFinalizer(() => Effect.sync(() => sent.mockRestore()))
        const roundTrips = <A, E>(effect: Effect.Effect<A, E>) =>
          Effect.suspend(() => {
            sent.mockClear()
            return Effect.map(effect, () => sent.mock.contexts.filter(isToServer).length)
          })
        const keys = Array.from({ length: 1_000 }, (_, number) => ({ tenant: "t", key: `${number}` }))
        const documents = Effect.andThen(
          views.read(view, keys),
          views.write(view, keys.map(({ key }) => change(key)))
        )
        yield* Effect.forEach([0, 1, 2, 3], (revision) => checkpoints.advance(step(revision), documents))
        strictEqual(yield* roundTrips(checkpoints.advance(step(4), documents)), 5)
        strictEqual(yield* roundTrips(checkpoints.advance(step(5), Effect.void)), 3)
      }))
  })

  describe("the tables of readers", () => {
    it.live("are added to a schema that an older build has made, which goes on working with it", () =>
      Effect.gen(function*() {
        const schema = yield* freshSchema
        yield* Effect.scoped(open({ schema }))
        const sql = yield* stranger
        const added = yield* sql<{ readonly drop: string }>`
          SELECT format('DROP TABLE %s', c.oid::regclass) AS drop FROM pg_class c
          WHERE c.relnamespace = ${schema}::regnamespace AND c.relkind = 'r'
            AND c.relname NOT IN ('events', 'receipts', 'snapshots', 'store', 'migrations')
          UNION ALL SELECT format('DROP FUNCTION %s', p.oid::regprocedure) FROM pg_proc p
          WHERE p.pronamespace = ${schema}::regnamespace AND p.proname NOT IN ('clock_v1', 'append_v1', 'read_at_v1')`
        assert.isAtLeast(added.length, 6)
        for (const { drop } of added) yield* sql.unsafe(drop)
        yield* sql`DELETE FROM ${sql(`${schema}.migrations`)} WHERE migration_id > 1`
        const workers = yield* Effect.all([open({ schema }), open({ schema }), open({ schema })], { concurrency: 3 })
        for (const { checkpoints } of workers) strictEqual(yield* checkpoints.get(id), undefined)
        const stores = yield* sql`SELECT oldest_build AS oldest FROM ${sql(`${schema}.store`)}`
        deepStrictEqual(stores, [{ oldest: 1 }])
      }))

    it.live("are not touched by a lease in a transaction: others see it at once", () =>
      Effect.gen(function*() {
        const { checkpoints, leases, schema } = yield* worker
        const second = yield* open({ schema })
        const claim = { name: "relay", holder: "one", millis: 60_000 }
        const within = Effect.andThen(leases.claim(claim), second.leases.claim({ ...claim, holder: "two" }))
        strictEqual((yield* checkpoints.transaction(within)).holder, "one")
      }))
  })

  describe("the table of a view", () => {
    it.live("is made once, however many workers prepare it at once", () =>
      Effect.gen(function*() {
        const schema = yield* freshSchema
        const workers = yield* Effect.all(Array.from({ length: 5 }, () => open({ schema })), { concurrency: 5 })
        const preparing = workers.flatMap(({ views }) => [views.prepare(view), views.prepare(view)])
        yield* Effect.all(preparing, { concurrency: "unbounded" })
        const sql = yield* stranger
        const indexes =
          yield* sql`SELECT 1 FROM pg_indexes WHERE schemaname = ${schema} AND tablename = 'view_order_totals_2'`
        strictEqual(indexes.length, 3)
      }))

    it.live("gets the index that a later build wants, with what is in it already", () =>
      Effect.gen(function*() {
        const { views } = yield* worker
        yield* views.write(view, [change("a", "open"), change("b", "shut")])
        const later = {
          ...view,
          indexes: [{ field: "customer", type: "text" }, { field: "status", type: "number" }]
        } as const
        yield* Effect.all([views.prepare(later), views.prepare(later)], { concurrency: 2 })
        yield* views.prepare(view)
        const ada = { tenant: "t", key: "c", document: JSON.stringify({ status: "open", customer: "ada" }) }
        yield* views.write(view, [ada])
        const where = [{ field: "customer", equals: "ada" }, { field: "status", equals: null }]
        const found = yield* views.list(later, { tenant: "t", where, limit: 5 })
        deepStrictEqual(found, [{ key: "c", revision: 1, document: ada.document }])
        const open = [{ field: "status", equals: "open" }]
        strictEqual(yield* views.count(view, { tenant: "t", where: open }), 2)
      }))

    it.live("is not made by a worker that may not: it says who could", () =>
      Effect.gen(function*() {
        const schema = yield* freshSchema
        yield* Effect.scoped(open({ schema }))
        const { views } = yield* open({ schema, migrate: false })
        const refused = yield* Effect.flip(views.prepare(view))
        strictEqual(refused.lasting, true)
        assert.include(refused.message, "have somebody who may change the schema prepare it first")
        yield* Effect.scoped(Effect.flatMap(open({ schema }), ({ views }) => views.prepare(view)))
        yield* views.prepare(view)

        const sql = yield* stranger
        yield* sql.unsafe(`CREATE ROLE ${schema} LOGIN`)
        yield* Effect.addFinalizer(() =>
          Effect.orDie(Effect.scoped(Effect.flatMap(stranger, (sql) =>
            Effect.andThen(sql.unsafe(`DROP OWNED BY ${schema}`), sql.unsafe(`DROP ROLE ${schema}`)))))
        )
        yield* sql.unsafe(`GRANT USAGE ON SCHEMA ${schema} TO ${schema}`)
        yield* sql.unsafe(`GRANT SELECT, INSERT, UPDATE, DELETE ON ALL TABLES IN SCHEMA ${schema} TO ${schema}`)
        const user = yield* open({ schema, url: url.replace("postgres@", `${schema}@`) })
        yield* user.views.prepare(view)
        yield* user.views.write(view, [change("a")])
        const denied = yield* Effect.flip(user.views.prepare({ ...view, version: 3 }))
        strictEqual(denied.lasting, true)
        assert.include(denied.message, `grant it CREATE there`)
        isFitForPeople(denied.message)
      }))

    it.live("that was dropped and is made anew is found by connections that knew the old one", () =>
      Effect.gen(function*() {
        const { views } = yield* worker
        for (let times = 0; times < 3; times++) {
          yield* views.write(view, [change("a")])
          strictEqual((yield* views.read(view, [{ tenant: "t", key: "a" }])).length, 1)
          yield* views.drop(view)
          strictEqual((yield* Effect.flip(views.write(view, [change("b")])))._tag, "StoreUnavailable")
          yield* views.prepare(view)
          strictEqual((yield* views.read(view, [{ tenant: "t", key: "a" }])).length, 0)
        }
      }))
  })
})
