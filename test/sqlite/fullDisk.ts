/**
 * A process that writes to a file until it may not grow any further, and tells on standard output how the append that
 * found no room ended. Run by the tests: `node fullDisk.ts <file>`, under a limit on the size of files.
 */
import { Effect } from "effect"
import { EventStore } from "../../src/EventStore.ts"
import * as Sqlite from "../../src/sqlite/Sqlite.ts"
import * as Sample from "../../src/testing/suites/Sample.ts"

const [filename = ""] = process.argv.slice(2)
const stream = Sample.stream({ id: "s" })
const data = { text: "x".repeat(20_000) }

const write = (version: number) => Sample.append(Sample.write(stream, version, [Sample.event({ data })]))

const program = Effect.gen(function*() {
  const { head } = yield* EventStore
  for (let version = 0;; version++) {
    const exit = yield* Effect.result(write(version))
    if (exit._tag === "Success") continue
    const { _tag, message } = exit.failure
    return { failed: { _tag, message }, acknowledged: version, head: Number(yield* head) }
  }
})

const told = await Effect.runPromise(Effect.provide(program, Sqlite.layer({ filename })))
process.stdout.write(JSON.stringify(told))
