/**
 * Committing: the batch that has formed leaves with the next group, and what the store says to it becomes the answers
 * of its commands.
 */
import { Cause, Exit } from "effect"
import { type Reason, VersionConflict } from "../AggregateHost.ts"
import type { Append, Receipt, Status, Written } from "../EventStore.ts"
import * as Batch from "./batch.ts"
import { elapsedMillis } from "./elapsed.ts"
import { type Answer, type Envelope, isOverdue } from "./envelope.ts"
import { failure } from "./failure.ts"
import { finish } from "./finish.ts"
import type * as Groups from "./groups.ts"
import { unsettled } from "./inlineRefusals.ts"
import * as Mailbox from "./mailbox.ts"
import * as Outcome from "./outcome.ts"
import type { Registration } from "./registration.ts"
import { where } from "./replay.ts"
import { type Resident, wake, type Work } from "./resident.ts"
import * as Snapshots from "./snapshots.ts"
import { renew, reply, takeApart } from "./speculation.ts"

/** Has the forming batch written as soon as the one before it is. */
export const submit = (self: Registration, resident: Resident, work: Work): void => {
  if (work.queued || work.writing !== undefined || work.forming === undefined) return
  work.queued = true
  self.groups.submit({
    begin: () => depart(self, resident, work),
    settle: (outcome) => settle(self, resident, work, outcome)
  })
}

/** The batch leaves. Until now it was certain that nothing of it is written: who gave up waiting is left behind. */
const depart = (self: Registration, resident: Resident, work: Work): Append | undefined => {
  if (resident.work !== work) return undefined
  work.queued = false
  if (renew(self, resident, work)) {
    wake(work)
    return undefined
  }
  if (work.forming?.entries.some(({ envelope }) => isGivenUp(self, envelope))) {
    takeApart(work)
    wake(work)
    return undefined
  }
  const batch = work.forming
  if (batch === undefined) return undefined
  work.writing = batch
  work.forming = undefined
  work.held = undefined
  for (const { envelope } of batch.entries) envelope.stage = "begun"
  // Whoever found no place in this batch may find one in the next.
  if (Mailbox.size(work.mailbox) > 0) wake(work)
  return Batch.append(batch, resident.stream, self.nextEventId)
}

const isGivenUp = (self: Registration, envelope: Envelope): boolean => {
  if (envelope.stage !== "waiting") return envelope.stage === "answered"
  return envelope.deadlineMillis !== undefined && isOverdue(envelope, elapsedMillis(self.clock))
}

/** What the answers are, once everything is in order for whoever hears them and sends again. */
type Answers = ReadonlyArray<readonly [Envelope, Answer]>

/**
 * The store has answered. What was decided ahead leaves next if this went well, and is decided again if it did not;
 * a defect on the way ends the fiber, and its supervisor sees to the rest.
 */
const settle = (self: Registration, resident: Resident, work: Work, outcome: Groups.Outcome): void => {
  const batch = work.writing
  if (resident.work !== work || batch === undefined) return
  work.held = undefined
  try {
    const answers = conclude(self, resident, work, batch, outcome)
    renew(self, resident, work)
    submit(self, resident, work)
    work.answering = true
    for (const [envelope, given] of answers) finish(self, resident, work, envelope, given)
  } catch (error) {
    // Whoever was not answered yet is told so by the supervisor.
    work.writing = batch
    work.broken = Cause.die(error)
  }
  work.answering = false
  wake(work)
}

const conclude = (
  self: Registration,
  resident: Resident,
  work: Work,
  batch: Batch.Batch,
  outcome: Groups.Outcome
): Answers => {
  if (Exit.isSuccess(outcome)) return conclusions(self, resident, work, batch, outcome.value)
  const error = Cause.findErrorOption(outcome.cause)
  if (error._tag === "None") {
    work.broken = outcome.cause as Cause.Cause<never>
    return []
  }
  work.writing = undefined
  takeApart(work)
  return batch.entries.map(({ envelope }) => [envelope, failure(error.value)])
}

