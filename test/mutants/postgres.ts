/**
 * Bugs in the stores on PostgreSQL.
 */
import type { Mutant } from "./mutant.ts"

const functions = "src/postgres/PostgresFunctions.ts"
const suite = "test/postgres/Postgres.test.ts"
const own = "test/postgres/PostgresEventStore.test.ts"
const readers = "test/postgres/PostgresReaders.test.ts"
const epoch = "test/postgres/PostgresEpoch.test.ts"
const tenants = "test/postgres/PostgresTenants.test.ts"
const transaction = "test/postgres/PostgresTransaction.test.ts"
const together = "test/postgres/Concurrency.test.ts"
const lock = "PERFORM pg_advisory_xact_lock(${lockOf(schema)});"

export const postgres: ReadonlyArray<Mutant> = [
  {
    guarantee: "I22",
    bug: "a password with a slash in it is told as the place of the database",
    file: "src/postgres/PostgresUrl.ts",
    find: "username === \"\" && `${pathname}${search}${hash}`.includes(\"@\")",
    replace: "username === \"?\" && `${pathname}${search}${hash}`.includes(\"@\")",
    test: "test/cli/Stores.test.ts",
    title: "would be told as its host"
  },
  {
    guarantee: "I1",
    bug: "PostgreSQL writes the events of what it refuses",
    file: functions,
    find: "ON w.write = e.write AND w.status = 'ok'",
    replace: "ON w.write = e.write",
    test: suite,
    title: "I1:"
  },
  {
    guarantee: "I1",
    bug: "PostgreSQL leaves receipts of what it refuses",
    file: functions,
    find: "            WHERE w.status = 'ok') w ON",
    replace: "            ) w ON",
    test: suite,
    title: "I1:"
  },
  {
    guarantee: "I2",
    bug: "PostgreSQL leaves out every other version",
    file: functions,
    find: "w.current + e.step, e.type",
    replace: "w.current + 2 * e.step, e.type",
    test: suite,
    title: "I2:"
  },
  {
    guarantee: "I3",
    bug: "PostgreSQL decides first and takes the lock then",
    file: functions,
    find: `    ${lock}\n`,
    replace: "    NULL;\n",
    also: { find: "  IF all_ok THEN\n", replace: `  ${lock}\n\n  IF all_ok THEN\n` },
    test: own,
    title: "I3:"
  },
  {
    guarantee: "I3",
    bug: "PostgreSQL decides without the lock",
    file: functions,
    find: "    PERFORM pg_advisory_xact_lock(",
    replace: "    PERFORM (",
    test: own,
    title: "I3:"
  },
  {
    guarantee: "I3",
    bug: "PostgreSQL takes any version where a number was expected",
    file: functions,
    find: "ELSE w.current = w.expected END)",
    replace: "ELSE true END)",
    test: suite,
    title: "I3:"
  },
  {
    guarantee: "I4",
    bug: "what writes nothing is answered without asking PostgreSQL",
    file: "src/postgres/PostgresEventStore.ts",
    find: "  const encoded = Appends.encode(group)\n",
    replace: `  const encoded = Appends.encode(group)
  if (group.every(isOnlyChecking)) {
    return Effect.succeed(group.map((append) => ({
      _tag: "Committed",
      writes: append.map(({ expected }) => ({ version: expected, position: undefined }))
    })))
  }
`,
    test: "test/Campaigns.test.ts",
    title: "in one PostgreSQL, without shards"
  },
  {
    guarantee: "I5",
    bug: "PostgreSQL looks at the expectation before it looks for receipts",
    file: functions,
    find: "CASE WHEN a.repeated THEN 'duplicate' WHEN a.met THEN",
    replace: "CASE WHEN a.repeated AND a.met THEN 'duplicate' WHEN a.met THEN",
    test: suite,
    title: "I5:"
  },
  {
    guarantee: "I5",
    bug: "PostgreSQL does not look for receipts where all expectations are met",
    file: functions,
    find: "AND (receipt_count = 0 OR NOT EXISTS (",
    replace: "AND (true OR NOT EXISTS (",
    test: suite,
    title: "I5:"
  },
  {
    guarantee: "I5",
    bug: "PostgreSQL carries a repeated command out again",
    file: functions,
    find: "WHEN a.repeated THEN 'duplicate'",
    replace: "WHEN false THEN 'duplicate'",
    test: suite,
    title: "I5:"
  },
  {
    guarantee: "I3",
    bug: "an aggregate remembers what was in a log that is no more",
    file: "src/internal/life.ts",
    find: "=> life === now(self)",
    replace: "=> life <= now(self)",
    test: "test/postgres/PostgresEpoch.test.ts",
    title: "I3: of the log"
  },
  {
    guarantee: "I3",
    bug: "what was decided on a log that is no more is written to the new one",
    file: "src/postgres/PostgresClient.ts",
    find: "relies && life.count !== known",
    replace: "relies && life.count < known",
    test: "test/postgres/PostgresEpoch.test.ts",
    title: "I3: of the log"
  },
  {
    guarantee: "I6",
    bug: "PostgreSQL answers before the disk has it",
    file: functions,
    find: "  WHEN 'off' THEN set_config",
    replace: "  WHEN 'never' THEN set_config",
    test: together,
    title: "I6:"
  },
  {
    guarantee: "I8",
    bug: "who has waited on PostgreSQL decides on what was there before he waited",
    file: "src/postgres/PostgresClient.ts",
    find: "default_transaction_isolation: \"read committed\",",
    replace: "",
    test: together,
    title: "I8: who work"
  },
  {
    guarantee: "I7",
    bug: "PostgreSQL does not recognize its own event ids",
    file: functions,
    find: "AND e.event_id = w.first_id",
    replace: "AND false",
    test: own,
    title: "I7: one whose connection ends"
  },
  {
    guarantee: "I7",
    bug: "PostgreSQL calls an append refused whose connection was lost",
    file: "src/postgres/PostgresFailures.ts",
    find: "  certain: isCertain(error),",
    replace: "  certain: isCertain(error) || true,",
    test: own,
    title: "I7:"
  },
  {
    guarantee: "I8",
    bug: "PostgreSQL reads where the log ends before it has the lock",
    file: functions,
    find: "  all_ok bool;\nBEGIN\n",
    replace: "  all_ok bool;\n  seen bigint := coalesce((SELECT max(position) FROM \"${schema}\".events), 0);\nBEGIN\n",
    also: { find: "  SELECT coalesce(head.position, 0),\n", replace: "  SELECT seen,\n" },
    test: together,
    title: "I8:"
  },
  {
    guarantee: "I8",
    bug: "PostgreSQL leaves a position out",
    file: functions,
    find: "SELECT base + e.n, w.tenant",
    replace: "SELECT base + e.n + 1, w.tenant",
    test: suite,
    title: "I8:"
  },
  {
    guarantee: "I8",
    bug: "PostgreSQL leaves positions to what it refuses",
    file: functions,
    find: "SELECT base + row_number() OVER (ORDER BY e.n), w.tenant",
    replace: "SELECT base + e.n, w.tenant",
    test: suite,
    title: "I8:"
  },
  {
    guarantee: "I9",
    bug: "a reader on PostgreSQL goes on behind the next event",
    file: "src/postgres/PostgresStatements.ts",
    find: "`${events} WHERE e.position > $1 ${end}`",
    replace: "`${events} WHERE e.position > $1 + ($1 > 0)::int ${end}`",
    test: "test/Campaigns.test.ts",
    title: "I9"
  },
  {
    guarantee: "I9",
    bug: "a reader on PostgreSQL is at the log's end of a moment after its page",
    file: "src/postgres/PostgresEventStore.ts",
    find: "  return Effect.map(rows, (found) => {\n    const { events, head } = Rows.logEvents(found)\n",
    replace: `  return Effect.zipWith(rows, read(statements.head, []), (found, [row]) => {
    const { events } = Rows.logEvents(found)
    const head = row?.[0] ?? 0n
`,
    test: together,
    title: "I9:"
  },
  {
    guarantee: "I10",
    bug: "who only looks waits for PostgreSQL's writers",
    file: functions,
    find: "  IF event_count + receipt_count > 0 THEN",
    replace: "  IF true THEN",
    test: own,
    title: "I10:"
  },
  {
    guarantee: "I10",
    bug: "an append on PostgreSQL waits for a writer who hangs",
    file: functions,
    find: "SET lock_timeout = '5s'\n-- Plans",
    replace: "SET lock_timeout = '500s'\n-- Plans",
    test: own,
    title: "I10:"
  },
  {
    guarantee: "I19",
    bug: "nobody listens to PostgreSQL again",
    file: "src/postgres/PostgresGrowth.ts",
    find: "    Effect.retry(again),\n",
    replace: "    Effect.ignore,\n",
    test: own,
    title: "I19:"
  },
  {
    guarantee: "I19",
    bug: "who follows on PostgreSQL waits to be told",
    file: "src/postgres/PostgresGrowth.ts",
    find: "Effect.raceFirst(told(seen), looking)",
    replace: "told(seen)",
    test: together,
    title: "I19:"
  },
  {
    guarantee: "I22",
    bug: "PostgreSQL's own words reach users",
    file: "src/postgres/PostgresFailures.ts",
    find: "  const { code, isServer } = codeOf(reason.cause)\n",
    replace: "  const { code, isServer } = codeOf(reason.cause)\n  if (isServer) return String(reason.cause)\n",
    test: own,
    title: "I22:"
  },
  {
    guarantee: "I22",
    bug: "a span says the URL that PostgreSQL's driver could not read, with the password",
    file: "src/postgres/PostgresClient.ts",
    find: "if (problem !== undefined) {",
    replace: "if (problem === \"\") {",
    test: "test/postgres/Tls.test.ts",
    title: "I22:"
  },
  {
    guarantee: "I23",
    bug: "on PostgreSQL one conflict refuses the group",
    file: functions,
    find: "                OVER (PARTITION BY w.append) AS met",
    replace: "                OVER () AS met",
    test: suite,
    title: "I23:"
  },
  {
    guarantee: "I3",
    bug: "PostgreSQL keeps a transaction whose append is in conflict",
    file: functions,
    find: "s WHERE s <> 'ok')",
    replace: "s WHERE s = 'known')",
    test: transaction,
    title: "I3:"
  },
  {
    guarantee: "I3",
    bug: "an append of a transaction on PostgreSQL is decided before others are done",
    file: functions,
    find: "  PERFORM pg_advisory_xact_lock(${lockOf(schema)});\n  SELECT a.status",
    replace: "  SELECT a.status",
    test: transaction,
    title: "I3:"
  },
  {
    guarantee: "I5",
    bug: "PostgreSQL keeps a transaction whose command was carried out before",
    file: functions,
    find: "s WHERE s <> 'ok')",
    replace: "s WHERE s NOT IN ('ok', 'duplicate'))",
    test: transaction,
    title: "I5:"
  },
  {
    guarantee: "I7",
    bug: "PostgreSQL calls a transaction refused whose commit was lost",
    file: "src/postgres/PostgresFailures.ts",
    find: "boolean => operation === lost",
    replace: "boolean => operation === lost && false",
    test: transaction,
    title: "I7:"
  },
  {
    guarantee: "I10",
    bug: "an append of a transaction on PostgreSQL takes the lock before the commit",
    file: functions,
    find: "IF current_query() !~*",
    replace: "IF false AND current_query() !~*",
    test: transaction,
    title: "I10:"
  },
  {
    guarantee: "I11",
    bug: "a transaction on PostgreSQL that failed is kept",
    file: "src/postgres/PostgresTransactions.ts",
    find: "Effect.ignore(control(connection, \"ROLLBACK\"))",
    replace: "Effect.ignore(control(connection, \"COMMIT\"))",
    test: suite,
    title: "I11:"
  },
  {
    guarantee: "I11",
    bug: "a connection of PostgreSQL that ends in a transaction is a defect",
    file: "src/postgres/PostgresTransactions.ts",
    find: "Effect.ignore(control(connection, \"ROLLBACK\"))",
    replace: "Effect.orDie(control(connection, \"ROLLBACK\"))",
    test: readers,
    title: "I11:"
  },
  {
    guarantee: "I11",
    bug: "PostgreSQL says for sure that a commit which was lost was not carried out",
    file: "src/postgres/PostgresTransactions.ts",
    find: "isCertain(error) ? error : commitLost(error)",
    replace: "isCertain(error) ? commitLost(error) : error",
    test: readers,
    title: "I11:"
  },
  {
    guarantee: "I11",
    bug: "a transaction on PostgreSQL in which a statement failed counts as kept",
    file: "src/postgres/PostgresTransactions.ts",
    find: ".command === \"ROLLBACK\"",
    replace: ".command === \"NOTHING\"",
    test: readers,
    title: "I11:"
  },
  {
    guarantee: "I11",
    bug: "documents on PostgreSQL are written beside the transaction",
    file: "src/postgres/PostgresClient.ts",
    find: "change: joined(apart)",
    replace: "change: apart",
    test: suite,
    title: "I11:"
  },
  {
    guarantee: "I12",
    bug: "a checkpoint on PostgreSQL moves whatever revision it has",
    file: "src/postgres/PostgresReaderStatements.ts",
    find: "AND c.revision = $6 AND",
    replace: "AND $6::bigint > 0 AND",
    test: suite,
    title: "I12:"
  },
  {
    guarantee: "I12",
    bug: "a checkpoint on PostgreSQL moves although it is paused",
    file: "src/postgres/PostgresReaderStatements.ts",
    find: "AND c.paused IS NULL AND NOT c.removed",
    replace: "AND NOT c.removed",
    test: suite,
    title: "I12:"
  },
  {
    guarantee: "I12",
    bug: "a second runner on PostgreSQL may begin where another one has",
    file: "src/postgres/PostgresReaderStatements.ts",
    find: "updated_at = excluded.updated_at WHERE c.removed",
    replace: "updated_at = excluded.updated_at",
    test: suite,
    title: "I12:"
  },
  {
    guarantee: "I12",
    bug: "a checkpoint on PostgreSQL that was removed begins at revision 1 again",
    file: "src/postgres/PostgresReaderStatements.ts",
    find: "  revision = c.revision + 1, paused = NULL, removed = false",
    replace: "  revision = 1, paused = NULL, removed = false",
    test: suite,
    title: "I12:"
  },
  {
    guarantee: "I12",
    bug: "who hangs in a transaction on PostgreSQL keeps a checkpoint",
    file: "src/postgres/PostgresClient.ts",
    find: "idle_in_transaction_session_timeout: \"5s\"",
    replace: "idle_in_transaction_session_timeout: \"500s\"",
    test: readers,
    title: "I12:"
  },
  {
    guarantee: "I20",
    bug: "a dump that is restored into its own database goes unnoticed",
    file: "src/postgres/PostgresEpoch.ts",
    find: "\n      AND e.mark::xid = e.xmin",
    replace: "",
    test: epoch,
    title: "I20:"
  },
  {
    guarantee: "I20",
    bug: "a copy of the database goes unnoticed",
    file: "src/postgres/PostgresEpoch.ts",
    find: "`e.database = ${database} AND ",
    replace: "`",
    test: epoch,
    title: "I20:"
  },
  {
    guarantee: "I20",
    bug: "a server that was promoted or put back goes unnoticed",
    file: "src/postgres/PostgresEpoch.ts",
    find: " AND e.timeline IS NOT DISTINCT FROM \"${schema}\".timeline_v1()",
    replace: "",
    test: epoch,
    title: "I20:"
  },
  {
    guarantee: "I20",
    bug: "each worker that notices begins an epoch of its own",
    file: "src/postgres/PostgresEpoch.ts",
    find: "      WHERE NOT (${isHere});",
    replace: "      ;",
    test: epoch,
    title: "I20:"
  },
  {
    guarantee: "I21",
    bug: "a tenant's reader on PostgreSQL is restricted to nothing",
    file: "src/postgres/PostgresTenants.ts",
    find: "AS RESTRICTIVE TO",
    replace: "TO",
    test: tenants,
    title: "I21:"
  },
  {
    guarantee: "I21",
    bug: "views that are prepared later are not guarded",
    file: "src/postgres/PostgresViewRooms.ts",
    find: "for (const text of [...missing, ...guards])",
    replace: "for (const text of [...missing, ...guards.slice(-1)])",
    test: tenants,
    title: "I21:"
  },
  {
    guarantee: "I21",
    bug: "whoever owns the tables may be a tenant's reader",
    file: "src/postgres/PostgresTenants.ts",
    find: "if (!isGuarded) {",
    replace: "if (bound === null) {",
    test: tenants,
    title: "I21:"
  },
  {
    guarantee: "I23",
    bug: "on PostgreSQL one duplicate makes duplicates of the group",
    file: functions,
    find: "bool_or(d.write IS NOT NULL) OVER (PARTITION BY w.append) AS repeated",
    replace: "bool_or(d.write IS NOT NULL) OVER () AS repeated",
    test: suite,
    title: "I23:"
  },
  {
    guarantee: "I23",
    bug: "PostgreSQL refuses a call in which there is a conflict",
    file: functions,
    find: "    GET DIAGNOSTICS written = ROW_COUNT;\n",
    replace: `    GET DIAGNOSTICS written = ROW_COUNT;
    IF 'conflict' = ANY (status) THEN RAISE EXCEPTION 'a conflict'; END IF;
`,
    test: suite,
    title: "I23:"
  }
]
