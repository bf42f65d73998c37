/**
 * The table of certainty: when each reason comes, and that nothing was written then, but for the one that says so. What
 * each of them stands for in full is shown by the files of its topic; the two sides of each edge are here or there.
 */
import { assert, it } from "@effect/vitest"
import { Effect, Fiber, Latch } from "effect"
import { TestClock } from "effect/testing"
import { decide } from "../../src/Aggregate.ts"
import { AggregateHost, type CommandFailed, isCommandFailed, Reason } from "../../src/AggregateHost.ts"
import * as AggregateRuntime from "../../src/AggregateRuntime.ts"
import * as Command from "../../src/Command.ts"
import { EventStore, ViewRefused } from "../../src/EventStore.ts"
import { untyped } from "../../src/internal/types.ts"
import { ProjectionBehind, ProjectionHost } from "../../src/ProjectionHost.ts"
import * as FaultyStore from "../../src/testing/FaultyStore.ts"
import { Accounts, behavior, Supervisor } from "../fixtures/Account.ts"
import {
  accountStream,
  answerOf,
  deposited,
  foreign,
  fork,
  moved,
  newEvent,
  start,
  startAccounts,
  stores,
  writeForeign
} from "../fixtures/Runtimes.ts"

/** A world, and what is sent into it. */
interface Ready {
  readonly sent: Effect.Effect<unknown, unknown, any>
}
const ready = (sent: Ready["sent"]): Ready => ({ sent })

interface Row {
  readonly when: string
  readonly retryable: boolean
  /** Prepares the world; what is sent then fails with the reason. */
  readonly world: Effect.Effect<Ready, unknown, any>
}

/** Keeps a command for "a" under way, so that others wait behind it. */
const busy = Effect.fnUntraced(function*(accounts: Accounts["Service"]) {
  const gate = yield* FaultyStore.gate
  yield* (yield* FaultyStore.FaultyStore).next("append", gate.before)
  yield* fork(accounts.of("a").deposit({ cents: 1 }))
  return gate
})

const startWith = (touch: () => Effect.Effect<ReturnType<typeof nothing>> | ReturnType<typeof nothing>) =>
  start(Accounts, Accounts.toLayer({ ...behavior, handlers: { ...behavior.handlers, touch } })).pipe(
    Effect.provide(Supervisor.layerYes)
  )
const nothing = () => decide([])

const damaged = (type: string, schemaVersion: number, data: unknown) =>
  Effect.gen(function*() {
    const event = newEvent({ type, schemaVersion, data })
    yield* writeForeign({ stream: accountStream("a"), expected: "any", events: [event], receipts: [] })
    return ready((yield* startAccounts()).of("a").deposit({ cents: 2 }))
  })

