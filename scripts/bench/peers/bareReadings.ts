/**
 * The limit of reading on PostgreSQL: pages of a thousand read, one ahead, parsed and counted, and a checkpoint with each;
 * no schema, no document, nobody else. And that of telling another connection: an insert, and a NOTIFY with it.
 */
import { Client } from "pg"
import { type Entry, entryOf, evolve, initial } from "../ledger.ts"
import type { OpenReadings, Readings } from "../Readings.ts"

const pageEvents = 1_000

const table = `CREATE TABLE events (position bigint GENERATED ALWAYS AS IDENTITY PRIMARY KEY,
  stream text COLLATE "C" NOT NULL, version int NOT NULL, type text COLLATE "C" NOT NULL, data json NOT NULL,
  UNIQUE (stream, version));
  CREATE TABLE checkpoint (position bigint NOT NULL);
  INSERT INTO checkpoint VALUES (0)`
const seedText = `INSERT INTO events (stream, version, type, data)
  SELECT s.id, e.number, 'EntryBooked', e.data::json FROM unnest($1::text[]) WITH ORDINALITY s(id, place),
    unnest($2::text[]) WITH ORDINALITY e(data, number) ORDER BY s.place, e.number`
const select = {
  name: "select",
  text: `SELECT position, stream, version, type, data::text AS data FROM events WHERE position > $1
    ORDER BY position LIMIT ${pageEvents}`
}
const set = { name: "set", text: "UPDATE checkpoint SET position = $1" }
const insertAndTell = {
  name: "tell",
  text: `WITH written AS (INSERT INTO events (stream, version, type, data)
    SELECT 'arrivals', coalesce(max(version), 0) + 1, 'EntryBooked', $1 FROM events WHERE stream = 'arrivals')
    SELECT pg_notify('events', $2)`
}

/** Opens the limit in a database of its own. */
export const open: OpenReadings = async ({ store, url }): Promise<Readings> => {
  if (store !== "postgres") throw new Error("this limit is that of PostgreSQL")
  const connect = async () => {
    const client = new Client({ connectionString: url })
    await client.connect()
    return client
  }
  const [client, reader] = [await connect(), await connect()]
  await client.query(`${table.replaceAll("CREATE TABLE", "CREATE TABLE IF NOT EXISTS")}`)
  const page = async (after: number): Promise<ReadonlyArray<{ readonly data: string }>> =>
    (await reader.query<{ data: string }>({ ...select, values: [after] })).rows
  return {
    seed: async (ids, length) => {
      const data = Array.from({ length }, (_, number) => JSON.stringify(entryOf(number)))
      await client.query(seedText, [ids, data])
    },
    catchUp: async (_, count) => {
      let ledger = initial
      let ahead = page(0)
      for (let after = 0; after < count; after += pageEvents) {
        const rows = await ahead
        if (after + pageEvents < count) ahead = page(after + pageEvents)
        for (const { data } of rows) ledger = evolve(ledger, JSON.parse(data) as Entry)
        await client.query({ ...set, values: [after + pageEvents] })
      }
      return async () => new Map([["", ledger]])
    },
    watch: async (onApplied) => {
      const onNotification = ({ payload = "" }: { readonly payload?: string | undefined }) => onApplied(payload)
      reader.on("notification", onNotification)
      await reader.query("LISTEN events")
      return async () => void reader.off("notification", onNotification)
    },
    append: async (entry) => {
      await client.query({ ...insertAndTell, values: [JSON.stringify(entry), entry.reference] })
    },
    close: async () => {
      await client.end()
      await reader.end()
    }
  }
}
