/**
 * Emmett's consumers as a contestant, with batches of a thousand and no pause between them: what is counted in memory is a
 * reactor, a view is a projection into the same database, by its Pongo on PostgreSQL and by an upsert on SQLite, where
 * it has nothing of its own.
 */
import type { Event } from "@event-driven-io/emmett"
import {
  getPostgreSQLEventStore,
  pongoMultiStreamProjection,
  postgreSQLEventStoreConsumer
} from "@event-driven-io/emmett-postgresql"
import { getSQLiteEventStore, sqliteConnection, sqliteRawSQLProjection } from "@event-driven-io/emmett-sqlite"
import { Client } from "pg"
import { type Entry, entryOf, evolve, initial, type Ledger } from "../ledger.ts"
import { keyOf, type Made, type Making, type OpenReadings, type Readings } from "../Readings.ts"
import type { Setting } from "../World.ts"

type EntryBooked = Event<"EntryBooked", Pick<Entry, keyof Entry>>

interface Message {
  readonly data: Entry
  readonly metadata: { readonly globalPosition: bigint }
}

const booked = (entry: Entry): EntryBooked => ({ type: "EntryBooked", data: entry })
/** No interface: Pongo wants what can be indexed. */
type Book = { entries: number; balanceCents: number; channel: string }

const pulling = { batchSize: 1_000, pullingFrequencyInMs: 0 }
const idOf = () => crypto.randomUUID()

/** Where a consumer stops: at the last message that is asked for. */
const upTo = (count: number) => ({ metadata: { globalPosition } }: Pick<Message, "metadata">) =>
  globalPosition >= BigInt(count)

/** An append is one statement, and SQLite takes only so many values in one. */
const eventsAtOnce = 1_000

interface Appends {
  readonly appendToStream: (id: string, events: Array<EntryBooked>) => Promise<unknown>
}

const writing = (store: Appends): Pick<Readings, "append" | "seed"> => ({
  seed: async (ids, length) => {
    const events = Array.from({ length }, (_, number) => booked(entryOf(number)))
    for (const id of ids) {
      for (let first = 0; first < length; first += eventsAtOnce) {
        await store.appendToStream(id, events.slice(first, first + eventsAtOnce))
      }
    }
  },
  append: async (entry) => {
    await store.appendToStream("arrivals", [booked(entry)])
  }
})

const fold = () => {
  let ledger = initial
  return {
    eachMessage: ({ data }: { readonly data: unknown }) => {
      ledger = evolve(ledger, data as Entry)
    },
    look: async (): Promise<Made> => new Map([["", ledger]])
  }
}

// ── PostgreSQL

const onPostgres = async ({ url }: Setting): Promise<Readings> => {
  const store = getPostgreSQLEventStore(url)
  await store.schema.migrate()
  const client = new Client({ connectionString: url })
  await client.connect()
  // Each has connections of its own: closing one that has the store's would close those too.
  const consumerOf = () => postgreSQLEventStoreConsumer<EntryBooked>({ connectionString: url, pulling })
  const view = async (keys: 100 | 1_000, count: number) => {
    const collectionName = `books_${idOf().replaceAll("-", "")}`
    const projection = pongoMultiStreamProjection<Book, EntryBooked>({
      collectionName,
      canHandle: ["EntryBooked"],
      getDocumentId: ({ data }) => keyOf(data, keys),
      initialState: () => ({ ...initial, channel: "" }),
      evolve: (before: Book, { data }: EntryBooked) => ({ ...before, ...evolve(before, data), channel: data.channel })
    })
    const consumer = consumerOf()
    consumer.projector({ processorId: idOf(), projection, stopAfter: upTo(count) })
    await consumer.start()
    return async (): Promise<Made> => {
      const { rows } = await client.query<{ id: string; data: Ledger }>(`SELECT _id AS id, data FROM ${collectionName}`)
      await consumer.close()
      return new Map(rows.map(({ data: { balanceCents, entries }, id }) => [id, { entries, balanceCents }]))
    }
  }
  const sum = async (count: number) => {
    const { eachMessage, look } = fold()
    const consumer = consumerOf()
    consumer.reactor({ processorId: idOf(), eachMessage, stopAfter: upTo(count) })
    await consumer.start()
    return async () => {
      await consumer.close()
      return look()
    }
  }
  return {
    ...writing(store),
    catchUp: (making, count) => making.target === "fold" ? sum(count) : view(making.keys, count),
    watch: async (onApplied) => {
      const consumer = consumerOf()
      consumer.reactor({ processorId: idOf(), eachMessage: ({ data }) => onApplied(data.reference) })
      void consumer.start()
      return () => consumer.close()
    },
    close: async () => {
      await store.close()
      await client.end()
    }
  }
}

// ── SQLite

const text = (value: string): string => `'${value.replaceAll("'", "''")}'`

const onSqlite = async ({ filename: fileName }: Setting): Promise<Readings> => {
  const connection = sqliteConnection({ fileName })
  // Durable as Varve is: the driver's own default is the same, but a comparison shall not hang on that.
  await connection.command("PRAGMA synchronous = FULL")
  const store = getSQLiteEventStore({ fileName, connectionOptions: { singleton: true, connection } })
  await store.schema.migrate()
  const consumerOf = () => store.consumer<EntryBooked>({ pulling })
  const view = async (keys: 100 | 1_000, count: number) => {
    const table = `books_${idOf().replaceAll("-", "")}`
    await connection.command(`CREATE TABLE ${table} (key TEXT PRIMARY KEY, document TEXT NOT NULL)`)
    const projection = sqliteRawSQLProjection<EntryBooked>({
      canHandle: ["EntryBooked"],
      evolve: ({ data }) => {
        const { cents, channel } = data
        const first = JSON.stringify({ entries: 1, balanceCents: cents, channel })
        return `INSERT INTO ${table} VALUES (${text(keyOf(data, keys))}, ${text(first)}) ON CONFLICT (key) DO UPDATE SET
          document = json_set(document, '$.entries', document ->> '$.entries' + 1,
            '$.balanceCents', document ->> '$.balanceCents' + ${cents}, '$.channel', ${text(channel)})`
      }
    })
    const consumer = consumerOf()
    consumer.processor({ processorId: idOf(), projection, stopAfter: upTo(count) })
    await consumer.start()
    return async (): Promise<Made> => {
      const rows = await connection.query<{ key: string; document: string }>(`SELECT key, document FROM ${table}`)
      return new Map(rows.map(({ document, key }) => {
        const { balanceCents, entries } = JSON.parse(document)
        return [key, { entries, balanceCents }]
      }))
    }
  }
  const sum = async (count: number) => {
    const { eachMessage, look } = fold()
    const consumer = consumerOf()
    consumer.processor({ processorId: idOf(), eachMessage, stopAfter: upTo(count) })
    await consumer.start()
    return look
  }
  return {
    ...writing(store),
    catchUp: (making: Making, count) => making.target === "fold" ? sum(count) : view(making.keys, count),
    watch: async (onApplied) => {
      const consumer = consumerOf()
      consumer.processor({ processorId: idOf(), eachMessage: ({ data }) => onApplied(data.reference) })
      void consumer.start()
      return () => consumer.stop()
    },
    close: async () => connection.close()
  }
}

/** Opens Emmett on a store of its own. */
export const open: OpenReadings = async (setting): Promise<Readings> => {
  if (setting.store === "memory") throw new Error("its consumers have no store in memory")
  return setting.store === "sqlite" ? onSqlite(setting) : onPostgres(setting)
}
