/**
 * What the read side keeps in memory: values that are replaced as a whole, never changed, so that a transaction is a
 * draft of them. One transaction at a time; it is kept in one synchronous step, or not at all.
 */
import { Clock, Context, Effect, Exit, HashMap, Semaphore } from "effect"
import type { Checkpoint } from "../CheckpointStore.ts"
import type { DeadLetter, ParkedStream } from "../DeadLetters.ts"
import type { Held } from "../Lease.ts"
import type { LiveVersion } from "../ViewStore.ts"
import type { Documents } from "./MemoryDocuments.ts"
import * as MemoryLog from "./MemoryLog.ts"

/** All of it. Keys of several parts are written as JSON, so they are never glued together. */
export interface State {
  readonly checkpoints: HashMap.HashMap<string, Checkpoint>
  /** The last revisions of checkpoints that were removed. */
  readonly removed: HashMap.HashMap<string, number>
  readonly letters: HashMap.HashMap<string, DeadLetter>
  readonly parked: HashMap.HashMap<string, ParkedStream>
  readonly leases: HashMap.HashMap<string, Held & { readonly name: string }>
  /** Those that have room. */
  readonly views: HashMap.HashMap<string, Documents>
  readonly live: HashMap.HashMap<string, LiveVersion>
}

const empty: State = {
  checkpoints: HashMap.empty(),
  removed: HashMap.empty(),
  letters: HashMap.empty(),
  parked: HashMap.empty(),
  leases: HashMap.empty(),
  views: HashMap.empty(),
  live: HashMap.empty()
}

/** What a transaction has come to so far. */
interface Draft {
  state: State
  isOpen: boolean
}

/** Where a fiber is: in which transaction, and who may begin one inside it. */
interface Level {
  readonly draft: Draft
  readonly permit: Semaphore.Semaphore
}

/** The tables of one `Memory.layer`. */
export interface MemoryTables {
  state: State
  readonly log: MemoryLog.MemoryLog
  /** Whoever has it may write, be it at once or in a transaction. */
  readonly permit: Semaphore.Semaphore
  /** The transaction of these very tables that a fiber is in. */
  readonly level: Context.Service<Level, Level>
}

/** Tables that hold nothing, beside their log. */
export const make = (log: MemoryLog.MemoryLog, storeId: string): MemoryTables => ({
  state: empty,
  log,
  permit: Semaphore.makeUnsafe(1),
  level: Context.Service<Level, Level>(`varve/memory/Transaction/${storeId}`)
})

/** Looks at the tables as they are kept, or as the transaction that this is asked in sees them. */
export const read = <A>(tables: MemoryTables, look: (state: State) => A): Effect.Effect<A> =>
  Effect.withFiber(({ context }) => {
    const level = Context.getOrUndefined(context, tables.level)
    return level === undefined ? Effect.sync(() => look(tables.state)) : inDraft(level, ({ state }) => look(state))
  })

/** A change: what it answers, and what the tables are from then on. */
export type Change<A> = (state: State, nowMillis: number) => readonly [answer: A, state: State]

/** Changes the tables in one synchronous step: as part of the transaction that this is asked in, or by itself. */
export const write = <A>(tables: MemoryTables, change: Change<A>): Effect.Effect<A> =>
  Effect.flatMap(Clock.currentTimeMillis, (nowMillis) =>
    Effect.withFiber(({ context }) => {
      const apply = (target: { state: State }): A => {
        const [answer, state] = change(target.state, MemoryLog.tick(tables.log, nowMillis))
        target.state = state
        return answer
      }
      const level = Context.getOrUndefined(context, tables.level)
      return level === undefined
        ? tables.permit.withPermit(Effect.sync(() => apply(tables)))
        : inDraft(level, apply)
    }))

/** Changes the tables in one synchronous step by itself. Inside a transaction it is refused by `refuse`. */
export const writeOutside = <A, E>(
  tables: MemoryTables,
  change: Change<A>,
  refuse: () => E
): Effect.Effect<A, E> =>
  Effect.withFiber(({ context }): Effect.Effect<A, E> =>
    Context.getOrUndefined(context, tables.level) === undefined ? write(tables, change) : Effect.fail(refuse())
  )

const inDraft = <A>({ draft }: Level, step: (draft: Draft) => A): Effect.Effect<A> =>
  Effect.sync(() => {
    if (!draft.isOpen) throw new Error("the transaction has already ended: a fiber of its work has outlived it")
    return step(draft)
  })

/** Work of which all is kept or nothing. Inside another one it can be undone by itself, as with a savepoint. */
export const transaction = <A, E, R>(tables: MemoryTables, work: Effect.Effect<A, E, R>): Effect.Effect<A, E, R> =>
  Effect.withFiber(({ context }) => {
    const outer = Context.getOrUndefined(context, tables.level)
    return outer === undefined ? outermost(tables, work) : inner(tables, outer, work)
  })

const outermost = <A, E, R>(tables: MemoryTables, work: Effect.Effect<A, E, R>): Effect.Effect<A, E, R> =>
  tables.permit.withPermit(Effect.suspend(() => {
    const draft: Draft = { state: tables.state, isOpen: true }
    return Effect.onExit(within(tables, draft, work), (exit) =>
      Effect.sync(() => {
        draft.isOpen = false
        if (Exit.isSuccess(exit)) tables.state = draft.state
      }))
  }))

const inner = <A, E, R>(
  tables: MemoryTables,
  { draft, permit }: Level,
  work: Effect.Effect<A, E, R>
): Effect.Effect<A, E, R> =>
  permit.withPermit(Effect.suspend(() => {
    const before = draft.state
    return Effect.onExit(within(tables, draft, work), (exit) =>
      Effect.sync(() => {
        if (Exit.isFailure(exit)) draft.state = before
      }))
  }))

const within = <A, E, R>(tables: MemoryTables, draft: Draft, work: Effect.Effect<A, E, R>): Effect.Effect<A, E, R> =>
  Effect.provideService(work, tables.level, { draft, permit: Semaphore.makeUnsafe(1) })
