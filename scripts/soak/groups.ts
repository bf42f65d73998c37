/**
 * Groups of neighbours of every kind: two to eight tallies that are ready at once, each with one to three commands, some
 * of which cannot be committed, while the store conflicts, dies, refuses or loses for some of them. Each is told what it
 * would be told alone, and the log holds what each alone would have written: that is what the model says, which knows
 * nothing of groups.
 *
 * `npm run soak -- groups [GROUPS] [SEED]`, 100,000 unless given. The tests run a small one.
 */
import type { Fiber } from "effect"
import { Cause, Effect, Exit, Layer, References, Schema } from "effect"
import { TestClock } from "effect/testing"
import * as Aggregate from "../../src/Aggregate.ts"
import { type Commit, isCommandFailed } from "../../src/AggregateHost.ts"
import * as AggregateRuntime from "../../src/AggregateRuntime.ts"
import * as Event from "../../src/Event.ts"
import { EventStore } from "../../src/EventStore.ts"
import * as Memory from "../../src/memory/Memory.ts"
import { randomOf, type Seeded } from "../../src/testing/Seeded.ts"
import { type Command, kinds, type Model, modelOf, type Told, type Trouble, troubles } from "./neighbours.ts"
import { TroubledStore } from "./troubled.ts"

const TallyEvent = Event.union({
  Added: { n: Schema.Int, blob: Schema.optionalKey(Schema.String) },
  Bomb: {}
})
const { Added, Bomb } = TallyEvent.cases

class Short extends Schema.TaggedError<Short>()("Short", { total: Schema.Int }) {}

/** Counts up and down, and does whatever else a neighbour may do to a group. */
class Tallies extends Aggregate.Service<Tallies>()("Tally", {
  state: Schema.Int,
  events: TallyEvent,
  commands: [
    Aggregate.command("change", {
      payload: { kind: Schema.Literals(kinds), n: Schema.Int.check(Schema.isGreaterThan(0)) },
      success: Schema.Int,
      error: Short
    })
  ]
}) {}

const blob = "b".repeat(256 * 1_024)

const TalliesLive = Tallies.toLayer({
  initial: 0,
  evolve: {
    Added: (total, { n }) => total + n,
    Bomb: () => {
      throw new Error("a bomb, as the campaign wants it")
    }
  },
  handlers: {
    change: ({ payload: { kind, n }, state }) => {
      if (kind === "dies") throw new Error("a defect, as the campaign wants it")
      if (kind === "bomb") return Aggregate.decide([Bomb.make({})], { reply: 0 })
      if (kind === "large") return Aggregate.decide([Added.make({ n, blob })], { reply: 0 })
      if (kind === "misfit") return Aggregate.decide([{ _tag: "Added", n: 0.5 }], { reply: 0 })
      if (kind !== "take") return Aggregate.decide([Added.make({ n })], { reply: state + n })
      return n > state ? new Short({ total: state }) : Aggregate.decide([Added.make({ n: -n })], { reply: state - n })
    }
  }
}, { mailboxCapacity: 64, drainDeadline: 0 })

/** What was sent, and what came of it. */
export interface Report {
  readonly groups: number
  /** Groups that left with two appends at least; with resends and those of one append alone, there are more. */
  readonly sentTogether: number
  readonly commands: number
  readonly told: Readonly<Record<string, number>>
  readonly troubles: Readonly<Record<string, number>>
  /** What went wrong; empty in health. */
  readonly problems: ReadonlyArray<string>
}

interface Counts {
  sentTogether: number
  commands: number
  readonly told: Record<string, number>
  readonly troubles: Record<string, number>
  readonly problems: Array<string>
}

/** So many groups share a log: it shall not fill the memory. */
const logGroups = 1_000
const tallies = 40

/** Sends `groups` groups. The same seed makes the same choices. */
export const run = (groups: number, seed: number): Effect.Effect<Report> =>
  Effect.gen(function*() {
    const counts: Counts = { sentTogether: 0, commands: 0, told: {}, troubles: {}, problems: [] }
    const random = randomOf(seed)
    for (let first = 0; first < groups && counts.problems.length === 0; first += logGroups) {
      yield* runLog(Math.min(logGroups, groups - first), random, counts, `seed ${seed}, log ${first / logGroups}`)
    }
    return { groups, ...counts }
  }).pipe(Effect.provideService(References.MinimumLogLevel, "None"))

/** Groups on one log, which is compared with the model at the end. */
const runLog = Effect.fnUntraced(
  function*(groups: number, random: Seeded, counts: Counts, name: string) {
    const service = yield* Tallies
    const troubled = yield* TroubledStore
    const models = new Map<string, Model>()
    for (let group = 0; group < groups && counts.problems.length === 0; group++) {
      const problem = (what: string) => counts.problems.push(`${name}, group ${group}: ${what}`)
      yield* runGroup(service, troubled, models, random, counts, problem)
    }
    counts.sentTogether += troubled.sentTogether()
    for (const [id, { events, positions }] of models) {
      const stored = yield* readAll(id)
      if (JSON.stringify(stored.map(({ n }) => n)) !== JSON.stringify(events)) {
        counts.problems.push(`${name}: the log of ${id} is not what its commands say`)
      }
      for (const [version, position] of positions) {
        if (stored[version - 1]?.position !== position) {
          counts.problems.push(`${name}: ${id}@${version} was told a wrong position`)
        }
      }
    }
  },
  (effect) =>
    Effect.provide(
      effect,
      TalliesLive.pipe(
        Layer.provide(AggregateRuntime.layer),
        Layer.provideMerge(TroubledStore.layer),
        Layer.provideMerge(Memory.layer),
        Layer.provideMerge(TestClock.layer())
      )
    )
)

