/**
 * Every yield point: a run of commands is stopped short at its first point, then at its second, and so on through all
 * of them: its callers leave, its runtime closes, or its stores hang. What a new runtime finds must be in order.
 *
 * A point is a turn of the scheduler, or the moment before or after a call of a store. The fibers of the run give way
 * after every few steps, so that the points lie close.
 */
import { assert, it } from "@effect/vitest"
import { Context, Effect, Exit, Fiber, Layer, References, Scheduler, Scope } from "effect"
import { TestClock } from "effect/testing"
import { type Commit, isCommandFailed } from "../../src/AggregateHost.ts"
import * as AggregateRuntime from "../../src/AggregateRuntime.ts"
import type { Stored } from "../../src/Event.ts"
import { EventStore } from "../../src/EventStore.ts"
import * as Memory from "../../src/memory/Memory.ts"
import { SnapshotStore } from "../../src/SnapshotStore.ts"
import { Accounts, behavior, Supervisor } from "../fixtures/Account.ts"
import { accountStream } from "../fixtures/Runtimes.ts"

/** A run, and the point of it at which something happens. */
class Run {
  readonly chosen: number
  readonly callers: Array<Fiber.Fiber<unknown, unknown>> = []
  passed = 0
  hangs: "never" | "before" | "after" | "appends" = "never"
  happen: () => void = () => {}

  constructor(chosen: number) {
    this.chosen = chosen
  }

  /** Passes a point. */
  pass() {
    if (this.passed++ === this.chosen) this.happen()
  }
}

/** What happens at the point. */
const modes = {
  "one caller leaves": (run: Run) => run.callers[run.chosen % run.callers.length]?.interruptUnsafe(),
  "all callers leave": (run: Run) => run.callers.forEach((caller) => caller.interruptUnsafe()),
  "the runtime closes": (_: Run, close: () => void) => close(),
  "all calls of the stores hang from now on": (run: Run) => {
    run.hangs = "before"
  },
  "all appends hang from now on": (run: Run) => {
    run.hangs = "appends"
  },
  "all answers of the stores hang from now on": (run: Run) => {
    run.hangs = "after"
  }
}

const hangs = [
  "all calls of the stores hang from now on",
  "all appends hang from now on",
  "all answers of the stores hang from now on"
] as const

/** A scheduler each of whose turns is a point. */
const turning = (scheduler: Scheduler.Scheduler, run: Run): Scheduler.Scheduler => ({
  executionMode: scheduler.executionMode,
  shouldYield: (fiber) => scheduler.shouldYield(fiber),
  makeDispatcher: () => {
    const dispatcher = scheduler.makeDispatcher()
    return {
      scheduleTask: (task, priority) =>
        dispatcher.scheduleTask(() => {
          run.pass()
          task()
        }, priority),
      flush: () => dispatcher.flush()
    }
  }
})

type Stores = Context.Context<EventStore | SnapshotStore>

/** Lets others have so many turns. */
const turns = Effect.fnUntraced(function*(count: number) {
  for (let turn = 0; turn < count; turn++) yield* Effect.yieldNow
})

/** The stores, each of whose calls is two points, and may hang. */
const watched = (stores: Stores, run: Run): Stores => {
  const call = <A, E>(
    made: Effect.Effect<A, E>,
    hangs: ReadonlyArray<Run["hangs"]> = ["before"]
  ): Effect.Effect<A, E> =>
    Effect.gen(function*() {
      run.pass()
      yield* turns(3)
      if (hangs.includes(run.hangs)) return yield* Effect.never
      const answer = yield* made
      run.pass()
      yield* turns(3)
      return run.hangs === "after" ? yield* Effect.never : answer
    })
  const events = Context.get(stores, EventStore)
  const snapshots = Context.get(stores, SnapshotStore)
  return Context.make(EventStore, {
    ...events,
    appendNow: undefined,
    append: (group) => call(events.append(group), ["before", "appends"]),
    readStream: (stream, range) => call(events.readStream(stream, range)),
    receipt: (stream, commandId) => call(events.receipt(stream, commandId))
  }).pipe(Context.add(SnapshotStore, {
    load: (stream, options) => call(snapshots.load(stream, options)),
    save: (stream, snapshot) => call(snapshots.save(stream, snapshot)),
    discard: (stream, version) => call(snapshots.discard(stream, version))
  }))
}

