/** Deciding ahead: what waits behind a commit is decided on the state that it leads to, and everybody is told the truth. */
import { assert, it } from "@effect/vitest"
import { Context, Effect, Exit, Fiber, Layer, Schema } from "effect"
import { TestClock } from "effect/testing"
import { limits } from "../../src/Admission.ts"
import * as Aggregate from "../../src/Aggregate.ts"
import { type HandleOptions, MailboxFull, type Settings, VersionConflict } from "../../src/AggregateHost.ts"
import type * as AggregateRuntime from "../../src/AggregateRuntime.ts"
import * as Event from "../../src/Event.ts"
import * as FaultySnapshotStore from "../../src/testing/FaultySnapshotStore.ts"
import * as FaultyStore from "../../src/testing/FaultyStore.ts"
import { answerOf, answersOf, fork, metric, reasonOf, start, storedIn, tagOf } from "../fixtures/Runtimes.ts"
import { SentGroups, watchedSharedStores, watchedStores } from "../fixtures/SentGroups.ts"

const { lostAfter, lostBefore, unavailable } = FaultyStore
const { decide } = Aggregate

const range = (length: number) => Array.from({ length }, (_, index) => index)

const Noted = Event.union({ Noted: { word: Schema.String } })
const noted = (word: string) => Noted.cases.Noted.make({ word })

class Known extends Schema.TaggedError<Known>()("Known", { word: Schema.String }) {}

const Word = { payload: { word: Schema.String }, success: Schema.Array(Schema.String), error: Known }

/** A list of words, none of them twice. Each command answers what the list was before it. */
class Lists extends Aggregate.Service<Lists>()("List", {
  state: Schema.Array(Schema.String),
  events: Noted,
  commands: [
    Aggregate.command("note", Word),
    /** The same, by a handler that is an Effect. */
    Aggregate.command("noteSlowly", Word),
    /** The same, and it may run ahead. */
    Aggregate.command("noteAhead", { ...Word, speculative: true }),
    /** Notes as many words as it says. */
    Aggregate.command("noteMany", { payload: { count: Schema.Int, bytes: Schema.Int } }),
    /** Notes it on another list too, which has to be as expected. */
    Aggregate.command("noteBoth", { payload: { word: Schema.String, to: Schema.String, expected: Schema.Int } }),
    /** Notes it on another list too, whatever that holds. */
    Aggregate.command("copy", { payload: { word: Schema.String, to: Schema.String } }),
    /** Dies unless the list holds the word. */
    Aggregate.command("demand", { payload: { word: Schema.String } })
  ]
}) {}

/** What an Effect waits for, and what was decided when on what. */
class Watch extends Context.Service<Watch, {
  readonly before: (word: string) => Effect.Effect<void>
  readonly decided: Array<string>
}>()("test/Watch") {}

const notes = (word: string, state: ReadonlyArray<string>) =>
  state.includes(word) ? new Known({ word }) : decide([noted(word)], { reply: state })

interface Given {
  readonly payload: { readonly word: string }
  readonly state: ReadonlyArray<string>
}

const slowly = Effect.fnUntraced(function*({ payload: { word }, state }: Given) {
  const { before, decided } = yield* Watch
  decided.push(`${word} on ${state.join("")}`)
  yield* before(word)
  return yield* state.includes(word) ? new Known({ word }) : Effect.succeed(decide([noted(word)], { reply: state }))
})

const startLists = Effect.fnUntraced(function*(
  settings: Settings = {},
  before: (word: string) => Effect.Effect<void> = () => Effect.void,
  options: AggregateRuntime.Options = {}
) {
  const decided: Array<string> = []
  const live = Lists.toLayer({
    initial: [],
    evolve: { Noted: (words, { word }) => [...words, word] },
    handlers: {
      note: ({ payload: { word }, state }) => {
        decided.push(`${word} on ${state.join("")}`)
        return notes(word, state)
      },
      noteSlowly: slowly,
      noteAhead: slowly,
      noteMany: ({ payload: { bytes, count } }) => decide(range(count).map(() => noted("w".repeat(bytes)))),
      noteBoth: ({ payload: { expected, to, word } }) =>
        decide([noted(word)], { also: [Lists.write(to, [noted(word)], { expected })] }),
      copy: ({ payload: { to, word } }) => decide([noted(word)], { also: [Lists.write(to, [noted(word)])] }),
      demand: ({ payload: { word }, state }) => {
        decided.push(`demand ${word} on ${state.join("")}`)
        if (!state.includes(word)) throw new Error(`no ${word}`)
        return decide([])
      }
    }
  }, { drainDeadline: 0, ...settings })
  const lists = yield* start(Lists, Layer.provide(live, Layer.succeed(Watch, { before, decided })), options)
  // In memory already: what comes next is decided at once.
  yield* lists.state("a")
  return { decided, lists, of: (options: HandleOptions = {}) => lists.of("a", options) }
})

/** Handlers that a test leaves out. */
const untouched = {
  noteSlowly: () => decide([], { reply: [] }),
  noteAhead: () => decide([], { reply: [] }),
  noteMany: () => decide([]),
  noteBoth: () => decide([]),
  copy: () => decide([]),
  demand: () => decide([])
}

const streamOf = (id: string): Event.StreamId => ({ tenant: Event.defaultTenant, category: "List", id })
const wordsIn = (id: string) =>
  Effect.map(storedIn(streamOf(id)), (events) => events.map(({ data }) => JSON.parse(data).word))

