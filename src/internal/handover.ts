/**
 * The reader of a view that may be inline: he fills it, hands it over to those who append once nothing is lacking, and
 * rests until somebody has appended who does not know it.
 */
import { Effect } from "effect"
import type { CheckpointMoved } from "../CheckpointStore.ts"
import type { StoreUnavailable } from "../EventStore.ts"
import type { Kept } from "../ProjectionHost.ts"
import type { Chain } from "./chain.ts"
import { setDown } from "./digest.ts"
import { elapsedMillis } from "./elapsed.ts"
import * as LiveVersions from "./liveVersions.ts"
import { enter, type Ports, reach, type Reader, type Running } from "./reader.ts"

/** How often it is asked again whether a view may be inline that may not. */
const askedMillis = 1_000

/** How long a view that was given back stays so: whoever does not know it may go on to append. */
const givenBackMillis = 5_000

/** How often a reader who rests looks whether his view is still inline. */
const look = "1 second"

/** The view as those who append know it, if it may be inline. */
export const keptOf = ({ target }: Running): Kept | undefined => target._tag === "View" ? target.inline : undefined

/** Whether a version of a view is inline at this moment, wherever it is run. */
export const isInlineNow = (
  { inline }: Ports,
  { name, version }: { readonly name: string; readonly version: number }
): Effect.Effect<boolean, StoreUnavailable> =>
  inline === undefined
    ? Effect.succeed(false)
    : Effect.map(inline.list, (views) => views.some((view) => view.name === name && view.version === version))

const nowMillis = ({ running: { ports: { clock } } }: Reader): number => elapsedMillis(clock)

/** Rests as long as the view is inline. What was appended since it is no longer is the reader's. */
export const rest = Effect.fnUntraced(function*(reader: Reader): Effect.fn.Return<void, StoreUnavailable> {
  const kept = keptOf(reader.running)
  if (kept === undefined || nowMillis(reader) < reader.inlineAfterMillis) return
  const { events } = reader.running.ports
  // What was in the log before the view was seen to be inline has been taken in.
  let head = yield* events.head
  if ((yield* kept.enter)._tag !== "inline") return
  enter(reader, "inline")
  do {
    reader.head = head
    reach(reader, head)
    yield* takeTheLead(reader)
    yield* Effect.raceFirst(kept.ended, Effect.sleep(look))
    head = yield* events.head
  } while (yield* kept.isInline)
  reader.inlineAfterMillis = nowMillis(reader) + givenBackMillis
  yield* kept.leave
  yield* Effect.logWarning(`"${reader.id.name}" is followed: somebody has appended its events who does not run it`)
})

/** A new version that is inline lacks nothing, so it is the one that is read. */
const takeTheLead = Effect.fnUntraced(function*({ running: { live } }: Reader) {
  if (live?.known === undefined || live.known.version >= live.own) return
  yield* LiveVersions.refresh(live)
  if (LiveVersions.isNew(live)) LiveVersions.settle(live, yield* LiveVersions.flip(live))
})

/** Hands the view over if its reader has come to the end of the log. Answers whether it is inline from now on. */
export const handOver = Effect.fnUntraced(function*(
  chain: Chain
): Effect.fn.Return<boolean, StoreUnavailable | CheckpointMoved> {
  const { reader } = chain
  const kept = keptOf(reader.running)
  if (kept === undefined || chain.seen < reader.head || nowMillis(reader) < reader.inlineAfterMillis) return false
  const { live } = reader.running
  if (live !== undefined && LiveVersions.isNew(live)) yield* setDown(chain)
  let entered = yield* kept.enter
  if (entered._tag === "behind" && chain.seen > chain.position) {
    yield* setDown(chain)
    entered = yield* kept.enter
  }
  // What is lacking comes with the next page; nobody appends more of it meanwhile.
  if (entered._tag !== "filling") reader.inlineAfterMillis = nowMillis(reader) + askedMillis
  return entered._tag === "inline"
})

/** How long a reader who has come to the end of the log waits before he asks again. */
export const pauseMillis = ({ reader, seen }: Chain): number =>
  keptOf(reader.running) === undefined || seen < reader.head
    ? Number.POSITIVE_INFINITY
    : Math.max(askedMillis, reader.inlineAfterMillis - nowMillis(reader))
