/**
 * Inline views in the file of the log: which they are is a row for each, looked at in the very turn of an append.
 */
import { Clock, Effect, Result } from "effect"
import { StoreUnavailable, type ViewId } from "../EventStore.ts"
import { type Entered, InlineViews } from "../InlineViews.ts"
import * as Views from "../internal/documents.ts"
import * as Inline from "../internal/inline.ts"
import * as SqliteCheckpointStore from "./SqliteCheckpointStore.ts"
import type { SqliteClient } from "./SqliteClient.ts"
import * as SqliteClock from "./SqliteClock.ts"
import { unavailable } from "./SqliteErrors.ts"
import type { InlineRow, SqliteInlineStatements } from "./SqliteInlineStatements.ts"
import type { SqliteReaderStatements } from "./SqliteReaderStatements.ts"
import type { SqliteStatements } from "./SqliteStatements.ts"
import type { SqliteViewStatements } from "./SqliteViewStatements.ts"

/** What is asked of an open file. */
export interface Parts {
  readonly client: SqliteClient["Service"]
  readonly clock: SqliteClock.SqliteClock
  readonly log: SqliteStatements
  readonly readers: SqliteReaderStatements
  readonly views: SqliteViewStatements
  readonly inline: SqliteInlineStatements
  readonly storeId: string
}

/** The inline views of an open file whose tables are up to date. */
export const make = (parts: Parts): InlineViews["Service"] => {
  const { client, inline, storeId, views } = parts
  const change = <A>(operation: string, work: (scene: Scene) => A): Effect.Effect<A, StoreUnavailable> =>
    Effect.flatMap(
      Clock.currentTimeMillis,
      (nowMillis) =>
        Effect.mapError(client.write(operation, () => work(sceneOf(parts, nowMillis))), unavailable(operation))
    )
  const look = <A>(operation: string, pick: (row: InlineRow) => ReadonlyArray<A>) =>
    Effect.mapError(client.read(operation, () => inline.views().flatMap(pick)), unavailable(operation))
  return InlineViews.of({
    storeId,
    list: look(
      "list",
      ({ name, state, types, version }) => state === "inline" ? [{ name, version, types: JSON.parse(types) }] : []
    ),
    ended: look(
      "ended",
      ({ endedAt, name, state, version }) => state === "ended" ? [{ name, version, position: BigInt(endedAt) }] : []
    ),
    enter: (view) =>
      Effect.suspend(() => {
        Inline.assertInline(view)
        const entered = change("enter", (scene): Result.Result<Entered, StoreUnavailable> => {
          if (!views.hasRoom(view)) {
            return Result.fail(new StoreUnavailable({ operation: "enter", detail: Views.noRoom(view), lasting: true }))
          }
          giveBack(scene, view)
          return Result.succeed(enter(scene, view, view.types))
        })
        return Effect.flatMap(entered, Effect.fromResult)
      }),
    leave: (view) =>
      Effect.suspend(() => {
        Views.assertView(view)
        return change("leave", (scene) => {
          const row = inline.view(view)
          if (row === undefined || row.state === "filling") return false
          if (row.state === "inline") end(inline, row, scene.position)
          giveBack(scene, view)
          return true
        })
      })
  })
}

/** What a change is about, and the end of the log. */
interface Scene extends Parts {
  readonly position: number
  readonly nowMillis: number
}

const sceneOf = (parts: Parts, nowMillis: number): Scene => {
  const { position, recordedAtMillis } = parts.log.head()
  return { ...parts, position, nowMillis: Math.max(SqliteClock.tick(parts.clock, nowMillis), recordedAtMillis) }
}

const idOf = ({ name, version }: ViewId) => ({ name, version, partition: 0 })

/** A view is inline no longer, or will not be. */
export const end = (inline: SqliteInlineStatements, row: InlineRow, position: number): void => {
  if (row.state === "filling") inline.deleteView(row)
  else inline.upsertView({ ...row, state: "ended", endedAt: position })
}

/** A view that has ended is its reader's again, from where it ended. */
const giveBack = (scene: Scene, view: ViewId): void => {
  const row = scene.inline.view(view)
  if (row?.state !== "ended") return
  scene.inline.deleteView(view)
  moveTo(scene, view, row.endedAt)
}

const moveTo = ({ nowMillis, readers, storeId }: Scene, view: ViewId, position: number): void => {
  const paused = SqliteCheckpointStore.find(readers, idOf(view))?.paused
  const to = { position: BigInt(position), epoch: storeId, paused }
  SqliteCheckpointStore.change(readers, idOf(view), nowMillis, to)
}

const enter = (scene: Scene, { name, version }: ViewId, asked: ReadonlyArray<string>): Entered => {
  const { inline, nowMillis, position, readers, storeId } = scene
  const row = inline.view({ name, version })
  if (row?.state === "inline") {
    const types = new Set([...JSON.parse(row.types), ...asked])
    if (types.size > JSON.parse(row.types).length) inline.upsertView({ ...row, types: JSON.stringify([...types]) })
    return { _tag: "inline" }
  }
  const types = JSON.stringify([...new Set(asked)])
  const lack = Inline.lack({
    checkpoint: SqliteCheckpointStore.find(readers, idOf({ name, version })),
    epoch: storeId,
    head: BigInt(position),
    isParked: () => readers.parked({ name, version }).length > 0,
    hasEvents: (after) => inline.hasEvents(Number(after), types)
  })
  const own = { name, version, types, endedAt: 0, untilMillis: nowMillis + Inline.fillingMillis }
  switch (lack) {
    case "held":
    case "behind":
      inline.deleteView({ name, version })
      return { _tag: lack }
    case "filling":
      inline.upsertView({ ...own, state: "filling" })
      return { _tag: "filling", position: BigInt(position) }
    case undefined:
      inline.upsertView({ ...own, state: "inline" })
      moveTo(scene, { name, version }, position)
      return { _tag: "inline" }
  }
}
