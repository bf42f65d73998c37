/**
 * A log of a million events is read from its beginning by a process that has never seen it: a fold, a view of a hundred
 * documents, and one of twenty thousand, which is twice as many as it keeps in memory. What it holds must not grow with
 * how far it has come.
 *
 * `npm run soak -- replay [EVENTS] [SEED] [PLACE]`, 1,000,000 on both places unless given; the tests run a small one.
 */
import { Effect } from "effect"
import { fork } from "node:child_process"
import { once } from "node:events"
import { join } from "node:path"
import { defaultTenant } from "../../src/Event.ts"
import { EventStore } from "../../src/EventStore.ts"
import { randomOf } from "../../src/testing/Seeded.ts"
import { inOwnPlace, storesWithSqlAt } from "./place.ts"
import { newEvent } from "./readModels.ts"
import type { Sample, Told } from "./replayer.ts"

/** What it held on its way, and where it came to. */
export interface Report {
  readonly events: number
  readonly seconds: number
  readonly eventsPerSecond: number
  /** Memory of the process in MiB, and its heap after a collection, at ten places of the way. */
  readonly samples: ReadonlyArray<Sample>
  readonly problems: ReadonlyArray<string>
}

/** How much of it. */
export interface Options {
  readonly events: number
  readonly seed: number
  /** The URL of a PostgreSQL; a file of SQLite unless given. */
  readonly url?: string | undefined
}

/** How many streams there are, each a document of the larger view. */
const streams = 20_000

/** How much the heap may grow once it has everything that it keeps, for what V8 does as it likes. */
const growthMiBMax = 24

/** Writes the log, has it read, and looks at what the reader says of itself. */
export const run = ({ events, seed, url }: Options): Promise<Report> =>
  inOwnPlace(url, "replay", async (place) => {
    await Effect.runPromise(Effect.provide(write(events, seed), storesWithSqlAt(place)))
    return judge(events, await read(place, events))
  })

const write = Effect.fnUntraced(function*(events: number, seed: number) {
  const store = yield* EventStore
  const random = randomOf(seed)
  for (let written = 0; written < events;) {
    const ids = new Set(Array.from({ length: Math.min(500, events - written) }, () => `w-${random.below(streams)}`))
    written += ids.size
    yield* store.append(Array.from(ids, (id) => [{
      stream: { tenant: defaultTenant, category: "Wallet", id },
      expected: "any" as const,
      events: [newEvent("Filled", { coins: 1, budget: `b-${random.below(100)}` })],
      receipts: []
    }]))
  }
})

const read = async (place: string, events: number): Promise<ReadonlyArray<Told>> => {
  const told: Array<Told> = []
  const child = fork(join(import.meta.dirname, "replayer.ts"), [place, String(events)], {
    execArgv: [...process.execArgv, "--expose-gc", "--disable-warning=ExperimentalWarning"],
    stdio: ["ignore", "ignore", "inherit", "ipc"]
  })
  child.on("message", (message: Told) => told.push(message))
  const [exitCode] = await once(child, "close")
  if (exitCode !== 0) throw new Error(`the process that reads ended with ${exitCode}`)
  return told
}

const judge = (events: number, told: ReadonlyArray<Told>): Report => {
  const samples = told.flatMap((message) => "position" in message ? [message] : [])
  const problems: Array<string> = []
  const [counted] = told.flatMap((message) => "counted" in message ? [message.counted] : [])
  for (const [name, count] of Object.entries(counted ?? {})) {
    if (count !== events) problems.push(`${name} has ${count} events of ${events}`)
  }
  // Until a third of the way caches fill.
  const full = samples.filter(({ position }) => position >= events / 3)
  const [first] = full
  const most = Math.max(...full.map(({ heapMiB }) => heapMiB))
  if (first === undefined || counted === undefined) problems.push("the process that reads has said too little")
  else if (most > first.heapMiB + growthMiBMax) problems.push(`the heap has grown from ${first.heapMiB} to ${most} MiB`)
  const seconds = samples.at(-1)?.seconds ?? 0
  return { events, seconds, eventsPerSecond: Math.round(events / seconds), samples, problems }
}
