/**
 * What one contestant does in one row: store, ledgers, rounds, and the check that the work was done.
 *
 * A ledger may only grow so far, or it would be another row's. So short ledgers are begun anew, in a new store, as often
 * as it takes to fill a round's time; only what is between the first command and the last answer counts.
 */
import { mkdirSync, rmSync } from "node:fs"
import { join } from "node:path"
import { makeDatabase, type Servers } from "./databases.ts"
import { entryOf, evolve, initial, type Ledger } from "./ledger.ts"
import type { Contestant, Work } from "./Row.ts"
import type { Batch, Booking, Open, Setting, World } from "./World.ts"

/** What was measured in one round. */
export interface Measured {
  /** In the row's unit. */
  readonly value: number
  /** What one of it cost the processors, garbage collection and worker threads included; none of what is weighed. */
  readonly cpuMicros: number | undefined
}

/** A row's work for one contestant. */
export interface Stage {
  readonly round: (millis: number) => Promise<Measured>
  readonly close: () => Promise<void>
}

/** Wraps what is measured, for a profiler. */
export type Around = <A>(measured: () => Promise<A>) => Promise<A>

/** From how many events on the same store serves all rounds: seeding takes longer than a round. */
const longLength = 1_000

/** A store with the ledgers of a row in it, and what they have to be by now. */
interface Books {
  readonly world: World
  readonly ids: ReadonlyArray<string>
  readonly expected: Array<Ledger>
  /** How many entries were sent; each has a number of its own. */
  sent: number
  /** Lets what was written before come to rest. */
  readonly settle: () => Promise<void>
  readonly close: () => Promise<void>
}

/** Where a contestant may put what is his own. */
export interface Place {
  readonly folder: string
  readonly servers: Servers
}

const openBooks = async (
  open: Open,
  setting: Omit<Setting, "url">,
  { kind, ledgers, length }: Work,
  { servers }: Place
): Promise<Books> => {
  const { drop, settle, url } = setting.store === "postgres"
    ? await makeDatabase(servers, setting.pooled ?? false)
    : { url: "", settle: async () => {}, drop: async () => {} }
  const world = await open({ ...setting, url })
  const ids = Array.from({ length: ledgers }, (_, index) => `ledger-${index}`)
  // What is seeded passes by the runtime: the snapshot of a cold ledger is made by the command that completes its length.
  const seeded = kind === "cold" ? length - 1 : length
  await world.seed(ids, seeded)
  let ledger = initial
  for (let number = 0; number < seeded; number++) ledger = evolve(ledger, entryOf(number))
  const close = async () => {
    await world.close()
    await drop()
  }
  return { world, ids, expected: ids.map(() => ledger), sent: 0, settle, close }
}

/** Which commands there are, by their numbers: who is next, how many in all, and until when. */
interface Plan {
  readonly ledgerOf: (number: number) => number
  readonly count: number
  readonly untilMillis: number
}

/** How much was done, and what that took. */
interface Spent {
  readonly done: number
  readonly millis: number
  readonly cpuMicros: number
}

/** Has the commands of a plan carried out. */
const carryOut = async (books: Books, callers: number, { count, ledgerOf, untilMillis }: Plan): Promise<Spent> => {
  const { expected, ids, world } = books
  let number = 0
  const next = (): Booking | undefined => {
    // To ask for the time costs more than some of the commands do.
    if (number === count || (number % 16 === 0 && performance.now() > untilMillis)) return undefined
    const ledger = ledgerOf(number++)
    const entry = entryOf(books.sent)
    expected[ledger] = evolve(expected[ledger]!, entry)
    return { id: ids[ledger]!, entry, commandId: `command-${books.sent++}` }
  }
  const spent = stopwatch()
  await world.carryOut(callers, next)
  return spent(number)
}

/** Has batches appended, as many of them as there are commands in a plan; what counts are their events. */
const appendAll = async (books: Books, work: Work, { count, ledgerOf, untilMillis }: Plan): Promise<Spent> => {
  const { expected, ids, world } = books
  const { batch = 1, callers } = work
  if (world.append === undefined) throw new Error("it cannot append here")
  let number = 0
  const next = (): Batch | undefined => {
    if (number === count || performance.now() > untilMillis) return undefined
    const ledger = ledgerOf(number++)
    const [first, version] = [books.sent, expected[ledger]!.entries]
    for (let entry = 0; entry < batch; entry++) {
      expected[ledger] = evolve(expected[ledger]!, entryOf(books.sent++))
    }
    return { id: ids[ledger]!, version, first, count: batch }
  }
  const spent = stopwatch()
  await world.append(callers, next)
  return spent(number * batch)
}

const stopwatch = () => {
  const [started, cpu] = [performance.now(), process.cpuUsage()]
  return (done: number): Spent => {
    const { system, user } = process.cpuUsage(cpu)
    return { done, millis: performance.now() - started, cpuMicros: system + user }
  }
}

/** Every ledger once, so that it is in memory. */
const touch = async (books: Books, callers: number): Promise<void> => {
  if (!books.world.warms) return
  await carryOut(books, callers, { ledgerOf: (number) => number, count: books.ids.length, untilMillis: Infinity })
}

