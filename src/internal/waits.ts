/**
 * Waiting until a projection has come to a position: by what this process knows of it, or, where others run it, by its
 * checkpoints.
 */
import { Duration, Effect } from "effect"
import type { Checkpoint, CheckpointStore } from "../CheckpointStore.ts"
import type { Position } from "../Event.ts"
import type { StoreUnavailable } from "../EventStore.ts"
import type { Lease } from "../Lease.ts"
import { type Definition, ProjectionBehind } from "../ProjectionHost.ts"
import * as Attention from "./attention.ts"
import { settingOf } from "./elapsed.ts"
import type { Reader, Running } from "./reader.ts"
import { leasesName } from "./readerNames.ts"

/** What a wait looks at. */
export interface Awaited {
  readonly definition: Definition
  /** As it is run here; undefined if it is not. */
  readonly running: Running | undefined
  readonly checkpoints: CheckpointStore["Service"]
  readonly leases: Lease["Service"]
  /** Whether it is inline at this moment, so that nothing is left to wait for. */
  readonly isInline: Effect.Effect<boolean, StoreUnavailable>
}

interface Progress {
  readonly reached: Position
  /** Why there is nothing to wait for. */
  readonly problem: string | undefined
  /** Whether all of it is run here, so that every step of it is seen. */
  readonly isLocal: boolean
  /** Whether somebody has run it at some time. */
  readonly hasBegun: boolean
}

/** Ends when it has come there; fails where that is in vain, or took too long. */
export const until = (
  awaited: Awaited,
  position: Position,
  deadline: Duration.Input
): Effect.Effect<void, ProjectionBehind | StoreUnavailable> => {
  let reached: Position = 0n
  let why = ""
  const behind = (problem: string) =>
    new ProjectionBehind({ projection: awaited.definition.name, position, reached, problem })
  const look = Effect.fnUntraced(function*() {
    if (yield* awaited.isInline) return
    for (let millis = 10;; millis = Math.min(millis * 2, mostMillis)) {
      const calls = awaited.running?.progress.calls ?? 0
      const progress = yield* progressOf(awaited)
      reached = progress.reached
      if (reached >= position) return
      if (progress.problem !== undefined) return yield* behind(progress.problem)
      why = progress.isLocal ? "" : yield* unattended(awaited, progress, millis)
      yield* Effect.raceFirst(
        progress.isLocal ? Effect.never : Effect.sleep(millis),
        awaited.running === undefined ? Effect.never : Attention.after(awaited.running.progress, calls)
      )
    }
  })
  const duration = settingOf("deadline", deadline)
  return Effect.timeoutOrElse(look(), {
    duration,
    orElse: () => Effect.fail(behind(`the wait took longer than ${rounded(duration)}${why}`))
  })
}

/** What is left of a deadline has nanoseconds, which tell nobody anything. */
const rounded = (duration: Duration.Duration): string =>
  Duration.format(Duration.millis(Math.ceil(Duration.toMillis(duration))))

/**
 * What is said of a projection that nobody runs; empty if somebody does. That may change at any moment, so it is waited for
 * all the same. Leases are looked at by those who have waited for a while.
 */
const unattended = (
  { definition, leases }: Awaited,
  { hasBegun }: Progress,
  millis: number
): Effect.Effect<string> => {
  const question = `is it among the projections of a Worker, or is its Layer provided with a ProjectionRunner?`
  if (millis < mostMillis) {
    return Effect.succeed(hasBegun ? "" : `, and no worker has begun it in this store yet: ${question}`)
  }
  return Effect.match(leases.list, {
    onFailure: () => "",
    onSuccess: (held) =>
      held.some(({ name }) => name.startsWith(leasesName(definition)))
        ? ""
        : `, and no worker runs it at the moment: ${question}`
  })
}

/** Checkpoints of others are looked at so often at least. */
const mostMillis = 200

const progressOf = (awaited: Awaited): Effect.Effect<Progress, StoreUnavailable> =>
  Effect.suspend((): Effect.Effect<Progress, StoreUnavailable> => {
    const readers = awaited.running?.readers ?? []
    const isFold = awaited.definition.kind === "fold"
    if (isFold && readers.length === 0) {
      return Effect.succeed({ reached: 0n, problem: "it is not run here", isLocal: true, hasBegun: false })
    }
    if (isFold || (readers.length > 0 && readers.every(({ state }) => state !== "standby"))) {
      return Effect.succeed({ reached: lowest(readers), problem: problemOf(readers), isLocal: true, hasBegun: true })
    }
    return Effect.map(awaited.checkpoints.list(awaited.definition.name), (all) => {
      const own = all.filter(({ version }) => version === awaited.definition.version)
      const paused = own.find(({ paused }) => paused !== undefined)
      return {
        reached: lowest(merged(own, readers)),
        problem: paused && `paused: ${paused.paused}`,
        isLocal: false,
        hasBegun: own.length > 0
      }
    })
  })

/** What is run here is known better than by its checkpoint. */
const merged = (checkpoints: ReadonlyArray<Checkpoint>, readers: ReadonlyArray<Reader>) =>
  checkpoints.map(({ partition, position }) => {
    const reader = readers[partition]
    return reader === undefined || reader.state === "standby" || reader.position < position ? { position } : reader
  })

const lowest = (readers: ReadonlyArray<{ readonly position: Position }>): Position =>
  readers.reduce<Position | undefined>(
    (least, { position }) => least === undefined || position < least ? position : least,
    undefined
  ) ?? 0n

const problemOf = (readers: ReadonlyArray<Reader>): string | undefined => {
  const held = readers.find(({ state }) => state === "paused" || state === "stopped")
  return held && `${held.state}: ${held.why ?? "?"}`
}
