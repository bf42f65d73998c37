/**
 * Bugs in the runtime, each of which breaks one guarantee.
 */
import type { Mutant } from "./mutant.ts"

export const runtime: ReadonlyArray<Mutant> = [
  {
    guarantee: "I22",
    bug: "what is no projection is waited for, and dies of it after the commit",
    file: "src/internal/consistent.ts",
    find: "    if (problem !== undefined) return invalid(problem)\n",
    replace: "",
    test: "test/projections/Views.test.ts",
    title: "I22: is named by what it is"
  },
  {
    guarantee: "I5",
    bug: "a worker whose clock runs ahead forgets everybody's receipts",
    file: "src/Worker.ts",
    find: "({ readAtMillis }) =>\n",
    replace: "(_, readAtMillis = Date.now()) =>\n",
    test: "test/Worker.test.ts",
    title: "I5:"
  },
  {
    guarantee: "I1",
    bug: "what is to be written beside the own events is forgotten",
    file: "src/internal/batch.ts",
    find: "events, receipts: batch.receipts }, ...beside]",
    replace: "events, receipts: batch.receipts }]",
    test: "test/runtime/Together.test.ts",
    title: "I1:"
  },
  {
    guarantee: "I3",
    bug: "events are appended whatever the version they were decided on",
    file: "src/internal/batch.ts",
    find: "[{ stream, expected: base.version, events,",
    replace: "[{ stream, expected: \"any\", events,",
    test: "test/runtime/Commands.test.ts",
    title: "I3:"
  },
  {
    guarantee: "I4",
    bug: "a \"no\" is given without asking whether it is still true",
    file: "src/internal/speculation.ts",
    find: "  if (self.sources.events.versionNow?.(stream) !== version) return undefined\n",
    replace: "",
    test: "test/runtime/Linearizable.test.ts",
    title: "two runtimes"
  },
  {
    guarantee: "I4",
    bug: "a conflict is answered with what was decided on the old state",
    file: "src/internal/commit.ts",
    find: "      return overtaken(self, resident, work, batch, conflictOf(batch, resident, status))",
    replace: "      return committed(self, resident, batch, { version: status.actual, position: undefined })",
    test: "test/runtime/Linearizable.test.ts",
    title: "two runtimes"
  },
  {
    guarantee: "I4",
    bug: "the reply is given before the commit",
    file: "src/internal/commit.ts",
    find: "  for (const { envelope } of batch.entries) envelope.stage = \"begun\"\n",
    replace:
      "  for (const { envelope } of batch.entries) envelope.stage = \"begun\"\n  for (const entry of batch.entries) {\n    const early = reply(entry.verdict, Batch.versionOf(batch, entry), undefined)\n    for (const waiter of entry.envelope.waiters.splice(0)) waiter(early)\n  }\n",
    test: "test/runtime/Linearizable.test.ts",
    title: "two runtimes"
  },
  {
    guarantee: "I5",
    bug: "commands leave no receipts",
    file: "src/internal/outcome.ts",
    find: "verdict: told.success, receipts: [receipt] }",
    replace: "verdict: told.success, receipts: [receipt].slice(1) }",
    test: "test/runtime/Receipts.test.ts",
    title: "I5:"
  },
  {
    guarantee: "I5",
    bug: "rejections leave no receipts",
    file: "src/internal/outcome.ts",
    find: "  if (identity === undefined) return",
    replace: "  if (identity === undefined || verdict._tag === \"Rejected\") return",
    test: "test/runtime/Receipts.test.ts",
    title: "I5:"
  },
  {
    guarantee: "I5",
    bug: "another payload under the same id gets the first answer",
    file: "src/internal/outcome.ts",
    find: "  if (receipt.hash !== hash) return",
    replace: "  if (receipt.hash === hash + hash) return",
    test: "test/runtime/Receipts.test.ts",
    title: "I5:"
  },
  {
    guarantee: "I5",
    bug: "a payload's schema makes another command of it",
    file: "src/internal/plan.ts",
    find: "\\n${unspoken(value)}`)",
    replace: "\\n${schemaText(command.payload)}`)",
    test: "test/runtime/Payloads.test.ts",
    title: "I5: a command stays"
  },
  {
    guarantee: "I5",
    bug: "values that JSON writes alike are taken for each other",
    file: "src/internal/plan.ts",
    find: "\\n${unspoken(value)}`)",
    replace: "`)",
    test: "test/runtime/Payloads.test.ts",
    title: "I5: "
  },
  {
    guarantee: "I5",
    bug: "a command under way is carried out a second time beside itself",
    file: "src/internal/execute.ts",
    find: "const earlier = identity && work?.mailbox.byCommandId?.get(identity.commandId)",
    replace: "const earlier = identity && work?.mailbox.byCommandId?.get(`${identity.commandId}?`)",
    test: "test/runtime/Receipts.test.ts",
    title: "I5:"
  },
  {
    guarantee: "I5",
    bug: "a repeated command that would now die is given its defect",
    file: "src/internal/aggregateFiber.ts",
    find: "  return yield* unlessRepeated(\n    self,\n    envelope,\n    () => recorded._tag === \"Died\"",
    replace: "  return answered(\n    recorded._tag === \"Died\"",
    test: "test/runtime/Receipts.test.ts",
    title: "I5:"
  },
  {
    guarantee: "I7",
    bug: "a lost append is reported as a failure",
    file: "src/internal/sending.ts",
    find: "      Effect.orDie(Effect.retry(next, again))",
    replace:
      "      Effect.flatMap(Effect.promise(() => import(\"../EventStore.ts\")), ({ StoreUnavailable }) => new StoreUnavailable({ operation: \"append\", detail: lost.detail }))",
    test: "test/runtime/LostAppends.test.ts",
    title: "I7:"
  },
  {
    guarantee: "I7",
    bug: "settling a lost append gives up when the store is out of reach",
    file: "src/internal/sending.ts",
    find: "Effect.orDie(Effect.retry(next, again))",
    replace: "Effect.retry(next, { schedule: again, while: ({ _tag }) => _tag === \"AppendLost\" }) as never",
    test: "test/runtime/LostAppends.test.ts",
    title: "I7:"
  },
  {
    guarantee: "I7",
    bug: "a lost append is sent again as a new one, decided on what there is now",
    file: "src/internal/sending.ts",
    find: "      if (!isFirst) return store.append(group)\n",
    replace:
      "      if (!isFirst) return store.append(group.map(([own, ...beside]) => [{ ...own, expected: \"any\" }, ...beside]))\n",
    test: "test/runtime/LostAppends.test.ts",
    title: "I7:"
  },
  {
    guarantee: "I7",
    bug: "a command that was begun is called timed out at its deadline",
    file: "src/internal/envelope.ts",
    find: "return envelope.stage === \"waiting\" && isOverdue(envelope, atMillis)",
    replace: "return isOverdue(envelope, atMillis)",
    test: "test/runtime/Deadlines.test.ts",
    title: "I7:"
  },
  {
    guarantee: "I7",
    bug: "a command that somebody else still waits for is called timed out",
    file: "src/internal/envelope.ts",
    find: "return envelope.stage === \"waiting\" && isOverdue(envelope, atMillis)",
    replace: "return envelope.stage === \"waiting\"",
    test: "test/runtime/Deadlines.test.ts",
    title: "I7:"
  },
  {
    guarantee: "I7",
    bug: "what a store dies of is the answer",
    file: "src/internal/supervision.ts",
    find: "  for (const envelope of begun) answer(envelope, failure(new OutcomeUnknown(names)))\n}",
    replace: "  for (const envelope of begun) answer(envelope, Exit.failCause(cause))\n}",
    test: "test/runtime/Certainty.test.ts",
    title: "I7: does not know"
  },
  {
    guarantee: "I7",
    bug: "a command that is begun when the runtime stops is said to be not begun",
    file: "src/internal/supervision.ts",
    find: "  for (const envelope of begun) answer(envelope, failure(new OutcomeUnknown(names)))\n  const",
    replace: "  for (const envelope of begun) answer(envelope, failure(new RuntimeStopping(names)))\n  const",
    test: "test/runtime/Drain.test.ts",
    title: "I7:"
  },
  {
    guarantee: "I15",
    bug: "a snapshot that is newer than its stream is trusted",
    file: "src/internal/replay.ts",
    find: "  if (version > tail.version) return Result.fail(\"newer than its stream\")\n",
    replace: "",
    test: "test/runtime/Snapshots.test.ts",
    title: "I15:"
  },
  {
    guarantee: "I15",
    bug: "a snapshot that other code has folded is trusted",
    file: "src/internal/replay.ts",
    find: "  if (fingerprint !== plan.fingerprint) return Result.fail(\"fingerprint\")\n",
    replace: "",
    test: "test/runtime/Snapshots.test.ts",
    title: "I15:"
  },
  {
    guarantee: "I15",
    bug: "a snapshot whose checksum is wrong is trusted",
    file: "src/internal/replay.ts",
    find: "  if (checksum !== sha256(state)) return Result.fail(\"checksum\")\n",
    replace: "",
    test: "test/runtime/Snapshots.test.ts",
    title: "I15:"
  },
  {
    guarantee: "I17",
    bug: "a caller who leaves takes the waiting command along",
    file: "src/internal/envelope.ts",
    find: "if (index >= 0) envelope.waiters.splice(index, 1)",
    replace: "if (index >= 0) envelope.waiters.splice(index, 1)\n      envelope.deadlineMillis = 0",
    test: "test/runtime/Interruption.test.ts",
    title: "I17:"
  },
  {
    guarantee: "I17",
    bug: "only the first of those who wait for one command is answered",
    file: "src/internal/envelope.ts",
    find: "of envelope.waiters.splice(0)) {",
    replace: "of envelope.waiters.splice(0).slice(0, 1)) {",
    test: "test/runtime/Receipts.test.ts",
    title: "I17:"
  },
  {
    guarantee: "I17",
    bug: "there is a gap between finding the mailbox empty and falling idle",
    file: "src/internal/finish.ts",
    find: "  park(self.residents, resident, elapsedMillis(self.clock))\n",
    replace: "  queueMicrotask(() => park(self.residents, resident, elapsedMillis(self.clock)))\n",
    test: "test/runtime/Passivation.test.ts",
    title: "I17:"
  },
  {
    guarantee: "I7",
    bug: "commands in the mailbox are dropped when the runtime stops",
    file: "src/internal/supervision.ts",
    find: "    if (self.closing && Cause.hasInterruptsOnly(exit.cause)) abandon(self, resident, work)",
    replace: "    if (self.closing && Cause.hasInterruptsOnly(exit.cause)) resident.work = undefined",
    test: "test/runtime/Drain.test.ts",
    title: "I7: past the deadline"
  },
  {
    guarantee: "I17",
    bug: "stopping interrupts what was accepted",
    file: "src/internal/drain.ts",
    find: "    return FiberSet.awaitEmpty(fibers).pipe(",
    replace: "    return FiberSet.clear(fibers).pipe(",
    test: "test/runtime/Drain.test.ts",
    title: "I17:"
  },
  {
    guarantee: "I18",
    bug: "mailboxes are unbounded",
    file: "src/internal/execute.ts",
    find: "if (Resident.waiting(work) >= capacity)",
    replace: "if (Resident.waiting(work) >= capacity * 1_000_000)",
    test: "test/runtime/Mailbox.test.ts",
    title: "I18:"
  },
  {
    guarantee: "I18",
    bug: "`maxActive` is not looked at",
    file: "src/internal/passivation.ts",
    find: "return count < capacity.maxActive || letOldestGo(capacity)",
    replace: "return count < Infinity || letOldestGo(capacity)",
    test: "test/runtime/Passivation.test.ts",
    title: "I18:"
  },
  {
    guarantee: "I21",
    bug: "an aggregate in memory is found by its id alone",
    file: "src/internal/resident.ts",
    find: "  residents.byTenant.get(stream.tenant)?.get(stream.id)",
    replace: "  [...all(residents)].find((resident) => resident.stream.id === stream.id)",
    test: "test/runtime/Context.test.ts",
    title: "I21:"
  },
  {
    guarantee: "I21",
    bug: "what is written beside goes to the default tenant",
    file: "src/internal/verdict.ts",
    find: "const stream = { tenant: given.context.tenant, category, id }",
    replace: "const stream = { tenant: Event.defaultTenant, category, id }",
    test: "test/runtime/Context.test.ts",
    title: "I21:"
  },
  {
    guarantee: "I22",
    bug: "data may be nested as deep as it likes",
    file: "src/internal/codec.ts",
    find: "return isDeeperThan(limits.payloadLevelsMax, made) ?",
    replace: "return isDeeperThan(Infinity, 0) ?",
    test: "test/runtime/HostileInput.test.ts",
    title: "I22:"
  },
  {
    guarantee: "I17",
    bug: "callers of a handler that cannot be interrupted are not answered when it is left behind",
    file: "src/internal/drain.ts",
    find: "  abandonAll(self)\n",
    replace: "",
    test: "test/runtime/Drain.test.ts",
    title: "I17:"
  },
  {
    guarantee: "I22",
    bug: "a `__proto__` key is admitted",
    file: "src/internal/json.ts",
    find: "if (Object.hasOwn(value, \"__proto__\")) return true",
    replace: "",
    test: "test/runtime/HostileInput.test.ts",
    title: "I22:"
  },
  {
    guarantee: "I22",
    bug: "a NUL character is admitted",
    file: "src/internal/json.ts",
    find: "if (escape !== null) return",
    replace: "if (escape !== null && escape[1] !== \"0000\") return",
    test: "test/runtime/HostileInput.test.ts",
    title: "I22:"
  }
]