/** Another writer's words on list "a". */
const foreignWords = (...words: ReadonlyArray<string>) => Lists.write("a", words.map(noted))

/** Holds the next append before it is made. */
const holdNext = Effect.gen(function*() {
  const gate = yield* FaultyStore.gate
  yield* (yield* FaultyStore.FaultyStore).next("append", gate.before)
  return gate
})

it.effect(
  "I5: makes one append of what waits behind a commit, and every answer names its own version and position",
  Effect.fnUntraced(function*() {
    const { inner } = yield* FaultyStore.FaultyStore
    const { all, shapes } = yield* SentGroups
    const { decided, lists } = yield* startLists()
    // From the first answer on it is known that this command's handler is no Effect.
    yield* lists.of("z").copy({ word: "0", to: "y" })
    const gate = yield* holdNext
    const send = (word: string, commandId?: string) =>
      fork(lists.of("a", { commandId, returning: "commit" }).note({ word }))
    const first = yield* send("1")
    const callers = [yield* send("2", "c2"), yield* send("3"), yield* send("4", "c4")]
    const read = yield* fork(lists.state("a"))
    const copying = yield* fork(lists.of("a", { returning: "commit" }).copy({ word: "5", to: "b" }))
    const last = yield* send("6", "c6")
    assert.deepStrictEqual(decided, ["1 on ", "2 on 1", "3 on 12", "4 on 123", "6 on 12345"])
    assert.deepStrictEqual(shapes().slice(1), [["a+1"]])
    yield* gate.open
    assert.deepStrictEqual((yield* answerOf(first)).reply, [])
    const answers = yield* answersOf([...callers, last])
    assert.deepStrictEqual(answers.map(({ reply }) => reply.length), [1, 2, 3, 5])
    assert.deepStrictEqual(answers.map(({ version }) => version), [2, 3, 4, 6])
    assert.deepStrictEqual(answers.map(({ position }) => position), [4n, 5n, 6n, 8n])
    assert.deepStrictEqual(yield* answerOf(read), ["1", "2", "3", "4"])
    const { position, version } = yield* answerOf(copying)
    assert.deepStrictEqual([version, position], [5, 7n])
    assert.deepStrictEqual(shapes().slice(1), [["a+1"], ["a+5&b+1"]])
    assert.lengthOf(decided, 5)
    // Whoever repeats a command is told the same.
    for (const [n, commandId] of [[0, "c2"], [2, "c4"], [3, "c6"]] as const) {
      const receipt = yield* inner.receipt(streamOf("a"), commandId)
      assert.deepStrictEqual([receipt?.version, receipt?.position], [answers[n]!.version, answers[n]!.position])
    }
    const receipts = all[2]![0]![0].receipts.map(({ events, through }) => [events, through])
    assert.deepStrictEqual(receipts, [[1, 1], [1, 3], [1, 5]])
  }, Effect.provide(watchedStores))
)

it.effect(
  "shows a handler the version that goes with its state, also ahead of the commit",
  Effect.fnUntraced(function*() {
    const versions: Array<readonly [number, number]> = []
    const live = Lists.toLayer({
      initial: [],
      evolve: { Noted: (words, { word }) => [...words, word] },
      handlers: {
        ...untouched,
        note: ({ payload: { word }, state, version }) => {
          versions.push([version, state.length])
          return decide([noted(word), noted(`${word}!`)], { reply: state })
        }
      }
    }, { drainDeadline: 0 })
    const lists = yield* start(Lists, live)
    yield* lists.state("a")
    const gate = yield* holdNext
    const callers = yield* Effect.forEach(["1", "2", "3"], (word) => fork(lists.of("a").note({ word })))
    yield* gate.open
    yield* answersOf(callers)
    assert.deepStrictEqual(versions, [[0, 0], [2, 2], [4, 4]])
  }, Effect.provide(watchedStores))
)

/** What may become of the first append, and what is then on the list when the others are decided again. */
const failures = [
  ["the store is out of reach", unavailable, "StoreUnavailable", []],
  ["the store dies of it", () => Effect.die("a bug of the adapter"), "OutcomeUnknown", []],
  ["the store dies once it has written it", FaultyStore.diesAfter("a bug of the adapter"), "OutcomeUnknown", ["1"]]
] as const

for (const [what, fault, reason, before] of failures) {
  for (const commandIds of [false, true]) {
    it.effect(
      `I4: what was decided on a commit is decided again, in order, if ${what}${commandIds ? ", with ids" : ""}`,
      Effect.fnUntraced(function*() {
        const { next } = yield* FaultyStore.FaultyStore
        const { decided, of } = yield* startLists()
        const gate = yield* FaultyStore.gate
        yield* next("append", [gate.before, fault])
        const options = (commandId: string) => (commandIds ? { commandId } : {})
        const first = yield* fork(tagOf(of(options("c1")).note({ word: "1" })))
        const second = yield* fork(of(options("c2")).note({ word: "2" }))
        const known = yield* fork(Effect.exit(of(options("c3")).note({ word: "1" })))
        const third = yield* fork(of(options("c4")).note({ word: "3" }))
        assert.deepStrictEqual(decided, ["1 on ", "2 on 1", "1 on 12", "3 on 12"])
        yield* gate.open
        assert.strictEqual(yield* answerOf(first), reason)
        assert.deepStrictEqual(yield* answerOf(second), before)
        const now = [...before, "2"]
        const again = before.length === 0 ? Exit.succeed(now) : Exit.fail(new Known({ word: "1" }))
        assert.deepStrictEqual(yield* answerOf(known), again as typeof again & Exit.Exit<never, never>)
        const words = [...now, ...before.length === 0 ? ["1"] : []]
        assert.deepStrictEqual(yield* answerOf(third), words)
        assert.deepStrictEqual(yield* wordsIn("a"), [...words, "3"])
      }, Effect.provide(watchedStores))
    )
  }
}

