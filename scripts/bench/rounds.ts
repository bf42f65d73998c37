/**
 * The rounds of a row: in each, every contestant has one turn, the order rotating, so that whatever else the machine
 * does meets all of them. The first round is a warm-up and does not count.
 */
import { type ChildProcess, fork } from "node:child_process"
import { mkdirSync } from "node:fs"
import { join } from "node:path"
import type { Part, Reply, Request } from "./child.ts"
import type { Servers } from "./databases.ts"
import type { Contestant, Row } from "./Row.ts"
import type { Measured } from "./stage.ts"

/** How the rounds are run. */
export interface Settings {
  readonly rounds: number
  /** How long a turn is measured. */
  readonly millis: number
  /** Where files go; it is there. */
  readonly folder: string
  readonly servers: Servers
  /** Where profiles go, of our own contestants, and then they are alone; none are made unless given. */
  readonly profiles?: string | undefined
  /** Told what goes on. */
  readonly onProgress: (text: string) => void
}

/** What became of one contestant in one row. */
export interface Result {
  readonly contestant: string
  /** Those rounds that count. */
  readonly rounds: ReadonlyArray<Measured>
  /** Why he dropped out; his rounds so far do not count. */
  readonly problem: string | undefined
}

interface Player {
  readonly contestant: Contestant
  readonly process: ChildProcess
  readonly rounds: Array<Measured>
  problem: string | undefined
}

/** Code is compiled while it is warming up, which takes longer where there is more of it, or less processor for it. */
const warmUpFactor = 3

const answerMillisMax = 150_000

/** All rounds of a row. One contestant's failure is his alone. */
export const play = async (row: Row, settings: Settings): Promise<ReadonlyArray<Result>> => {
  const players = row.contestants
    .filter(({ module }) => settings.profiles === undefined || module === "varve")
    .map((contestant) => begin(row, contestant, settings))
  try {
    for (const player of players) {
      settings.onProgress(`${row.name}: ${player.contestant.name} sets up`)
      await turn(player, { ask: "set" })
    }
    // What is weighed does not get warm.
    const warmUps = row.work.kind === "heap" ? 0 : 1
    const rounds = row.work.kind === "heap" ? 1 : settings.rounds
    for (let round = 0; round < warmUps + rounds; round++) {
      for (const player of rotated(players, round)) {
        const name = round < warmUps ? "warm-up" : `round ${round - warmUps + 1} of ${rounds}`
        settings.onProgress(`${row.name}: ${name}, ${player.contestant.name}`)
        const millis = settings.millis * (round < warmUps ? warmUpFactor : 1)
        const measured = await turn(player, { ask: "round", millis })
        if (measured !== undefined && round >= warmUps) player.rounds.push(measured)
      }
    }
    return players.map(({ contestant, problem, rounds }) => ({
      contestant: contestant.name,
      rounds: problem === undefined ? rounds : [],
      problem
    }))
  } finally {
    await Promise.all(players.map(end))
  }
}

const begin = (row: Row, contestant: Contestant, { folder, profiles, servers }: Settings): Player => {
  const name = `${row.name}.${contestant.name.replaceAll(/\W+/g, "-")}`
  const own = join(folder, name)
  mkdirSync(own)
  const profile = profiles === undefined || row.work.kind === "heap" ? undefined : join(profiles, `${name}.cpuprofile`)
  const part: Part = { row: row.name, contestant: contestant.name, folder: own, servers, profile }
  const child = fork(join(import.meta.dirname, "child.ts"), [JSON.stringify(part)], {
    execArgv: [...process.execArgv, "--disable-warning=ExperimentalWarning"],
    stdio: ["ignore", "ignore", "pipe", "ipc"]
  })
  const player: Player = { contestant, process: child, rounds: [], problem: undefined }
  let errors = ""
  child.stderr!.setEncoding("utf8").on("data", (text: string) => (errors = (errors + text).slice(-2_000)))
  child.on("close", (exitCode, signal) => {
    player.problem ??= exitCode === 0 ? undefined : `its process ended (${exitCode ?? signal}): ${errors.trim()}`
  })
  return player
}

/** One request and its answer; nothing if the contestant has dropped out, or does so now. */
const turn = async (player: Player, request: Request): Promise<Measured | undefined> => {
  if (player.problem !== undefined) return undefined
  const { promise, resolve } = Promise.withResolvers<Reply>()
  const timer = setTimeout(() => resolve({ problem: `no answer within ${answerMillisMax / 1_000} s` }), answerMillisMax)
  const gone = () => resolve({ problem: player.problem ?? "its process ended" })
  player.process.once("message", resolve).once("close", gone)
  if (player.process.connected) player.process.send(request)
  else gone()
  const reply = await promise
  clearTimeout(timer)
  player.process.off("message", resolve).off("close", gone)
  if ("measured" in reply) return reply.measured
  player.problem ??= reply.problem
  return undefined
}

const end = async ({ process: child }: Player): Promise<void> => {
  if (child.exitCode !== null || child.signalCode !== null) return
  const ended = new Promise((resolve) => child.once("close", resolve))
  const request: Request = { ask: "close" }
  if (child.connected) child.send(request)
  const timer = setTimeout(() => child.kill("SIGKILL"), 10_000)
  await ended
  clearTimeout(timer)
}

const rotated = <A>(items: ReadonlyArray<A>, by: number): ReadonlyArray<A> => {
  const first = by % items.length
  return [...items.slice(first), ...items.slice(0, first)]
}
