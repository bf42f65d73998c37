/**
 * Varve's read side as a contestant: views and folds as its README says that they are declared, on a runner with what is
 * usual.
 */
import { Context, Effect, Exit, Layer, ManagedRuntime, Schema, Scope, Stream } from "effect"
import * as Event from "../../src/Event.ts"
import { EventStore } from "../../src/EventStore.ts"
import * as Projection from "../../src/Projection.ts"
import { type Defined, ProjectionHost } from "../../src/ProjectionHost.ts"
import * as ProjectionRunner from "../../src/ProjectionRunner.ts"
import { type Entry, evolve, initial, type Ledger } from "./ledger.ts"
import { keyOf, type Made, type Making, type OpenReadings, type Readings } from "./Readings.ts"
import { LedgerEvent, newEvent, seedAll, type Stores, storesOf } from "./varve.ts"

const deadline = "2 minutes"

/** Runs a projection until it has come so far. Answers how to look at what it has made, which ends it. */
const runTo = Effect.fnUntraced(function*<S, E>(
  { definition }: Defined,
  projection: Layer.Layer<S, never, ProjectionHost | Stores>,
  look: Effect.Effect<Made, E, S>,
  count: number
) {
  const scope = yield* Scope.make()
  const context = yield* Layer.buildWithScope(Layer.provideMerge(projection, ProjectionRunner.layerWith({})), scope)
  yield* Context.get(context, ProjectionHost).await(definition, BigInt(count), { deadline })
  return Effect.ensuring(Effect.provideContext(look, context), Scope.close(scope, Exit.void))
})

let made = 0

const catchUpFold = (count: number) => {
  class Sum extends Projection.Fold<Sum, Ledger>()(`sum-${made++}`) {}
  const projection = Sum.toLayer({
    initial: () => initial,
    sources: (on) => [on(LedgerEvent, { EntryBooked: evolve })]
  })
  const look = Effect.gen(function*() {
    return new Map([["", yield* (yield* Sum).state]])
  })
  return runTo(Sum, projection, look, count)
}

const Book = Schema.Struct({ entries: Schema.Int, balanceCents: Schema.Int, channel: Schema.String })

const catchUpView = (keys: 100 | 1_000, count: number) => {
  class Books
    extends Projection.View<Books>()(`books-${made++}`, { version: 1, document: Book, indexes: ["channel"] })
  {}
  const book = (before: typeof Book.Type | undefined, entry: Entry) => ({
    ...evolve(before ?? initial, entry),
    channel: entry.channel
  })
  const projection = Books.toLayer((
    on
  ) => [on(LedgerEvent, { EntryBooked: book }, { key: (entry) => keyOf(entry, keys) })])
  const look = Effect.gen(function*() {
    const books = yield* (yield* Books).list({ limit: 1_000, where: { channel: "card" } })
    return new Map(books.map(({ document: { balanceCents, entries }, key }) => [key, { entries, balanceCents }]))
  })
  return runTo(Books, projection, look, count)
}

const catchUp = (making: Making, count: number) =>
  making.target === "fold" ? catchUpFold(count) : catchUpView(making.keys, count)

class Arrivals extends Projection.View<Arrivals>()("arrivals", { version: 1, document: Schema.Struct({}) }) {}

const arrivals = Arrivals.toLayer((on) => [
  on(LedgerEvent, { EntryBooked: () => ({}) }, { key: ({ reference }) => reference })
])

const watch = Effect.fnUntraced(function*(onApplied: (reference: string) => void) {
  const scope = yield* Scope.make()
  const context = yield* Layer.buildWithScope(Layer.provideMerge(arrivals, ProjectionRunner.layerWith({})), scope)
  const { changes } = Context.get(context, Arrivals)
  yield* Effect.forkIn(Stream.runForEach(changes, ({ key }) => Effect.sync(() => onApplied(key))), scope)
  return Scope.close(scope, Exit.void)
})

const arriving = { tenant: Event.defaultTenant, category: "Ledger", id: "arrivals" }

/** Appends as a command does: to the version that it has seen. Answers the next one. */
const append = Effect.fnUntraced(function*(entry: Entry, version: number) {
  const write = { stream: arriving, expected: version, events: [newEvent(entry)], receipts: [] } as const
  const [status] = yield* (yield* EventStore).append([[write]])
  if (status?._tag !== "Committed") return yield* Effect.die(status)
  return version + 1
})

const versionNow = Effect.gen(function*() {
  return (yield* (yield* EventStore).readStream(arriving, { limit: 1 })).version
})

/** Opens Varve on a store of its own. */
export const open: OpenReadings = async (setting): Promise<Readings> => {
  const runtime = ManagedRuntime.make(storesOf(setting))
  await runtime.runPromise(Effect.void)
  let version: number | undefined
  return {
    seed: (ids, length) => runtime.runPromise(seedAll(ids, length)),
    catchUp: async (making, count) => {
      const look = await runtime.runPromise(catchUp(making, count))
      return () => runtime.runPromise(look)
    },
    watch: async (onApplied) => {
      const end = await runtime.runPromise(watch(onApplied))
      return () => runtime.runPromise(end)
    },
    append: async (entry) => {
      version ??= await runtime.runPromise(versionNow)
      version = await runtime.runPromise(append(entry, version))
    },
    close: () => runtime.dispose()
  }
}
