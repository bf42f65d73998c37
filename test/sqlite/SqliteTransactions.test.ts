/**
 * What SQLite adds to the promise that work and its checkpoint are kept together: the application's own SQL, an engine
 * that gives up on its own, and others who have the file or the engine.
 */
import { assert, describe, it } from "@effect/vitest"
import { deepStrictEqual, strictEqual } from "@effect/vitest/utils"
import { Deferred, Effect, Exit, Fiber, Latch, Schedule, Stream } from "effect"
import { TestClock } from "effect/testing"
import { EventStore } from "../../src/EventStore.ts"
import * as ReadSide from "../../src/testing/suites/ReadSide.ts"
import * as Sample from "../../src/testing/suites/Sample.ts"
import { id, view } from "./counting.ts"
import { failingCommit, freshFile, open, stranger } from "./file.ts"
import { ended, startProcess } from "./processes.ts"

const { put, tenant } = ReadSide

/** The stores of a file, with a view, a table of the application, and a checkpoint that nobody has moved. */
const scene = Effect.gen(function*() {
  const filename = yield* freshFile
  const stores = yield* open({ filename })
  const { checkpoints, sql, views } = stores
  const view = ReadSide.view([{ field: "n", type: "number" }])
  yield* views.prepare(view)
  yield* sql`CREATE TABLE notes (text TEXT)`
  const id = ReadSide.checkpoint()
  const seen = Effect.gen(function*() {
    const found = yield* views.list(view, { tenant, limit: 99 })
    const notes = (yield* sql`SELECT text FROM notes`.values).flat()
    return { at: (yield* checkpoints.get(id))?.position, keys: found.map(({ key }) => key), notes }
  })
  return {
    ...stores,
    filename,
    id,
    view,
    seen,
    note: (text: string) => sql`INSERT INTO notes VALUES (${text})`,
    write: (...keys: ReadonlyArray<string>) => views.write(view, keys.map((key) => put(key, {}))),
    advance: <A, E, R>(work: Effect.Effect<A, E, R>, revision = 0) =>
      checkpoints.advance(ReadSide.step(id, revision, BigInt(revision + 1)), work)
  }
})

const nothing = { at: undefined, keys: [], notes: [] }

describe("the application's SQL", () => {
  it.effect("I11: is kept with the checkpoint or not at all", () =>
    Effect.gen(function*() {
      const { advance, note, seen, sql, write } = yield* scene
      const work = Effect.andThen(note("a"), write("a"))
      yield* Effect.flip(advance(Effect.andThen(work, Effect.fail("no"))))
      yield* Effect.exit(advance(Effect.andThen(work, Effect.die("defect"))))
      yield* Effect.flip(advance(Effect.andThen(work, sql`INSERT INTO nowhere VALUES (1)`)))
      deepStrictEqual(yield* seen, nothing)
      yield* advance(work)
      deepStrictEqual(yield* seen, { at: 1n, keys: ["a"], notes: ["a"] })
    }))

  it.effect("I11: takes the stores of readers into its own transaction", () =>
    Effect.gen(function*() {
      const { advance, note, seen, sql, write } = yield* scene
      const all = Effect.all([note("a"), write("a"), advance(write("b")), note("b")])
      yield* Effect.flip(sql.withTransaction(Effect.andThen(all, Effect.fail("no"))))
      deepStrictEqual(yield* seen, nothing)
      const inner = Effect.flip(sql.withTransaction(Effect.andThen(all, Effect.fail("no"))))
      yield* sql.withTransaction(Effect.andThen(inner, write("c")))
      deepStrictEqual(yield* seen, { at: undefined, keys: ["c"], notes: [] })
      yield* sql.withTransaction(all)
      deepStrictEqual(yield* seen, { at: 1n, keys: ["a", "b", "c"], notes: ["a", "b"] })
    }))

  it.effect("tells its errors as they are, also those that the store itself could have", () =>
    Effect.gen(function*() {
      const { advance, checkpoints, sql } = yield* scene
      const work = sql`INSERT INTO nowhere VALUES (1)`
      for (const attempt of [Effect.asVoid(advance(work)), Effect.asVoid(checkpoints.transaction(work))]) {
        strictEqual((yield* Effect.flip(attempt))._tag, "SqlError")
      }
    }))

  it.effect("may read the log inside of the transaction, not append to it, and goes on if that is refused", () =>
    Effect.gen(function*() {
      const { advance, events, seen, write } = yield* scene
      const refused = Effect.flip(Effect.provideService(Sample.filled(1), EventStore, events))
      const { value } = yield* advance(Effect.andThen(write("a"), Effect.all([refused, events.head])))
      assert.match(value[0].message, /from inside a transaction/)
      strictEqual(value[1], 0n)
      deepStrictEqual(yield* seen, { at: 1n, keys: ["a"], notes: [] })
    }))

  it.effect("I11: dies in a fiber that outlives the transaction, and writes into nobody else's", () =>
    Effect.gen(function*() {
      const { advance, checkpoints, seen, write } = yield* scene
      const [ended, late] = [yield* Latch.make(), yield* Deferred.make<Exit.Exit<unknown, unknown>>()]
      const leaking = Effect.andThen(ended.await, write("late")).pipe(
        Effect.exit,
        Effect.flatMap((exit) => Deferred.succeed(late, exit)),
        Effect.forkDetach({ startImmediately: true })
      )
      yield* advance(leaking)
      const other = Effect.andThen(ended.open, Deferred.await(late))
      assert.isTrue(Exit.hasDies(yield* checkpoints.transaction(other)))
      deepStrictEqual(yield* seen, { at: 1n, keys: [], notes: [] })
    }))
})

