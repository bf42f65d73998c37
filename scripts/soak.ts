/**
 * Long campaigns, by hand or by night: `npm run soak -- NAME [NUMBERS]`. Each prints what it counted, and ends with exit
 * code 1 if anything was wrong. Small ones are in the tests.
 */
import { Effect } from "effect"
import { existsSync, mkdtempSync, readFileSync, rmSync, writeFileSync } from "node:fs"
import { tmpdir } from "node:os"
import { join } from "node:path"
import { gunzipSync } from "node:zlib"
import { root } from "./sources.ts"

interface Campaign {
  readonly about: string
  /** `place` is "sqlite" or "postgres", if one was named. */
  readonly run: (numbers: ReadonlyArray<number>, place: string | undefined) => Promise<ReadonlyArray<Finding>>
}

/** What a campaign counted, and what went wrong. */
interface Finding {
  readonly title: string
  readonly report: object & { readonly problems?: ReadonlyArray<string> }
}

const campaigns: Readonly<Record<string, Campaign>> = {
  kill: {
    about: "[KILLS=10] [SEED=1]  the real log on SQLite, killed and begun again; as it is, and damaged",
    run: async ([kills = 10, seed = 1]) => {
      const { run } = await import("./soak/kill.ts")
      const { damage } = await import("../examples/expenses/damage.ts")
      const app = join(root, "examples/expenses/app.ts")
      const log = join(root, "../shared/data/domestic-declarations.ndjson.gz")
      if (!existsSync(log)) throw new Error(`The real log is not here: ${log}`)
      const folder = mkdtempSync(join(tmpdir(), "varve-damaged-"))
      const damaged = join(folder, "damaged.ndjson")
      writeFileSync(damaged, damage(gunzipSync(readFileSync(log)).toString(), seed))
      try {
        return [
          { title: "the real log", report: await run({ app, commands: log, kills, seed }) },
          { title: "the same, damaged", report: await run({ app, commands: damaged, kills, seed: seed + 1 }) }
        ]
      } finally {
        rmSync(folder, { recursive: true })
      }
    }
  },
  durability: {
    about: "[COMMANDS=1000]  SQLite under strace: no answer before a sync",
    run: async ([commands = 1_000]) => {
      const { run } = await import("./soak/durability.ts")
      return [{ title: "commits and sync calls", report: run(commands) }]
    }
  },
  heap: {
    about: "[AGGREGATES=100000]  what an idle aggregate costs",
    run: async ([aggregates = 100_000]) => {
      const { run } = await import("./soak/heap.ts")
      return [{ title: "heap", report: await Effect.runPromise(run(aggregates)) }]
    }
  },
  rivals: {
    about: "[COMMANDS=20000] [SEED=1]  two processes on the same aggregates in one file",
    run: async ([commands = 20_000, seed = 1]) => {
      const { run } = await import("./soak/rivals.ts")
      return [{ title: "rivals", report: await run(commands, seed) }]
    }
  },
  groups: {
    about: "[GROUPS=100000] [SEED=1]  neighbours of every kind in one group, on a store with troubles",
    run: async ([groups = 100_000, seed = 1]) => {
      const { run } = await import("./soak/groups.ts")
      return [{ title: "groups", report: await Effect.runPromise(run(groups, seed)) }]
    }
  },
  flat: {
    about: "[EVENTS=10000000]  appends on PostgreSQL beside bare inserts, in a log of that length",
    run: async ([events = 10_000_000]) => {
      const { startOwn, whenReady } = await import("./postgres.ts")
      const { run } = await import("./soak/flat.ts")
      // Statistics come when the campaign wants them.
      const server = await startOwn({ settings: { fsync: "on", autovacuum: "off" } })
      if ("missing" in server) throw new Error(server.missing)
      try {
        const found = await whenReady(server)
        if ("missing" in found) throw new Error(found.missing)
        return [{ title: "flat", report: await Effect.runPromise(run(found.url, events)) }]
      } finally {
        await server.stop()
      }
    }
  },
  readers: {
    about: "[EVENTS=1000000] [SEED=1]  16 writers and 8 readers on PostgreSQL: nobody misses an event",
    run: async ([events = 1_000_000, seed = 1]) => {
      const { run } = await import("./soak/readers.ts")
      return onServer(async (url) => [{ title: "readers", report: await Effect.runPromise(run(url, events, seed)) }])
    }
  },
  projections: {
    about: "[RUNS=20] [SEED=1] [sqlite|postgres]  two processes on the same projections, killed and frozen",
    run: async ([runs = 20, seed = 1], place) => {
      const { run } = await import("./soak/projections.ts")
      return onPlaces(place, (url) => run({ runs, seed, url }))
    }
  },
  crashes: {
    about: "[SEEDS=20] [SEED=1] [sqlite|postgres]  projections that die between two statements, at each of them",
    run: async ([seeds = 20, seed = 1], place) => {
      const { run } = await import("./soak/crashes.ts")
      return onPlaces(place, (url) => Effect.runPromise(run({ seeds, seed, url, onProgress: console.error })))
    }
  },
  rebuild: {
    about:
      "[RUNS=5] [SEED=1] [sqlite|postgres]  a new version of a view beside the old one, under load, killed on the way",
    run: async ([runs = 5, seed = 1], place) => {
      const { run } = await import("./soak/rebuild.ts")
      return onPlaces(place, (url) => run({ runs, seed, url }))
    }
  },
  poison: {
    about: "[STREAMS=10000] [SEED=1] [sqlite|postgres]  one stream that cannot be worked off: what others notice",
    run: async ([streams = 10_000, seed = 1], place) => {
      const { run } = await import("./soak/poison.ts")
      return onPlaces(place, (url) => run({ streams, seed, url }))
    }
  },
  replay: {
    about:
      "[EVENTS=1000000] [SEED=1] [sqlite|postgres]  a long log read from its beginning: what that takes, and holds",
    run: async ([events = 1_000_000, seed = 1], place) => {
      const { run } = await import("./soak/replay.ts")
      return onPlaces(place, (url) => run({ events, seed, url }))
    }
  },
  interruptions: {
    about: "[COMMANDS=1000000] [SEED=1]  callers that lose patience",
    run: async ([commands = 1_000_000, seed = 1]) => {
      const { run } = await import("./soak/interruptions.ts")
      return [{ title: "interruptions", report: await Effect.runPromise(run(commands, String(seed))) }]
    }
  }
}

