/**
 * Several workers at once, and a server that crashes under them: what only shows when things happen at the same time.
 */
import { assert, describe, it } from "@effect/vitest"
import { deepStrictEqual, strictEqual } from "@effect/vitest/utils"
import { Effect, Exit, Fiber, Schedule, Stream } from "effect"
import { afterAll } from "vitest"
import * as Server from "../../scripts/postgres.ts"
import * as ReadSide from "../../src/testing/suites/ReadSide.ts"
import * as Sample from "../../src/testing/suites/Sample.ts"
import { freshSchema, onPostgres, open } from "./server.ts"

const oneEvent = (expected: number, stream = Sample.stream()) =>
  [Sample.write(stream, expected, Sample.events(1))] as const

const each = <A, E, R>(count: number, work: (index: number) => Effect.Effect<A, E, R>, concurrency = 1) =>
  Effect.forEach(Array.from({ length: count }, (_, index) => index), work, { concurrency })

onPostgres(() =>
  describe("workers on PostgreSQL", () => {
    it.live("I8: who append at once to streams of their own are all answered, and stand at 1..N", () =>
      Effect.gen(function*() {
        const schema = yield* freshSchema
        const workers = yield* each(4, () => open({ schema }))
        const write = ({ events }: (typeof workers)[number]) =>
          each(40, () =>
            Effect.map(events.append([oneEvent(0), oneEvent(0)]), (statuses) => statuses.map(Sample.committed)))
        const written = (yield* Effect.forEach(workers, write, { concurrency: 4 })).flat(3)
        const positions = written.map(({ position }) =>
          Number(position)
        ).toSorted((a, b) => a - b)
        deepStrictEqual(positions, Array.from({ length: 320 }, (_, index) => index + 1))
        strictEqual(yield* workers[0]!.events.audit(0n), 320n)
      }))

    it.live("I9: a follower with a filter skips nothing of what others write meanwhile", () =>
      Effect.gen(function*() {
        const schema = yield* freshSchema
        const [one, other, reader] = [yield* open({ schema }), yield* open({ schema }), yield* open({ schema })]
        const seen: Array<number> = []
        const following = yield* Effect.forkChild(
          reader.events.follow({ after: 0n, filter: { types: ["Wanted"] } }).pipe(
            Stream.tap(({ events }) => Effect.sync(() => seen.push(...events.map(({ position }) => Number(position))))),
            Stream.takeUntil(({ position }) => position >= 1_600n),
            Stream.runDrain
          )
        )
        const events = [Sample.event(), Sample.event({ type: "Wanted" })]
        const write = ({ events: { append } }: typeof one) =>
          each(400, () => append([[Sample.write(Sample.stream(), 0, events)]]), 4)
        yield* Effect.all([write(one), write(other)], { concurrency: 2 })
        yield* Fiber.join(following)
        deepStrictEqual(seen, Array.from({ length: 800 }, (_, index) => 2 * (index + 1)))
      }))

    it.live("I19: who follows learns of what another one wrote also where nobody is told of it", () =>
      Effect.gen(function*() {
        const schema = yield* freshSchema
        const [writer, reader] = [yield* open({ schema }), yield* open({ schema, behindPooler: true })]
        const seen: Array<bigint> = []
        const until = (count: number) =>
          Effect.repeat(Effect.sleep("2 millis"), { until: () => seen.length >= count }).pipe(
            Effect.timeout("20 seconds")
          )
        yield* Effect.forkChild(
          Stream.runForEach(
            reader.events.follow({ after: 0n }),
            (page) => Effect.sync(() => seen.push(...page.events.map(({ position }) => position)))
          )
        )
        for (let count = 1; count <= 3; count++) {
          yield* writer.events.append([oneEvent(0)])
          yield* until(count)
        }
        deepStrictEqual(seen, [1n, 2n, 3n])
      }))
  })
)

const again = Schedule.max([Schedule.spaced("20 millis"), Schedule.recurs(500)])

/** One that may crash; what it need not write yet it does not, and it would answer before it has written at all. */
const beginFragile = async (): Promise<Server.Own | Server.Missing> => {
  const settings = { wal_writer_delay: "10s", bgwriter_delay: "10s", synchronous_commit: "off" }
  const server = await Server.startOwn({ settings })
  if ("missing" in server) return server
  const found = await Server.whenReady(server)
  return "missing" in found ? found : server
}

const fragile = await beginFragile()
if ("stop" in fragile) afterAll(fragile.stop)

onPostgres(() =>
  it.live("I6: what was answered is there after the server has crashed, also where it is set not to wait for the disk", (context) =>
    Effect.gen(function*() {
      if ("missing" in fragile) return context.skip(fragile.missing)
      const place = { url: fragile.url, behindPooler: false }
      const id = ReadSide.checkpoint()
      // What comes last is not written by what would come after it.
      for (const last of ["append", "advance", "stage", "append"]) {
        const { checkpoints, events, sql, transaction } = yield* Effect.retry(open(place), again)
        const before = { head: yield* events.head, revision: (yield* checkpoints.get(id))?.revision ?? 0 }
        const answered = yield* each(20, () => events.append([oneEvent(0)]))
        strictEqual(answered.flat().length, 20)
        if (last === "advance") yield* checkpoints.advance(ReadSide.step(id, before.revision, before.head), Effect.void)
        if (last === "stage") yield* transaction.run((append) => append(oneEvent(0)))
        const [session] = yield* sql<{ readonly pid: number }>`SELECT pg_backend_pid() AS pid`
        // The server takes such an end of one session for damage, and starts again from what is on disk.
        process.kill(session!.pid, "SIGKILL")
        assert.isTrue(Exit.isFailure(yield* Effect.exit(sql`SELECT 1`)))
        const reader = yield* Effect.retry(open(place), again)
        const written = before.head + (last === "stage" ? 21n : 20n)
        deepStrictEqual([yield* reader.events.head, yield* reader.events.audit(0n)], [written, written], last)
        const { revision = 0 } = (yield* reader.checkpoints.get(id)) ?? {}
        strictEqual(revision, before.revision + (last === "advance" ? 1 : 0))
      }
    }))
)

onPostgres(() =>
  it.live("I8: who work at once do so also where transactions are set to be serializable", (context) =>
    Effect.gen(function*() {
      if ("missing" in fragile) return context.skip(fragile.missing)
      const { sql } = yield* Effect.retry(open({ url: fragile.url }), again)
      yield* sql`CREATE DATABASE strict`
      yield* sql`ALTER DATABASE strict SET default_transaction_isolation = 'serializable'`
      const url = Object.assign(new URL(fragile.url), { pathname: "/strict" }).href
      const workers = yield* each(4, () => open({ url }))
      const id = ReadSide.checkpoint()
      const work = ({ checkpoints, events }: (typeof workers)[number]) =>
        each(40, () =>
          Effect.gen(function*() {
            Sample.committed((yield* events.append([oneEvent(0)]))[0]!)
            const { revision = 0 } = (yield* checkpoints.get(id)) ?? {}
            const advanced = checkpoints.advance(ReadSide.step(id, revision, 1n), Effect.void)
            return yield* Effect.match(advanced, { onSuccess: () => "moved", onFailure: ({ _tag }) => _tag })
          }))
      const said = (yield* Effect.forEach(workers, work, { concurrency: 4 })).flat()
      strictEqual(yield* workers[0]!.events.audit(0n), 160n)
      deepStrictEqual(new Set(said), new Set(["moved", "CheckpointMoved"]))
      strictEqual((yield* workers[0]!.checkpoints.get(id))?.revision, said.filter((word) => word === "moved").length)
    }))
)
