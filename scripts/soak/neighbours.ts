/**
 * What one tally alone would answer and write: the model of the campaign `groups`.
 */
import type { Seeded } from "../../src/testing/Seeded.ts"

/** What a command wants. The last ones cannot be committed. */
export const kinds = ["add", "take", "read", "large", "misfit", "dies", "bomb", "invalid"] as const

/** What a command wants. */
export type Kind = (typeof kinds)[number]

/** What the store does to a tally's appends, each time or once. */
export const troubles = ["conflict", "dies", "diesAfter", "refuses", "lostBefore", "lostAfter"] as const

/** What the store does to a tally's appends, if anything. */
export type Trouble = "none" | (typeof troubles)[number]

/** A command of a tally. */
export interface Command {
  readonly kind: Kind
  readonly n: number
  readonly commandId: string | undefined
}

/** What a caller was told: `Done`, `Short`, `Died`, or the tag of a reason. */
export interface Told {
  readonly tag: string
  readonly reply?: number
  readonly version?: number
  readonly position?: bigint | undefined
  readonly duplicate?: boolean
}

/** What another writer adds. */
export const foreignN = 7

/** One tally, as it is known from what was sent to it. */
export interface Model {
  readonly events: ReadonlyArray<number>
  /** Positions that callers were told, by version. */
  readonly positions: ReadonlyMap<number, bigint>
  /** The next commands to be sent; those that were sent before are among them unless all shall be new. */
  readonly choose: (random: Seeded, allNew: boolean) => ReadonlyArray<Command>
  /** Another writer was first. */
  readonly foreign: () => void
  /** Carries a command out; says what is wrong with what its caller was told. */
  readonly carryOut: (command: Command, trouble: Trouble, told: Told) => string | undefined
}

/** What the log keeps of a command with an id. */
interface Kept {
  readonly command: Command
  readonly told: Told
}

/** The model of a tally; a new one is empty. */
export const modelOf = (models: Map<string, Model>, id: string): Model => {
  const known = models.get(id)
  if (known !== undefined) return known
  const model = make(id)
  models.set(id, model)
  return model
}

const make = (id: string): Model => {
  const events: Array<number> = []
  const positions = new Map<number, bigint>()
  const receipts = new Map<string, Kept>()
  let total = 0
  let ids = 0

  const write = (n: number) => {
    events.push(n)
    total += n
  }

  /** What the command is told alone, on a store without faults; writes it down. */
  const decide = ({ commandId, kind, n }: Command): Told => {
    const kept = commandId === undefined ? undefined : receipts.get(commandId)
    if (kept !== undefined) {
      return kept.command.kind === kind && kept.command.n === n
        ? { ...kept.told, ...kept.told.tag === "Done" && { duplicate: true } }
        : { tag: "CommandIdReused" }
    }
    if (kind === "read") return { tag: "Done", reply: total, version: 0, duplicate: false }
    const told = kind === "take" && n > total ? { tag: "Short", reply: total } : undefined
    if (told === undefined) write(kind === "take" ? -n : n)
    const answer = told ?? { tag: "Done", reply: total, version: events.length, duplicate: false }
    if (commandId !== undefined) receipts.set(commandId, { command: { commandId, kind, n }, told: answer })
    return answer
  }

  return {
    events,
    positions,
    choose: (random, allNew) => {
      const chosen: Array<Command> = []
      for (let count = 1 + random.below(3); count > 0; count--) {
        const old = allNew || random.below(8) > 0 ? undefined : Array.from(receipts.values()).at(-1 - random.below(3))
        // Of two commands under one id that are under way at once, the first is the one that counts.
        if (old !== undefined && chosen.every(({ commandId }) => commandId !== old.command.commandId)) {
          chosen.push(random.below(2) === 0 ? old.command : { ...old.command, n: old.command.n + 1 })
          continue
        }
        const kind: Kind = random.below(2) === 0 ? random.oneOf(["add", "take"]) : random.oneOf(kinds)
        const n = 1 + random.below(kind === "take" ? 40 : 20)
        const command = { kind, n, commandId: kind !== "read" && random.below(2) === 0 ? `${id}-${ids++}` : undefined }
        chosen.push(command)
        if (random.below(10) === 0 && command.commandId !== undefined) chosen.push(command)
      }
      return chosen
    },
    foreign: () => write(foreignN),
    carryOut: (command, trouble, told) => {
      const alone = cannotBeCommitted(command.kind)
      if (alone !== undefined) return told.tag === alone ? undefined : `was told ${told.tag} instead of ${alone}`
      if (trouble === "refuses" || trouble === "dies") {
        const failed = trouble === "refuses" ? "StoreUnavailable" : "OutcomeUnknown"
        return told.tag === failed ? undefined : `was told ${told.tag} instead of ${failed}`
      }
      const expected = decide(command)
      // Of a store that dies once it has written, its neighbours alone can say that this was so.
      if (trouble === "diesAfter" && told.tag === "OutcomeUnknown") return undefined
      const { position, ...said } = told
      if (position !== undefined) positions.set(told.version!, position)
      const isSo = JSON.stringify(Object.entries(said).sort()) === JSON.stringify(Object.entries(expected).sort())
      return isSo ? undefined : `was told ${JSON.stringify(said)} instead of ${JSON.stringify(expected)}`
    }
  }
}

/** What a command is told that no store can help. */
const cannotBeCommitted = (kind: Kind): string | undefined => {
  switch (kind) {
    case "large":
      return "LimitExceeded"
    case "misfit":
    case "dies":
    case "bomb":
      return "Died"
    case "invalid":
      return "InputInvalid"
    default:
      return undefined
  }
}
