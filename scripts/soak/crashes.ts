/**
 * A process that runs projections dies between two statements, at each of them, before it and after it; another one goes
 * on. In the end views are what the log says, folded by code that knows nothing of projections, and the checkpoints of
 * both processes are one chain. So for a view that is being filled; for a new version that takes over from an old one;
 * and for a stream that is taken back after it was passed over.
 *
 * `npm run soak -- crashes [SEEDS] [SEED] [PLACE]`, 20 seeds on both places unless given; the tests run a small one.
 */
import { Cause, Effect, Exit, References } from "effect"
import { dyingAt } from "../../test/projections/crashes.ts"
import { quarantines } from "../../test/projections/failures.ts"
import { rebuilds } from "../../test/projections/rebuilds.ts"
import type { Point, Stores } from "../../test/projections/world.ts"
import { type DeathKind, deaths as waysToDie, stage } from "./stages.ts"

/** What the runs came to. */
export interface Report {
  /** Of each scenario: at how many points a process died, over all seeds; twice as many runs. */
  readonly points: Readonly<Record<string, number>>
  /** How many runs ended in which way. */
  readonly deaths: Readonly<Record<string, number>>
  readonly runs: number
  readonly seconds: number
  /** What went wrong; empty in health. */
  readonly problems: ReadonlyArray<string>
}

/** How much of it. */
export interface Options {
  /** How many seeds; how a process dies goes round with them. */
  readonly seeds: number
  readonly seed: number
  /** The URL of a PostgreSQL; files of SQLite unless given. */
  readonly url?: string | undefined
  /** Which of the scenarios; all unless given. */
  readonly only?: ReadonlyArray<keyof typeof scenarios>
  /** How a process may die; in all ways that there are unless given. */
  readonly deaths?: ReadonlyArray<DeathKind>
  /** Is told how far it has come, seed by seed. */
  readonly onProgress?: ((text: string) => void) | undefined
}

/** Each answers how many points there are in a run that nobody disturbs. */
const scenarios = { fill: dyingAt, rebuild: rebuilds, takeBack: quarantines }

/**
 * How long those who are left wait for a lease: not long, or it is most of the time of a run. Where effects are to be
 * done once nobody may lose his lease because this machine is slow.
 */
const leases = { fill: "200 millis", rebuild: "3 seconds", takeBack: "200 millis" } as const

/** How many runs there are at once: most of their time they wait. */
const atOnce = 6

/** Carries them out. */
export const run = (
  { deaths = waysToDie, onProgress = () => {}, only = ["fill", "rebuild", "takeBack"], seed, seeds, url }: Options
): Effect.Effect<Report> =>
  Effect.gen(function*() {
    const report = { points: {} as Record<string, number>, deaths: {} as Record<string, number>, runs: 0 }
    const problems: Array<string> = []
    const started = performance.now()
    const possible = deaths.filter((death) => url !== undefined || death !== "cut")
    for (const name of only) {
      for (let number = 0; number < seeds && problems.length === 0; number++) {
        const death = possible[number % possible.length]!
        const of = { name, seed: seed + number, stores: stage(url, death, leases[name]), death }
        const points = yield* undisturbed(of, problems)
        report.points[name] = (report.points[name] ?? 0) + points
        report.deaths[death] = (report.deaths[death] ?? 0) + 2 * points
        report.runs += 2 * points
        onProgress(`${name}, seed ${number + 1} of ${seeds}: ${points} points, ${death} before and after each`)
        yield* Effect.forEach(pointsUpTo(points), (point) => disturbed(of, point, problems), { concurrency: atOnce })
      }
    }
    return { ...report, seconds: Math.round((performance.now() - started) / 1_000), problems }
  }).pipe(Effect.provideService(References.MinimumLogLevel, "None"))

interface Of {
  readonly name: keyof typeof scenarios
  readonly seed: number
  readonly stores: Stores
  readonly death: DeathKind
}

const pointsUpTo = (points: number): ReadonlyArray<Point> =>
  Array.from({ length: points }, (_, index) => index + 1).flatMap((nth): ReadonlyArray<Point> => [
    { nth, side: "before" },
    { nth, side: "after" }
  ])

const undisturbed = Effect.fnUntraced(function*({ name, seed, stores }: Of, problems: Array<string>) {
  const exit = yield* Effect.exit(scenarios[name](stores, seed, undefined))
  if (Exit.isSuccess(exit)) return exit.value
  problems.push(`${name}, seed ${seed}, undisturbed: ${Cause.pretty(exit.cause)}`)
  return 0
})

const disturbed = Effect.fnUntraced(
  function*({ death, name, seed, stores }: Of, point: Point, problems: Array<string>) {
    if (problems.length > 5) return
    const exit = yield* Effect.exit(Effect.timeout(scenarios[name](stores, seed, point), "2 minutes"))
    if (Exit.isSuccess(exit)) return
    problems.push(`${name}, seed ${seed}, ${death} ${point.side} call ${point.nth}: ${Cause.pretty(exit.cause)}`)
  }
)