const rows: { readonly [Tag in Reason["_tag"]]: Row } = {
  VersionConflict: {
    when: "`ifVersion` is not met",
    retryable: true,
    world: Effect.gen(function*() {
      yield* foreign("a", deposited(1))
      return ready((yield* startAccounts()).of("a", { ifVersion: 2 }).deposit({ cents: 2 }))
    })
  },
  MailboxFull: {
    when: "as many commands wait as may",
    retryable: true,
    world: Effect.gen(function*() {
      const accounts = yield* startAccounts({ drainDeadline: 0, mailboxCapacity: 1 })
      yield* busy(accounts)
      yield* fork(accounts.of("a").deposit({ cents: 2 }))
      return ready(accounts.of("a").deposit({ cents: 3 }))
    })
  },
  CommandTimeout: {
    when: "the deadline passes in the mailbox",
    retryable: true,
    world: Effect.gen(function*() {
      const accounts = yield* startAccounts()
      const gate = yield* busy(accounts)
      const caller = yield* fork(accounts.of("a", { deadline: "1 second" }).deposit({ cents: 2 }))
      return ready(Effect.gen(function*() {
        yield* TestClock.adjust("1 second")
        const exit = yield* Fiber.await(caller)
        yield* gate.open
        yield* accounts.state("a")
        assert.deepStrictEqual(yield* moved("a"), [1])
        return yield* exit
      }))
    })
  },
  OutcomeUnknown: {
    when: "the deadline passes after deciding began",
    retryable: true,
    world: Effect.gen(function*() {
      const accounts = yield* startAccounts({ drainDeadline: 0 })
      const gate = yield* FaultyStore.gate
      yield* (yield* FaultyStore.FaultyStore).next("append", gate.before)
      const caller = yield* fork(accounts.of("a", { deadline: "1 second" }).deposit({ cents: 2 }))
      return ready(Effect.andThen(TestClock.adjust("1 second"), answerOf(caller)))
    })
  },
  StoreUnavailable: {
    when: "the store is out of reach",
    retryable: true,
    world: Effect.gen(function*() {
      const accounts = yield* startAccounts()
      yield* accounts.of("a").deposit({ cents: 1 })
      yield* (yield* FaultyStore.FaultyStore).always("append", FaultyStore.unavailable)
      return ready(accounts.of("a").deposit({ cents: 2 }))
    })
  },
  RuntimeStopping: {
    when: "the runtime has stopped",
    retryable: true,
    world: Effect.map(Effect.scoped(startAccounts()), (accounts) => ready(accounts.of("a").deposit({ cents: 2 })))
  },
  HandlerMissing: {
    when: "this build has no such command",
    retryable: false,
    world: Effect.gen(function*() {
      const host = yield* AggregateHost
      const hosted = yield* host.register({
        definition: Accounts.definition,
        behavior: untyped(behavior),
        settings: {},
        services: yield* Effect.context<never>()
      })
      return ready(hosted.execute(accountStream("a"), untyped(Command.make("close")), {}, {}))
    }).pipe(Effect.provide(AggregateRuntime.layer))
  },
  StreamUnreadable: {
    when: "a stored event does not decode",
    retryable: false,
    world: damaged("MoneyDeposited", 1, { cents: "five" })
  },
  StreamMismatch: {
    when: "the store returns an event of another stream",
    retryable: false,
    world: Effect.gen(function*() {
      yield* foreign("a", deposited(1))
      const { damage } = yield* FaultyStore.FaultyStore
      yield* damage((page) => ({ ...page, events: page.events.map((event) => ({ ...event, id: "b" })) }))
      return ready((yield* startAccounts()).of("a").deposit({ cents: 2 }))
    })
  },
  SchemaTooNew: {
    when: "a stored event is newer than this build",
    retryable: false,
    world: damaged("MoneyDeposited", 2, { cents: 5 })
  },
  CommandIdReused: {
    when: "the id was used with another payload",
    retryable: false,
    world: Effect.gen(function*() {
      const accounts = yield* startAccounts()
      yield* accounts.of("a", { commandId: "c" }).deposit({ cents: 1 })
      return ready(accounts.of("a", { commandId: "c" }).deposit({ cents: 2 }))
    })
  },
  CommandQuarantined: {
    when: "the same id ended in a defect three times",
    retryable: false,
    world: Effect.gen(function*() {
      const accounts = yield* startWith(() => {
        throw new Error("a bug")
      })
      const send = accounts.of("a", { commandId: "c" }).touch()
      yield* Effect.replicateEffect(Effect.exit(send), 3)
      return ready(send)
    })
  },
  InputInvalid: {
    when: "the payload does not fit its schema",
    retryable: false,
    world: Effect.map(startAccounts(), (accounts) => ready(accounts.of("a").deposit({ cents: -1 })))
  },
  LimitExceeded: {
    when: "the id is longer than 255 characters",
    retryable: false,
    world: Effect.map(startAccounts(), (accounts) => ready(accounts.of("i".repeat(256)).deposit({ cents: 1 })))
  },
  ReadPastEnd: {
    when: "`stateAt` asks for more than there is",
    retryable: false,
    world: Effect.gen(function*() {
      yield* foreign("a", deposited(1))
      return ready((yield* startAccounts()).stateAt("a", { version: 2 }))
    })
  },
  ViewRefused: {
    when: "an inline view does not take in what was decided",
    retryable: false,
    world: Effect.gen(function*() {
      const reason = new ViewRefused({ view: "v", version: 1, why: "Failed", problem: "its handler threw" })
      const refusing = EventStore.of({
        ...yield* EventStore,
        append: (group) => Effect.succeed(group.map(() => ({ _tag: "Refused", reason })))
      })
      const accounts = yield* Effect.provideService(startAccounts(), EventStore, refusing)
      return ready(accounts.of("a").deposit({ cents: 1 }))
    })
  },
  AskRing: {
    when: "a handler asks its own aggregate",
    retryable: false,
    world: Effect.gen(function*() {
      const asked = yield* Latch.make()
      let seen: unknown
      const accounts: Accounts["Service"] = yield* startWith(() =>
        Effect.suspend(() => Effect.flip(accounts.of("a").deposit({ cents: 2 }))).pipe(
          Effect.orDie,
          Effect.map((error) => seen = error),
          Effect.andThen(asked.open),
          Effect.as(nothing())
        )
      )
      yield* accounts.of("a").touch()
      return ready(Effect.andThen(asked.await, Effect.suspend(() => Effect.fail(seen))))
    })
  },
  ViewsBehind: {
    when: "a projection that the command is to be shown by does not come so far",
    retryable: false,
    world: Effect.gen(function*() {
      const definition = { name: "balances", version: 1, kind: "view" } as const
      const behind = (_: unknown, position: bigint) =>
        Effect.fail(new ProjectionBehind({ projection: "balances", position, reached: 0n, problem: "it sleeps" }))
      const accounts = yield* Effect.provideService(startAccounts(), ProjectionHost, {
        register: () => Effect.never,
        await: behind,
        awaitShown: behind
      })
      return ready(accounts.of("a", { consistent: [{ definition }] }).deposit({ cents: 1 }))
    })
  }
}

