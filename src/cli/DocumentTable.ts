/**
 * Documents as people read them: a line each, a column for each of their fields.
 */
import { isPlainObject } from "../internal/json.ts"
import * as Table from "./Table.ts"

/** A document with its key. */
export interface Document {
  readonly key: string
  /** As JSON has it. */
  readonly document: unknown
}

/** How wide a cell is at most, in a terminal and where there is none: one long key must not move all others out of sight. */
const cellMax = { terminal: 40, elsewhere: 100 }

/** The table: long cells are cut, and if the width of a terminal is given, lines that do not fit. JSON has all of it. */
export const format = (documents: ReadonlyArray<Document>, columns: number | undefined): string => {
  const rows = documents.map(({ document, key }) => ({
    key,
    fields: isPlainObject(document) ? document : { document }
  }))
  const names = [...new Set(rows.flatMap(({ fields }) => Object.keys(fields)))]
  const isNumeric = (name: string) => {
    const values = rows.map(({ fields }) => fields[name] ?? undefined).filter((value) => value !== undefined)
    return values.length > 0 && values.every((value) => typeof value === "number")
  }
  const cut = (text: string) => Table.cut(text, columns === undefined ? cellMax.elsewhere : cellMax.terminal)
  const table = Table.format(
    [{ title: "KEY" }, ...names.map((name) => ({ title: name, right: isNumeric(name) }))],
    rows.map(({ fields, key }) => [cut(Table.plain(key)), ...names.map((name) => cut(cell(fields[name])))])
  )
  return columns === undefined ? table : table.split("\n").map((line) => Table.cut(line, columns)).join("\n")
}

const cell = (value: unknown): string => {
  if (value === undefined || value === null) return "–"
  return typeof value === "string" ? Table.plain(value) : Table.plain(JSON.stringify(value))
}
