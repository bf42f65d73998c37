/**
 * Those who listen to the changes of a view. Nobody who is slow holds the runner up: he is told that he has missed some.
 */
import { Array, Cause, Effect, Queue, Stream } from "effect"
import { type Change, ChangesMissed } from "../ProjectionHost.ts"

type Changes = Array.NonEmptyReadonlyArray<Change<unknown>>

type Listener = Queue.Queue<Changes, ChangesMissed>

export type Listeners = Set<Listener>

/** How many batches may wait to be taken. */
const buffered = 256

/** Tells all of them. */
export const publish = (listeners: Listeners, projection: string, changes: ReadonlyArray<Change<unknown>>): void => {
  if (!Array.isReadonlyArrayNonEmpty(changes)) return
  for (const listener of listeners) {
    if (Queue.offerUnsafe(listener, changes)) continue
    listeners.delete(listener)
    Queue.failCauseUnsafe(listener, Cause.fail(new ChangesMissed({ projection, buffered })))
  }
}

/** What is published from when the stream is run. */
export const listen = (listeners: Listeners): Stream.Stream<Change<unknown>, ChangesMissed> =>
  Stream.unwrap(
    Effect.map(
      Effect.acquireRelease(
        Effect.tap(Queue.dropping<Changes, ChangesMissed>(buffered), (listener) =>
          Effect.sync(() => listeners.add(listener))),
        (listener) =>
          Effect.sync(() => listeners.delete(listener))
      ),
      (listener) => Stream.flattenArray(Stream.fromQueue(listener))
    )
  )