/** With a PostgreSQL for as long as that takes. */
const onServer = async <A>(work: (url: string) => Promise<A>): Promise<A> => {
  const { start, whenReady } = await import("./postgres.ts")
  const server = await start()
  if ("missing" in server) throw new Error(server.missing)
  try {
    const found = await whenReady(server)
    if ("missing" in found) throw new Error(found.missing)
    return await work(found.url)
  } finally {
    await server.stop()
  }
}

/** On both places, one after the other, unless one is named. */
const onPlaces = async (
  place: string | undefined,
  work: (url: string | undefined) => Promise<Finding["report"]>
): Promise<ReadonlyArray<Finding>> => [
  ...place === "postgres" ? [] : [{ title: "on SQLite", report: await work(undefined) }],
  ...place === "sqlite" ? [] : [{ title: "on PostgreSQL", report: await onServer(work) }]
]

const main = async ([name = "", ...args]: ReadonlyArray<string>): Promise<number> => {
  const campaign = campaigns[name]
  const place = args.find((argument) => argument === "sqlite" || argument === "postgres")
  const numbers = args.filter((argument) => argument !== place).map(Number)
  if (campaign === undefined || !numbers.every(Number.isSafeInteger)) {
    const list = Object.entries(campaigns).map(([name, { about }]) => `  npm run soak -- ${name} ${about}`)
    console.error(["Which campaign? Arguments are whole numbers, or a place.", ...list].join("\n"))
    return 2
  }
  const findings = await campaign.run(numbers, place)
  for (const { report, title } of findings) console.log(title, report)
  return findings.some(({ report: { problems = [] } }) => problems.length > 0) ? 1 : 0
}

process.exitCode = await main(process.argv.slice(2))
