/**
 * `run`: carries out a file of commands and ends with a summary.
 */
import { Data, Duration, Effect, Exit, Layer, Option, Schema, Scope } from "effect"
import { Command, Flag } from "effect/cli"
import * as AggregateRuntime from "../AggregateRuntime.ts"
import { StoreUnavailable } from "../EventStore.ts"
import * as InlineRuntime from "../InlineRuntime.ts"
import * as ProjectionRunner from "../ProjectionRunner.ts"
import * as Store from "../Store.ts"
import * as AppFile from "./AppFile.ts"
import * as CatchUp from "./CatchUp.ts"
import * as CommandFile from "./CommandFile.ts"
import { runAgain } from "./Main.ts"
import * as Repeats from "./Repeats.ts"
import * as Run from "./Run.ts"
import * as StatusLine from "./StatusLine.ts"
import * as StoreFlags from "./StoreFlags.ts"
import * as Summary from "./Summary.ts"

/** Standard input was named without a name for its batch. */
class BatchMissing extends Data.TaggedError("BatchMissing")<{}> {
  override get message() {
    return "Commands from standard input need a name of their own: give --batch NAME, and the same name to repeat them."
  }
}

/** Not one line could be carried out or rejected: whoever waits for the run should not go on as if it had been done. */
class AllBad extends Data.TaggedError("AllBad")<{ readonly commands: string; readonly app: string }> {
  override get message() {
    return `Every line of ${this.commands} is bad: are these commands for the app ${this.app}?`
  }
}

const flags = {
  ...StoreFlags.flags,
  app: Flag.String("app").pipe(
    Flag.withDescription("The module whose default export is the app, made by App.make"),
    Flag.withMetavar("FILE")
  ),
  commands: Flag.String("commands").pipe(
    Flag.withDescription("The commands: one JSON value a line, plain or gzipped, or - for standard input"),
    Flag.withMetavar("FILE")
  ),
  batch: Flag.String("batch").pipe(
    Flag.withDescription(
      "Names the commands, for their ids: needed for standard input; a file is named by its content"
    ),
    Flag.withMetavar("NAME"),
    Flag.withSchema(Schema.String.check(Schema.isMinLength(1), Schema.isMaxLength(200))),
    Flag.optional
  ),
  strict: Flag.Boolean("strict").pipe(Flag.withDescription("Stop at the first bad line"), Flag.withDefault(false)),
  concurrency: Flag.Int("concurrency").pipe(
    Flag.withDescription("How many lines may be under way at once, 1 to 10,000; 64 unless given"),
    Flag.withSchema(Schema.Int.check(Schema.isBetween({ minimum: 1, maximum: 10_000 }))),
    Flag.withDefault(64)
  ),
  patience: Flag.String("patience").pipe(
    Flag.withDescription("How long to try again what the store cannot do just now; \"30 seconds\" unless given"),
    Flag.withMetavar("DURATION"),
    Flag.filterMap(
      (text) => Schema.decodeUnknownOption(Schema.DurationFromString)(text),
      () => "a duration like \"30 seconds\" or \"5 minutes\""
    ),
    Flag.withDefault(Duration.seconds(30))
  ),
  projections: Flag.Boolean("projections").pipe(
    Flag.withDescription(
      "Run the app's projections as well, and end when they have all of it, or stand still for --patience"
    ),
    Flag.withDefault(false)
  ),
  json: Flag.Boolean("json").pipe(
    Flag.withDescription("Print the summary as JSON on standard output"),
    Flag.withDefault(false)
  )
}

