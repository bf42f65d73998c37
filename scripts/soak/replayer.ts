/**
 * A process that reads a log from its beginning and says what it holds meanwhile, for `replay.ts`.
 *
 * `node --expose-gc replayer.ts PLACE EVENTS`
 */
import { Effect, Layer, Schema } from "effect"
import * as Projection from "../../src/Projection.ts"
import * as ProjectionRunner from "../../src/ProjectionRunner.ts"
import { Projections } from "../../src/Projections.ts"
import { storesWithSqlAt } from "./place.ts"
import { WalletEvent } from "./readModels.ts"

/** What it holds at a place of its way. */
export interface Sample {
  readonly position: number
  readonly seconds: number
  readonly rssMiB: number
  readonly heapMiB: number
}

/** What it says: what it holds, and in the end how many events it has counted, three times. */
export type Told = Sample | { readonly counted: Readonly<Record<string, number>> }

const [place, events] = process.argv.slice(2) as [string, string]
const places = 10

class Sum extends Projection.Fold<Sum, { events: number }>()("sum") {}

const Count = Schema.Struct({ events: Schema.Int })
const next = (before: typeof Count.Type | undefined) => ({ events: (before?.events ?? 0) + 1 })

class ByBudget extends Projection.View<ByBudget>()("by-budget", { version: 1, document: Count }) {}
class ByWallet extends Projection.View<ByWallet>()("by-wallet", { version: 1, document: Count, indexes: ["events"] }) {}

const Live = Layer.mergeAll(
  Sum.toLayer({
    initial: () => ({ events: 0 }),
    sources: (on) => [
      on(WalletEvent, {
        Filled: (state) => {
          state.events++
          return state
        }
      })
    ]
  }),
  ByBudget.toLayer((on) => [on(WalletEvent, { Filled: next }, { key: ({ budget }) => budget })]),
  ByWallet.toLayer((on) => [on(WalletEvent, { Filled: next })])
).pipe(Layer.provideMerge(ProjectionRunner.layer), Layer.provide(storesWithSqlAt(place)))

const tell = (told: Told) => Effect.sync(() => process.send!(told))

const mebibytes = (bytes: number): number => Math.round(bytes / 2 ** 20)

const sample = (position: number, startedAt: number): Sample => {
  const rssMiB = mebibytes(process.memoryUsage.rss())
  globalThis.gc?.()
  const seconds = Math.round((performance.now() - startedAt) / 100) / 10
  return { position, seconds, rssMiB, heapMiB: mebibytes(process.memoryUsage().heapUsed) }
}

type Lists<E> = (query: { readonly limit: number; readonly after: string | undefined }) => Effect.Effect<
  ReadonlyArray<Projection.Entry<typeof Count.Type>>,
  E
>

/** All documents of a view, page by page. */
const count = Effect.fnUntraced(function*<E>(list: Lists<E>) {
  let sum = 0
  let after: string | undefined
  while (true) {
    const page = yield* list({ limit: 1_000, after })
    for (const { document } of page) sum += document.events
    if (page.length === 0) return sum
    after = page.at(-1)!.key
  }
})

const program = Effect.gen(function*() {
  const startedAt = performance.now()
  const { await: reached } = yield* Projections
  for (let number = 1; number <= places; number++) {
    const position = Math.floor((Number(events) * number) / places)
    for (const { definition } of [Sum, ByBudget, ByWallet]) {
      yield* reached(definition.name, BigInt(position), { deadline: "20 minutes" })
    }
    yield* tell(sample(position, startedAt))
  }
  const counted = {
    sum: (yield* (yield* Sum).state).events,
    byBudget: yield* count((yield* ByBudget).list),
    byWallet: yield* count((yield* ByWallet).list)
  }
  yield* tell({ counted })
})

await Effect.runPromise(Effect.provide(program, Live))
process.disconnect()