describe("an engine that gives up", () => {
  const spoilt = Effect.gen(function*() {
    const all = yield* scene
    const spoil = (how: string, table: string) =>
      all.sql.unsafe(`CREATE TRIGGER spoil BEFORE INSERT ON ${table} BEGIN SELECT RAISE(${how}, 'of the engine'); END`)
    return { ...all, spoil, table: `varve_view_${all.view.name.replaceAll("-", "_")}_1` }
  })

  it.effect("I11: in the middle of work keeps nothing, whoever goes on after it", () =>
    Effect.gen(function*() {
      const { advance, note, seen, spoil, sql, write } = yield* spoilt
      yield* spoil("ROLLBACK", "notes")
      const after = yield* Deferred.make<ReadonlyArray<string>>()
      const goesOn = Effect.gen(function*() {
        yield* write("before")
        yield* Effect.ignore(note("spoilt"))
        const rest = yield* Effect.all([
          Effect.exit(write("after")),
          Effect.exit(sql`UPDATE notes SET text = 'x'`),
          Effect.exit(Stream.runDrain(sql`SELECT text FROM notes`.stream)),
          Effect.exit(sql.withTransaction(Effect.void))
        ])
        yield* Deferred.succeed(after, rest.map(({ _tag }) => _tag))
      })
      const error = yield* Effect.flip(advance(goesOn))
      strictEqual(
        error.message,
        "The store is unavailable (advance): the engine has rolled the transaction back, because a statement in it failed"
      )
      deepStrictEqual(yield* Deferred.await(after), ["Failure", "Failure", "Failure", "Failure"])
      deepStrictEqual(yield* seen, nothing)
      yield* sql`DROP TRIGGER spoil`
      yield* advance(write("again"))
      deepStrictEqual(yield* seen, { at: 1n, keys: ["again"], notes: [] })
    }))

  it.effect("I11: at one of several documents keeps none of them, and what was before", () =>
    Effect.gen(function*() {
      for (const how of ["ABORT", "FAIL"]) {
        const { advance, seen, sql, table, write } = yield* spoilt
        yield* sql.unsafe(`CREATE TRIGGER spoil BEFORE INSERT ON ${table} WHEN NEW.key = 'bad'
          BEGIN SELECT RAISE(${how}, 'of the engine'); END`)
        const errors: Array<string> = []
        const failing = Effect.flip(write("good", "bad", "behind")).pipe(
          Effect.map((error) => errors.push(error.message))
        )
        yield* advance(Effect.all([write("before"), failing, write("after")]))
        deepStrictEqual(yield* seen, { at: 1n, keys: ["after", "before"], notes: [] })
        yield* failing
        deepStrictEqual(yield* seen, { at: 1n, keys: ["after", "before"], notes: [] })
        for (const message of errors) assert.notMatch(message, /varve_|INSERT|of the engine/)
      }
    }))

  it.effect("at a checkpoint is an unavailable store, and no work is begun", () =>
    Effect.gen(function*() {
      const { advance, seen, spoil, write } = yield* spoilt
      yield* spoil("ABORT", "varve_checkpoints")
      strictEqual(
        (yield* Effect.flip(advance(Effect.andThen(write("a"), Effect.die("begun")))))._tag,
        "StoreUnavailable"
      )
      deepStrictEqual(yield* seen, nothing)
    }))

  for (const code of [13, 778]) {
    it.effect(`I7: in a commit that could not write (${code}) has kept nothing, for certain`, () =>
      Effect.gen(function*() {
        const { advance, seen, write } = yield* scene
        const error = yield* failingCommit(code, "ROLLBACK").pipe(
          Effect.andThen(Effect.flip(advance(write("a")))),
          Effect.scoped
        )
        strictEqual(error._tag, "StoreUnavailable")
        assert.notMatch(error.message, /not known/)
        deepStrictEqual(yield* seen, nothing)
      }))
  }

  for (const outcome of ["ROLLBACK", "COMMIT"]) {
    it.effect(`I7: in an fsync says that nobody knows, be it a ${outcome}, and the checkpoint tells`, () =>
      Effect.gen(function*() {
        const { advance, checkpoints, seen, write } = yield* scene
        const attempts = [advance(write("a")), checkpoints.transaction(write("b")), write("c")]
        const isKept = outcome === "COMMIT"
        for (const attempt of attempts) {
          const error = yield* failingCommit(1034, outcome).pipe(
            Effect.andThen(Effect.flip(Effect.asVoid(attempt))),
            Effect.scoped
          )
          strictEqual(error._tag, "StoreUnavailable")
          assert.match(error.message, /the disk failed; it is not known whether what was written has been kept$/)
        }
        deepStrictEqual(yield* seen, isKept ? { at: 1n, keys: ["a", "b", "c"], notes: [] } : nothing)
        yield* advance(write("again"), isKept ? 1 : 0)
      }))
  }
})