const certainties: { readonly [tag: string]: string } = {
  OutcomeUnknown: "nobody knows what was written",
  ViewsBehind: "the command was carried out"
}

for (const [tag, { retryable, when, world }] of Object.entries(rows)) {
  const certainty = certainties[tag] ?? "nothing was written"
  it.effect(`I7: fails with ${tag} when ${when}: ${certainty}`, () =>
    Effect.gen(function*() {
      const { inner } = yield* FaultyStore.FaultyStore
      const { sent } = yield* world
      const before = yield* inner.head
      const error = yield* Effect.flip(sent)
      assert.isTrue(isCommandFailed(error), String(error))
      const failed = error as CommandFailed
      assert.strictEqual(failed.reason._tag, tag)
      assert.strictEqual(failed.isRetryable, retryable)
      assert.strictEqual(failed.nothingWritten, certainties[tag] === undefined)
      assert.strictEqual(failed.message, failed.reason.message)
      assert.isAtLeast(failed.message.length, 20)
      assert.notMatch(failed.message, /\n|\.ts|SELECT|INSERT/)
      // The timeout's row looks itself: another command goes on there.
      if (tag !== "CommandTimeout") assert.strictEqual(yield* inner.head, before + (tag === "ViewsBehind" ? 1n : 0n))
    }).pipe(Effect.provide(stores)) as Effect.Effect<void>)
}

it("gives every reason of the contract a row", () => {
  assert.sameMembers(Object.keys(rows), Reason.members.map(({ fields }) => fields._tag.schema.literal))
})

it.effect(
  "lets one reason be caught beside a command's own errors",
  Effect.fnUntraced(function*() {
    const accounts = yield* startAccounts()
    const answer = yield* accounts.of("a", { ifVersion: 7 }).withdraw({ cents: 2 }).pipe(
      Effect.catchReason(
        "CommandFailed",
        "VersionConflict",
        ({ actual, expected }) => Effect.succeed([expected, actual])
      ),
      Effect.catchTag("InsufficientFunds", () => Effect.succeed("poor"))
    )
    assert.deepStrictEqual(answer, [7, 0])
  }, Effect.provide(stores))
)

it.effect(
  "I7: knows that nothing was written when the store refused to be read, and carries the next command out",
  Effect.fnUntraced(function*() {
    const { next } = yield* FaultyStore.FaultyStore
    const accounts = yield* startAccounts()
    yield* next("readStream", FaultyStore.unavailable)
    const error = yield* Effect.flip(accounts.of("a").deposit({ cents: 1 }))
    assert.strictEqual(error.reason._tag, "StoreUnavailable")
    assert.deepStrictEqual(yield* accounts.of("a").deposit({ cents: 2 }), { balanceCents: 2 })
    yield* next("append", FaultyStore.unavailable)
    const later = yield* Effect.flip(accounts.of("a").deposit({ cents: 3 }))
    assert.strictEqual(later.reason._tag, "StoreUnavailable")
    assert.deepStrictEqual(yield* accounts.of("a").deposit({ cents: 4 }), { balanceCents: 6 })
    assert.deepStrictEqual(yield* moved("a"), [2, 4])
  }, Effect.provide(stores))
)

it.effect(
  "I7: does not know what was written when the store dies of an append, and tells nothing of it",
  Effect.fnUntraced(function*() {
    const { next } = yield* FaultyStore.FaultyStore
    const accounts = yield* startAccounts()
    yield* next("append", FaultyStore.diesAfter(new Error("INSERT INTO events: connection to 10.0.0.7 reset")))
    const first = yield* fork(Effect.flip(accounts.of("a").deposit({ cents: 1 })))
    const error = yield* answerOf(first)
    assert.strictEqual(error.reason._tag, "OutcomeUnknown")
    assert.notInclude(error.message, "INSERT")
    assert.deepStrictEqual(yield* accounts.of("a").deposit({ cents: 2 }), { balanceCents: 3 })
    assert.deepStrictEqual(yield* moved("a"), [1, 2])
  }, Effect.provide(stores))
)
