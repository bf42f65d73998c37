/**
 * One stream of many is poison: an event of it cannot be worked off. Its stream is passed over, and others do not notice:
 * how long they wait is compared with a run in which nothing is wrong. Once the handler is mended and the stream taken
 * back, under load, the view is what it would be had nothing been wrong.
 *
 * `npm run soak -- poison [STREAMS] [SEED] [PLACE]`, 10,000 on both places unless given; the tests run a small one.
 */
import { Effect, Fiber, Layer, References, Schema, Stream } from "effect"
import { defaultTenant } from "../../src/Event.ts"
import * as Event from "../../src/Event.ts"
import { EventStore } from "../../src/EventStore.ts"
import * as Projection from "../../src/Projection.ts"
import * as ProjectionRunner from "../../src/ProjectionRunner.ts"
import { Projections } from "../../src/Projections.ts"
import { randomOf, type Seeded } from "../../src/testing/Seeded.ts"
import { differences, documentsOf, readLog } from "./logs.ts"
import { inOwnPlace, storesWithSqlAt } from "./place.ts"
import { newEvent, step, Trace } from "./readModels.ts"

/** How long events waited to be in the view, from the call that appended them on, in milliseconds. */
export interface Waits {
  readonly p50: number
  readonly p99: number
  readonly most: number
}

/** What came of both runs. */
export interface Report {
  readonly streams: number
  readonly clean: Waits
  readonly poisoned: Waits
  /** Events of the poisoned stream that waited until it was taken back. */
  readonly takenBack: number
  readonly problems: ReadonlyArray<string>
}

/** How much of it. */
export interface Options {
  readonly streams: number
  readonly seed: number
  /** The URL of a PostgreSQL; a file of SQLite unless given. */
  readonly url?: string | undefined
  /** How many events arrive while it is measured; 1,000 unless given. */
  readonly arrivals?: number
}

/** Runs it without poison, and with it. */
export const run = async ({ arrivals = 1_000, seed, streams, url }: Options): Promise<Report> => {
  const once = (isPoisoned: boolean) =>
    inOwnPlace(url, "poison", (place) =>
      runOnce({ streams, arrivals, isPoisoned, random: randomOf(seed) }).pipe(
        Effect.provide(storesWithSqlAt(place)),
        Effect.provideService(References.MinimumLogLevel, "None"),
        Effect.runPromise
      ))
  const [clean, poisoned] = [await once(false), await once(true)]
  const isSlower = poisoned.waits.p50 > 3 * clean.waits.p50 + 20
  return {
    streams,
    clean: clean.waits,
    poisoned: poisoned.waits,
    takenBack: poisoned.takenBack,
    problems: [
      ...clean.problems.map((problem) => `clean: ${problem}`),
      ...poisoned.problems.map((problem) => `poisoned: ${problem}`),
      ...isSlower ? ["others wait longer where one is poison"] : []
    ]
  }
}

interface Stage {
  readonly streams: number
  readonly arrivals: number
  readonly isPoisoned: boolean
  readonly random: Seeded
}

const Heard = Event.union({ Heard: { n: Schema.Int, sent: Schema.optionalKey(Schema.String) } })

/** An event of which is poison. */
const victim = "s-7"
const poison = 13

class Ears extends Projection.View<Ears>()("ears", {
  version: 1,
  document: Schema.Struct({ ...Trace.fields, sent: Schema.optionalKey(Schema.String) })
}) {}

const runOnce = Effect.fnUntraced(function*(stage: Stage) {
  const handler = { isMended: !stage.isPoisoned }
  const ears = Ears.toLayer((on) => [
    on(Heard, {
      Heard: (before, { n, sent }, meta) => {
        if (n === poison && !handler.isMended) throw new Error("it is poison, as the campaign wants it")
        return { ...step(before, meta), ...sent !== undefined && { sent } }
      }
    })
  ], { onFailure: "quarantine" })
  yield* write(stage)
  return yield* Effect.provide(observe(stage, handler), Layer.provideMerge(ears, ProjectionRunner.layer))
})

