/**
 * Two processes command the same twenty accounts in one store, a SQLite file unless given, knowing nothing of each other: with rejections,
 * reads, conditions, and commands that both of them send. Their histories together must be those of accounts that do
 * one thing after the other: versions dense, each command once, every reply and every "no" right at its moment.
 *
 * `npm run soak -- rivals [COMMANDS] [SEED]`, 20,000 commands unless given. The tests run a small one.
 */
import { Effect } from "effect"
import { spawn } from "node:child_process"
import { mkdtempSync, readFileSync, rmSync } from "node:fs"
import { tmpdir } from "node:os"
import { join } from "node:path"
import { EventStore } from "../../src/EventStore.ts"
import { accountModel } from "../../test/fixtures/AccountModel.ts"
import { check, type Line, parse } from "../../test/fixtures/History.ts"
import { storedLine } from "../../test/fixtures/Recording.ts"
import { storeAt } from "./place.ts"

/** What both asked and were told. */
export interface Report {
  readonly operations: number
  readonly events: number
  readonly told: Readonly<Record<string, number>>
  /** Command ids that more than one operation sent. */
  readonly repeatedIds: number
  /** Events that stand next to one that the other process wrote. */
  readonly interleavings: number
  readonly seconds: number
  readonly problems: ReadonlyArray<string>
}

/** Lets two processes send `commands` together, and checks what came of it. `url` is that of an empty PostgreSQL. */
export const run = async (commands: number, seed: number, url?: string): Promise<Report> => {
  const folder = mkdtempSync(join(tmpdir(), "varve-rivals-"))
  try {
    const place = url ?? join(folder, "log.sqlite")
    const started = performance.now()
    const histories = await Promise.all(
      ["one", "two"].map((name) => rival(place, join(folder, `${name}.ndjson`), name, commands / 2, seed))
    )
    const seconds = Math.round((performance.now() - started) / 100) / 10
    const stored = await Effect.runPromise(Effect.provide(readLog, storeAt(place)))
    return { ...describe([...histories.flat(), ...stored]), seconds }
  } finally {
    rmSync(folder, { recursive: true })
  }
}

const rival = (place: string, history: string, name: string, commands: number, seed: number) =>
  new Promise<ReadonlyArray<Line>>((resolve, reject) => {
    const args = [join(import.meta.dirname, "rival.ts"), place, history, name, String(commands), String(seed)]
    const child = spawn(process.execPath, args, { stdio: ["ignore", "ignore", "inherit"] })
    child.on("error", reject)
    child.on("exit", (code) => {
      if (code === 0) resolve(parse(readFileSync(history, "utf8")))
      else reject(new Error(`process ${name} ended with ${code}`))
    })
  })

const readLog = Effect.gen(function*() {
  const store = yield* EventStore
  const lines: Array<Line> = []
  const head = yield* store.head
  for (let after = 0n; after < head;) {
    const page = yield* store.readAll({ after })
    lines.push(...page.events.map((event) => storedLine(event)))
    after = page.position
  }
  return lines
})

const describe = (lines: ReadonlyArray<Line>): Omit<Report, "seconds"> => {
  const stored = lines.filter((line) => line._tag === "Stored")
  const invoked = lines.filter((line) => line._tag === "Invoked")
  const told: Record<string, number> = {}
  for (const line of lines) {
    if (line._tag !== "Returned") continue
    const { outcome } = line
    const kind = outcome._tag === "Failed" ? `Failed ${outcome.reason}` : outcome._tag
    told[kind] = (told[kind] ?? 0) + 1
  }
  const ids = Map.groupBy(invoked.filter(({ call }) => call.commandId !== undefined), ({ call }) => call.commandId)
  return {
    operations: invoked.length,
    events: stored.length,
    told,
    repeatedIds: [...ids.values()].filter(({ length }) => length > 1).length,
    interleavings: [...Map.groupBy(stored, ({ stream }) => stream).values()]
      .flatMap((events) =>
        events.filter(({ op }, index) => index > 0 && processOf(events[index - 1]!.op) !== processOf(op))
      )
      .length,
    problems: check(lines, accountModel)
  }
}

const processOf = (op: string): string => op.split("-")[0]!
