/**
 * Trying again what has a letter: an event at which a projection was paused, one that was skipped, or a stream that is
 * passed over since, which is taken back without loss.
 */
import { Effect } from "effect"
import type { DeadLetter, NewDeadLetter, ParkedStream } from "../DeadLetters.ts"
import type { Position, Stored, StreamId } from "../Event.ts"
import type { StoreUnavailable } from "../EventStore.ts"
import { OperationRefused, type Retried } from "../Projections.ts"
import type { Applied, Applier, Failure } from "./applier.ts"
import * as Attention from "./attention.ts"
import * as Holding from "./holding.ts"
import type { Reader, Running } from "./reader.ts"

/** What is to become of the event of a letter. */
export type Wish = "retry" | "discard"

type Refused = StoreUnavailable | OperationRefused

/** How many events are taken back in one transaction. */
const eventsMax = 1_000

/** Does with an event that has a letter as is wished, in whichever partitions it has one. */
export const settleAll = Effect.fnUntraced(function*(
  { definition: { name }, readers }: Running,
  position: Position,
  wish: Wish
): Effect.fn.Return<Retried, Refused> {
  let applied = 0
  let left: Retried["left"]
  let found = false
  for (const reader of readers) {
    const retried = yield* Holding.alone(reader, settle(reader, position, wish))
    if (retried === undefined) continue
    found = true
    applied += retried.applied
    left ??= retried.left
  }
  if (found) return { applied, left }
  return yield* new OperationRefused({
    projection: name,
    operation: wish,
    problem: `there is no letter at ${position}`
  })
})

/** The letters of all partitions, by position. */
export const list = Effect.fnUntraced(function*(
  { ports: { letters }, readers }: Running,
  { after = 0n, limit = 100 }: { readonly after?: Position | undefined; readonly limit?: number | undefined } = {}
): Effect.fn.Return<ReadonlyArray<DeadLetter>, StoreUnavailable> {
  const all = yield* Effect.forEach(
    readers,
    ({ letterId: reader }) => letters.list({ reader, after: { position: after, reader }, limit })
  )
  return all.flat().toSorted((a, b) => a.position < b.position ? -1 : 1).slice(0, limit)
})

/** Does with a letter's event as is wished; undefined if there is no such letter. */
const settle = Effect.fnUntraced(function*(
  reader: Reader,
  position: Position,
  wish: Wish
): Effect.fn.Return<Retried | undefined, Refused> {
  const { ledger, ports: { letters } } = reader.running
  const letter = yield* letters.get(reader.letterId, position)
  if (letter === undefined) return undefined
  const parked = (yield* letters.parked(reader.letterId)).find(({ fromPosition, stream }) =>
    fromPosition === letter.position && isSame(stream, letter.stream)
  )
  if (parked !== undefined) return yield* takeBack(reader, parked, wish)
  const checkpoint = yield* ledger.get(reader.id)
  if (checkpoint !== undefined && checkpoint.position < letter.position) return yield* release(reader, letter, wish)
  return wish === "discard" ? yield* forget(reader, letter) : yield* applyNow(reader, letter)
})

const isSame = (a: StreamId, b: StreamId): boolean =>
  a.id === b.id && a.category === b.category && a.tenant === b.tenant

const nothing: Retried = { applied: 0, left: undefined }

/** The projection is paused at it. */
const release = Effect.fnUntraced(function*(
  reader: Reader,
  { position }: DeadLetter,
  wish: Wish
): Effect.fn.Return<Retried, Refused> {
  const { ledger, ports: { letters } } = reader.running
  if (wish === "discard") {
    yield* fit(Holding.hold(reader, wish, (checkpoint) =>
      checkpoint.position === position - 1n
        ? Effect.succeed({
          value: undefined,
          to: position,
          work: Effect.asVoid(letters.remove(reader.letterId, position))
        })
        : Effect.fail(
          Holding.refused(reader, wish, `it is at ${checkpoint.position}, and the event is still to come`)
        )))
  }
  yield* Effect.ensuring(ledger.resume(reader.id), Effect.sync(() => Attention.call(reader.attention)))
  return nothing
})

/** What cannot be kept was told as a failure of its event before it comes here. */
const fit = <A>(effect: Effect.Effect<A, Holding.Failure>): Effect.Effect<A, Refused> =>
  Effect.catchTag(effect, "Unfit", Effect.die)

const forget = (reader: Reader, { position }: DeadLetter): Effect.Effect<Retried, Refused> =>
  Effect.as(stillThere(reader, "discard", reader.running.ports.letters.remove(reader.letterId, position)), nothing)

/** An event that was skipped is worked off now. */
const applyNow = Effect.fnUntraced(function*(
  reader: Reader,
  { position }: DeadLetter
): Effect.fn.Return<Retried, Refused> {
  const { letters } = reader.running.ports
  const stored = yield* eventAt(reader, position)
  const applier = reader.makeApplier()
  if (applier.isAtomic) return yield* Holding.refused(reader, "retry", "a fold's order cannot be mended; reset it")
  // What was skipped is out of its order already, so nobody who acts on the world need wait for it.
  const settled = reader.running.target._tag === "Effect" ? Holding.beside : Holding.hold
  const attempt = settled(
    reader,
    "retry",
    Effect.fnUntraced(function*(checkpoint) {
      yield* stillThere(reader, "retry", letters.get(reader.letterId, position))
      const { failure, work } = yield* applier.apply([stored])
      return {
        value: failure,
        to: checkpoint.position,
        work: failure === undefined
          ? Effect.andThen(stillThere(reader, "retry", letters.remove(reader.letterId, position)), work)
          : letters.put(letterOf(reader, stored, failure))
      }
    })
  )
  const failure = yield* Effect.catchTag(
    attempt,
    "Unfit",
    ({ error }) => Effect.as(letters.put(letterOf(reader, stored, handlerFailed(error))), handlerFailed(error))
  )
  if (failure !== undefined) return { applied: 0, left: { position, error: failure.error } }
  applier.keep()
  return { applied: 1, left: undefined }
})

