/**
 * Becoming inline and ending to be: always at one point of the log, before which a view's reader has taken in all of its
 * events and after which appends have.
 */
import { assertTrue, deepStrictEqual, strictEqual } from "@effect/vitest/utils"
import { Effect } from "effect"
import { TestClock } from "effect/testing"
import { CheckpointStore } from "../../CheckpointStore.ts"
import { DeadLetters } from "../../DeadLetters.ts"
import { EventStore, type ViewId } from "../../EventStore.ts"
import { type InlineView, InlineViews } from "../../InlineViews.ts"
import { ViewStore } from "../../ViewStore.ts"
import type { Guarantees } from "./Guarantees.ts"
import * as Inlined from "./Inlined.ts"
import * as Names from "./Names.ts"
import * as ReadSide from "./ReadSide.ts"
import * as Sample from "./Sample.ts"

const { becomes } = Inlined
const { put } = ReadSide

/** What the suites of inline views need. */
export type Ports = EventStore | InlineViews | ViewStore | CheckpointStore | DeadLetters

const idOf = ({ name, version }: ViewId) => ({ name, version, partition: 0 })

const { checkpointOf, fill } = Inlined

/** The store says that a view is inline, whatever is asked. */
const isRefused = Effect.fnUntraced(function*(view: ViewId) {
  const { clear, drop, write } = yield* ViewStore
  for (const ask of [write(view, [put("a", {})]), write(view, []), clear(view), drop(view)]) {
    const error = yield* Effect.flip(ask)
    deepStrictEqual([error._tag, "lasting" in error && error.lasting], ["StoreUnavailable", true], error.message)
    assertTrue(error.message.includes("inline"), error.message)
  }
})

/** Tells what becomes of an append whose writer knows the view, and leaves the documents to its reader. */
const known = (view: Inlined.Own) =>
  Effect.map(
    Sample.append(Inlined.write(view, Inlined.stream(), 0, undefined)),
    (status) => status._tag === "ViewsChanged" ? status.state : status._tag
  )

