/**
 * What the scenarios of inline views share: processes that run accounts and views on one set of stores and die where they
 * are told to, and what the views must hold, folded offline from the log.
 */
import { assert } from "@effect/vitest"
import { Context, Effect, Exit, Layer, Metric, Schema, Scope, Stream } from "effect"
import { SecureRandom } from "effect/crypto"
import * as AggregateRuntime from "../../src/AggregateRuntime.ts"
import type { CheckpointStore } from "../../src/CheckpointStore.ts"
import type { DeadLetters } from "../../src/DeadLetters.ts"
import type { Stored } from "../../src/Event.ts"
import type { AppendLost, EventStore, StoreUnavailable } from "../../src/EventStore.ts"
import type { InlineHost } from "../../src/InlineHost.ts"
import * as InlineRuntime from "../../src/InlineRuntime.ts"
import { InlineViews } from "../../src/InlineViews.ts"
import * as Attention from "../../src/internal/attention.ts"
import { type WatchedReaders, WatchReaders } from "../../src/internal/work.ts"
import type { Lease } from "../../src/Lease.ts"
import * as Projection from "../../src/Projection.ts"
import type { ProjectionHost } from "../../src/ProjectionHost.ts"
import * as ProjectionRunner from "../../src/ProjectionRunner.ts"
import type { Projections } from "../../src/Projections.ts"
import type { SnapshotStore } from "../../src/SnapshotStore.ts"
import { type Fault, passes } from "../../src/testing/Faults.ts"
import * as FaultyStore from "../../src/testing/FaultyStore.ts"
import * as Sample from "../../src/testing/suites/Sample.ts"
import { ViewStore } from "../../src/ViewStore.ts"
import { AccountEvent, Accounts, behavior, Supervisor } from "../fixtures/Account.ts"

export type Ports = EventStore | SnapshotStore | CheckpointStore | ViewStore | InlineViews | DeadLetters | Lease

/** Where a scenario takes place. */
export interface Stores {
  /** Stores over a log of their own, empty each time that it is built. */
  readonly layer: Layer.Layer<Ports, StoreUnavailable>
  /** Runs a scenario while time passes, be it real or virtual. */
  readonly inTime: <A, E, R>(run: Effect.Effect<A, E, R>) => Effect.Effect<A, E, R>
}

/** Runs a scenario on stores of its own, while time passes. */
export const scenario = <A, E>(stores: Stores, run: Effect.Effect<A, E, Ports | Scope.Scope>) =>
  stores.inTime(Effect.scoped(Effect.gen(function*() {
    const layer = Layer.merge(stores.layer, Layer.sync(Metric.MetricRegistry, () => new Map()))
    const context = yield* Layer.buildWithMemoMap(layer, Layer.makeMemoMapUnsafe(), yield* Effect.scope)
    return yield* Effect.provideContext(run, context)
  })))

// ── Views

/** What an account holds, and how often it was moved. It goes when there is nothing left, and comes again. */
const Balance = Schema.Struct({ cents: Schema.Int, moves: Schema.Int })
type Balance = typeof Balance.Type

const moved = (document: Balance | undefined, cents: number): Balance | undefined => {
  const next = { cents: (document?.cents ?? 0) + cents, moves: (document?.moves ?? 0) + 1 }
  return next.cents === 0 ? undefined : next
}

export class Balances extends Projection.View<Balances>()("balances", {
  version: 1,
  document: Balance,
  indexes: ["cents"]
}) {}

/** Documents that all accounts share: one for each note, one for everything, and one that not every event changes. */
export class Notes extends Projection.View<Notes>()("notes", { version: 1, document: Balance }) {}

export const BalancesLive = Balances.toInlineLayer((on) => [
  on(AccountEvent, {
    MoneyDeposited: (document, { cents }) => moved(document, cents),
    MoneyWithdrawn: (document, { cents }) => moved(document, -cents)
  })
])

/** Stays as it is if the last one came to the same. */
const turned = (document: Balance | undefined, { cents }: { readonly cents: number }): Balance =>
  document?.cents === cents % 3 ? document : { cents: cents % 3, moves: (document?.moves ?? 0) + 1 }

const keysOf = (note: string | undefined): ReadonlyArray<string> => note === undefined ? ["all"] : ["all", note]

export const NotesLive = Notes.toInlineLayer((on) => [
  on(
    AccountEvent,
    { MoneyDeposited: (document, { cents }) => moved(document, cents % 7 - 3) },
    { key: ({ note }) => keysOf(note) }
  ),
  on(AccountEvent, { MoneyDeposited: turned, MoneyWithdrawn: turned }, { key: () => "turn" })
])

/** What a document is at a position, and was before. */
export type Fold = ReadonlyMap<
  string,
  ReadonlyArray<{ readonly position: bigint; readonly document: Balance | undefined }>
