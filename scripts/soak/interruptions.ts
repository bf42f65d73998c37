/**
 * Callers that lose patience: commands on memory with mailboxes of 4, hot aggregates, passivation all the time, and
 * callers that interrupt at random. Afterwards every command is accounted for: answered exactly once and then written
 * as answered, or refused and then not written, or left alone by its caller and then written, since it was accepted.
 *
 * `npm run soak -- interruptions [COMMANDS]`, a million unless given. The tests run a small one.
 */
import { Cause, Effect, Exit, Fiber, Layer, Random, Schema } from "effect"
import * as Aggregate from "../../src/Aggregate.ts"
import { isCommandFailed } from "../../src/AggregateHost.ts"
import * as AggregateRuntime from "../../src/AggregateRuntime.ts"
import * as Event from "../../src/Event.ts"
import { EventStore } from "../../src/EventStore.ts"
import * as Memory from "../../src/memory/Memory.ts"

const Marked = Event.union({ Marked: { number: Schema.Int } })

class Odd extends Schema.TaggedError<Odd>()("Odd", { number: Schema.Int }) {}

/** Writes down the numbers that it is given, but for every seventh, which it refuses. */
class Ledgers extends Aggregate.Service<Ledgers>()("Ledger", {
  state: Schema.Int,
  events: Marked,
  commands: [Aggregate.command("mark", { payload: { number: Schema.Int }, success: Schema.Int, error: Odd })]
}) {}

const LedgersLive = Ledgers.toLayer({
  initial: 0,
  evolve: { Marked: (count) => count + 1 },
  handlers: {
    // An Effect that yields: so that mailboxes fill and interruptions meet commands at every stage.
    mark: Effect.fnUntraced(function*({ payload: { number } }) {
      yield* Effect.yieldNow
      if (number % 7 === 0) return yield* new Odd({ number })
      return Aggregate.decide([Marked.cases.Marked.make({ number })], { reply: number })
    })
  }
}, { mailboxCapacity: 4, maxIdleTime: 1 })

/** How many commands ended how. */
export interface Report {
  readonly commands: number
  readonly answered: number
  readonly rejected: number
  readonly refused: number
  readonly interrupted: number
  readonly written: number
  /** What went wrong; empty in health. */
  readonly problems: ReadonlyArray<string>
}

type Ending = "answered" | "rejected" | "refused" | "interrupted"

const aggregates = 500
const maxActive = 300
const flock = 1_000

/** Sends `commands` commands. The same seed makes the same choices. */
export const run = (commands: number, seed: string): Effect.Effect<Report> =>
  Effect.gen(function*() {
    const store = yield* EventStore
    const endings = Array.from<Ending | undefined>({ length: commands })
    const problems: Array<string> = []
    const settle = (number: number, ending: Ending) => {
      if (endings[number] !== undefined) problems.push(`command ${number} was answered twice`)
      endings[number] = ending
    }
    yield* Effect.gen(function*() {
      const ledgers = yield* Ledgers
      for (let first = 0; first < commands; first += flock) {
        const numbers = Array.from({ length: Math.min(flock, commands - first) }, (_, index) => first + index)
        yield* Effect.forEach(numbers, (number) => callAndMaybeLeave(ledgers, number, settle, problems), {
          concurrency: "unbounded",
          discard: true
        })
      }
    }).pipe(Effect.provide(LedgersLive.pipe(Layer.provide(AggregateRuntime.layerWith({ maxActive })))))
    // The Layer has drained: what was accepted is in the log now, or never will be.
    const written = yield* readNumbers(store, problems)
    endings.forEach((ending, number) => check(number, ending, written.has(number), problems))
    const count = (ending: Ending) => endings.filter((each) => each === ending).length
    return {
      commands,
      answered: count("answered"),
      rejected: count("rejected"),
      refused: count("refused"),
      interrupted: count("interrupted"),
      written: written.size,
      problems
    }
  }).pipe(Effect.provide(Memory.layer), Random.withSeed(seed))

const callAndMaybeLeave = Effect.fnUntraced(function*(
  ledgers: Ledgers["Service"],
  number: number,
  settle: (number: number, ending: Ending) => void,
  problems: Array<string>
) {
  // Half of the traffic goes to ten aggregates, so that their mailboxes overflow.
  const among = (yield* Random.nextBoolean) ? 10 : aggregates
  const id = String(yield* Random.nextIntBetween(0, among - 1))
  const caller = yield* Effect.forkChild(ledgers.of(id).mark({ number }), { startImmediately: true })
  const patience = yield* Random.nextIntBetween(0, 12)
  for (let step = 0; step < patience; step++) yield* Effect.yieldNow
  if (patience < 4) yield* Fiber.interrupt(caller)
  settle(number, endingOf(yield* Fiber.await(caller), number, problems))
})

const endingOf = (exit: Exit.Exit<number, unknown>, number: number, problems: Array<string>): Ending => {
  if (Exit.isSuccess(exit)) {
    if (exit.value !== number) problems.push(`command ${number} got the answer of ${exit.value}`)
    return "answered"
  }
  if (Cause.hasInterruptsOnly(exit.cause)) return "interrupted"
  const error = Cause.squash(exit.cause)
  if (error instanceof Odd) return "rejected"
  if (isCommandFailed(error) && error.reason._tag === "MailboxFull") return "refused"
  problems.push(`command ${number} failed: ${error}`)
  return "refused"
}

const readNumbers = Effect.fnUntraced(function*(store: EventStore["Service"], problems: Array<string>) {
  const written = new Set<number>()
  const head = yield* Effect.orDie(store.head)
  for (let after = 0n; after < head;) {
    const page = yield* Effect.orDie(store.readAll({ after }))
    for (const { data } of page.events) {
      const { number } = JSON.parse(data)
      if (written.has(number)) problems.push(`command ${number} was written twice`)
      written.add(number)
    }
    after = page.position
  }
  return written
})

const check = (number: number, ending: Ending | undefined, isWritten: boolean, problems: Array<string>): void => {
  const mustBe = ending === "answered" || (ending === "interrupted" && number % 7 !== 0)
  if (ending === undefined) problems.push(`command ${number} was never answered`)
  else if (mustBe !== isWritten) {
    problems.push(`command ${number} was ${ending} and is ${isWritten ? "" : "not "}written`)
  }
}
