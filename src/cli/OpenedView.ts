/**
 * A view of an app on a store, to be asked: its documents, and how far they have come.
 */
import { Data, Effect, Result } from "effect"
import { CheckpointStore } from "../CheckpointStore.ts"
import type { Position } from "../Event.ts"
import { EventStore } from "../EventStore.ts"
import { compile } from "../internal/codec.ts"
import type { Target } from "../ProjectionHost.ts"
import type { OperationFailure } from "../Projections.ts"
import { ViewStore } from "../ViewStore.ts"
import type { AnyViews } from "./AppProjections.ts"
import { find, type Kept, type ProjectionUnknown } from "./ProjectionFlags.ts"

/** It cannot be asked; `problem` says why. */
export class NoView extends Data.TaggedError("NoView")<{ readonly problem: string }> {
  override get message() {
    return this.problem
  }
}

/** A view, and how far it has come. */
export interface OpenedView {
  readonly target: Extract<Target, { readonly _tag: "View" }>
  readonly documents: AnyViews
  /** A document as JSON has it. */
  readonly encode: (document: unknown) => unknown
  /** The version that is read. */
  readonly version: number
  readonly position: Position
  /** Where the log ends. */
  readonly head: Position
}

/** Opens the view of a name. One that was never filled is refused: an empty answer would be taken for one. */
export const open = Effect.fnUntraced(function*(
  kept: Kept,
  name: string
): Effect.fn.Return<
  OpenedView,
  ProjectionUnknown | NoView | OperationFailure,
  ViewStore | CheckpointStore | EventStore
> {
  const { definition, target } = yield* find(kept, name)
  if (target._tag !== "View") return yield* new NoView({ problem: notAView(name, target) })
  const live = yield* (yield* ViewStore).live(name)
  if (live === undefined) {
    const problem =
      `${name} has never been filled on ${kept.place}: start a worker that has it, or \`run\` with --projections.`
    return yield* new NoView({ problem })
  }
  const version = Math.min(live.version, definition.version)
  const checkpoints = yield* (yield* CheckpointStore).list(name)
  const positions = checkpoints.filter((checkpoint) => checkpoint.version === version).map(({ position }) => position)
  if (positions.length === 0 && version !== live.version) {
    const problem =
      `Version ${version} of ${name}, which this app has, is not there (any more): version ${live.version} is read.`
    return yield* new NoView({ problem: `${problem} Ask with the code of that one.` })
  }
  const head = yield* (yield* EventStore).head
  const [status] = yield* kept.operations.status(name)
  const codec = compile(target.document)
  return {
    target,
    documents: kept.views(name),
    encode: (document) => Result.getOrThrow(codec.encode(document)),
    version,
    // What is inline, or was, lacks less than its checkpoint says.
    position: status?.version === version
      ? status.position
      : positions.reduce((least, position) => (position < least ? position : least), positions[0] ?? 0n),
    head
  }
})

const notAView = (name: string, { _tag }: Target): string => {
  switch (_tag) {
    case "Fold":
      return `"${name}" is a fold: it is in the memory of each worker, and only a program there can ask it.`
    case "Sql":
      return `"${name}" is an SQL projection: ask its tables in the database.`
    default:
      return `"${name}" is an effect: it keeps no documents.`
  }
}

/** What a machine is told beside documents. */
export const about = ({ head, position, target, version }: OpenedView) => ({
  view: target.view.name,
  version,
  position: String(position),
  head: String(head)
})

/** What people are told if there are events that it does not have yet. */
export const behind = ({ head, position }: OpenedView, who: string): string | undefined => {
  if (position >= head) return undefined
  const percent = Math.floor((Number(position) / Number(head)) * 100)
  return `${who} has read ${position.toLocaleString("en-US")} of ${head.toLocaleString("en-US")} events ` +
    `(${percent} %); \`views status\` tells more.`
}
