/**
 * The bare ceiling on PostgreSQL: what is left when everything is taken away that makes a runtime. The state is in a
 * Map, nothing is validated, nobody else can write, nothing is remembered of a command. On one connection of `pg`, one
 * prepared insert of all that was decided while the one before ran; ungrouped, a prepared insert of one row for each.
 */
import { Client } from "pg"
import { BookingRefused, type Entry, entryOf, evolve, initial, type Ledger, mayBook } from "../ledger.ts"
import { type Batch, type Booking, callPromises, type Loaded, type Open, type World } from "../World.ts"

const table = `CREATE TABLE events (position bigint GENERATED ALWAYS AS IDENTITY PRIMARY KEY,
  stream text COLLATE "C" NOT NULL, version int NOT NULL, type text COLLATE "C" NOT NULL, data json NOT NULL,
  UNIQUE (stream, version))`
const insertOne = {
  name: "one",
  text: "INSERT INTO events (stream, version, type, data) VALUES ($1, $2, 'EntryBooked', $3)"
}
const insertGroup = {
  name: "group",
  text: `INSERT INTO events (stream, version, type, data)
    SELECT g.stream, g.version, 'EntryBooked', g.data::json FROM unnest($1::text[], $2::int[], $3::text[])
    g(stream, version, data)`
}
const select = { name: "select", text: "SELECT data::text AS data FROM events WHERE stream = $1 ORDER BY version" }
const seedText = `INSERT INTO events (stream, version, type, data)
  SELECT s.id, e.number, 'EntryBooked', e.data::json FROM unnest($1::text[]) s(id),
    unnest($2::text[]) WITH ORDINALITY e(data, number)`

interface Row {
  readonly id: string
  readonly version: number
  readonly data: string
}

/** Everything that is handed in while a group is being written is the next one. */
const grouped = (client: Client) => {
  let waiting: Array<Row> = []
  let written = Promise.withResolvers<void>()
  let isWriting = false
  const writeAll = async () => {
    isWriting = true
    while (waiting.length > 0) {
      const [rows, { reject, resolve }] = [waiting, written]
      waiting = []
      written = Promise.withResolvers()
      const values = [rows.map(({ id }) => id), rows.map(({ version }) => version), rows.map(({ data }) => data)]
      await client.query({ ...insertGroup, values }).then(() => resolve(), reject)
    }
    isWriting = false
  }
  return (rows: ReadonlyArray<Row>): Promise<void> => {
    waiting.push(...rows)
    const { promise } = written
    // Whoever is ready in this turn of the event loop comes along.
    if (!isWriting) {
      isWriting = true
      setImmediate(writeAll)
    }
    return promise
  }
}

const rowOf = (id: string, version: number, entry: Entry): Row => ({ id, version, data: JSON.stringify(entry) })

interface Live {
  ledger: Ledger
  version: number
}

/** Opens the ceiling in a database of its own. */
export const open: Open = async ({ store, ungrouped = false, url }): Promise<World> => {
  if (store !== "postgres") throw new Error("this ceiling is that of PostgreSQL")
  const client = new Client({ connectionString: url })
  await client.connect()
  await client.query(table)
  const together = grouped(client)
  const alone = async ([row]: ReadonlyArray<Row>) => {
    await client.query({ ...insertOne, values: [row!.id, row!.version, row!.data] })
  }
  const write = ungrouped ? alone : together
  const live = new Map<string, Live>()
  const load = async (id: string): Promise<Loaded> => {
    const { rows } = await client.query<{ data: string }>({ ...select, values: [id] })
    let ledger = initial
    for (const { data } of rows) ledger = evolve(ledger, JSON.parse(data) as Entry)
    return { ledger, version: rows.length }
  }
  const liveOf = async (id: string): Promise<Live> => {
    const { ledger, version } = await load(id)
    const made = live.get(id) ?? { ledger, version }
    live.set(id, made)
    return made
  }
  const book = async ({ entry, id }: Booking): Promise<number> => {
    const account = live.get(id) ?? await liveOf(id)
    if (!mayBook(account.ledger, entry)) throw new BookingRefused(id)
    account.ledger = evolve(account.ledger, entry)
    account.version++
    const { balanceCents } = account.ledger
    await write([rowOf(id, account.version, entry)])
    return balanceCents
  }
  const append = ({ count, first, id, version }: Batch) =>
    together(Array.from({ length: count }, (_, index) => rowOf(id, version + index + 1, entryOf(first + index))))
  return {
    warms: true,
    seed: async (ids, length) => {
      const data = Array.from({ length }, (_, number) => JSON.stringify(entryOf(number)))
      await client.query(seedText, [ids, data])
    },
    carryOut: (callers, next) => callPromises(callers, next, book),
    append: (callers, next) => callPromises(callers, next, append),
    load,
    count: async () => {
      const { rows } = await client.query<{ count: number }>("SELECT count(*)::int AS count FROM events")
      return rows[0]!.count
    },
    restart: async () => live.clear(),
    close: () => client.end()
  }
}