it.effect(
  "I4: what was decided on a commit is decided again, with it and in order, if another writer was first",
  Effect.fnUntraced(function*() {
    const { next, overtakenBy } = yield* FaultyStore.FaultyStore
    const { decided, of } = yield* startLists()
    const gate = yield* FaultyStore.gate
    yield* next("append", [gate.before, overtakenBy(foreignWords("2", "x"))])
    const first = yield* fork(of().note({ word: "1" }))
    const second = yield* fork(Effect.flip(of().note({ word: "2" })))
    const third = yield* fork(of().note({ word: "3" }))
    yield* gate.open
    assert.deepStrictEqual(yield* answerOf(first), ["2", "x"])
    assert.deepStrictEqual(yield* answerOf(second), new Known({ word: "2" }))
    assert.deepStrictEqual(yield* answerOf(third), ["2", "x", "1"])
    assert.deepStrictEqual(decided, ["1 on ", "2 on 1", "3 on 12", "1 on 2x", "2 on 2x1", "3 on 2x1"])
    assert.deepStrictEqual(yield* wordsIn("a"), ["2", "x", "1", "3"])
  }, Effect.provide(watchedStores))
)

it.effect(
  "I4: what was decided on a commit is decided again if the store refuses that, and another writer takes its place",
  Effect.fnUntraced(function*() {
    const { next, overtakenBy } = yield* FaultyStore.FaultyStore
    const { of } = yield* startLists()
    const gate = yield* FaultyStore.gate
    // The version is as if the first had been written, and the state is not.
    yield* next("append", [gate.before, overtakenBy(foreignWords("x")), unavailable])
    const first = yield* fork(tagOf(of().note({ word: "1" })))
    const second = yield* fork(of().note({ word: "2" }))
    yield* gate.open
    assert.strictEqual(yield* answerOf(first), "StoreUnavailable")
    assert.deepStrictEqual(yield* answerOf(second), ["x"])
  }, Effect.provide(watchedStores))
)

it.effect(
  "I17: what was decided on a commit is not forgotten when the store dies of that, and its caller tries again at once",
  Effect.fnUntraced(function*() {
    const { next } = yield* FaultyStore.FaultyStore
    const { of } = yield* startLists()
    const gate = yield* FaultyStore.gate
    yield* next("append", [gate.before, () => Effect.die("a bug of the adapter")])
    const retried = Effect.retry(of({ commandId: "c1" }).note({ word: "1" }), { times: 1 })
    const first = yield* fork(retried)
    const second = yield* fork(of().note({ word: "2" }))
    const third = yield* fork(of().note({ word: "3" }))
    yield* gate.open
    assert.deepStrictEqual(yield* answersOf([second, third, first]), [[], ["2"], ["2", "3"]])
    assert.deepStrictEqual(yield* wordsIn("a"), ["2", "3", "1"])
  }, Effect.provide(watchedStores))
)

it.effect(
  "I7: nothing that was decided on a lost append leaves before that is settled, and then it need not be decided again",
  Effect.fnUntraced(function*() {
    const { always, heal } = yield* FaultyStore.FaultyStore
    const { shapes } = yield* SentGroups
    const { decided, of } = yield* startLists()
    yield* always("append", lostBefore)
    const first = yield* fork(of().note({ word: "1" }))
    const second = yield* fork(of({ commandId: "c" }).note({ word: "2" }))
    const third = yield* fork(of().note({ word: "3" }))
    yield* TestClock.adjust("10 seconds")
    assert.deepStrictEqual(new Set(shapes().flat()), new Set(["a+1"]))
    yield* heal
    yield* TestClock.adjust("2 seconds")
    assert.deepStrictEqual(yield* answersOf([first, second, third]), [[], ["1"], ["1", "2"]])
    assert.deepStrictEqual(shapes().at(-1), ["a+2"])
    assert.lengthOf(decided, 3)
  }, Effect.provide(watchedStores))
)

for (const [when, fault] of [["before", lostBefore], ["after", lostAfter]] as const) {
  it.effect(
    `I5: a batch of commands with and without ids that was lost ${when} it was written takes effect once`,
    Effect.fnUntraced(function*() {
      const { next } = yield* FaultyStore.FaultyStore
      const { shapes } = yield* SentGroups
      const { lists } = yield* startLists()
      const gate = yield* holdNext
      const first = yield* fork(lists.of("a").note({ word: "1" }))
      const send = (word: string, commandId?: string) =>
        fork(lists.of("a", { commandId, returning: "commit" }).note({ word }))
      const batch = [yield* send("2", "c2"), yield* send("3"), yield* send("4", "c4")]
      const no = yield* fork(Effect.flip(lists.of("a", { commandId: "c5" }).note({ word: "3" })))
      yield* next("append", fault)
      yield* gate.open
      yield* answerOf(first)
      yield* TestClock.adjust("1 second")
      const answers = yield* answersOf(batch)
      assert.deepStrictEqual(answers.map(({ version }) => version), [2, 3, 4])
      assert.deepStrictEqual(answers.map(({ position }) => position), [2n, 3n, 4n])
      assert.deepStrictEqual(yield* answerOf(no), new Known({ word: "3" }))
      assert.deepStrictEqual(shapes(), [["a+1"], ["a+3"], ["a+3"]])
      assert.deepStrictEqual(yield* wordsIn("a"), ["1", "2", "3", "4"])
      const again = yield* lists.of("a", { commandId: "c4", returning: "commit" }).note({ word: "4" })
      assert.deepStrictEqual(again, { ...answers[2]!, duplicate: true })
    }, Effect.provide(watchedStores))
  )
}

