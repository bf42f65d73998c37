/**
 * One of two processes that command the same accounts in the same store, for `rivals.ts`: a few clients, each doing one
 * thing after the other, who write down what they asked, what they were told, and when.
 *
 * `rival.ts PLACE HISTORY NAME COMMANDS SEED`
 */
import { Effect, Layer } from "effect"
import { writeFileSync } from "node:fs"
import * as AggregateRuntime from "../../src/AggregateRuntime.ts"
import { randomOf, type Seeded } from "../../src/testing/Seeded.ts"
import { Accounts, behavior, Supervisor } from "../../test/fixtures/Account.ts"
import { type Call, type Line, print } from "../../test/fixtures/History.ts"
import { send } from "../../test/fixtures/Recording.ts"
import { storeAt } from "./place.ts"

const accounts = 20
const clients = 8

/** What is asked of which account. */
type Asked = readonly [account: string, call: Call]

/** Commands that both processes send: the same number is the same command, under the same id. */
const shared = (seed: number, number: number): Asked => {
  const random = randomOf(seed * 1_000_003 + number)
  const tag = random.oneOf(["deposit", "withdraw", "withdrawApproved"])
  return [`a${random.below(accounts)}`, { tag, payload: { cents: 1 + random.below(9) }, commandId: `shared-${number}` }]
}

const nextCall = (random: Seeded, seed: number, op: string, progress: number): Asked => {
  const account = `a${random.below(accounts)}`
  const payload = { cents: 1 + random.below(9) }
  const dice = random.below(12)
  if (dice < 2) return [account, { tag: "state", payload: {} }]
  if (dice === 2) return [account, { tag: "touch", payload: {} }]
  if (dice < 6) return shared(seed, Math.floor(progress / 4) + random.below(10))
  if (dice === 6) return [account, { tag: "deposit", payload, ifVersion: random.below(400) }]
  const tag = random.oneOf(["deposit", "withdraw", "withdraw", "withdrawApproved"])
  return [account, { tag, payload, ...random.below(2) === 0 && { commandId: op } }]
}

const [place, history, name, commands, seed] = process.argv.slice(2) as [string, string, string, string, string]

const lines: Array<Line> = []
const recorder = {
  // The machine's monotonic clock, in nanoseconds: both processes read the same one.
  now: () => Number(process.hrtime.bigint()),
  write: (line: Line) => lines.push(line)
}

const client = Effect.fnUntraced(function*(index: number, count: number) {
  const random = randomOf(Number(seed) * 31 + index + (name === "one" ? 0 : 1_000))
  const service = yield* Accounts
  for (let number = 0; number < count; number++) {
    const op = `${name}-${index}-${number}`
    const [account, call] = nextCall(random, Number(seed), op, number * clients + index)
    yield* send(recorder, service, op, account, call)
  }
})

const program = Effect.forEach(
  Array.from({ length: clients }, (_, index) => index),
  (index) => client(index, Math.ceil(Number(commands) / clients)),
  { concurrency: clients, discard: true }
)

// A small house: aggregates come and go, so that states are loaded as well as kept.
const Live = Accounts.toLayer(behavior, { snapshotEvery: 20 }).pipe(
  Layer.provide(AggregateRuntime.layerWith({ maxActive: 16 })),
  Layer.provide(Layer.mergeAll(Supervisor.layerYes, storeAt(place)))
)

await Effect.runPromise(Effect.provide(program, Live))
writeFileSync(history, print(lines))
