/**
 * castore as a contestant: its event store over its adapters, in memory or on PostgreSQL, with the steps that its
 * documentation gives for a command: get the aggregate, decide, push the event at the next version. Its adapter for
 * PostgreSQL keeps no order of the log.
 */
import { type Aggregate, EventStore, EventType, type EventTypeDetail } from "@castore/core"
import { InMemoryEventStorageAdapter } from "@castore/event-storage-adapter-in-memory"
import { PostgresEventStorageAdapter } from "@castore/event-storage-adapter-postgres"
import { BookingRefused, type Entry, entryOf, evolve, initial, type Ledger, mayBook } from "../ledger.ts"
import { type Batch, type Booking, callPromises, type Open, queued, type Setting, type World } from "../World.ts"

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

type Adapter = InMemoryEventStorageAdapter | PostgresEventStorageAdapter

const storeOver = (eventStorageAdapter: Adapter) =>
  new EventStore({ eventStoreId: "LEDGERS", eventTypes: [entryBooked], reducer, eventStorageAdapter })

type Store = ReturnType<typeof storeOver>

/** A store that can be filled; what is already there when one in memory is made is no command. */
interface Opened {
  readonly store: () => Store
  readonly seed: (ids: ReadonlyArray<string>, length: number) => Promise<void>
  readonly close: () => Promise<void>
}

const inMemory = (): Opened => {
  let store = storeOver(new InMemoryEventStorageAdapter())
  return {
    store: () => store,
    seed: async (ids, length) => {
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
      store = storeOver(new InMemoryEventStorageAdapter({ initialEvents }))
    },
    close: async () => {}
  }
}

/** As many connections as its driver has unless told otherwise. */
const seedersAtOnce = 10

const onPostgres = async (connectionString: string): Promise<Opened> => {
  await PostgresEventStorageAdapter.createEventTable({ connectionString, aggregateId: { type: "VARCHAR", length: 64 } })
  const adapter = new PostgresEventStorageAdapter({ connectionString })
  const store = storeOver(adapter)
  return {
    store: () => store,
    seed: async (ids, length) => {
      let number = 0
      const next = () => number === ids.length * length ? undefined : number++
      await callPromises(seedersAtOnce, next, (number) =>
        store.pushEvent({
          aggregateId: ids[Math.floor(number / length)]!,
          version: number % length + 1,
          type: "EntryBooked",
          payload: entryOf(number % length)
        }))
    },
    // It has no way to close its connections, so they are found where it keeps them.
    close: async () => {
      const connections: { readonly end: () => Promise<void> } = Reflect.get(adapter, "_sql")
      await connections.end()
    }
  }
}

const openStore = (setting: Setting): Opened | Promise<Opened> => {
  if (setting.store === "sqlite") throw new Error("castore has no store for SQLite")
  return setting.store === "memory" ? inMemory() : onPostgres(setting.url)
}

const book = async (store: Store, { entry, id }: Booking): Promise<number> => {
  const { aggregate } = await store.getAggregate(id)
  if (!mayBook(aggregate?.ledger ?? initial, entry)) throw new BookingRefused(id)
  const { nextAggregate } = await store.pushEvent(
    { aggregateId: id, version: (aggregate?.version ?? 0) + 1, type: "EntryBooked", payload: entry },
    aggregate === undefined ? {} : { prevAggregate: aggregate }
  )
  return nextAggregate!.ledger.balanceCents
}

const append = async (store: Store, { count, first, id, version }: Batch): Promise<void> => {
  const events = Array.from({ length: count }, (_, index) => ({
    aggregateId: id,
    version: version + index + 1,
    type: "EntryBooked" as const,
    payload: entryOf(first + index)
  }))
  if (count === 1) {
    await store.pushEvent(events[0]!)
    return
  }
  const [one, two, ...others] = events.map((event) => store.groupEvent(event))
  await EventStore.pushEventGroup(one!, two!, ...others)
}

/** Opens castore on a store of its own. */
export const open: Open = async (setting): Promise<World> => {
  const { close, seed, store } = await openStore(setting)
  const carryOut = queued(setting, (booking) => book(store(), booking))
  return {
    warms: false,
    seed,
    carryOut: (callers, next) => callPromises(callers, next, carryOut),
    append: (callers, next) => callPromises(callers, next, (batch) => append(store(), batch)),
    load: async (id) => {
      const { aggregate } = await store().getAggregate(id)
      return { ledger: aggregate?.ledger ?? initial, version: aggregate?.version ?? 0 }
    },
    count: async (ids) => {
      let sum = 0
      for (const id of ids) sum += (await store().getEvents(id)).events.length
      return sum
    },
    // It holds no state between commands.
    restart: async () => {},
    close
  }
}
