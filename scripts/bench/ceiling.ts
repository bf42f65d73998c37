/**
 * The bare ceiling: what is left when everything is taken away that makes a runtime. The state is in a Map, nothing is
 * validated, nobody else can write, nothing is remembered of a command. On SQLite one transaction for all that was
 * decided while the last one ran; in memory a push onto an array.
 */
import { DatabaseSync } from "node:sqlite"
import { BookingRefused, type Entry, entryOf, evolve, initial, type Ledger, mayBook } from "./ledger.ts"
import { type Booking, callPromises, type Loaded, type Open, type Setting, type World } from "./World.ts"

/** A ledger in memory: decided on at once, written soon. */
interface Live {
  ledger: Ledger
  version: number
}

/** Where entries go; the promise is kept when they are durable. */
interface Log {
  readonly append: (id: string, version: number, entry: Entry) => Promise<void> | void
  readonly seed: (id: string, entries: ReadonlyArray<Entry>) => void
  readonly read: (id: string) => Iterable<Entry>
  readonly count: () => number
  readonly close: () => void
}

const memoryLog = (): Log => {
  const streams = new Map<string, Array<Entry>>()
  const streamOf = (id: string) => {
    const known = streams.get(id)
    if (known !== undefined) return known
    const made: Array<Entry> = []
    streams.set(id, made)
    return made
  }
  return {
    append: (id, _, entry) => {
      streamOf(id).push(entry)
    },
    seed: (id, entries) => void streamOf(id).push(...entries),
    read: streamOf,
    count: () => Array.from(streams.values(), ({ length }) => length).reduce((sum, length) => sum + length, 0),
    close: () => {}
  }
}

const sqliteLog = ({ filename, ungrouped = false }: Setting): Log => {
  const database = new DatabaseSync(filename)
  database.exec(`PRAGMA journal_mode = WAL; PRAGMA synchronous = FULL;
    CREATE TABLE events (position INTEGER PRIMARY KEY, stream TEXT NOT NULL, version INTEGER NOT NULL,
      type TEXT NOT NULL, data TEXT NOT NULL, UNIQUE (stream, version)) STRICT`)
  const insert = database.prepare("INSERT INTO events (stream, version, type, data) VALUES (?, ?, 'EntryBooked', ?)")
  const select = database.prepare("SELECT data FROM events WHERE stream = ? ORDER BY version")
  const count = database.prepare("SELECT count(*) AS count FROM events")
  const inTransaction = (work: () => void) => {
    database.exec("BEGIN IMMEDIATE")
    work()
    database.exec("COMMIT")
  }
  return {
    append: ungrouped
      ? (id, version, entry) => void insert.run(id, version, JSON.stringify(entry))
      : grouped((group) =>
        inTransaction(() => {
          for (const { entry, id, version } of group) insert.run(id, version, JSON.stringify(entry))
        })
      ),
    seed: (id, entries) =>
      inTransaction(() => entries.forEach((entry, index) => insert.run(id, index + 1, JSON.stringify(entry)))),
    read: (id) => select.all(id).map(({ data }) => JSON.parse(String(data)) as Entry),
    count: () => Number(count.get()!.count),
    close: () => database.close()
  }
}

interface Waiting {
  readonly id: string
  readonly version: number
  readonly entry: Entry
}

/** Everything that is handed in within one turn of the event loop is one group. */
const grouped = (write: (group: ReadonlyArray<Waiting>) => void): Log["append"] => {
  let group: Array<Waiting> = []
  let written = Promise.withResolvers<void>()
  const flush = () => {
    const [taken, { reject, resolve }] = [group, written]
    group = []
    written = Promise.withResolvers()
    try {
      write(taken)
      resolve()
    } catch (error) {
      reject(error)
    }
  }
  return (id, version, entry) => {
    if (group.length === 0) setImmediate(flush)
    group.push({ id, version, entry })
    return written.promise
  }
}

const load = (log: Log, id: string): Loaded => {
  let ledger = initial
  for (const entry of log.read(id)) ledger = evolve(ledger, entry)
  return { ledger, version: ledger.entries }
}

/** Opens the ceiling; ungrouped it is one autocommit insert after the other. */
export const open: Open = async (setting): Promise<World> => {
  const log = setting.store === "memory" ? memoryLog() : sqliteLog(setting)
  const live = new Map<string, Live>()
  const liveOf = (id: string): Live => {
    const known = live.get(id)
    if (known !== undefined) return known
    const made = load(log, id)
    live.set(id, made)
    return made
  }
  const book = async ({ entry, id }: Booking): Promise<number> => {
    const account = liveOf(id)
    if (!mayBook(account.ledger, entry)) throw new BookingRefused(id)
    account.ledger = evolve(account.ledger, entry)
    account.version++
    const { balanceCents } = account.ledger
    const written = log.append(id, account.version, entry)
    if (written !== undefined) await written
    return balanceCents
  }
  return {
    warms: true,
    seed: async (ids, length) => {
      const entries = Array.from({ length }, (_, number) => entryOf(number))
      for (const id of ids) log.seed(id, entries)
    },
    carryOut: (callers, next) => callPromises(callers, next, book),
    load: async (id) => load(log, id),
    count: async () => log.count(),
    restart: async () => live.clear(),
    close: async () => log.close()
  }
}
