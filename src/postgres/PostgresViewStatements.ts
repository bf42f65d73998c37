/**
 * The table of one version of a view, and the statements on it: each name has a table, so each has statements of its own.
 *
 * Documents are `json`: they come back as they were given. What may be asked for stands beside them in columns that the
 * server fills, since a tenant's reader (see `PostgresTenants`) could not use an index of an expression.
 */
import type * as PgTypes from "@effect/sql-pg/PgTypes"
import { type Condition, noRoom, type PlannedQuery } from "../internal/documents.ts"
import type { FieldType, FieldValue, ViewDefinition, ViewId, ViewIndex } from "../ViewStore.ts"
import * as Rows from "./PostgresRows.ts"
import { type Statement, statement } from "./PostgresStatements.ts"
import * as PostgresTenants from "./PostgresTenants.ts"

/** The name of its table. No name of a view holds `_`, so no two views share one. */
const tableOf = ({ name, version }: ViewId): string => `view_${name.replaceAll("-", "_")}_${version}`

/** The columns that its indexes need, by their names, which stand for field and type. */
export const columnsOf = ({ indexes }: ViewDefinition): ReadonlyMap<string, ViewIndex> =>
  new Map(indexes.map((index) => [columnOf(index), index]))

const columnOf = ({ field, type }: ViewIndex): string => `${type}_${field}`

/**
 * How much of a text is in an index, in characters: with the tenant and the key no more than an index can hold. Longer
 * ones are rare; they have an index of their own, and are compared as a whole once it has found them. A column holds
 * one character more, so that it tells which is which.
 */
const indexedMax = 150

/** Makes the table. */
export const createTable = (schema: string, view: ViewId): string =>
  `CREATE TABLE IF NOT EXISTS ${quoted(schema, view)} (
  tenant text COLLATE "C" NOT NULL,
  key text COLLATE "C" NOT NULL,
  revision int NOT NULL,
  document json NOT NULL,
  PRIMARY KEY (tenant, key)
)`

/** Makes the column of a field, and its index; both at once, so where there is the one there is the other. */
export const createIndex = (schema: string, view: ViewId, index: ViewIndex): ReadonlyArray<string> => {
  const table = quoted(schema, view)
  const column = `"${columnOf(index)}"`
  const value = valueOf(schema, index, "document")
  const isText = index.type === "text"
  const held = isText ? `left(${value}, ${indexedMax + 1})` : value
  const indexed = `CREATE INDEX ON ${table} (tenant, ${column}, key)`
  return [
    `ALTER TABLE ${table} ADD COLUMN ${column} ${sqlTypes[index.type]} GENERATED ALWAYS AS (${held}) STORED`,
    ...(isText ? [`${indexed} WHERE ${shortOf(column)}`, `${indexed} WHERE ${longOf(column)}`] : [indexed])
  ]
}

const shortOf = (column: string): string => `coalesce(char_length(${column}), 0) <= ${indexedMax}`
const longOf = (column: string): string => `char_length(${column}) > ${indexedMax}`

/** Lets a tenant's readers see their part of it. */
export const guard = (schema: string, view: ViewId, roles: ReadonlyArray<string>): ReadonlyArray<string> =>
  PostgresTenants.guard(quoted(schema, view), roles)

const quoted = (schema: string, view: ViewId): string => `"${schema}"."${tableOf(view)}"`

const sqlTypes: Readonly<Record<FieldType, string>> = {
  text: `text COLLATE "C"`,
  number: "float8",
  boolean: "boolean"
}

/** What a field counts as; see `PostgresFunctions.fields`. */
const valueOf = (schema: string, { field, type }: ViewIndex, document: string): string =>
  `"${schema}".${type}_v1(${document} -> '${field}')`

/** The whole text of a field. */
const wholeOf = (schema: string, index: ViewIndex): string => `${valueOf(schema, index, "d.document")} COLLATE "C"`

const isLong = (text: FieldValue): boolean =>
  typeof text === "string" && text.length > indexedMax && Array.from(text).length > indexedMax

