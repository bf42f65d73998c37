/** What rides along with a command: its caller's span, log annotations, metadata and tenant, and nobody else's. */
import { assert, it } from "@effect/vitest"
import { Context, Effect, Option, References, Tracer } from "effect"
import { decide } from "../../src/Aggregate.ts"
import type { HandlerContext } from "../../src/AggregateHost.ts"
import * as FaultyStore from "../../src/testing/FaultyStore.ts"
import { Accounts, behavior, Supervisor } from "../fixtures/Account.ts"
import {
  accountStream,
  answerOf,
  answersOf,
  deposited,
  fork,
  moved,
  start,
  startAccounts,
  storedIn,
  stores
} from "../fixtures/Runtimes.ts"

/** What only a caller is given; handlers have no business with it. */
const Secret = Context.Reference<string>("test/Secret", { defaultValue: () => "none" })

interface Seen {
  readonly spans: ReadonlyArray<string>
  readonly annotations: Readonly<Record<string, unknown>>
  readonly secret: string
  readonly metadata: HandlerContext<unknown, unknown>["metadata"]
}

const namesOf = (span: Tracer.AnySpan | undefined): ReadonlyArray<string> => {
  if (span === undefined) return []
  return span._tag === "Span" ? [span.name, ...namesOf(Option.getOrUndefined(span.parent))] : ["external"]
}

/** Accounts whose `touch` tells what it sees around itself. */
const startSeeing = Effect.fnUntraced(function*() {
  const seen: Array<Seen> = []
  const look = ({ metadata }: HandlerContext<unknown, unknown>) =>
    Effect.withFiber(({ context }) => {
      const span = Context.getOption(context, Tracer.ParentSpan)
      seen.push({
        spans: namesOf(Option.getOrUndefined(span)),
        annotations: Context.get(context, References.CurrentLogAnnotations),
        secret: Context.get(context, Secret),
        metadata
      })
      return Effect.succeed(decide([]))
    })
  const touch = (given: HandlerContext<unknown, unknown>) => Effect.withSpan(look(given), "inside")
  const live = Accounts.toLayer({ ...behavior, handlers: { ...behavior.handlers, touch, withdrawApproved: look } })
  const accounts = yield* start(Accounts, live).pipe(Effect.provide(Supervisor.layerYes))
  return { accounts, seen }
})

it.effect(
  "hangs the spans of a handler below its caller's",
  Effect.fnUntraced(function*() {
    const { accounts, seen } = yield* startSeeing()
    yield* accounts.of("a").touch().pipe(Effect.withSpan("first"))
    yield* accounts.of("a").touch().pipe(Effect.withSpan("second"))
    assert.deepStrictEqual(seen.map(({ spans }) => spans), [
      ["inside", "Account.touch", "first"],
      ["inside", "Account.touch", "second"]
    ])
  }, Effect.provide(stores))
)

it.effect(
  "opens no span for a caller who has none",
  Effect.fnUntraced(function*() {
    const { accounts, seen } = yield* startSeeing()
    yield* accounts.of("a").touch().pipe(Effect.withSpan("first"))
    yield* accounts.of("a").withdrawApproved({ cents: 1 })
    yield* accounts.of("a").touch()
    assert.deepStrictEqual(seen.map(({ spans }) => spans).slice(1), [[], ["inside"]])
  }, Effect.provide(stores))
)

it.effect(
  "does not take the span or the annotations under which it was started for a caller's",
  Effect.fnUntraced(function*() {
    const { accounts, seen } = yield* startSeeing().pipe(
      Effect.withSpan("starting"),
      Effect.annotateLogs({ phase: "starting" })
    )
    yield* accounts.of("a").withdrawApproved({ cents: 1 })
    yield* accounts.of("a").withdrawApproved({ cents: 1 }).pipe(Effect.withSpan("caller"))
    assert.deepStrictEqual(seen.map(({ spans }) => spans), [[], ["Account.withdrawApproved", "caller"]])
    assert.deepStrictEqual(seen.map(({ annotations }) => annotations), [{}, {}])
  }, Effect.provide(stores))
)

it.effect(
  "takes the log annotations of a caller along to the handler",
  Effect.fnUntraced(function*() {
    const { accounts, seen } = yield* startSeeing()
    yield* accounts.of("a").touch().pipe(Effect.annotateLogs({ user: "ada" }))
    yield* accounts.of("a").touch().pipe(Effect.annotateLogs({ request: "r" }))
    yield* accounts.of("a").touch()
    assert.deepStrictEqual(seen.map(({ annotations }) => annotations), [{ user: "ada" }, { request: "r" }, {}])
  }, Effect.provide(stores))
)

