/**
 * The table of one version of a view, and the statements on it: each name has a table, so each has statements of its own.
 *
 * Documents are `json`: they come back as they were given. What may be asked for stands beside them in columns that the
 * server fills, since a tenant's reader (see `PostgresTenants`) could not use an index of an expression.
 */
import { noRoom } from "../internal/documents.ts"
import type { FieldType, FieldValue, ViewDefinition, ViewId, ViewIndex } from "../ViewStore.ts"
import { type Statement, statement } from "./PostgresStatements.ts"
import * as PostgresTenants from "./PostgresTenants.ts"

/** The name of its table. No name of a view holds `_`, so no two views share one. */
export const tableOf = ({ name, version }: ViewId): string => `view_${name.replaceAll("-", "_")}_${version}`

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

/** The table's name as SQL has it. */
export const quoted = (schema: string, view: ViewId): string => `"${schema}"."${tableOf(view)}"`

const sqlTypes: Readonly<Record<FieldType, string>> = {
  text: `text COLLATE "C"`,
  number: "float8",
  boolean: "boolean"
}

/** What a field counts as; see `PostgresFunctions.fields`. */
const valueOf = (schema: string, { field, type }: ViewIndex, document: string): string =>
  `"${schema}".${type}_v1(${document} -> '${field}')`

/** A field as a query compares it and puts it in order. */
export interface Field {
  readonly type: FieldType
  /** Its column; where the table has none, what would be in it. */
  readonly column: string
  /** For texts with a column, which have two indexes: what makes the one or the other the one to use, and all of it. */
  readonly text: { readonly isShort: string; readonly isLong: string; readonly whole: string } | undefined
}

/** Finds a field in a table that has these columns. Without one for it each document has to be looked into. */
export const fieldOf = (schema: string, columns: ReadonlySet<string>, index: ViewIndex): Field => {
  const { type } = index
  const value = valueOf(schema, index, "d.document")
  const whole = type === "text" ? `${value} COLLATE "C"` : value
  if (!columns.has(columnOf(index))) return { type, column: `(${whole})`, text: undefined }
  const column = `d."${columnOf(index)}"`
  const text = type === "text" ? { isShort: shortOf(column), isLong: longOf(column), whole: `(${whole})` } : undefined
  return { type, column, text }
}

/** Whether a text is longer than what an index has of it. */
export const isLong = (text: FieldValue): boolean =>
  typeof text === "string" && text.length > indexedMax && Array.from(text).length > indexedMax

/** What the column of a long text holds. */
export const beginOf = (text: FieldValue): FieldValue =>
  typeof text === "string" ? Array.from(text).slice(0, indexedMax + 1).join("") : text

/** Which columns its table has; no row where there is none. */
export const columns = (schema: string, view: ViewId): Statement =>
  statement(
    "viewColumns",
    `SELECT attname::text FROM pg_attribute
WHERE attrelid = to_regclass('${quoted(schema, view)}') AND attnum > 0 AND NOT attisdropped`
  )

/** Whether its documents are written by appends, or were and are not given back yet. Its name is safe to be written. */
const inline = (schema: string, { name, version }: ViewId): string =>
  `inline AS MATERIALIZED (SELECT EXISTS (SELECT FROM "${schema}".inline_views v
  WHERE v.name = '${name}' AND v.version = ${version} AND v.state <> 'filling') AS is_inline)`

/** The statements on the documents of a version of a view. */
export const make = (schema: string, view: ViewId) => {
  const table = quoted(schema, view)
  const asked = (operation: string) => ({ operation, absent: noRoom(view) })
  return {
    read: statement(
      "readDocuments",
      `SELECT d.key, d.revision, d.document, k.tenant FROM unnest($1::text[], $2::text[]) k(tenant, key)
CROSS JOIN LATERAL (SELECT d.key, d.revision, d.document::text FROM ${table} d
  WHERE d.tenant = k.tenant AND d.key = k.key LIMIT 1) d`,
      asked("read")
    ),
    write: statement(
      "writeDocuments",
      `WITH ${inline(schema, view)},
c AS MATERIALIZED (SELECT * FROM unnest($1::text[], $2::text[], $3::text[]) c(tenant, key, document)
  WHERE NOT (SELECT is_inline FROM inline)),
deleted AS (DELETE FROM ${table} d USING c WHERE c.document IS NULL AND d.tenant = c.tenant AND d.key = c.key),
written AS (INSERT INTO ${table} AS d (tenant, key, revision, document)
  SELECT c.tenant, c.key, 1, c.document::json FROM c WHERE c.document IS NOT NULL
  ON CONFLICT (tenant, key) DO UPDATE SET revision = d.revision + 1, document = excluded.document)
SELECT is_inline FROM inline`,
      asked("write")
    ),
    clear: statement(
      "clearDocuments",
      `WITH ${inline(schema, view)},
gone AS (DELETE FROM ${table} WHERE NOT (SELECT is_inline FROM inline))
SELECT is_inline FROM inline`,
      asked("clear")
    ),
    isInline: statement("isViewInline", `WITH ${inline(schema, view)} SELECT is_inline FROM inline`, asked("drop")),
    drop: statement("dropView", `DROP TABLE IF EXISTS ${table}`)
  }
}
