/**
 * Why inline views do not take events in, as it is told to whoever appends them.
 */
import { type DocumentConflict, type ViewId, ViewRefused, type ViewsChanged } from "../EventStore.ts"

/** It cannot: the same events will be refused again. */
export const failed = ({ name, version }: ViewId, problem: string): ViewRefused =>
  new ViewRefused({ view: name, version, why: "Failed", problem })

/** It could not this time. */
const busy = ({ name, version }: ViewId, problem: string): ViewRefused =>
  new ViewRefused({ view: name, version, why: "Busy", problem })

/** What a store has said of views is not tried any more. */
export const unsettled = (status: DocumentConflict | ViewsChanged): ViewRefused =>
  status._tag === "DocumentConflict"
    ? busy(status.view, `other writers were first at its document "${status.key}" each time`)
    : busy(
      status.view,
      status.state === "filling" ? "it is being filled" : "it became inline, or ended to be, each time"
    )
