/**
 * A process that moves a checkpoint in a shared file, as a runner does: it counts in a document and leaves one for each
 * step, and tells each revision on standard output once it is kept. Run by the tests: `node advancer.ts <file> <steps>`.
 */
import { Effect } from "effect"
import { CheckpointStore } from "../../src/CheckpointStore.ts"
import * as Sqlite from "../../src/sqlite/Sqlite.ts"
import { ViewStore } from "../../src/ViewStore.ts"
import { id, tenant, view } from "./counting.ts"

const [filename = "", steps = ""] = process.argv.slice(2)

const stepOnce = Effect.gen(function*() {
  const [checkpoints, views] = [yield* CheckpointStore, yield* ViewStore]
  const revision = (yield* checkpoints.get(id))?.revision ?? 0
  const work = Effect.gen(function*() {
    const [found] = yield* views.read(view, [{ tenant, key: "count" }])
    const n = found === undefined ? 1 : JSON.parse(found.document).n + 1
    yield* views.write(view, [
      { tenant, key: "count", document: JSON.stringify({ n }) },
      { tenant, key: `${n}`, document: JSON.stringify({ n, by: process.pid }) }
    ])
  })
  const step = { id, revision, to: BigInt(revision + 1), epoch: "e" }
  const { checkpoint } = yield* checkpoints.advance(step, work)
  process.stdout.write(`${checkpoint.revision}\n`)
})

const program = Effect.gen(function*() {
  yield* (yield* ViewStore).prepare(view)
  for (let done = 0; done < Number(steps);) {
    // Whoever was too late looks again.
    const kept = yield* stepOnce.pipe(
      Effect.as(true),
      Effect.catchTag("CheckpointMoved", () => Effect.succeed(false))
    )
    if (kept) done++
  }
})

await Effect.runPromise(Effect.provide(program, Sqlite.layer({ filename })))
