/**
 * Two processes run the same projections on one store while a third one writes: views with several partitions, one that
 * two aggregates make together, an SQL projection, an effect. At random moments one of the two is killed, or stands still
 * for longer than its lease and then goes on, and both at once now and then. In the end views and rows must be what the
 * log says, the checkpoints one chain, effects done; and nobody who is behind may stand still for 30 seconds.
 *
 * `npm run soak -- projections [RUNS] [SEED] [PLACE]`, 20 runs of 8 faults on both places unless given; the tests run a
 * small one.
 */
import { Effect } from "effect"
import { SqlClient } from "effect/sql"
import { existsSync, readFileSync } from "node:fs"
import { join } from "node:path"
import { setTimeout } from "node:timers/promises"
import { CheckpointStore } from "../../src/CheckpointStore.ts"
import { EventStore } from "../../src/EventStore.ts"
import { Lease } from "../../src/Lease.ts"
import { randomOf, type Seeded } from "../../src/testing/Seeded.ts"
import * as Chains from "./chains.ts"
import { differences, documentsOf, readLog } from "./logs.ts"
import { inOwnPlace, storesWithSqlAt } from "./place.ts"
import { appends, type Expected, expected, partitions, tableOf } from "./readModels.ts"
import * as Workers from "./workers.ts"
import type { Worker } from "./workers.ts"

/** What the runs came to. */
export interface Report {
  readonly runs: number
  readonly faults: Readonly<Record<Fault, number>>
  readonly events: number
  /** Checkpoints that were set. */
  readonly steps: number
  /** How often a lease went to another process. */
  readonly takeovers: number
  /** Effects that were done, and how many of them again. */
  readonly effects: { readonly done: number; readonly again: number }
  /** From the last fault of a run to the moment when nobody was behind. */
  readonly caughtUpMillis: { readonly median: number; readonly most: number }
  readonly seconds: number
  /** What went wrong; empty in health. */
  readonly problems: ReadonlyArray<string>
}

/** What happens to a process. */
type Fault = "killed" | "frozen" | "both killed"

/** How much of it. */
export interface Options {
  readonly runs: number
  readonly seed: number
  /** In each run; 8 unless given. */
  readonly faults?: number
  /** The URL of a PostgreSQL; a file of SQLite unless given. */
  readonly url?: string | undefined
}

const leaseMillis = 1_000
const stillMillisMax = 30_000

/** Runs so many, one after the other, each on a store of its own. */
export const run = async ({ faults = 8, runs, seed, url }: Options): Promise<Report> => {
  const tally: Tally = {
    faults: { killed: 0, frozen: 0, "both killed": 0 },
    events: 0,
    steps: 0,
    takeovers: 0,
    effects: { done: 0, again: 0 },
    caughtUpMillis: [],
    problems: []
  }
  const started = performance.now()
  for (let number = 0; number < runs && tally.problems.length === 0; number++) {
    await inOwnPlace(url, "projections", async (place, folder) => {
      const random = randomOf(seed * 1_009 + number)
      const problems = await runOnce(place, join(folder, "effects"), random, faults, tally)
      tally.problems.push(...problems.map((problem) => `seed ${seed}, run ${number}: ${problem}`))
    })
  }
  const sorted = tally.caughtUpMillis.toSorted((one, other) => one - other)
  return {
    runs,
    ...tally,
    caughtUpMillis: { median: sorted[Math.floor(sorted.length / 2)] ?? 0, most: sorted.at(-1) ?? 0 },
    seconds: Math.round((performance.now() - started) / 100) / 10
  }
}

interface Tally {
  readonly faults: Record<Fault, number>
  events: number
  steps: number
  takeovers: number
  readonly effects: { done: number; again: number }
  readonly caughtUpMillis: Array<number>
  readonly problems: Array<string>
}

/** One run: what was wrong with it. */
const runOnce = (
  place: string,
  file: string,
  random: Seeded,
  faults: number,
  tally: Tally
): Promise<ReadonlyArray<string>> =>
  Effect.gen(function*() {
    yield* Chains.record(place)
    const writing = { isOver: false }
    const written = writeUntil(writing, random.below(1_000_000))
    const [, healed] = yield* Effect.all([
      written,
      Effect.promise(async () => {
        const processes = [await start(place, file), await start(place, file)]
        try {
          const lastFaultAt = await disturb(processes, place, file, faults, random, tally)
          writing.isOver = true
          return { processes, lastFaultAt }
        } catch (error) {
          writing.isOver = true
          await Promise.all(processes.map(({ end }) => end("SIGKILL")))
          throw error
        }
      })
    ], { concurrency: 2 })
    const problems = yield* settle(healed.lastFaultAt, tally)
    tally.takeovers += yield* takeovers
    yield* Effect.promise(() => Promise.all(healed.processes.map(({ end }) => end("SIGTERM"))))
    const log = yield* readLog
    tally.events += log.length
    return [...problems, ...yield* compare(place, file, expected(log), tally)]
  }).pipe(Effect.provide(storesWithSqlAt(place)), Effect.runPromise)

