/**
 * What the scenarios of projections share: stores, runners that start on them and die, a log that grows from a seed, and
 * what a view holds. Each scenario is a function of `Stores`, so that every technology can be put through it.
 */
import { assert } from "@effect/vitest"
import { Context, type Duration, Effect, Exit, Layer, Metric, Scope } from "effect"
import type { CheckpointId } from "../../src/CheckpointStore.ts"
import { CheckpointStore } from "../../src/CheckpointStore.ts"
import type { DeadLetters } from "../../src/DeadLetters.ts"
import * as Event from "../../src/Event.ts"
import { EventStore, StoreUnavailable } from "../../src/EventStore.ts"
import { Lease } from "../../src/Lease.ts"
import { ProjectionHost } from "../../src/ProjectionHost.ts"
import * as ProjectionRunner from "../../src/ProjectionRunner.ts"
import type { Projections } from "../../src/Projections.ts"
import { type Fault, passes } from "../../src/testing/Faults.ts"
import * as FaultyReadSide from "../../src/testing/FaultyReadSide.ts"
import * as FaultyStore from "../../src/testing/FaultyStore.ts"
import { randomOf, type Seeded } from "../../src/testing/Seeded.ts"
import { ViewStore } from "../../src/ViewStore.ts"
import { newEvent } from "../fixtures/Runtimes.ts"

export type StoresOf = EventStore | CheckpointStore | ViewStore | DeadLetters | Lease

/** Where a scenario takes place. */
export interface Stores {
  /** Stores over a log of their own, empty each time that it is built. */
  readonly layer: Layer.Layer<StoresOf, StoreUnavailable>
  /** Runs a scenario while time passes, be it real or virtual. */
  readonly inTime: <A, E, R>(run: Effect.Effect<A, E, R>) => Effect.Effect<A, E, R>
  /** Of a runner's lease: how long those who are left wait for one that has died. */
  readonly lease: Duration.Input
}

/** Runs a scenario on stores of its own, while time passes. */
export const scenario = <A, E>(stores: Stores, run: Effect.Effect<A, E, StoresOf | Scope.Scope>) =>
  stores.inTime(Effect.scoped(Effect.gen(function*() {
    const context = yield* Layer.buildWithMemoMap(
      Layer.merge(stores.layer, Layer.sync(Metric.MetricRegistry, () => new Map())),
      Layer.makeMemoMapUnsafe(),
      yield* Effect.scope
    )
    return yield* Effect.provideContext(run, context)
  })))

// ── Runners

/** A process that runs projections: it can be killed, at once or at a point of its work. */
export interface Process<in R> {
  readonly context: Context.Context<R | ProjectionHost | Projections>
  readonly faults: FaultyReadSide.FaultyReadSide["Service"]
  /** What happens to its calls from now on, unless it is dead; nothing if there is none. */
  readonly trouble: (fault: Fault<StoreUnavailable> | undefined) => Effect.Effect<void>
  /** It is gone: nothing that it does from now on reaches a store, and nobody waits for it. */
  readonly kill: Effect.Effect<void>
  /** It ends in good order. */
  readonly stop: Effect.Effect<void>
  /** What happens to its next call of an operation. */
  readonly next: (operation: keyof FaultyReadSide.Failures, fault: Fault<StoreUnavailable>) => Effect.Effect<void>
  /** Ends when it has died by itself, at the point that was set. */
  readonly died: Effect.Effect<void>
  /** How many calls it has made. */
  readonly points: () => number
  /** What it has set its checkpoints to, in order. */
  readonly steps: ReadonlyArray<Step>
}

/** A checkpoint that was set. */
export interface Step {
  readonly id: CheckpointId
  readonly from: number
  readonly revision: number
  readonly to: bigint
}

/** Where a process dies: at its `nth` call, before it is made or when it was. */
export interface Point {
  readonly nth: number
  readonly side: "before" | "after"
}

const dead = new StoreUnavailable({ operation: "any", detail: "the process is gone" })

/** How a process dies that dies at a point: what its last call comes to. */
export const Death = Context.Reference<Effect.Effect<never, StoreUnavailable>>("test/projections/Death", {
  defaultValue: () => Effect.fail(dead)
})

