/**
 * Stores end also where the server has fallen silent: connected, and answering nothing.
 */
import { assert, describe, it } from "@effect/vitest"
import { Context, Effect, Exit, Fiber, Layer, Scope, Stream } from "effect"
import { SqlClient } from "effect/sql"
import { type AddressInfo, connect, createServer, type Socket } from "node:net"
import { EventStore } from "../../src/EventStore.ts"
import * as Postgres from "../../src/postgres/Postgres.ts"
import { channelOf } from "../../src/postgres/PostgresFunctions.ts"
import { freshSchema, onPostgres, stranger, url } from "./server.ts"

/** A way to the server on which nothing goes on once it is `silenced`; `asked` resolves when something is said then. */
const silenceable = Effect.fnUntraced(function*(url: string) {
  const { hostname, port } = new URL(url)
  const sockets = new Set<Socket>()
  let isSilent = false
  let hear = () => {}
  const asked = new Promise<void>((resolve) => {
    hear = resolve
  })
  const pass = (from: Socket, to: Socket) => {
    sockets.add(from)
    from.on("data", (bytes) => isSilent ? hear() : to.write(bytes))
    from.on("error", () => {}).on("close", () => to.destroy())
  }
  const way = createServer((near) => {
    const far = connect(Number(port), hostname)
    pass(near, far)
    pass(far, near)
  })
  yield* Effect.acquireRelease(
    Effect.promise(() => new Promise<void>((resolve) => way.listen(0, "127.0.0.1", resolve))),
    () =>
      Effect.sync(() => {
        way.close()
        for (const socket of sockets) socket.destroy()
      })
  )
  const there = new URL(url)
  there.hostname = "127.0.0.1"
  there.port = String((way.address() as AddressInfo).port)
  return { url: String(there), silence: Effect.sync(() => void (isSilent = true)), asked: Effect.promise(() => asked) }
})

/** Stores that have been asked, and their scope. */
const opened = Effect.gen(function*() {
  const way = yield* silenceable(url)
  const schema = yield* freshSchema
  const scope = yield* Scope.make()
  const context = yield* Layer.buildWithScope(Postgres.layer({ url: way.url, schema }), scope)
  const events = Context.get(context, EventStore)
  const sql = Context.get(context, SqlClient.SqlClient)
  yield* events.head
  return { ...way, schema, events, sql, close: Scope.close(scope, Exit.void) }
})

/** Waits until somebody is told of the growth of a log. */
const listening = Effect.fnUntraced(function*(schema: string) {
  const sql = yield* stranger
  const look = sql`SELECT 1 FROM pg_stat_activity WHERE query LIKE ${`LISTEN%${channelOf(schema)}%`}`
  yield* Effect.repeat(look, { until: ({ length }) => length > 0 })
})

/** More than they may take, and less than anybody waits for a statement. */
const inTime = Effect.fnUntraced(function*(close: Effect.Effect<void>) {
  const closing = yield* Effect.forkDetach(close)
  const ended = yield* Effect.timeoutOption(Fiber.await(closing), "12 seconds")
  assert.strictEqual(ended._tag, "Some")
})

onPostgres(() =>
  describe("stores of a server that has fallen silent", { timeout: 60_000 }, () => {
    it.live("are closed within seconds, whatever is read", () =>
      Effect.gen(function*() {
        const { asked, close, events, silence } = yield* opened
        yield* silence
        yield* Effect.forkDetach(Effect.ignore(events.head))
        yield* asked
        yield* inTime(close)
      }))

    it.live("are closed within seconds, whatever transaction is under way", () =>
      Effect.gen(function*() {
        const { asked, close, silence, sql } = yield* opened
        yield* silence
        yield* Effect.forkDetach(Effect.ignore(sql.withTransaction(sql`SELECT 1`)))
        yield* asked
        yield* inTime(close)
      }))

    it.live("are closed within seconds, although somebody follows the log", () =>
      Effect.gen(function*() {
        const { close, events, schema, silence } = yield* opened
        yield* Effect.forkDetach(Effect.ignore(Stream.runDrain(events.follow({ after: 0n }))))
        yield* listening(schema)
        yield* silence
        yield* inTime(close)
      }))
  })
)
