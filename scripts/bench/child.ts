/**
 * The process of one contestant in one row: it alone has its heap and its compiled code, and does nothing while others
 * have their round. Started by `rounds.ts`, which sends it requests, one at a time.
 */
import { writeFileSync } from "node:fs"
import { Session } from "node:inspector/promises"
import type { Servers } from "./databases.ts"
import { open, openReadings } from "./modules.ts"
import { set as setReadings } from "./readStage.ts"
import { rows } from "./rows.ts"
import { type Around, type Measured, set, type Stage } from "./stage.ts"

/** Who this is, as the one argument of the process. */
export interface Part {
  readonly row: string
  readonly contestant: string
  readonly folder: string
  readonly servers: Servers
  /** Where the profile of what is measured goes; none unless given. */
  readonly profile?: string | undefined
}

/** What the parent asks. */
export type Request = { readonly ask: "set" | "close" } | { readonly ask: "round"; readonly millis: number }

/** What it is answered. */
export type Reply = { readonly measured: Measured | undefined } | { readonly problem: string }

const part: Part = JSON.parse(process.argv[2]!)
const row = rows.find(({ name }) => name === part.row)!
const contestant = row.contestants.find(({ name }) => name === part.contestant)!
// A profile is of one long run: setting up anew would be most of it.
const work = { ...row.work, ...contestant.work, ...(part.profile === undefined ? {} : { growth: Infinity }) }

const profiler = async (path: string): Promise<{ readonly around: Around; readonly write: () => Promise<void> }> => {
  const session = new Session()
  session.connect()
  await session.post("Profiler.enable")
  await session.post("Profiler.setSamplingInterval", { interval: 200 })
  let profile: unknown
  return {
    around: async (measured) => {
      await session.post("Profiler.start")
      try {
        return await measured()
      } finally {
        profile = (await session.post("Profiler.stop")).profile
      }
    },
    write: async () => writeFileSync(path, JSON.stringify(profile))
  }
}

const weigh = async (): Promise<Stage> => {
  const { run } = await import("../soak/heap.ts")
  const { Effect } = await import("effect")
  return {
    round: async () => ({ value: (await Effect.runPromise(run(work.ledgers))).bytesEach, cpuMicros: undefined }),
    close: async () => {}
  }
}

const setStage = async (): Promise<Stage> => {
  switch (work.kind) {
    case "heap":
      return weigh()
    case "catchUp":
    case "latency":
      return setReadings(await openReadings(contestant.module), contestant, work, part, around)
    default:
      return set(await open(contestant.module), contestant, work, part, around)
  }
}

const { around, write } = part.profile === undefined
  ? { around: <A>(measured: () => Promise<A>) => measured(), write: async () => {} }
  : await profiler(part.profile)
let stage: Stage | undefined

const carryOut = async (request: Request): Promise<Measured | undefined> => {
  switch (request.ask) {
    case "set":
      stage = await setStage()
      return undefined
    case "round":
      return stage!.round(request.millis)
    case "close":
      await stage?.close()
      await write()
      process.disconnect()
      return undefined
  }
}

process.on("message", (request: Request) => {
  const answer = (reply: Reply) => process.connected && process.send!(reply)
  carryOut(request).then((measured) => answer({ measured }), (error) => answer({ problem: String(error) }))
})