for (const [name, layer] of [["owns its log", watchedStores], ["others write to", watchedSharedStores]] as const) {
  it.effect(
    `I4: a "no" that was said ahead waits for what it was said of, in a store that ${name}`,
    Effect.fnUntraced(function*() {
      const { next } = yield* FaultyStore.FaultyStore
      const { of } = yield* startLists()
      const gate = yield* FaultyStore.gate
      yield* next("append", [gate.before, unavailable])
      const first = yield* fork(tagOf(of().note({ word: "1" })))
      const no = yield* fork(Effect.exit(of().note({ word: "1" })))
      assert.isUndefined(no.pollUnsafe())
      yield* gate.open
      assert.strictEqual(yield* answerOf(first), "StoreUnavailable")
      // The word is not known after all.
      assert.deepStrictEqual(yield* answerOf(no), Exit.succeed([]))
      assert.deepStrictEqual(yield* wordsIn("a"), ["1"])
    }, Effect.provide(layer))
  )

  it.effect(
    `I4: a validated read that was made ahead waits for what it saw, in a store that ${name}`,
    Effect.fnUntraced(function*() {
      const { next } = yield* FaultyStore.FaultyStore
      const { lists, of } = yield* startLists()
      const gate = yield* FaultyStore.gate
      yield* next("append", [gate.before, unavailable])
      const first = yield* fork(tagOf(of().note({ word: "1" })))
      const read = yield* fork(lists.state("a"))
      assert.isUndefined(read.pollUnsafe())
      yield* gate.open
      assert.strictEqual(yield* answerOf(first), "StoreUnavailable")
      assert.deepStrictEqual(yield* answerOf(read), [])
    }, Effect.provide(layer))
  )

  it.effect(
    `I4: a defect or a refusal on a state that came to nothing is not the answer, in a store that ${name}`,
    Effect.fnUntraced(function*() {
      const { next, overtakenBy } = yield* FaultyStore.FaultyStore
      const { decided, lists, of } = yield* startLists()
      // From the first answer on it is known that this command's handler is no Effect.
      yield* Effect.exit(lists.of("z").demand({ word: "x" }))
      const gate = yield* FaultyStore.gate
      yield* next("append", [gate.before, overtakenBy(foreignWords("x"))])
      const first = yield* fork(of().note({ word: "1" }))
      const demand = yield* fork(Effect.exit(of({ commandId: "d" }).demand({ word: "x" })))
      const behind = yield* fork(of().note({ word: "2" }))
      assert.strictEqual(decided.at(-1), "demand x on 1")
      assert.isUndefined(demand.pollUnsafe())
      yield* gate.open
      assert.deepStrictEqual(yield* answerOf(first), ["x"])
      assert.deepStrictEqual(yield* answerOf(demand), Exit.void)
      assert.deepStrictEqual(yield* answerOf(behind), ["x", "1"])
    }, Effect.provide(layer))
  )

  it.effect(
    `I4: a defect of committed state is its caller's alone, and what waited behind it goes on, in a store that ${name}`,
    Effect.fnUntraced(function*() {
      const { of } = yield* startLists()
      const gate = yield* holdNext
      const first = yield* fork(of().note({ word: "1" }))
      const demand = yield* fork(Effect.exit(of().demand({ word: "x" })))
      const large = yield* fork(tagOf(of().note({ word: "w".repeat(limits.eventBytesMax) })))
      const behind = yield* fork(of().note({ word: "2" }))
      yield* gate.open
      assert.deepStrictEqual(yield* answerOf(first), [])
      assert.isTrue(Exit.hasDies(yield* answerOf(demand)))
      assert.strictEqual(yield* answerOf(large), "LimitExceeded")
      assert.deepStrictEqual(yield* answerOf(behind), ["1"])
    }, Effect.provide(layer))
  )
}

it.effect(
  "does not count a defect on a state that is not committed towards quarantine",
  Effect.fnUntraced(function*() {
    const { of } = yield* startLists()
    for (const word of ["1", "2", "3", "4"]) {
      const gate = yield* holdNext
      const first = yield* fork(of().note({ word }))
      const demand = yield* fork(Effect.exit(of({ commandId: "d" }).demand({ word: "x" })))
      // News while it waits: it is looked at again, and dies again.
      const others = yield* Effect.forEach(["a", "b"], (tail) => fork(of().note({ word: word + tail })))
      yield* gate.open
      yield* answersOf([first, ...others])
      const exit = yield* answerOf(demand)
      assert.strictEqual(Exit.hasDies(exit), word !== "4")
    }
  }, Effect.provide(watchedStores))
)

