/**
 * The state of an aggregate as this process knows it: loaded when first needed, brought up to date when another writer
 * has gone on, and given up when the stream cannot be read.
 */
import { Effect, Exit, Random } from "effect"
import type { CommandFailed, Reason } from "../AggregateHost.ts"
import { elapsedMillis } from "./elapsed.ts"
import type { Answer, Envelope } from "./envelope.ts"
import { dismiss } from "./finish.ts"
import * as Mailbox from "./mailbox.ts"
import type { Registration } from "./registration.ts"
import * as Replay from "./replay.ts"
import type { Resident, Work } from "./resident.ts"

/** The state to decide on. With `ifVersion`, a state of another version is looked up again before it is believed. */
export const read = Effect.fnUntraced(function*(
  self: Registration,
  resident: Resident,
  envelope: Envelope
): Effect.fn.Return<Replay.Folded, CommandFailed> {
  const { folded, stream, unreadable } = resident
  if (unreadable !== undefined && elapsedMillis(self.clock) < unreadable.retryAtMillis) {
    return yield* unreadable.failure
  }
  const unmet = envelope.ifVersion !== undefined && envelope.ifVersion !== folded?.version
  if (folded !== undefined && !resident.stale && !unmet) return folded
  const current = folded === undefined
    ? yield* Replay.load(self.plan, self.sources, stream)
    : yield* Replay.refresh(self.plan, self.sources, stream, folded)
  resident.folded = current
  resident.stale = false
  resident.unreadable = undefined
  return current
})

/** The stream itself is at fault: asking again at once would not help. */
const atFault: ReadonlySet<Reason["_tag"]> = new Set<Reason["_tag"]>([
  "HandlerMissing",
  "StreamUnreadable",
  "StreamMismatch",
  "SchemaTooNew"
])

/**
 * The state could not be had. If the stream is at fault, whoever waits learns it now, and the next attempt to load it
 * waits: 100, 200, 400 ms …, at most 30 s, give or take 20 %.
 */
export const giveUp = Effect.fnUntraced(function*(
  self: Registration,
  resident: Resident,
  work: Work,
  failure: CommandFailed
): Effect.fn.Return<Answer> {
  const given = Exit.fail(failure)
  if (!atFault.has(failure.reason._tag)) return given
  resident.folded = undefined
  const nowMillis = elapsedMillis(self.clock)
  if (resident.unreadable === undefined || resident.unreadable.retryAtMillis <= nowMillis) {
    const attempts = (resident.unreadable?.attempts ?? 0) + 1
    const delayMillis = Math.min(100 * 2 ** (attempts - 1), 30_000) * (0.8 + 0.4 * (yield* Random.next))
    resident.unreadable = { failure, attempts, retryAtMillis: nowMillis + delayMillis }
  }
  for (let waiting = Mailbox.take(work.mailbox); waiting !== undefined; waiting = Mailbox.take(work.mailbox)) {
    dismiss(self, resident, work, waiting, given)
  }
  return given
})
