/**
 * Working off a page of the log: applied as a whole and set down with the checkpoint, in smaller parts where that fails,
 * until it is known which event it was. What is done with that one is the projection's to say.
 */
import { Effect, Predicate } from "effect"
import type { CheckpointMoved } from "../CheckpointStore.ts"
import type { NewDeadLetter } from "../DeadLetters.ts"
import type { Position, Stored } from "../Event.ts"
import type { LogPage, StoreUnavailable } from "../EventStore.ts"
import { EventTooNew } from "../ProjectionHost.ts"
import { type Failure, handlerFailed } from "./applier.ts"
import { backoff } from "./backoff.ts"
import * as Chain from "./chain.ts"
import { elapsedMillis } from "./elapsed.ts"
import * as Holding from "./holding.ts"
import * as LiveVersions from "./liveVersions.ts"
import { isOwnStream } from "./partitions.ts"
import { awaiting, enter, finishing, reach, type Reader } from "./reader.ts"
import { isEvent } from "./routing.ts"

/** What may end the work on a page. */
export type Ended = Chain.Obstacle | EventTooNew

/** Works off a page. What it wants of it is done when this ends, or has its letter. */
export const digest = Effect.fnUntraced(function*(
  chain: Chain.Chain,
  page: LogPage
): Effect.fn.Return<void, Ended> {
  const { reader } = chain
  reader.head = page.head
  let events = wanted(chain, page.events)
  let size = events.length
  while (events.length > 0) {
    const part = size >= events.length ? events : events.slice(0, size)
    const isLast = part.length === events.length
    const done = yield* commit(chain, part, isLast ? page.position : part.at(-1)!.position, page.head)
    if (done.unfit !== undefined && part.length > 1) {
      size = Math.ceil(part.length / 2)
      continue
    }
    const failure = done.failure ?? (done.unfit === undefined ? undefined : handlerFailed(new Error(done.unfit)))
    if (failure === undefined) {
      events = events.slice(done.count)
    } else {
      yield* settle(chain, part[done.count]!, failure, page.head)
      // Its stream may be parked from now on.
      events = wanted(chain, events.slice(done.count + 1))
    }
    size *= 2
  }
  yield* pass(chain, page)
})

/** The events of a page that are this reader's, and not parked. */
const wanted = ({ parked, reader }: Chain.Chain, events: ReadonlyArray<Stored>): ReadonlyArray<Stored> => {
  const { running: { target }, share } = reader
  const byStream = target._tag !== "View" && share.partitions > 1
  return events.filter((stored) =>
    isEvent(stored) &&
    (!byStream || isOwnStream(share, stored)) &&
    (parked.size === 0 || !parked.has(Chain.streamName(stored)))
  )
}

/** How much of the events was done. */
interface Done {
  readonly count: number
  /** Why the next one could not be. */
  readonly failure?: Failure | undefined
  /** Why all of them together cannot be kept: nothing was. */
  readonly unfit?: string | undefined
}

/** Applies events and sets the checkpoint: `to` if all were applied, else right before the first that was not. */
const commit = (
  chain: Chain.Chain,
  events: ReadonlyArray<Stored>,
  to: Position,
  head: Position
): Effect.Effect<Done, StoreUnavailable | CheckpointMoved> => {
  const { reader } = chain
  const { applier, running: { telemetry } } = reader
  const attempt = Effect.flatMap(applier.apply(events), ({ count, failure, work }) => {
    if (count === 0) return Effect.succeed({ count, failure })
    const reached = count === events.length ? to : events[count]!.position - 1n
    return Effect.map(advance(chain, reached, head, work), () => {
      applier.keep()
      telemetry.committed(count)
      reach(reader, reached)
      return { count, failure }
    })
  })
  return (applier.isAtomic ? Effect.uninterruptible(attempt) : attempt).pipe(
    Effect.catchTag("Unfit", ({ error }) => {
      applier.drop()
      return Effect.succeed({ count: 0, unfit: error })
    }),
    awaiting(reader, "store"),
    finishing(reader)
  )
}

/** Sets the checkpoint. What was done in the world is set down also where somebody else has changed it meanwhile. */
const advance = <E>(
  chain: Chain.Chain,
  to: Position,
  head: Position,
  work: Effect.Effect<void, E | StoreUnavailable>
) => {
  const { reader } = chain
  const advanced = Chain.advance(chain, to, head, work)
  if (reader.running.target._tag !== "Effect") return advanced
  // Whatever is in the way of that, he who has changed it comes first.
  const setDown = Effect.ignore(Holding.setDown(reader, chain, to, Chain.settling(chain, to, Effect.void)))
  return Effect.tapError(advanced, (error) => Predicate.isTagged(error, "CheckpointMoved") ? setDown : Effect.void)
}