describe("whoever else has the file", () => {
  it.effect("makes a transaction wait, but none of those who read meanwhile", () =>
    Effect.gen(function*() {
      const { advance, events, filename, seen, write } = yield* scene
      const other = yield* stranger(filename)
      other.exec("BEGIN IMMEDIATE")
      const waiting = yield* Effect.forkChild(advance(write("a")), { startImmediately: true })
      yield* TestClock.adjust("4 seconds")
      strictEqual(waiting.pollUnsafe(), undefined)
      deepStrictEqual(yield* seen, nothing)
      strictEqual(yield* events.head, 0n)
      other.exec("COMMIT")
      yield* TestClock.adjust("50 millis")
      yield* Fiber.join(waiting)
      deepStrictEqual(yield* seen, { at: 1n, keys: ["a"], notes: [] })
    }))

  it.effect("makes the store unavailable after 5 seconds, without any work being begun", () =>
    Effect.gen(function*() {
      const { advance, filename, seen, write } = yield* scene
      const other = yield* stranger(filename)
      other.exec("BEGIN IMMEDIATE")
      const work = Effect.andThen(write("a"), Effect.die("begun"))
      const waiting = yield* Effect.forkChild(Effect.flip(advance(work)), { startImmediately: true })
      yield* TestClock.adjust("6 seconds")
      assert.match((yield* Fiber.join(waiting)).message, /another process is writing/)
      other.exec("COMMIT")
      yield* TestClock.adjust("1 minute")
      deepStrictEqual(yield* seen, nothing)
    }))

  it.effect("is left alone by a transaction that is interrupted while it waits", () =>
    Effect.gen(function*() {
      const { advance, filename, seen, write } = yield* scene
      const other = yield* stranger(filename)
      other.exec("BEGIN IMMEDIATE")
      const waiting = yield* Effect.forkChild(advance(write("a")), { startImmediately: true })
      yield* TestClock.adjust("1 second")
      yield* Fiber.interrupt(waiting)
      other.exec("COMMIT")
      yield* TestClock.adjust("1 minute")
      deepStrictEqual(yield* seen, nothing)
      yield* advance(write("b"))
    }))
})