it.effect(
  "shows a handler nothing else of its caller, and nothing of any other caller",
  Effect.fnUntraced(function*() {
    const { next } = yield* FaultyStore.FaultyStore
    const gate = yield* FaultyStore.gate
    const { accounts, seen } = yield* startSeeing()
    yield* next("append", gate.before)
    const first = yield* fork(
      accounts.of("a").deposit({ cents: 1 }).pipe(Effect.provideService(Secret, "of the first"))
    )
    const callers = yield* Effect.forEach(["ada", "bob", "eve"], (user) =>
      fork(
        accounts.of("a", { metadata: { user } }).touch().pipe(
          Effect.annotateLogs({ user }),
          Effect.provideService(Secret, user)
        )
      ))
    yield* gate.open
    yield* answerOf(first)
    yield* answersOf(callers)
    assert.deepStrictEqual(
      seen.map(({ annotations, metadata, secret }) => ({ annotations, metadata, secret })),
      ["ada", "bob", "eve"].map((user) => ({ annotations: { user }, metadata: { user }, secret: "none" }))
    )
  }, Effect.provide(stores))
)

/** Accounts whose `touch` writes everywhere it can. */
const startWriting = Effect.gen(function*() {
  const touch = () =>
    decide([deposited(1), deposited(2)], {
      also: [Accounts.write("b", [deposited(3)])],
      publish: [{ topic: "t", key: "k", body: {} }]
    })
  const live = Accounts.toLayer({ ...behavior, handlers: { ...behavior.handlers, touch } })
  return yield* start(Accounts, live).pipe(Effect.provide(Supervisor.layerYes))
})

const metadataIn = (stream: Parameters<typeof storedIn>[0]) =>
  Effect.map(storedIn(stream), (events) => events.map(({ metadata }) => JSON.parse(metadata)))

const rows = [
  ["what the caller gave", { metadata: { user: "ada", correlationId: "x" } }, { user: "ada", correlationId: "x" }],
  ["the command id as its cause", { commandId: "c", metadata: { user: "ada" } }, { user: "ada", causationId: "c" }],
  ["the cause that the caller knows better", { commandId: "c", metadata: { causationId: "z" } }, { causationId: "z" }],
  ["nothing where nothing was given", {}, {}]
] as const

for (const [what, options, expected] of rows) {
  it.effect(
    `keeps with each event of a command ${what}`,
    Effect.fnUntraced(function*() {
      const accounts = yield* startWriting
      yield* accounts.of("a", options).touch()
      assert.deepStrictEqual(yield* metadataIn(accountStream("a")), [expected, expected])
      assert.deepStrictEqual(yield* metadataIn(accountStream("b")), [expected])
      assert.deepStrictEqual(yield* metadataIn({ ...accountStream("k"), category: "outbox" }), [expected])
    }, Effect.provide(stores))
  )
}

it.effect(
  "shows a handler the metadata that its caller gave",
  Effect.fnUntraced(function*() {
    const { accounts, seen } = yield* startSeeing()
    yield* accounts.of("a", { commandId: "c", metadata: { user: "ada" } }).touch()
    assert.deepStrictEqual(seen[0]?.metadata, { user: "ada" })
  }, Effect.provide(stores))
)

/** Names that would be one if they were glued together. */
const glued = [
  ["a", "b"],
  ["a\",\"b", "c"],
  ["a", "b\",\"c"],
  ["a/b", "c"],
  ["a", "b/c"],
  ["", "a"].map((part) => part || "default"),
  [
    "Default",
    "a"
  ]
] as const

it.effect(
  "I21: keeps tenants and ids apart, whatever they are called",
  Effect.fnUntraced(function*() {
    yield* Effect.scoped(Effect.gen(function*() {
      const accounts = yield* startAccounts({ snapshotEvery: 1 })
      for (const [index, [tenant, id]] of glued.entries()) {
        yield* accounts.of(id!, { tenant, commandId: "c" }).deposit({ cents: index + 1 })
      }
    }))
    const accounts = yield* startAccounts({ snapshotEvery: 1 })
    for (const [index, [tenant, id]] of glued.entries()) {
      const expected = { balanceCents: index + 1 }
      assert.deepStrictEqual(yield* accounts.state(id!, { tenant }), expected)
      assert.deepStrictEqual((yield* accounts.stateAt(id!, { version: 1 }, { tenant })).state, expected)
      assert.deepStrictEqual(
        yield* accounts.of(id!, { tenant, commandId: "c" }).deposit({ cents: index + 1 }),
        expected
      )
      assert.deepStrictEqual(yield* moved(id!, tenant), [index + 1])
    }
  }, Effect.provide(stores))
)

it.effect(
  "I21: writes beside and publishes for the tenant of the command only",
  Effect.fnUntraced(function*() {
    const accounts = yield* startWriting
    yield* accounts.of("a", { tenant: "t" }).touch()
    assert.deepStrictEqual(yield* moved("b", "t"), [3])
    assert.lengthOf(yield* storedIn({ tenant: "t", category: "outbox", id: "k" }), 1)
    assert.isFalse(yield* accounts.exists("b"))
    assert.lengthOf(yield* storedIn({ ...accountStream("k"), category: "outbox" }), 0)
  }, Effect.provide(stores))
)
