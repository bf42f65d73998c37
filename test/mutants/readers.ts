/**
 * Bugs of the stores that the log's readers keep their work in.
 */
import type { Mutant } from "./mutant.ts"

export const readers: ReadonlyArray<Mutant> = [
  {
    guarantee: "I11",
    bug: "memory keeps what failing work has done",
    file: "src/memory/MemoryTables.ts",
    find: "        if (Exit.isSuccess(exit)) tables.state = draft.state\n",
    replace: "        tables.state = draft.state\n",
    test: "test/memory/Memory.test.ts",
    title: "I11:"
  },
  {
    guarantee: "I11",
    bug: "memory keeps nothing of work that succeeds",
    file: "src/memory/MemoryTables.ts",
    find: "        if (Exit.isSuccess(exit)) tables.state = draft.state\n",
    replace: "        if (Exit.isFailure(exit)) tables.state = draft.state\n",
    test: "test/memory/Memory.test.ts",
    title: "I11:"
  },
  {
    guarantee: "I11",
    bug: "memory does not undo a failing step inside another transaction",
    file: "src/memory/MemoryTables.ts",
    find: "        if (Exit.isFailure(exit)) draft.state = before\n",
    replace: "        void before\n",
    test: "test/memory/Memory.test.ts",
    title: "I11:"
  },
  {
    guarantee: "I11",
    bug: "memory keeps what is done in a step at once",
    file: "src/memory/MemoryTables.ts",
    find: "        target.state = state\n",
    replace: "        target.state = tables.state = state\n",
    test: "test/memory/Memory.test.ts",
    title: "I11:"
  },
  {
    guarantee: "I11",
    bug: "work in memory does not see what it has done",
    file: "src/memory/MemoryTables.ts",
    find: "inDraft(level, ({ state }) => look(state))",
    replace: "inDraft(level, () => look(tables.state))",
    test: "test/memory/Memory.test.ts",
    title: "I11:"
  },
  {
    guarantee: "I11",
    bug: "two transactions in memory begin with the same state",
    file: "src/memory/MemoryTables.ts",
    find: "  permit: Semaphore.makeUnsafe(1),\n  level:",
    replace: "  permit: Semaphore.makeUnsafe(9),\n  level:",
    test: "test/memory/Memory.test.ts",
    title: "I11"
  },
  {
    guarantee: "I12",
    bug: "a checkpoint in memory moves from any revision",
    file: "src/memory/MemoryCheckpointStore.ts",
    find: "(found?.revision ?? 0) !== revision || found?.paused !== undefined",
    replace: "found?.paused !== undefined || revision < 0",
    test: "test/memory/Memory.test.ts",
    title: "I12:"
  },
  {
    guarantee: "I12",
    bug: "a checkpoint in memory moves although it is paused",
    file: "src/memory/MemoryCheckpointStore.ts",
    find: "(found?.revision ?? 0) !== revision || found?.paused !== undefined",
    replace: "(found?.revision ?? 0) !== revision",
    test: "test/memory/Memory.test.ts",
    title: "I12:"
  },
  {
    guarantee: "I12",
    bug: "a checkpoint in memory that begins again has the revisions of the one before",
    file: "src/memory/MemoryCheckpointStore.ts",
    find: "Option.getOrElse(HashMap.get(state.removed, key), () => 0)",
    replace: "0 * HashMap.size(state.removed)",
    test: "test/memory/Memory.test.ts",
    title: "I12:"
  },
  {
    guarantee: "I12",
    bug: "pausing a checkpoint in memory keeps its revision",
    file: "src/memory/MemoryCheckpointStore.ts",
    find: "    revision: last + 1,",
    replace: "    revision: paused === undefined ? last + 1 : last,",
    test: "test/memory/Memory.test.ts",
    title: "I12:"
  },
  {
    guarantee: "I11",
    bug: "SQLite does the work without a transaction",
    file: "src/sqlite/SqliteClient.ts",
    find: "Effect.mapError(sql.withTransaction(wrapped),",
    replace: "Effect.mapError(wrapped,",
    test: "test/sqlite/Sqlite.test.ts",
    title: "I11:"
  },
  {
    guarantee: "I11",
    bug: "SQLite goes on writing after the engine has rolled back",
    file: "src/sqlite/SqliteClient.ts",
    find: "if (!database.isTransaction) throw SqliteConnection.rolledBack()",
    replace: "if (!database.isOpen) throw SqliteConnection.rolledBack()",
    test: "test/sqlite/SqliteTransactions.test.ts",
    title: "I11: in the middle of work"
  },
  {
    guarantee: "I11",
    bug: "SQLite lets the application go on after the engine has rolled back",
    file: "src/sqlite/SqliteConnection.ts",
    find: "  !database.isTransaction && Context.getOrUndefined(context, transaction) !== undefined",
    replace: "  !database.isOpen && Context.getOrUndefined(context, transaction) !== undefined",
    test: "test/sqlite/SqliteTransactions.test.ts",
    title: "I11: in the middle of work"
  },
  {
    guarantee: "I11",
    bug: "SQLite lets a fiber write that has outlived its transaction",
    file: "src/sqlite/SqliteClient.ts",
    find: "Effect.andThen(sql.afterCommit(Effect.void), inside(operation, work))",
    replace: "inside(operation, work)",
    test: "test/sqlite/SqliteTransactions.test.ts",
    title: "I11: dies in a fiber"
  },
  {
    guarantee: "I11",
    bug: "SQLite keeps the documents before one that failed",
    file: "src/sqlite/SqliteClient.ts",
    find: "      undo(database)\n",
    replace: "      database.exec(\"RELEASE varve\")\n",
    test: "test/sqlite/SqliteTransactions.test.ts",
    title: "I11: at one of several"
  },
  {
    guarantee: "I11",
    bug: "SQLite takes nobody into the application's transaction",
    file: "src/sqlite/SqliteClient.ts",
    find: "    Context.getOrUndefined(context, sql.transactionService) === undefined\n      ? turn(operation, work)",
    replace:
      "    Context.getOrUndefined(context, sql.transactionService) === undefined || operation === \"write\"\n      ? turn(operation, work)",
    test: "test/sqlite/SqliteTransactions.test.ts",
    title: "I11: takes the stores"
  },
  {
    guarantee: "I12",
    bug: "a checkpoint in SQLite moves from any revision",
    file: "src/sqlite/SqliteCheckpointStore.ts",
    find: "(found?.revision ?? 0) !== revision || found?.paused !== undefined",
    replace: "found?.paused !== undefined || revision < 0",
    test: "test/sqlite/Sqlite.test.ts",
    title: "I12:"
  },
  {
    guarantee: "I12",
    bug: "a checkpoint in SQLite moves although it is paused",
    file: "src/sqlite/SqliteCheckpointStore.ts",
    find: "(found?.revision ?? 0) !== revision || found?.paused !== undefined",
    replace: "(found?.revision ?? 0) !== revision",
    test: "test/sqlite/Sqlite.test.ts",
    title: "I12:"
  },
  {
    guarantee: "I12",
    bug: "a checkpoint in SQLite that begins again has the revisions of the one before",
    file: "src/sqlite/SqliteCheckpointStore.ts",
    find: "const revision = (last?.revision ?? 0) + 1",
    replace: "const revision = (last?.position == null ? 0 : last.revision) + 1",
    test: "test/sqlite/Sqlite.test.ts",
    title: "I12:"
  },
  {
    guarantee: "I12",
    bug: "a transaction in SQLite takes the lock at its first write only",
    file: "src/sqlite/SqliteConnection.ts",
    find: "const begin = \"BEGIN IMMEDIATE\"",
    replace: "const begin = \"BEGIN DEFERRED\"",
    test: "test/sqlite/SqliteTransactions.test.ts",
    title: "I11, I12: move a checkpoint"
  },
  {
    guarantee: "I7",
    bug: "SQLite is certain of a transaction whose commit failed",
    file: "src/sqlite/SqliteConnection.ts",
    find: "if (!wroteNothing(database, cause)) uncertain.add(error)",
    replace: "if (database.isTransaction) uncertain.add(error)",
    test: "test/sqlite/SqliteTransactions.test.ts",
    title: "I7: in an fsync"
  },
  {
    guarantee: "I7",
    bug: "SQLite does not tell that nobody knows",
    file: "src/sqlite/SqliteErrors.ts",
    find: "certain ? detail :",
    replace: "certain || detail !== \"\" ? detail :",
    test: "test/sqlite/SqliteTransactions.test.ts",
    title: "I7: in an fsync"
  },
  {
    guarantee: "I21",
    bug: "SQLite lists the documents of all tenants",
    file: "src/sqlite/SqliteViewStatements.ts",
    find: "\"tenant = ?\",",
    replace: "\"tenant >= ?\",",
    test: "test/sqlite/Sqlite.test.ts",
    title: "I21:"
  },
  {
    guarantee: "I21",
    bug: "SQLite reads a document of any tenant",
    file: "src/sqlite/SqliteViewStatements.ts",
    find: "ON kept.tenant = wanted.value ->> 0 AND kept.key",
    replace: "ON kept.tenant > '' AND kept.key",
    test: "test/sqlite/Sqlite.test.ts",
    title: "I21:"
  },
  {
    guarantee: "I21",
    bug: "SQLite overwrites the document of another tenant",
    file: "src/sqlite/SqliteViewStatements.ts",
    find: "      WHERE tenant = ? AND key = ?`)\n    const insert",
    replace: "      WHERE tenant > '' AND ? > '' AND key = ?`)\n    const insert",
    test: "test/sqlite/Sqlite.test.ts",
    title: "I21:"
  },
  {
    guarantee: "I21",
    bug: "SQLite deletes the document of another tenant",
    file: "src/sqlite/SqliteViewStatements.ts",
    find: "const remove = run(`DELETE FROM ${tableOf(view)} WHERE tenant = ?",
    replace: "const remove = run(`DELETE FROM ${tableOf(view)} WHERE tenant >= ?",
    test: "test/sqlite/Sqlite.test.ts",
    title: "I21:"
  },
  {
    guarantee: "I21",
    bug: "memory reads the documents of all tenants",
    file: "src/memory/MemoryDocuments.ts",
    find: "Option.getOrElse(HashMap.get(documents, tenant), () =>",
    replace: "Option.getOrElse(HashMap.get(documents, tenant.trim().toLowerCase()), () =>",
    test: "test/memory/Memory.test.ts",
    title: "I21:"
  },
  {
    guarantee: "code points",
    bug: "names are in the order of UTF-16",
    file: "src/internal/order.ts",
    find: "  return unit < 0xe000 ? unit + 0x2000 : unit - 0x800",
    replace: "  return unit",
    test: "test/memory/Memory.test.ts",
    title: "in code points"
  },
  {
    guarantee: "last",
    bug: "what is null comes first, downwards",
    file: "src/memory/MemoryViewStore.ts",
    find: "return a.value === null ? 1 : -1",
    replace: "return (a.value === null) === descending ? -1 : 1",
    test: "test/memory/Memory.test.ts",
    title: "those without it last"
  },
  {
    guarantee: "pages",
    bug: "SQLite leaves those out that have no such field",
    file: "src/sqlite/SqliteViewStatements.ts",
    find:
      "{ where: { text: `${value} ${beyond} ?`, values: [from] }, order },\n    nulls({ text: \"true\", values: [] })\n",
    replace: "{ where: { text: `${value} ${beyond} ?`, values: [from] }, order }\n",
    test: "test/sqlite/Sqlite.test.ts",
    title: "pages of any size add up to the list, in any order"
  },
  {
    guarantee: "I11, I12",
    bug: "SQLite answers otherwise than memory: an empty reason is none",
    file: "src/sqlite/SqliteCheckpointStore.ts",
    find: "paused: row.paused ?? undefined",
    replace: "paused: row.paused || undefined",
    test: "test/ReaderFuzz.test.ts",
    title: "I11, I12:"
  },
  {
    guarantee: "lease",
    bug: "a lease that has ended stays its holder's",
    file: "src/memory/MemoryLease.ts",
    find: " && last.untilMillis > nowMillis",
    replace: "",
    test: "test/memory/Memory.test.ts",
    title: "a lease that has ended"
  }
]
