/**
 * Which version of a view is read: looked up, remembered for a moment, and changed in the transaction of a batch when a
 * new version has caught up.
 */
import { type Clock, Effect } from "effect"
import type { StoreUnavailable } from "../EventStore.ts"
import type { LiveVersion, ViewStore } from "../ViewStore.ts"
import { elapsedMillis } from "./elapsed.ts"

export interface LiveVersions {
  readonly name: string
  /** The version of this code. */
  readonly own: number
  readonly store: ViewStore["Service"]
  readonly clock: Clock.Clock
  known: LiveVersion | undefined
  /** When `known` was looked up; undefined if never. */
  knownAtMillis: number | undefined
}

export const make = (
  { clock, name, own, store }: Pick<LiveVersions, "name" | "own" | "store" | "clock">
): LiveVersions => ({ name, own, store, clock, known: undefined, knownAtMillis: undefined })

/** Looks it up. */
export const refresh = (self: LiveVersions): Effect.Effect<LiveVersion | undefined, StoreUnavailable> =>
  Effect.tap(self.store.live(self.name), (live) => Effect.sync(() => know(self, live)))

const know = (self: LiveVersions, live: LiveVersion | undefined): void => {
  self.known = live
  self.knownAtMillis = elapsedMillis(self.clock)
}

const trustedMillis = 1_000

/** What it was a second ago at most. */
export const current = (self: LiveVersions): Effect.Effect<LiveVersion | undefined, StoreUnavailable> =>
  Effect.suspend(() => {
    const { clock, known, knownAtMillis } = self
    const isFresh = knownAtMillis !== undefined && elapsedMillis(clock) - knownAtMillis < trustedMillis
    return isFresh ? Effect.succeed(known) : refresh(self)
  })

/** The version that reads of this code are answered from: that which is read, or its own, which is older. */
export const shown = (live: LiveVersion | undefined, own: number): number => Math.min(live?.version ?? own, own)

/** Whether this code's readers are shown what its version holds. */
export const isShown = ({ known, own }: LiveVersions): boolean => shown(known, own) === own

/** The first version ever is read from its first day. */
export const begin = (self: LiveVersions): Effect.Effect<void, StoreUnavailable> =>
  Effect.flatMap(refresh(self), (live) => {
    if (live !== undefined) return Effect.void
    const first = { version: self.own, pinned: false }
    return Effect.asVoid(Effect.andThen(self.store.flip(self.name, { from: undefined, to: first }), refresh(self)))
  })

/** Whether this version is a new one that is still to be read, as far as is known. */
export const isNew = ({ known, own }: LiveVersions): boolean =>
  known !== undefined && known.version < own && !known.pinned

/**
 * Makes it the one that is read, in the transaction that this is asked in, unless somebody has said otherwise meanwhile.
 * What is known then is told by `settle`, once the transaction is kept.
 */
export const flip = (self: LiveVersions): Effect.Effect<LiveVersion | undefined, StoreUnavailable> =>
  Effect.flatMap(self.store.live(self.name), (live) => {
    if (live === undefined || live.pinned || live.version >= self.own) return Effect.succeed(live)
    const to = { version: self.own, pinned: false }
    return Effect.map(self.store.flip(self.name, { from: live.version, to }), (flipped) => flipped ? to : live)
  })

/** The transaction is kept, and this is what it has left. */
export const settle = (self: LiveVersions, live: LiveVersion | undefined): void => know(self, live)
