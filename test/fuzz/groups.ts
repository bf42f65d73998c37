/**
 * Groups of appends as no application would send them: right and stale, malformed, repeated, sent again, all mixed. The
 * generator knows what became of earlier ones, so that each status is reached often.
 */
import { limits } from "../../src/Admission.ts"
import type { Expected, New, StreamId } from "../../src/Event.ts"
import type { Append, NewReceipt, Status, Write } from "../../src/EventStore.ts"
import * as Sample from "../../src/testing/suites/Sample.ts"
import type { Dice } from "./dice.ts"

export const tenants = ["t1", "t2", "été'"]
export const categories = ["a", "b"]
export const types = ["Happened", "Stopped", "x.\"y\""]
const ids = ["1", "2", "10", "a", "A", "\uFFFD", "𝒳", "%'"]

const named = (ids: ReadonlyArray<string>): ReadonlyArray<StreamId> =>
  tenants.flatMap((tenant) => categories.flatMap((category) => ids.map((id) => ({ tenant, category, id }))))

/** Streams that many write to, and those that are still new, or hold receipts only, after many groups. */
const streams = { busy: named(ids), quiet: named(Array.from({ length: 200 }, (_, index) => `quiet ${index}`)) }

export const pickStream = (dice: Dice): StreamId => dice.pick(dice.chance(80) ? streams.busy : streams.quiet)

/** Few enough that commands repeat. */
export const commandIds = Array.from({ length: 200 }, (_, index) => `command ${index}`)

/** What the generator remembers. */
interface Memory {
  readonly versions: Map<StreamId, number>
  /** Appends that were answered, the newest last. */
  readonly sent: Array<Append>
}

/** Where groups come from. */
export interface Groups {
  readonly next: () => ReadonlyArray<Append>
  /** Tells what became of a group. */
  readonly learn: (group: ReadonlyArray<Append>, statuses: ReadonlyArray<Status>) => void
}

/** Groups by these dice. */
export const make = (dice: Dice): Groups => {
  const memory: Memory = { versions: new Map(), sent: [] }
  const append = (): Append => {
    switch (dice.weigh({ right: 50, stale: 14, again: 14, malformed: 14, repeated: 8 })) {
      case "right":
        return right(dice, memory)
      case "stale":
        return stale(dice, memory)
      case "again":
        return memory.sent.length === 0 ? right(dice, memory) : dice.pick(memory.sent)
      case "malformed":
        return malformed(dice, right(dice, memory))
      case "repeated":
        return repeated(dice, memory)
    }
  }
  return {
    next: () => Array.from({ length: dice.chance(2) ? 0 : 1 + dice.below(dice.chance(5) ? 12 : 4) }, append),
    learn: (group, statuses) => {
      for (const [index, append] of group.entries()) {
        const status = statuses[index]!
        if (status._tag === "Refused") continue
        memory.sent.push(append)
        if (memory.sent.length > 60) memory.sent.shift()
        if (status._tag !== "Committed") continue
        for (const [write, { version }] of status.writes.entries()) memory.versions.set(append[write]!.stream, version)
      }
    }
  }
}

const event = (dice: Dice): New => ({
  ...Sample.event({ type: dice.pick(types), data: { number: dice.below(1_000), text: dice.pick(ids) } }),
  eventId: dice.uuid(),
  schemaVersion: 1 + dice.below(3)
})

const events = (dice: Dice, count: number) => Array.from({ length: count }, () => event(dice))

/** One to four writes to different streams, of which some leave receipts. */
const right = (dice: Dice, memory: Memory): Append => {
  const count = dice.chance(65) ? 1 : 2 + dice.below(3)
  const chosen = new Set(Array.from({ length: count }, () => pickStream(dice)))
  const [first, ...rest] = Array.from(chosen, (stream): Write => {
    const own = events(dice, dice.chance(20) ? 0 : 1 + dice.below(dice.chance(3) ? 30 : 3))
    const expected = met(dice, memory.versions.get(stream) ?? 0)
    return { stream, expected, events: own, receipts: receipts(dice, own.length) }
  })
  return [first!, ...rest]
}

const met = (dice: Dice, version: number): Expected => {
  const named = version === 0 ? "noStream" : "exists"
  return dice.pick<Expected>([version, version, version, version, named, "any"])
}

