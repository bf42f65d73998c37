/**
 * The table of one version of a view, and the statements on it: each name has a table, so each has statements of its own.
 *
 * Documents are `json`: they come back as they were given. What may be asked for stands beside them in columns that the
 * server fills, since a tenant's reader (see `PostgresReaders`) could not use an index of an expression.
 */
import type * as PgTypes from "@effect/sql-pg/PgTypes"
import { type Condition, noRoom, type PlannedQuery } from "../internal/documents.ts"
import type { FieldType, FieldValue, ViewDefinition, ViewId, ViewIndex } from "../ViewStore.ts"
import * as Rows from "./PostgresRows.ts"
import { type Statement, statement } from "./PostgresStatements.ts"

/** The name of its table. No name of a view holds `_`, so no two views share one. */
const tableOf = ({ name, version }: ViewId): string => `view_${name.replaceAll("-", "_")}_${version}`

/** The columns that its indexes need, by their names, which stand for field and type. */
export const columnsOf = ({ indexes }: ViewDefinition): ReadonlyMap<string, ViewIndex> =>
  new Map(indexes.map((index) => [columnOf(index), index]))

const columnOf = ({ field, type }: ViewIndex): string => `${type}_${field}`

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
  return [
    `ALTER TABLE ${table} ADD COLUMN ${column} ${sqlTypes[index.type].type} GENERATED ALWAYS AS (${
      valueOf(index)
    }) STORED`,
    `CREATE INDEX ON ${table} (tenant, ${column}, key)`
  ]
}

const quoted = (schema: string, view: ViewId): string => `"${schema}"."${tableOf(view)}"`

const sqlTypes: Readonly<Record<FieldType, { readonly type: string; readonly json: string; readonly cast: string }>> = {
  text: { type: `text COLLATE "C"`, json: "string", cast: "" },
  number: { type: "float8", json: "number", cast: "::float8" },
  boolean: { type: "boolean", json: "boolean", cast: "::boolean" }
}

/** What is of another type counts as null. */
const valueOf = ({ field, type }: ViewIndex): string => {
  const value = `document -> '${field}'`
  const { cast, json } = sqlTypes[type]
  return `CASE WHEN json_typeof(${value}) = '${json}' THEN ((${value}) #>> '{}')${cast} END`
}

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
 * Lists documents. Where an order has two parts, those with a value and then those without, each is read by the index.
 * Those without are in the order of a column that is null in all of them, since that is the order of the index.
 */
export const list = (schema: string, view: ViewId, query: PlannedQuery): Prepared => {
  const values = new Values(query)
  const { after, descending, limit, orderBy } = query
  const table = quoted(schema, view)
  const end = `LIMIT ${values.add(Rows.limit(limit))}`
  const direction = descending ? "DESC" : "ASC"
  const beyond = descending ? "<" : ">"
  const where = conditionsOf(query, values)
  const part = (number: number, value: string, conditions: ReadonlyArray<string>, order: string) =>
    `SELECT ${number} AS part, ${value} AS value, d.key, d.revision, d.document::text AS document FROM ${table} d
WHERE ${[...where, ...conditions].join(" AND ")} ORDER BY ${order} ${end}`

  const text = (): string => {
    if (orderBy === undefined) {
      const absent = query.where.find(({ equals }) => equals === null)
      const order = absent === undefined ? "d.key" : `d."${columnOf(absent)}", d.key`
      return part(0, "NULL", after ? [`d.key > ${values.add(Rows.bound(after.key))}`] : [], order)
    }
    const column = `d."${columnOf(orderBy)}"`
    const byKey = `d.key ${direction}`
    const byBoth = `${column} ${direction}, ${byKey}`
    const rest = (conditions: ReadonlyArray<string>) => part(1, "NULL", [`${column} IS NULL`, ...conditions], byBoth)
    if (after?.value === null) return rest([`d.key ${beyond} ${values.add(Rows.bound(after.key))}`])
    const condition = after === undefined
      ? `${column} IS NOT NULL`
      : `(${column}, d.key) ${beyond} (${values.field(orderBy.type, after.value)}, ${
        values.add(Rows.bound(after.key))
      })`
    const valued = part(0, column, [condition], byBoth)
    return `SELECT * FROM ((${valued})\nUNION ALL\n(${rest([])})) d
ORDER BY d.part, d.value ${direction}, ${byKey} ${end}`
  }
  return { statement: statement("listDocuments", text(), noRoom(view)), parameters: values.all }
}

/** Counts documents. */
export const count = (schema: string, view: ViewId, query: PlannedQuery): Prepared => {
  const values = new Values(query)
  const text = `SELECT count(*) FROM ${quoted(schema, view)} d WHERE ${conditionsOf(query, values).join(" AND ")}`
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

const conditionsOf = ({ where }: PlannedQuery, values: Values): ReadonlyArray<string> => [
  "d.tenant = $1",
  ...where.map((condition) => conditionOf(condition, values))
]

const conditionOf = (condition: Condition, values: Values): string => {
  const column = `d."${columnOf(condition)}"`
  return condition.equals === null
    ? `${column} IS NULL`
    : `${column} = ${values.field(condition.type, condition.equals)}`
}
