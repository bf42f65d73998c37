/**
 * Group commit: the appends of a whole process go to the store in groups. Nobody waits for company: what is ready when
 * the store is free goes together, so groups grow with the load.
 */
import { Cause, type Clock, Effect, Exit, type Fiber } from "effect"
import type { StreamId } from "../Event.ts"
import type { Append, EventStore, Status, StoreUnavailable } from "../EventStore.ts"
import * as LoopTurn from "./loopTurn.ts"
import { send } from "./sending.ts"

/** What became of one append; a cause that is no `StoreUnavailable` says nothing of whether it was written. */
export type Outcome = Exit.Exit<Status, StoreUnavailable>

/** A place in the next group. What travels in it is decided when the group leaves. */
export interface Ticket {
  /** The append; undefined if nothing is left to be written. */
  readonly begin: () => Append | undefined
  readonly settle: (outcome: Outcome) => void
}

/** The way to the store that all aggregates of a runtime share. */
export interface Groups {
  readonly submit: (ticket: Ticket) => void
}

interface Sent {
  readonly ticket: Ticket
  readonly append: Append
}

type Group = ReadonlyArray<Sent>

/** A larger write travels alone. */
const groupEventsMax = 512
const groupBytesMax = 4 * 1_024 * 1_024

/** While one group is written the next may leave; a third would only make the second smaller. */
const inFlightMax = 2

interface State {
  readonly store: EventStore["Service"]
  readonly fork: (work: Effect.Effect<void>) => Fiber.Fiber<void>
  ready: Array<Ticket>
  /** Begun, and kept for the next group. */
  held: Array<Sent>
  inFlight: number
  scheduled: boolean
  readonly turn: LoopTurn.LoopTurn
}

export const make = (store: EventStore["Service"], fork: State["fork"], clock: Clock.Clock): Groups => {
  if (store.appendNow !== undefined) return atOnce(store.appendNow, clock)
  const state: State = { store, fork, ready: [], held: [], inFlight: 0, scheduled: false, turn: LoopTurn.make(clock) }
  return {
    submit: (ticket) => {
      state.ready.push(ticket)
      schedule(state)
    }
  }
}

/** A store that writes at once gains nothing by groups. */
const atOnce = (appendNow: NonNullable<EventStore["Service"]["appendNow"]>, clock: Clock.Clock): Groups => {
  const turn = LoopTurn.make(clock)
  const write = (ticket: Ticket) => {
    const sent = begin(ticket)
    if (sent === undefined) return
    try {
      settleAll([sent], appendNow([sent.append], clock.currentTimeMillisUnsafe()))
    } catch (error) {
      ticket.settle(Exit.die(error))
    }
  }
  return {
    submit: (ticket) => {
      if (LoopTurn.isOver(turn)) setImmediate(write, ticket)
      else write(ticket)
    }
  }
}

/** Groups leave when everybody who can run has run: whoever was answered by the last group is in the next. */
const schedule = (state: State): void => {
  if (state.scheduled || state.inFlight >= inFlightMax || state.ready.length + state.held.length === 0) return
  state.scheduled = true
  const go = () => {
    state.scheduled = false
    depart(state)
  }
  if (LoopTurn.isOver(state.turn)) setImmediate(go)
  else queueMicrotask(go)
}

const depart = (state: State): void => {
  // What came back while a group was formed has called for the next one, before this one was counted.
  if (state.inFlight >= inFlightMax) return
  const group = form(state)
  if (group.length === 0) return
  state.inFlight++
  let onBoard = true
  const leave = () => {
    if (!onBoard) return
    onBoard = false
    state.inFlight--
    schedule(state)
  }
  state.fork(deliver(state.store, group, leave)).addObserver((exit) => {
    leave()
    if (Exit.isFailure(exit)) { for (const { ticket } of group) ticket.settle(Exit.failCause(exit.cause)) }
  })
  schedule(state)
}

/** Fills a group: a stream at most once, first come, first served. */
const form = (state: State): Group => {
  const group: Array<Sent> = []
  const kept: Array<Sent> = []
  const streams = new Set<string>()
  let room = { events: groupEventsMax, bytes: groupBytesMax }
  const held = state.held
  const ready = state.ready
  let next = 0
  while (group.length < groupEventsMax && next < held.length + ready.length && room.events > 0) {
    const sent = next < held.length ? held[next] : begin(ready[next - held.length]!)
    next++
    if (sent === undefined) continue
    const left = roomAfter(room, sent.append)
    const fits = group.length === 0 || (left.events >= 0 && left.bytes >= 0)
    if (fits && isFree(streams, sent.append)) {
      for (const { stream } of sent.append) streams.add(keyOf(stream))
      group.push(sent)
      room = left
    } else {
      kept.push(sent)
      if (!fits) break
    }
  }
  state.held = [...kept, ...held.slice(next)]
  state.ready = ready.slice(Math.max(0, next - held.length))
  return group
}

const begin = (ticket: Ticket): Sent | undefined => {
  try {
    const append = ticket.begin()
    return append && { ticket, append }
  } catch (error) {
    ticket.settle(Exit.die(error))
    return undefined
  }
}

const roomAfter = (room: { readonly events: number; readonly bytes: number }, append: Append) => {
  let { bytes, events } = room
  for (const write of append) {
    events -= write.events.length
    for (const event of write.events) bytes -= event.bytes
  }
  return { events, bytes }
}

const isFree = (streams: ReadonlySet<string>, append: Append): boolean =>
  append.every(({ stream }) => !streams.has(keyOf(stream)))

// No name that the log admits holds a NUL, so this is one key for one stream.
const keyOf = ({ category, id, tenant }: StreamId): string => `${tenant}\0${category}\0${id}`

/**
 * Sends a group until every outcome is certain. `leave` makes way for the next: a group in doubt holds up nobody but
 * the aggregates that are in it.
 *
 * A store that refuses a group, or dies of it, may do so for one append's sake: then each goes by itself, and is
 * recognized if it was written.
 */
const deliver = (store: EventStore["Service"], group: Group, leave: () => void): Effect.Effect<void> =>
  Effect.flatMap(Effect.exit(send(store, group.map(({ append }) => append), leave)), (exit) => {
    if (Exit.isSuccess(exit)) return Effect.sync(() => settleAll(group, exit.value))
    if (group.length === 1 || Cause.hasInterruptsOnly(exit.cause)) {
      return Effect.sync(() => group.forEach(({ ticket }) => ticket.settle(Exit.failCause(exit.cause))))
    }
    leave()
    return Effect.forEach(group, (sent) => deliver(store, [sent], leave), { concurrency: "unbounded", discard: true })
  })

const settleAll = (group: Group, statuses: ReadonlyArray<Status>): void => {
  group.forEach(({ ticket }, index) => {
    const status = statuses[index]
    ticket.settle(
      status === undefined ? Exit.die(new TypeError("The store did not answer every append.")) : Exit.succeed(status)
    )
  })
}
