/**
 * Doing something by hand at a checkpoint that a runner may be moving at the same time. The runner waits, or finds out
 * that it was overtaken and begins anew; it is never in between.
 */
import { Effect, Exit } from "effect"
import type { Checkpoint } from "../CheckpointStore.ts"
import type { Position } from "../Event.ts"
import type { StoreUnavailable } from "../EventStore.ts"
import { OperationRefused } from "../Projections.ts"
import type { Unfit } from "./applier.ts"
import * as Attention from "./attention.ts"
import { idle, type Reader } from "./reader.ts"

/** What is to be done at a checkpoint. */
export interface Deed<A> {
  readonly value: A
  /** Where the checkpoint goes, or stays. */
  readonly to: Position
  readonly work: Effect.Effect<void, Failure>
}

/** Says what is to be done, once it is known where the checkpoint is, and why it was paused. */
export type Plan<A> = (checkpoint: Checkpoint, was: Checkpoint["paused"]) => Effect.Effect<Deed<A>, Failure>

/** Why nothing was done. */
export type Failure = StoreUnavailable | Unfit | OperationRefused

/** Does it, and calls the runner's attention. What was paused stays so. */
export const hold = <A>(reader: Reader, operation: string, plan: Plan<A>): Effect.Effect<A, Failure> =>
  Effect.ensuring(
    // What an effect does takes its time and cannot be undone, so no transaction waits for it.
    reader.running.target._tag === "Effect" ? paused(reader, operation, plan) : locked(reader, operation, plan),
    Effect.sync(() => Attention.call(reader.attention))
  )

/** Does what leaves the checkpoint where it is, beside a runner who goes on. */
export const beside = <A>(reader: Reader, operation: string, plan: Plan<A>): Effect.Effect<A, Failure> =>
  Effect.flatMap(
    found(reader, operation),
    (checkpoint) =>
      Effect.flatMap(
        plan(checkpoint, checkpoint.paused),
        ({ value, work }) => Effect.as(reader.running.ledger.transaction(work), value)
      )
  )

/**
 * Sets down what a runner has done in the world since he was at a checkpoint, although somebody has paused or resumed it
 * meanwhile: what he has said stays so. Refused where it was moved, or another process does something at it by hand.
 */
export const setDown = (
  reader: Reader,
  since: Pick<Checkpoint, "position" | "epoch">,
  to: Position,
  work: Effect.Effect<void, Failure>
): Effect.Effect<void, Failure> =>
  locked(reader, "set down", ({ epoch, position }, was) => {
    const isHeldElsewhere = !reader.held && was?.startsWith(heldAs(""))
    return position !== since.position || epoch !== since.epoch || isHeldElsewhere
      ? Effect.fail(refused(reader, "set down", "somebody else has it"))
      : Effect.succeed({ value: undefined, to, work })
  })

/** Why it is paused that is not: for as long as something is done by hand. */
const heldAs = (operation: string): string => `worked on by hand: ${operation}`

/**
 * What is done in the world by hand is done by one after the other: whoever comes second must see what the first has
 * done before he does anything himself. Of the rest it is the store's transactions that let one wait for another.
 */
export const alone = <A, E>(reader: Reader, effect: Effect.Effect<A, E>): Effect.Effect<A, E> =>
  reader.running.target._tag === "Effect" ? reader.byHand.withPermit(effect) : effect

/** Why something cannot be done. */
export const refused = (reader: Reader, operation: string, problem: string) =>
  new OperationRefused({ projection: reader.running.definition.name, operation, problem })

const found = Effect.fnUntraced(function*(reader: Reader, operation: string) {
  const checkpoint = yield* reader.running.ledger.get(reader.id)
  return checkpoint ?? (yield* refused(reader, operation, "it has not begun yet"))
})

const locked = <A>(reader: Reader, operation: string, plan: Plan<A>): Effect.Effect<A, Failure> => {
  const { id, running: { ledger } } = reader
  return ledger.transaction(Effect.gen(function*() {
    const before = yield* found(reader, operation)
    // Whoever changes it has it until the transaction ends.
    yield* ledger.pause(id, before.paused ?? operation, before.epoch)
    const open = (yield* ledger.resume(id)) ?? before
    const { to, value, work } = yield* plan(open, before.paused)
    yield* step(reader, open, to, work)
    if (before.paused !== undefined) yield* ledger.pause(id, before.paused, before.epoch)
    return value
  }))
}

/** Nobody else can have moved it. */
const step = (
  { id, running: { ledger } }: Reader,
  { epoch, revision }: Checkpoint,
  to: Position,
  work: Deed<unknown>["work"]
) => Effect.catchTag(ledger.advance({ id, revision, to, epoch }, work), "CheckpointMoved", Effect.die)

const paused = Effect.fnUntraced(function*<A>(reader: Reader, operation: string, plan: Plan<A>) {
  const { id, running: { ledger } } = reader
  const before = yield* found(reader, operation)
  const pause = ledger.pause(id, before.paused ?? heldAs(operation), before.epoch)
  const goOn = before.paused === undefined ? Effect.asVoid(ledger.resume(id)) : Effect.void
  const act = Effect.gen(function*() {
    yield* givenWay(reader)
    const checkpoint = yield* found(reader, operation)
    const { to, value, work } = yield* plan(checkpoint, before.paused)
    return yield* ledger.transaction(Effect.gen(function*() {
      const open = (yield* ledger.resume(id)) ?? checkpoint
      if (open.revision !== checkpoint.revision + 1) {
        return yield* refused(reader, operation, "somebody else has moved or resumed it meanwhile")
      }
      yield* step(reader, open, to, work)
      if (before.paused !== undefined) yield* ledger.pause(id, before.paused, before.epoch)
      return value
    }))
  })
  return yield* Effect.acquireUseRelease(
    pause,
    () => act,
    (_, exit) => Exit.isSuccess(exit) ? Effect.void : Effect.ignore(goOn)
  )
})

/** The runner of this process has finished what he was doing, and set it down. */
const givenWay = (reader: Reader): Effect.Effect<void> =>
  Effect.suspend(() => {
    reader.held = true
    Attention.call(reader.attention)
    return Effect.ensuring(idle([reader], reader.running.progress), Effect.sync(() => reader.held = false))
  })
