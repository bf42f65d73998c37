/**
 * What the stores ask of a server, counted where it is asked: the statements from the server's own log, the round trips
 * from what the server sends. What a command costs is a promise, too.
 */
import { assert, describe, it } from "@effect/vitest"
import { deepStrictEqual, strictEqual } from "@effect/vitest/utils"
import { Context, Effect, Layer, Queue, type Scope, Stream } from "effect"
import { readFileSync } from "node:fs"
import { connect, createServer } from "node:net"
import { afterAll } from "vitest"
import * as Server from "../../scripts/postgres.ts"
import * as AggregateRuntime from "../../src/AggregateRuntime.ts"
import { EventStore } from "../../src/EventStore.ts"
import * as Postgres from "../../src/postgres/Postgres.ts"
import { SnapshotStore } from "../../src/SnapshotStore.ts"
import * as Sample from "../../src/testing/suites/Sample.ts"
import { snapshot } from "../../src/testing/suites/Snapshots.ts"
import { Accounts, behavior, Supervisor } from "../fixtures/Account.ts"

const settings = { log_statement: "all", log_min_messages: "log", log_line_prefix: "%a " }

const begin = async (): Promise<Server.Own | Server.Missing> => {
  const server = await Server.startOwn({ settings })
  if ("missing" in server) return server
  const found = await Server.whenReady(server)
  return "missing" in found ? found : server
}

const server = await begin()
if ("stop" in server) afterAll(server.stop)

/** The names of the statements in a part of the log; what has no name is told as it is. */
const statementsIn = (log: string): ReadonlyArray<string> =>
  Array.from(
    log.matchAll(/^varve LOG: {2}(?:execute [^:]*|statement): (?:\/\* varve (\w+) \*\/)?(.*)$/gm),
    ([, name, text]) => name ?? text!
  )

/** How many times a server has said that it is ready for more: once for all that it was sent together. */
interface Line {
  readonly url: string
  readonly readies: () => number
}

const readyForQuery = 0x5a

/** Counts the messages of one kind in what a server sends, however it comes in pieces. */
const counting = (kind: number, onMessage: () => void) => {
  let rest = Buffer.alloc(0)
  return (piece: Buffer) => {
    rest = Buffer.concat([rest, piece])
    while (rest.length >= 5 && rest.length >= 1 + rest.readInt32BE(1)) {
      if (rest[0] === kind) onMessage()
      rest = rest.subarray(1 + rest.readInt32BE(1))
    }
  }
}

/** A line to the server on which somebody counts. */
const tapped = Effect.fnUntraced(function*(url: string) {
  let readies = 0
  const { port: serverPort } = new URL(url)
  const line = createServer((client) => {
    const upstream = connect(Number(serverPort), "127.0.0.1")
    upstream.on("data", counting(readyForQuery, () => readies++))
    client.pipe(upstream).pipe(client)
    for (const socket of [client, upstream]) socket.on("error", () => socket.destroy())
  })
  yield* Effect.acquireRelease(
    Effect.promise(() => new Promise<void>((resolve) => line.listen(0, "127.0.0.1", resolve))),
    () => Effect.sync(() => line.close())
  )
  const address = line.address()
  const port = typeof address === "object" && address !== null ? address.port : 0
  return { url: url.replace(`:${serverPort}/`, `:${port}/`), readies: () => readies } satisfies Line
})

interface Stores {
  readonly events: EventStore["Service"]
  readonly snapshots: SnapshotStore["Service"]
  readonly accounts: Accounts["Service"]
  /** The same log, of another worker. */
  readonly other: EventStore["Service"]
  /** What was asked of the server, and in how many round trips, while an effect ran. */
  readonly cost: <A, E>(effect: Effect.Effect<A, E>) => Effect.Effect<Cost, E>
}

interface Cost {
  readonly statements: ReadonlyArray<string>
  readonly roundTrips: number
}

let schemas = 0

