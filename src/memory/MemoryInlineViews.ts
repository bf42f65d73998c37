/**
 * Inline views in memory. A view that becomes inline takes its documents out of what transactions are about, so that an
 * append never waits for one; when it is left they go back.
 */
import { Effect, HashMap, Result } from "effect"
import type { Position } from "../Event.ts"
import { StoreUnavailable, type ViewId } from "../EventStore.ts"
import { type Entered, InlineViews } from "../InlineViews.ts"
import * as Views from "../internal/documents.ts"
import * as Inline from "../internal/inline.ts"
import { byCodePoints } from "../internal/order.ts"
import * as MemoryCheckpointStore from "./MemoryCheckpointStore.ts"
import * as MemoryDeadLetters from "./MemoryDeadLetters.ts"
import * as MemoryDocuments from "./MemoryDocuments.ts"
import * as MemoryLog from "./MemoryLog.ts"
import * as MemoryTables from "./MemoryTables.ts"

/** The inline views over tables in memory. */
export const make = (tables: MemoryTables.MemoryTables, storeId: string): InlineViews["Service"] => {
  const { log } = tables
  const change = <A>(operation: string, change: MemoryTables.Change<Result.Result<A, StoreUnavailable>>) =>
    Effect.flatMap(
      MemoryTables.writeOutside(
        tables,
        change,
        () =>
          new StoreUnavailable({ operation, detail: "it is asked from inside a transaction; ask after it has ended" })
      ),
      Effect.fromResult
    )
  return InlineViews.of({
    storeId,
    list: Effect.sync(() =>
      inState(log, "inline").map(({ name, types, version }) => ({ name, version, types: [...types] }))
    ),
    ended: Effect.sync(() =>
      inState(log, "ended").map(({ endedAt, name, version }) => ({ name, version, position: endedAt }))
    ),
    enter: (view) =>
      Effect.suspend(() => {
        Inline.assertInline(view)
        return change<Entered>("enter", (state, nowMillis) => {
          if (!HashMap.has(state.views, MemoryDocuments.keyOf(view))) return [refused("enter", view), state]
          const scene = { log, view, nowMillis, epoch: storeId }
          const [entered, next] = enter(scene, giveBack(scene, state), new Set(view.types))
          return [Result.succeed(entered), next]
        })
      }),
    leave: (view) =>
      Effect.suspend(() => {
        Views.assertView(view)
        return change<boolean>("leave", (state, nowMillis) => {
          const room = MemoryLog.inlineOf(log, view)
          if (room?.state === "inline") MemoryLog.end(log, room)
          return [Result.succeed(room !== undefined), giveBack({ log, view, nowMillis, epoch: storeId }, state)]
        })
      })
  })
}

const inState = ({ inline }: MemoryLog.MemoryLog, wanted: "inline" | "ended") =>
  Array.from(inline.values())
    .filter(({ state }) => state === wanted)
    .sort((a, b) => byCodePoints(a.name, b.name) || a.version - b.version)

const refused = (operation: string, view: ViewId) =>
  Result.fail(new StoreUnavailable({ operation, detail: Views.noRoom(view), lasting: true }))

/** What a change is about: the log, a view of it, and the present. */
interface Scene {
  readonly log: MemoryLog.MemoryLog
  readonly view: ViewId
  readonly nowMillis: number
  readonly epoch: string
}

/** A view that has ended is its reader's again: its documents, and where he goes on. */
const giveBack = (scene: Scene, state: MemoryTables.State): MemoryTables.State => {
  const { log, view } = scene
  const room = MemoryLog.inlineOf(log, view)
  if (room?.state !== "ended") return state
  log.inline.delete(Inline.nameOf(view))
  const views = HashMap.set(state.views, MemoryDocuments.keyOf(view), room.documents)
  return moved(scene, { ...state, views }, room.endedAt)
}

const moved = (
  { epoch, nowMillis, view }: Scene,
  state: MemoryTables.State,
  position: Position
): MemoryTables.State => {
  const id = checkpointOf(view)
  const paused = MemoryCheckpointStore.find(state, id)?.paused
  return MemoryCheckpointStore.change(state, id, nowMillis, { position, epoch, paused })[1]
}

const checkpointOf = ({ name, version }: ViewId) => ({ name, version, partition: 0 })

const enter = (
  scene: Scene,
  state: MemoryTables.State,
  types: ReadonlySet<string>
): readonly [Entered, MemoryTables.State] => {
  const { log, nowMillis, view: { name, version } } = scene
  const place = Inline.nameOf(scene.view)
  const inline = MemoryLog.inlineOf(log, scene.view)
  if (inline !== undefined) {
    log.inline.set(place, { ...inline, types: new Set([...inline.types, ...types]) })
    return [{ _tag: "inline" }, state]
  }
  log.inline.delete(place)
  const lack = Inline.lack(standing(scene, state, types))
  if (lack === "held" || lack === "behind") return [{ _tag: lack }, state]
  const room = { name, version, types, endedAt: 0n, untilMillis: nowMillis + Inline.fillingMillis }
  if (lack === "filling") {
    log.inline.set(place, { ...room, state: "filling", documents: HashMap.empty() })
    return [{ _tag: "filling", position: MemoryLog.head(log) }, state]
  }
  const key = MemoryDocuments.keyOf(scene.view)
  log.inline.set(place, { ...room, state: "inline", documents: HashMap.getUnsafe(state.views, key) })
  const views = HashMap.set(state.views, key, HashMap.empty())
  return [{ _tag: "inline" }, moved(scene, { ...state, views }, MemoryLog.head(log))]
}

const standing = (
  { epoch, log, view }: Scene,
  state: MemoryTables.State,
  types: ReadonlySet<string>
): Inline.Standing => ({
  checkpoint: MemoryCheckpointStore.find(state, checkpointOf(view)),
  epoch,
  head: MemoryLog.head(log),
  isParked: () => MemoryDeadLetters.hasParked(state, view),
  hasEvents: (after) => log.events.slice(Number(after)).some((event) => Inline.isOf(event, types))
})