const observe = Effect.fnUntraced(function*(stage: Stage, handler: { isMended: boolean }) {
  const { deadLetters, parked, retry } = yield* Projections
  yield* caughtUp
  const waits: Array<number> = []
  const watching = yield* Effect.forkChild(
    Stream.runForEach((yield* Ears).changes, ({ document, key }) =>
      Effect.sync(() => {
        if (key !== victim && document?.sent !== undefined) waits.push(millisSince(document.sent))
      }))
  )
  yield* arrive(stage, stage.arrivals)
  yield* caughtUp
  yield* Fiber.interrupt(watching)

  const problems: Array<string> = []
  let takenBack = 0
  const letters = yield* deadLetters("ears")
  if (letters.length !== (stage.isPoisoned ? 1 : 0)) problems.push(`there are ${letters.length} dead letters`)
  for (const { position } of letters) {
    handler.isMended = true
    const more = yield* Effect.forkChild(arrive({ ...stage, isPoisoned: false }, stage.arrivals / 10))
    const { applied, left } = yield* retry("ears", position)
    takenBack += applied
    if (left !== undefined) problems.push(`it failed again at ${left.position}: ${left.error}`)
    yield* Fiber.join(more)
  }
  yield* caughtUp
  if ((yield* parked("ears")).length > 0) problems.push("a stream is still passed over")
  return { waits: describe(waits), takenBack, problems: [...problems, ...yield* compare] }
})

const caughtUp = Effect.gen(function*() {
  const head = yield* (yield* EventStore).head
  yield* (yield* Projections).await("ears", head, { deadline: "2 minutes" })
})

// ── The log

const append = Effect.fnUntraced(function*(id: string, events: ReadonlyArray<Event.New>) {
  const stream = { tenant: defaultTenant, category: "Ear", id }
  yield* (yield* EventStore).append([[{ stream, expected: "any", events, receipts: [] }]])
})

/** A few events for each stream. */
const write = Effect.fnUntraced(function*({ random, streams }: Stage) {
  const store = yield* EventStore
  for (let first = 0; first < streams; first += 250) {
    const count = Math.min(250, streams - first)
    yield* store.append(Array.from({ length: count }, (_, index) => [{
      stream: { tenant: defaultTenant, category: "Ear", id: `s-${first + index}` },
      expected: "noStream" as const,
      events: [newEvent("Heard", { n: 20 + random.below(9) }), newEvent("Heard", { n: 20 + random.below(9) })],
      receipts: []
    }]))
  }
})

/** Events arrive, one every few milliseconds; each tenth is of the victim, one of them poison. */
const arrive = Effect.fnUntraced(function*({ isPoisoned, random, streams }: Stage, arrivals: number) {
  for (let number = 0; number < arrivals; number++) {
    const id = number % 10 === 5 ? victim : `s-${random.below(streams)}`
    const n = isPoisoned && number === 105 ? poison : 20
    yield* append(id, [newEvent("Heard", { n, sent: String(process.hrtime.bigint()) })])
    yield* Effect.sleep(1 + random.below(8))
  }
})

const millisSince = (sent: string): number => Number(process.hrtime.bigint() - BigInt(sent)) / 1e6

const describe = (waits: ReadonlyArray<number>): Waits => {
  const sorted = waits.toSorted((one, other) => one - other)
  const at = (quantile: number) => Math.round((sorted[Math.floor((sorted.length - 1) * quantile)] ?? NaN) * 10) / 10
  return { p50: at(0.5), p99: at(0.99), most: at(1) }
}

// ── What must be true

const compare = Effect.gen(function*() {
  const documents = new Map<string, Trace & { readonly sent?: string }>()
  for (const { data, id, version } of yield* readLog) {
    const before = documents.get(id)
    const sent: string | undefined = JSON.parse(data).sent ?? before?.sent
    documents.set(id, { ...step(before, { id, version }), ...sent !== undefined && { sent } })
  }
  return differences("ears", yield* documentsOf("ears", 1), documents)
})