// ── Processes

const start = (place: string, file: string): Promise<Worker> =>
  Workers.start("reader.ts", [place, file, String(leaseMillis)])

/** Faults at random moments; answers when the last one was over. */
const disturb = async (
  processes: Array<Worker>,
  place: string,
  file: string,
  faults: number,
  random: Seeded,
  tally: Tally
): Promise<number> => {
  const again = async (which: number) => {
    processes[which] = await start(place, file)
  }
  for (let number = 0; number < faults; number++) {
    await setTimeout(50 + random.below(1_200))
    const which = random.below(2)
    const fault = random.oneOf<Fault>(["killed", "killed", "killed", "frozen", "both killed"])
    tally.faults[fault]++
    switch (fault) {
      case "killed":
        await processes[which]!.end("SIGKILL")
        await setTimeout(random.below(800))
        await again(which)
        break
      case "frozen":
        // It goes on as if nothing had been, and others have long had its lease.
        processes[which]!.signal("SIGSTOP")
        await setTimeout(leaseMillis * (1.2 + 2 * random.next()))
        processes[which]!.signal("SIGCONT")
        break
      case "both killed":
        await Promise.all(processes.map(({ end }) => end("SIGKILL")))
        await Promise.all([again(0), again(1)])
    }
  }
  return performance.now()
}

/** Appends as fast as it may, with pauses; a store that is away for a moment is asked again. */
const writeUntil = Effect.fnUntraced(function*(writing: { readonly isOver: boolean }, seed: number) {
  const store = yield* EventStore
  const random = randomOf(seed)
  while (!writing.isOver) {
    yield* Effect.ignore(store.append(appends(random)))
    yield* Effect.sleep(random.below(20) === 0 ? random.below(300) : random.below(12))
  }
})

// ── What must be true

/** Waits until nobody is behind. */
const settle = Effect.fnUntraced(function*(lastFaultAt: number, tally: Tally) {
  const checkpoints = yield* CheckpointStore
  const { head } = yield* EventStore
  const end = yield* head
  const wanted = Object.values(partitions).reduce((sum, count) => sum + count, 0)
  let least = { position: -1n, sinceMillis: performance.now() }
  while (true) {
    const all = yield* checkpoints.list()
    const behind = all.filter(({ position }) => position < end)
    const nowMillis = performance.now()
    if (all.length === wanted && behind.length === 0) {
      tally.caughtUpMillis.push(Math.round(nowMillis - lastFaultAt))
      return []
    }
    const position = behind.reduce((least, { position }) => position < least ? position : least, end)
    if (position !== least.position) least = { position, sinceMillis: nowMillis }
    if (nowMillis - least.sinceMillis > stillMillisMax) {
      const names = behind.map(({ name, partition, paused, position }) =>
        `${name}/${partition} at ${position}${paused === undefined ? "" : `, paused: ${paused}`}`
      )
      return [`${all.length} of ${wanted} checkpoints; standing still for 30 s, behind ${end}: ${names.join("; ")}`]
    }
    yield* Effect.sleep("20 millis")
  }
})

const compare = Effect.fnUntraced(function*(place: string, file: string, expected: Expected, tally: Tally) {
  const problems: Array<string> = []
  for (const [name, documents] of Object.entries(expected.views)) {
    const found = yield* documentsOf(name, 1)
    problems.push(...differences(name, found, documents))
    for (const [key, { revision }] of found) {
      const most = expected.touched.get(`${name} ${key}`) ?? 0
      if (revision > most) problems.push(`${name} "${key}" was written ${revision} times for ${most} events`)
    }
  }
  const sql = yield* SqlClient.SqlClient
  const rows = yield* sql<{ position: number | bigint; coins: number | bigint }>`SELECT * FROM ${sql(tableOf(place))}`
  const seen = new Map(rows.map(({ coins, position }) => [Number(position), Number(coins)]))
  if (seen.size !== expected.seen.size || [...expected.seen].some(([at, coins]) => seen.get(at) !== coins)) {
    problems.push(`the table has ${seen.size} rows, not those of ${expected.seen.size} events`)
  }
  problems.push(...compareEffects(file, expected.closed, tally))
  const chain = yield* Chains.examine(place)
  tally.steps += chain.steps
  return [...problems, ...chain.problems]
})

/** Each at least once, and first ones in order. */
const compareEffects = (file: string, closed: ReadonlyArray<number>, tally: Tally): ReadonlyArray<string> => {
  const lines = existsSync(file) ? readFileSync(file, "utf8").trim().split("\n").filter(Boolean).map(Number) : []
  const first = [...new Set(lines)]
  tally.effects.done += lines.length
  tally.effects.again += lines.length - first.length
  return first.join() === closed.join()
    ? []
    : [`effects were done at ${first.length} of ${closed.length}, or in disorder`]
}

/** A term begins whenever a lease goes to another holder than the one before. */
const takeovers = Effect.gen(function*() {
  const leases = yield* (yield* Lease).list
  return leases.reduce((sum, { term }) => sum + term - 1, 0)
})
