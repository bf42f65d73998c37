/** What comes of the lines of `fixture.ndjson`, every one of them: the reading example of a file of commands. */
import { assert, it } from "@effect/vitest"
import { Duration, Effect, Layer } from "effect"
import { readFileSync } from "node:fs"
import { fileURLToPath } from "node:url"
import { EventStore } from "varve/EventStore"
import * as Memory from "varve/memory/Memory"
import * as Worker from "varve/Worker"
import * as CommandFile from "../../src/cli/CommandFile.ts"
import * as Run from "../../src/cli/Run.ts"
import * as StatusLine from "../../src/cli/StatusLine.ts"
import app from "./app.ts"
import { check } from "./check.ts"

const path = fileURLToPath(new URL("fixture.ndjson", import.meta.url))

/** The command ids of a file's lines are this and their number. */
const batch = "950c59863147b8134850e1eea99fe93af0ec6725f20d07e6086018b3b6d7e4b5"

const live = Worker.layer({ aggregates: [app.aggregates] }).pipe(Layer.provideMerge(Memory.layer))

/** Runs the fixture; `said` is what was said about bad lines. */
const run = Effect.gen(function*() {
  const said: Array<string> = []
  const status = StatusLine.make({ write: (text) => said.push(text) })
  const file = yield* CommandFile.open(path)
  const summary = yield* Run.run(app, file, { strict: false, concurrency: 64, patience: Duration.seconds(30) }, status)
  return { summary, said: said.filter((text) => text.startsWith("line ")) }
})

/** The streams by the way they went: the events' types, each with who did it where somebody did. */
const ways = Effect.gen(function*() {
  const store = yield* EventStore
  const { events } = yield* store.readAll({ after: 0n })
  const wayOf = new Map<string, string>()
  for (const { data, id, type } of events) {
    const { by } = JSON.parse(data)
    const step = type.replace("Declaration", "") + (by === undefined ? "" : ` by ${by}`)
    wayOf.set(id, wayOf.has(id) ? `${wayOf.get(id)}, ${step}` : step)
  }
  const towns: Record<string, Array<string>> = {}
  for (const [id, way] of wayOf) (towns[way] ??= []).push(id.replace("trip-", ""))
  return Object.fromEntries(Object.entries(towns).map(([way, ids]) => [way, ids.sort().join(" ")]))
})

it.effect("accounts for every line: accepted, rejected by reason, or bad", () =>
  Effect.gen(function*() {
    const { summary } = yield* run
    assert.deepStrictEqual(summary, {
      app: "expenses",
      batch,
      lines: 228,
      accepted: 200,
      rejected: { AlreadyDone: 3, AlreadyPaid: 3, NotItsTurn: 5, NotSubmitted: 3 },
      bad: 14,
      repeated: 0,
      seconds: 0,
      linesPerSecond: 0,
      position: "200"
    })
  }).pipe(Effect.provide(live)))

it.effect("says of every bad line what is wrong with it, and passes over empty ones", () =>
  Effect.gen(function*() {
    const { said } = yield* run
    assert.deepStrictEqual(said, [
      "line 13 is bad: it is not valid JSON\n",
      "line 26 is bad: Missing key at [\"case\"]\n",
      "line 39 is bad: Missing key at [\"Amount\"]\n",
      "line 52 is bad: Expected string at [\"Amount\"]\n",
      "line 78 is bad: Expected a step of a declaration, in the words of the log at [\"activity\"]\n",
      "line 91 is bad: it is not valid JSON\n",
      "line 104 is bad: Expected object\n",
      "line 117 is bad: Expected object\n",
      "line 130 is bad: Expected a decimal number like \"26.85\" at [\"Amount\"]\n",
      "line 141 is bad: Expected a value with a length of at least 1 at [\"case\"]\n",
      "line 151 is bad: Expected a time with its offset at [\"time\"]\n",
      "line 161 is bad: Expected string at [\"DeclarationNumber\"]\n",
      "line 181 is bad: Expected object\n",
      "line 191 is bad: Expected a decimal number like \"26.85\" at [\"Amount\"]\n"
    ])
  }).pipe(Effect.provide(live)))