const receipts = (dice: Dice, eventCount: number): ReadonlyArray<NewReceipt> => {
  const count = dice.chance(60) ? 0 : 1 + dice.below(3)
  const chosen = new Set(Array.from({ length: count }, () => dice.pick(commandIds)))
  return Array.from(chosen, (commandId) => {
    const through = dice.below(eventCount + 1)
    return Sample.receipt(commandId, { hash: dice.pick(ids), events: dice.below(through + 1), through })
  })
}

/** One of its expectations is not met, whichever. */
const stale = (dice: Dice, memory: Memory): Append => {
  const [first, ...rest] = right(dice, memory)
  const wrong = dice.below(rest.length + 1)
  const spoilt = [first, ...rest].map((write, index): Write => {
    if (index !== wrong) return write
    const version = memory.versions.get(write.stream) ?? 0
    const unmet: ReadonlyArray<Expected> = [
      version + 1,
      version === 0 ? "exists" : "noStream",
      Math.max(0, version - 1 - dice.below(3)),
      10 ** 9
    ]
    return { ...write, expected: dice.pick(unmet), receipts: dice.chance(80) ? [] : write.receipts }
  })
  return [spoilt[0]!, ...spoilt.slice(1)]
}

/** A command that was carried out before, with new events and any expectation. */
const repeated = (dice: Dice, memory: Memory): Append => {
  const known = memory.sent.flat().filter(({ receipts }) => receipts.length > 0)
  if (known.length === 0) return right(dice, memory)
  const { receipts, stream } = dice.pick(known)
  const own = events(dice, dice.below(3))
  const again = receipts.map((receipt) => ({ ...receipt, hash: "another", events: own.length, through: own.length }))
  const write: Write = { stream, expected: dice.pick<Expected>([0, 1, "any", "exists"]), events: own, receipts: again }
  const other = right(dice, memory).filter((write) => write.stream !== stream)
  return dice.chance(50) ? [write, ...other] : [write]
}

const tooMany = Sample.events(limits.writeEventsMax + 1)
const tooLarge: New = { ...Sample.event(), bytes: limits.writeBytesMax + 1 }
const largeOutcome = JSON.stringify("x".repeat(limits.outcomeBytesMax))
const tooLong = "x".repeat(limits.nameCharactersMax + 1)

/** What is wrong with a write: each is refused, and for a reason of its own. */
const faults: Readonly<Record<string, (write: Write) => Write>> = {
  tenant: (write) => ({ ...write, stream: { ...write.stream, tenant: "" } }),
  category: (write) => ({ ...write, stream: { ...write.stream, category: "a\0" } }),
  surrogate: (write) => ({ ...write, stream: { ...write.stream, id: "\uD800" } }),
  long: (write) => ({ ...write, stream: { ...write.stream, id: tooLong } }),
  longCommand: (write) => ({ ...write, receipts: [Sample.receipt(tooLong)] }),
  commandId: (write) => ({ ...write, receipts: [Sample.receipt("")] }),
  expectation: (write) => ({ ...write, expected: -1 }),
  fraction: (write) => ({ ...write, expected: 0.5 }),
  events: (write) => ({ ...write, events: tooMany }),
  bytes: (write) => ({ ...write, events: [tooLarge] }),
  through: (write) => ({ ...write, receipts: [Sample.receipt("c", { through: write.events.length + 1 })] }),
  counts: (write) => ({ ...write, receipts: [Sample.receipt("c", { events: 1, through: 0 })] }),
  outcome: (write) => ({ ...write, receipts: [Sample.receipt("c", { outcome: largeOutcome })] }),
  twice: (write) => ({ ...write, receipts: [Sample.receipt("c"), Sample.receipt("c")] })
}

const malformed = (dice: Dice, append: Append): Append => {
  const none: ReadonlyArray<Write> = []
  if (dice.chance(5)) return none as Append
  if (dice.chance(5)) return [append[0], ...Array<Write>(limits.appendWritesMax).fill(append[0])]
  if (dice.chance(8)) return [...append, append[0]]
  const spoil = faults[dice.pick(Object.keys(faults))]!
  const wrong = dice.below(append.length)
  const [first, ...rest] = append.map((write, index) => index === wrong ? spoil(write) : write)
  return [first!, ...rest]
}
