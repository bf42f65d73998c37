/**
 * The statements for the documents of views: each version of a view has a table of its own, and each declared field an
 * index over what it counts as. They run inside a turn or a transaction of `SqliteClient`.
 */
import type { DatabaseSync, SQLInputValue } from "node:sqlite"
import type { Condition, PlannedQuery } from "../internal/documents.ts"
import type { FieldType, FieldValue, StoredDocument, ViewDefinition, ViewId, ViewIndex } from "../ViewStore.ts"
import { nameOf, prepareWith } from "./SqlitePreparer.ts"

/** The statements of whatever views there are. */
export type SqliteViewStatements = ReturnType<typeof make>

/** Prepares them as they are needed. */
export const make = (database: DatabaseSync) => {
  const statements = makeStatements(database)
  return { ...rooms(database), ...byKey(statements), ...byField(statements) }
}

const preparedMax = 500

/** Statements by their text, those that were prepared last. */
const makeStatements = (database: DatabaseSync) => {
  const { arrays, run } = prepareWith(database)
  const remembered = <Statement>(prepare: (text: string) => Statement) => {
    const known = new Map<string, Statement>()
    return (text: string): Statement => {
      const found = known.get(text)
      if (found !== undefined) return found
      if (known.size >= preparedMax) known.delete(known.keys().next().value!)
      const statement = prepare(text)
      known.set(text, statement)
      return statement
    }
  }
  return { rows: remembered(arrays<DocumentRow>), counts: remembered(arrays<readonly [number]>), run: remembered(run) }
}

type Statements = ReturnType<typeof makeStatements>

/** What every reader is given of a document, in that order. */
type DocumentRow = readonly [tenant: string, key: string, revision: number, document: string]

/** A name has no underscores and ends with its version, so no two views share a table. It is safe to be written. */
const tableOf = ({ name, version }: ViewId): string => `varve_view_${name.replaceAll("-", "_")}_${version}`

/** Names of indexes are compared without regard to case, those of fields are not. */
const indexNameOf = (view: ViewId, { field, type }: ViewIndex): string =>
  `${tableOf(view)}.${field.replaceAll(/[A-Z]/g, "^$&")}.${type}`

/** What a field of a document counts as: its value, if it is of the type, or else null. */
const valueOf = ({ field, type }: ViewIndex): string => {
  const place = `document, '$."${field}"'`
  switch (type) {
    case "text":
      return `CASE json_type(${place}) WHEN 'text' THEN json_extract(${place}) END`
    case "number":
      return `CASE WHEN json_type(${place}) IN ('integer', 'real') THEN CAST(json_extract(${place}) AS REAL) END`
    case "boolean":
      return `CASE json_type(${place}) WHEN 'true' THEN 1 WHEN 'false' THEN 0 END`
  }
}

const rooms = (database: DatabaseSync) => {
  const { value } = prepareWith(database)
  const selectRoom = value<number>("SELECT 1 FROM sqlite_schema WHERE type = 'table' AND name = ?")
  const selectIndex = value<number>("SELECT 1 FROM sqlite_schema WHERE type = 'index' AND name = ?")
  const hasRoom = (view: ViewId): boolean => selectRoom(tableOf(view)) !== undefined

  return {
    hasRoom,
    /** An answer for which no document is looked at. */
    ifRoom: <A>(view: ViewId, answer: A): A => {
      if (!hasRoom(view)) throw new Error(`${tableOf(view)} is not there`)
      return answer
    },
    isPrepared: (view: ViewDefinition): boolean =>
      hasRoom(view) && view.indexes.every((index) => selectIndex(indexNameOf(view, index)) !== undefined),
    createRoom: (view: ViewDefinition): void => {
      const table = tableOf(view)
      database.exec(`CREATE TABLE IF NOT EXISTS ${table} (
        tenant TEXT NOT NULL,
        key TEXT NOT NULL,
        revision INTEGER NOT NULL,
        document TEXT NOT NULL,
        PRIMARY KEY (tenant, key)
      ) STRICT`)
      for (const index of view.indexes) {
        const name = indexNameOf(view, index)
        database.exec(`CREATE INDEX IF NOT EXISTS "${name}" ON ${table} (tenant, ${valueOf(index)}, key)`)
      }
    },
    dropRoom: (view: ViewId): void => database.exec(`DROP TABLE IF EXISTS ${tableOf(view)}`)
  }
}