it.effect(
  "runs a handler that is an Effect on committed state only",
  Effect.fnUntraced(function*() {
    const { next } = yield* FaultyStore.FaultyStore
    const { decided, of } = yield* startLists()
    const gate = yield* FaultyStore.gate
    yield* next("append", [gate.before, unavailable])
    const first = yield* fork(tagOf(of().note({ word: "1" })))
    const slow = yield* fork(of().noteSlowly({ word: "2" }))
    const behind = yield* fork(of().note({ word: "3" }))
    assert.deepStrictEqual(decided, ["1 on "])
    yield* gate.open
    assert.strictEqual(yield* answerOf(first), "StoreUnavailable")
    assert.deepStrictEqual(yield* answersOf([slow, behind]), [[], ["2"]])
    assert.deepStrictEqual(decided, ["1 on ", "2 on ", "3 on 2"])
  }, Effect.provide(watchedStores))
)

it.effect(
  "runs a handler that says it is speculative ahead, and does not run it again if all went well",
  Effect.fnUntraced(function*() {
    const { shapes } = yield* SentGroups
    const { decided, of } = yield* startLists()
    const gate = yield* holdNext
    const first = yield* fork(of().note({ word: "1" }))
    const ahead = yield* fork(of().noteAhead({ word: "2" }))
    const behind = yield* fork(of().note({ word: "3" }))
    assert.deepStrictEqual(decided, ["1 on ", "2 on 1", "3 on 12"])
    yield* gate.open
    assert.deepStrictEqual(yield* answersOf([first, ahead, behind]), [[], ["1"], ["1", "2"]])
    assert.deepStrictEqual(shapes(), [["a+1"], ["a+2"]])
    assert.lengthOf(decided, 3)
  }, Effect.provide(watchedStores))
)

it.effect(
  "runs a handler that says it is speculative again if what it ran on came to nothing",
  Effect.fnUntraced(function*() {
    const { next } = yield* FaultyStore.FaultyStore
    const { decided, of } = yield* startLists()
    const gate = yield* FaultyStore.gate
    yield* next("append", [gate.before, unavailable])
    const first = yield* fork(tagOf(of().note({ word: "1" })))
    const ahead = yield* fork(of().noteAhead({ word: "1" }))
    assert.deepStrictEqual(decided, ["1 on ", "1 on 1"])
    yield* gate.open
    assert.strictEqual(yield* answerOf(first), "StoreUnavailable")
    assert.deepStrictEqual(yield* answerOf(ahead), [])
    assert.deepStrictEqual(decided, ["1 on ", "1 on 1", "1 on "])
  }, Effect.provide(watchedStores))
)

it.effect(
  "I4: decides in the order in which commands came, also when the one under way has to be taken back while a handler runs",
  Effect.fnUntraced(function*() {
    const { next, overtakenBy } = yield* FaultyStore.FaultyStore
    const waits = yield* FaultyStore.gate
    const { decided, of } = yield* startLists({}, () => waits.before(Effect.void))
    const gate = yield* FaultyStore.gate
    yield* next("append", [gate.before, overtakenBy(foreignWords("x"))])
    const first = yield* fork(of().note({ word: "1" }))
    const ahead = yield* fork(of().noteAhead({ word: "2" }))
    const behind = yield* fork(of().note({ word: "3" }))
    yield* waits.arrived
    yield* gate.open
    yield* waits.open
    assert.deepStrictEqual(yield* answersOf([first, ahead, behind]), [["x"], ["x", "1"], ["x", "1", "2"]])
    assert.deepStrictEqual(decided, ["1 on ", "2 on 1", "1 on x", "2 on x1", "3 on x12"])
  }, Effect.provide(watchedStores))
)

it.effect(
  "I18: runs a speculative handler no more often than there is news, though its decision cannot join what waits",
  Effect.fnUntraced(function*() {
    const { next } = yield* FaultyStore.FaultyStore
    const { decided, of } = yield* startLists()
    const gate = yield* holdNext
    const second = yield* FaultyStore.gate
    yield* next("append", second.before)
    const first = yield* fork(of().note({ word: "1" }))
    const many = yield* fork(of().noteMany({ count: 512, bytes: 1 }))
    const ahead = yield* fork(of().noteAhead({ word: "2" }))
    for (let turn = 0; turn < 100; turn++) yield* Effect.yieldNow
    assert.isAtMost(decided.length, 3)
    yield* gate.open
    yield* answersOf([first])
    yield* second.open
    yield* answerOf(many)
    assert.lengthOf(yield* answerOf(ahead), 513)
    assert.isAtMost(decided.length, 4)
  }, Effect.provide(watchedStores))
)

it.effect(
  "writes what was decided before while a handler runs: a flush never waits for a handler",
  Effect.fnUntraced(function*() {
    const waits = yield* FaultyStore.gate
    const { of } = yield* startLists({}, () => waits.before(Effect.void))
    const gate = yield* holdNext
    const first = yield* fork(of().note({ word: "1" }))
    const second = yield* fork(of().note({ word: "2" }))
    const ahead = yield* fork(of().noteAhead({ word: "3" }))
    yield* waits.arrived
    yield* gate.open
    assert.deepStrictEqual(yield* answersOf([first, second]), [[], ["1"]])
    assert.deepStrictEqual(yield* wordsIn("a"), ["1", "2"])
    yield* waits.open
    assert.deepStrictEqual(yield* answerOf(ahead), ["1", "2"])
  }, Effect.provide(watchedStores))
)

