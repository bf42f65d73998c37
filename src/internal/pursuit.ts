/**
 * Following the log: from the checkpoint on, page by page, and then on as it grows, until something is in the way.
 */
import { Effect, Option, Queue, type Scope, Stream } from "effect"
import type { Position } from "../Event.ts"
import type { LogGap, LogPage, StoreUnavailable } from "../EventStore.ts"
import { LogRewound } from "../ProjectionHost.ts"
import * as Chain from "./chain.ts"
import { digest, type Ended, millisSince, setDown, setDownMillis } from "./digest.ts"
import { handOver, pauseMillis, rest } from "./handover.ts"
import * as LiveVersions from "./liveVersions.ts"
import { awaiting, enter, type Reader } from "./reader.ts"

/** Why following ended. */
export type Interrupted = Ended | LogGap

/**
 * Follows the log. It does not end but by what is in the way, or when a view has become inline; from then on nothing that
 * it remembers counts.
 */
export const pursue = (reader: Reader): Effect.Effect<void, Interrupted> =>
  Effect.ensuring(
    Effect.scoped(follow(reader)),
    Effect.sync(() => {
      reader.applier.forget()
      reader.revision = undefined
    })
  )

const follow = Effect.fnUntraced(function*(reader: Reader): Effect.fn.Return<void, Interrupted, Scope.Scope> {
  const { live, prepared } = reader.running
  yield* prepared
  if (live !== undefined) yield* LiveVersions.begin(live)
  yield* rest(reader)
  const chain = yield* awaiting(reader, "store")(Chain.begin(reader))
  enter(reader, "running")
  yield* takeOver(chain)
  const pages = yield* feed(reader, chain.position)
  return yield* Effect.onInterrupt(goOn(chain, pages), () => lastWord(chain))
})

const goOn = Effect.fnUntraced(function*(chain: Chain.Chain, pages: Pages): Effect.fn.Return<void, Interrupted> {
  const { reader } = chain
  while (true) {
    const page = yield* next(chain, pages)
    if (page === undefined) {
      if (chain.seen !== chain.position) yield* setDown(chain)
    } else {
      yield* refuseRewound(reader, chain.position, page)
      yield* digest(chain, page)
    }
    if (yield* handOver(chain)) return
    // Pages may come without anything to wait for, and others are to have their turn.
    yield* Effect.yieldNow
  }
})

/** Whoever comes next, or asks how far it has come, need not go over again what nobody wanted. */
const lastWord = (chain: Chain.Chain): Effect.Effect<void> =>
  chain.seen > chain.position ? Effect.ignore(Effect.timeout(setDown(chain), "1 second")) : Effect.void

/** A new version that has nothing more to catch up with need not wait for an event to be read. */
const takeOver = (chain: Chain.Chain) => {
  const { position, reader: { head, running: { live } } } = chain
  return live !== undefined && LiveVersions.isNew(live) && position >= head ? setDown(chain) : Effect.void
}

type Pages = Queue.Queue<LogPage, StoreUnavailable | LogGap>

/** Reads ahead by a page while the last one is worked off. */
const feed = Effect.fnUntraced(function*(
  { applier, running: { ports, settings } }: Reader,
  after: Position
): Effect.fn.Return<Pages, never, Scope.Scope> {
  const pages: Pages = yield* Queue.bounded<LogPage, StoreUnavailable | LogGap>(1)
  const range = { after, limit: settings.pageEvents, filter: { types: applier.storedTypes } }
  yield* ports.events.follow(range).pipe(
    Stream.runForEach((page) => Queue.offer(pages, page)),
    Effect.andThen(Effect.die(new Error("The store has stopped following its log"))),
    Effect.catchCause((cause) => Queue.failCause(pages, cause)),
    Effect.forkScoped
  )
  return pages
})

/** The next page; undefined if it is time for something else: to set progress down, or to hand the view over. */
const next = (
  chain: Chain.Chain,
  pages: Pages
): Effect.Effect<LogPage | undefined, StoreUnavailable | LogGap> =>
  Effect.suspend(() => {
    const take = awaiting(chain.reader, "page")(Queue.take(pages))
    const isDown = chain.seen === chain.position
    const millis = Math.min(isDown ? Infinity : setDownMillis - millisSince(chain), pauseMillis(chain))
    return millis === Infinity
      ? take
      : Effect.map(Effect.timeoutOption(take, Math.max(0, millis)), Option.getOrUndefined)
  })

/** The log never becomes shorter, unless somebody has put it back. */
const refuseRewound = (reader: Reader, position: Position, { head }: LogPage): Effect.Effect<void, LogRewound> =>
  position <= head
    ? Effect.void
    : Effect.fail(new LogRewound({ projection: reader.running.definition.name, position, head }))
