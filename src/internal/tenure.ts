/**
 * The life of a reader: it waits for its lease, follows the log as long as it holds it, and begins anew after whatever
 * was in the way. It ends with its scope only.
 */
import { Cause, Effect, Exit, Option } from "effect"
import type { StoreUnavailable } from "../EventStore.ts"
import type { EventTooNew } from "../ProjectionHost.ts"
import * as Attention from "./attention.ts"
import { backoff } from "./backoff.ts"
import * as Chain from "./chain.ts"
import { problemOf } from "./codec.ts"
import { elapsedMillis } from "./elapsed.ts"
import * as LiveVersions from "./liveVersions.ts"
import { type Interrupted, pursue } from "./pursuit.ts"
import { enter, idle, type Reader, StoodStill } from "./reader.ts"
import { leaseName } from "./readerNames.ts"

/** How often a lease is prolonged, or asked for, and the checkpoint looked at. */
const beatMillis = ({ running: { ports } }: Reader): number => ports.leaseMillis * 0.3

/** How long a reader whose data are not what they were waits before it looks again. */
const stoppedPause = "10 seconds"

/** Runs a reader for ever. `leased`: others may run it too, so that it takes its turn. */
export const serve = (reader: Reader, leased: boolean): Effect.Effect<never> => {
  const once = leased ? turn(reader) : Effect.andThen(attempts(reader), standBack(reader))
  // A store that dies of something must not be the end of whoever asked it.
  return Effect.forever(Effect.catchCause(once, (cause) => mend(reader, cause)))
}

/** One turn: from the lease to its loss, or until another build had better have it. */
const turn = Effect.fnUntraced(function*(reader: Reader) {
  enter(reader, "standby")
  yield* awaitLease(reader)
  reader.isLeased = true
  yield* Effect.raceFirst(attempts(reader), hold(reader)).pipe(
    Effect.ensuring(Effect.ignore(Effect.timeout(letGo(reader), "1 second")))
  )
  if (reader.state === "stopped") yield* standBack(reader)
})

/** From now on others know better how far it has come, and so it is them who are looked at. */
const letGo = (reader: Reader) =>
  Effect.suspend(() => {
    reader.isLeased = false
    Attention.call(reader.running.progress)
    return reader.running.ports.leases.release(claimOf(reader))
  })

/** Leaves it to others for a while. */
const standBack = (reader: Reader) =>
  Effect.raceFirst(Effect.sleep(stoppedPause), Attention.after(reader.attention, reader.attention.calls))

const claimOf = ({ id, running: { ports } }: Reader) => ({
  name: leaseName(id),
  holder: ports.holder,
  millis: ports.leaseMillis
})

const claim = (reader: Reader): Effect.Effect<boolean, StoreUnavailable> => {
  const own = claimOf(reader)
  return Effect.map(reader.running.ports.leases.claim(own), ({ holder }) => holder === own.holder)
}

const awaitLease = Effect.fnUntraced(function*(reader: Reader) {
  while (!(yield* Effect.catch(claim(reader), () => Effect.succeed(false)))) {
    yield* Effect.sleep(beatMillis(reader))
  }
})

/** Prolongs the lease; ends when it is lost, or may be. Looks whether somebody has changed the checkpoint meanwhile. */
const hold = Effect.fnUntraced(function*(reader: Reader) {
  const { clock, leaseMillis } = reader.running.ports
  const beat = beatMillis(reader)
  let sinceMillis = elapsedMillis(clock)
  while (true) {
    yield* Effect.sleep(beat)
    const beganMillis = elapsedMillis(clock)
    const answer = yield* Effect.exit(Effect.timeout(claim(reader), beat))
    if (Exit.isSuccess(answer)) {
      if (!answer.value) return yield* Effect.logInfo(`"${reader.id.name}" is run by another worker now`)
      sinceMillis = beganMillis
    } else if (elapsedMillis(clock) - sinceMillis >= leaseMillis) {
      return yield* Effect.logWarning(`The lease of "${reader.id.name}" could not be prolonged and has ended`)
    }
    yield* Effect.ignore(Effect.timeout(compare(reader), beat))
  }
})

/**
 * A reader who waits for events does not notice by itself that somebody has moved its checkpoint, or that its version may
 * be read from now on.
 */
const compare = Effect.fnUntraced(function*(reader: Reader) {
  const before = reader.revision
  const checkpoint = yield* reader.running.ledger.get(reader.id)
  const isOther = before !== undefined && before === reader.revision && checkpoint?.revision !== before
  if (isOther) Attention.call(reader.attention)
  if (yield* mayLead(reader)) Attention.call(reader.attention)
})

/** Whether its version is to take over: an operator has let go of the other one, or the last partition has come. */
const mayLead = Effect.fnUntraced(function*(reader: Reader) {
  const { head, position, running: { live }, state } = reader
  if (live === undefined) return false
  yield* LiveVersions.refresh(live)
  if (!LiveVersions.isNew(live) || state !== "running" || position < head) return false
  return yield* Chain.isLast(reader, position)
})

