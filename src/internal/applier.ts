/**
 * What a projection's runner has to know of what it fills: how events are applied, and what goes with the checkpoint.
 */
import { type Effect, Schema } from "effect"
import type { DeadReason } from "../DeadLetters.ts"
import type { Position, Stored } from "../Event.ts"
import type { StoreUnavailable } from "../EventStore.ts"
import { problemOf } from "./codec.ts"
import type { Undecodable } from "./evolution.ts"

/** Why an event could not be worked off. */
export interface Failure {
  readonly reason: DeadReason
  readonly error: string
}

/** What several events came to together cannot be kept: applied in smaller parts, it shows which of them it was. */
export class Unfit extends Schema.TaggedError<Unfit>()("Unfit", { error: Schema.String }) {}

/** Events, applied as far as that goes; nothing of it is kept yet. */
export interface Applied {
  /** How many of them, from the first on. */
  readonly count: number
  /** Why the next one could not be; undefined if there is none, or if it was just enough. */
  readonly failure: Failure | undefined
  /** What must be done in the transaction that moves the checkpoint. */
  readonly work: Effect.Effect<void, StoreUnavailable | Unfit>
}

/** What events have made of a document, or of a fold's one state: its key is empty. */
export interface Touched {
  readonly tenant: string
  readonly key: string
  readonly before: unknown
  readonly after: unknown
}

/** Applies events to whatever a projection fills. It has one user, who keeps or drops what he was given last. */
export interface Applier {
  readonly storedTypes: ReadonlyArray<string>
  readonly apply: (events: ReadonlyArray<Stored>) => Effect.Effect<Applied, StoreUnavailable | Unfit>
  /** What was applied last is kept, up to there: the checkpoint has moved. */
  readonly keep: () => void
  /** What was applied last is not. */
  readonly drop: () => void
  /** What is applied from now on comes after this position. */
  readonly begin: (position: Position) => void
  /** Nothing that it remembers can be relied on: somebody else may work from now on. */
  readonly forget: () => void
  /** What was applied last has changed, as far as that is known here; until it is kept or dropped. */
  readonly touched: () => ReadonlyArray<Touched>
  /** Applying and keeping is one step: nobody may come between. */
  readonly isAtomic: boolean
}

/** An event that this build cannot read. */
export const undecodable = (why: Undecodable): Failure => {
  switch (why._tag) {
    case "TypeUnknown":
      return { reason: "TypeUnknown", error: "this build does not know its type" }
    case "TooNew":
      return { reason: "SchemaTooNew", error: "its schema is newer than this build" }
    case "Malformed":
      return { reason: "Undecodable", error: why.problem }
  }
}

/** A handler threw or failed. */
export const handlerFailed = (error: unknown): Failure => ({ reason: "HandlerFailed", error: problemOf(error) })
