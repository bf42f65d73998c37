/**
 * Bugs in the stores on PostgreSQL.
 */
import type { Mutant } from "./mutant.ts"

const functions = "src/postgres/PostgresFunctions.ts"
const suite = "test/postgres/Postgres.test.ts"
const own = "test/postgres/PostgresEventStore.test.ts"

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
  }
]
