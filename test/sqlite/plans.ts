/**
 * What SQLite plans to do for the statements of the stores.
 */
import type { DatabaseSync } from "node:sqlite"

/** A statement and the engine's steps. */
export interface Plan {
  readonly text: string
  readonly steps: ReadonlyArray<string>
}

/** The plans of all statements that are prepared meanwhile. */
export const planned = (database: DatabaseSync, prepare: (recorded: DatabaseSync) => unknown): ReadonlyArray<Plan> => {
  const texts: Array<string> = []
  prepare(
    new Proxy(database, {
      get: (target, key) =>
        key === "prepare"
          ? (text: string) => {
            texts.push(text)
            return target.prepare(text)
          }
          : Reflect.get(target, key)
    })
  )
  return texts.map((text) => ({
    text,
    steps: database.prepare(`EXPLAIN QUERY PLAN ${text}`).all().map(({ detail }) => String(detail))
  }))
}
