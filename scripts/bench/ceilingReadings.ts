/**
 * The limit of reading on SQLite: pages of a thousand read, parsed and counted, and a checkpoint with each; no schema, no
 * document, nobody else.
 */
import { DatabaseSync } from "node:sqlite"
import { type Entry, entryOf, evolve, initial } from "./ledger.ts"
import type { OpenReadings, Readings } from "./Readings.ts"

const pageEvents = 1_000

/** Opens the limit on a file of its own. */
export const open: OpenReadings = async ({ filename, store }): Promise<Readings> => {
  if (store !== "sqlite") throw new Error("this limit is that of SQLite")
  const database = new DatabaseSync(filename)
  database.exec(`PRAGMA journal_mode = WAL; PRAGMA synchronous = FULL;
    CREATE TABLE events (position INTEGER PRIMARY KEY, stream TEXT NOT NULL, version INTEGER NOT NULL,
      type TEXT NOT NULL, data TEXT NOT NULL, UNIQUE (stream, version)) STRICT;
    CREATE TABLE checkpoint (position INTEGER NOT NULL) STRICT;
    INSERT INTO checkpoint VALUES (0)`)
  const insert = database.prepare("INSERT INTO events (stream, version, type, data) VALUES (?, ?, 'EntryBooked', ?)")
  const select = database.prepare(
    "SELECT position, stream, version, type, data FROM events WHERE position > ? ORDER BY position LIMIT ?"
  )
  const set = database.prepare("UPDATE checkpoint SET position = ?")
  return {
    seed: async (ids, length) => {
      database.exec("BEGIN IMMEDIATE")
      for (const id of ids) {
        for (let number = 0; number < length; number++) insert.run(id, number + 1, JSON.stringify(entryOf(number)))
      }
      database.exec("COMMIT")
    },
    catchUp: async (_, count) => {
      let ledger = initial
      for (let after = 0; after < count; after += pageEvents) {
        for (const { data } of select.all(after, pageEvents)) ledger = evolve(ledger, JSON.parse(String(data)) as Entry)
        set.run(after + pageEvents)
      }
      return async () => new Map([["", ledger]])
    },
    watch: () => Promise.reject(new Error("nobody is told")),
    append: () => Promise.reject(new Error("nobody is told")),
    close: async () => database.close()
  }
}
