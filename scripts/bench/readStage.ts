/**
 * What one contestant does in a row of the read side: he catches up with a log, again and again, or lets entries arrive
 * one by one; and the check that what was made is what the log says.
 */
import { fork } from "node:child_process"
import { once } from "node:events"
import { join } from "node:path"
import { setTimeout } from "node:timers/promises"
import { makeDatabase } from "./databases.ts"
import { entryOf } from "./ledger.ts"
import { expectedOf, type Made, type OpenReadings, type Readings } from "./Readings.ts"
import type { Contestant, Work } from "./Row.ts"
import type { Around, Measured, Place, Stage } from "./stage.ts"
import type { Setting } from "./World.ts"

/** Who lets entries arrive from another process, as the one argument of it. */
export interface Writer {
  readonly module: Contestant["module"]
  readonly setting: Setting
}

/** Sets a stage; `folder` is the contestant's own. */
export const set = async (
  open: OpenReadings,
  { module, setting: wanted = {} }: Contestant,
  work: Work,
  { folder, servers }: Place,
  around: Around
): Promise<Stage> => {
  const { drop, settle, url } = work.store === "postgres"
    ? await makeDatabase(servers, false)
    : { url: "", settle: async () => {}, drop: async () => {} }
  const setting = { store: work.store, receipts: false, ...wanted, filename: join(folder, "log.sqlite"), url }
  const readings = await open(setting)
  const round = work.kind === "catchUp"
    ? await catchUps(readings, work, settle, around)
    : await arrivals(readings, work, { module, setting }, around)
  return {
    round: round.measure,
    close: async () => {
      await round.end()
      await readings.close()
      await drop()
    }
  }
}

interface Rounds {
  readonly measure: Stage["round"]
  readonly end: () => Promise<void>
}

// ── Catching up

const catchUps = async (
  readings: Readings,
  { entries: wanted, ledgers, length, making }: Work,
  settle: () => Promise<void>,
  around: Around
): Promise<Rounds> => {
  if (making === undefined) throw new Error("the row does not say what is made")
  await readings.seed(Array.from({ length: ledgers }, (_, index) => `ledger-${index}`), length)
  const count = wanted ?? ledgers * length
  const expected = expectedOf(making, count)
  return {
    // The work is what it is, however long it takes.
    measure: async () => {
      await settle()
      const [started, cpu] = [performance.now(), process.cpuUsage()]
      const look = await around(() => readings.catchUp(making, count))
      const millis = performance.now() - started
      const { system, user } = process.cpuUsage(cpu)
      refuseWrong(await look(), expected)
      return { value: (count / millis) * 1_000, cpuMicros: (system + user) / count }
    },
    end: async () => {}
  }
}

const refuseWrong = (made: Made, expected: Made): void => {
  if (made.size !== expected.size) throw new Error(`it has ${made.size} documents, not ${expected.size}`)
  for (const [key, { balanceCents, entries }] of expected) {
    const found = made.get(key)
    if (found?.entries !== entries || found.balanceCents !== balanceCents) {
      throw new Error(`"${key}" is ${JSON.stringify(found)}, not ${JSON.stringify({ entries, balanceCents })}`)
    }
  }
}

// ── Arriving

/** How long a round of arrivals is, as often as that of others: there is one of them now and then only. */
const roundFactor = 5

const arrivals = async (
  readings: Readings,
  { across = false, quantile = 0.5 }: Work,
  writer: Writer,
  around: Around
): Promise<Rounds> => {
  const delaysMillis: Array<number> = []
  const end = await readings.watch((reference) => {
    const delay = millisSince(reference)
    if (delay !== undefined) delaysMillis.push(delay)
  })
  return {
    measure: async (millis) => {
      delaysMillis.length = 0
      const sent = await around(() =>
        across ? sendFromElsewhere(writer, roundFactor * millis) : send(readings, roundFactor * millis)
      )
      const waitUntil = performance.now() + 10_000
      while (delaysMillis.length < sent && performance.now() < waitUntil) await setTimeout(5)
      if (delaysMillis.length !== sent) throw new Error(`${delaysMillis.length} of ${sent} entries have arrived`)
      return measured(delaysMillis, quantile)
    },
    end
  }
}

const measured = (delaysMillis: ReadonlyArray<number>, quantile: number): Measured => {
  const sorted = delaysMillis.toSorted((one, other) => one - other)
  return { value: sorted[Math.floor((sorted.length - 1) * quantile)]!, cpuMicros: undefined }
}

/** What all processes of this machine read the same time from. */
const nowNanos = (): bigint => process.hrtime.bigint()

/** An entry says when it was sent; what else there is in the log says nothing. */
const millisSince = (reference: string): number | undefined =>
  reference.startsWith("sent-") ? Number(nowNanos() - BigInt(reference.slice(5))) / 1e6 : undefined

/**
 * Appends an entry every 25 ms or so, never in step with whoever looks from time to time. Answers how many; what is
 * measured begins when an append is asked for.
 */
export const send = async (readings: Pick<Readings, "append">, millis: number): Promise<number> => {
  const untilMillis = performance.now() + millis
  let sent = 0
  while (performance.now() < untilMillis) {
    await readings.append({ ...entryOf(sent++), reference: `sent-${nowNanos()}` })
    await setTimeout(15 + 20 * ((sent * 0.618_034) % 1))
  }
  return sent
}

const sendFromElsewhere = async (writer: Writer, millis: number): Promise<number> => {
  const child = fork(join(import.meta.dirname, "sender.ts"), [JSON.stringify(writer), String(millis)], {
    execArgv: [...process.execArgv, "--disable-warning=ExperimentalWarning"],
    stdio: ["ignore", "ignore", "inherit", "ipc"]
  })
  let sent: number | undefined
  child.once("message", (count: number) => {
    sent = count
  })
  const [exitCode] = await once(child, "close")
  if (sent === undefined) throw new Error(`whoever sends ended with ${exitCode}`)
  return sent
}
