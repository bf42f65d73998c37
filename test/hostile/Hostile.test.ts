/**
 * Hostile input, at every door: what is malformed gets a typed answer in plain words, what is merely strange is kept as
 * it is, and neither harms a neighbour, the process, or what objects inherit.
 */
import { afterEach, assert, describe, it } from "@effect/vitest"
import { Cause, Duration, Effect, Exit, Layer, Option, Result, Schema, Stream } from "effect"
import { writeFileSync } from "node:fs"
import { dirname, join } from "node:path"
import type { DatabaseSync } from "node:sqlite"
import { admitMetadata } from "../../src/Admission.ts"
import * as Aggregate from "../../src/Aggregate.ts"
import { isCommandFailed, type Reason } from "../../src/AggregateHost.ts"
import * as AggregateRuntime from "../../src/AggregateRuntime.ts"
import * as App from "../../src/cli/App.ts"
import * as CommandFile from "../../src/cli/CommandFile.ts"
import * as Run from "../../src/cli/Run.ts"
import * as StatusLine from "../../src/cli/StatusLine.ts"
import * as Event from "../../src/Event.ts"
import { untyped } from "../../src/internal/types.ts"
import * as Memory from "../../src/memory/Memory.ts"
import * as Sqlite from "../../src/sqlite/Sqlite.ts"
import * as Worker from "../../src/Worker.ts"
import { Accounts, behavior, Supervisor } from "../fixtures/Account.ts"
import { freshFile, stranger } from "../sqlite/file.ts"
import { type Hostile, lines, metadata, names, payloads, type Row, rows } from "./corpus.ts"

const Live = Accounts.toLayer(behavior, { snapshotEvery: 3 }).pipe(
  Layer.provide(AggregateRuntime.layer),
  Layer.provide(Supervisor.layerYes)
)

/** Whatever was sent, nobody's prototype has changed. */
afterEach(() => {
  assert.notProperty({}, "polluted")
  assert.deepStrictEqual(Object.keys(Object.prototype), [])
  assert.deepStrictEqual(Object.keys(Array.prototype), [])
})

/** The reason of a failure that is typed, plain, and no defect. */
const reasonOf = (exit: Exit.Exit<unknown, unknown>): Reason["_tag"] | undefined => {
  if (Exit.isSuccess(exit)) return undefined
  assert.isFalse(Cause.hasDies(exit.cause), Cause.pretty(exit.cause))
  const error = Option.getOrThrow(Cause.findErrorOption(exit.cause))
  assert.isTrue(isCommandFailed(error), String(error))
  if (!isCommandFailed(error)) return undefined
  assertPlain(error.message)
  return error.reason._tag
}

/** What a user reads is one line without SQL, stacks or places in the code. */
const assertPlain = (message: string) => {
  assert.notMatch(message, /SELECT|INSERT|UPDATE|DELETE|sqlite_|varve_events|\n\s*at |\.ts:\d|node:/)
  assert.isBelow(message.length, 2_000)
}

const refusals = ["InputInvalid", "LimitExceeded"]

/** A hostile command between two good ones, beside it: they are carried out whatever becomes of it. */
const between = Effect.fnUntraced(function*(hostile: Effect.Effect<unknown, unknown>, isValid: boolean) {
  const accounts = yield* Accounts
  const good = Effect.exit(accounts.of("good", { returning: "commit" }).deposit({ cents: 1 }))
  const [before, exit, after] = yield* Effect.all([good, Effect.exit(hostile), good], { concurrency: "unbounded" })
  assert.isTrue(Exit.isSuccess(before) && Exit.isSuccess(after))
  const reason = reasonOf(exit)
  if (isValid) assert.isUndefined(reason)
  else assert.include(refusals, reason)
  return exit
})

describe("I22: a payload", () => {
  for (const { isValid, name, value } of payloads) {
    it.effect(
      `${isValid ? "is kept" : "is refused"}: ${name}`,
      Effect.fnUntraced(function*() {
        const accounts = yield* Accounts
        yield* between(accounts.of("others").deposit(untyped(value)), isValid)
        // With a command id the payload is fingerprinted too, and the outcome recorded.
        yield* between(accounts.of("hostile", { commandId: "c-1" }).deposit(untyped(value)), isValid)
        const { balanceCents } = yield* accounts.state("others")
        assert.strictEqual(balanceCents, isValid ? Number(untyped<{ cents: number }>(value).cents) : 0)
        if (isValid) assert.lengthOf(yield* Stream.runCollect(accounts.history("hostile")), 1)
      }, Effect.provide(Live.pipe(Layer.provide(Memory.layer))))
    )
  }
})