/** Stores in a schema of their own, and accounts over them. */
const open = Effect.fnUntraced(function*({ log, url }: Server.Own): Effect.fn.Return<Stores, unknown, Scope.Scope> {
  const line = yield* tapped(url)
  const schema = `counted_${schemas++}`
  const live = Accounts.toLayer(behavior).pipe(
    Layer.provide(AggregateRuntime.layer),
    Layer.provide(Supervisor.layerYes),
    Layer.provideMerge(Postgres.layer({ url: line.url, schema }))
  )
  const context = yield* Layer.build(live)
  const other = yield* Layer.build(Postgres.layer({ url: line.url, schema }))
  const cost: Stores["cost"] = (effect) =>
    Effect.suspend(() => {
      const [length, readies] = [readFileSync(log).length, line.readies()]
      return Effect.map(effect, () => ({
        statements: statementsIn(readFileSync(log).subarray(length).toString()),
        roundTrips: line.readies() - readies
      }))
    })
  return {
    events: Context.get(context, EventStore),
    snapshots: Context.get(context, SnapshotStore),
    accounts: Context.get(context, Accounts),
    other: Context.get(other, EventStore),
    cost
  }
})

const onCountingServer = (test: (server: Server.Own) => void) =>
  "missing" in server ? it("a server that logs", ({ skip }) => skip(server.missing)) : test(server)

const times = <E>(count: number, work: (index: number) => Effect.Effect<unknown, E>, concurrency = 1) =>
  Effect.forEach(Array.from({ length: count }, (_, index) => index), work, { concurrency, discard: true })

/** A statement is prepared once on a connection. */
const warm = Effect.fnUntraced(function*(asked: Effect.Effect<unknown, unknown>, { cost }: Stores) {
  yield* times(8, () => asked, 8)
  return yield* cost(asked)
})

