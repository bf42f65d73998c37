/**
 * What is done to a projection as a whole, by hand: to pause it, to begin anew, to say which version is read.
 */
import { Clock, Duration, Effect } from "effect"
import type { Checkpoint, CheckpointMoved } from "../CheckpointStore.ts"
import type { StoreUnavailable } from "../EventStore.ts"
import { OperationRefused } from "../Projections.ts"
import type { LiveVersion } from "../ViewStore.ts"
import type { Unfit } from "./applier.ts"
import * as Attention from "./attention.ts"
import * as Chain from "./chain.ts"
import { settingOf } from "./elapsed.ts"
import { isInlineNow, keptOf } from "./handover.ts"
import * as LiveVersions from "./liveVersions.ts"
import { reach, type Running } from "./reader.ts"
import { leasesName } from "./readerNames.ts"
import * as SqlApplier from "./sqlApplier.ts"

type Refused = StoreUnavailable | OperationRefused

const refused = ({ definition }: Running, operation: string, problem: string) =>
  new OperationRefused({ projection: definition.name, operation, problem })

/** Everybody in this process looks again. */
const call = ({ readers }: Running) =>
  Effect.sync(() => {
    for (const { attention } of readers) Attention.call(attention)
  })

/** Does something with all of its checkpoints, those of partitions among them that it has no more. */
const forAll = <A>(
  running: Running,
  operation: string,
  act: (checkpoint: Checkpoint, epoch: string) => Effect.Effect<A, StoreUnavailable>
): Effect.Effect<void, Refused> =>
  Effect.gen(function*() {
    const epoch = yield* running.ports.events.epoch
    // Made now, if there are none: else it would not be known where it is to begin.
    const all = yield* Chain.ensure(running, epoch)
    yield* running.ledger.transaction(Effect.forEach(all, (checkpoint) => act(checkpoint, epoch), { discard: true }))
  }).pipe(
    (done) => unmoved(running, operation, done),
    Effect.ensuring(call(running))
  )

export const pause = (running: Running, reason = "by hand"): Effect.Effect<void, Refused> =>
  Effect.andThen(
    forAll(running, "pause", (checkpoint, epoch) => running.ledger.pause(checkpoint, reason, epoch)),
    giveBack(running)
  )

/** A view that is inline has no reader of whom anything could be asked. Once it is paused it is not inline again. */
const giveBack = (running: Running): Effect.Effect<void, StoreUnavailable> =>
  Effect.asVoid(keptOf(running)?.leave ?? Effect.void)

export const resume = (running: Running): Effect.Effect<void, Refused> =>
  forAll(running, "resume", (checkpoint) => running.ledger.resume(checkpoint))

/** The checkpoints of a version of it, however many partitions it had. */
const checkpointsOf = ({ definition: { name }, ledger }: Running, version: number) =>
  Effect.map(ledger.list(name), (all) => all.filter((checkpoint) => checkpoint.version === version))

/** Empties a version, and forgets how far it has come and what went wrong. */
const forget = Effect.fnUntraced(function*(
  running: Running,
  version: number,
  empty: Effect.Effect<void, StoreUnavailable | Unfit>
) {
  const { definition: { name }, ledger, ports: { letters }, readers } = running
  const checkpoints = yield* checkpointsOf(running, version)
  yield* Effect.forEach(checkpoints, (id) => ledger.remove(id), { discard: true })
  yield* empty
  const partitions = Math.max(readers.length, ...checkpoints.map(({ partition }) => partition + 1))
  const names = [name, ...Array.from({ length: partitions }, (_, partition) => `${name}/${partition}`)]
  yield* Effect.forEach(names, (name) => letters.clear({ name, version }), { discard: true })
})

export const reset = (running: Running): Effect.Effect<void, Refused> => {
  const { definition: { version }, ledger } = running
  const empty = emptying(running, version)
  if (empty === undefined) {
    const problem = running.target._tag === "Effect"
      ? "what was done would be done again; give it another name if it shall"
      : "it has no `clear`"
    return Effect.fail(refused(running, "reset", problem))
  }
  const begin = Effect.sync(() => {
    // Nobody here shall take it for where it was.
    for (const reader of running.readers) reach(reader, 0n)
  })
  const all = Effect.andThen(giveBack(running), ledger.transaction(forget(running, version, empty)))
  return told(running, "reset", all).pipe(
    Effect.andThen(begin),
    Effect.ensuring(call(running))
  )
}

/** What takes away that which a version has filled; undefined if there is no such thing. */
const emptying = ({ definition: { name }, target }: Running, version: number) => {
  switch (target._tag) {
    case "View":
      return target.store.clear({ name, version })
    case "Sql": {
      const { clear } = target
      return clear && SqlApplier.run(Effect.suspend(() => clear(SqlApplier.contextOf(version))))
    }
    case "Fold":
      return Effect.void
    case "Effect":
      return undefined
  }
}

