/**
 * A new version of a view is filled beside the old one, under load: a process with the old code and one with the new, a
 * third one that writes; both ask all the time. The new one is killed on the way, and goes on where it was; it takes
 * over; it is rolled back, and takes over again. Nobody's question fails or is answered with what never was; both
 * versions become what the log says; and what was done at an event is not done again.
 *
 * `npm run soak -- rebuild [RUNS] [SEED] [PLACE]`, 5 runs on both places unless given; the tests run a small one.
 */
import { Effect, Fiber } from "effect"
import { once } from "node:events"
import { existsSync, readFileSync } from "node:fs"
import { join } from "node:path"
import { CheckpointStore } from "../../src/CheckpointStore.ts"
import type { Stored } from "../../src/Event.ts"
import { EventStore } from "../../src/EventStore.ts"
import { randomOf, type Seeded } from "../../src/testing/Seeded.ts"
import { type LiveVersion, ViewStore } from "../../src/ViewStore.ts"
import * as Chains from "./chains.ts"
import { differences, documentsOf, readLog } from "./logs.ts"
import { inOwnPlace, storesWithSqlAt } from "./place.ts"
import { appends, expected, step, type Trace } from "./readModels.ts"
import type { Asked, Told } from "./rebuilder.ts"
import * as Workers from "./workers.ts"
import type { Worker } from "./workers.ts"

/** What the runs came to. */
export interface Report {
  readonly runs: number
  readonly events: number
  /** How often the new one was killed before it had taken over, and from which share of the log it went on. */
  readonly kills: number
  readonly resumedAt: ReadonlyArray<string>
  /** Rounds of questions: for a document, a list and a count. */
  readonly reads: number
  readonly effects: number
  readonly seconds: number
  /** What went wrong; empty in health. */
  readonly problems: ReadonlyArray<string>
}

/** How much of it. */
export interface Options {
  readonly runs: number
  readonly seed: number
  /** The URL of a PostgreSQL; a file of SQLite unless given. */
  readonly url?: string | undefined
  /** How long the log is before the new version begins; 20,000 unless given. */
  readonly events?: number
  /** In each run; 3 unless given. */
  readonly kills?: number
}

interface Tally {
  events: number
  kills: number
  reads: number
  effects: number
  readonly resumedAt: Array<string>
  readonly problems: Array<string>
}

/** Runs so many, one after the other, each on a store of its own. */
export const run = async ({ events = 20_000, kills = 3, runs, seed, url }: Options): Promise<Report> => {
  const tally: Tally = { events: 0, kills: 0, reads: 0, effects: 0, resumedAt: [], problems: [] }
  const started = performance.now()
  for (let number = 0; number < runs && tally.problems.length === 0; number++) {
    const random = randomOf(seed * 1_013 + number)
    await inOwnPlace(url, "rebuild", async (place, folder) => {
      const stage = { place, file: join(folder, "effects"), random, events, kills }
      const problems = await Effect.runPromise(Effect.provide(runOnce(stage, tally), storesWithSqlAt(place)))
      tally.problems.push(...problems.map((problem) => `seed ${seed}, run ${number}: ${problem}`))
    })
  }
  return { runs, ...tally, seconds: Math.round((performance.now() - started) / 100) / 10 }
}

interface Stage {
  readonly place: string
  readonly file: string
  readonly random: Seeded
  readonly events: number
  readonly kills: number
}

const runOnce = Effect.fnUntraced(function*(stage: Stage, tally: Tally) {
  const { events, file, place, random } = stage
  yield* Chains.record(place)
  const { head } = yield* EventStore
  yield* write(random, Effect.map(head, (written) => written < events), 0)
  const said: Said = { seen: new Set(), failed: new Set(), reads: 0 }
  const old = yield* Effect.promise(() => start(place, file, 1, said))
  yield* reached(1, yield* head)
  let isOver = false
  const writer = yield* Effect.forkChild(write(random, Effect.sync(() => !isOver), 5))
  const young = yield* fill(stage, said, tally)
  yield* awaitLive({ version: 2, pinned: false })
  yield* Effect.sleep("500 millis")
  const problems = [yield* asked(young, "rollback")]
  yield* awaitLive({ version: 1, pinned: true })
  yield* Effect.sleep("500 millis")
  problems.push(yield* asked(young, "unpin"))
  yield* awaitLive({ version: 2, pinned: false })
  isOver = true
  yield* Fiber.join(writer)
  yield* reached(1, yield* head)
  yield* reached(2, yield* head)
  yield* effectsReached(yield* head)
  yield* Effect.promise(() => Promise.all([old.end("SIGTERM"), young.end("SIGTERM")]))
  tally.reads += said.reads
  return [...problems.flatMap((problem) => problem ?? []), ...yield* compare(stage, said, tally)]
})

/** Appends as long as it shall. */
const write = Effect.fnUntraced(
  function*<E, R>(random: Seeded, goesOn: Effect.Effect<boolean, E, R>, pauseMillis: number) {
    const store = yield* EventStore
    while (yield* goesOn) {
      yield* Effect.ignore(store.append(appends(random)))
      yield* Effect.sleep(pauseMillis)
    }
  }
)

