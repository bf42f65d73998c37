/**
 * Checkpoints in the file of the log, in one transaction with whatever else is kept there. A transaction has the file's
 * lock from its beginning, so what it has read of a checkpoint stays true until it ends.
 */
import { Effect, Result } from "effect"
import { type Checkpoint, type CheckpointId, CheckpointMoved, CheckpointStore, type Step } from "../CheckpointStore.ts"
import { assertCheckpoint, assertEpoch, assertStep, keepable, reasonCharactersMax } from "../internal/readers.ts"
import type { SqliteClient } from "./SqliteClient.ts"
import { unavailable } from "./SqliteErrors.ts"
import type { CheckpointRow, SqliteReaderStatements } from "./SqliteReaderStatements.ts"
import type { SqliteTurns } from "./SqliteTurns.ts"

/** The checkpoint store over an open file whose tables are up to date. */
export const make = (
  client: SqliteClient["Service"],
  statements: SqliteReaderStatements,
  { read, write }: SqliteTurns,
  storeId: string
): CheckpointStore["Service"] =>
  CheckpointStore.of({
    storeId,
    get: (id) => read("get", () => find(statements, id)),
    list: (name) => read("list", () => statements.checkpoints(name).flatMap((row) => toCheckpoint(row) ?? [])),
    advance: (step, work) =>
      Effect.suspend(() => {
        assertStep(step)
        const taken = Effect.flatMap(
          write("advance", (nowMillis) => take(statements, step, nowMillis)),
          Effect.fromResult
        )
        const both = Effect.flatMap(taken, (checkpoint) => Effect.map(work, (value) => ({ value, checkpoint })))
        return client.transaction(both, unavailable("advance"))
      }),
    transaction: (work) => client.transaction(work, unavailable("transaction")),
    pause: (id, reason, epoch) =>
      Effect.suspend(() => {
        assertCheckpoint(id)
        assertEpoch(epoch)
        const paused = keepable(reason, reasonCharactersMax)
        return write("pause", (nowMillis) => {
          const from = find(statements, id) ?? { position: 0n, epoch }
          return change(statements, id, nowMillis, { ...from, paused })
        })
      }),
    resume: (id) =>
      write("resume", (nowMillis) => {
        const found = find(statements, id)
        return found?.paused === undefined ? found : change(statements, id, nowMillis, { ...found, paused: undefined })
      }),
    remove: (id) =>
      write("remove", () => {
        const row = statements.checkpoint(id)
        if (row === undefined || row.position === null) return false
        statements.upsertCheckpoint({ ...row, position: null, paused: null })
        return true
      })
  })

const toCheckpoint = (row: CheckpointRow | undefined): Checkpoint | undefined =>
  row === undefined || row.position === null
    ? undefined
    : { ...row, position: BigInt(row.position), paused: row.paused ?? undefined }

/** A checkpoint, if it is there. */
export const find = (statements: SqliteReaderStatements, id: CheckpointId): Checkpoint | undefined =>
  toCheckpoint(statements.checkpoint(id))

/** Takes the checkpoint to where it goes, if it is as it must be. */
const take = (
  statements: SqliteReaderStatements,
  { epoch, id, revision, to }: Step,
  nowMillis: number
): Result.Result<Checkpoint, CheckpointMoved> => {
  const found = find(statements, id)
  if ((found?.revision ?? 0) !== revision || found?.paused !== undefined) {
    const { name, partition, version } = id
    const [actual, paused] = [found?.revision, found?.paused]
    return Result.fail(new CheckpointMoved({ name, version, partition, expected: revision, actual, paused }))
  }
  return Result.succeed(change(statements, id, nowMillis, { position: to, epoch, paused: undefined }))
}

/** Sets a checkpoint, whoever asks. */
export const change = (
  statements: SqliteReaderStatements,
  { name, partition, version }: CheckpointId,
  nowMillis: number,
  { epoch, paused, position }: Pick<Checkpoint, "position" | "epoch" | "paused">
): Checkpoint => {
  const last = statements.checkpoint({ name, partition, version })
  const revision = (last?.revision ?? 0) + 1
  const updatedAtMillis = Math.max(nowMillis, last?.updatedAtMillis ?? 0)
  const parts = { name, version, partition, revision, epoch, updatedAtMillis }
  statements.upsertCheckpoint({ ...parts, position: Number(position), paused: paused ?? null })
  return { ...parts, position, paused }
}
