/**
 * Small runs of the campaigns of the read side that `npm run soak` carries out at length.
 */
import { assert, describe, it } from "@effect/vitest"
import { Effect } from "effect"
import * as Crashes from "../scripts/soak/crashes.ts"
import * as Poison from "../scripts/soak/poison.ts"
import * as Projections from "../scripts/soak/projections.ts"
import * as Rebuild from "../scripts/soak/rebuild.ts"
import * as Replay from "../scripts/soak/replay.ts"
import { onPostgres, url } from "./postgres/server.ts"

/** Processes are started, and killed, and waited for. */
const timeout = 180_000

const showProjections = ({ events, faults, problems, steps, takeovers }: Projections.Report) => {
  assert.deepStrictEqual(problems, [])
  assert.strictEqual(Object.values(faults).reduce((sum, count) => sum + count), 4)
  assert.isAbove(events, 100)
  assert.isAbove(steps, 30)
  assert.isAbove(takeovers, 3)
}

const showCrashes = ({ points, problems, runs }: Crashes.Report) => {
  assert.deepStrictEqual(problems, [])
  assert.isAbove(points["fill"]!, 20)
  assert.strictEqual(runs, 2 * points["fill"]!)
}

const showRebuild = ({ effects, kills, problems, reads }: Rebuild.Report) => {
  assert.deepStrictEqual(problems, [])
  assert.strictEqual(kills, 1)
  assert.isAbove(effects, 20)
  assert.isAbove(reads, 100)
}

const showPoison = ({ problems, takenBack }: Poison.Report) => {
  assert.deepStrictEqual(problems, [])
  assert.isAbove(takenBack, 5)
}

const onPlace = (place: string, url: string | undefined, death: "interrupted" | "cut") =>
  describe(`projections on ${place}`, () => {
    it(
      "I11, I12, I19: run by two processes, killed and frozen, come to what the log says",
      async () => showProjections(await Projections.run({ runs: 1, seed: 1, faults: 4, url })),
      timeout
    )

    it.live(
      "I11: are what the log says wherever between two statements their process died",
      () => Effect.map(Crashes.run({ seeds: 1, seed: 1, only: ["fill"], deaths: [death], url }), showCrashes),
      timeout
    )

    it(
      "I16: have a new version filled under load, killed on the way, rolled back; nobody notices",
      async () => showRebuild(await Rebuild.run({ runs: 1, seed: 1, events: 3_000, kills: 1, url })),
      timeout
    )

    it(
      "I14: do not wait for a stream that is poison, and nothing of it is lost",
      async () => showPoison(await Poison.run({ streams: 300, seed: 1, arrivals: 200, url })),
      timeout
    )

    it("I18: hold no more at the end of a log than on the way", async () => {
      const { problems, samples } = await Replay.run({ events: 20_000, seed: 1, url })
      assert.deepStrictEqual(problems, [])
      assert.lengthOf(samples, 10)
    }, timeout)
  })

onPlace("SQLite", undefined, "interrupted")
onPostgres(() => onPlace("PostgreSQL", url, "cut"))
