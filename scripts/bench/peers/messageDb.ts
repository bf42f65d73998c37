/**
 * message-db as a contestant: its own SQL, called as its documentation says by `pg` with prepared statements, on ten
 * connections. It has no client for Node of its own. Reads take a page of a thousand, which is its default.
 */
import { readdirSync, readFileSync } from "node:fs"
import { join } from "node:path"
import { fileURLToPath } from "node:url"
import { Pool, type PoolClient } from "pg"
import { BookingRefused, type Entry, entryOf, evolve, initial, type Ledger, mayBook } from "../ledger.ts"
import { type Batch, type Booking, callPromises, type Loaded, type Open, type World } from "../World.ts"

const files = join(fileURLToPath(import.meta.resolve("@eventide/message-db/package.json")), "../database")

/** What its install.sh runs, in that order; without its views. */
const folders = ["roles", "schema", "extensions", "tables", "types", "functions", "indexes", "privileges"]

/** They name each other, but only when they are called. */
const install = async (pool: Pool): Promise<void> => {
  for (const folder of folders) {
    const path = join(files, folder)
    for (const file of readdirSync(path).filter((file) => file !== "views.sql")) {
      await pool.query(readFileSync(join(path, file), "utf8"))
    }
  }
}

const write = {
  name: "write",
  text: "SELECT message_store.write_message(gen_random_uuid()::varchar, $1, 'EntryBooked', $2::jsonb, NULL, $3::bigint)"
}
const read = {
  name: "read",
  text: "SELECT position, data FROM message_store.get_stream_messages($1, $2::bigint, 1000)"
}
const pageLength = 1_000

/** Versions are counted from 0 there. */
const streamOf = (id: string): string => `ledger-${id}`

const load = async (pool: Pool, id: string): Promise<Loaded> => {
  let [ledger, version]: [Ledger, number] = [initial, 0]
  while (true) {
    const { rows } = await pool.query<{ data: string }>({ ...read, values: [streamOf(id), version] })
    for (const { data } of rows) ledger = evolve(ledger, JSON.parse(data) as Entry)
    version += rows.length
    if (rows.length < pageLength) return { ledger, version }
  }
}

const writeOne = (client: Pool | PoolClient, id: string, entry: Entry, version: number) =>
  client.query({ ...write, values: [streamOf(id), JSON.stringify(entry), version - 1] })

const book = (pool: Pool) => async ({ entry, id }: Booking): Promise<number> => {
  const { ledger, version } = await load(pool, id)
  if (!mayBook(ledger, entry)) throw new BookingRefused(id)
  await writeOne(pool, id, entry, version)
  return evolve(ledger, entry).balanceCents
}

const append = (pool: Pool) => async ({ count, first, id, version }: Batch): Promise<void> => {
  if (count === 1) return void await writeOne(pool, id, entryOf(first), version)
  const client = await pool.connect()
  try {
    await client.query("BEGIN")
    for (let index = 0; index < count; index++) await writeOne(client, id, entryOf(first + index), version + index)
    await client.query("COMMIT")
  } finally {
    client.release()
  }
}

/** Not measured, so not by its function, whose lock admits one writer at a time. */
const seedText = `INSERT INTO message_store.messages (stream_name, position, type, data)
  SELECT s.name, e.number - 1, 'EntryBooked', e.data FROM unnest($1::text[]) s(name),
    unnest($2::jsonb[]) WITH ORDINALITY e(data, number)`

/** Opens message-db in a database of its own. */
export const open: Open = async ({ store, url }): Promise<World> => {
  if (store !== "postgres") throw new Error("message-db is for PostgreSQL only")
  // Its functions find each other and their table by the search path, as its manual says.
  const pool = new Pool({ connectionString: url, max: 10, options: "-c search_path=message_store,public" })
  await install(pool)
  return {
    warms: false,
    seed: async (ids, length) => {
      const data = Array.from({ length }, (_, number) => JSON.stringify(entryOf(number)))
      await pool.query(seedText, [ids.map(streamOf), data])
    },
    carryOut: (callers, next) => callPromises(callers, next, book(pool)),
    append: (callers, next) => callPromises(callers, next, append(pool)),
    load: (id) => load(pool, id),
    count: async () => {
      const { rows } = await pool.query<{ count: number }>(
        "SELECT count(*)::int AS count FROM message_store.messages"
      )
      return rows[0]!.count
    },
    // It holds no state between commands.
    restart: async () => {},
    close: () => pool.end()
  }
}
