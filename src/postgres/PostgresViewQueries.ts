/**
 * Queries of views as statements, one for each shape: what is compared and how it is put in order stands in the text, so
 * that the server finds it by an index.
 */
import type * as PgTypes from "@effect/sql-pg/PgTypes"
import { type Condition, noRoom, type PlannedQuery } from "../internal/documents.ts"
import type { FieldType, FieldValue, ViewId, ViewIndex } from "../ViewStore.ts"
import * as Rows from "./PostgresRows.ts"
import { type Statement, statement } from "./PostgresStatements.ts"
import { beginOf, type Field, fieldOf, isLong, quoted } from "./PostgresViewStatements.ts"

/** Which table, and the columns that it has. */
export interface Room {
  readonly schema: string
  readonly view: ViewId
  readonly columns: ReadonlySet<string>
}

/** A statement with what it is to be given. */
export interface Prepared {
  readonly statement: Statement
  readonly parameters: ReadonlyArray<PgTypes.Parameter>
}

/** Counts documents. */
export const count = (room: Room, query: PlannedQuery): Prepared => {
  const values = new Values(room, query)
  const text = `SELECT count(*) FROM ${tableOf(room)} d WHERE ${conditionsOf(query, values).join(" AND ")}`
  const asked = { operation: "count", absent: noRoom(room.view) }
  return { statement: statement("countDocuments", text, asked), parameters: values.all }
}

/** Lists documents. Where an order has several parts, each is read by its index, and no more of it than is asked for. */
export const list = (room: Room, query: PlannedQuery): Prepared => {
  const values = new Values(room, query)
  const limit = `LIMIT ${values.add(Rows.limit(query.limit))}`
  const where = conditionsOf(query, values)
  const select = ({ conditions, number, order, value }: Part) =>
    `SELECT ${number} AS part, ${value} AS value, d.key, d.revision, d.document::text AS document
FROM ${tableOf(room)} d WHERE ${[...where, ...conditions].join(" AND ")} ORDER BY ${order} ${limit}`
  const parts = partsOf(query, values)
  const direction = directionOf(query)
  const text = parts.length === 1
    ? select(parts[0]!)
    : `SELECT * FROM (${parts.map((part) => `(${select(part)})`).join("\nUNION ALL\n")}) d
ORDER BY d.part, d.value ${direction}, d.key ${direction} ${limit}`
  const asked = { operation: "list", absent: noRoom(room.view) }
  return { statement: statement("listDocuments", text, asked), parameters: values.all }
}

const tableOf = ({ schema, view }: Room): string => quoted(schema, view)

/** The values of a statement, in the order of their numbers, and the fields that it names. The tenant is the first. */
class Values {
  readonly all: Array<PgTypes.Parameter>
  readonly room: Room

  constructor(room: Room, { tenant }: PlannedQuery) {
    this.all = [Rows.name(tenant)]
    this.room = room
  }

  /** Adds one, and answers how the text names it. */
  add(value: PgTypes.Parameter): string {
    return `$${this.all.push(value)}`
  }

  /** Adds what a field is compared with. */
  addValue(type: FieldType, value: FieldValue): string {
    return this.add(Rows.field(type, value))
  }

  /** Adds a bound among keys. */
  addKey(key: string): string {
    return this.add(Rows.bound(key))
  }

  field(index: ViewIndex): Field {
    return fieldOf(this.room.schema, this.room.columns, index)
  }
}

const conditionsOf = ({ where }: PlannedQuery, values: Values): ReadonlyArray<string> => [
  "d.tenant = $1",
  ...where.flatMap((condition) => conditionOf(condition, values))
]

const conditionOf = (condition: Condition, values: Values): ReadonlyArray<string> => {
  const { equals, type } = condition
  const { column, text } = values.field(condition)
  if (equals === null) return [`${column} IS NULL`, ...isShort(text)]
  if (text === undefined || !isLong(equals)) return [`${column} = ${values.addValue(type, equals)}`, ...isShort(text)]
  const begin = `${column} = ${values.addValue(type, beginOf(equals))}`
  return [begin, text.isLong, `${text.whole} = ${values.addValue(type, equals)}`]
}

/** What makes the index of texts that are not long the one to use. */
const isShort = (text: Field["text"]): ReadonlyArray<string> => text === undefined ? [] : [text.isShort]

// ── Orders

/** A part of an order that is found in the order of an index. Parts of one number are put in order together. */
interface Part {
  readonly number: number
  readonly value: string
  readonly conditions: ReadonlyArray<string>
  readonly order: string
}

const directionOf = ({ descending }: PlannedQuery): string => descending ? "DESC" : "ASC"

/** What comes after a document: those with a value, long texts apart from others, and then those without. */
const partsOf = (query: PlannedQuery, values: Values): ReadonlyArray<Part> => {
  const { after, orderBy } = query
  if (orderBy === undefined) return [byKey(query, values)]
  const field = values.field(orderBy)
  const rest = (conditions: ReadonlyArray<string>) => without(field, query, conditions)
  if (after === undefined) {
    const valued = part(field, query, [`${field.column} IS NOT NULL`, ...isShort(field.text)])
    return [valued, ...longParts(field, query, []), rest([])]
  }
  const beyond = query.descending ? "<" : ">"
  const key = values.addKey(after.key)
  if (after.value === null) return [rest([`d.key ${beyond} ${key}`])]
  const value = values.addValue(orderBy.type, after.value)
  const behind = (column: string) => `(${column}, d.key) ${beyond} (${value}, ${key})`
  if (field.text === undefined) return [part(field, query, [behind(field.column)]), rest([])]
  const begin = values.addValue("text", beginOf(after.value))
  // A text that is not long stands before all long ones that begin with it.
  const short = isLong(after.value) ? `${field.column} ${query.descending ? "<=" : ">"} ${begin}` : behind(field.column)
  const long = [`${field.column} ${beyond}= ${begin}`, behind(field.text.whole)]
  return [part(field, query, [short, field.text.isShort]), ...longParts(field, query, long), rest([])]
}

/** An index of a field that must be null is in the order of keys only behind the null. */
const byKey = ({ after, where }: PlannedQuery, values: Values): Part => {
  const absent = where.find(({ equals }) => equals === null)
  const order = absent === undefined ? "d.key" : `${values.field(absent).column}, d.key`
  const conditions = after === undefined ? [] : [`d.key > ${values.addKey(after.key)}`]
  return { number: 0, value: "NULL", conditions, order }
}

const part = ({ column }: Field, query: PlannedQuery, conditions: ReadonlyArray<string>): Part => {
  const direction = directionOf(query)
  return { number: 0, value: column, conditions, order: `${column} ${direction}, d.key ${direction}` }
}

/** Long texts are found by their beginnings, and put in order as a whole. */
const longParts = (
  { column, text }: Field,
  query: PlannedQuery,
  conditions: ReadonlyArray<string>
): ReadonlyArray<Part> => {
  if (text === undefined) return []
  const direction = directionOf(query)
  const order = `${column} ${direction}, ${text.whole} ${direction}, d.key ${direction}`
  return [{ number: 0, value: text.whole, conditions: [text.isLong, ...conditions], order }]
}

/** They are in the order of a column that is null in all of them, since that is the order of the index. */
const without = (field: Field, query: PlannedQuery, conditions: ReadonlyArray<string>): Part => ({
  ...part(field, query, [`${field.column} IS NULL`, ...isShort(field.text), ...conditions]),
  number: 1,
  value: "NULL"
})