const byKey = ({ rows, run }: Statements) => ({
  documents: (view: ViewId, keys: ReadonlyArray<{ readonly tenant: string; readonly key: string }>) => {
    const select = rows(`SELECT kept.tenant, kept.key, kept.revision, kept.document
      FROM json_each(?) AS wanted CROSS JOIN ${tableOf(view)} AS kept
      ON kept.tenant = wanted.value ->> 0 AND kept.key = wanted.value ->> 1`)
    const names = keys.filter(({ key, tenant }) => nameOf(key) !== null && nameOf(tenant) !== null)
    return select(JSON.stringify(names.map(({ key, tenant }) => [tenant, key])))
      .map(([tenant, key, revision, document]) => ({ tenant, key, revision, document }))
  },
  /** The text of one document. */
  textOf: (view: ViewId, tenant: string, key: string): string | undefined => {
    const [row] = rows(`SELECT tenant, key, revision, document FROM ${tableOf(view)} WHERE tenant = ? AND key = ?`)(
      tenant,
      key
    )
    return row?.[3]
  },
  /** How to write one document after the other; most of them are there already, so that is looked at first. */
  upsertDocument: (view: ViewId) => {
    const update = run(`UPDATE ${tableOf(view)} SET revision = revision + 1, document = ?
      WHERE tenant = ? AND key = ?`)
    const insert = run(`INSERT INTO ${tableOf(view)} (tenant, key, revision, document) VALUES (?, ?, 1, ?)`)
    return (tenant: string, key: string, document: string): void => {
      if (update(document, tenant, key) === 0) insert(tenant, key, document)
    }
  },
  deleteDocument: (view: ViewId) => {
    const remove = run(`DELETE FROM ${tableOf(view)} WHERE tenant = ? AND key = ?`)
    return (tenant: string, key: string): void => void remove(tenant, key)
  },
  deleteDocuments: (view: ViewId): void => void run(`DELETE FROM ${tableOf(view)}`)()
})

/** Part of a statement, with what stands for its question marks. */
interface Fragment {
  readonly text: string
  readonly values: ReadonlyArray<SQLInputValue>
}

const byField = ({ counts, rows }: Statements) => ({
  countDocuments: (view: ViewId, plan: PlannedQuery): number => {
    const { text, values } = conditions(plan)
    return counts(`SELECT count(*) FROM ${tableOf(view)} WHERE ${text}`)(...values)[0]![0]
  },
  listDocuments: (view: ViewId, plan: PlannedQuery): ReadonlyArray<StoredDocument> => {
    const found: Array<StoredDocument> = []
    for (const { order, where } of ranges(plan)) {
      if (found.length >= plan.limit) break
      const all = conditions(plan)
      const select = rows(`SELECT tenant, key, revision, document FROM ${tableOf(view)}
        WHERE ${[all.text, where.text].join(" AND ")} ORDER BY ${order} LIMIT ?`)
      for (const [, key, revision, document] of select(...all.values, ...where.values, plan.limit - found.length)) {
        found.push({ key, revision, document })
      }
    }
    return found
  }
})

const conditions = ({ tenant, where }: PlannedQuery): Fragment => ({
  text: [
    "tenant = ?",
    ...where.map(({ equals, ...index }) => `${valueOf(index)} ${equals === null ? "IS NULL" : "= ?"}`)
  ]
    .join(" AND "),
  values: [tenant, ...where.flatMap(({ equals }: Condition) => equals === null ? [] : [inputOf(equals)])]
})

const inputOf = (value: Exclude<FieldValue, null>): SQLInputValue => typeof value === "boolean" ? Number(value) : value

/** Where the values of a type begin: what is not null would have to be looked for behind all nulls. */
const least: Readonly<Record<FieldType, string>> = { text: "''", number: "-9e999", boolean: "0" }

/** A stretch of an index, in its own order. */
interface Range {
  readonly where: Fragment
  readonly order: string
}

/** An order as stretches of the index, one after the other: what is null stands first in it and comes last in ours. */
const ranges = ({ after, descending, orderBy }: PlannedQuery): ReadonlyArray<Range> => {
  const [beyond, direction] = descending ? ["<", "DESC"] : [">", "ASC"]
  const byKey = `key ${direction}`
  const behindKey: Fragment = after === undefined
    ? { text: "true", values: [] }
    : { text: `key ${beyond} ?`, values: [after.key] }
  if (orderBy === undefined) return [{ where: behindKey, order: byKey }]

  const value = valueOf(orderBy)
  const order = `${value} ${direction}, ${byKey}`
  const nulls = (where: Fragment): Range => ({
    where: { text: `${value} IS NULL AND ${where.text}`, values: where.values },
    order: byKey
  })
  if (after === undefined) {
    return [{ where: { text: `${value} >= ${least[orderBy.type]}`, values: [] }, order }, nulls(behindKey)]
  }
  if (after.value === null) return [nulls(behindKey)]
  const from = inputOf(after.value)
  return [
    { where: { text: `${value} = ? AND ${behindKey.text}`, values: [from, ...behindKey.values] }, order: byKey },
    { where: { text: `${value} ${beyond} ?`, values: [from] }, order },
    nulls({ text: "true", values: [] })
  ]
}
