/**
 * The history of checkpoints, as the database itself writes it down, in the transaction of each: whatever a process
 * believes that it did, this is what was kept.
 */
import { Effect } from "effect"
import { SqlClient } from "effect/sql"
import { schemaOf } from "./place.ts"

/** One change of a checkpoint. */
interface Link {
  readonly n: number
  readonly name: string
  readonly version: number
  readonly partition: number
  readonly revision: number
  readonly position: number
}

/** Has the database write it down from now on. */
export const record = Effect.fnUntraced(function*(place: string) {
  const sql = yield* SqlClient.SqlClient
  const schema = schemaOf(place)
  for (const statement of schema === undefined ? onSqlite : onPostgres(schema)) yield* sql.unsafe(statement)
})

const columns = "name, version, partition, revision, position"
const news = "NEW.name, NEW.version, NEW.partition, NEW.revision, NEW.position"

const onSqlite: ReadonlyArray<string> = [
  `CREATE TABLE chain (n INTEGER PRIMARY KEY, name TEXT, version INTEGER, partition INTEGER, revision INTEGER,
    position INTEGER)`,
  ...["INSERT", "UPDATE"].map((event) =>
    `CREATE TRIGGER chain_${event} AFTER ${event} ON varve_checkpoints
      BEGIN INSERT INTO chain (${columns}) VALUES (${news}); END`
  )
]

const onPostgres = (schema: string): ReadonlyArray<string> => [
  `CREATE TABLE ${schema}.chain (n BIGINT GENERATED ALWAYS AS IDENTITY PRIMARY KEY, name TEXT, version INT,
    partition INT, revision INT, position BIGINT)`,
  `CREATE FUNCTION ${schema}.chain() RETURNS trigger LANGUAGE plpgsql AS $$
    BEGIN INSERT INTO ${schema}.chain (${columns}) VALUES (${news}); RETURN NULL; END $$`,
  `CREATE TRIGGER chain AFTER INSERT OR UPDATE ON ${schema}.checkpoints
    FOR EACH ROW EXECUTE FUNCTION ${schema}.chain()`
]

/** What was written down: how many steps there were, and where they are no chain. */
export const examine = Effect.fnUntraced(function*(place: string) {
  const sql = yield* SqlClient.SqlClient
  const table = schemaOf(place) === undefined ? "chain" : `${schemaOf(place)}.chain`
  const links = yield* sql.unsafe<{ readonly [Column in keyof Link]: number | bigint | string }>(
    `SELECT n, ${columns} FROM ${table} ORDER BY n`
  )
  const problems: Array<string> = []
  const last = new Map<string, { readonly revision: number; readonly position: number }>()
  for (const link of links) {
    const id = `${link.name} ${link.version}/${link.partition}`
    const before = last.get(id) ?? { revision: 0, position: 0 }
    const [revision, position] = [Number(link.revision), Number(link.position)]
    if (revision !== before.revision + 1) problems.push(`${id}: revision ${revision} upon ${before.revision}`)
    if (position < before.position) problems.push(`${id}: position ${position} after ${before.position}`)
    last.set(id, { revision, position })
  }
  return { steps: links.length, problems }
})
