/** What a signal does: `npm start` drains and goes on later, a run is cut off and completed by the next one. */
import { assert, describe, it } from "@effect/vitest"
import { readFileSync } from "node:fs"
import { watch } from "node:fs/promises"
import { dirname, join } from "node:path"
import { DatabaseSync } from "node:sqlite"
import { expenses, fixture, makeFile, makeFolder, plain, start, varve } from "./processes.ts"

/** Every event of a log, in order. */
const eventsOf = (file: string) => {
  const database = new DatabaseSync(file, { readOnly: true })
  const events = database.prepare(
    "SELECT position, stream_id AS id, version, type, data FROM varve_events ORDER BY position"
  ).all()
  database.close()
  return events
}

/** The events of each stream, as one text each. */
const streamsOf = (file: string): Map<string, Array<string>> => {
  const streams = new Map<string, Array<string>>()
  for (const { data, id, type } of eventsOf(file)) {
    const stream = streams.get(String(id)) ?? []
    streams.set(String(id), [...stream, `${type} ${data}`])
  }
  return streams
}

describe("npm start", () => {
  const serve = (cwd: string) => start("examples/main.ts", ["--rate", "1000"], { cwd })

  /** Lets it work for a while, ends it, and answers where the log ends by its own words. */
  const serveUntil = async (cwd: string, signal: NodeJS.Signals, events: number, from: string) => {
    const running = serve(cwd)
    const [, begins] = await running.says(/^Orders on data\/orders\.sqlite, from position ([\d,]+) on\./m)
    assert.strictEqual(begins, from)
    await running.says(/^[\d,]+ commands\/s · [\d,]+ active · position [\d,]+ · [^·]+ · p50 [\d.]+ ms/m)
    await grown(join(cwd, "data/orders.sqlite"), events)
    running.kill(signal)
    const ended = await running.ended
    assert.strictEqual(ended.exitCode, 0, ended.stderr)
    assert.strictEqual(ended.stdout, "")
    assert.isTrue(plain(ended), ended.stderr)
    assert.notInclude(ended.stderr, "failed")
    const lines = ended.stderr.trimEnd().split("\n")
    assert.strictEqual(lines.at(-1), "Start again, and it goes on from there.")
    const [, position] =
      /^Drained after [\d,]+ commands; the log ends at position ([\d,]+)\.$/.exec(lines.at(-2) ?? "") ?? []
    return position ?? ""
  }

  it("drains on SIGTERM and SIGINT, exits with 0, and goes on where it stopped, doing nothing twice", async () => {
    const cwd = makeFolder()
    const file = join(cwd, "data/orders.sqlite")
    const first = await serveUntil(cwd, "SIGTERM", 300, "0")
    const before = eventsOf(file)
    assert.strictEqual(Number(first.replaceAll(",", "")), before.length)

    const second = await serveUntil(cwd, "SIGINT", before.length + 300, first)
    const events = eventsOf(file)
    assert.strictEqual(Number(second.replaceAll(",", "")), events.length)
    assert.deepStrictEqual(events.slice(0, before.length), before)
    assert.deepStrictEqual(events.map(({ position }) => Number(position)), events.map((_, index) => index + 1))

    // What the demo does follows from its seed: an undisturbed run tells what each order must be, as far as it came.
    const undisturbed = makeFolder()
    await serveUntil(undisturbed, "SIGTERM", events.length + 400, "0")
    const expected = streamsOf(join(undisturbed, "data/orders.sqlite"))
    for (const [id, stream] of streamsOf(file)) {
      const other = expected.get(id) ?? []
      const both = Math.min(stream.length, other.length)
      assert.isAbove(both, 0)
      assert.deepStrictEqual(stream.slice(0, both), other.slice(0, both), `order ${id}`)
    }
  })
})

/** Waits until the log holds so many events: looks whenever its file has been written to. */
const grown = async (file: string, events: number): Promise<void> => {
  const database = new DatabaseSync(file, { readOnly: true })
  const head = database.prepare("SELECT max(position) AS head FROM varve_events")
  const isGrown = () => Number(head.get()?.["head"]) >= events
  const changes = watch(dirname(file))
  if (!isGrown()) { for await (const _ of changes) if (isGrown()) break }
  database.close()
}

/** The fixture many times over, each time with trips of its own. */
const many = Array.from(
  { length: 20 },
  (_, round) => readFileSync(fixture, "utf8").replaceAll("\"trip-", `"trip-${round}-`)
)
  .join("")

describe("a run that is interrupted", () => {
  it("exits with 130, and the next one completes it with the summary of an undisturbed one", async () => {
    const file = makeFile("many.ndjson", many)
    const run = (cwd: string) => start("src/cli/varve.ts", [...expenses, "--commands", file, "--json"], { cwd })
    const { linesPerSecond, seconds, ...undisturbed } = JSON.parse((await run(makeFolder()).ended).stdout)
    assert.isAbove(linesPerSecond * seconds, 0)
    assert.strictEqual(undisturbed.accepted, 4_000)

    const cwd = makeFolder()
    for (const [signal, events] of [["SIGINT", 300], ["SIGTERM", 1_000]] as const) {
      const running = run(cwd)
      await running.says(/lines · /)
      await grown(join(cwd, "data/expenses.sqlite"), events)
      running.kill(signal)
      const ended = await running.ended
      assert.strictEqual(ended.exitCode, 130)
      assert.strictEqual(ended.stdout, "")
      assert.isTrue(plain(ended), ended.stderr)
      assert.isTrue(
        ended.stderr.endsWith(
          "\nStopped by a signal. " +
            "Run the same command again: what was carried out is recognized by its ids and not done twice.\n"
        ),
        ended.stderr
      )
      assert.isBelow(eventsOf(join(cwd, "data/expenses.sqlite")).length, 4_000)
    }
    const ended = await run(cwd).ended
    assert.strictEqual(ended.exitCode, 0)
    const { linesPerSecond: _, repeated, seconds: __, ...summary } = JSON.parse(ended.stdout)
    assert.isAbove(repeated, 0)
    assert.deepStrictEqual({ ...summary, repeated: 0 }, undisturbed)
  }, 180_000)
})

it("standard input that is cut off in the middle of a line ends the run as if the line ended there", async () => {
  const input = readFileSync(fixture).subarray(0, 1_000)
  const ended = await varve([...expenses, "--commands", "-", "--batch", "cut", "--store", "memory", "--json"], {
    input
  })
  assert.strictEqual(ended.exitCode, 0)
  const { bad, lines } = JSON.parse(ended.stdout)
  assert.deepStrictEqual({ bad, lines }, { bad: 1, lines: 4 })
})
