/**
 * Bugs in group commit and in deciding ahead, each of which breaks one guarantee.
 */
import type { Mutant } from "./mutant.ts"

export const groups: ReadonlyArray<Mutant> = [
  {
    guarantee: "I1",
    bug: "neighbours are given the failure of a group that one of them is to blame for",
    file: "src/internal/groups.ts",
    find: "if (group.length === 1 || Cause",
    replace: "if (group.length >= 1 || Cause",
    test: "test/runtime/GroupCommit.test.ts",
    title: "I1: in a group"
  },
  {
    guarantee: "I1",
    bug: "a stream may be twice in a group",
    file: "src/internal/groups.ts",
    find: "append.every(({ stream }) => !streams.has(keyOf(stream)))",
    replace: "append.length > 0 || streams.size > 0",
    test: "test/runtime/GroupCommit.test.ts",
    title: "I1: puts"
  },
  {
    guarantee: "I1",
    bug: "only own streams are looked at when a group is formed",
    file: "src/internal/groups.ts",
    find: "for (const { stream } of sent.append) streams.add(keyOf(stream))",
    replace: "streams.add(keyOf(sent.append[0].stream))",
    test: "test/runtime/GroupCommit.test.ts",
    title: "I1: puts"
  },
  {
    guarantee: "I7",
    bug: "a lost group is sent again in another order",
    file: "src/internal/sending.ts",
    find: "      if (!isFirst) return store.append(group)\n",
    replace: "      if (!isFirst) return store.append(group.toReversed())\n",
    test: "test/runtime/GroupCommit.test.ts",
    title: "I7: a group"
  },
  {
    guarantee: "I7",
    bug: "only the first append of a lost group is sent again",
    file: "src/internal/sending.ts",
    find: "      if (!isFirst) return store.append(group)\n",
    replace: "      if (!isFirst) return store.append(group.slice(0, 1))\n",
    test: "test/runtime/GroupCommit.test.ts",
    title: "I7: a group"
  },
  {
    guarantee: "I19",
    bug: "a group in doubt keeps its place among those under way",
    file: "src/internal/groups.ts",
    find: "send(store, group.map(({ append }) => append), leave)",
    replace: "send(store, group.map(({ append }) => append))",
    test: "test/runtime/GroupCommit.test.ts",
    title: "I19:"
  },
  {
    guarantee: "I18",
    bug: "three groups are under way at once",
    file: "src/internal/groups.ts",
    find: "const inFlightMax = 2",
    replace: "const inFlightMax = 3",
    test: "test/runtime/GroupCommit.test.ts",
    title: "I18: lets two groups"
  },
  {
    guarantee: "I18",
    bug: "a group leaves without a look at how many are under way",
    file: "src/internal/groups.ts",
    find: "  if (state.inFlight >= inFlightMax) return\n",
    replace: "",
    test: "test/runtime/GroupCommit.test.ts",
    title: "I18: lets no third"
  },
  {
    guarantee: "I18",
    bug: "a group holds too many events",
    file: "src/internal/groups.ts",
    find: "const groupEventsMax = 512",
    replace: "const groupEventsMax = 5_120",
    test: "test/runtime/GroupCommit.test.ts",
    title: "I18: puts"
  },
  {
    guarantee: "I18",
    bug: "a group holds too many bytes",
    file: "src/internal/groups.ts",
    find: "const groupBytesMax = 4 * 1_024 * 1_024",
    replace: "const groupBytesMax = 40 * 1_024 * 1_024",
    test: "test/runtime/GroupCommit.test.ts",
    title: "I18: puts"
  },
  {
    guarantee: "I18",
    bug: "the bytes of events are not counted in a batch",
    file: "src/internal/batch.ts",
    find: "for (const event of events) bytes += event.bytes",
    replace: "for (const event of events) bytes += event.bytes * 0",
    test: "test/runtime/Speculation.test.ts",
    title: "I18: makes no batch"
  },
  {
    guarantee: "I18",
    bug: "a batch holds too many events",
    file: "src/internal/batch.ts",
    find: "  return batch.events.length + verdict.events.length <= batchMax &&\n",
    replace: "  return batch.events.length + verdict.events.length <= batchMax * 10 &&\n",
    test: "test/runtime/Speculation.test.ts",
    title: "I18: makes no batch"
  },
  {
    guarantee: "I18",
    bug: "a handler whose decision finds no room is run again and again",
    file: "src/internal/aggregateFiber.ts",
    find: "      work.held = envelope\n",
    replace: "",
    test: "test/runtime/Speculation.test.ts",
    title: "I18: runs"
  },
  {
    guarantee: "I17",
    bug: "nobody is told when the answer of the store cannot be understood",
    file: "src/internal/commit.ts",
    find: "    work.writing = batch\n    work.broken",
    replace: "    work.broken",
    test: "test/runtime/GroupCommit.test.ts",
    title: "I17: nobody"
  },
  {
    guarantee: "I17",
    bug: "an aggregate idles while its batch is under way",
    file: "src/internal/finish.ts",
    find: "forming !== undefined || writing !== undefined || running !== undefined",
    replace: "running !== undefined",
    test: "test/runtime/Speculation.test.ts",
    title: "I17:"
  },
  {
    guarantee: "I7",
    bug: "what nobody waits for any more is written all the same",
    file: "src/internal/commit.ts",
    find: "  return envelope.deadlineMillis !== undefined && isOverdue",
    replace: "  return envelope.deadlineMillis === -1 && isOverdue",
    test: "test/runtime/GroupCommit.test.ts",
    title: "I7: leaves"
  },
  {
    guarantee: "I7",
    bug: "what has left with a group is called waiting",
    file: "src/internal/commit.ts",
    find: "for (const { envelope } of batch.entries) envelope.stage = \"begun\"",
    replace: "for (const { envelope } of batch.entries) envelope.stage = \"waiting\"",
    test: "test/runtime/Speculation.test.ts",
    title: "I7: a command that was decided ahead and sent"
  },
  {
    guarantee: "I4",
    bug: "what was decided on a commit stays when another writer was first",
    file: "src/internal/commit.ts",
    find: "  takeApart(work, envelopes.filter((envelope) => !isSpent(envelope)))",
    replace: "  Mailbox.putBack(work.mailbox, envelopes.filter((envelope) => !isSpent(envelope)))",
    test: "test/runtime/Speculation.test.ts",
    title: "I4: what was decided"
  },
  {
    guarantee: "I4",
    bug: "what was decided on a commit stays when the store refuses that",
    file: "src/internal/commit.ts",
    find: "  takeApart(work)\n  return batch.entries.map(({ envelope }) => [envelope, failure(error.value)])",
    replace: "  return batch.entries.map(({ envelope }) => [envelope, failure(error.value)])",
    test: "test/runtime/Speculation.test.ts",
    title: "I4: what was decided"
  },
  {
    guarantee: "I4",
    bug: "a \"no\" that was said ahead is answered at once",
    file: "src/internal/speculation.ts",
    find: "  const given = isCommitted(work) ? answerAtOnce(self, resident, folded, recorded) : undefined\n",
    replace:
      "  const given = recorded.verdict._tag === \"Rejected\" ? reply(recorded.verdict, folded.version, undefined) : undefined\n",
    test: "test/runtime/Speculation.test.ts",
    title: "I4: a \"no\""
  },
  {
    guarantee: "I4",
    bug: "a validated read that was made ahead is answered at once",
    file: "src/internal/speculation.ts",
    find: "  const given = isCommitted(work) ? answerAtOnce(self, resident, folded, recorded) : undefined\n",
    replace:
      "  const given = envelope.command === undefined ? reply(recorded.verdict, folded.version, undefined) : undefined\n",
    test: "test/runtime/Speculation.test.ts",
    title: "I4: a validated read"
  },
  {
    guarantee: "I4",
    bug: "a defect on a state that is not committed is the answer",
    file: "src/internal/speculation.ts",
    find: "  if (recorded._tag !== \"Recorded\") return committed ? alone",
    replace:
      "  if (recorded._tag === \"Died\") {\n    Mailbox.take(work.mailbox)\n    return void finish(self, resident, work, envelope, Exit.failCause(recorded.cause))\n  }\n  if (recorded._tag !== \"Recorded\") return committed ? alone",
    test: "test/runtime/Speculation.test.ts",
    title: "I4: a defect or"
  },
  {
    guarantee: "I4",
    bug: "whose handler runs on what is taken back is put before that",
    file: "src/internal/speculation.ts",
    find: "  if (work.running?.stage === \"begun\") again.push(work.running)\n",
    replace: "",
    test: "test/runtime/Speculation.test.ts",
    title: "I4: decides in the order"
  },
  {
    guarantee: "I3",
    bug: "an `ifVersion` is met by any later version",
    file: "src/internal/speculation.ts",
    find: "(ifVersion !== undefined && ifVersion !== folded.version)",
    replace: "(ifVersion !== undefined && ifVersion > folded.version)",
    test: "test/runtime/Speculation.test.ts",
    title: "I3:"
  },
  {
    guarantee: "I5",
    bug: "a receipt says how many events its command has, not where they end in the batch",
    file: "src/internal/batch.ts",
    find: "batch.receipts.push({ ...receipt, through })",
    replace: "batch.receipts.push(receipt)",
    test: "test/runtime/Speculation.test.ts",
    title: "I5: makes one append"
  },
  {
    guarantee: "I5",
    bug: "the positions of a batch are one too high",
    file: "src/internal/commit.ts",
    find: "position - BigInt(events.length - entry.through)",
    replace: "position - BigInt(events.length - entry.through - 1)",
    test: "test/runtime/Speculation.test.ts",
    title: "I5: makes one append"
  },
  {
    guarantee: "I5",
    bug: "all of a batch are told the position of its last event",
    file: "src/internal/commit.ts",
    find: "position - BigInt(events.length - entry.through)",
    replace: "position",
    test: "test/runtime/Speculation.test.ts",
    title: "I5: makes one append"
  },
  {
    guarantee: "I5",
    bug: "all of a batch are told the version at its end",
    file: "src/internal/batch.ts",
    find: "export const versionOf = ({ base }: Batch, { through }: Entry): Version => base.version + through",
    replace: "export const versionOf = ({ base, events }: Batch, _: Entry): Version => base.version + events.length",
    test: "test/runtime/Speculation.test.ts",
    title: "I5: makes one append"
  },
  {
    guarantee: "I5",
    bug: "who is in a batch with a repeated command is forgotten",
    file: "src/internal/commit.ts",
    find: "  takeApart(work, envelopes.filter((envelope) => receiptOf(envelope) === undefined))",
    replace: "  takeApart(work)",
    test: "test/runtime/Speculation.test.ts",
    title: "I5: a command in a batch that"
  },
  {
    guarantee: "I5",
    bug: "who is in a batch with a repeated command is given its answer",
    file: "src/internal/commit.ts",
    find: "const receiptOf = ({ identity }: Envelope) => identity && found.get(identity.commandId)",
    replace: "const receiptOf = ({ identity }: Envelope) => identity && receipts[0]",
    test: "test/runtime/Speculation.test.ts",
    title: "I5: a command in a batch that"
  },
  {
    guarantee: "I15",
    bug: "a snapshot is made of what is only decided",
    file: "src/internal/commit.ts",
    find: "    resident.folded = batch.tip\n",
    replace: "    resident.folded = (resident.work?.forming ?? batch).tip\n",
    test: "test/runtime/Speculation.test.ts",
    title: "I15:"
  },
  {
    guarantee: "I1",
    bug: "what expects something of another stream takes others along",
    file: "src/internal/batch.ts",
    find: "      write.expected !== \"any\" || isSame",
    replace: "      isSame",
    test: "test/runtime/Speculation.test.ts",
    title: "I1: what expects"
  },
  {
    guarantee: "I1",
    bug: "neighbours are given the defect of a store that dies for one of them",
    file: "src/internal/groups.ts",
    find: "if (group.length === 1 || Cause",
    replace: "if (group.length === 1 || Cause.hasDies(exit.cause) || Cause",
    test: "test/Campaigns.test.ts",
    title: "I1:"
  },
  {
    guarantee: "I1",
    bug: "the answers of a group are given to their neighbours",
    file: "src/internal/groups.ts",
    find: "const status = statuses[index]",
    replace: "const status = statuses[(index + 1) % statuses.length]",
    test: "test/Campaigns.test.ts",
    title: "I1:"
  },
  {
    guarantee: "I17",
    bug: "a command that is out of the mailbox and not yet handled is nowhere",
    file: "src/internal/speculation.ts",
    find: "  work.running = envelope\n",
    replace: "  work.running = undefined\n",
    test: "test/runtime/YieldPoints.test.ts",
    title: "I17"
  },
  {
    guarantee: "I7",
    bug: "what has left with a group when the runtime stops is said to be not begun",
    file: "src/internal/supervision.ts",
    find: "  const begun = work.writing?.entries.map(({ envelope }) => envelope) ?? []",
    replace:
      "  const begun: Array<Envelope> = []\n  for (const { envelope } of work.writing?.entries ?? []) {\n    dismiss(self, resident, work, envelope, failure(new RuntimeStopping(where(resident.stream))))\n  }",
    test: "test/runtime/YieldPoints.test.ts",
    title: "I7"
  },
  {
    guarantee: "I15",
    bug: "a snapshot is made of what waits behind the commit",
    file: "src/internal/commit.ts",
    find: "    resident.folded = batch.tip\n",
    replace: "    resident.folded = (resident.work?.forming ?? batch).tip\n",
    test: "test/runtime/YieldPoints.test.ts",
    title: "I15"
  },
  {
    guarantee: "I5",
    bug: "a receipt is kept for the first command of a batch alone",
    file: "src/internal/batch.ts",
    find: "for (const receipt of receipts) batch.receipts.push({ ...receipt, through })",
    replace:
      "for (const receipt of receipts) if (batch.receipts.length === 0) batch.receipts.push({ ...receipt, through })",
    test: "test/runtime/YieldPoints.test.ts",
    title: "I5"
  },
  {
    guarantee: "I17",
    bug: "whoever is told of a defect and tries again takes the place of those who wait",
    file: "src/internal/supervision.ts",
    find: "  if (resident.work === undefined && Mailbox.size(work.mailbox) > 0) start(self, resident, work.mailbox)\n",
    replace:
      "  queueMicrotask(() => {\n    if (resident.work === undefined && Mailbox.size(work.mailbox) > 0) start(self, resident, work.mailbox)\n  })\n",
    test: "test/runtime/Speculation.test.ts",
    title: "I17:"
  }
]