describe("I22: a name", () => {
  for (const { isValid, name, value } of names) {
    it.effect(
      `${isValid ? "is kept" : "is refused"} as id, tenant and command id: ${name}`,
      Effect.fnUntraced(
        function*() {
          const accounts = yield* Accounts
          const given = untyped<string>(value)
          yield* between(accounts.of(given).deposit({ cents: 5 }), isValid)
          yield* between(accounts.of("a", { tenant: given }).deposit({ cents: 6 }), isValid)
          yield* between(accounts.of("b", { commandId: given }).deposit({ cents: 7 }), isValid)
          for (
            const read of [
              accounts.state(given),
              accounts.state("a", { tenant: given, consistency: "resident" }),
              accounts.stateAt(given, { version: 0 }),
              accounts.exists(given),
              Stream.runDrain(accounts.history(given))
            ]
          ) yield* between(read, isValid)
          if (!isValid) return
          // Each is a stream of its own: the same name in another place, or another name, is somebody else.
          const expected = value === "a" ? 11 : 5
          assert.strictEqual((yield* accounts.state(given)).balanceCents, expected)
          assert.strictEqual((yield* accounts.state("a", { tenant: given })).balanceCents, 6)
          assert.strictEqual((yield* accounts.state("a")).balanceCents, 0)
          const [recorded] = yield* Stream.runCollect(accounts.history(given))
          assert.strictEqual(recorded?.id, given)
          const repeated = yield* accounts.of("b", { commandId: given, returning: "commit" }).deposit({ cents: 7 })
          assert.isTrue(repeated.duplicate)
        },
        Effect.scoped,
        Effect.provide(Live.pipe(Layer.provide(layerFile)))
      )
    )
  }
})

const throwing = {
  get user(): string {
    throw new Error("not today")
  }
}
const { proxy: revoked, revoke } = Proxy.revocable({}, {})
revoke()

describe("I22: metadata", () => {
  for (const { isValid, name, value } of metadata) {
    it.effect(
      `${isValid ? "is kept" : "is refused"}: ${name}`,
      Effect.fnUntraced(function*() {
        const accounts = yield* Accounts
        yield* between(accounts.of("a", { metadata: untyped(value) }).deposit({ cents: 1 }), isValid)
        if (!isValid) return
        const [recorded] = yield* Stream.runCollect(accounts.history("a"))
        assert.deepStrictEqual({ ...recorded?.metadata }, { ...untyped<Record<string, string>>(value) })
        assert.isTrue(Result.isSuccess(admitMetadata(recorded!.metadata)))
      }, Effect.provide(Live.pipe(Layer.provide(Memory.layer))))
    )
  }

  for (
    const [name, options] of Object.entries({
      "ifVersion: a fraction": { ifVersion: 0.5 },
      "ifVersion: negative": { ifVersion: -1 },
      "ifVersion: NaN": { ifVersion: NaN },
      "ifVersion: a numeral": { ifVersion: "0" },
      "ifVersion: 2^53": { ifVersion: 2 ** 53 },
      "a deadline that is no duration": { deadline: "soon" },
      "a deadline that is a list": { deadline: [] },
      "a deadline that is not a number": { deadline: NaN },
      "a deadline of parts that are not numbers": { deadline: { seconds: NaN } },
      "a deadline before now": { deadline: -5 },
      "a deadline before all times": { deadline: "-Infinity" },
      "metadata that is text": { metadata: "user" },
      "metadata that is null": { metadata: null },
      "metadata that is a list": { metadata: ["user"] },
      "metadata that is a list, of a command with an id": { metadata: ["user"], commandId: "c" },
      "metadata that is a Map": { metadata: new Map([["user", "a"]]) },
      "metadata that is a Date": { metadata: new Date(0) },
      "metadata that throws": { metadata: throwing },
      "metadata that throws, of a command with an id": { metadata: throwing, commandId: "c" },
      "metadata that has been revoked": { metadata: revoked },
      "metadata that has been revoked, of a command with an id": { metadata: revoked, commandId: "c" }
    })
  ) {
    it.effect(
      `and other options are refused: ${name}`,
      Effect.fnUntraced(function*() {
        const accounts = yield* Accounts
        yield* between(accounts.of("a", untyped(options)).deposit({ cents: 1 }), false)
        assert.isFalse(yield* accounts.exists("a"))
      }, Effect.provide(Live.pipe(Layer.provide(Memory.layer))))
    )
  }
})

const layerFile = Layer.unwrap(Effect.map(freshFile, (filename) => Sqlite.layer({ filename })))

/** Changes one stored event by hand, as nobody should. */
const tamper = (database: DatabaseSync, row: Row) => {
  const columns = Object.entries(row)
  const assignments = columns.map(([column]) => `${column} = ?`).join(", ")
  database.prepare(`UPDATE varve_events SET ${assignments} WHERE stream_id = 'damaged' AND version = 2`)
    .run(...columns.map(([, value]) => value))
}

