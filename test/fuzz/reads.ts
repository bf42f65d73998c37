/**
 * Everything that can be read of a store, by dice: two stores that were told the same must answer the same.
 */
import type { Effect } from "effect"
import type { EventStore, LogFilter, StreamRange } from "../../src/EventStore.ts"
import type { SnapshotStore } from "../../src/SnapshotStore.ts"
import type { Dice } from "./dice.ts"
import { categories, commandIds, pickStream, tenants, types } from "./groups.ts"

/** A store under comparison. */
export interface Stores {
  readonly events: EventStore["Service"]
  readonly snapshots: SnapshotStore["Service"]
}

/** One thing to do to both. */
export interface Read {
  readonly what: string
  readonly ask: (stores: Stores) => Effect.Effect<unknown, unknown>
}

const bound = (dice: Dice) => dice.chance(40) ? undefined : dice.below(dice.chance(50) ? 10 : 400)
const limit = (dice: Dice) => dice.chance(40) ? undefined : dice.below(30)

const range = (dice: Dice): StreamRange => ({
  after: bound(dice),
  to: bound(dice),
  limit: limit(dice),
  direction: dice.pick([undefined, "forwards", "backwards"])
})

const some = (dice: Dice, names: ReadonlyArray<string>) =>
  dice.chance(50) ? undefined : [...names, "unknown"].filter(() => dice.chance(40))

const filter = (dice: Dice): LogFilter => ({
  tenants: some(dice, tenants),
  categories: some(dice, categories),
  types: some(dice, types)
})

/** Reads of all kinds, with ranges and filters by the dice. */
export const reads = (dice: Dice, head: bigint): ReadonlyArray<Read> => [
  { what: "head", ask: ({ events }) => events.head },
  ...[BigInt(dice.below(Number(head) + 2))].map((after): Read => ({
    what: `audit after ${after}`,
    ask: ({ events }) => events.audit(after)
  })),
  ...Array.from({ length: 50 }, (): Read => {
    const [stream, asked] = [pickStream(dice), range(dice)]
    return { what: `stream ${JSON.stringify([stream, asked])}`, ask: ({ events }) => events.readStream(stream, asked) }
  }),
  ...tenants.flatMap((tenant) =>
    categories.map((category): Read => {
      const asked = { tenant, category, limit: limit(dice), after: dice.pick([undefined, "A", "a", "\uFFFD"]) }
      return { what: `streams ${JSON.stringify(asked)}`, ask: ({ events }) => events.streams(asked) }
    })
  ),
  ...Array.from({ length: 6 }, (_, index): Read => {
    const after = BigInt(dice.below(Number(head) + 10))
    const asked = { after, limit: limit(dice), filter: index === 0 ? undefined : filter(dice) }
    return { what: `log after ${after} ${JSON.stringify(asked.filter)}`, ask: ({ events }) => events.readAll(asked) }
  }),
  ...Array.from({ length: 10 }, (): Read => {
    const [stream, commandId] = [pickStream(dice), dice.pick(commandIds)]
    return {
      what: `receipt ${JSON.stringify([stream, commandId])}`,
      ask: ({ events }) => events.receipt(stream, commandId)
    }
  }),
  ...Array.from({ length: 6 }, (): Read => {
    const [stream, atMost] = [pickStream(dice), bound(dice)]
    return {
      what: `snapshot ${JSON.stringify([stream, atMost])}`,
      ask: ({ snapshots }) => snapshots.load(stream, { atMost })
    }
  })
]

/** A change beside appends: snapshots and the forgetting of receipts. */
export const change = (dice: Dice, nowMillis: number): Read => {
  const stream = pickStream(dice)
  const version = dice.below(60)
  switch (dice.weigh({ save: 60, discard: 15, prune: 25 })) {
    case "save": {
      const snapshot = { version, fingerprint: "f", state: `{"v":${version}}`, checksum: dice.uuid() }
      return { what: `save ${version}`, ask: ({ snapshots }) => snapshots.save(stream, snapshot) }
    }
    case "discard":
      return { what: `discard ${version}`, ask: ({ snapshots }) => snapshots.discard(stream, version) }
    case "prune": {
      const options = { beforeMillis: nowMillis - dice.below(60_000), limit: dice.below(40) }
      return { what: `prune ${JSON.stringify(options)}`, ask: ({ events }) => events.pruneReceipts(options) }
    }
  }
}