describe("whoever else has the engine", () => {
  /** As a consumer of rows does that asks for a transaction: the engine is his until he has read them all. */
  const holding = Effect.fnUntraced(function*() {
    const all = yield* scene
    yield* Effect.forEach(["a", "b"], all.note)
    const [held, free] = [yield* Latch.make(), yield* Latch.make()]
    const reading = all.sql`SELECT text FROM notes`.stream.pipe(
      Stream.runForEach(() => Effect.andThen(held.open, free.await))
    )
    yield* Effect.forkChild(reading, { startImmediately: true })
    yield* held.await
    return { ...all, free }
  })

  it.effect("is waited for, and then the work is done", () =>
    Effect.gen(function*() {
      const { advance, free, seen, write } = yield* holding()
      const waiting = yield* Effect.forkChild(advance(write("a")), { startImmediately: true })
      yield* TestClock.adjust("4999 millis")
      strictEqual(waiting.pollUnsafe(), undefined)
      yield* free.open
      yield* Fiber.join(waiting)
      deepStrictEqual(yield* seen, { at: 1n, keys: ["a"], notes: ["a", "b"] })
    }))

  it.effect("is waited for 5 seconds at most: who asks may be the one who has it", () =>
    Effect.gen(function*() {
      const { advance, free, seen, write } = yield* holding()
      const work = Effect.andThen(write("a"), Effect.die("begun"))
      const waiting = yield* Effect.forkChild(Effect.flip(advance(work)), { startImmediately: true })
      yield* TestClock.adjust("5 seconds")
      assert.match((yield* Fiber.join(waiting)).message, /the application held its SqlClient/)
      yield* free.open
      deepStrictEqual(yield* seen, { at: undefined, keys: [], notes: ["a", "b"] })
    }))

  it.effect("does not end work that has begun, however long that takes", () =>
    Effect.gen(function*() {
      const { advance, free, seen, write } = yield* holding()
      const [begun, end] = [yield* Latch.make(), yield* Latch.make()]
      const work = begun.open.pipe(Effect.andThen(write("a")), Effect.andThen(end.await))
      const waiting = yield* Effect.forkChild(advance(work), { startImmediately: true })
      yield* free.open
      yield* begun.await
      yield* TestClock.adjust("1 minute")
      yield* end.open
      yield* Fiber.join(waiting)
      deepStrictEqual(yield* seen, { at: 1n, keys: ["a"], notes: ["a", "b"] })
    }))
})