it.effect(
  "I5: a command in a batch that another process has carried out is given that answer, and the others go on without it",
  Effect.fnUntraced(function*() {
    const { lists } = yield* startLists()
    const gate = yield* holdNext
    const first = yield* fork(lists.of("a").note({ word: "1" }))
    // Another runtime carries the command out, behind the back of the one that decides ahead.
    const elsewhere = yield* startLists()
    const send = (word: string, commandId: string) => lists.of("a", { commandId, returning: "commit" }).note({ word })
    const before = yield* fork(send("2", "c2"))
    const repeated = yield* fork(send("3", "c3"))
    const behind = yield* fork(send("4", "c4"))
    const there = yield* elsewhere.lists.of("a", { commandId: "c3", returning: "commit" }).note({ word: "3" })
    yield* gate.open
    yield* answerOf(first)
    assert.deepStrictEqual(yield* answerOf(repeated), { ...there, duplicate: true })
    assert.deepStrictEqual((yield* answerOf(before)).reply, ["3", "1"])
    assert.deepStrictEqual((yield* answerOf(behind)).reply, ["3", "1", "2"])
    assert.deepStrictEqual(yield* wordsIn("a"), ["3", "1", "2", "4"])
  }, Effect.provide(watchedStores))
)

it.effect(
  "I5: another payload in a batch under an id that was used elsewhere is told so, and the others go on without it",
  Effect.fnUntraced(function*() {
    const { lists } = yield* startLists()
    const elsewhere = yield* startLists()
    yield* elsewhere.lists.of("a", { commandId: "c3" }).note({ word: "x" })
    yield* lists.of("a").note({ word: "0" })
    const gate = yield* holdNext
    const first = yield* fork(lists.of("a").note({ word: "1" }))
    const before = yield* fork(lists.of("a").note({ word: "2" }))
    const reused = yield* fork(tagOf(lists.of("a", { commandId: "c3" }).note({ word: "3" })))
    const behind = yield* fork(lists.of("a", { commandId: "c4" }).note({ word: "4" }))
    yield* gate.open
    yield* answersOf([first, before, behind])
    assert.strictEqual(yield* answerOf(reused), "CommandIdReused")
    assert.deepStrictEqual(yield* wordsIn("a"), ["x", "0", "1", "2", "4"])
  }, Effect.provide(watchedStores))
)

it.effect(
  "counts how often another writer was first for each command, not for what was decided on it",
  Effect.fnUntraced(function*() {
    const { next, overtakenBy } = yield* FaultyStore.FaultyStore
    const { lists } = yield* startLists({ redecisions: 1 })
    const gate = yield* FaultyStore.gate
    yield* next(
      "append",
      [gate.before, overtakenBy(foreignWords("x"))],
      overtakenBy(foreignWords("y"))
    )
    const first = yield* fork(reasonOf(lists.of("a").note({ word: "1" })))
    const behind = yield* Effect.forEach(["2", "3"], (word) => fork(lists.of("a").note({ word })))
    yield* gate.open
    assert.deepStrictEqual(
      yield* answerOf(first),
      new VersionConflict({ aggregate: "List", id: "a", expected: 1, actual: 2 })
    )
    // These were overtaken once, by "y": what they were thrown away for before was not their own.
    assert.deepStrictEqual(yield* answersOf(behind), [["x", "y"], ["x", "y", "2"]])
  }, Effect.provide(watchedStores))
)

it.effect(
  "I7: a command that was decided ahead and not sent by its deadline is timed out, not written, and nobody stands on it",
  Effect.fnUntraced(function*() {
    const { decided, of } = yield* startLists()
    const gate = yield* holdNext
    const first = yield* fork(of().note({ word: "1" }))
    const late = yield* fork(tagOf(of({ deadline: "1 second" }).note({ word: "2" })))
    const behind = yield* fork(of().note({ word: "3" }))
    assert.deepStrictEqual(decided, ["1 on ", "2 on 1", "3 on 12"])
    yield* TestClock.adjust("1 second")
    assert.strictEqual(yield* answerOf(late), "CommandTimeout")
    yield* gate.open
    assert.deepStrictEqual(yield* answersOf([first, behind]), [[], ["1"]])
    assert.deepStrictEqual(yield* wordsIn("a"), ["1", "3"])
  }, Effect.provide(watchedStores))
)

it.effect(
  "I7: a command that was decided ahead and sent by its deadline is not known, and written all the same",
  Effect.fnUntraced(function*() {
    const { of } = yield* startLists()
    const [gate, second] = [yield* holdNext, yield* holdNext]
    const first = yield* fork(of().note({ word: "1" }))
    const late = yield* fork(tagOf(of({ deadline: "1 second" }).note({ word: "2" })))
    yield* gate.open
    yield* answerOf(first)
    yield* second.arrived
    yield* TestClock.adjust("1 second")
    assert.strictEqual(yield* answerOf(late), "OutcomeUnknown")
    yield* second.open
    assert.deepStrictEqual(yield* answerOf(yield* fork(of().note({ word: "3" }))), ["1", "2"])
  }, Effect.provide(watchedStores))
)

it.effect(
  "I3: holds `ifVersion` against the version that a command would have in its batch",
  Effect.fnUntraced(function*() {
    const { shapes } = yield* SentGroups
    const { of } = yield* startLists()
    const gate = yield* holdNext
    const first = yield* fork(of().note({ word: "1" }))
    const second = yield* fork(of({ ifVersion: 1 }).note({ word: "2" }))
    const unmet = yield* fork(reasonOf(of({ ifVersion: 1 }).note({ word: "3" })))
    const behind = yield* fork(of({ ifVersion: 2 }).note({ word: "4" }))
    yield* gate.open
    assert.deepStrictEqual(yield* answersOf([first, second, behind]), [[], ["1"], ["1", "2"]])
    const conflict = new VersionConflict({ aggregate: "List", id: "a", expected: 1, actual: 2 })
    assert.deepStrictEqual(yield* answerOf(unmet), conflict)
    assert.deepStrictEqual(shapes(), [["a+1"], ["a+1"], ["a+1"]])
  }, Effect.provide(watchedStores))
)