>

const place = (view: string, tenant: string, key: string) => `${view}/${tenant}/${key}`

/** Every document of both views, at every event that touches it. */
const fold = (events: ReadonlyArray<Stored>): Fold => {
  const all = new Map<string, Array<{ readonly position: bigint; readonly document: Balance | undefined }>>()
  const change = (
    { position, tenant }: Stored,
    view: string,
    key: string,
    next: (document: Balance | undefined) => Balance | undefined
  ) => {
    const history = all.get(place(view, tenant, key)) ?? []
    all.set(place(view, tenant, key), history)
    history.push({ position, document: next(history.at(-1)?.document) })
  }
  const move = (stored: Stored, view: string, key: string, cents: number) =>
    change(stored, view, key, (document) => moved(document, cents))
  for (const stored of events) {
    const { cents, note } = JSON.parse(stored.data)
    const sign = stored.type === "MoneyDeposited" ? 1 : stored.type === "MoneyWithdrawn" ? -1 : 0
    if (sign !== 0) move(stored, "balances", stored.id, sign * cents)
    if (sign === 1) { for (const key of keysOf(note)) move(stored, "notes", key, cents % 7 - 3) }
    if (sign !== 0) change(stored, "notes", "turn", (document) => turned(document, { cents }))
  }
  return all
}

/** The same of the log as it is. */
export const foldLog = Effect.map(Sample.wholeLog(0n), fold)

/** The documents of a view that are in the store. */
const documentsOf = Effect.fnUntraced(function*(view: string, tenant: string) {
  const views = yield* ViewStore
  const found = new Map<string, unknown>()
  for (let after: { readonly key: string } | undefined;;) {
    const page = yield* views.list({ name: view, version: 1, indexes: [] }, { tenant, limit: 1_000, after })
    for (const { document, key } of page) found.set(key, JSON.parse(document))
    if (page.length === 0) return found
    after = page.at(-1)!
  }
})

/** Both views hold what the log says, no more and no less. */
export const assertFolded = Effect.gen(function*() {
  const folded = yield* foldLog
  for (const view of ["balances", "notes"]) {
    const own = Array.from(folded).filter(([place]) => place.startsWith(`${view}/default/`))
    const expected = own.flatMap(([place, history]) => {
      const document = history.at(-1)!.document
      return document === undefined ? [] : [[place.slice(view.length + 9), document] as const]
    })
    assert.deepStrictEqual(
      new Map([...yield* documentsOf(view, "default")].toSorted()),
      new Map(expected.toSorted()),
      view
    )
  }
})

/** Whether both views are inline. */
export const areInline = Effect.gen(function*() {
  const views = yield* (yield* InlineViews).list
  return ["balances", "notes"].every((name) => views.some((view) => view.name === name && view.version === 1))
})

/** Ends when both views are inline. A reader who has made one so tells those who run it. */
export const becomeInline = Effect.fnUntraced(function*(processes: ReadonlyArray<Process>) {
  while (true) {
    const changed = processes.map(({ changed }) => changed())
    if (yield* areInline) return
    yield* Effect.raceAllFirst(changed)
  }
})

// ── Processes

/** What somebody saw in a view: this document, at this position or later. */
export interface Seen {
  readonly place: string
  readonly document: unknown
  readonly from: bigint
  readonly to: bigint
}

/** What was seen must have been true at some moment between these positions. */
export const assertSeen = (folded: Fold, all: ReadonlyArray<Seen>): void => {
  for (const seen of all) {
    const history = [{ position: 0n, document: undefined }, ...folded.get(seen.place) ?? []]
    const possible = history.filter(({ position }, index) =>
      position <= seen.to && (history[index + 1]?.position ?? seen.to + 1n) > seen.from
    )
    const isTrue = possible.some(({ document }) => JSON.stringify(document) === JSON.stringify(seen.document))
    assert.isTrue(isTrue, `${seen.place} at ${seen.from}..${seen.to}: ${JSON.stringify(seen.document)}`)
  }
}

/** A process that runs accounts and both views. */
export interface Process {
  readonly context: Context.Context<Accounts | Balances | Notes | ProjectionHost | Projections | InlineHost>
  readonly faults: FaultyStore.FaultyStore["Service"]
  /** What happens to its appends from now on; nothing if there is none. */
  readonly trouble: (fault: Fault<StoreUnavailable | AppendLost> | undefined) => void
  /** It is gone: nothing that it does from now on reaches the log. */
  readonly kill: Effect.Effect<void>
  /** What its views have told. */
  readonly changes: Array<Seen>
  /** Ends when its views have told what it has written so far, both being inline: it writes one thing more to know. */
  readonly told: Effect.Effect<void, unknown>
  /** Ends when nothing that it has sent to the log is under way. */
  readonly answered: Effect.Effect<void>
  /** Called before one looks: ends when one of its readers fares otherwise than then. */
  readonly changed: () => Effect.Effect<void>
}

