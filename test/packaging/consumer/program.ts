/** What a user of the package runs: commands in memory and on SQLite, a scenario, and an error that is caught. */
import { Effect, Layer } from "effect"
import { mkdtempSync, rmSync } from "node:fs"
import { tmpdir } from "node:os"
import { join } from "node:path"
import { AggregateRuntime, Worker } from "varve"
import type { CommandFailed } from "varve/AggregateHost"
import { Memory } from "varve/memory"
import * as Sqlite from "varve/sqlite/Sqlite"
import { Scenario } from "varve/testing"
import { type AlreadySent, behavior, type NotSent, Parcels, ParcelSent, ParcelsLive, Scales } from "./Parcels.ts"

const ScalesLive = Layer.succeed(Scales, { weigh: (id: string) => Effect.succeed(id.length * 100) })

const deliver = Effect.gen(function*() {
  const parcels = yield* Parcels
  const { grams } = yield* parcels.of("p-1").send({ carrier: "DHL" })
  const again = yield* parcels.of("p-1").send({ carrier: "DHL" }).pipe(
    Effect.match({ onFailure: ({ _tag }) => _tag, onSuccess: () => "sent twice" })
  )
  const { version } = yield* parcels.of("p-1", { commandId: "c-1", returning: "commit" }).deliver()
  const { status } = yield* parcels.state("p-1")
  return { grams, again, version, status }
})

// The types say what can go wrong, and nothing else.
const typed: Effect.Effect<
  { readonly grams: number; readonly again: string; readonly version: number; readonly status: string },
  AlreadySent | NotSent | CommandFailed,
  Parcels
> = deliver

const inMemory = Effect.provide(
  typed,
  ParcelsLive.pipe(Layer.provide([AggregateRuntime.layer.pipe(Layer.provide(Memory.layer)), ScalesLive]))
)

const onSqlite = (filename: string) =>
  Effect.provide(
    typed,
    Worker.layer({ aggregates: [ParcelsLive] }).pipe(Layer.provide([Sqlite.layer({ filename }), ScalesLive]))
  )

const scenario = Effect.provide(
  Scenario.make(Parcels, behavior).given([ParcelSent.make({ carrier: "UPS", grams: 1 })]).when("deliver"),
  ScalesLive
)

const folder = mkdtempSync(join(tmpdir(), "varve-consumer-"))
try {
  const memory = await Effect.runPromise(inMemory)
  const sqlite = await Effect.runPromise(onSqlite(join(folder, "parcels.sqlite")))
  const { events } = await Effect.runPromise(scenario)
  console.log(JSON.stringify({ memory, sqlite, events }))
} finally {
  rmSync(folder, { recursive: true })
}