/** The `run` command. */
export const command = Command.make(
  "run",
  flags,
  Effect.fnUntraced(function*({ app: appFile, batch, commands, json, projections, store, url, ...options }) {
    const { patience } = options
    const app = yield* AppFile.load(appFile)
    const choice = yield* StoreFlags.choose({ store, url }, app.name)
    const status = StatusLine.make(process.stderr)
    const file = yield* open(commands, batch)
    // No worker: it would forget the receipts of 7 days ago, by which a file that is run again is recognized.
    const stores = opening(Store.layer(choice), Run.patiently(patience, status, isPassing))
    const watched = Layer.provideMerge(Repeats.layer(file.batch), stores)
    const running = app.aggregates.pipe(
      Layer.provide(AggregateRuntime.layer),
      Layer.provideMerge(app.inline === undefined ? Layer.empty : Layer.provideMerge(app.inline, InlineRuntime.layer)),
      Layer.provideMerge(projections ? ProjectionRunner.layer : ProjectionRunner.layerIdle),
      Layer.provideMerge(watched)
    )
    const live = Layer.provideMerge(projections ? app.projections ?? Layer.empty : Layer.empty, running)
    yield* status.say(`${app.name} on ${Store.placeOf(choice)}, commands from ${commands}`)
    const carriedOut = Effect.gen(function*() {
      const summary = yield* Run.run(app, file, options, status)
      return projections ? { ...summary, projections: yield* CatchUp.wait(patience, status) } : summary
    })
    const summary = yield* carriedOut.pipe(
      Effect.provide(live),
      Effect.onInterrupt(() => status.say(`Stopped by a signal. ${runAgain}`))
    )
    yield* Effect.sync(() => void process.stdout.write(`${json ? JSON.stringify(summary) : Summary.format(summary)}\n`))
    if (summary.lines > 0 && summary.bad === summary.lines) return yield* new AllBad({ commands, app: app.name })
    const behind = summary.projections?.filter(({ problem }) => problem !== undefined) ?? []
    if (behind.length > 0) return yield* new CatchUp.ProjectionsBehind({ names: behind.map(({ name }) => name) })
  })
).pipe(
  Command.withDescription(
    "Carry out a file of commands. Each line is one command; its id is the SHA-256 of the file's lines, or the name " +
      "that --batch gives, and the number of the line. So a file that is run again, after a crash or by mistake, " +
      "changes nothing that is done, as long as the store has the receipts: this command forgets none, a worker on " +
      "the same store forgets those that are older than 7 days unless told otherwise. " +
      "Bad lines are reported and counted and stop nothing, unless --strict. It exits with 0 when the file is done, " +
      "1 when the run failed or every line was bad, 2 when it was called wrongly, 130 when a signal ended it."
  ),
  Command.withShortDescription("Carry out a file of commands"),
  Command.withExamples([
    {
      command: "npm start -- run --app examples/expenses/app.ts --commands examples/expenses/fixture.ndjson",
      description: "Carry out a file on ./data/expenses.sqlite"
    },
    {
      command:
        "gunzip -c log.ndjson.gz | npm start -- run --app app.ts --commands - --batch monday --store memory --json",
      description: "Carry out standard input in memory; the summary is JSON"
    }
  ])
)

/** A store that is tried again as often as it takes. What a failed attempt has opened is closed before the next one. */
const opening = <A>(
  store: Layer.Layer<A, StoreUnavailable>,
  patiently: Run.Patiently
): Layer.Layer<A, StoreUnavailable> =>
  Layer.effectContext(Effect.gen(function*() {
    const scope = yield* Effect.scope
    const attempt = Effect.gen(function*() {
      const own = yield* Scope.fork(scope)
      return yield* Effect.onError(Layer.buildWithScope(store, own), (cause) => Scope.close(own, Exit.failCause(cause)))
    })
    return yield* patiently(attempt)
  }))

const isPassing = (error: unknown): error is StoreUnavailable =>
  error instanceof StoreUnavailable && error.lasting !== true

const open = (commands: string, batch: Option.Option<string>) => {
  if (commands !== "-") return CommandFile.open(commands, Option.getOrUndefined(batch))
  return Option.isSome(batch) ? Effect.succeed(CommandFile.standardInput(batch.value)) : Effect.fail(new BatchMissing())
}
