/**
 * Emmett as a contestant: its command handler over its own stores, in memory, on SQLite or on PostgreSQL. On SQLite as
 * fast as it can be set up: one connection that stays open, the schema made beforehand, and callers in a queue, since its
 * transactions on one connection exclude each other. On PostgreSQL as it comes, with ten connections, but the schema is
 * made beforehand too: it makes it with the first command otherwise, in which 64 callers get stuck.
 */
import { CommandHandler, type Event, type EventStore, getInMemoryEventStore } from "@event-driven-io/emmett"
import { getPostgreSQLEventStore } from "@event-driven-io/emmett-postgresql"
import { getSQLiteEventStore, sqliteConnection } from "@event-driven-io/emmett-sqlite"
import { Client } from "pg"
import { BookingRefused, type Entry, entryOf, evolve, initial, type Ledger, mayBook } from "../ledger.ts"
import { type Batch, type Booking, callPromises, type Open, queued, type Setting, type World } from "../World.ts"

type EntryBooked = Event<"EntryBooked", Pick<Entry, keyof Entry>>

const evolveEvent = (ledger: Ledger, { data }: EntryBooked): Ledger => evolve(ledger, data)
const initialState = (): Ledger => initial

/** An append is one statement, and SQLite takes only so many values in one. */
const eventsAtOnce = 1_000

const handle = CommandHandler<Ledger, EntryBooked>({ evolve: evolveEvent, initialState })

const decide = (id: string, entry: Entry) => (ledger: Ledger): EntryBooked => {
  if (!mayBook(ledger, entry)) throw new BookingRefused(id)
  return { type: "EntryBooked", data: entry }
}

const book = (store: EventStore) => async ({ entry, id }: Booking): Promise<number> =>
  (await handle(store, id, decide(id, entry))).newState.balanceCents

const append = (store: EventStore) => ({ count, first, id }: Batch) =>
  store.appendToStream<EntryBooked>(id, Array.from({ length: count }, (_, index) => booked(first + index)))

const booked = (number: number): EntryBooked => ({ type: "EntryBooked", data: entryOf(number) })

const openStore = (setting: Setting): Opened | Promise<Opened> => {
  switch (setting.store) {
    case "memory":
      return inMemory()
    case "sqlite":
      return onSqlite(setting.filename)
    case "postgres":
      return onPostgres(setting.url)
  }
}

/** Opens Emmett on a store of its own. */
export const open: Open = async (setting): Promise<World> => {
  const opened = await openStore(setting)
  const { store } = opened
  const carryOut = queued(setting, book(store))
  return {
    warms: false,
    seed: async (ids, length) => {
      const events = Array.from({ length }, (_, number) => booked(number))
      for (const id of ids) {
        for (let first = 0; first < length; first += eventsAtOnce) {
          await store.appendToStream<EntryBooked>(id, events.slice(first, first + eventsAtOnce))
        }
      }
    },
    carryOut: (callers, next) => callPromises(callers, next, carryOut),
    append: (callers, next) => callPromises(callers, next, append(store)),
    load: async (id) => {
      const read = { evolve: evolveEvent, initialState }
      const { currentStreamVersion, state } = await store.aggregateStream<Ledger, EntryBooked>(id, read)
      return { ledger: state, version: Number(currentStreamVersion) }
    },
    count: (ids) => opened.count(ids),
    // It holds no state between commands.
    restart: async () => {},
    close: async () => opened.close()
  }
}

/** A store with what the bench asks beside it. */
interface Opened {
  readonly store: EventStore
  readonly count: (ids: ReadonlyArray<string>) => Promise<number>
  readonly close: () => Promise<void> | void
}

const inMemory = (): Opened => {
  const store = getInMemoryEventStore()
  const count = async (ids: ReadonlyArray<string>) => {
    let sum = 0
    for (const id of ids) sum += Number((await store.readStream(id)).currentStreamVersion)
    return sum
  }
  return { store, count, close: () => {} }
}

const onSqlite = async (fileName: string): Promise<Opened> => {
  const connection = sqliteConnection({ fileName })
  // Durable as Varve is: the driver's own default is the same, but a comparison shall not hang on that.
  await connection.command("PRAGMA synchronous = FULL")
  const store = getSQLiteEventStore({ fileName, connectionOptions: { singleton: true, connection } })
  await store.schema.migrate()
  const count = async () =>
    (await connection.querySingle<{ count: number }>("SELECT count(*) AS count FROM emt_messages"))!.count
  return { store, count, close: () => connection.close() }
}

const onPostgres = async (connectionString: string): Promise<Opened> => {
  const store = getPostgreSQLEventStore(connectionString)
  await store.schema.migrate()
  const counter = new Client({ connectionString })
  await counter.connect()
  const count = async () => {
    const { rows } = await counter.query<{ count: number }>("SELECT count(*)::int AS count FROM emt_messages")
    return rows[0]!.count
  }
  const close = async () => {
    await store.close()
    await counter.end()
  }
  return { store, count, close }
}
