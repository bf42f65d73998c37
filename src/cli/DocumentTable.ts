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

const cellMax = 40

/** The table; if the width of a terminal is given, what does not fit is cut. */
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
  const cut = (text: string, max: number) => (columns === undefined ? text : Table.cut(text, max))
  const table = Table.format(
    [{ title: "KEY" }, ...names.map((name) => ({ title: name, right: isNumeric(name) }))],
    rows.map(({ fields, key }) => [Table.plain(key), ...names.map((name) => cut(cell(fields[name]), cellMax))])
  )
  return table.split("\n").map((line) => cut(line, columns ?? 0)).join("\n")
}

const cell = (value: unknown): string => {
  if (value === undefined || value === null) return "–"
  return typeof value === "string" ? Table.plain(value) : Table.plain(JSON.stringify(value))
}
