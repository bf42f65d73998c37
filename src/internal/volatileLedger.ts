/**
 * Checkpoints of what is in memory only: they begin with the process and end with it, as a fold's state does. What was
 * folded cannot be undone, so a pause does not refuse what is under way: it is the next thing that is looked at.
 */
import { Effect } from "effect"
import { type Checkpoint, type CheckpointId, CheckpointMoved, type Step } from "../CheckpointStore.ts"
import type { Ledger } from "./reader.ts"

/** Checkpoints of one projection. */
export const make = (): Ledger => {
  const kept = new Map<number, Checkpoint>()
  let last = 0
  const set = (
    { name, partition, version }: CheckpointId,
    to: Omit<Checkpoint, keyof CheckpointId | "updatedAtMillis">
  ) => {
    const checkpoint = { ...to, name, version, partition, updatedAtMillis: 0 }
    kept.set(partition, checkpoint)
    return checkpoint
  }
  return {
    get: ({ partition }) => Effect.sync(() => kept.get(partition)),
    list: () => Effect.sync(() => [...kept.values()]),
    advance: <A, E, R>({ epoch, id, revision, to }: Step, work: Effect.Effect<A, E, R>) =>
      Effect.suspend(
        (): Effect.Effect<{ readonly value: A; readonly checkpoint: Checkpoint }, E | CheckpointMoved, R> => {
          const found = kept.get(id.partition)
          if ((found?.revision ?? 0) !== revision) return Effect.fail(moved(id, revision, found))
          return Effect.map(work, (value) => ({
            value,
            checkpoint: set(id, { position: to, epoch, revision: ++last, paused: kept.get(id.partition)?.paused })
          }))
        }
      ),
    transaction: (work) => work,
    pause: (id, paused, epoch) =>
      Effect.sync(() => set(id, { position: 0n, epoch, revision: last, ...kept.get(id.partition), paused })),
    resume: (id) =>
      Effect.sync(() => {
        const found = kept.get(id.partition)
        return found === undefined ? undefined : set(id, { ...found, paused: undefined })
      }),
    remove: ({ partition }) => Effect.sync(() => kept.delete(partition))
  }
}

const moved = (
  { name, partition, version }: CheckpointId,
  expected: number,
  found: Checkpoint | undefined
): CheckpointMoved =>
  new CheckpointMoved({
    name,
    version,
    partition,
    expected,
    actual: found?.revision,
    paused: found?.paused
  })
