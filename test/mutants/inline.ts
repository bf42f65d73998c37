/**
 * Bugs in inline views.
 */
import type { Mutant } from "./mutant.ts"

const inMemory = "test/memory/Memory.test.ts"
const scenarios = "test/inline/Inline.test.ts"

export const inline: ReadonlyArray<Mutant> = [
  {
    guarantee: "I3",
    bug: "what was decided on another log is sent once its documents are read",
    file: "src/internal/inlineAppends.ts",
    find: "    if (keeper.store.life?.() !== life) return yield* replaced\n",
    replace: "",
    test: "test/inline/Operations.test.ts",
    title: "I3: is not written"
  },
  {
    guarantee: "I11",
    bug: "a document that the handler of an inline view changes in place is taken for unchanged",
    file: "src/internal/inlineView.ts",
    find: "document: close(documents, key, one.document) })",
    replace:
      "document: one.document !== undefined && one.document === (one as any).before ? one.expected : close(documents, key, one.document) })",
    also: {
      find: "return { expected: text, document: read.success }",
      replace: "return { expected: text, document: read.success, before: read.success } as Open"
    },
    test: "test/inline/Refusals.test.ts",
    title: "changes in place"
  },
  {
    guarantee: "I11",
    bug: "memory keeps a view inline when somebody appends who does not know it",
    file: "src/memory/MemoryLog.ts",
    find: "  for (const name of Inline.ended(append, known)) end(log, log.inline.get(name)!)\n",
    replace: "",
    test: inMemory,
    title: "I11:"
  },
  {
    guarantee: "I11",
    bug: "memory puts the checkpoint of a view that has ended nowhere",
    file: "src/memory/MemoryInlineViews.ts",
    find: "return moved(scene, { ...state, views }, room.endedAt)",
    replace: "return { ...state, views }",
    test: inMemory,
    title: "I11:"
  },
  {
    guarantee: "I1",
    bug: "memory writes the documents of an append that it does not write",
    file: "src/memory/MemoryLog.ts",
    find: "  if (other !== undefined) return other\n  takeIn(log, append, views)\n",
    replace:
      "  if (other?._tag === \"ViewsChanged\") return other\n  takeIn(log, append, views)\n  if (other !== undefined) return other\n",
    test: inMemory,
    title: "I1:"
  },
  {
    guarantee: "I3",
    bug: "documents are told apart only by whether there is one",
    file: "src/internal/inline.ts",
    find: "if (actual !== expected) {",
    replace: "if ((actual === undefined) !== (expected === undefined)) {",
    test: inMemory,
    title: "I3:"
  },
  {
    guarantee: "I11",
    bug: "nobody holds events back while a view is filled",
    file: "src/internal/inline.ts",
    find: "documents === undefined ? state === \"followed\" : state === \"inline\"",
    replace: "documents === undefined ? state !== \"inline\" : state === \"inline\"",
    test: inMemory,
    title: "I11:"
  },
  {
    guarantee: "I11",
    bug: "a view is inline although its documents lack events",
    file: "src/internal/inline.ts",
    find: "  return hasEvents(position) ? \"filling\" : undefined\n",
    replace: "  return hasEvents(position) && head < 0n ? \"filling\" : undefined\n",
    test: scenarios,
    title: "I11: lose nothing"
  },
  {
    guarantee: "I11",
    bug: "SQLite ends a view one event too late",
    file: "src/sqlite/SqliteEventStore.ts",
    find: "SqliteInlineViews.end(inline, known.get(name)!.row, position)",
    replace: "SqliteInlineViews.end(inline, known.get(name)!.row, position + 1)",
    test: "test/sqlite/Sqlite.test.ts",
    title: "I11:"
  },
  {
    guarantee: "I11",
    bug: "PostgreSQL does not look for events that a view lacks",
    file: "src/postgres/PostgresInlineFunctions.ts",
    find: "  ELSIF EXISTS (SELECT FROM \"${schema}\".events e\n",
    replace: "  ELSIF false AND EXISTS (SELECT FROM \"${schema}\".events e\n",
    test: "test/postgres/Postgres.test.ts",
    title: "I11:"
  },
  {
    guarantee: "I11",
    bug: "PostgreSQL keeps a view inline when somebody appends who knows no views",
    file: "src/postgres/PostgresFunctions.ts",
    find: "    after: endUnknown(schema)\n",
    replace: "    after: \"\"\n",
    test: "test/postgres/Postgres.test.ts",
    title: "I11:"
  },
  {
    guarantee: "I3",
    bug: "PostgreSQL writes documents whatever they are decided on",
    file: "src/postgres/PostgresInlineFunctions.ts",
    find: "  done := done AND actual = dc_expected;`",
    replace: "`",
    test: "test/postgres/Postgres.test.ts",
    title: "I3:"
  },
  {
    guarantee: "I23",
    bug: "PostgreSQL writes nothing of a group in which one document is another",
    file: "src/postgres/PostgresInlineAppends.ts",
    find: "    chosen.push(append)\n",
    replace:
      "    if (statuses.size === 0) chosen.push(append)\n    else statuses.set(append, { _tag: \"Refused\", reason: undefined as never })\n",
    test: "test/postgres/Postgres.test.ts",
    title: "I23:"
  },
  {
    guarantee: "I7",
    bug: "an append that may have been written is decided again on its own documents",
    file: "src/internal/inlineAppends.ts",
    find: "      doubted.set(append, sent)\n",
    replace: "",
    test: "test/inline/Refusals.test.ts",
    title: "I7: does not refuse"
  },
  {
    guarantee: "I23",
    bug: "what one append is refused for, all of its group are",
    file: "src/internal/inlineAppends.ts",
    find: "    item.status = { _tag: \"Refused\", reason }\n",
    replace: "    for (const each of items) each.status = { _tag: \"Refused\", reason }\n",
    test: "test/inline/Refusals.test.ts",
    title: "I23:"
  },
  {
    guarantee: "I3",
    bug: "a document that a handler leaves as it is is not looked at by the store",
    file: "src/internal/inlineView.ts",
    find: "    const all = Array.from(\n      open,\n",
    replace: "    const all = Array.from(\n      [...open].filter(([, one]) => one.document !== one.before),\n",
    test: scenarios,
    title: "I3, I11:"
  },
  {
    guarantee: "I3",
    bug: "a view's handlers are given what the process has decided last, and the store what it likes",
    file: "src/internal/inlineView.ts",
    find: "  if (text === undefined) return { expected: text, document: undefined }\n",
    replace: "  if (text === undefined || key === \"all\") return { expected: text, document: undefined }\n",
    test: scenarios,
    title: "I3, I11:"
  },
  {
    guarantee: "I11",
    bug: "memory lets others write the documents of a view that is inline",
    file: "src/memory/MemoryViewStore.ts",
    find: "      const room = MemoryLog.inlineOf(tables.log, view) === undefined\n",
    replace: "      const room = MemoryLog.inlineOf(tables.log, view) !== null\n",
    test: inMemory,
    title: "I11:"
  }
]
