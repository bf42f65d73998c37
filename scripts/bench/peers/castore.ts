/**
 * castore as a contestant: its event store over its adapter in memory, with the steps that its documentation gives for
 * a command: get the aggregate, decide, push the event at the next version.
 */
import { type Aggregate, EventStore, EventType, type EventTypeDetail } from "@castore/core"
import { InMemoryEventStorageAdapter } from "@castore/event-storage-adapter-in-memory"
import { BookingRefused, type Entry, entryOf, evolve, initial, type Ledger, mayBook } from "../ledger.ts"
import { type Booking, callPromises, type Open, queued, type World } from "../World.ts"

interface LedgerAggregate extends Aggregate {
  readonly ledger: Ledger
}

const entryBooked = new EventType<"EntryBooked", Entry>({ type: "EntryBooked" })
type EntryBooked = EventTypeDetail<typeof entryBooked>

const reducer = (aggregate: LedgerAggregate | undefined, { aggregateId, payload, version }: EntryBooked) => ({
  aggregateId,
  version,
  ledger: evolve(aggregate?.ledger ?? initial, payload)
})

const storeOver = (eventStorageAdapter: InMemoryEventStorageAdapter) =>
  new EventStore({ eventStoreId: "LEDGERS", eventTypes: [entryBooked], reducer, eventStorageAdapter })

const seeded = (ids: ReadonlyArray<string>, length: number) => {
  const timestamp = new Date(0).toISOString()
  const initialEvents = ids.flatMap((aggregateId) =>
    Array.from({ length }, (_, number): EntryBooked => ({
      aggregateId,
      version: number + 1,
      type: "EntryBooked",
      timestamp,
      payload: entryOf(number)
    }))
  )
  return storeOver(new InMemoryEventStorageAdapter({ initialEvents }))
}

/** Opens castore in memory. */
export const open: Open = async (setting): Promise<World> => {
  if (setting.store !== "memory") throw new Error("castore has no store for SQLite")
  let store = seeded([], 0)
  const book = async ({ entry, id }: Booking): Promise<number> => {
    const { aggregate } = await store.getAggregate(id)
    if (!mayBook(aggregate?.ledger ?? initial, entry)) throw new BookingRefused(id)
    const { nextAggregate } = await store.pushEvent(
      { aggregateId: id, version: (aggregate?.version ?? 0) + 1, type: "EntryBooked", payload: entry },
      aggregate === undefined ? {} : { prevAggregate: aggregate }
    )
    return nextAggregate!.ledger.balanceCents
  }
  const carryOut = queued(setting, book)
  return {
    warms: false,
    seed: async (ids, length) => {
      store = seeded(ids, length)
    },
    carryOut: (callers, next) => callPromises(callers, next, carryOut),
    load: async (id) => {
      const { aggregate } = await store.getAggregate(id)
      return { ledger: aggregate?.ledger ?? initial, version: aggregate?.version ?? 0 }
    },
    count: async (ids) => {
      let sum = 0
      for (const id of ids) sum += (await store.getEvents(id)).events.length
      return sum
    },
    // It holds no state between commands.
    restart: async () => {},
    close: async () => {}
  }
}