/** Stores of its own for a process that dies, over the same log; those at hand unless given. */
export const Elsewhere = Context.Reference<
  Effect.Effect<Context.Context<StoresOf>, StoreUnavailable, Scope.Scope> | undefined
>("test/projections/Elsewhere", { defaultValue: () => undefined })

/** Starts projections in a process of their own on the stores at hand. */
export const start = Effect.fnUntraced(function*<R, E>(
  projections: Layer.Layer<R, E, ProjectionHost | ViewStore>,
  { before = () => Effect.void, dies, lease, leases = "real" }: {
    readonly lease: Duration.Input
    readonly dies?: Point | undefined
    /** What happens before a checkpoint is set, but for the first time. */
    readonly before?: (id: CheckpointId) => Effect.Effect<void>
    /** "void": it believes that it has every lease. */
    readonly leases?: "real" | "void"
  }
) {
  const scope = yield* Effect.acquireRelease(Scope.make(), (scope) => Scope.close(scope, Exit.void))
  const death = yield* Death
  const elsewhere = dies === undefined ? undefined : yield* Elsewhere
  const stores = elsewhere === undefined ? yield* Effect.context<StoresOf>() : yield* elsewhere
  let calls = 0
  let isDead = false
  let trouble: Fault<StoreUnavailable> = passes
  const steps: Array<Step> = []
  const deaths: Array<() => void> = []
  const die = Effect.suspend(() => {
    isDead = true
    for (const wake of deaths) wake()
    return death
  })
  const crash: Fault<StoreUnavailable> = (call) =>
    Effect.suspend(() => {
      if (isDead) return Effect.fail(dead)
      if (++calls !== dies?.nth) return trouble(call)
      return dies.side === "before" ? die : Effect.andThen(call, die)
    })
  const gone: Fault<StoreUnavailable> = (call) =>
    Effect.andThen(Effect.suspend(() => isDead ? Effect.fail(dead) : Effect.void), call)
  const faulty = Layer.mergeAll(FaultyReadSide.layer, FaultyStore.layerShared).pipe(
    Layer.provide(Layer.succeedContext(stores))
  )
  const own = Layer.effectContext(Effect.gen(function*() {
    const faults = yield* FaultyReadSide.FaultyReadSide
    for (const operation of FaultyReadSide.operations) yield* faults.always(operation, isBeat(operation) ? gone : crash)
    const log = yield* FaultyStore.FaultyStore
    for (const operation of ["follow", "head"] as const) yield* log.always(operation, crash)
    const checkpoints = yield* CheckpointStore
    return Context.make(CheckpointStore, recording(checkpoints, steps, before)).pipe(
      Context.add(Lease, leases === "void" ? voidLeases : yield* Lease)
    )
  }))
  const built = projections.pipe(
    Layer.provideMerge(ProjectionRunner.layerWith({ lease })),
    Layer.provide(own),
    Layer.provideMerge(faulty)
  )
  const context = yield* Layer.buildWithMemoMap(built, Layer.makeMemoMapUnsafe(), scope)
  const process: Process<R> = {
    context,
    faults: Context.get(context, FaultyReadSide.FaultyReadSide),
    trouble: (fault) => Effect.sync(() => trouble = fault ?? passes),
    kill: Effect.suspend(() => {
      isDead = true
      return Scope.close(scope, Exit.void)
    }),
    stop: Scope.close(scope, Exit.void),
    next: (operation, fault) => Context.get(context, FaultyReadSide.FaultyReadSide).next(operation, fault),
    died: Effect.callback((resume) => {
      if (isDead) return resume(Effect.void)
      deaths.push(() => resume(Effect.void))
    }),
    points: () => calls,
    steps
  }
  return process
})

/** What a process does in any case, as time passes: a point of its life, and none of a batch. */
const isBeat = (operation: string): boolean => operation.startsWith("leases.") || operation === "checkpoints.get"

const recording = (
  checkpoints: CheckpointStore["Service"],
  steps: Array<Step>,
  before: (id: CheckpointId) => Effect.Effect<void>
): CheckpointStore["Service"] => ({
  ...checkpoints,
  advance: (step, work) =>
    Effect.tap(
      Effect.andThen(step.revision === 0 ? Effect.void : before(step.id), checkpoints.advance(step, work)),
      ({ checkpoint }) =>
        Effect.sync(() => steps.push({ id: step.id, from: step.revision, revision: checkpoint.revision, to: step.to }))
    )
})

