/**
 * A store that answers at once must not keep the event loop to itself: timers, sockets and other fibers have their turn
 * between commands, however many there are.
 */
import { assert, describe, it } from "@effect/vitest"
import { Effect, Layer } from "effect"
import { mkdtempSync, rmSync } from "node:fs"
import { tmpdir } from "node:os"
import { join } from "node:path"
import type { EventStore, StoreUnavailable } from "../../src/EventStore.ts"
import * as Memory from "../../src/memory/Memory.ts"
import type { SnapshotStore } from "../../src/SnapshotStore.ts"
import * as Sqlite from "../../src/sqlite/Sqlite.ts"
import { startAccounts, stores } from "../fixtures/Runtimes.ts"

const onFile = Layer.unwrap(Effect.map(
  Effect.acquireRelease(
    Effect.sync(() => mkdtempSync(join(tmpdir(), "varve-loop-"))),
    (folder) => Effect.sync(() => rmSync(folder, { recursive: true }))
  ),
  (folder) => Sqlite.layer({ filename: join(folder, "log.sqlite") })
))

const places: Readonly<Record<string, Layer.Layer<EventStore | SnapshotStore, StoreUnavailable>>> = {
  "memory": Memory.layer,
  "memory, in groups": stores,
  "SQLite": onFile
}

/** How often a timer fires while callers ask on and on. */
const ticksWhile = Effect.fnUntraced(function*(callers: number, each: number) {
  const accounts = yield* startAccounts()
  let ticks = 0
  const timer = setInterval(() => ticks++, 1)
  const ask = (caller: number) => {
    const { deposit } = accounts.of(`a-${caller}`)
    return Effect.gen(function*() {
      for (let asked = 0; asked < each; asked++) yield* deposit({ cents: 1 })
    })
  }
  yield* Effect.forEach(Array.from({ length: callers }, (_, caller) => caller), ask, { concurrency: callers }).pipe(
    Effect.ensuring(Effect.sync(() => clearInterval(timer)))
  )
  return ticks
})

describe("commands that are asked for without a pause", () => {
  for (const [place, layer] of Object.entries(places)) {
    for (const [callers, each] of [[1, 600], [64, 60]] as const) {
      it.live(`leave timers their turn: ${place}, ${callers} at once`, () =>
        Effect.gen(function*() {
          assert.isAtLeast(yield* ticksWhile(callers, each), 3)
        }).pipe(Effect.provide(layer)))
    }
  }
})