const conclusions = (
  self: Registration,
  resident: Resident,
  work: Work,
  batch: Batch.Batch,
  status: Status
): Answers => {
  work.writing = undefined
  switch (status._tag) {
    case "Committed":
      return committed(self, resident, batch, status.writes[0]!)
    case "Duplicate":
      return isMarked(batch, status.receipts)
        ? committed(self, resident, batch, { version: batch.base.version, position: undefined })
        : repeated(resident, work, batch, status.receipts)
    case "Conflict":
      return overtaken(self, resident, work, batch, conflictOf(batch, resident, status))
    case "DocumentConflict":
    case "ViewsChanged":
      return notAdmitted(work, batch, unsettled(status))
    case "Refused":
      return notAdmitted(work, batch, status.reason)
  }
}

const notAdmitted = (work: Work, batch: Batch.Batch, reason: Reason): Answers => {
  if (batch.entries.length === 1) return refused(work, batch, failure(reason))
  // Each by itself, so that only the one at fault is refused.
  for (const { envelope } of batch.entries) envelope.alone = true
  takeApart(work, batch.entries.map(({ envelope }) => envelope))
  return []
}

const committed = (self: Registration, resident: Resident, batch: Batch.Batch, written: Written): Answers => {
  if (batch.events.length > 0) {
    resident.folded = batch.tip
    Snapshots.request(self, resident, batch.base.version)
  }
  return batch.entries.map((entry) => [
    entry.envelope,
    reply(entry.verdict, Batch.versionOf(batch, entry), positionOf(batch, entry, written))
  ])
}

/** Of the command's last event: positions in one append follow each other. */
const positionOf = (
  { events }: Batch.Batch,
  entry: Batch.Entry,
  { position }: Written
): bigint | undefined =>
  entry.events === 0 || position === undefined ? undefined : position - BigInt(events.length - entry.through)

const isMarked = ({ mark }: Batch.Batch, receipts: ReadonlyArray<Receipt>): boolean =>
  mark !== undefined && receipts.some(({ commandId }) => commandId === mark)

/** Some were carried out before, here or elsewhere; the others are decided again without them. */
const repeated = (
  resident: Resident,
  work: Work,
  batch: Batch.Batch,
  receipts: ReadonlyArray<Receipt>
): Answers => {
  const found = new Map(receipts.map((receipt) => [receipt.commandId, receipt]))
  const receiptOf = ({ identity }: Envelope) => identity && found.get(identity.commandId)
  const envelopes = batch.entries.map(({ envelope }) => envelope)
  resident.stale ||= receipts.some(({ version }) => version > batch.base.version)
  takeApart(work, envelopes.filter((envelope) => receiptOf(envelope) === undefined))
  return envelopes.flatMap((envelope) => {
    const receipt = receiptOf(envelope)
    return receipt === undefined ? [] : [[envelope, Outcome.repeated(envelope, receipt)] as const]
  })
}

/** Another writer was first: everything is decided again on what there is now, by those who have tries left. */
const overtaken = (
  self: Registration,
  resident: Resident,
  work: Work,
  batch: Batch.Batch,
  conflict: VersionConflict
): Answers => {
  resident.stale = true
  const envelopes = batch.entries.map(({ envelope }) => envelope)
  for (const envelope of envelopes) envelope.redecisions++
  const isSpent = ({ redecisions }: Envelope) => redecisions > self.settings.redecisions
  takeApart(work, envelopes.filter((envelope) => !isSpent(envelope)))
  return envelopes.filter(isSpent).map((envelope) => [envelope, failure(conflict)])
}

const refused = (work: Work, { entries }: Batch.Batch, given: Answer): Answers => {
  takeApart(work)
  return entries.map(({ envelope }) => [envelope, given])
}

const conflictOf = (
  batch: Batch.Batch,
  { stream }: Resident,
  { actual, write }: Extract<Status, { readonly _tag: "Conflict" }>
): VersionConflict => {
  const other = batch.beside[write - 1]
  return new VersionConflict({
    ...where(other?.stream ?? stream),
    expected: other?.expected ?? batch.base.version,
    actual
  })
}
