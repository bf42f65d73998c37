/** What a view is asked on a command line: as text, and what that is to the view; and how answers look. */
import { assert, describe, it } from "@effect/vitest"
import { Effect, Option, Schema } from "effect"
import * as DocumentTable from "../../src/cli/DocumentTable.ts"
import * as LetterText from "../../src/cli/LetterText.ts"
import type { Status } from "../../src/cli/ProjectionStatus.ts"
import * as Question from "../../src/cli/Question.ts"
import * as StatusTable from "../../src/cli/StatusTable.ts"

const document = Schema.Struct({
  status: Schema.Literals(["open", "sent"]),
  cents: Schema.NullOr(Schema.Int),
  paid: Schema.Boolean,
  at: Schema.Date
})
const view = (indexes: Question.View["view"]["indexes"]): Question.View => ({
  document,
  view: { name: "bills", version: 1, indexes }
})
const bills = view([
  { field: "status", type: "text" },
  { field: "cents", type: "number" },
  { field: "paid", type: "boolean" },
  { field: "at", type: "text" }
])

const ask = (where: ReadonlyArray<string>, order?: string, descending = false, of = bills) =>
  Question.read(of, { where, order: Option.fromUndefinedOr(order), descending })

const refused = (...question: Parameters<typeof ask>) =>
  Effect.map(Effect.flip(ask(...question)), ({ problem }) => problem)

describe("a question", () => {
  it.effect("has values of the types that documents have", () =>
    Effect.gen(function*() {
      const { where } = yield* ask(["status=open", "cents=-1250", "paid=true", "at=2026-11-21T09:00:00.000Z"])
      assert.deepStrictEqual(where, {
        status: "open",
        cents: -1_250,
        paid: true,
        at: new Date("2026-11-21T09:00:00.000Z")
      })
      assert.deepStrictEqual((yield* ask(["cents=null"])).where, { cents: null })
    }))

  it.effect("has an order, in either direction", () =>
    Effect.gen(function*() {
      assert.isUndefined((yield* ask([])).orderBy)
      assert.deepStrictEqual((yield* ask([], "cents")).orderBy, { field: "cents", direction: "ascending" })
      assert.deepStrictEqual((yield* ask([], "cents", true)).orderBy, { field: "cents", direction: "descending" })
    }))

  it.effect("that cannot be answered is refused with what can be asked", () =>
    Effect.gen(function*() {
      const form = "--where takes FIELD=VALUE, as in --where status=VALUE; not"
      assert.strictEqual(yield* refused(["open"]), `${form} "open".`)
      assert.strictEqual(yield* refused(["=open"]), `${form} "=open".`)
      const indexed = "Indexed: status, cents, paid, at."
      assert.strictEqual(yield* refused(["total=1"]), `bills has no index on "total". ${indexed}`)
      assert.strictEqual(yield* refused([], "total"), `bills has no index on "total". ${indexed}`)
      assert.strictEqual(yield* refused(["status=placed"]), "status cannot be \"placed\": Expected \"open\" | \"sent\"")
      assert.strictEqual(yield* refused(["cents=many"]), "cents cannot be \"many\": it is a number.")
      assert.strictEqual(yield* refused(["cents="]), "cents cannot be \"\": it is a number.")
      assert.strictEqual(yield* refused(["paid=yes"]), "paid cannot be \"yes\": it is true or false.")
      assert.strictEqual(
        yield* refused(["paid=true", "paid=false"]),
        "--where names paid twice; a document has it once."
      )
      assert.strictEqual(
        yield* refused([], undefined, true),
        "--descending turns the order round that --order FIELD gives."
      )
      assert.strictEqual(
        yield* refused([], "at", false, view([])),
        "bills has no indexed fields: it is asked by key only."
      )
    }))
})

describe("documents", () => {
  const documents = [
    { key: "a", document: { cents: 1_250, note: "x".repeat(60), lines: [{ n: 1 }] } },
    { key: "b\u001b[2J", document: { cents: null, note: "two\nlines" } }
  ]

  it("stand in columns, what is missing as a dash, and cannot steer a terminal", () => {
    assert.deepStrictEqual(DocumentTable.format(documents, undefined).split("\n"), [
      `KEY         cents  ${"note".padEnd(60)}  lines`,
      `a            1250  ${"x".repeat(60)}  [{"n":1}]`,
      `b\\u{1b}[2J      –  ${"two\\u{a}lines".padEnd(60)}  –`
    ])
  })

  it("with a long key or a long text do not move the others out of sight", () => {
    const key = "k".repeat(255)
    const long = [{ key, document: { note: "x".repeat(300), cents: 1 } }, {
      key: "b",
      document: { note: "", cents: 2 }
    }]
    const [, first, second] = DocumentTable.format(long, undefined).split("\n")
    assert.strictEqual(first, `${"k".repeat(99)}…  ${"x".repeat(99)}…      1`)
    assert.strictEqual(second, `b${" ".repeat(207)}2`)
    const [, inTerminal] = DocumentTable.format(long, 200).split("\n")
    assert.strictEqual(inTerminal, `${"k".repeat(39)}…  ${"x".repeat(39)}…      1`)
  })

  it("are cut to the width of a terminal", () => {
    const lines = DocumentTable.format(documents, 40).split("\n")
    assert.deepStrictEqual(lines.map((line) => [...line].length), [40, 40, 40])
    assert.isTrue(lines[1]!.endsWith("…"))
  })
})