// ── Processes

/** What the processes were answered, all together. */
interface Said {
  readonly seen: Set<string>
  readonly failed: Set<string>
  reads: number
}

const start = (place: string, file: string, version: 1 | 2, said: Said): Promise<Worker> =>
  Workers.start("rebuilder.ts", [place, file, String(version)], (message) => {
    const told = message as Told
    if ("asked" in told) return
    said.reads += told.reads
    for (const seen of told.seen) said.seen.add(seen)
    for (const failed of told.failed) said.failed.add(failed)
  })

/** What came of what a process was asked for; nothing if all is well. */
const asked = ({ child }: Worker, ask: Asked): Effect.Effect<string | undefined> =>
  Effect.promise(async () => {
    child.send(ask)
    while (true) {
      const [told] = await once(child, "message") as [Told]
      if ("asked" in told && told.asked === ask) return told.problem && `${ask}: ${told.problem}`
    }
  })

/** Has the new version filled by a process that is killed a few times on the way. Answers the one that is left. */
const fill = Effect.fnUntraced(function*({ events, file, kills, place, random }: Stage, said: Said, tally: Tally) {
  let young = yield* Effect.promise(() => start(place, file, 2, said))
  for (let kill = 0; kill < kills; kill++) {
    const from = yield* positionOf(2)
    const until = BigInt(Math.floor(events * (kill + 0.3 + 0.6 * random.next()) / kills))
    yield* reached(2, until > from ? until : from + 1n)
    yield* Effect.promise(() => young.end("SIGKILL"))
    tally.kills++
    tally.resumedAt.push(
      `${Math.round(100 * Number(yield* positionOf(2)) / Number(yield* (yield* EventStore).head))} %`
    )
    young = yield* Effect.promise(() => start(place, file, 2, said))
  }
  return young
})

// ── How far it is

const checkpointOf = (name: string, version: number) =>
  Effect.flatMap(CheckpointStore, ({ get }) => get({ name, version, partition: 0 }))

const positionOf = (version: number) =>
  Effect.map(checkpointOf("purses", version), (checkpoint) => checkpoint?.position ?? 0n)

const patience = "2 minutes"

const soon = <E, R>(is: Effect.Effect<boolean, E, R>) =>
  Effect.timeout(Effect.repeat(Effect.tap(is, () => Effect.sleep("5 millis")), { until: (done) => done }), patience)

const reached = (version: number, position: bigint) =>
  soon(Effect.map(positionOf(version), (reached) => reached >= position))

const effectsReached = (position: bigint) =>
  soon(Effect.map(checkpointOf("letters", 1), (checkpoint) => (checkpoint?.position ?? 0n) >= position))

const awaitLive = (wanted: LiveVersion) =>
  soon(Effect.map(
    Effect.flatMap(ViewStore, ({ live }) => live("purses")),
    (live) => live?.version === wanted.version && live.pinned === wanted.pinned
  ))

// ── What must be true

const compare = Effect.fnUntraced(function*({ file, place }: Stage, said: Said, tally: Tally) {
  const log = yield* readLog
  const wallets = expected(log).views.wallets
  const closed = log.filter(({ type }) => type === "Closed").map(({ position }) => Number(position))
  const done = existsSync(file) ? readFileSync(file, "utf8").trim().split("\n").map(Number) : []
  tally.events += log.length
  tally.effects += done.length
  const { problems, steps } = yield* Chains.examine(place)
  return [
    ...problems,
    ...steps > 0 ? [] : ["nothing was written down of checkpoints"],
    ...Array.from(said.failed, (failure) => `a question failed: ${failure}`),
    ...neverWas(log, said.seen),
    ...differences("version 1", yield* documentsOf("purses", 1), wallets),
    ...differences("version 2", yield* documentsOf("purses", 2), withCoins(log, wallets)),
    ...done.join() === closed.join() ? [] : [`effects were done ${done.length} times for ${closed.length} events`]
  ]
})

/** What was answered was true once: a document that a beginning of its stream comes to. */
const neverWas = (log: ReadonlyArray<Stored>, seen: ReadonlySet<string>): ReadonlyArray<string> => {
  const possible = new Set<string>()
  const traces = new Map<string, Trace>()
  for (const { category, id, version } of log) {
    if (category !== "Wallet") continue
    const trace = step(traces.get(id), { id, version })
    traces.set(id, trace)
    possible.add(`${id} ${trace.events} ${trace.trace}`)
  }
  return [...seen].flatMap((answer) => possible.has(answer) ? [] : [`answered what never was: ${answer}`])
}

const withCoins = (log: ReadonlyArray<Stored>, wallets: ReadonlyMap<string, Trace>) => {
  const coins = new Map<string, number>()
  for (const { category, data, id, type } of log) {
    if (category !== "Wallet") continue
    coins.set(id, (coins.get(id) ?? 0) + (type === "Filled" ? 1 : -1) * JSON.parse(data).coins)
  }
  return new Map(Array.from(wallets, ([id, trace]) => [id, { ...trace, coins: coins.get(id)! }]))
}
