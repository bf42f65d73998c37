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
import * as LiveVersions from "./liveVersions.ts"
import type { Reader, Running } from "./reader.ts"
import { leasesName } from "./readerNames.ts"

/** What a wait looks at. */
export interface Awaited {
  readonly definition: Definition
  /** As it is run here; undefined if it is not. */
  readonly running: Running | undefined
  /** If that version is waited for which reads of this process are answered from: by what is known of it. */
  readonly live: LiveVersions.LiveVersions | undefined
  readonly checkpoints: CheckpointStore["Service"]
  readonly leases: Lease["Service"]
  /** Whether a version of it is inline at this moment, so that nothing is left to wait for. */
  readonly isInline: (version: number) => Effect.Effect<boolean, StoreUnavailable>
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
    let looked: number | undefined
    for (let millis = 10;; millis = Math.min(millis * 2, mostMillis)) {
      const calls = awaited.running?.progress.calls ?? 0
      const version = yield* versionOf(awaited, LiveVersions.current)
      const isInline = version !== looked && (yield* awaited.isInline(version))
      looked = version
      const progress = isInline ? inlineAt(position) : yield* progressOf(awaited, version)
      reached = progress.reached
      if (reached >= position || progress.problem !== undefined) {
        // Another one may be read by now; and whoever reads after this is to be answered from this one.
        if (version !== (yield* versionOf(awaited, LiveVersions.refresh))) continue
        return reached >= position ? undefined : yield* behind(progress.problem!)
      }
      why = progress.isLocal ? "" : yield* unattended(awaited, version, progress, millis)
      yield* Effect.raceFirst(
        progress.isLocal ? localPause(awaited) : Effect.sleep(millis),
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

/** The version that is waited for. */
const versionOf = (
  { definition, live }: Awaited,
  ask: typeof LiveVersions.current
): Effect.Effect<number, StoreUnavailable> =>
  live === undefined
    ? Effect.succeed(definition.version)
    : Effect.map(ask(live), (now) => LiveVersions.shown(now, definition.version))

const inlineAt = (reached: Position): Progress => ({ reached, problem: undefined, isLocal: true, hasBegun: true })

/** Each step that is made here is told at once; which version is read is not. */
const localPause = ({ live }: Awaited): Effect.Effect<void> =>
  live === undefined ? Effect.never : Effect.sleep("1 second")

/** What is left of a deadline has nanoseconds, which tell nobody anything. */
const rounded = (duration: Duration.Duration): string =>
  Duration.format(Duration.millis(Math.ceil(Duration.toMillis(duration))))

/**
 * What is said of a projection that nobody runs; empty if somebody does. That may change at any moment, so it is waited for
 * all the same. Leases are looked at by those who have waited for a while.
 */
const unattended = (
  { definition: { name }, leases, running }: Awaited,
  version: number,
  { hasBegun }: Progress,
  millis: number
): Effect.Effect<string> => {
  const question = `is it among the projections of a Worker, or is its Layer provided with a ProjectionRunner?`
  if (millis < mostMillis) {
    return Effect.succeed(hasBegun ? "" : `, and no worker has begun it in this store yet: ${question}`)
  }
  const stopped = running?.readers.find(({ id, state }) => state === "stopped" && id.version === version)
  return Effect.match(leases.list, {
    onFailure: () => "",
    onSuccess: (held) =>
      held.some((lease) => lease.name.startsWith(leasesName({ name, version })))
        ? ""
        : `, and no worker runs it at the moment: ${
          stopped === undefined ? question : `here it is stopped: ${stopped.why}`
        }`
  })
}

/** Checkpoints of others are looked at so often at least. */
const mostMillis = 200

const progressOf = (awaited: Awaited, version: number): Effect.Effect<Progress, StoreUnavailable> =>
  Effect.suspend((): Effect.Effect<Progress, StoreUnavailable> => {
    const readers = version === awaited.definition.version ? awaited.running?.readers ?? [] : []
    const isFold = awaited.definition.kind === "fold"
    if (isFold && readers.length === 0) {
      return Effect.succeed({ reached: 0n, problem: "it is not run here", isLocal: true, hasBegun: false })
    }
    if (isFold || (readers.length > 0 && readers.every(isRun))) {
      return Effect.succeed({ reached: lowest(readers), problem: problemOf(readers), isLocal: true, hasBegun: true })
    }
    return Effect.map(awaited.checkpoints.list(awaited.definition.name), (all) => {
      const own = all.filter((checkpoint) => checkpoint.version === version)
      const paused = own.find(({ paused }) => paused !== undefined)
      return {
        reached: lowest(merged(own, readers)),
        problem: paused && `paused: ${paused.paused}`,
        isLocal: false,
        hasBegun: own.length > 0
      }
    })
  })

/** Whether it is run here. Who has let his lease go, be it because he can go no further, leaves it to others. */
const isRun = ({ isLeased, state }: Reader): boolean => isLeased && state !== "standby"

/** What is run here is known better than by its checkpoint. */
const merged = (checkpoints: ReadonlyArray<Checkpoint>, readers: ReadonlyArray<Reader>) =>
  checkpoints.map(({ partition, position }) => {
    const reader = readers[partition]
    return reader === undefined || !isRun(reader) || reader.position < position ? { position } : reader
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
