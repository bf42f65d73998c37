/**
 * Checkpoints in memory, in one transaction with whatever else is kept there.
 */
import { Effect, HashMap, Option, Result } from "effect"
import { type Checkpoint, type CheckpointId, CheckpointMoved, CheckpointStore, type Step } from "../CheckpointStore.ts"
import { byCodePoints } from "../internal/order.ts"
import { assertCheckpoint, assertEpoch, assertStep, keepable, reasonCharactersMax } from "../internal/readers.ts"
import * as MemoryTables from "./MemoryTables.ts"

/** The checkpoint store over tables in memory. */
export const make = (tables: MemoryTables.MemoryTables, storeId: string): CheckpointStore["Service"] =>
  CheckpointStore.of({
    storeId,
    get: (id) => MemoryTables.read(tables, (state) => find(state, id)),
    list: (name) =>
      MemoryTables.read(tables, ({ checkpoints }) =>
        Array.from(HashMap.values(checkpoints))
          .filter((checkpoint) => name === undefined || checkpoint.name === name)
          .sort((a, b) => byCodePoints(a.name, b.name) || a.version - b.version || a.partition - b.partition)),
    advance: (step, work) =>
      MemoryTables.transaction(
        tables,
        Effect.flatMap(
          take(tables, step),
          (checkpoint) => Effect.map(work, (value) => ({ value, checkpoint }))
        )
      ),
    transaction: (work) => MemoryTables.transaction(tables, work),
    pause: (id, reason, epoch) =>
      Effect.suspend(() => {
        assertCheckpoint(id)
        assertEpoch(epoch)
        const paused = keepable(reason, reasonCharactersMax)
        return MemoryTables.write(tables, (state, nowMillis) =>
          change(state, id, nowMillis, { ...find(state, id) ?? { position: 0n, epoch }, paused }))
      }),
    resume: (id) =>
      MemoryTables.write(tables, (state, nowMillis) => {
        const found = find(state, id)
        return found?.paused === undefined
          ? [found, state]
          : change(state, id, nowMillis, { ...found, paused: undefined })
      }),
    remove: (id) =>
      MemoryTables.write(tables, (state) => {
        const found = find(state, id)
        if (found === undefined) return [false, state]
        const key = keyOf(id)
        const checkpoints = HashMap.remove(state.checkpoints, key)
        return [true, { ...state, checkpoints, removed: HashMap.set(state.removed, key, found.revision) }]
      })
  })

const keyOf = ({ name, partition, version }: CheckpointId): string => JSON.stringify([name, version, partition])

/** A checkpoint, if it is there. */
export const find = (state: MemoryTables.State, id: CheckpointId): Checkpoint | undefined =>
  Option.getOrUndefined(HashMap.get(state.checkpoints, keyOf(id)))

/** Takes the checkpoint to where it goes, if it is as it must be. */
const take = (tables: MemoryTables.MemoryTables, step: Step): Effect.Effect<Checkpoint, CheckpointMoved> =>
  Effect.suspend(() => {
    assertStep(step)
    return Effect.flatMap(
      MemoryTables.write(tables, (state, nowMillis): readonly [
        Result.Result<Checkpoint, CheckpointMoved>,
        MemoryTables.State
      ] => {
        const { epoch, id, revision, to } = step
        const found = find(state, id)
        if ((found?.revision ?? 0) !== revision || found?.paused !== undefined) {
          return [Result.fail(moved(step, found)), state]
        }
        const [checkpoint, next] = change(state, id, nowMillis, { position: to, epoch, paused: undefined })
        return [Result.succeed(checkpoint), next]
      }),
      Effect.fromResult
    )
  })

const moved = ({ id: { name, partition, version }, revision }: Step, found: Checkpoint | undefined): CheckpointMoved =>
  new CheckpointMoved({
    name,
    version,
    partition,
    expected: revision,
    actual: found?.revision,
    paused: found?.paused
  })

/**
 * Sets a checkpoint, whoever asks. He is given the very object that is kept, so nobody may change it.
 */
export const change = (
  state: MemoryTables.State,
  id: CheckpointId,
  nowMillis: number,
  { epoch, paused, position }: Pick<Checkpoint, "position" | "epoch" | "paused">
): readonly [Checkpoint, MemoryTables.State] => {
  const { name, partition, version } = id
  const key = keyOf(id)
  const last = find(state, id)?.revision ?? Option.getOrElse(HashMap.get(state.removed, key), () => 0)
  const checkpoint = Object.freeze({
    name,
    version,
    partition,
    position,
    revision: last + 1,
    epoch,
    paused,
    updatedAtMillis: nowMillis
  })
  return [checkpoint, { ...state, checkpoints: HashMap.set(state.checkpoints, key, checkpoint) }]
}