const damageReasons = ["StreamUnreadable", "HandlerMissing", "SchemaTooNew", "StreamMismatch", "StoreUnavailable"]

/** A stream with a row that was changed, between two that were not, all in the same file. */
const aroundDamage = Effect.fnUntraced(function*({ isValid, value }: Hostile<Row>) {
  const filename = yield* freshFile
  yield* Effect.gen(function*() {
    const accounts = yield* Accounts
    for (const id of ["before", "damaged", "damaged", "damaged", "after"]) yield* accounts.of(id).deposit({ cents: 1 })
  }).pipe(Effect.provide(
    Accounts.toLayer(behavior).pipe(
      Layer.provide(AggregateRuntime.layer),
      Layer.provide(Layer.merge(Supervisor.layerYes, Sqlite.layer({ filename })))
    )
  ))
  tamper(yield* stranger(filename), value)
  yield* Effect.gen(function*() {
    const accounts = yield* Accounts
    const damaged = accounts.of("damaged")
    const asks: ReadonlyArray<Effect.Effect<unknown, unknown>> = [
      damaged.deposit({ cents: 1 }),
      accounts.state("damaged"),
      accounts.stateAt("damaged", { version: 3 }),
      Stream.runDrain(accounts.history("damaged"))
    ]
    for (const ask of asks) {
      const reason = reasonOf(yield* Effect.exit(ask))
      if (isValid) assert.isUndefined(reason)
      else assert.include(damageReasons, reason)
    }
    for (const id of ["before", "after"]) {
      yield* accounts.of(id).deposit({ cents: 1 })
      assert.deepStrictEqual(yield* accounts.state(id), { balanceCents: 2 })
      assert.lengthOf(yield* Stream.runCollect(accounts.history(id)), 2)
    }
  }).pipe(Effect.provide(Live.pipe(Layer.provide(Sqlite.layer({ filename })))))
}, Effect.scoped)

describe("I22: a stored row", () => {
  for (const row of rows) {
    it.effect(`${row.isValid ? "is read" : "is named in a typed failure"}: ${row.name}`, () => aroundDamage(row))
  }
})

it("the corpus has at least 150 entries, and each a name of its own", () => {
  const all = [payloads, names, metadata, lines, rows]
  assert.isAtLeast(all.reduce((sum, { length }) => sum + length, 0), 150)
  for (const part of all) assert.strictEqual(new Set(part.map(({ name }) => name)).size, part.length)
})

const Said = Event.union({ Said: {} })

class Words extends Aggregate.Service<Words>()("Word", {
  state: Schema.Int,
  events: Said,
  commands: [Aggregate.command("say")]
}) {}

const words = App.make({
  name: "words",
  aggregates: Words.toLayer({
    initial: 0,
    evolve: { Said: (count) => count + 1 },
    handlers: { say: () => Aggregate.decide([Said.cases.Said.make({})]) }
  }),
  line: Schema.Struct({ word: Schema.String }),
  key: ({ word }) => word,
  execute: ({ word }, commandId) => Effect.flatMap(Words, (words) => words.of(word, { commandId }).say())
})

describe("I22: a line of a command file", () => {
  it.live(
    "is carried out or reported by its number, and the lines around it are carried out",
    Effect.fnUntraced(function*() {
      const said: Array<string> = []
      const folder = dirname(yield* freshFile)
      const file = join(folder, "lines.ndjson")
      // Each hostile line stands between two good ones.
      const good = new TextEncoder().encode("{\"word\":\"good\"}")
      const newline = Uint8Array.from([10])
      writeFileSync(file, Buffer.concat(lines.flatMap(({ value }) => [value, newline, good, newline])))
      const commands = yield* CommandFile.open(file)
      const status = StatusLine.make({ write: (text) => said.push(text) })
      const summary = yield* Run.run(
        words,
        commands,
        { strict: false, concurrency: 8, patience: Duration.zero },
        status
      ).pipe(
        Effect.provide(Worker.layer({ aggregates: [words.aggregates] }).pipe(Layer.provideMerge(Memory.layer)))
      )
      const bad = lines.flatMap(({ isValid }, index) => isValid ? [] : [2 * index + 1])
      const reported = said.flatMap((text) => /^line (\d+) is bad: /.exec(text)?.[1] ?? []).map(Number)
      assert.deepStrictEqual(reported.toSorted((a, b) => a - b), bad)
      assert.strictEqual(summary.bad, bad.length)
      assert.strictEqual(summary.accepted, 2 * lines.length - bad.length)
      assert.deepStrictEqual(summary.rejected, {})
      said.forEach(assertPlain)
    }, Effect.scoped)
  )
})
