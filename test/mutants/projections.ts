/**
 * Bugs in what follows the log.
 */
import type { Mutant } from "./mutant.ts"

const crashes = "test/projections/Crashes.test.ts"
const failures = "test/projections/Failures.test.ts"
const rebuilds = "test/projections/Rebuilds.test.ts"
const shown = "test/projections/Shown.test.ts"
const switches = "test/projections/Switches.test.ts"
const life = "test/projections/Life.test.ts"
const targets = "test/projections/Targets.test.ts"
const views = "test/projections/Views.test.ts"

export const projections: ReadonlyArray<Mutant> = [
  {
    guarantee: "I14",
    bug: "a document that its handler changes in place is taken for unchanged",
    file: "src/internal/documentForm.ts",
    find: "return Result.map(isSame ? data : Result.flatMap(data, decode), frozen)",
    replace: "return isSame ? data : Result.flatMap(data, decode)",
    test: "test/projections/Views.test.ts",
    title: "changes its document in place"
  },
  {
    guarantee: "I11",
    bug: "the next event finds what a handler has returned, and not what is kept of it",
    file: "src/internal/viewApplier.ts",
    find: "const next = keep(form, cached, handle(form.open(cached.document), delivery.event, delivery))",
    replace: "const next = handle(form.open(cached.document), delivery.event, delivery)",
    test: "test/projections/Documents.test.ts",
    title: "I11: is not given"
  },
  {
    guarantee: "I11",
    bug: "what is no plain object is taken for one that can be frozen",
    file: "src/internal/documentForm.ts",
    find: "(ast) => !SchemaAST.isDeclaration(ast))",
    replace: "() => true)",
    test: "test/projections/Documents.test.ts",
    title: "I11:"
  },
  {
    guarantee: "I9",
    bug: "following begins behind the event that comes after the checkpoint",
    file: "src/internal/pursuit.ts",
    find: "feed(reader, chain.position)",
    replace: "feed(reader, chain.position + 1n)",
    test: life,
    title: "I9"
  },
  {
    guarantee: "I9",
    bug: "a page is taken for the whole log",
    file: "src/internal/digest.ts",
    find: "const isLast = part.length === events.length",
    replace:
      "const isLast = part.length === events.length\n    if (page.events.length > 3) page = { ...page, position: page.head }",
    test: life,
    title: "I9"
  },
  {
    guarantee: "I11",
    bug: "documents are written before the checkpoint, and not with it",
    file: "src/internal/digest.ts",
    find: "Effect.map(advance(chain, reached, head, work), () => {",
    replace: "Effect.map(Effect.andThen(work, advance(chain, reached, head, Effect.void)), () => {",
    test: crashes,
    title: "I11: views"
  },
  {
    guarantee: "I11",
    bug: "documents are remembered from before somebody else worked on them",
    file: "src/internal/pursuit.ts",
    find: "      reader.applier.forget()\n",
    replace: "",
    test: crashes,
    title: "I12"
  },
  {
    guarantee: "I11",
    bug: "what was committed is not told from what was not",
    file: "src/internal/viewApplier.ts",
    find: "      for (const cached of touched) cached.committed = cached.document\n",
    replace: "",
    test: crashes,
    title: "I11: views"
  },
  {
    guarantee: "I11",
    bug: "a document that is not in memory is taken for one that is not there",
    file: "src/internal/viewApplier.ts",
    find: "if (!cached.loaded) missing.push(cached)",
    replace: "if (!cached.loaded) cached.loaded = true",
    test: crashes,
    title: "I11: views"
  },
  {
    guarantee: "I11",
    bug: "two partitions fill the same documents",
    file: "src/internal/partitions.ts",
    find: "  partitions === 1 || (add(add(basis, tenant), key) >>> 0) % partitions === partition",
    replace: "  partitions === 1 || (add(add(basis, tenant), key) >>> 0) % partitions !== partition",
    test: life,
    title: "I11"
  },
  {
    guarantee: "I11",
    bug: "a stream is taken back beyond the checkpoint, and its events are worked off again",
    file: "src/internal/handBack.ts",
    find: "      if (stored.position > upTo) return due\n",
    replace: "",
    test: failures,
    title: "I14, I11"
  },
  {
    guarantee: "I14",
    bug: "a letter is left of what was worked off",
    file: "src/internal/handBack.ts",
    find: "next?.position === at.position ? Effect.void : letters.remove(letterId, at.position)",
    replace: "Effect.void",
    test: failures,
    title: "I14, I11"
  },
  {
    guarantee: "I11",
    bug: "a step leaves the letter of what it has done",
    file: "src/internal/stepping.ts",
    find: "Effect.andThen(work, letters.remove(reader.letterId, position))",
    replace: "Effect.tap(work, () => Effect.succeed(letters))",
    test: failures,
    title: "I11: is applied once, and its letter"
  },
  {
    guarantee: "I11",
    bug: "a letter that somebody else has settled is settled again",
    file: "src/internal/handBack.ts",
    find: "found === undefined || found === false",
    replace: "found === null",
    test: failures,
    title: "I11: is applied once when two"
  },
  {
    guarantee: "I14",
    bug: "two do by hand what the other one is doing",
    file: "src/internal/holding.ts",
    find: "reader.byHand.withPermit(effect) : effect",
    replace: "effect : reader.byHand.withPermit(effect)",
    test: targets,
    title: "I14: is done once when two"
  },
  {
    guarantee: "I9",
    bug: "an operator cuts off what is being done in the world",
    file: "src/internal/tenure.ts",
    find: "    return idle([reader], progress)\n",
    replace: "    return Effect.void\n",
    test: targets,
    title: "I9: is finished once it was begun"
  },
  {
    guarantee: "I9",
    bug: "what was done in the world is forgotten where somebody has paused it meanwhile",
    file: "src/internal/digest.ts",
    find: "if (reader.running.target._tag !== \"Effect\") return advanced",
    replace: "if (to >= 0n) return advanced",
    test: targets,
    title: "I9: is finished once it was begun"
  },
  {
    guarantee: "I14",
    bug: "SQL that interrupts itself is tried again for ever",
    file: "src/internal/sqlApplier.ts",
    find: "    const error = Cause.squash(cause)\n",
    replace: "    if (Cause.hasInterrupts(cause)) return Effect.interrupt\n    const error = Cause.squash(cause)\n",
    test: targets,
    title: "I14: leaves a letter of what returns no Effect"
  },
  {
    guarantee: "I14",
    bug: "what cannot be made a text of ends the reader, and has no letter",
    file: "src/internal/codec.ts",
    find: "isObject(error) ? shown(error) : String(error)",
    replace: "String(error)",
    test: failures,
    title: "I14: has a letter that says why"
  },
  {
    guarantee: "I9",
    bug: "an effect begins when it has its lease",
    file: "src/ProjectionRunner.ts",
    find: "      if (!isIdle) yield* beginNow(running)\n",
    replace: "      void beginNow\n",
    test: targets,
    title: "I9: leaves out nothing"
  },
  {
    guarantee: "I11",
    bug: "a document is given an event as often as its key is named",
    file: "src/internal/viewApplier.ts",
    find: "new Set(keys)",
    replace: "keys",
    test: "test/projections/Keys.test.ts",
    title: "I11: gives a document"
  },
  {
    guarantee: "I11",
    bug: "an inline document is given an event as often as its key is named",
    file: "src/internal/inlineView.ts",
    find: "[...new Set(keys)]",
    replace: "[...keys]",
    test: "test/projections/Keys.test.ts",
    title: "I11: gives a document"
  },
  {
    guarantee: "I12",
    bug: "who was overtaken goes on from where the other one is",
    file: "src/internal/chain.ts",
    find: "ledger.advance({ id: reader.id, revision, to, epoch }, all)",
    replace:
      "Effect.flatMap(ledger.get(reader.id), (now) => ledger.advance({ id: reader.id, revision: now?.revision ?? revision, to, epoch }, all))",
    test: crashes,
    title: "I12"
  },
  {
    guarantee: "I12",
    bug: "nobody waits for a lease",
    file: "src/internal/tenure.ts",
    find: "({ holder }) => holder === own.holder",
    replace: "() => true",
    test: life,
    title: "I12"
  },
  {
    guarantee: "I14",
    bug: "an event is skipped without a letter",
    file: "src/internal/digest.ts",
    find: "return yield* pastIt(chain, position, head, put)",
    replace: "return yield* pastIt(chain, position, head, Effect.void)",
    test: failures,
    title: "I14: is passed over"
  },
  {
    guarantee: "I14",
    bug: "a projection is paused without a letter",
    file: "src/internal/chain.ts",
    find: "Effect.andThen(ledger.advance({ id, revision, to, epoch }, letter), ledger.pause(id, reason, epoch))",
    replace:
      "Effect.andThen(ledger.advance({ id, revision, to, epoch }, Effect.void), ledger.pause(id, reason, epoch))",
    test: failures,
    title: "I14: pauses"
  },
  {
    guarantee: "I14",
    bug: "a projection is paused behind the event that failed",
    file: "src/internal/digest.ts",
    find: "position - 1n,",
    replace: "position,",
    test: failures,
    title: "I14: pauses"
  },
  {
    guarantee: "I14",
    bug: "what an event did before it failed stays",
    file: "src/internal/viewApplier.ts",
    find: "      return rerun(form, steps, touched, index)\n",
    replace: "      return\n",
    test: failures,
    title: "I14: pauses"
  },
  {
    guarantee: "I14",
    bug: "a stream is parked from the next page on only",
    file: "src/internal/digest.ts",
    find: "events = wanted(chain, events.slice(done.count + 1))",
    replace: "events = events.slice(done.count + 1)",
    test: failures,
    title: "I14, I11"
  },
  {
    guarantee: "I11",
    bug: "whoever takes a stream back finds a checkpoint before what was passed over with it",
    file: "src/internal/digest.ts",
    find: "if (passesOver(chain, page) ||",
    replace: "if ((passesOver(chain, page) && chain.seen < 0n) ||",
    test: failures,
    title: "I14, I11: whoever"
  },
  {
    guarantee: "I14",
    bug: "an event of a newer build is like any that fails",
    file: "src/internal/digest.ts",
    find: "  reason === \"SchemaTooNew\"\n",
    replace: "  String(reason) === \"\"\n",
    test: failures,
    title: "I14: waits"
  },
  {
    guarantee: "I14",
    bug: "all of the events are blamed for one of them",
    file: "src/internal/digest.ts",
    find: "done.unfit !== undefined && part.length > 1",
    replace: "done.unfit === undefined && part.length > 1 && false",
    test: failures,
    title: "I14: is found"
  },
  {
    guarantee: "I14",
    bug: "a document that cannot be read is written over",
    file: "src/internal/viewApplier.ts",
    find: "      if (cached.problem !== undefined) throw new Error(cached.problem)\n",
    replace: "",
    test: views,
    title: "I14"
  },
  {
    guarantee: "I14",
    bug: "an effect that fails is taken for done",
    file: "src/internal/effectApplier.ts",
    find: "if (Exit.isFailure(exit)) return handlerFailed(Cause.squash(exit.cause))",
    replace: "if (Exit.isFailure(exit)) void handlerFailed(Cause.squash(exit.cause))",
    test: targets,
    title: "I14: is tried"
  },
  {
    guarantee: "I16",
    bug: "a new version is read before it has caught up",
    file: "src/internal/chain.ts",
    find: "  if (to < head) return undefined\n",
    replace: "  if (to < head - 5n) return undefined\n",
    test: switches,
    title: "I16: is never read"
  },
  {
    guarantee: "I16",
    bug: "who has the new code reads the new version from its first day",
    file: "src/internal/viewReads.ts",
    find: "Math.min(live?.version ?? view.version, view.version)",
    replace: "live === undefined ? view.version : view.version",
    test: rebuilds,
    title: "I16: is filled"
  },
  {
    guarantee: "I16",
    bug: "a new version takes over when one of its partitions has caught up",
    file: "src/internal/chain.ts",
    find: "  if (partitions === 1) return",
    replace: "  if (partitions < 1_000) return",
    test: rebuilds,
    title: "I16: is read"
  },
  {
    guarantee: "I16",
    bug: "a new version takes over though a partition lacks what came while it was late",
    file: "src/internal/chain.ts",
    find: "nowMillis - mark.atMillis < markMillis ?",
    replace: "nowMillis >= mark.atMillis ?",
    test: switches,
    title: "I16: is not read while"
  },
  {
    guarantee: "I16",
    bug: "who is at the end of the log does not notice that an operator has unpinned",
    file: "src/internal/tenure.ts",
    find: "  if (yield* mayLead(reader)) Attention.call(reader.attention)\n",
    replace: "  yield* mayLead(reader)\n",
    test: switches,
    title: "I16: is read soon"
  },
  {
    guarantee: "I16",
    bug: "changes are told of a version that nobody reads, and not of the one that is read",
    file: "src/internal/liveVersions.ts",
    find: " shown(known, own) === own",
    replace: " known === undefined || known.version <= own",
    test: switches,
    title: "I16: is told of"
  },
  {
    guarantee: "I16",
    bug: "who waits for a view waits for another version than he is answered from",
    file: "src/internal/waits.ts",
    find: "(now) => LiveVersions.shown(now, definition.version)",
    replace: "() => definition.version",
    test: shown,
    title: "I16: after a rollback"
  },
  {
    guarantee: "I16",
    bug: "who waits for a view is answered from the version that was read a second ago",
    file: "src/internal/waits.ts",
    find: "versionOf(awaited, LiveVersions.refresh)",
    replace: "versionOf(awaited, LiveVersions.current)",
    test: shown,
    title: "I16: as soon as the version"
  },
  {
    guarantee: "I16",
    bug: "what was an older build's to work on is waited for there",
    file: "src/internal/waits.ts",
    find: "isLeased && state !== \"standby\"",
    replace: "(isLeased || !isLeased) && state !== \"standby\"",
    test: shown,
    title: "I16: of a worker"
  },
  {
    guarantee: "I16",
    bug: "what an operator has pinned is not left alone",
    file: "src/internal/liveVersions.ts",
    find: "live === undefined || live.pinned || live.version",
    replace: "live === undefined || live.version",
    test: rebuilds,
    title: "I16: does not"
  },
  {
    guarantee: "I16",
    bug: "a version is rolled back to as it was left",
    file: "src/internal/upkeep.ts",
    find: "if (isInline || checkpoints.every(({ position }) => position >= head)) {",
    replace: "if (checkpoints.length > 0) {",
    test: rebuilds,
    title: "I16: gives way"
  },
  {
    guarantee: "I16",
    bug: "a version is rolled back to that lacks little",
    file: "src/internal/upkeep.ts",
    find: "position >= head)) {",
    replace: "position + 10n >= head)) {",
    test: switches,
    title: "I16: is not gone back to"
  },
  {
    guarantee: "I19",
    bug: "a store that was away is not asked again",
    file: "src/internal/tenure.ts",
    find: "return Effect.andThen(complain(reader, failure), retry(reader, failure.message))",
    replace: "return Effect.never",
    test: crashes,
    title: "I19"
  },
  {
    guarantee: "I19",
    bug: "nobody looks whether a reader stands still",
    file: "src/internal/tenure.ts",
    find: "        watch(reader)\n",
    replace: "        Effect.never\n",
    test: life,
    title: "I19"
  },
  {
    guarantee: "I19",
    bug: "who waits for events does not notice that his checkpoint was moved",
    file: "src/internal/tenure.ts",
    find: "  if (isOther) Attention.call(reader.attention)\n",
    replace: "  void isOther\n",
    test: life,
    title: "I19: is reset by"
  },
  {
    guarantee: "I20",
    bug: "another life of the log is taken for this one",
    file: "src/internal/chain.ts",
    find: "  if (checkpoint.epoch !== epoch) {",
    replace: "  if (checkpoint.epoch === \"\") {",
    test: life,
    title: "I20"
  }
]