/** Follows the log, time after time. Ends where this build can go no further. */
const attempts = Effect.fnUntraced(function*(reader: Reader) {
  const { attention, running: { telemetry } } = reader
  while (true) {
    const { calls } = attention
    reader.givingWay = false
    const exit = yield* Effect.exit(
      Effect.raceFirst(
        Effect.raceFirst(pursue(reader), called(reader, calls)),
        watch(reader)
      )
    )
    if (Exit.isSuccess(exit)) continue
    telemetry.restarted()
    const failure = Option.getOrUndefined(Cause.findErrorOption(exit.cause))
    if (failure?._tag === "EventTooNew") return yield* stop(reader, failure.message)
    yield* Effect.raceFirst(
      failure === undefined ? mend(reader, exit.cause) : recover(reader, failure),
      Attention.after(attention, calls)
    )
  }
})

/**
 * Ends when somebody has called its attention. What is being done in the world is done to its end before, and set down:
 * it cannot be undone, as all else can.
 */
const called = (reader: Reader, calls: number): Effect.Effect<void> => {
  const { attention, running: { progress, target } } = reader
  if (target._tag !== "Effect") return Attention.after(attention, calls)
  return Effect.flatMap(Attention.after(attention, calls), () => {
    reader.givingWay = true
    return idle([reader], progress)
  })
}

/** A defect, ours or the user's: nothing says that it will last. */
const mend = (reader: Reader, cause: Cause.Cause<unknown>) => {
  const why = problemOf(Cause.squash(cause))
  return Effect.andThen(
    Effect.logError(`"${reader.id.name}" ended in a defect and begins anew`, cause),
    retry(reader, why)
  )
}

/** Says what was in the way, and waits until it may be gone. */
const recover = (reader: Reader, failure: Exclude<Interrupted, EventTooNew> | StoodStill): Effect.Effect<void> => {
  switch (failure._tag) {
    case "CheckpointMoved":
      // Once is an operator, or the end of somebody's lease; more often is another runner, who need not be hindered.
      return reader.failures++ === 0 ? Effect.void : Effect.flatMap(backoff(1), Effect.sleep)
    case "Paused":
      enter(reader, "paused", failure.reason)
      return awaitResumption(reader)
    case "StoreRestored":
    case "LogRewound":
    case "PartitionsChanged":
      return Effect.andThen(stop(reader, failure.message), Effect.sleep(stoppedPause))
    case "LogGap":
    case "StoodStill":
      return Effect.andThen(
        Effect.logError(`"${reader.id.name}" begins anew: ${failure.message}`),
        retry(reader, failure.message)
      )
    case "StoreUnavailable":
      return Effect.andThen(complain(reader, failure), retry(reader, failure.message))
  }
}

/** Said once until it succeeds: at once of what will not pass by itself, else when it has failed three times. */
const complain = (reader: Reader, { lasting = false, message }: StoreUnavailable): Effect.Effect<void> =>
  Effect.suspend(() => {
    const { failures } = reader
    if (failures === 0) reader.complained = false
    if (reader.complained || !(lasting || failures >= 2)) return Effect.void
    reader.complained = true
    return Effect.logError(`"${reader.id.name}" cannot go on, and tries again: ${message}`)
  })

const stop = (reader: Reader, why: string): Effect.Effect<void> =>
  Effect.suspend(() => {
    // Said once, and not each time that it looks again.
    const isNew = reader.why !== why
    enter(reader, "stopped", why)
    return isNew ? Effect.logError(why) : Effect.void
  })

const retry = Effect.fnUntraced(function*(reader: Reader, why: string) {
  enter(reader, "retrying", why)
  yield* Effect.sleep(yield* backoff(++reader.failures))
})

const awaitResumption = Effect.fnUntraced(function*({ id, running: { ledger } }: Reader) {
  while (true) {
    yield* Effect.sleep("1 second")
    const checkpoint = yield* Effect.exit(ledger.get(id))
    if (Exit.isSuccess(checkpoint) && checkpoint.value?.paused === undefined) return
  }
})

/** How long a reader may wait for what should be there. */
const stillMillis = 10_000

/** Ends a wait that should have ended: for a store that does not answer, or for events that are there already. */
const watch = Effect.fnUntraced(function*(reader: Reader): Effect.fn.Return<never, StoodStill> {
  const { clock, events } = reader.running.ports
  while (true) {
    yield* Effect.sleep("5 seconds")
    const { waiting } = reader
    const millis = waiting === undefined ? 0 : elapsedMillis(clock) - waiting.sinceMillis
    if (waiting === undefined || millis < stillMillis) continue
    const head = yield* Effect.exit(Effect.timeout(events.head, "5 seconds"))
    // What could not be asked is not known; the next look may tell.
    if (
      reader.waiting !== waiting || (waiting.what === "page" && !(Exit.isSuccess(head) && head.value > reader.position))
    ) continue
    return yield* new StoodStill({ projection: reader.id.name, seconds: Math.round(millis / 1_000) })
  }
})