const beginOf = (text: FieldValue): FieldValue =>
  typeof text === "string" ? Array.from(text).slice(0, indexedMax + 1).join("") : text

/** Which columns its table has; no row where there is none. */
export const columns = (schema: string, view: ViewId): Statement =>
  statement(
    "viewColumns",
    `SELECT attname::text FROM pg_attribute
WHERE attrelid = to_regclass('${quoted(schema, view)}') AND attnum > 0 AND NOT attisdropped`
  )

/** The statements on the documents of a version of a view. */
export const make = (schema: string, view: ViewId) => {
  const table = quoted(schema, view)
  const absent = noRoom(view)
  return {
    read: statement(
      "readDocuments",
      `SELECT d.key, d.revision, d.document, k.tenant FROM unnest($1::text[], $2::text[]) k(tenant, key)
CROSS JOIN LATERAL (SELECT d.key, d.revision, d.document::text FROM ${table} d
  WHERE d.tenant = k.tenant AND d.key = k.key LIMIT 1) d`,
      absent
    ),
    write: statement(
      "writeDocuments",
      `WITH c AS MATERIALIZED (SELECT * FROM unnest($1::text[], $2::text[], $3::text[]) c(tenant, key, document)),
deleted AS (DELETE FROM ${table} d USING c WHERE c.document IS NULL AND d.tenant = c.tenant AND d.key = c.key)
INSERT INTO ${table} AS d (tenant, key, revision, document)
SELECT c.tenant, c.key, 1, c.document::json FROM c WHERE c.document IS NOT NULL
ON CONFLICT (tenant, key) DO UPDATE SET revision = d.revision + 1, document = excluded.document`,
      absent
    ),
    clear: statement("clearDocuments", `DELETE FROM ${table}`, absent),
    drop: statement("dropView", `DROP TABLE IF EXISTS ${table}`)
  }
}

/** A statement with what it is to be given. */
export interface Prepared {
  readonly statement: Statement
  readonly parameters: ReadonlyArray<PgTypes.Parameter>
}

/**
 * Lists documents. Where an order has parts, those with a value and then those without, each is read by the index.
 * Those without are in the order of a column that is null in all of them, since that is the order of the index.
 */
export const list = (schema: string, view: ViewId, query: PlannedQuery): Prepared => {
  const values = new Values(query)
  const { after, limit, orderBy } = query
  const end = `LIMIT ${values.add(Rows.limit(limit))}`
  const where = conditionsOf(schema, query, values)
  const select = ({ conditions, number, order, value }: Part) =>
    `SELECT ${number} AS part, ${value} AS value, d.key, d.revision, d.document::text AS document
FROM ${quoted(schema, view)} d WHERE ${[...where, ...conditions].join(" AND ")} ORDER BY ${order} ${end}`

  const text = (): string => {
    if (orderBy === undefined) {
      const absent = query.where.find(({ equals }) => equals === null)
      const order = absent === undefined ? "d.key" : `d."${columnOf(absent)}", d.key`
      const conditions = after ? [`d.key > ${values.add(Rows.bound(after.key))}`] : []
      return select({ number: 0, value: "NULL", conditions, order })
    }
    const parts = partsOf(schema, orderBy, query, values)
    if (parts.length === 1) return select(parts[0]!)
    const direction = directionOf(query)
    return `SELECT * FROM (${parts.map((part) => `(${select(part)})`).join("\nUNION ALL\n")}) d
ORDER BY d.part, d.value ${direction}, d.key ${direction} ${end}`
  }
  return { statement: statement("listDocuments", text(), noRoom(view)), parameters: values.all }
}

/** A part of an order that is found in the order of an index. */
interface Part {
  readonly number: number
  readonly value: string
  readonly conditions: ReadonlyArray<string>
  readonly order: string
}

const directionOf = ({ descending }: PlannedQuery): string => descending ? "DESC" : "ASC"