/** What the user's own SQL could not do. */
const told = <A>(
  running: Running,
  operation: string,
  effect: Effect.Effect<A, StoreUnavailable | Unfit>
): Effect.Effect<A, Refused> =>
  Effect.catchTag(effect, "Unfit", ({ error }) => Effect.fail(refused(running, operation, error)))

export const accept = Effect.fnUntraced(function*(running: Running): Effect.fn.Return<void, Refused> {
  const { ledger, ports: { events } } = running
  const epoch = yield* events.epoch
  const head = yield* events.head
  const checkpoints = yield* checkpointsOf(running, running.definition.version)
  const beyond = checkpoints.find(({ position }) => position > head)
  if (beyond !== undefined) {
    const problem = `it has read up to ${beyond.position}, and the log ends at ${head}; reset it`
    return yield* refused(running, "accept", problem)
  }
  const set = Effect.forEach(checkpoints, (checkpoint) => rename(running, checkpoint, epoch), { discard: true })
  yield* Effect.ensuring(unmoved(running, "accept", ledger.transaction(set)), call(running))
})

/** Says that what a checkpoint stands for is of this life of the log. */
const rename = Effect.fnUntraced(function*(
  { ledger }: Running,
  { name, partition, paused, position, revision, version }: Checkpoint,
  epoch: string
) {
  const id = { name, version, partition }
  const open = paused === undefined ? undefined : yield* ledger.resume(id)
  yield* ledger.advance({ id, revision: open?.revision ?? revision, to: position, epoch }, Effect.void)
  if (paused !== undefined) yield* ledger.pause(id, paused, epoch)
})

const unmoved = <A>(
  running: Running,
  operation: string,
  effect: Effect.Effect<A, StoreUnavailable | CheckpointMoved>
): Effect.Effect<A, Refused> =>
  Effect.catchTag(effect, "CheckpointMoved", ({ message }) => Effect.fail(refused(running, operation, message)))

// ── Versions

const versions = (running: Running, operation: string): Effect.Effect<LiveVersions.LiveVersions, OperationRefused> =>
  running.live === undefined
    ? Effect.fail(refused(running, operation, "it has no versions that are read"))
    : Effect.succeed(running.live)

/** How often somebody looks whether a version has caught up. */
const look = "200 millis"

export const rollback = Effect.fnUntraced(function*(
  running: Running,
  to: number,
  deadline: Duration.Input
): Effect.fn.Return<void, Refused> {
  const live = yield* versions(running, "rollback")
  // What comes meanwhile comes to all versions that have a worker; what is there already must be in it.
  const head = yield* running.ports.events.head
  const untilMillis = (yield* Clock.currentTimeMillis) + Duration.toMillis(settingOf("deadline", deadline))
  while (true) {
    const checkpoints = yield* checkpointsOf(running, to)
    if (checkpoints.length === 0) return yield* refused(running, "rollback", `version ${to} has never been filled`)
    const isInline = yield* isInlineNow(running.ports, { name: running.definition.name, version: to })
    if (isInline || checkpoints.every(({ position }) => position >= head)) {
      if (yield* say(running, live, { version: to, pinned: true })) return
    } else if ((yield* Clock.currentTimeMillis) >= untilMillis) {
      const least = checkpoints.reduce((least, { position }) => position < least ? position : least, head)
      const problem = `version ${to} is at ${least} of ${head}: a worker with its code must catch it up first`
      return yield* refused(running, "rollback", problem)
    }
    yield* Effect.sleep(look)
  }
})

export const unpin = Effect.fnUntraced(function*(running: Running): Effect.fn.Return<void, Refused> {
  const live = yield* versions(running, "unpin")
  const now = yield* LiveVersions.refresh(live)
  if (now?.pinned === true) yield* say(running, live, { version: now.version, pinned: false })
})

/** Says which version is read. Answers whether it was still the other one that it was said of. */
const say = Effect.fnUntraced(function*(running: Running, live: LiveVersions.LiveVersions, to: LiveVersion) {
  const before = yield* live.store.live(live.name)
  const was = yield* live.store.flip(live.name, { from: before?.version, to })
  yield* LiveVersions.refresh(live)
  yield* call(running)
  return was
})

export const drop = Effect.fnUntraced(function*(running: Running, version: number): Effect.fn.Return<void, Refused> {
  const live = yield* versions(running, "drop")
  const { definition: { name }, ledger, ports: { inline, leases }, target } = running
  const now = yield* LiveVersions.refresh(live)
  if (version === now?.version) return yield* refused(running, "drop", `version ${version} is the one that is read`)
  if (version === live.own) return yield* refused(running, "drop", `version ${version} is run here`)
  const held = (yield* leases.list).some((lease) => lease.name.startsWith(leasesName({ name, version })))
  if (held) return yield* refused(running, "drop", `a worker still runs version ${version}`)
  const empty = target._tag === "View" ? target.store.drop({ name, version }) : emptying(running, version)
  if (empty === undefined) return yield* refused(running, "drop", "it has no `clear`")
  if (target._tag === "View" && inline !== undefined) yield* inline.leave({ name, version })
  yield* told(running, "drop", ledger.transaction(forget(running, version, empty)))
})
