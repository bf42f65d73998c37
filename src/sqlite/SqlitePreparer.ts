/**
 * How the SQLite stores prepare their statements, and name what they look for.
 */
import type { DatabaseSync, SQLInputValue } from "node:sqlite"

/** The ways to prepare a statement, by what it answers. */
export type Preparer = ReturnType<typeof prepareWith>

/** Those of an open file. */
export const prepareWith = (database: DatabaseSync) => ({
  one: <Row>(text: string) => {
    const statement = database.prepare(text)
    return (...parameters: ReadonlyArray<SQLInputValue>) => statement.get(...parameters) as Row | undefined
  },
  all: <Row>(text: string) => {
    const statement = database.prepare(text)
    return (...parameters: ReadonlyArray<SQLInputValue>) => statement.all(...parameters) as Array<Row>
  },
  /** Rows as arrays: the engine makes no names for each, which is most of the cost of a long stream. */
  arrays: <Row>(text: string) => {
    const statement = database.prepare(text)
    statement.setReturnArrays(true)
    return (...parameters: ReadonlyArray<SQLInputValue>) => {
      const rows: ReadonlyArray<unknown> = statement.all(...parameters)
      return rows as ReadonlyArray<Row>
    }
  },
  /** The first column of one row. */
  value: <Value>(text: string) => {
    const statement = database.prepare(text)
    statement.setReturnArrays(true)
    return (...parameters: ReadonlyArray<SQLInputValue>) => {
      const row: unknown = statement.get(...parameters)
      return (row as ReadonlyArray<Value> | undefined)?.[0]
    }
  },
  run: (text: string) => {
    const statement = database.prepare(text)
    return (...parameters: ReadonlyArray<SQLInputValue>) => Number(statement.run(...parameters).changes)
  }
})

/** The engine would read a lone surrogate as U+FFFD, and so find another's rows; NULL finds none. */
export const nameOf = (name: string): string | null => name.isWellFormed() ? name : null
