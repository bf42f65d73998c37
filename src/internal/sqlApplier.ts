/**
 * Filling tables: events are decoded and given to the user's SQL, in the transaction that moves the checkpoint.
 */
import { Cause, Effect, Predicate } from "effect"
import { StoreUnavailable } from "../EventStore.ts"
import type { Source, SqlContext, Target } from "../ProjectionHost.ts"
import { type Applied, type Applier, type Failure, undecodable, Unfit } from "./applier.ts"
import { problemOf } from "./codec.ts"
import type { Delivery } from "./delivery.ts"
import * as Routing from "./routing.ts"
import { tags } from "./shapes.ts"

type Sql = Extract<Target, { readonly _tag: "Sql" }>

/** What SQL of a version is told. */
export const contextOf = (version: number): SqlContext => ({ version, suffix: `_v${version}` })

/** Runs what the user wrote, and tells what may pass by itself from what is wrong with the events or the SQL. */
export const run = <A>(sql: Effect.Effect<A, unknown>): Effect.Effect<A, StoreUnavailable | Unfit> =>
  Effect.catchCause(sql, (cause): Effect.Effect<never, StoreUnavailable | Unfit> => {
    // Whoever is interrupted from outside does not come here: what does has interrupted itself, and would again.
    const error = Cause.squash(cause)
    if (Predicate.isTagged(error, "StoreUnavailable")) return Effect.fail(error as StoreUnavailable)
    return mayPass(error)
      ? Effect.fail(new StoreUnavailable({ operation: "apply", detail: problemOf(error) }))
      : Effect.fail(new Unfit({ error: problemOf(error) }))
  })

/** A lost connection, a deadlock, a busy database: nobody's fault, and another time it may go well. */
const mayPass = (error: unknown): boolean =>
  Predicate.isTagged(error, "SqlError") && Predicate.hasProperty(error, "isRetryable") && error.isRetryable === true

export const make = (
  name: string,
  { apply, events: unions }: Sql,
  context: SqlContext,
  working: <A, E>(effect: Effect.Effect<A, E>) => Effect.Effect<A, E>
): Applier => {
  const routing = Routing.make(name, unions.map(everything))
  const applied = (events: Parameters<Applier["apply"]>[0]): Applied => {
    const batch: Array<Delivery> = []
    let count = 0
    let failure: Failure | undefined
    for (const stored of events) {
      const why = Routing.route(routing, stored, (_, delivery) => batch.push(delivery))
      failure = why && undecodable(why)
      if (failure !== undefined) break
      count++
    }
    const work = batch.length === 0 ? Effect.void : working(run(Effect.suspend(() => apply(batch, context))))
    return { count, failure, work }
  }
  return {
    storedTypes: routing.storedTypes,
    apply: (events) => Effect.sync(() => applied(events)),
    keep: () => {},
    drop: () => {},
    touched: () => [],
    isAtomic: false,
    begin: () => {},
    forget: () => {}
  }
}

/** All events of a union are given to the SQL, which takes what it wants. */
const everything = (events: Source["events"]): Source => ({
  events,
  cases: Object.fromEntries(tags(events).map((tag) => [tag, () => undefined])),
  key: undefined
})