onCountingServer((server) =>
  describe("what the stores ask of a server", () => {
    it.live("is one statement for a group, in one round trip, whatever is in it", () =>
      Effect.gen(function*() {
        const stores = yield* open(server)
        const one = { statements: ["append"], roundTrips: 1 }
        yield* stores.events.append([[Sample.write(Sample.stream(), 0, Sample.events(1))]])
        for (const appends of [1, 10, 512]) {
          const group = Array.from({ length: appends }, () => {
            const receipt = Sample.receipt("c", { events: 1, through: 1 })
            return [Sample.write(Sample.stream(), 0, Sample.events(2), [receipt])] as const
          })
          deepStrictEqual(yield* stores.cost(stores.events.append(group)), one)
          const conflicts = group.map(([{ stream }]) => [Sample.write(stream, 7, Sample.events(1))] as const)
          deepStrictEqual(yield* stores.cost(stores.events.append(conflicts)), one)
          deepStrictEqual(yield* stores.cost(stores.events.append(group)), one)
        }
      }))

    it.live("is one statement for a read, in one round trip", () =>
      Effect.gen(function*() {
        const stores = yield* open(server)
        const { events, snapshots } = stores
        const stream = Sample.stream()
        const receipt = Sample.receipt("c", { events: 1, through: 1 })
        yield* events.append([[Sample.write(stream, 0, Sample.events(20), [receipt])]])
        yield* snapshots.save(stream, snapshot(10))
        const reads: Readonly<Record<string, Effect.Effect<unknown, unknown>>> = {
          readStream: events.readStream(stream),
          readStreamBackwards: events.readStream(stream, { direction: "backwards", limit: 3 }),
          loadSnapshot: snapshots.load(stream),
          readLog: events.readAll({ after: 0n }),
          readLogFiltered: events.readAll({ after: 0n, filter: { types: ["Happened"] } }),
          receipt: events.receipt(stream, "c"),
          streams: events.streams({ category: stream.category }),
          head: events.head,
          countLog: events.audit(0n)
        }
        for (const [name, read] of Object.entries(reads)) {
          deepStrictEqual(yield* warm(read, stores), { statements: [name], roundTrips: 1 }, name)
        }
      }))

    it.live("is one statement for a command on a warm aggregate, also for a repeated and a rejected one, and a read", () =>
      Effect.gen(function*() {
        const stores = yield* open(server)
        const account = stores.accounts.of("a")
        const deposit = account.deposit({ cents: 5 })
        // Each connection is asked once whether the log is still the one that is known.
        const first = yield* stores.cost(stores.accounts.of("first").deposit({ cents: 5 }))
        deepStrictEqual(first.statements, ["life", "readStream", "life", "append"])
        const loaded = yield* stores.cost(deposit)
        deepStrictEqual(loaded.statements, ["readStream", "append"])
        const repeated = stores.accounts.of("a", { commandId: "c" }).deposit({ cents: 1 })
        const asked: Readonly<Record<string, Effect.Effect<unknown, unknown>>> = {
          deposit,
          "with a receipt": repeated,
          "for the second time": repeated,
          rejected: Effect.flip(account.withdraw({ cents: 1_000 })),
          read: stores.accounts.state("a"),
          "to two accounts": account.transfer({ cents: 1, to: "b" })
        }
        // The connections for reading prepare a statement each.
        yield* times(8, (index) => stores.accounts.state(`other-${index}`), 8)
        for (const [name, command] of Object.entries(asked)) {
          const { roundTrips, statements } = yield* stores.cost(command)
          deepStrictEqual(statements, ["append"], name)
          assert.isAtMost(roundTrips, 2, name)
        }
        const hundred = yield* stores.cost(times(100, () => deposit))
        deepStrictEqual(hundred, { statements: Array(100).fill("append"), roundTrips: 100 })
      }))

    it.live("is one page for what another worker has appended, where somebody follows who listens", () =>
      Effect.gen(function*() {
        const stores = yield* open(server)
        const seen = yield* Queue.unbounded<bigint>()
        const append = Effect.suspend(() => stores.other.append([[Sample.write(Sample.stream(), 0, Sample.events(1))]]))
        const appended = Effect.andThen(append, Queue.take(seen))
        yield* Effect.forkScoped(Stream.runForEach(
          stores.events.follow({ after: 0n }),
          ({ position }) => Queue.offer(seen, position)
        ))
        // Who was not heard at first is looked for, until the server is heard.
        yield* times(20, () => appended)
        const { statements } = yield* stores.cost(appended)
        // On a slow machine somebody may look in the meantime.
        deepStrictEqual(statements.filter((name) => name !== "head"), ["append", "readLog"])
      }))

    it.live("is a statement for many commands where there are many callers", () =>
      Effect.gen(function*() {
        const stores = yield* open(server)
        const deposit = (caller: number, number: number) =>
          stores.accounts.of(`a${caller}`, { commandId: `${caller}-${number}` }).deposit({ cents: 1 })
        yield* times(64, (caller) => deposit(caller, -1), 64)
        const [callers, each] = [64, 40]
        const { roundTrips, statements } = yield* stores.cost(
          times(callers, (caller) => times(each, (number) => deposit(caller, number)), callers)
        )
        strictEqual(roundTrips, statements.length)
        deepStrictEqual([...new Set(statements)], ["append"])
        assert.isAtMost(statements.length, (callers * each) / 10)
        // Nobody has to wait for more than the one who is in front of him and his own.
        assert.isAtLeast(statements.length, each)
        strictEqual(yield* stores.events.head, BigInt(callers * (each + 1)))
      }))

    it.live("is a statement for many commands on one hot aggregate", () =>
      Effect.gen(function*() {
        const stores = yield* open(server)
        yield* stores.accounts.of("hot").deposit({ cents: 1 })
        const [callers, each] = [64, 40]
        const deposit = stores.accounts.of("hot").deposit({ cents: 1 })
        const { statements } = yield* stores.cost(times(callers, () => times(each, () => deposit), callers))
        deepStrictEqual([...new Set(statements)], ["append"])
        assert.isAtMost(statements.length, (callers * each) / 10)
        strictEqual(yield* stores.events.head, BigInt(callers * each + 1))
      }))
  })
)