/** Whether the log holds what it should: as many events as there were commands, and in some ledgers the right sums. */
const check = async ({ expected, ids, world }: Books): Promise<void> => {
  const wanted = expected.reduce((sum, { entries }) => sum + entries, 0)
  const count = await world.count(ids)
  if (count !== wanted) throw new Error(`the store holds ${count} events, not ${wanted}`)
  const step = Math.max(1, Math.floor(ids.length / 7))
  for (let index = 0; index < ids.length; index += step) {
    const { ledger, version } = await world.load(ids[index]!)
    const { balanceCents, entries } = expected[index]!
    if (version !== entries || ledger.entries !== entries || ledger.balanceCents !== balanceCents) {
      throw new Error(`${ids[index]} is ${JSON.stringify({ version, ledger })}, not ${JSON.stringify(expected[index])}`)
    }
  }
}

/** Sets a stage; `folder` is the contestant's own. */
export const set = async (
  open: Open,
  { setting = {} }: Contestant,
  work: Work,
  place: Place,
  around: Around
): Promise<Stage> => {
  const { folder } = place
  let files = 0
  const fresh = () => {
    const filename = join(folder, `${files++}.sqlite`)
    return openBooks(open, { store: work.store, receipts: false, ...setting, filename }, work, place)
  }
  switch (work.kind) {
    case "commands":
    case "append":
      return work.length < longLength && work.growth !== Infinity
        ? shortLedgers(fresh, folder, work, around)
        : longLedgers(fresh, work, around)
    case "cold":
      return coldLedgers(fresh, work, around)
    case "load":
      return oneLedger(fresh, work, around)
    case "heap":
    case "catchUp":
    case "latency":
      throw new Error(`"${work.kind}" has a stage of its own`)
  }
}

type Fresh = () => Promise<Books>

const planOf = ({ burst = 1, growth = 20, ledgers }: Work, millis: number): Plan => ({
  ledgerOf: (number) => Math.floor(number / burst) % ledgers,
  count: growth * ledgers,
  untilMillis: performance.now() + millis
})

/** New ledgers as often as needed. Setting up takes time too, but no more than the round itself. */
const shortLedgers = (fresh: Fresh, folder: string, work: Work, around: Around): Stage => ({
  round: async (millis) => {
    const started = performance.now()
    const sum = { done: 0, millis: 0, cpuMicros: 0 }
    do {
      const books = await fresh()
      await touch(books, work.callers)
      await books.settle()
      const plan = planOf(work, millis - sum.millis)
      const spent = await around(() =>
        work.kind === "append" ? appendAll(books, work, plan) : carryOut(books, work.callers, plan)
      )
      sum.done += spent.done
      sum.millis += spent.millis
      sum.cpuMicros += spent.cpuMicros
      await check(books)
      await books.close()
      rmSync(folder, { recursive: true, force: true })
      mkdirSync(folder)
    } while (sum.millis < millis && performance.now() - started < 2 * millis)
    return measured(sum)
  },
  close: async () => {}
})

const longLedgers = async (fresh: Fresh, work: Work, around: Around): Promise<Stage> => {
  const books = await fresh()
  await touch(books, work.callers)
  return {
    round: async (millis) => {
      // While others had their turns an idle aggregate may have left.
      await touch(books, work.callers)
      await books.settle()
      const spent = await around(() => carryOut(books, work.callers, planOf(work, millis)))
      await check(books)
      return measured(spent)
    },
    close: books.close
  }
}

/** Each round goes on where the one before was cut off, so that all ledgers have their turn. */
const coldLedgers = async (fresh: Fresh, work: Work, around: Around): Promise<Stage> => {
  const books = await fresh()
  // Twice: what is saved beside a command is saved by the time of the next.
  for (let time = 0; time < 2; time++) await touch(books, work.callers)
  let first = 0
  return {
    round: async (millis) => {
      await books.world.restart()
      await books.settle()
      const ledgerOf = (number: number) => (first + number) % work.ledgers
      const plan = { ledgerOf, count: work.ledgers, untilMillis: performance.now() + millis }
      const spent = await around(() => carryOut(books, work.callers, plan))
      first += spent.done
      await check(books)
      return measured(spent)
    },
    close: books.close
  }
}

const oneLedger = async (fresh: Fresh, work: Work, around: Around): Promise<Stage> => {
  const books = await fresh()
  const [id = ""] = books.ids
  return {
    round: async (millis) => {
      const untilMillis = performance.now() + millis
      const spent = await around(async () => {
        const spentOn = stopwatch()
        let loads = 0
        do {
          const { version } = await books.world.load(id)
          if (version !== work.length) throw new Error(`${id} was loaded at version ${version}, not ${work.length}`)
          loads++
        } while (performance.now() < untilMillis)
        return spentOn(loads * work.length)
      })
      await check(books)
      return measured(spent)
    },
    close: books.close
  }
}

const measured = ({ cpuMicros, done, millis }: Spent): Measured => ({
  value: (done / millis) * 1_000,
  cpuMicros: cpuMicros / done
})