/** What comes after a document, in the order of a field. */
const partsOf = (
  schema: string,
  index: ViewIndex,
  query: PlannedQuery,
  values: Values
): ReadonlyArray<Part> => {
  const { after, descending } = query
  const [column, direction, beyond] = [`d."${columnOf(index)}"`, directionOf(query), descending ? "<" : ">"]
  const order = `${column} ${direction}, d.key ${direction}`
  const without = (conditions: ReadonlyArray<string>): Part => ({
    number: 1,
    value: "NULL",
    conditions: [`${column} IS NULL`, ...isShort(index), ...conditions],
    order
  })
  if (after?.value === null) return [without([`d.key ${beyond} ${values.add(Rows.bound(after.key))}`])]
  if (after === undefined) {
    const valued = { number: 0, value: column, conditions: [`${column} IS NOT NULL`, ...isShort(index)], order }
    return [valued, ...longParts(schema, index, query, []), without([])]
  }
  const [value, key] = [values.field(index.type, after.value), values.add(Rows.bound(after.key))]
  const behind = `(${column}, d.key) ${beyond} (${value}, ${key})`
  if (index.type !== "text") return [{ number: 0, value: column, conditions: [behind], order }, without([])]
  const begin = values.field("text", beginOf(after.value))
  // A text that is no longer than its column stands before all longer ones that begin with it.
  const short = isLong(after.value) ? `${column} ${descending ? "<=" : ">"} ${begin}` : behind
  const long = [`${column} ${beyond}= ${begin}`, `(${wholeOf(schema, index)}, d.key) ${beyond} (${value}, ${key})`]
  return [
    { number: 0, value: column, conditions: [short, ...isShort(index)], order },
    ...longParts(schema, index, query, long),
    without([])
  ]
}

/** Long texts are found by their beginnings, and put in order as a whole. */
const longParts = (
  schema: string,
  index: ViewIndex,
  query: PlannedQuery,
  conditions: ReadonlyArray<string>
): ReadonlyArray<Part> => {
  if (index.type !== "text") return []
  const [column, direction, whole] = [`d."${columnOf(index)}"`, directionOf(query), wholeOf(schema, index)]
  return [{
    number: 0,
    value: whole,
    conditions: [longOf(column), ...conditions],
    order: `${column} ${direction}, ${whole} ${direction}, d.key ${direction}`
  }]
}

/** What makes the index of texts that are not long the one to use. */
const isShort = (index: ViewIndex): ReadonlyArray<string> =>
  index.type === "text" ? [shortOf(`d."${columnOf(index)}"`)] : []

/** Counts documents. */
export const count = (schema: string, view: ViewId, query: PlannedQuery): Prepared => {
  const values = new Values(query)
  const text = `SELECT count(*) FROM ${quoted(schema, view)} d WHERE ${
    conditionsOf(schema, query, values).join(" AND ")
  }`
  return { statement: statement("countDocuments", text, noRoom(view)), parameters: values.all }
}

/** The values of a statement, in the order of their numbers. The tenant is the first. */
class Values {
  readonly all: Array<PgTypes.Parameter>

  constructor({ tenant }: PlannedQuery) {
    this.all = [Rows.name(tenant)]
  }

  /** Adds one, and answers how the text names it. */
  add(value: PgTypes.Parameter): string {
    return `$${this.all.push(value)}`
  }

  /** Adds the value of a field. */
  field(type: FieldType, value: FieldValue): string {
    return this.add(Rows.field(type, value))
  }
}

const conditionsOf = (schema: string, { where }: PlannedQuery, values: Values): ReadonlyArray<string> => [
  "d.tenant = $1",
  ...where.flatMap((condition) => conditionOf(schema, condition, values))
]

const conditionOf = (schema: string, condition: Condition, values: Values): ReadonlyArray<string> => {
  const { equals, type } = condition
  const column = `d."${columnOf(condition)}"`
  if (equals === null) return [`${column} IS NULL`, ...isShort(condition)]
  if (!isLong(equals)) return [`${column} = ${values.field(type, equals)}`, ...isShort(condition)]
  return [
    `${column} = ${values.field(type, beginOf(equals))}`,
    longOf(column),
    `${wholeOf(schema, condition)} = ${values.field(type, equals)}`
  ]
}