it.effect(
  "I3: an `ifVersion` that was met ahead is not met if another writer was first",
  Effect.fnUntraced(function*() {
    const { next, overtakenBy } = yield* FaultyStore.FaultyStore
    const { of } = yield* startLists()
    const gate = yield* FaultyStore.gate
    yield* next("append", [gate.before, overtakenBy(foreignWords("x"))])
    const first = yield* fork(of().note({ word: "1" }))
    const second = yield* fork(tagOf(of({ ifVersion: 1 }).note({ word: "2" })))
    yield* gate.open
    assert.deepStrictEqual(yield* answerOf(first), ["x"])
    assert.strictEqual(yield* answerOf(second), "VersionConflict")
    assert.deepStrictEqual(yield* wordsIn("a"), ["x", "1"])
  }, Effect.provide(watchedStores))
)

it.effect(
  "I18: makes no batch of more than 512 commands or events, nor of more than 4 MiB",
  Effect.fnUntraced(function*() {
    const { shapes } = yield* SentGroups
    const { lists, of } = yield* startLists({ mailboxCapacity: 5_000 })
    const behind = Effect.fnUntraced(function*(...sent: ReadonlyArray<Effect.Effect<unknown, unknown>>) {
      const gate = yield* holdNext
      const callers = yield* Effect.forEach([of().noteMany({ count: 1, bytes: 1 }), ...sent], fork)
      const before = shapes().length
      yield* gate.open
      yield* answersOf(callers)
      return shapes().slice(before).flat()
    })
    const events = range(600).map(() => of().noteMany({ count: 1, bytes: 1 }))
    assert.deepStrictEqual(yield* behind(...events), ["a+512", "a+88"])
    const pairs = range(300).map(() => of().noteMany({ count: 2, bytes: 1 }))
    assert.deepStrictEqual(yield* behind(...pairs), ["a+512", "a+88"])
    const large = range(20).map(() => of().noteMany({ count: 1, bytes: limits.eventBytesMax - 100 }))
    assert.deepStrictEqual(yield* behind(...large), ["a+16", "a+4"])
    const mixed = [1, 600, 1].map((count) => of().noteMany({ count, bytes: 1 }))
    assert.deepStrictEqual(yield* behind(...mixed), ["a+1", "a+600", "a+1"])
    // Reads count as commands: the 512th of them is checked with those that follow.
    const reads = range(600).map(() => lists.state("a"))
    assert.deepStrictEqual(yield* behind(of().noteMany({ count: 1, bytes: 1 }), ...reads), ["a+1", "a+0"])
  }, Effect.provide(watchedStores))
)

it.effect(
  "I18: makes no batch that writes to more than a hundred streams, and joins what goes to one of them",
  Effect.fnUntraced(function*() {
    const { all } = yield* SentGroups
    const { of } = yield* startLists()
    const gate = yield* holdNext
    const callers = yield* Effect.forEach(
      range(120),
      (n) => fork(of().copy({ word: `${n}`, to: n % 2 === 0 ? `b${n}` : "c" }))
    )
    yield* gate.open
    yield* answersOf(callers)
    const writes = all.flat().map(({ length }) => length)
    assert.isAtMost(Math.max(...writes), limits.appendWritesMax)
    assert.isAtMost(writes.length, 4)
    assert.lengthOf(yield* wordsIn("c"), 60)
    assert.lengthOf(yield* wordsIn("a"), 120)
  }, Effect.provide(watchedStores))
)

it.effect(
  "I1: what expects something of another stream travels alone, and only its own caller is told if that is not so",
  Effect.fnUntraced(function*() {
    const { shapes } = yield* SentGroups
    const { of } = yield* startLists()
    const gate = yield* holdNext
    const first = yield* fork(of().note({ word: "1" }))
    const before = yield* fork(of().note({ word: "2" }))
    const met = yield* fork(of().noteBoth({ word: "3", to: "b", expected: 0 }))
    const unmet = yield* fork(reasonOf(of().noteBoth({ word: "4", to: "b", expected: 0 })))
    const behind = yield* fork(of().note({ word: "5" }))
    yield* gate.open
    yield* answersOf<unknown, unknown>([first, before, met])
    const conflict = new VersionConflict({ aggregate: "List", id: "b", expected: 0, actual: 1 })
    assert.deepStrictEqual(yield* answerOf(unmet), conflict)
    assert.deepStrictEqual(yield* answerOf(behind), ["1", "2", "3"])
    assert.deepStrictEqual([yield* wordsIn("a"), yield* wordsIn("b")], [["1", "2", "3", "5"], ["3"]])
    assert.isTrue(shapes().flat().every((shape) => !shape.includes("&") || shape === "a+1&b+1"))
  }, Effect.provide(watchedStores))
)

it.effect(
  "I15: saves one snapshot when a batch crosses several of its multiples, and it is what the log says",
  Effect.fnUntraced(function*() {
    const { calls, inner } = yield* FaultySnapshotStore.FaultySnapshotStore
    const { of } = yield* startLists({ snapshotEvery: 3 })
    const gate = yield* holdNext
    const callers = yield* Effect.forEach(range(11), (n) => fork(of().note({ word: `${n}` })))
    yield* gate.open
    yield* answersOf(callers)
    for (let turn = 0; turn < 10; turn++) yield* Effect.yieldNow
    const { snapshot } = yield* inner.load(streamOf("a"))
    assert.deepStrictEqual([snapshot?.version, JSON.parse(snapshot!.state)], [11, range(11).map(String)])
    assert.strictEqual(yield* calls("save"), 1)
    assert.deepStrictEqual(yield* (yield* startLists({ snapshotEvery: 3 })).lists.state("a"), range(11).map(String))
    assert.strictEqual(yield* metric("varve_snapshots_discarded"), 0)
  }, Effect.provide(watchedStores))
)