const entering: Guarantees<Ports> = {
  "a view none of whose events was ever appended is inline, and its checkpoint at the end of the log": Effect.gen(
    function*() {
      const view = yield* Inlined.prepared()
      const { epoch, head } = yield* EventStore
      if ((yield* head) > 9_000n) yield* Inlined.lookThrough(view)
      yield* Sample.filled(3)
      strictEqual(yield* Inlined.isInline(view), false)
      yield* Inlined.enters(view, "inline")
      strictEqual(yield* Inlined.isInline(view), true)
      const { paused, position, ...rest } = (yield* checkpointOf(view))!
      deepStrictEqual([position, paused, rest.epoch], [yield* head, undefined, yield* epoch])
    }
  ),

  "a view whose reader has taken in all of its events is inline with what it has written": Effect.gen(function*() {
    const view = yield* Inlined.prepared()
    yield* Sample.commit(Inlined.strange(view))
    yield* fill(view, yield* Sample.head, ["a", { n: 1 }])
    yield* Sample.filled(3)
    yield* Inlined.enters(view, "inline")
    deepStrictEqual(yield* Inlined.kept(view, "a"), [1, { n: 1 }])
    const checkpoint = (yield* checkpointOf(view))!
    deepStrictEqual([checkpoint.position, checkpoint.revision], [yield* Sample.head, 2])
    strictEqual((yield* Inlined.append(view, becomes("a", { n: 1 }, { n: 2 })))._tag, "Committed")
    deepStrictEqual(yield* Inlined.kept(view, "a"), [2, { n: 2 }])
  }),

  "I11: a view that lacks events is filled first, while those who know it append no more of them": Effect.gen(
    function*() {
      const view = yield* Inlined.prepared()
      yield* Inlined.lookThrough(view)
      strictEqual(yield* known(view), "Committed")
      yield* Sample.filled(2)
      const entered = yield* Inlined.enters(view, "filling")
      const head = yield* Sample.head
      strictEqual(entered._tag === "filling" && entered.position, head)
      strictEqual(yield* Inlined.isInline(view), false)
      deepStrictEqual([yield* known(view), yield* Sample.head], ["filling", head])
      strictEqual((yield* Inlined.append(view))._tag, "ViewsChanged")
      yield* Sample.filled(2)
      yield* Inlined.enters(view, "filling")
      yield* fill(view, head, ["a", { n: 1 }])
      yield* Inlined.enters(view, "inline")
      strictEqual(yield* known(view), "inline")
      strictEqual((yield* Inlined.append(view, becomes("a", { n: 1 }, { n: 2 })))._tag, "Committed")
    }
  ),

  "I10: nobody is held back for longer than a second, should the reader not come back": Effect.gen(function*() {
    const view = yield* Inlined.prepared()
    yield* Inlined.lookThrough(view)
    yield* Sample.commit(Inlined.strange(view))
    yield* Inlined.enters(view, "filling")
    const begun = yield* Sample.storeMillis
    strictEqual(yield* known(view), "filling")
    let passed = 0
    while ((yield* known(view)) === "filling") {
      yield* TestClock.adjust("50 millis")
      passed = (yield* Sample.laterMillis) - begun
      assertTrue(passed < 5_000, `${passed} ms`)
    }
    assertTrue(passed >= 900, `${passed} ms`)
    strictEqual(yield* known(view), "Committed")
    yield* Inlined.enters(view, "filling")
  }),

  "I11: an event of somebody who does not know the view is not held back, and the view has yet to be filled": Effect
    .gen(
      function*() {
        const view = yield* Inlined.prepared()
        yield* Inlined.lookThrough(view)
        yield* Sample.commit(Inlined.strange(view))
        yield* Inlined.enters(view, "filling")
        const head = yield* Sample.head
        yield* Sample.commit(Inlined.strange(view))
        yield* fill(view, head)
        strictEqual(yield* known(view), "Committed")
        yield* Inlined.enters(view, "filling")
      }
    ),

  "a view that is far behind is left to its reader": Effect.gen(function*() {
    const [far, near] = [yield* Inlined.prepared(), yield* Inlined.prepared()]
    yield* Effect.forEach([far, near], (view) => Sample.commit(Inlined.strange(view)))
    yield* fill(near, yield* Sample.head)
    yield* Sample.filled(10_000)
    yield* Inlined.enters(near, "inline")
    yield* Inlined.enters(far, "behind")
    strictEqual(yield* known(far), "Committed")
  }),

  "a view whose reader is held up is not inline: paused, with parked streams, or of another life of the log": Effect
    .gen(
      function*() {
        const { advance, pause, resume } = yield* CheckpointStore
        const { park, unpark } = yield* DeadLetters
        const [paused, parked, restored] = [
          yield* Inlined.prepared(),
          yield* Inlined.prepared(),
          yield* Inlined.prepared()
        ]
        yield* pause(idOf(paused), "why", yield* (yield* EventStore).epoch)
        const stream = { reader: { name: parked.name, version: 1 }, stream: Sample.stream(), fromPosition: 1n }
        yield* park(stream)
        yield* advance(ReadSide.step(idOf(restored), 0, 0n, "another epoch"), Effect.void)
        for (const view of [paused, parked, restored]) {
          yield* Inlined.enters(view, "held")
          strictEqual(yield* known(view), "Committed")
          yield* fillQuietly(view)
          yield* Inlined.enters(view, "held")
        }
        yield* resume(idOf(paused))
        yield* unpark(stream)
        for (const view of [paused, parked]) {
          yield* fill(view, yield* Sample.head)
          yield* Inlined.enters(view, "inline")
        }
      }
    ),

  "to be inline again is nothing new, but for types of events that are": Effect.gen(function*() {
    const view = yield* Inlined.inline()
    const before = yield* checkpointOf(view)
    const wider: InlineView = { ...view, types: ["another type", ...view.types] }
    yield* Inlined.enters(view, "inline")
    yield* Inlined.enters(wider, "inline")
    yield* Inlined.enters(view, "inline")
    deepStrictEqual((yield* checkpointOf(view))?.revision, before?.revision)
    const listed = (yield* (yield* InlineViews).list).find(({ name }) => name === view.name)
    deepStrictEqual(listed?.types.toSorted(), wider.types.toSorted())
  }),

  "of ten who ask at once all are told the same": Effect.gen(function*() {
    const view = yield* Inlined.prepared()
    yield* Inlined.lookThrough(view)
    const { enter } = yield* InlineViews
    const answers = yield* Effect.replicateEffect(enter(view), 10, { concurrency: "unbounded" })
    deepStrictEqual(answers, Array.from({ length: 10 }, () => ({ _tag: "inline" })))
    strictEqual((yield* checkpointOf(view))?.revision, 2)
  }),

  "those that are inline are listed by name, and by version": Effect.gen(function*() {
    const { enter, list } = yield* InlineViews
    const { prepare } = yield* ViewStore
    const names = ["b", "a1", "a-", "a", "aa"].map((name) => Sample.name(name))
    for (const name of names) {
      for (const version of [10, 9]) {
        const view = { name: name.slice(0, 40), version, indexes: [], types: [name] }
        yield* prepare(view)
        yield* Inlined.lookThrough(view)
        yield* enter(view)
      }
    }
    const found = (yield* list).filter(({ name }) => names.some((one) => one.startsWith(name)))
    const expected = names.map((name) => name.slice(0, 40)).toSorted().flatMap((name) => [[name, 9], [name, 10]])
    deepStrictEqual(found.map(({ name, version }) => [name, version]), expected)
  }),

  "a view without room is unavailable, and lastingly so": Effect.gen(function*() {
    const error = yield* Effect.flip((yield* InlineViews).enter({ ...ReadSide.view(), types: ["t"] }))
    deepStrictEqual([error._tag, error.lasting], ["StoreUnavailable", true])
  }),

  "what cannot be a view is a mistake in the program": Effect.gen(function*() {
    const { enter, leave } = yield* InlineViews
    const view = yield* Inlined.prepared()
    for (const name of [...Names.malformed, "A", "a_b", "a".repeat(41)]) {
      yield* ReadSide.refused(enter({ ...view, name }))
      yield* ReadSide.refused(leave({ name, version: 1 }))
    }
    for (const version of [0, 1.5, NaN, 1_000_000]) yield* ReadSide.refused(enter({ ...view, version }))
    for (const type of [...Names.malformed, "x".repeat(256)]) yield* ReadSide.refused(enter({ ...view, types: [type] }))
    yield* ReadSide.refused(enter({ ...view, types: [] }))
  }),

  "it is asked outside of transactions": Effect.gen(function*() {
    const { enter, leave } = yield* InlineViews
    const { transaction } = yield* CheckpointStore
    const view = yield* Inlined.prepared()
    for (const ask of [Effect.asVoid(enter(view)), Effect.asVoid(leave(view))]) {
      strictEqual((yield* Effect.flip(transaction(ask)))._tag, "StoreUnavailable")
    }
    strictEqual(yield* Inlined.isInline(view), false)
  })
}

