/**
 * A process with the old or the new code of a view, for `rebuild.ts`: it runs it, and asks it all the time, as an
 * application would. What it was answered it tells its parent, who may ask for more.
 *
 * `rebuilder.ts PLACE FILE VERSION`
 */
import { Cause, Context, Effect, Exit, Layer, Random, Schema } from "effect"
import * as Projection from "../../src/Projection.ts"
import * as ProjectionRunner from "../../src/ProjectionRunner.ts"
import { Projections } from "../../src/Projections.ts"
import { storesWithSqlAt } from "./place.ts"
import { letters, step, Trace, WalletEvent } from "./readModels.ts"

/** What the parent asks for. */
export type Asked = "rollback" | "unpin"

/**
 * What the process tells: how often it has asked since it spoke last, and what it was answered (documents as
 * `key events trace`); or what came of what it was asked for.
 */
export type Told =
  | { readonly reads: number; readonly seen: ReadonlyArray<string>; readonly failed: ReadonlyArray<string> }
  | { readonly asked: Asked; readonly problem: string | undefined }

const [place, file, version] = process.argv.slice(2) as [string, string, string]

class Old extends Projection.View<Old>()("purses", { version: 1, document: Trace, indexes: ["events"] }) {}

const NewTrace = Schema.Struct({ ...Trace.fields, coins: Schema.NullOr(Schema.Int) })

class New extends Projection.View<New>()("purses", {
  version: 2,
  document: NewTrace,
  indexes: ["events"],
  was: (was) => [was({ version: 1, document: Trace, up: (then) => ({ ...then, coins: null }) })]
}) {}

/** Small pages, so that it takes its time. */
const settings = { pageEvents: 50 }

const old = Old.toLayer((on) => [
  on(WalletEvent, { Filled: (before, _, meta) => step(before, meta), Spent: (before, _, meta) => step(before, meta) })
], settings)

const young = New.toLayer((on) => [
  on(WalletEvent, {
    Filled: (before, { coins }, meta) => ({ ...step(before, meta), coins: (before?.coins ?? 0) + coins }),
    Spent: (before, { coins }, meta) => ({ ...step(before, meta), coins: (before?.coins ?? 0) - coins })
  })
], settings)

// ── Asking

const counted = { reads: 0, seen: new Set<string>(), failed: new Set<string>() }

const see = (key: string, { events, trace }: Trace) => counted.seen.add(`${key} ${events} ${trace}`)

/** Asks as an application would: for one document, for a list in an order, for a count. */
const ask = ({ count, get, list }: Old["Service"] | New["Service"]) =>
  Effect.gen(function*() {
    const key = `w-${yield* Random.nextIntBetween(0, 59)}`
    const document = yield* get(key)
    if (document !== undefined) see(key, document)
    for (const found of yield* list({ limit: 5, orderBy: { field: "events", direction: "descending" } })) {
      see(found.key, found.document)
    }
    yield* count({ where: { events: 1 } })
  })

const askAlways = (view: Old["Service"] | New["Service"]) =>
  Effect.forever(Effect.flatMap(Effect.exit(ask(view)), (exit) => {
    counted.reads++
    if (Exit.isFailure(exit)) counted.failed.add(Cause.pretty(exit.cause))
    return Effect.sleep("10 millis")
  }))

// ── Telling

const tell = (told: Told): void => void process.send!(told)

const tellAlways = Effect.forever(Effect.andThen(
  Effect.sleep("100 millis"),
  Effect.sync(() => {
    tell({ reads: counted.reads, seen: [...counted.seen], failed: [...counted.failed] })
    counted.reads = 0
    counted.seen.clear()
    counted.failed.clear()
  })
))

const answering = Effect.map(Projections, ({ rollback, unpin }) => {
  const answer = (asked: Asked) =>
    Effect.map(
      Effect.exit(asked === "unpin" ? unpin("purses") : rollback("purses", 1, { deadline: "30 seconds" })),
      (exit) => tell({ asked, problem: Exit.isSuccess(exit) ? undefined : Cause.pretty(exit.cause) })
    )
  process.on("message", (asked: Asked) => void Effect.runPromise(answer(asked)))
})

const isTold = Effect.callback<void>((resume) => {
  process.once("SIGTERM", () => resume(Effect.void))
})

const program = Effect.gen(function*() {
  const projections = Layer.merge(version === "1" ? old : young, letters(file))
  const context = yield* Layer.build(Layer.provideMerge(projections, ProjectionRunner.layer))
  yield* Effect.provideContext(answering, context)
  process.send!("ready")
  // Both classes are one service, of which this process has one version.
  yield* Effect.raceFirst(isTold, Effect.raceFirst(askAlways(Context.getUnsafe(context, Old)), tellAlways))
})

await Effect.runPromise(Effect.provide(Effect.scoped(program), storesWithSqlAt(place)))
process.disconnect()