interface Member {
  readonly id: string
  readonly trouble: Trouble
  readonly commands: ReadonlyArray<Command>
}

const runGroup = Effect.fnUntraced(function*(
  service: Tallies["Service"],
  troubled: TroubledStore["Service"],
  models: Map<string, Model>,
  random: Seeded,
  counts: Counts,
  problem: (what: string) => void
) {
  const members = membersOf(models, random)
  for (const { commands, id, trouble } of members) {
    troubled.make(id, trouble)
    counts.commands += commands.length
    counts.troubles[trouble] = (counts.troubles[trouble] ?? 0) + 1
  }
  const callers = yield* Effect.forEach(
    members,
    ({ commands, id }) =>
      Effect.forEach(commands, (command) => Effect.forkChild(send(service, id, command), { startImmediately: true }))
  )
  yield* settle(callers.flat())
  const met = troubled.end()
  for (const [at, { commands, id, trouble }] of members.entries()) {
    const model = modelOf(models, id)
    if (met.has(id) && trouble === "conflict") model.foreign()
    for (const [index, command] of commands.entries()) {
      const exit = callers[at]![index]!.pollUnsafe()
      if (exit === undefined) {
        return problem(`${id} (${trouble}), ${JSON.stringify(commands)}: command ${index} was never answered`)
      }
      const told = toldBy(exit)
      counts.told[told.tag] = (counts.told[told.tag] ?? 0) + 1
      const wrong = model.carryOut(command, trouble, told)
      if (wrong !== undefined) problem(`${id} (${trouble}), ${JSON.stringify(commands)}, command ${index}: ${wrong}`)
    }
  }
})

const membersOf = (models: Map<string, Model>, random: Seeded): ReadonlyArray<Member> => {
  const ids = new Set<string>()
  const size = 2 + random.below(7)
  while (ids.size < size) ids.add(`t${random.below(tallies)}`)
  // Once a group is lost a refusal settles nothing: it would be sent again until the store can be reached.
  const apart = random.oneOf<ReadonlyArray<Trouble>>([["refuses"], ["lostBefore", "lostAfter"]])
  const among = troubles.filter((trouble) => !apart.includes(trouble))
  return Array.from(ids, (id) => {
    const trouble = random.below(3) === 0 ? among[random.below(among.length)]! : "none"
    // What a store dies of once it has done it must have been a write: only the log knows otherwise.
    const commands = modelOf(models, id).choose(random, trouble === "diesAfter")
    return { id, trouble, commands }
  })
}

/** Waits for all, and lets time pass only where somebody waits for it: for a lost group. */
const settle = Effect.fnUntraced(function*(callers: ReadonlyArray<Fiber.Fiber<unknown, unknown>>) {
  for (let second = 0; second < 20; second++) {
    for (let turn = 0; turn < 200; turn++) {
      if (callers.every((caller) => caller.pollUnsafe() !== undefined)) return
      yield* Effect.yieldNow
    }
    yield* TestClock.adjust("1 second")
  }
})

const send = (
  service: Tallies["Service"],
  id: string,
  { commandId, kind, n }: Command
): Effect.Effect<Commit<number>, unknown> =>
  kind === "read"
    ? Effect.map(service.state(id), (reply) => ({ reply, version: 0, position: undefined, duplicate: false }))
    : service.of(id, { commandId, returning: "commit" }).change({ kind, n: kind === "invalid" ? -n : n })

const toldBy = (exit: Exit.Exit<Commit<number>, unknown>): Told => {
  if (Exit.isSuccess(exit)) return { tag: "Done", ...exit.value }
  const error = Cause.findErrorOption(exit.cause)
  if (error._tag === "None") return { tag: Cause.hasDies(exit.cause) ? "Died" : "Interrupted" }
  if (error.value instanceof Short) return { tag: "Short", reply: error.value.total }
  return { tag: isCommandFailed(error.value) ? error.value.reason._tag : "Died" }
}

const readAll = Effect.fnUntraced(function*(id: string) {
  const store = yield* EventStore
  const found: Array<{ readonly n: number; readonly position: bigint }> = []
  while (true) {
    const stream = { tenant: Event.defaultTenant, category: "Tally", id }
    const { events, version } = yield* Effect.orDie(store.readStream(stream, { after: found.length }))
    for (const { data, position } of events) found.push({ n: JSON.parse(data).n, position })
    if (found.length >= version) return found
  }
})