const paid = "PaymentRequested, PaymentHandled"
const bySupervisor = `Approved by SUPERVISOR, ${paid}`
const byBoth = `Approved by ADMINISTRATION, ${bySupervisor}`
const sentBack = "Submitted, Rejected by ADMINISTRATION, Rejected by EMPLOYEE"

it.effect("leaves the streams that the accepted lines tell of", () =>
  Effect.gen(function*() {
    yield* run
    assert.deepStrictEqual(yield* ways, {
      [`Submitted, ${byBoth}`]:
        "aachen bergen cadiz delft essen faro gent haarlem halle ilmenau izmir karlsruhe leiden namur odense",
      [`Submitted, Approved by ADMINISTRATION, Approved by BUDGET OWNER, ${bySupervisor}`]:
        "jena kyiv lund malmo nancy",
      [`Submitted, ${bySupervisor}`]: "metz oslo porto riga siena",
      [`Submitted, Approved by PRE_APPROVER, ${bySupervisor}`]: "turku ulm vaasa",
      [`${sentBack}, Submitted, ${byBoth}`]: "wien york",
      [
        `${sentBack}, Submitted, Approved by ADMINISTRATION, Rejected by SUPERVISOR, Rejected by EMPLOYEE, Submitted, ` +
        `Approved by ADMINISTRATION, Approved by BUDGET OWNER, ${bySupervisor}`
      ]: "zagreb",
      "Submitted, Approved by PRE_APPROVER, Rejected by SUPERVISOR, Rejected by EMPLOYEE": "aarhus",
      [`Submitted, Rejected by PRE_APPROVER, Rejected by EMPLOYEE, Submitted, Approved by PRE_APPROVER, ${bySupervisor}`]:
        "basel",
      "Submitted, Approved by ADMINISTRATION, Rejected by BUDGET OWNER, Rejected by EMPLOYEE": "como",
      [
        `Submitted, Approved by ADMINISTRATION, Approved by SUPERVISOR, Rejected by MISSING, Submitted, ${byBoth}`
      ]: "dresden",
      "Saved": "espoo florence parma",
      [sentBack]: "rennes"
    })
  }).pipe(Effect.provide(live)))

it.effect("keeps what was claimed as it was written, and who took a step and when beside the event", () =>
  Effect.gen(function*() {
    yield* run
    const store = yield* EventStore
    const { events } = yield* store.readStream({ tenant: "default", category: "Declaration", id: "trip-delft" })
    const read = events.map(({ data, metadata, type }) => ({
      type,
      data: JSON.parse(data),
      metadata: JSON.parse(metadata)
    }))
    assert.lengthOf(read, 5)
    assert.deepStrictEqual(read[0], {
      type: "DeclarationSubmitted",
      data: { number: "2024-004", budget: "budget history", amount: "12.127772164" },
      metadata: {
        causationId: `${batch}:3`,
        resource: "STAFF MEMBER",
        role: "EMPLOYEE",
        step: "step-16",
        time: "2024-03-05T05:43:28.000+01:00"
      }
    })
  }).pipe(Effect.provide(live)))

it.effect("changes nothing when it is run again, and answers every line as before", () =>
  Effect.gen(function*() {
    const first = yield* run
    const streams = yield* ways
    assert.deepStrictEqual(yield* run, first)
    assert.deepStrictEqual(yield* ways, streams)
  }).pipe(Effect.provide(live)))

it.effect("ends as a script tells that knows the rule and nothing of Varve", () =>
  Effect.gen(function*() {
    const lines = readFileSync(path, "utf8").split("\n")
    const { said, summary } = yield* run
    const bad = new Set(said.map((text) => Number(/\d+/.exec(text)?.[0])))
    const good = lines.filter((line, index) => line.trim() !== "" && !bad.has(index + 1))
    assert.deepStrictEqual(check(good.join("\n")), { accepted: summary.accepted, rejected: summary.rejected })
  }).pipe(Effect.provide(live)))
