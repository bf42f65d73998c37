/**
 * A resident: one aggregate in memory. Idle, it is this record and nothing else; while there is work, a fiber serves it.
 *
 * Those who idle form a list in the order in which they fell idle, through the records themselves, so that passivating
 * one costs no search.
 */
import { type Cause, Effect } from "effect"
import type { CommandFailed } from "../AggregateHost.ts"
import type { StreamId } from "../Event.ts"
import type { Batch } from "./batch.ts"
import type { Envelope } from "./envelope.ts"
import * as Mailbox from "./mailbox.ts"
import type { Folded } from "./replay.ts"

/** What an aggregate has to do, and how far it is. */
export interface Work {
  readonly mailbox: Mailbox.Mailbox
  /** The command that is handled by itself: it wants a load, a look for its receipt, or an Effect to be run. */
  running: Envelope | undefined
  /** On its way to the store. */
  writing: Batch | undefined
  /** Decided on what `writing` leads to, and still here. */
  forming: Batch | undefined
  /** `forming` has a place in the next group. */
  queued: boolean
  /** The command that cannot be decided before what is under way has changed; it is not asked about in vain. */
  held: Envelope | undefined
  /** Answers are being given: whoever sends again joins those who were answered before. */
  answering: boolean
  /** A defect below the handlers. The fiber ends with it. */
  broken: Cause.Cause<never> | undefined
  /** There is something new; `wake` is set while the fiber waits for that. */
  news: boolean
  wake: (() => void) | undefined
  /** The residents whose answers its handler waits for, each as often as it asks. */
  readonly asks: Array<Resident>
}

/** One aggregate in memory. */
export interface Resident {
  readonly stream: StreamId
  /** Its state as last seen, committed; undefined before the first load and after a doubt. */
  folded: Folded | undefined
  /** In which life of the log that was; see `EventStore.life`. */
  life: number
  /** Whether another writer may have gone on since: look before deciding. */
  stale: boolean
  /** Undefined while it idles; otherwise a fiber does it. */
  work: Work | undefined
  /** Work that is done, and whose fiber is still there: new work that comes at once goes to it. */
  lingering: Work | undefined
  /** The stream could not be read: callers learn this at once until `retryAtMillis`. */
  unreadable: { readonly failure: CommandFailed; readonly retryAtMillis: number; readonly attempts: number } | undefined
  /** A snapshot is being saved; and another one is due when it is. */
  saving: boolean
  snapshotDue: boolean
  idleSinceMillis: number
  older: Resident | undefined
  newer: Resident | undefined
}

export const make = (stream: StreamId): Resident => ({
  stream,
  folded: undefined,
  life: 0,
  stale: false,
  work: undefined,
  lingering: undefined,
  unreadable: undefined,
  saving: false,
  snapshotDue: false,
  idleSinceMillis: 0,
  older: undefined,
  newer: undefined
})

export const makeWork = (mailbox: Mailbox.Mailbox): Work => ({
  mailbox,
  running: undefined,
  writing: undefined,
  forming: undefined,
  queued: false,
  held: undefined,
  answering: false,
  broken: undefined,
  news: false,
  wake: undefined,
  asks: []
})

/** How many commands wait: in the mailbox, or decided and not yet on their way. The first is not counted if it can go. */
export const waiting = ({ forming, mailbox, running, writing }: Work): number => {
  const unsent = Mailbox.size(mailbox) + (forming?.entries.length ?? 0)
  return writing === undefined && running === undefined ? Math.max(0, unsent - 1) : unsent
}

/** Tells the fiber that there is something new. */
export const wake = (work: Work): void => {
  work.news = true
  work.wake?.()
}

/** The fiber's wait for something new. */
export const awaitNews = (work: Work): Effect.Effect<void> =>
  Effect.callback((resume) => {
    if (work.news) return resume(Effect.void)
    work.wake = () => {
      work.wake = undefined
      resume(Effect.void)
    }
    return Effect.sync(() => (work.wake = undefined))
  })

/** Residents by tenant and id, and those among them that idle. */
export interface Residents {
  readonly byTenant: Map<string, Map<string, Resident>>
  count: number
  /** Idle for longest. */
  oldest: Resident | undefined
  newest: Resident | undefined
}

export const makeResidents = (): Residents => ({
  byTenant: new Map(),
  count: 0,
  oldest: undefined,
  newest: undefined
})

export const find = (residents: Residents, stream: StreamId): Resident | undefined =>
  residents.byTenant.get(stream.tenant)?.get(stream.id)

/** Takes a new resident in; it does not idle yet. */
export const add = (residents: Residents, resident: Resident): void => {
  const { id, tenant } = resident.stream
  const ofTenant = residents.byTenant.get(tenant)
  if (ofTenant === undefined) residents.byTenant.set(tenant, new Map([[id, resident]]))
  else ofTenant.set(id, resident)
  residents.count++
}

/** It has no work left: it idles, and room may be made at its expense. */
export const park = (residents: Residents, resident: Resident, nowMillis: number): void => {
  resident.lingering = resident.work
  resident.work = undefined
  resident.idleSinceMillis = nowMillis
  resident.older = residents.newest
  if (residents.newest === undefined) residents.oldest = resident
  else residents.newest.newer = resident
  residents.newest = resident
}

/** It has work again. One that was never parked is left as it is. */
export const unpark = (residents: Residents, resident: Resident): void => {
  const { newer, older } = resident
  if (older !== undefined) older.newer = newer
  else if (residents.oldest === resident) residents.oldest = newer
  if (newer !== undefined) newer.older = older
  else if (residents.newest === resident) residents.newest = older
  resident.older = undefined
  resident.newer = undefined
}

/** Lets an idle resident go. Looking for work and letting go is one synchronous step, so no command is lost in between. */
export const passivate = (residents: Residents, resident: Resident): boolean => {
  if (resident.work !== undefined || resident.saving) return false
  unpark(residents, resident)
  const ofTenant = residents.byTenant.get(resident.stream.tenant)
  ofTenant?.delete(resident.stream.id)
  if (ofTenant?.size === 0) residents.byTenant.delete(resident.stream.tenant)
  residents.count--
  return true
}

/** The one that has been idle for longest, of those that may go. */
export const oldestIdle = (residents: Residents): Resident | undefined => {
  let resident = residents.oldest
  while (resident?.saving) resident = resident.newer
  return resident
}

/** All of them. */
export const all = function*(residents: Residents): Generator<Resident> {
  for (const ofTenant of residents.byTenant.values()) yield* ofTenant.values()
}