const status: Status = {
  name: "bills",
  kind: "view",
  version: 2,
  live: { version: 2, pinned: false },
  state: "running",
  why: undefined,
  position: 1_000n,
  head: 1_234n,
  lagEvents: 234n,
  lagSeconds: 0.42,
  partitions: [],
  letters: 0,
  parked: 0,
  versions: [{ version: 2, position: 1_000n }],
  pace: undefined
}

describe("how projections stand", () => {
  const rows = (...changes: ReadonlyArray<Partial<Status>>) =>
    StatusTable.format(changes.map((change) => ({ ...status, ...change }))).split("\n").slice(1)
      .map((line) => line.replaceAll(/ {2,}/g, " | "))

  it("is a line each, with how far behind in events and in time", () => {
    assert.deepStrictEqual(
      rows(
        {},
        { lagEvents: 0n, position: 1_234n },
        { lagSeconds: 600 },
        { state: "in memory", kind: "fold", live: undefined, version: 1 }
      ),
      [
        "bills | 2 live | 1,000 | 1,234 | 234 · 0.4 s | running | 0 | 0",
        "bills | 2 live | 1,234 | 1,234 | 0 | running | 0 | 0",
        "bills | 2 live | 1,000 | 1,234 | 234 · 10 min | running | 0 | 0",
        "bills | 1 | – | 1,234 | – | in memory | 0 | 0"
      ]
    )
  })

  it("tells which version is read, and of a new one how long it takes", () => {
    assert.deepStrictEqual(
      rows(
        {
          live: { version: 1, pinned: false },
          position: 60_000n,
          head: 120_000n,
          lagEvents: 60_000n,
          pace: { perSecond: 12_000, remainingSeconds: 5 }
        },
        { live: { version: 1, pinned: true } }
      ),
      [
        "bills | 2 (1 is read) | 60,000 | 120,000 | 60,000 · 0.4 s | running: 50 %, 12,000/s, 5.0 s left | 0 | 0",
        "bills | 2 (1 is read, pinned) | 1,000 | 1,234 | 234 · 0.4 s | running | 0 | 0"
      ]
    )
  })

  it("names below what somebody should see to, with the next step", () => {
    const [, , ...notes] = rows({ state: "paused", why: "event 3", letters: 2, parked: 2 })
    assert.deepStrictEqual(notes, [
      "bills is paused: event 3. `views resume bills` lets it go on.",
      "bills could not work off 2 events, and passes over 2 streams: see `views letters bills`."
    ])
    assert.deepStrictEqual(rows({ state: "unattended" }).slice(2), ["bills is run by no worker just now."])
    assert.deepStrictEqual(rows({ state: "unattended", why: "it was inline" }).slice(2), [
      "bills is run by no worker just now: it was inline."
    ])
    assert.deepStrictEqual(rows({ state: "never run" }).slice(2), [
      "Version 2 of bills has never been run: a worker that has it fills it, or `run` with --projections."
    ])
  })
})

describe("letters", () => {
  const letter = (position: bigint) => ({
    reader: { name: "bills", version: 1 },
    position,
    eventId: "e",
    stream: { tenant: "default", category: "Bill", id: `b-${position}` },
    type: "BillSent",
    reason: "HandlerFailed" as const,
    error: "no such budget",
    attempts: 3,
    firstAtMillis: 0,
    lastAtMillis: 0
  })
  const told = (all: ReadonlyArray<bigint>, limit: number, after = 0n) =>
    LetterText.letters("bills", all.map(letter), { parked: [], limit, after })

  it("are not taken for all of them where as many are shown as were asked for", () => {
    assert.include(told([3n, 1_700n], 2), "\n\n2 letters. There may be more: --after 1700\n\n")
    assert.include(told([3n], 1), "\n\n1 letter. There may be more: --after 3\n\n")
    assert.notInclude(told([3n, 1_700n], 3), "more")
  })

  it("that there are none is said of what was asked for", () => {
    assert.strictEqual(told([], 20), "bills has no letters.")
    assert.strictEqual(told([], 20, 1_700n), "bills has no letters after position 1,700.")
  })
})

describe("what was done with a letter", () => {
  it("is told in events", () => {
    const left = { position: 1_234n, error: "no such budget" }
    assert.strictEqual(
      LetterText.retried("bills", { applied: 0, left: undefined }),
      "bills tries it again, as soon as a worker has it."
    )
    assert.strictEqual(LetterText.retried("bills", { applied: 1, left: undefined }), "bills has worked off the event.")
    assert.strictEqual(
      LetterText.retried("bills", { applied: 0, left }),
      "bills failed at position 1,234 again: no such budget"
    )
    assert.strictEqual(
      LetterText.retried("bills", { applied: 2, left }),
      "bills has worked off 2 events, and failed at position 1,234: no such budget"
    )
    assert.strictEqual(
      LetterText.discarded("bills", 17n, { applied: 2, left: undefined }),
      "The event at position 17 is given up. bills has worked off 2 that came behind it."
    )
    assert.strictEqual(
      LetterText.discarded("bills", 17n, { applied: 0, left: undefined }),
      "The event at position 17 is given up."
    )
  })
})