describe("the stores of one file", () => {
  it.effect("are one database, and those of another file are another one", () =>
    Effect.gen(function*() {
      const [one, two] = [yield* scene, yield* scene]
      const ids = [one, two].map(({ checkpoints, events, letters, views }) =>
        new Set([events.storeId, checkpoints.storeId, views.storeId, letters.storeId])
      )
      deepStrictEqual(ids.map(({ size }) => size), [1, 1])
      assert.notStrictEqual(one.events.storeId, two.events.storeId)
    }))

  it.effect("I11: a transaction of one file does not take the stores of another one into it", () =>
    Effect.gen(function*() {
      const [one, two] = [yield* scene, yield* scene]
      yield* Effect.flip(one.advance(Effect.all([one.write("a"), two.write("a"), Effect.fail("no")])))
      deepStrictEqual([(yield* one.seen).keys, (yield* two.seen).keys], [[], ["a"]])
    }))

  it.effect("keep everything when the file is closed and opened again", () =>
    Effect.gen(function*() {
      const filename = yield* freshFile
      const view = ReadSide.view([{ field: "n", type: "number" }])
      const [id, reader] = [ReadSide.checkpoint(), ReadSide.reader()]
      const look = ({ checkpoints, leases, letters, views }: Effect.Success<ReturnType<typeof open>>) =>
        Effect.all([
          checkpoints.list(),
          views.list(view, { tenant, limit: 9 }),
          views.live(view.name),
          letters.list({}),
          letters.parked(reader),
          leases.list
        ])
      const before = yield* Effect.scoped(Effect.gen(function*() {
        const stores = yield* open({ filename })
        yield* stores.views.prepare(view)
        yield* stores.checkpoints.advance(
          ReadSide.step(id, 0, 5n),
          Effect.all([
            stores.views.write(view, [put("a", { n: 1 })]),
            stores.views.flip(view.name, { from: undefined, to: { version: 1, pinned: true } }),
            stores.letters.put(ReadSide.letter(reader, 3n)),
            stores.letters.park({ reader, stream: { tenant, category: "c", id: "s" }, fromPosition: 3n })
          ])
        )
        yield* stores.leases.claim({ name: "lease", holder: "h", millis: 1_000 })
        return yield* look(stores)
      }))
      deepStrictEqual(yield* Effect.flatMap(open({ filename }), look), before)
      assert.isTrue(before.every((found) => found !== undefined && (!Array.isArray(found) || found.length === 1)))
    }))
})

const counted = (count: number) => Array.from({ length: count }, (_, index) => index + 1)

/** The count as it is kept, and the steps that led there. */
const seenIn = Effect.fnUntraced(function*(filename: string) {
  const { checkpoints, views } = yield* open({ filename })
  const found = yield* views.list(view, { tenant, orderBy: { field: "n", direction: "ascending" }, limit: 1_000 })
  const [count] = found.filter(({ key }) => key === "count")
  return {
    revision: (yield* checkpoints.get(id))?.revision,
    count: count && JSON.parse(count.document).n,
    steps: found.filter(({ key }) => key !== "count").map(({ key, revision }) => [Number(key), revision])
  }
})

describe("several processes on one file", () => {
  it.live("I11, I12: move a checkpoint along one chain, and count each step once", () =>
    Effect.gen(function*() {
      const filename = yield* freshFile
      const processes = yield* Effect.forEach(counted(3), () => startProcess("advancer.ts", filename, "40"))
      const codes = yield* Effect.forEach(processes, ({ child }) => ended(child), { concurrency: "unbounded" })
      deepStrictEqual(codes, [0, 0, 0])
      deepStrictEqual(processes.flatMap(({ told }) => told).toSorted((a, b) => a - b), counted(120))
      deepStrictEqual(yield* seenIn(filename), {
        revision: 120,
        count: 120,
        steps: counted(120).map((n) => [n, 1])
      })
    }), 60_000)

  it.live("I11: count each step once, also when they are killed in the middle of one", () =>
    Effect.gen(function*() {
      const filename = yield* freshFile
      const told: Array<number> = []
      for (let round = 1; round <= 3; round++) {
        const [one, two] = yield* Effect.replicateEffect(startProcess("advancer.ts", filename, "1000000"), 2)
        const begun = Effect.repeat(
          Effect.suspend(() => Effect.succeed(one!.told.length > 5 && two!.told.length > 5)),
          { until: (begun) => begun, schedule: Schedule.spaced("5 millis") }
        )
        yield* Effect.timeout(begun, "20 seconds")
        for (const { child } of [one!, two!]) child.kill("SIGKILL")
        yield* Effect.forEach([one!, two!], ({ child }) => ended(child))
        told.push(...one!.told, ...two!.told)
        const { count, revision, steps } = yield* seenIn(filename)
        assert.isAtLeast(count, Math.max(...told))
        deepStrictEqual([revision, steps], [count, counted(count).map((n) => [n, 1])])
      }
      strictEqual(new Set(told).size, told.length)
    }), 60_000)
})
