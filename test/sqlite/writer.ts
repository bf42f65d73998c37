/**
 * A process that writes to a shared file: each event is decided on the version that it has just read, and told on
 * standard output once it is written. Run by the tests: `node writer.ts <file> <stream id> <events>`.
 */
import { Effect } from "effect"
import { EventStore } from "../../src/EventStore.ts"
import * as Sqlite from "../../src/sqlite/Sqlite.ts"
import * as Sample from "../../src/testing/suites/Sample.ts"

const [filename = "", id = "", count = ""] = process.argv.slice(2)
const stream = Sample.stream({ id })

const writeOne = Effect.gen(function*() {
  const { version } = yield* (yield* EventStore).readStream(stream)
  const event = Sample.event({ data: { decidedOn: version, by: process.pid } })
  const status = yield* Sample.append(Sample.write(stream, version, [event]))
  if (status._tag === "Committed") process.stdout.write(`${status.writes[0]!.version}\n`)
  return status._tag === "Committed"
})

const program = Effect.gen(function*() {
  for (let written = 0; written < Number(count);) if (yield* writeOne) written++
})

await Effect.runPromise(Effect.provide(program, Sqlite.layer({ filename })))
