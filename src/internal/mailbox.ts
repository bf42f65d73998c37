/**
 * A mailbox: the commands that wait for one aggregate, first come, first served, in bounded number.
 */
import type { Envelope } from "./envelope.ts"

/** The waiting commands, and those with an id that are waiting or under way. */
export interface Mailbox {
  readonly queue: Array<Envelope>
  /** Where the queue begins; what stands before it is taken. */
  head: number
  /** Made when first needed: most commands of most applications have no id. */
  byCommandId: Map<string, Envelope> | undefined
}

/** A mailbox with its first command. */
export const make = (envelope: Envelope): Mailbox => {
  const mailbox: Mailbox = { queue: [], head: 0, byCommandId: undefined }
  offer(mailbox, envelope)
  return mailbox
}

/** How many commands wait. */
export const size = (mailbox: Mailbox): number => mailbox.queue.length - mailbox.head

/** Puts a command last. How many may wait is the caller's to say. */
export const offer = (mailbox: Mailbox, envelope: Envelope): void => {
  mailbox.queue.push(envelope)
  if (envelope.identity !== undefined) {
    mailbox.byCommandId ??= new Map()
    mailbox.byCommandId.set(envelope.identity.commandId, envelope)
  }
}

/** The command that has waited longest, left where it is. */
export const first = (mailbox: Mailbox): Envelope | undefined => mailbox.queue[mailbox.head]

/** Puts commands that were taken back in front, in their order. */
export const putBack = (mailbox: Mailbox, envelopes: ReadonlyArray<Envelope>): void => {
  mailbox.queue.splice(0, mailbox.head, ...envelopes)
  mailbox.head = 0
}

/** Takes the command that has waited longest. */
export const take = (mailbox: Mailbox): Envelope | undefined => {
  const envelope = mailbox.queue[mailbox.head]
  if (envelope === undefined) return undefined
  mailbox.head++
  if (mailbox.head === mailbox.queue.length) {
    mailbox.queue.length = 0
    mailbox.head = 0
  } else if (mailbox.head >= 1_024) {
    mailbox.queue.splice(0, mailbox.head)
    mailbox.head = 0
  }
  return envelope
}

/** Takes a command out that nobody waits for any more. */
export const remove = (mailbox: Mailbox, envelope: Envelope): void => {
  const index = mailbox.queue.indexOf(envelope, mailbox.head)
  if (index >= 0) mailbox.queue.splice(index, 1)
  forget(mailbox, envelope)
}

/** A command with an id is no longer under way. */
export const forget = (mailbox: Mailbox, envelope: Envelope): void => {
  if (envelope.identity !== undefined) mailbox.byCommandId?.delete(envelope.identity.commandId)
}