type Views = Layer.Layer<Balances | Notes, never, InlineHost | ProjectionHost | ViewStore>

/** Starts a process on the stores at hand. */
export const start = Effect.fnUntraced(function*(
  { views = Layer.merge(BalancesLive, NotesLive) }: { readonly views?: Views } = {}
) {
  const scope = yield* Effect.acquireRelease(Scope.make(), (scope) => Scope.close(scope, Exit.void))
  const stores = yield* Effect.context<Ports>()
  let isDead = false
  let trouble: Fault<StoreUnavailable | AppendLost> = passes
  const appends = underWay()
  const readers = new Set<WatchedReaders>()
  const faulty = Layer.provideMerge(FaultyStore.layerShared, Layer.succeedContext(stores))
  const accounts = Layer.provide(Accounts.toLayer(behavior, { drainDeadline: 0 }), Supervisor.layerYes)
  const live = accounts.pipe(
    Layer.provideMerge(views),
    Layer.provide(AggregateRuntime.layer),
    Layer.provideMerge(ProjectionRunner.layerWith({ lease: "1 second" })),
    Layer.provideMerge(InlineRuntime.layer),
    Layer.provideMerge(faulty),
    Layer.provide(Layer.succeed(WatchReaders, (each) => void readers.add(each)))
  )
  const context = yield* Layer.buildWithMemoMap(live, Layer.makeMemoMapUnsafe(), scope)
  const faults = Context.get(context, FaultyStore.FaultyStore)
  yield* faults.always("append", (call) => Effect.suspend(() => isDead ? Effect.never : trouble(appends.counted(call))))
  const changes: Array<Seen> = []
  const telling = Attention.make()
  const listen = (view: string, stream: Stream.Stream<Projection.Change<unknown>, unknown>) =>
    Stream.runForEach(
      stream,
      ({ document, key, position, tenant }) =>
        Effect.sync(() => {
          changes.push({ place: place(view, tenant, key), document, from: position, to: position })
          Attention.call(telling)
        })
    ).pipe(Effect.ignore, Effect.forkIn(scope, { startImmediately: true }))
  yield* listen("balances", Context.get(context, Balances).changes)
  yield* listen("notes", Context.get(context, Notes).changes)
  yield* listening
  const process: Process = {
    context,
    faults,
    trouble: (fault) => void (trouble = fault ?? passes),
    kill: Effect.suspend(() => {
      isDead = true
      return Effect.asVoid(Effect.forkDetach(Scope.close(scope, Exit.void)))
    }),
    changes,
    told: Effect.suspend(() => tell(Context.get(context, Accounts), changes, telling)),
    answered: appends.none,
    changed: () => Effect.raceAllFirst([...readers].map(({ changed, changes }) => changed(changes())))
  }
  return process
})

/** Whoever listens asks nobody outside before he does: when others have had some turns, he listens. */
const listening = Effect.repeat(Effect.yieldNow, { times: 20 })

/** Calls that are under way. */
const underWay = () => {
  const ended = Attention.make()
  let calls = 0
  const none: Effect.Effect<void> = Effect.suspend(() =>
    calls === 0 ? Effect.void : Effect.andThen(Attention.after(ended, ended.calls), none)
  )
  const counted: Fault<never> = (call) =>
    Effect.suspend(() => {
      calls++
      return Effect.ensuring(
        call,
        Effect.sync(() => {
          calls--
          Attention.call(ended)
        })
      )
    })
  return { counted, none }
}

/** Each view tells its changes in order: when the last one is told, all are. */
const tell = Effect.fnUntraced(function*(
  accounts: Accounts["Service"],
  changes: ReadonlyArray<Seen>,
  telling: Attention.Attention
) {
  const mark = `mark-${SecureRandom.uuidV4Unsafe()}`
  yield* accounts.of(mark).deposit({ cents: 1, note: mark })
  const wanted = ["balances", "notes"].map((view) => place(view, "default", mark))
  while (!wanted.every((place) => changes.some((change) => change.place === place))) {
    yield* Attention.after(telling, telling.calls)
  }
})

/** Looks at a document right after a command was answered whose last event has this position. */
export const look = Effect.fnUntraced(function*(
  { context }: Process,
  view: "balances" | "notes",
  key: string,
  from: bigint,
  tenant = "default"
) {
  const { get } = view === "balances" ? Context.get(context, Balances) : Context.get(context, Notes)
  const document = yield* get(key, { tenant })
  return { place: place(view, tenant, key), document, from, to: yield* Sample.head } satisfies Seen
})
