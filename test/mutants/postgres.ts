/**
 * Bugs in the stores on PostgreSQL.
 */
import type { Mutant } from "./mutant.ts"

const functions = "src/postgres/PostgresFunctions.ts"
const suite = "test/postgres/Postgres.test.ts"
const own = "test/postgres/PostgresEventStore.test.ts"
const together = "test/postgres/Concurrency.test.ts"
const lock = "PERFORM pg_advisory_xact_lock(${lockOf(schema)});"

export const postgres: ReadonlyArray<Mutant> = [
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
    find: "    const isCheck = admitted.every(isOnlyChecking)\n",
    replace: `    const isCheck = admitted.every(isOnlyChecking)
    if (isCheck && group.length === admitted.length) {
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
    guarantee: "I6",
    bug: "PostgreSQL answers before the disk has it",
    file: "src/postgres/PostgresClient.ts",
    find: "const writerGuards = { ...guards,",
    replace: "const writerGuards = { ...guards, synchronous_commit: \"off\",",
    test: together,
    title: "I6:"
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
    file: "src/postgres/PostgresClient.ts",
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
    find: "SET lock_timeout = '5s'",
    replace: "SET lock_timeout = '500s'",
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
    find: "Effect.raceFirst(told, looking)",
    replace: "told",
    test: together,
    title: "I19:"
  },
  {
    guarantee: "I22",
    bug: "PostgreSQL's own words reach users",
    file: "src/postgres/PostgresClient.ts",
    find: "  const { code, isServer } = codeOf(reason.cause)\n",
    replace: "  const { code, isServer } = codeOf(reason.cause)\n  if (isServer) return String(reason.cause)\n",
    test: own,
    title: "I22:"
  },
  {
    guarantee: "I22",
    bug: "a span says the URL that PostgreSQL's driver could not read, with the password",
    file: "src/postgres/PostgresClient.ts",
    find: "if (!URL.canParse(textOf(options.url)))",
    replace: "if (textOf(options.url) === \"\")",
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