/** Everybody gets every lease. */
const voidLeases: Lease["Service"] = {
  claim: ({ holder }) => Effect.succeed({ holder, untilMillis: Number.MAX_SAFE_INTEGER, term: 1 }),
  release: () => Effect.void,
  list: Effect.succeed([])
}

/** Ends when a projection has come to the end of the log, as a process sees it. */
export const caughtUp = Effect.fnUntraced(function*(
  { context }: Process<never>,
  projection: { readonly definition: Parameters<ProjectionHost["Service"]["await"]>[0] }
) {
  const head = yield* (yield* EventStore).head
  yield* Context.get(context, ProjectionHost).await(projection.definition, head, { deadline: "2 minutes" })
})

// ── The log

/** Some events of a few accounts, as a seed wants it: some with a note, some that delete a document. */
export const grow = Effect.fnUntraced(function*(
  random: Seeded,
  events: number,
  /** Whether streams of two categories have the same ids, so that they share documents. */
  { shared = true } = {}
) {
  const store = yield* EventStore
  for (let left = events; left > 0;) {
    const count = 1 + random.below(Math.min(4, left))
    left -= count
    const category = shared && random.below(8) === 0 ? "Other" : "Account"
    const id = `a-${random.below(5)}`
    yield* write(
      store,
      { tenant: Event.defaultTenant, category, id },
      Array.from({ length: count }, () => eventOf(random))
    )
  }
})

/** Events of one account. */
export const append = Effect.fnUntraced(function*(id: string, ...events: ReadonlyArray<Event.New>) {
  yield* write(yield* EventStore, { tenant: Event.defaultTenant, category: "Account", id }, events)
})

const write = Effect.fnUntraced(function*(
  store: EventStore["Service"],
  stream: Event.StreamId,
  events: ReadonlyArray<Event.New>
) {
  const [status] = yield* store.append([[{ stream, expected: "any", events, receipts: [] }]])
  assert.strictEqual(status!._tag, "Committed")
})

const eventOf = (random: Seeded): Event.New => {
  const cents = 1 + random.below(50)
  if (random.below(5) === 0) return newEvent({ type: "SomethingElse", data: {} })
  return random.below(3) === 0
    ? newEvent({ type: "MoneyWithdrawn", data: { cents } })
    : newEvent({
      type: "MoneyDeposited",
      data: random.below(3) === 0 ? { cents, note: `n${random.below(3)}` } : { cents }
    })
}

/** All events of the log. */
export const allEvents = Effect.gen(function*() {
  const store = yield* EventStore
  const events: Array<Event.Stored> = []
  while (true) {
    const page = yield* store.readAll({ after: BigInt(events.length) })
    events.push(...page.events)
    if (page.events.length === 0) return events
  }
})

// ── What a view holds

/** The documents of a version in the store, of the default tenant, by key. */
export const documentsOf = Effect.fnUntraced(function*(name: string, version: number) {
  const views = yield* ViewStore
  const found = new Map<string, unknown>()
  let after: { readonly key: string } | undefined
  while (true) {
    const page = yield* views.list({ name, version, indexes: [] }, { tenant: Event.defaultTenant, limit: 1_000, after })
    for (const { document, key } of page) found.set(key, JSON.parse(document))
    if (page.length === 0) return found
    after = page.at(-1)!
  }
})

/** What was set, by all processes together, is one chain: each step upon the one before, none beside another. */
export const assertOneChain = (name: string, processes: ReadonlyArray<Pick<Process<never>, "steps">>): void => {
  const byId = Map.groupBy(
    processes.flatMap(({ steps }) => steps),
    ({ id }) => JSON.stringify([id.name, id.version, id.partition])
  )
  for (const [id, steps] of byId) {
    const inOrder = steps.toSorted((a, b) => a.revision - b.revision)
    inOrder.forEach((step, index) => {
      const before = inOrder[index - 1]
      if (before === undefined) return
      // A step whose reply was lost was made by nobody whom we could ask; it may be missing here, never doubled.
      assert.isTrue(
        before.revision < step.revision && before.revision <= step.from,
        `${name}: two steps at once in ${id}`
      )
      assert.isTrue(before.to <= step.to, `${name}: a step backwards in ${id}`)
    })
  }
}

export { randomOf }
