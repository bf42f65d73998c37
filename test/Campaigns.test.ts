/**
 * Small runs of the campaigns that `npm run soak` carries out at length.
 */
import { assert, it } from "@effect/vitest"
import { Effect } from "effect"
import * as Groups from "../scripts/soak/groups.ts"
import * as Interruptions from "../scripts/soak/interruptions.ts"
import { storeAt } from "../scripts/soak/place.ts"
import * as Projections from "../scripts/soak/projections.ts"
import * as Readers from "../scripts/soak/readers.ts"
import * as Rivals from "../scripts/soak/rivals.ts"
import { freshSchema, onPostgres, url } from "./postgres/server.ts"

const showRivalry = ({ events, interleavings, problems, repeatedIds, told }: Rivals.Report) => {
  assert.deepStrictEqual(problems, [])
  assert.isAbove(events, 300)
  assert.isAbove(interleavings, 50)
  assert.isAbove(repeatedIds, 50)
  assert.isAbove(told["Rejected"] ?? 0, 100)
}

it("I4: two processes on the same accounts in one file give answers that one after the other would give", async () =>
  showRivalry(await Rivals.run(2_000, 1)))

const showProjections = ({ events, faults, problems, steps, takeovers }: Projections.Report) => {
  assert.deepStrictEqual(problems, [])
  assert.strictEqual(Object.values(faults).reduce((sum, count) => sum + count), 4)
  assert.isAbove(events, 100)
  assert.isAbove(steps, 30)
  assert.isAbove(takeovers, 3)
}

it("I11, I12, I19: two processes on the same projections in one file, killed and frozen, come to what the log says", async () =>
  showProjections(await Projections.run({ runs: 1, seed: 1, faults: 4 })))

onPostgres(() => {
  it("I11, I12, I19: two workers on the same projections in one PostgreSQL do so too", async () =>
    showProjections(await Projections.run({ runs: 1, seed: 2, faults: 4, url })))

  it.live("I4: two workers on the same accounts in one PostgreSQL, without shards, give such answers too", () =>
    Effect.gen(function*() {
      const place = `${url}?schema=${yield* freshSchema}`
      yield* Effect.provide(Effect.void, storeAt(place))
      showRivalry(yield* Effect.promise(() => Rivals.run(2_000, 1, place)))
    }))

  it.live("I9, I10: readers of a busy server see 1, 2, 3, … without hole or repeat, whoever else holds transactions", () =>
    Effect.map(Readers.run(url, 5_000, 1), ({ conflicts, events, foreignTransactions, problems }) => {
      assert.deepStrictEqual(problems, [])
      assert.isAtLeast(events, 5_000)
      assert.isAbove(conflicts, 0)
      assert.isAbove(foreignTransactions, 2)
    }))
})

it.live("I17: of 20,000 commands whose callers lose patience each is answered once, or recorded", () =>
  Effect.map(Interruptions.run(20_000, "1"), ({ answered, interrupted, problems, refused, rejected }) => {
    assert.deepStrictEqual(problems, [])
    for (const count of [answered, interrupted, refused, rejected]) assert.isAbove(count, 1_000)
  }))

it.live("I1: whatever becomes of the neighbours in 2,000 groups, each is told and writes what it would alone", () =>
  Effect.map(Groups.run(2_000, 1), ({ problems, sentTogether, told, troubles }) => {
    assert.deepStrictEqual(problems, [])
    assert.isAbove(sentTogether, 2_000)
    for (const tag of ["Done", "Short", "Died", "LimitExceeded", "CommandIdReused"]) assert.isAbove(told[tag]!, 500)
    for (const count of Object.values(troubles)) assert.isAbove(count, 200)
  }))
