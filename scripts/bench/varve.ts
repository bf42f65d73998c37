/**
 * Varve as a contestant: as its README says that it is used, with schemas and all.
 */
import { Effect, Layer, ManagedRuntime, Result, Schema } from "effect"
import { SecureRandom } from "effect/crypto"
import * as Aggregate from "../../src/Aggregate.ts"
import * as AggregateRuntime from "../../src/AggregateRuntime.ts"
import * as Event from "../../src/Event.ts"
import { type Append, EventStore } from "../../src/EventStore.ts"
import * as Memory from "../../src/memory/Memory.ts"
import * as Postgres from "../../src/postgres/Postgres.ts"
import * as Repository from "../../src/Repository.ts"
import * as Sqlite from "../../src/sqlite/Sqlite.ts"
import type * as Store from "../../src/Store.ts"
import { type Entry, entryOf, evolve, initial, mayBook } from "./ledger.ts"
import type { Batch, Booking, Loaded, Open, Setting, World } from "./World.ts"

const entry = {
  reference: Schema.String,
  cents: Schema.Int,
  currency: Schema.String,
  channel: Schema.String,
  memo: Schema.String
}
/** What happens to a ledger. */
export const LedgerEvent = Event.union({ EntryBooked: entry })
const { EntryBooked } = LedgerEvent.cases

class EntryRefused extends Schema.TaggedError<EntryRefused>()("EntryRefused", { id: Schema.String }) {}

class Ledgers extends Aggregate.Service<Ledgers>()("Ledger", {
  state: Schema.Struct({ entries: Schema.Int, balanceCents: Schema.Int }),
  events: LedgerEvent,
  commands: [
    Aggregate.command("book", { payload: entry, success: Schema.Int, error: EntryRefused }),
    Aggregate.command("import", { payload: { first: Schema.Int, count: Schema.Int } })
  ]
}) {}

const behavior = Ledgers.behavior({
  initial,
  evolve: { EntryBooked: evolve },
  handlers: {
    book: ({ id, payload, state }) =>
      mayBook(state, payload)
        ? Aggregate.decide([EntryBooked.make(payload)], { reply: state.balanceCents + payload.cents })
        : new EntryRefused({ id }),
    import: ({ payload: { count, first } }) =>
      Aggregate.decide(Array.from({ length: count }, (_, index) => EntryBooked.make(entryOf(first + index))))
  }
})

type Runtime = ManagedRuntime.ManagedRuntime<Ledgers | Stores, unknown>

/** What every store provides. */
export type Stores = Store.Stores

const runtimeOver = (setting: Setting, stores: Layer.Layer<Stores, unknown>): Runtime =>
  ManagedRuntime.make(
    Ledgers.toLayer(behavior, { snapshotEvery: setting.snapshotEvery }).pipe(
      Layer.provide(AggregateRuntime.layer),
      Layer.provideMerge(stores)
    )
  )

/** The store that a setting asks for. */
export const storesOf = ({ filename, pooled, store, url }: Setting): Layer.Layer<Stores, unknown> => {
  if (store === "memory") return Memory.layer
  return store === "sqlite" ? Sqlite.layer({ filename }) : Postgres.layer({ url, behindPooler: pooled })
}

/** A new runtime over the same log; one in memory has nothing to come back to. */
const start = (setting: Setting): Runtime => runtimeOver(setting, storesOf(setting))

/** What a caller does, until there is nothing left to do. */
const call = ({ receipts }: Setting, next: () => Booking | undefined) =>
  Effect.gen(function*() {
    const ledgers = yield* Ledgers
    for (let booking = next(); booking !== undefined; booking = next()) {
      const { commandId, entry, id } = booking
      yield* (receipts ? ledgers.of(id, { commandId }) : ledgers.of(id)).book(entry)
    }
  })

const append = (next: () => Batch | undefined) =>
  Effect.gen(function*() {
    const ledgers = yield* Ledgers
    for (let batch = next(); batch !== undefined; batch = next()) yield* ledgers.of(batch.id).import(batch)
  })

/** Puts entries 0 to `length` - 1 into each of these ledgers. */
export const seedAll = Effect.fnUntraced(function*(ids: ReadonlyArray<string>, length: number) {
  const store = yield* EventStore
  const streamsAtOnce = Math.max(1, Math.floor(50_000 / length))
  for (let index = 0; index < ids.length; index += streamsAtOnce) {
    for (const group of groupsOf(ids.slice(index, index + streamsAtOnce), length)) {
      const statuses = yield* store.append(group)
      const failed = statuses.find(({ _tag }) => _tag !== "Committed")
      if (failed !== undefined) return yield* Effect.die(failed)
    }
  }
})

/** The entries of each stream, a thousand of them in a write, which is the most that one takes. */
const groupsOf = function*(ids: ReadonlyArray<string>, length: number): Generator<ReadonlyArray<Append>> {
  for (let first = 0; first < length; first += 1_000) {
    yield ids.map((id): Append => [{
      stream: { tenant: Event.defaultTenant, category: "Ledger", id },
      expected: first,
      events: Array.from({ length: Math.min(1_000, length - first) }, (_, index) => newEvent(entryOf(first + index))),
      receipts: []
    }])
  }
}

/** An entry as an event of its own. */
export const newEvent = (entry: Entry): Event.New =>
  Result.getOrThrow(Event.make({
    eventId: SecureRandom.uuidV7Unsafe(),
    type: "EntryBooked",
    schemaVersion: 1,
    data: entry,
    metadata: { text: "{}", bytes: 2 }
  }))

const load = Effect.fnUntraced(function*(id: string) {
  const { state, version } = yield* Effect.flatMap(Repository.make(Ledgers, behavior), (ledgers) => ledgers.load(id))
  return { ledger: state, version } satisfies Loaded
})

/** Opens Varve on a store of its own. */
export const open: Open = async (setting): Promise<World> => {
  let runtime = start(setting)
  const atOnce = (callers: number, call: Effect.Effect<void, unknown, Ledgers>) =>
    runtime.runPromise(
      Effect.forEach(Array.from({ length: callers }), () => call, { concurrency: "unbounded", discard: true })
    )
  return {
    warms: true,
    seed: (ids, length) => runtime.runPromise(seedAll(ids, length)),
    carryOut: (callers, next) => atOnce(callers, call(setting, next)),
    append: (callers, next) => atOnce(callers, append(next)),
    load: (id) => runtime.runPromise(load(id)),
    count: () => runtime.runPromise(Effect.flatMap(EventStore, ({ head }) => Effect.map(head, Number))),
    restart: async () => {
      await runtime.dispose()
      runtime = start(setting)
      await runtime.runPromise(Ledgers)
    },
    close: () => runtime.dispose()
  }
}