/** Of several who see the same letter one has it; asked before what cannot be undone, and once more with the rest. */
const stillThere = (
  reader: Reader,
  wish: Wish,
  letter: Effect.Effect<unknown, StoreUnavailable>
): Effect.Effect<void, Refused> =>
  Effect.flatMap(letter, (found) =>
    found === undefined || found === false
      ? Effect.fail(Holding.refused(reader, wish, "somebody else has settled its letter meanwhile"))
      : Effect.void)

const handlerFailed = (error: string): Failure => ({ reason: "HandlerFailed", error })

const letterOf = (
  reader: Reader,
  { category, id, position, tenant, type }: Stored,
  failure: Failure
): NewDeadLetter => ({
  reader: reader.letterId,
  position,
  stream: { tenant, category, id },
  type,
  ...failure
})

const eventAt = Effect.fnUntraced(function*(reader: Reader, position: Position): Effect.fn.Return<Stored, Refused> {
  const { events } = reader.running.ports
  const page = yield* Effect.catchTag(
    events.readAll({ after: position - 1n, limit: 1 }),
    "LogGap",
    ({ message }) => Effect.fail(Holding.refused(reader, "retry", message))
  )
  const [stored] = page.events
  if (stored?.position === position) return stored
  return yield* Holding.refused(reader, "retry", `the log has no event at ${position}`)
})

// ── A stream that is passed over

/** Where taking back goes on: at this event, whose letter there is. */
interface At {
  readonly position: Position
  /** Of the event in its stream. */
  readonly version: number
  /** The event itself is given up. */
  readonly without: boolean
}

/** What came of one transaction. */
interface Round {
  readonly applied: number
  /** Where the next one begins; undefined if all is done. */
  readonly next: Stored | undefined
  /** Why the next one need not begin. */
  readonly failure: Failure | undefined
}

const takeBack = Effect.fnUntraced(function*(
  reader: Reader,
  parked: ParkedStream,
  wish: Wish
): Effect.fn.Return<Retried, Refused> {
  const applier = reader.makeApplier()
  const first = yield* eventAt(reader, parked.fromPosition)
  let at: At = { position: parked.fromPosition, version: first.version, without: wish === "discard" }
  let applied = 0
  let limit = eventsMax
  let unfit = ""
  while (true) {
    const { stream } = parked
    const round = yield* Effect.result(Holding.hold(reader, wish, takePart(reader, applier, stream, at, limit)))
    if (round._tag === "Failure") {
      applier.forget()
      if (round.failure._tag !== "Unfit") return yield* round.failure
      limit = limit > 1 ? Math.ceil(limit / 2) : 0
      unfit = round.failure.error
      continue
    }
    applier.keep()
    const { failure, next } = round.success
    applied += round.success.applied
    if (next === undefined) return { applied, left: undefined }
    const error = failure?.error ?? (limit === 0 ? unfit : undefined)
    if (error !== undefined) return { applied, left: { position: next.position, error } }
    at = { position: next.position, version: next.version, without: false }
  }
})

/**
 * Works off some of the events that were passed over, and parks the stream again at the first that is left. None, where
 * it has turned out that the first one by itself cannot be kept.
 */
const takePart = (
  reader: Reader,
  applier: Applier,
  stream: StreamId,
  at: At,
  limit: number
): Holding.Plan<Round> =>
  Effect.fnUntraced(function*(checkpoint) {
    const { letters } = reader.running.ports
    const { letterId } = reader
    const due = yield* passedOver(reader, applier, stream, at, checkpoint.position)
    const events = due.slice(0, limit)
    const { count, failure, work } = events.length === 0 ? noneApplied : yield* applier.apply(events)
    const next = due[count]
    const why = failure ??
      handlerFailed(limit === 0 ? "what it leads to cannot be kept" : "its stream is being taken back")
    const left = next === undefined ? Effect.void : Effect.andThen(
      letters.put(letterOf(reader, next, why)),
      letters.park({ reader: letterId, stream, fromPosition: next.position })
    )
    const unpark = Effect.filterOrFail(
      letters.unpark({ reader: letterId, stream, fromPosition: at.position }),
      (was) => was,
      () => Holding.refused(reader, "retry", "somebody else takes the stream back")
    )
    return {
      value: { applied: count, next, failure },
      to: checkpoint.position,
      work: unpark.pipe(
        Effect.andThen(work),
        // The letter of an event that fails once more is the same one.
        Effect.andThen(next?.position === at.position ? Effect.void : letters.remove(letterId, at.position)),
        Effect.andThen(left)
      )
    }
  })

const noneApplied: Applied = { count: 0, failure: undefined, work: Effect.void }

/** The wanted events of a stream, from one on, that came no later than the checkpoint: a page of them, and one more. */
const passedOver = Effect.fnUntraced(function*(
  reader: Reader,
  { storedTypes }: Applier,
  stream: StreamId,
  { version, without }: At,
  upTo: Position
) {
  const due: Array<Stored> = []
  for (let after = without ? version : version - 1; due.length <= eventsMax;) {
    const page = yield* reader.running.ports.events.readStream(stream, { after })
    for (const stored of page.events) {
      if (stored.position > upTo) return due
      if (storedTypes.includes(stored.type)) due.push(stored)
    }
    after = page.events.at(-1)?.version ?? page.version
    if (after >= page.version) return due
  }
  return due
})