const startOn = (stores: Stores, scope: Scope.Scope) =>
  Effect.map(
    Layer.buildWithMemoMap(
      Accounts.toLayer(behavior, { drainDeadline: 0, snapshotEvery: 2 }).pipe(
        Layer.provide([AggregateRuntime.layer, Supervisor.layerYes]),
        Layer.provide(Layer.succeedContext(stores))
      ),
      Layer.makeMemoMapUnsafe(),
      scope
    ),
    (context) => Context.get(context, Accounts)
  )

/** The commands of a run, each under its id. */
const send = ({ of }: Accounts["Service"]): Record<CommandId, Effect.Effect<Commit<unknown>, unknown>> => ({
  c1: of("a", { commandId: "c1", returning: "commit" }).deposit({ cents: 10 }),
  c2: of("a", { commandId: "c2", returning: "commit" }).deposit({ cents: 20 }),
  c3: of("a", { commandId: "c3", returning: "commit" }).withdraw({ cents: 1_000 }),
  c4: of("a", { commandId: "c4", returning: "commit" }).transfer({ cents: 5, to: "b" }),
  c5: of("b", { commandId: "c5", returning: "commit" }).deposit({ cents: 7 }),
  c6: of("b", { commandId: "c6", returning: "commit" }).withdrawApproved({ cents: 1 }),
  c7: of("b", { commandId: "c7", returning: "commit" }).touch(),
  c8: of("a", { commandId: "c8", returning: "commit" }).deposit({ cents: 2 }),
  c9: of("a", { commandId: "c9", returning: "commit" }).deposit({ cents: 3 })
})
/** How many events each of them leaves. */
const eventsOf = { c1: 1, c2: 1, c3: 0, c4: 2, c5: 1, c6: 1, c7: 0, c8: 1, c9: 1 }
type CommandId = keyof typeof eventsOf
/** How many turns later than the others some of them are sent: while a commit is under way. */
const delays: Partial<Record<CommandId, number>> = { c8: 8, c9: 12 }
/** What the accounts hold once all are carried out. */
const balances = { a: 30, b: 11 }

const entriesOf = <A>(record: Record<CommandId, A>) => Object.entries(record) as ReadonlyArray<[CommandId, A]>

/** Lets a run go on until nothing happens any more. */
const quiet = Effect.fnUntraced(function*(run: Run) {
  for (let still = 0; still < 5;) {
    const before = run.passed
    yield* Effect.yieldNow
    still = run.passed === before ? still + 1 : 0
  }
})

/** How many events of the log each command caused. */
const caused = Effect.fnUntraced(function*(stores: Stores) {
  const { events } = yield* Effect.orDie(Context.get(stores, EventStore).readAll({ after: 0n }))
  const counts: Record<string, number> = {}
  for (const { metadata } of events) {
    const { causationId } = JSON.parse(metadata)
    counts[causationId] = (counts[causationId] ?? 0) + 1
  }
  return counts
})

const balanceOf = (events: ReadonlyArray<Stored>): number =>
  events.reduce((sum, { data, type }) => sum + (type === "MoneyDeposited" ? 1 : -1) * JSON.parse(data).cents, 0)

/** A snapshot is what the log says, of as much as the log holds. */
const checkSnapshots = Effect.fnUntraced(function*(stores: Stores) {
  for (const id of ["a", "b"]) {
    const { snapshot } = yield* Effect.orDie(Context.get(stores, SnapshotStore).load(accountStream(id)))
    const { events } = yield* Effect.orDie(Context.get(stores, EventStore).readStream(accountStream(id)))
    if (snapshot === undefined) continue
    assert.isAtMost(snapshot.version, events.length)
    const balanceCents = balanceOf(events.slice(0, snapshot.version))
    assert.deepStrictEqual(JSON.parse(snapshot.state), { balanceCents })
  }
})

/** What callers were told, against the log as the run has left it. */
const checkAnswers = (
  told: Readonly<Record<string, Exit.Exit<Commit<unknown>, unknown> | undefined>>,
  written: Readonly<Record<string, number>>
) => {
  for (const [commandId, exit] of Object.entries(told)) {
    const events = written[commandId] ?? 0
    assert.include([0, eventsOf[commandId as keyof typeof eventsOf]], events, `${commandId} is written in part`)
    assert.isDefined(exit, `I17: ${commandId} was never answered`)
    if (Exit.hasInterrupts(exit!)) continue
    const error = Exit.findErrorOption(exit!)
    if (error._tag === "None") assert.strictEqual(events, eventsOf[commandId as keyof typeof eventsOf], `${commandId}`)
    else if (isCommandFailed(error.value) && error.value.nothingWritten) {
      assert.strictEqual(events, 0, `I7: ${commandId} was told ${error.value.reason._tag}, and is written`)
    }
  }
}

