/**
 * `export`: writes a log to a file, one stored event a line, for `history` and for whoever else reads JSON.
 */
import { Data, Effect, Option, Stream } from "effect"
import { Command, Flag } from "effect/cli"
import { createWriteStream, existsSync, renameSync, rmSync } from "node:fs"
import { Readable } from "node:stream"
import { pipeline } from "node:stream/promises"
import { createGzip } from "node:zlib"
import type { Position } from "../Event.ts"
import { EventStore, type LogGap, type StoreUnavailable } from "../EventStore.ts"
import * as Store from "../Store.ts"
import * as LogFile from "./LogFile.ts"
import { describe } from "./Problem.ts"
import * as StatusLine from "./StatusLine.ts"
import * as StoreFlags from "./StoreFlags.ts"

/** The log cannot be exported; `problem` says why. */
export class ExportFailed extends Data.TaggedError("ExportFailed")<{ readonly problem: string }> {
  override get message() {
    return this.problem
  }
}

const flags = {
  ...StoreFlags.flags,
  output: Flag.String("output").pipe(
    Flag.withDescription(
      "Where to: .ndjson or .ndjson.gz; standard output unless given. The file must not be there yet"
    ),
    Flag.withMetavar("FILE"),
    Flag.optional
  )
}

/** The `export` command. */
export const command = Command.make(
  "export",
  flags,
  Effect.fnUntraced(function*({ output, store, url }) {
    const choice = yield* choose({ store, url })
    if (Option.isSome(output) && existsSync(output.value)) {
      return yield* new ExportFailed({ problem: `${output.value} is there already; name another file.` })
    }
    const status = StatusLine.make(process.stderr)
    let count = 0
    const progress = Effect.sync(() => `${count.toLocaleString("en-US")} events`)
    const writing = Effect.gen(function*() {
      const { head, readAll } = yield* EventStore
      const end = yield* head
      const lines = Stream.map(log({ readAll }, end), (text) => {
        count++
        return text
      })
      yield* Option.match(output, { onNone: () => toStandardOutput(lines), onSome: (path) => toFile(lines, path) })
      yield* status.say(`Exported ${count.toLocaleString("en-US")} events, up to position ${end}.`)
    })
    yield* Effect.provide(status.during(progress, writing), Store.layer(choice))
  })
).pipe(
  Command.withDescription(
    "Write the log of a store to a file, up to where it ends now: one stored event a line, in the order of positions, " +
      "as JSON with position, tenant, category, id, version, type, schemaVersion, eventId, recordedAt, data and metadata."
  ),
  Command.withShortDescription("Write the log of a store to a file"),
  Command.withExamples([
    {
      command: "npm run varve -- export --store sqlite --url data/orders.sqlite --output log.ndjson.gz",
      description: "Export a log on SQLite, packed"
    }
  ])
)

/** Only a store that is there can be exported: opening it would make one. */
const choose = Effect.fnUntraced(function*(given: Store.Given) {
  const choice = yield* Store.choose(yield* StoreFlags.withEnvironment(given))
  if (choice.store === "memory") {
    return yield* new ExportFailed({ problem: "A store in memory ends with its process; there is nothing to export." })
  }
  if (choice.store === "sqlite" && !existsSync(choice.url)) {
    return yield* new ExportFailed({ problem: `Cannot read ${choice.url}: there is no such file.` })
  }
  yield* StoreFlags.requireMigrated(choice)
  return choice
})

type Unreadable = StoreUnavailable | LogGap

/** The log up to a position, as lines. */
const log = ({ readAll }: Pick<EventStore["Service"], "readAll">, end: Position): Stream.Stream<string, Unreadable> =>
  Stream.paginate<Position, string, Unreadable>(
    0n,
    (after) =>
      Effect.map(readAll({ after }), ({ events, position }) => {
        const lines = events.filter((stored) => stored.position <= end).map((stored) => `${LogFile.format(stored)}\n`)
        return [lines, position < end ? Option.some(position) : Option.none()]
      })
  )

const toStandardOutput = (lines: Stream.Stream<string, Unreadable>): Effect.Effect<void, ExportFailed> =>
  write((signal) => pipeline(Readable.from(Stream.toAsyncIterable(lines)), process.stdout, { signal, end: false }))

/** A file that is not complete does not bear the name of one that is. */
const toFile = (lines: Stream.Stream<string, Unreadable>, path: string): Effect.Effect<void, ExportFailed> => {
  const unfinished = `${path}.unfinished`
  const target = () => createWriteStream(unfinished)
  const source = () => Readable.from(Stream.toAsyncIterable(lines))
  return write(async (signal) => {
    if (path.endsWith(".gz")) await pipeline(source(), createGzip(), target(), { signal })
    else await pipeline(source(), target(), { signal })
    renameSync(unfinished, path)
  }).pipe(Effect.onError(() => Effect.sync(() => rmSync(unfinished, { force: true }))))
}

/** A reader who has left (`| head`) has what was wanted. */
const write = (work: (signal: AbortSignal) => Promise<void>): Effect.Effect<void, ExportFailed> =>
  Effect.tryPromise({
    try: (signal) =>
      work(signal).catch((error: NodeJS.ErrnoException) => {
        if (error.code !== "EPIPE") throw error
      }),
    catch: (cause) => new ExportFailed({ problem: `The log cannot be exported: ${describe(cause)}` })
  })