/** Moves the checkpoint on where it can be moved. */
const fillQuietly = (view: ViewId) =>
  Effect.gen(function*() {
    const { advance, get } = yield* CheckpointStore
    const found = yield* get(idOf(view))
    if (found === undefined || found.paused !== undefined) return
    yield* advance(ReadSide.step(idOf(view), found.revision, yield* Sample.head, found.epoch), Effect.void)
  })

const ending: Guarantees<Ports> = {
  "I11: a view that is left is its reader's from the end of the log on; nobody else wrote its documents before": Effect
    .gen(function*() {
      const { leave } = yield* InlineViews
      const view = yield* Inlined.inline()
      yield* Inlined.append(view, becomes("a", undefined, { n: 1 }))
      yield* isRefused(view)
      const before = (yield* checkpointOf(view))!
      strictEqual(yield* leave(view), true)
      deepStrictEqual([yield* leave(view), yield* Inlined.isInline(view)], [false, false])
      const { position, revision } = (yield* checkpointOf(view))!
      deepStrictEqual([position, revision], [yield* Sample.head, before.revision + 1])
      deepStrictEqual(yield* Inlined.kept(view, "a"), [1, { n: 1 }])
      strictEqual(yield* known(view), "Committed")
      yield* fill(view, yield* Sample.head, ["a", { n: 2 }])
      deepStrictEqual(yield* Inlined.kept(view, "a"), [2, { n: 2 }])
      yield* Inlined.enters(view, "inline")
      strictEqual((yield* Inlined.append(view, becomes("a", { n: 2 }, undefined)))._tag, "Committed")
    }),

  "I11: an event of somebody who does not know it ends it just before, and its reader goes on there": Effect.gen(
    function*() {
      const view = yield* Inlined.inline()
      yield* Inlined.append(view, becomes("a", undefined, { n: 1 }))
      const last = yield* Sample.head
      const [strange] = yield* Sample.commit(Inlined.strange(view))
      strictEqual(yield* Inlined.isInline(view), false)
      strictEqual(yield* known(view), "Committed")
      yield* isRefused(view)
      deepStrictEqual(yield* Inlined.kept(view, "a"), [1, { n: 1 }])
      yield* Inlined.enters(view, "filling")
      const checkpoint = (yield* checkpointOf(view))!
      deepStrictEqual([checkpoint.position, strange.position], [last, last + 1n])
      yield* fill(view, yield* Sample.head, ["a", { n: 3 }])
      yield* Inlined.enters(view, "inline")
      deepStrictEqual(yield* Inlined.kept(view, "a"), [2, { n: 3 }])
    }
  ),

  "a view that has ended is left where it ended": Effect.gen(function*() {
    const { leave } = yield* InlineViews
    const view = yield* Inlined.inline()
    const last = yield* Sample.head
    yield* Sample.commit(Inlined.strange(view))
    yield* Sample.filled(2)
    strictEqual(yield* leave(view), true)
    deepStrictEqual((yield* checkpointOf(view))?.position, last)
    strictEqual(yield* leave(view), false)
  }),

  "views that have ended are told with where, by name, until their readers know": Effect.gen(function*() {
    const { ended, leave } = yield* InlineViews
    const views = [yield* Inlined.inline(), yield* Inlined.inline(), yield* Inlined.inline()]
    const own = Effect.map(ended, (all) => all.filter(({ name }) => views.some((view) => view.name === name)))
    deepStrictEqual(yield* own, [])
    const [first, second] = views.toSorted((a, b) => a.name < b.name ? -1 : 1).filter(({ name }) =>
      name !== views[0]!.name
    )
    yield* Inlined.append(second!)
    const before = yield* Sample.head
    yield* Sample.commit(Inlined.strange(second!))
    yield* Sample.commit(Inlined.strange(first!))
    yield* Sample.filled(2)
    deepStrictEqual(yield* own, [
      { name: first!.name, version: first!.version, position: before + 1n },
      { name: second!.name, version: second!.version, position: before }
    ])
    yield* leave(first!)
    yield* Inlined.enters(second!, "filling")
    deepStrictEqual(yield* own, [])
  }),

  "I23: an append that ends a view ends it for those after it in the group, not for those before": Effect.gen(
    function*() {
      const view = yield* Inlined.inline()
      const statuses = yield* Sample.appendGroup(
        [Inlined.write(view, Inlined.stream(), 0, [becomes("a", undefined, { n: 1 })])],
        [Inlined.strange(view)],
        [Inlined.write(view, Inlined.stream(), 0, [becomes("a", { n: 1 }, { n: 2 })])],
        [Inlined.write(view, Inlined.stream(), 0, undefined)]
      )
      const states = statuses.map((status) => status._tag === "ViewsChanged" ? status.state : status._tag)
      deepStrictEqual(states, ["Committed", "Committed", "followed", "Committed"])
      deepStrictEqual(yield* Inlined.kept(view, "a"), [1, { n: 1 }])
      const [first, second] = statuses.map((status) => status._tag === "Committed" ? status.writes[0]!.position! : 0n)
      yield* Inlined.enters(view, "filling")
      deepStrictEqual((yield* checkpointOf(view))?.position, first)
      strictEqual(second, first! + 1n)
    }
  ),

  "an append that is not written ends nothing": Effect.gen(function*() {
    const view = yield* Inlined.inline()
    const full = yield* Sample.filled(1)
    yield* Sample.commit(Sample.write(full, "any", [], [Sample.receipt("done")]))
    const statuses = yield* Sample.appendGroup(
      [Sample.write(Inlined.stream(), 3, Inlined.events(view))],
      [Sample.write(full, 1, Inlined.events(view), [Sample.receipt("done")])],
      [Sample.write(Sample.stream({ id: "" }), 0, Inlined.events(view))]
    )
    deepStrictEqual(statuses.map(({ _tag }) => _tag), ["Conflict", "Duplicate", "Refused"])
    strictEqual(yield* Inlined.isInline(view), true)
  }),

  "messages of the outbox belong to no view": Effect.gen(function*() {
    const view = yield* Inlined.inline()
    yield* Sample.commit(Sample.write(Inlined.stream({ category: "outbox" }), 0, Inlined.events(view)))
    strictEqual(yield* Inlined.isInline(view), true)
  }),

  "an event of another type ends nothing, nor does one of another view": Effect.gen(function*() {
    const [one, two] = [yield* Inlined.inline(), yield* Inlined.inline()]
    yield* Sample.filled(2)
    yield* Sample.commit(Inlined.strange(two))
    deepStrictEqual([yield* Inlined.isInline(one), yield* Inlined.isInline(two)], [true, false])
  }),

  "each version of a view is inline for itself": Effect.gen(function*() {
    const view = yield* Inlined.inline()
    const next = { ...view, version: 2 }
    yield* (yield* ViewStore).prepare(next)
    yield* Inlined.lookThrough(next)
    yield* Inlined.enters(next, "inline")
    strictEqual((yield* Inlined.append(next, becomes("a", undefined, { n: 2 })))._tag, "Committed")
    deepStrictEqual([yield* Inlined.isInline(view), yield* Inlined.isInline(next)], [false, true])
    deepStrictEqual([yield* Inlined.kept(view, "a"), yield* Inlined.kept(next, "a")], [undefined, [1, { n: 2 }]])
  })
}

/** What `InlineViews` promises of the points at which a view is inline. */
export const guarantees: Guarantees<Ports> = { ...entering, ...ending }
