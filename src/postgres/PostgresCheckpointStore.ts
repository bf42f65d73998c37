/**
 * Checkpoints in the schema of the log. To advance one is a transaction in which its row is changed first: whoever comes
 * second waits for the first one's commit, and then finds another revision.
 */
import * as PgTypes from "@effect/sql-pg/PgTypes"
import { Effect } from "effect"
import { type Checkpoint, type CheckpointId, CheckpointMoved, CheckpointStore, type Step } from "../CheckpointStore.ts"
import type { Position } from "../Event.ts"
import type { StoreUnavailable } from "../EventStore.ts"
import { assertCheckpoint, assertEpoch, assertStep, keepable, reasonCharactersMax } from "../internal/readers.ts"
import { untyped } from "../internal/types.ts"
import type { PostgresClient, Row } from "./PostgresClient.ts"
import * as Rows from "./PostgresRows.ts"
import type { PostgresStatements } from "./PostgresStatements.ts"

/** The checkpoint store over a schema that is up to date. */
export const make = (
  client: PostgresClient["Service"],
  statements: PostgresStatements,
  storeId: string
): CheckpointStore["Service"] => {
  const { change, look, transaction } = client
  return CheckpointStore.of({
    storeId,
    get: (id) => Effect.map(look(statements.checkpoint, key(id)), first),
    list: (name) =>
      Effect.map(
        name === undefined ? look(statements.checkpoints, []) : look(statements.checkpointsOf, [Rows.name(name)]),
        (rows) => rows.map(checkpoint)
      ),
    advance: (step, work) =>
      transaction(
        "advance",
        Effect.flatMap(
          take(client, statements, step),
          (checkpoint) => Effect.map(work, (value) => ({ value, checkpoint }))
        )
      ),
    transaction: (work) => transaction("transaction", work),
    pause: (id, reason, epoch) =>
      Effect.suspend(() => {
        assertCheckpoint(id)
        assertEpoch(epoch)
        const texts = [epoch, keepable(reason, reasonCharactersMax)].map(PgTypes.text)
        return Effect.map(change(statements.pauseCheckpoint, [...key(id), ...texts]), ([row]) => checkpoint(row!))
      }),
    resume: (id) => Effect.map(change(statements.resumeCheckpoint, key(id)), first),
    remove: (id) => Effect.map(change(statements.removeCheckpoint, key(id)), ({ length }) => length > 0)
  })
}

const key = ({ name, partition, version }: CheckpointId) =>
  [Rows.name(name), Rows.number(version), Rows.number(partition)] as const

/** Takes the checkpoint to where it goes, if it is as it must be. From here on nobody else can until the end. */
const take = Effect.fnUntraced(function*(
  { change, look }: PostgresClient["Service"],
  statements: PostgresStatements,
  step: Step
): Effect.fn.Return<Checkpoint, CheckpointMoved | StoreUnavailable> {
  assertStep(step)
  const { epoch, id, revision, to } = step
  const parameters = [...key(id), Rows.position(to), PgTypes.text(epoch)]
  const [taken] = revision === 0
    ? yield* change(statements.beginCheckpoint, parameters)
    : yield* change(statements.moveCheckpoint, [...parameters, PgTypes.int8(BigInt(revision))])
  if (taken !== undefined) return checkpoint(taken)
  return yield* moved(step, first(yield* look(statements.checkpoint, key(id))))
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

const first = ([row]: ReadonlyArray<Row>): Checkpoint | undefined => row && checkpoint(row)

const checkpoint = (row: Row): Checkpoint => {
  const [name, version, partition, position, revision, epoch, paused, updatedAt] = untyped<
    readonly [string, number, number, Position, bigint, string, string | null, Date]
  >(row)
  return {
    name,
    version,
    partition,
    position,
    revision: Number(revision),
    epoch,
    paused: paused ?? undefined,
    updatedAtMillis: updatedAt.getTime()
  }
}