/** Runs the commands, lets happen at a point what shall happen, and then looks at everything. */
const runTo = Effect.fnUntraced(function*(chosen: number, mode: keyof typeof modes) {
  const stores = yield* Layer.build(Memory.layer)
  const run = new Run(chosen)
  const own = yield* Effect.context<never>()
  const scope = yield* Scope.make()
  const closing = Effect.runForkWith(own)
  let closed: Fiber.Fiber<void> | undefined
  const close = () => (closed ??= closing(Scope.close(scope, Exit.void)))
  const within = <A, E>(effect: Effect.Effect<A, E>): Effect.Effect<A, E> =>
    effect.pipe(
      Effect.provideService(Scheduler.Scheduler, turning(Context.get(own, Scheduler.Scheduler), run)),
      Effect.provideService(References.MaxOpsBeforeYield, 4),
      Effect.provideService(References.MinimumLogLevel, "None")
    )
  const accounts = yield* within(startOn(watched(stores, run), scope))
  // From the first answer on it is known that a command's handler is no Effect: from then on it is decided ahead.
  const refused = [accounts.of("w").withdraw({ cents: 1 }), accounts.of("w").transfer({ cents: 1, to: "v" })]
  for (const sending of refused) yield* within(Effect.exit(sending))
  run.passed = 0
  run.happen = () => modes[mode](run, close)
  const sent: Record<string, Fiber.Fiber<Commit<unknown>, unknown>> = {}
  for (const [commandId, sending] of entriesOf(send(accounts))) {
    const delayed = Effect.andThen(turns(delays[commandId] ?? 0), sending)
    sent[commandId] = yield* within(Effect.forkDetach(delays[commandId] === undefined ? sending : delayed, {
      startImmediately: true
    }))
    run.callers.push(sent[commandId])
  }
  yield* quiet(run)
  const isOver = run.passed <= chosen
  close()
  yield* quiet(run)
  yield* TestClock.adjust(1)
  yield* Fiber.join(closed!)
  yield* quiet(run)
  const told = Object.fromEntries(Object.entries(sent).map(([commandId, caller]) => [commandId, caller.pollUnsafe()]))
  checkAnswers(told, yield* caused(stores))
  yield* checkSnapshots(stores)

  const again = yield* startOn(stores, yield* Effect.scope)
  for (const [commandId, sending] of entriesOf(send(again))) {
    const exit = yield* Effect.exit(sending)
    const before = told[commandId]!
    const isAnswer = Exit.isSuccess(before) || (!Exit.hasInterrupts(before) && !isFailed(before))
    if (isAnswer) assert.deepStrictEqual(exit, asRepeated(before), `I5: ${commandId} was told something else before`)
  }
  const expected = Object.fromEntries(Object.entries(eventsOf).filter(([, count]) => count > 0))
  assert.deepStrictEqual(yield* caused(stores), expected)
  for (const [id, balanceCents] of Object.entries(balances)) {
    assert.deepStrictEqual(yield* again.state(id), { balanceCents })
  }
  yield* checkSnapshots(stores)
  return isOver
}, Effect.scoped)

const isFailed = (exit: Exit.Exit<unknown, unknown>): boolean => {
  const error = Exit.findErrorOption(exit)
  return error._tag === "Some" && isCommandFailed(error.value)
}

const asRepeated = (exit: Exit.Exit<Commit<unknown>, unknown>): Exit.Exit<Commit<unknown>, unknown> =>
  Exit.map(exit, (commit) => ({ ...commit, duplicate: true }))

for (const mode of ["one caller leaves", "all callers leave", "the runtime closes", ...hangs] as const) {
  it.effect(
    `I5, I7, I15, I17: all is in order at each of at least 200 points at which ${mode}`,
    Effect.fnUntraced(function*() {
      let points = 0
      while (!(yield* runTo(points, mode))) points++
      // Fewer would be a run that has become shorter, or is no longer watched.
      assert.isAtLeast(points, 200)
    })
  )
}
