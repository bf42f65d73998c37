/**
 * Bugs in the stores.
 */
import type { Mutant } from "./mutant.ts"

export const stores: ReadonlyArray<Mutant> = [
  {
    guarantee: "I1",
    bug: "memory keeps the writes before the one that conflicts",
    file: "src/memory/MemoryLog.ts",
    find: "  if (write >= 0) {\n",
    replace:
      "  if (write >= 0) {\n    append.slice(0, write).forEach((earlier) => store(log, earlier, recordedAtMillis))\n",
    test: "test/memory/Memory.test.ts",
    title: "I1:"
  },
  {
    guarantee: "I1",
    bug: "memory leaves receipts of an append that conflicts",
    file: "src/memory/MemoryLog.ts",
    find: "  if (write >= 0) {\n",
    replace:
      "  if (write >= 0) {\n    append.forEach((each) => store(log, { ...each, events: [], receipts: each.receipts.map((one) => ({ ...one, events: 0, through: 0 })) }, recordedAtMillis))\n",
    test: "test/memory/Memory.test.ts",
    title: "I1:"
  },
  {
    guarantee: "I1",
    bug: "SQLite keeps the writes before the one that conflicts",
    file: "src/sqlite/SqliteEventStore.ts",
    find: "  if (unmet >= 0) return recognize",
    replace:
      "  if (unmet > 0) append.slice(0, unmet).forEach((write, index) => store(statements, write, before[index]!, cursor))\n  if (unmet >= 0) return recognize",
    test: "test/sqlite/Sqlite.test.ts",
    title: "I1:"
  },
  {
    guarantee: "I1",
    bug: "SQLite writes outside of the transaction",
    file: "src/sqlite/SqliteClient.ts",
    find: "    database.exec(begin)\n    const result = work()\n",
    replace: "    const result = work()\n    database.exec(begin)\n",
    test: "test/sqlite/SqliteEventStore.test.ts",
    title: "I1:"
  },
  {
    guarantee: "I1",
    bug: "SQLite commits what was written before a failure",
    file: "src/sqlite/SqliteClient.ts",
    find: "    if (database.isTransaction) database.exec(\"ROLLBACK\")\n  } catch {",
    replace: "    if (database.isTransaction) database.exec(\"COMMIT\")\n  } catch {",
    test: "test/sqlite/SqliteEventStore.test.ts",
    title: "I1:"
  },
  {
    guarantee: "I1",
    bug: "SQLite leaves a receipt out",
    file: "src/sqlite/SqliteEventStore.ts",
    find: "  for (const receipt of receipts) {",
    replace: "  for (const receipt of receipts.slice(1)) {",
    test: "test/sqlite/Sqlite.test.ts",
    title: "I1:"
  },
  {
    guarantee: "I2",
    bug: "memory takes versions from count + 2",
    file: "src/memory/MemoryLog.ts",
    find: "      version: branch.events.length + 1,",
    replace: "      version: branch.events.length + 2,",
    test: "test/memory/Memory.test.ts",
    title: "I2:"
  },
  {
    guarantee: "I2",
    bug: "memory hands out events that can be changed",
    file: "src/memory/MemoryLog.ts",
    find: "    const stored: Stored = Object.freeze({",
    replace: "    const stored: Stored = Object.assign({}, {",
    test: "test/memory/Memory.test.ts",
    title: "I2:"
  },
  {
    guarantee: "I2",
    bug: "SQLite leaves out every other version",
    file: "src/sqlite/SqliteEventStore.ts",
    find: "version: before + index + 1,",
    replace: "version: before + 2 * index + 1,",
    test: "test/sqlite/Sqlite.test.ts",
    title: "I2:"
  },
  {
    guarantee: "I3",
    bug: "an exact expectation lets later writers through",
    file: "src/internal/appends.ts",
    find: "      return version === expected\n",
    replace: "      return version >= expected\n",
    test: "test/memory/Memory.test.ts",
    title: "I3:"
  },
  {
    guarantee: "I3",
    bug: "an exact expectation lets later writers through (SQLite)",
    file: "src/internal/appends.ts",
    find: "      return version === expected\n",
    replace: "      return version >= expected\n",
    test: "test/sqlite/Sqlite.test.ts",
    title: "I3:"
  },
  {
    guarantee: "I3",
    bug: "noStream is met by any stream",
    file: "src/internal/appends.ts",
    find: "    case \"noStream\":\n      return version === 0\n",
    replace: "    case \"noStream\":\n      return true\n",
    test: "test/memory/Memory.test.ts",
    title: "I3:"
  },
  {
    guarantee: "I3",
    bug: "memory looks at the expectation of the first write only",
    file: "src/memory/MemoryLog.ts",
    find: "append.findIndex(({ expected, stream }) => !isMet",
    replace: "append.slice(0, 1).findIndex(({ expected, stream }) => !isMet",
    test: "test/memory/Memory.test.ts",
    title: "I3:"
  },
  {
    guarantee: "I3",
    bug: "SQLite looks at the expectation of the first write only",
    file: "src/sqlite/SqliteEventStore.ts",
    find: "append.findIndex(({ expected }, index) => !isMet(",
    replace: "append.findIndex(({ expected }, index) => index === 0 && !isMet(",
    test: "test/sqlite/Sqlite.test.ts",
    title: "I3:"
  },
  {
    guarantee: "I3",
    bug: "SQLite believes an exact expectation without looking",
    file: "src/sqlite/SqliteEventStore.ts",
    find: "  const before = append.map(({ stream }) => statements.version(stream))\n",
    replace:
      "  const before = append.map(({ expected, stream }) => typeof expected === \"number\" ? expected : statements.version(stream))\n",
    test: "test/sqlite/Sqlite.test.ts",
    title: "I3:"
  },
  {
    guarantee: "I8",
    bug: "memory counts positions in each stream",
    file: "src/memory/MemoryLog.ts",
    find: "position: BigInt(log.events.length + 1),",
    replace: "position: BigInt(branch.events.length + 1),",
    test: "test/memory/Memory.test.ts",
    title: "I8:"
  },
  {
    guarantee: "I8",
    bug: "SQLite draws positions, as from a sequence, before it looks at expectations",
    file: "src/sqlite/SqliteEventStore.ts",
    find: "  if (unmet >= 0) return recognize",
    replace:
      "  if (unmet >= 0) cursor.position += append.reduce((sum, { events }) => sum + events.length, 0)\n  if (unmet >= 0) return recognize",
    test: "test/sqlite/Sqlite.test.ts",
    title: "I8:"
  },
  {
    guarantee: "I8",
    bug: "SQLite begins each group one position too late",
    file: "src/sqlite/SqliteEventStore.ts",
    find: "const cursor: Cursor = { position: head.position,",
    replace: "const cursor: Cursor = { position: head.position + 1,",
    test: "test/sqlite/Sqlite.test.ts",
    title: "I8:"
  },
  {
    guarantee: "I8",
    bug: "SQLite leaves out every other position",
    file: "src/sqlite/SqliteEventStore.ts",
    find: "place = { stream, version: before + index + 1, position: base + index + 1,",
    replace: "place = { stream, version: before + index + 1, position: base + 2 * index + 1,",
    test: "test/sqlite/SqliteEventStore.test.ts",
    title: "I8:"
  },
  {
    guarantee: "I8",
    bug: "the auditor looks at the first hole for ever",
    file: "src/Worker.ts",
    find: "goOn(gap.found - 1n)",
    replace: "goOn(gap.after)",
    test: "test/Worker.test.ts",
    title: "I8:"
  },
  {
    guarantee: "I23",
    bug: "memory refuses a whole group for one of its appends",
    file: "src/memory/MemoryLog.ts",
    find: "refused[index] ?? appendOne(log,",
    replace: "refused.find((status) => status !== undefined) ?? refused[index] ?? appendOne(log,",
    test: "test/memory/Memory.test.ts",
    title: "I23:"
  },
  {
    guarantee: "I23",
    bug: "SQLite refuses a whole group for one of its appends",
    file: "src/sqlite/SqliteEventStore.ts",
    find: "refused[index] ?? appendOne(tables,",
    replace: "refused.find((status) => status !== undefined) ?? refused[index] ?? appendOne(tables,",
    test: "test/sqlite/Sqlite.test.ts",
    title: "I23:"
  },
  {
    guarantee: "I23",
    bug: "SQLite lets a conflict decide the rest of its group",
    file: "src/sqlite/SqliteEventStore.ts",
    find: "  const statuses = group.map((append, index) => refused[index] ?? appendOne(tables, append, cursor))\n",
    replace:
      "  let conflict: Status | undefined\n  const statuses = group.map((append, index) => {\n    const status = conflict ?? refused[index] ?? appendOne(tables, append, cursor)\n    if (status._tag === \"Conflict\") conflict = status\n    return status\n  })\n",
    test: "test/sqlite/Sqlite.test.ts",
    title: "I23:"
  },
  {
    guarantee: "I23",
    bug: "memory lets a duplicate end its group",
    file: "src/memory/MemoryLog.ts",
    find:
      "  const statuses = group.map((append, index) => refused[index] ?? appendOne(log, append, recordedAtMillis))\n",
    replace:
      "  let ended: Status | undefined\n  const statuses = group.map((append, index) => {\n    const status = ended ?? refused[index] ?? appendOne(log, append, recordedAtMillis)\n    if (status._tag === \"Duplicate\") ended = status\n    return status\n  })\n",
    test: "test/memory/Memory.test.ts",
    title: "I23:"
  },
  {
    guarantee: "I5",
    bug: "memory looks at expectations before receipts",
    file: "src/memory/MemoryLog.ts",
    find: "  if (receipts.length > 0) return recognize",
    replace:
      "  if (receipts.length > 0 && append.every(({ expected, stream }) => isMet(expected, versionOf(log, stream)))) return recognize",
    test: "test/memory/Memory.test.ts",
    title: "I5:"
  },
  {
    guarantee: "I5",
    bug: "SQLite does not look for receipts",
    file: "src/sqlite/SqliteEventStore.ts",
    find: "  if (receipts.length > 0) return recognize",
    replace: "  if (receipts.length > append.length) return recognize",
    test: "test/sqlite/Sqlite.test.ts",
    title: "I5:"
  },
  {
    guarantee: "I6",
    bug: "SQLite acknowledges before the disk has it",
    file: "src/sqlite/SqliteClient.ts",
    find: "PRAGMA synchronous = FULL",
    replace: "PRAGMA synchronous = NORMAL",
    test: "test/sqlite/Sqlite.test.ts",
    title: "I6:"
  },
  {
    guarantee: "I7",
    bug: "SQLite is certain of a commit that failed",
    file: "src/sqlite/SqliteClient.ts",
    find: "!isCommitting || wroteNothing(database, cause)",
    replace: "true",
    test: "test/sqlite/SqliteEventStore.test.ts",
    title: "I7:"
  },
  {
    guarantee: "I7",
    bug: "SQLite takes a failed fsync for a commit that never was",
    file: "src/sqlite/SqliteErrors.ts",
    find: "new Set([13, 778])",
    replace: "new Set([13, 778, 1034])",
    test: "test/sqlite/SqliteEventStore.test.ts",
    title: "I7:"
  },
  {
    guarantee: "I9",
    bug: "a follower goes on from the head instead of from its page",
    file: "src/internal/pages.ts",
    find: "Option.some(nextTo(page))",
    replace: "Option.some(nextTo({ ...page, position: page.head }))",
    test: "test/memory/Memory.test.ts",
    title: "I9:"
  }
]
