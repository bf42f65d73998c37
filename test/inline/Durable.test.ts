/**
 * Inline views in a SQLite file and on PostgreSQL, whatever happens to those who append.
 */
import { assert, describe, it } from "@effect/vitest"
import { Effect } from "effect"
import { onPostgres } from "../postgres/server.ts"
import { postgres, sqlite } from "./files.ts"
import * as Scenarios from "./scenarios.ts"
import type { Stores } from "./world.ts"

const seeds = (count: number) => Array.from({ length: count }, (_, index) => index + 1)

const hold = (name: string, stores: Stores) =>
  describe(`inline views (${name})`, () => {
    it.effect("I4, I11: hold what the log says at every answer, and tell each change as it was", () =>
      Effect.gen(function*() {
        for (const seed of seeds(2)) {
          const { looked, told } = yield* Scenarios.readsItsOwn(stores, seed)
          assert.isAbove(looked, 50)
          assert.isAbove(told, 50)
        }
      }), 60_000)

    it.effect("I3, I11: hold what the log says where two processes write the same documents", () =>
      Effect.forEach(seeds(2), (seed) =>
        Scenarios.sideBySide(stores, seed), { discard: true }), 60_000)

    it.effect("I5, I11: take in once what is lost and sent again", () =>
      Effect.forEach(seeds(2), (seed) =>
        Scenarios.losesAppends(stores, seed), { discard: true }), 60_000)

    it.effect("I6, I11: hold what the log says wherever a process has died", () =>
      Effect.gen(function*() {
        for (const side of ["before", "after"] as const) {
          for (const nth of [1, 4]) {
            yield* Scenarios.killed(stores, nth, nth, side)
          }
        }
      }), 60_000)

    it.effect("I11: lose nothing and double nothing when they become inline, under load", () =>
      Effect.forEach(seeds(2), (seed) =>
        Scenarios.handsOver(stores, seed, seed * 200), { discard: true }), 60_000)

    it.effect("I11, I19: are never wrong, and inline again, after others have appended who do not know them", () =>
      Scenarios.amongStrangers(stores, 1, 1), 60_000)
  })

hold("SQLite", sqlite)
onPostgres(() => hold("PostgreSQL", postgres))