it.effect(
  "I15: saves no snapshot of what was decided ahead and came to nothing",
  Effect.fnUntraced(function*() {
    const { next } = yield* FaultyStore.FaultyStore
    const { calls } = yield* FaultySnapshotStore.FaultySnapshotStore
    const { of } = yield* startLists({ snapshotEvery: 3 })
    const gate = yield* FaultyStore.gate
    yield* next("append", gate.before, unavailable)
    const first = yield* fork(of().note({ word: "0" }))
    const ahead = yield* Effect.forEach(range(6), (n) => fork(tagOf(of().note({ word: `${n + 1}` }))))
    yield* gate.open
    assert.deepStrictEqual(yield* answerOf(first), [])
    assert.deepStrictEqual(new Set(yield* answersOf(ahead)), new Set(["StoreUnavailable"]))
    assert.strictEqual(yield* calls("save"), 0)
  }, Effect.provide(watchedStores))
)

it.effect(
  "I17: drains what is under way and what was decided on it",
  Effect.fnUntraced(function*() {
    const gate = yield* holdNext
    const callers = yield* Effect.scoped(Effect.gen(function*() {
      const { of } = yield* startLists({ drainDeadline: "1 minute" })
      const callers = yield* Effect.forEach(["1", "2", "3"], (word) => fork(of().note({ word })))
      yield* Effect.forkDetach(Effect.andThen(Effect.yieldNow, gate.open))
      return callers
    }))
    assert.deepStrictEqual(yield* answersOf(callers), [[], ["1"], ["1", "2"]])
    assert.deepStrictEqual(yield* wordsIn("a"), ["1", "2", "3"])
  }, Effect.provide(watchedStores))
)

it.effect(
  "I7: past the drain deadline, what is under way is not known, and what was decided on it was not begun",
  Effect.fnUntraced(function*() {
    yield* holdNext
    const callers = yield* Effect.scoped(Effect.gen(function*() {
      const { of } = yield* startLists({ drainDeadline: 0 })
      return yield* Effect.forEach(["1", "2", "3"], (word) => fork(tagOf(of().note({ word }))))
    }))
    assert.deepStrictEqual(yield* answersOf(callers), ["OutcomeUnknown", "RuntimeStopping", "RuntimeStopping"])
    assert.deepStrictEqual(yield* wordsIn("a"), [])
  }, Effect.provide(watchedStores))
)

it.effect(
  "I17: an aggregate with a batch under way is busy, and idles as soon as that is answered",
  Effect.fnUntraced(function*() {
    const { lists } = yield* startLists({}, undefined, { maxActive: 2 })
    const [gate, second] = [yield* holdNext, yield* holdNext]
    const send = (id: string) => Effect.forEach(["1", "2"], (word) => fork(lists.of(id).note({ word })))
    const callers = [...yield* send("a"), ...yield* send("b")]
    const full = new MailboxFull({ aggregate: "List", id: "c", capacity: 2, of: "maxActive" })
    assert.deepStrictEqual(yield* reasonOf(lists.of("c").note({ word: "1" })), full)
    yield* gate.open
    yield* answersOf(callers.slice(0, 2))
    assert.deepStrictEqual(yield* answerOf(yield* fork(lists.of("c").note({ word: "1" }))), [])
    yield* second.open
    yield* answersOf(callers)
    assert.deepStrictEqual(yield* lists.state("a"), ["1", "2"])
  }, Effect.provide(watchedStores))
)

it.effect(
  "I18: counts what was decided ahead as waiting until it leaves",
  Effect.fnUntraced(function*() {
    const { of } = yield* startLists({ mailboxCapacity: 3 })
    const [gate, second] = [yield* holdNext, yield* holdNext]
    const callers = yield* Effect.forEach(["1", "2", "3", "4"], (word) => fork(of().note({ word })))
    assert.strictEqual(yield* tagOf(of().note({ word: "5" })), "MailboxFull")
    assert.strictEqual(yield* metric("varve_mailbox_depth"), 3)
    yield* gate.open
    yield* second.arrived
    const more = yield* Effect.forEach(["5", "6", "7"], (word) => fork(of().note({ word })))
    assert.strictEqual(yield* tagOf(of().note({ word: "8" })), "MailboxFull")
    yield* second.open
    yield* answersOf([...callers, ...more])
    assert.deepStrictEqual(yield* wordsIn("a"), ["1", "2", "3", "4", "5", "6", "7"])
  }, Effect.provide(watchedStores))
)

it.effect(
  "I17: a batch is carried out though all its callers leave",
  Effect.fnUntraced(function*() {
    const { lists, of } = yield* startLists()
    const gate = yield* holdNext
    const callers = yield* Effect.forEach(["1", "2", "3"], (word) => fork(of().note({ word })))
    yield* Effect.forEach(callers, Fiber.interrupt)
    yield* gate.open
    assert.deepStrictEqual(yield* lists.state("a"), ["1", "2", "3"])
  }, Effect.provide(watchedStores))
)