/** An event that failed is tried again, and then given up. */
const settle = Effect.fnUntraced(function*(
  chain: Chain.Chain,
  stored: Stored,
  failure: Failure,
  head: Position
): Effect.fn.Return<void, Ended> {
  const { reader } = chain
  let last = failure
  for (let tried = 1; tried < reader.running.settings.tries; tried++) {
    yield* refuseTooNew(reader, stored, last)
    enter(reader, "retrying", `position ${stored.position}: ${last.error}`)
    yield* Effect.sleep(yield* backoff(tried))
    const done = yield* commit(chain, [stored], stored.position, head)
    if (done.count === 1) return enter(reader, "running")
    last = done.failure ?? handlerFailed(new Error(done.unfit))
  }
  yield* refuseTooNew(reader, stored, last)
  yield* giveUp(chain, stored, last, head)
  enter(reader, "running")
})

/** A build that knows it will come; until then this is nobody's fault. */
const refuseTooNew = (reader: Reader, { position }: Stored, { error, reason }: Failure) =>
  reason === "SchemaTooNew"
    ? Effect.fail(new EventTooNew({ projection: reader.running.definition.name, position, problem: error }))
    : Effect.void

/** Leaves a letter, and does what the projection says: waits for somebody, passes the event over, or its stream. */
const giveUp = Effect.fnUntraced(function*(
  chain: Chain.Chain,
  stored: Stored,
  failure: Failure,
  head: Position
): Effect.fn.Return<void, Chain.Obstacle> {
  const { letterId, running: { definition: { name }, ports: { letters }, settings, telemetry } } = chain.reader
  const { category, id, position, tenant, type } = stored
  const stream = { tenant, category, id }
  const letter: NewDeadLetter = { reader: letterId, position, stream, type, ...failure }
  // Once for each time that it was tried, so that the letter counts them.
  const put = Effect.asVoid(Effect.replicateEffect(letters.put(letter), settings.tries, { discard: true }))
  const where = `event ${stored.version} of ${category} ${id} (${type}), position ${position}`
  telemetry.letter()
  switch (settings.onFailure) {
    case "pause":
      yield* Effect.logError(`"${name}" is paused at ${where}: ${failure.error}`)
      return yield* Chain.pause(chain, chain.reader.id, position - 1n, `${where}: ${failure.error}`, put)
    case "skip":
      yield* Effect.logError(`"${name}" passes over ${where}: ${failure.error}`)
      return yield* pastIt(chain, position, head, put)
    case "quarantine":
      yield* Effect.logError(`"${name}" passes over the stream from ${where}: ${failure.error}`)
      yield* pastIt(
        chain,
        position,
        head,
        Effect.andThen(put, letters.park({ reader: letterId, stream, fromPosition: position }))
      )
      chain.parked.set(Chain.streamName(stream), position)
  }
})

const pastIt = (chain: Chain.Chain, position: Position, head: Position, work: Effect.Effect<void, StoreUnavailable>) =>
  Effect.suspend(() => {
    // It was not done, so a letter that it may have from before does not go.
    chain.letters.delete(position)
    return Effect.map(Chain.advance(chain, position, head, work), () => reach(chain.reader, position))
  })

/** So many positions that nobody wanted are worth a checkpoint at once. */
const unwantedMax = 10_000n

/** How long progress over what nobody wanted may wait for a checkpoint. */
export const setDownMillis = 250

/**
 * What was not wanted is progress too; a checkpoint of its own it is given now and then only. But what was passed over
 * with its stream is due to whoever takes the stream back, up to the checkpoint: so nobody is told of it before that.
 */
const pass = (chain: Chain.Chain, page: LogPage): Effect.Effect<void, StoreUnavailable | CheckpointMoved> =>
  Effect.suspend(() => {
    if (page.position > chain.seen) {
      chain.seen = page.position
      if (passesOver(chain, page) || mayLead(chain, page)) {
        return Effect.map(setDown(chain), () => reach(chain.reader, page.position))
      }
      reach(chain.reader, page.position)
    }
    const isDue = chain.seen - chain.position >= unwantedMax ||
      (chain.seen > chain.position && millisSince(chain) >= setDownMillis)
    return isDue ? setDown(chain) : Effect.void
  })

/** Whether there are events behind the checkpoint whose stream is parked. */
const passesOver = ({ parked, position }: Chain.Chain, { events }: LogPage): boolean =>
  parked.size > 0 && events.some((stored) => stored.position > position && parked.has(Chain.streamName(stored)))

/** Whether this version is to be read in place of an older one: that is said with the checkpoint, and not a moment later. */
const mayLead = ({ reader: { running: { live } } }: Chain.Chain, { head, position }: LogPage): boolean =>
  live !== undefined && LiveVersions.isNew(live) && position >= head

/** Milliseconds since the checkpoint was set. */
export const millisSince = ({ reader: { running: { ports: { clock } } }, setAtMillis }: Chain.Chain): number =>
  elapsedMillis(clock) - setAtMillis

/** Gives progress a checkpoint. */
export const setDown = (chain: Chain.Chain): Effect.Effect<void, StoreUnavailable | CheckpointMoved> =>
  Chain.advance(chain, chain.seen, chain.reader.head, Effect.void)
