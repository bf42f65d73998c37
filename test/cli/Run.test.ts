/** `varve run`: what it makes of a file, and that running it again changes nothing. */
import { assert, describe, it } from "@effect/vitest"
import { spawnSync } from "node:child_process"
import { copyFileSync, readFileSync } from "node:fs"
import { join } from "node:path"
import { DatabaseSync } from "node:sqlite"
import { gzipSync } from "node:zlib"
import {
  type Ended,
  expenses,
  fixture,
  inProject,
  makeFile,
  makeFolder,
  plain,
  type Setting,
  start,
  varve
} from "./processes.ts"

const run = (args: ReadonlyArray<string>, setting?: Setting) => varve([...expenses, ...args], setting)
const inMemory = ["--store", "memory"]

/** What is the same each time, in place of how long it took. */
const withoutTimes = (text: string): string => text.replace(/ in [\d.]+ s \([\d,]+ a second\)/, " in …")

const parsed = ({ stdout }: Ended) => {
  const { linesPerSecond, repeated: _, seconds, ...summary } = JSON.parse(stdout)
  assert.isAtLeast(seconds, 0)
  assert.isAtLeast(linesPerSecond, 0)
  return summary
}

const sha = "950c59863147b8134850e1eea99fe93af0ec6725f20d07e6086018b3b6d7e4b5"
const rejected = { AlreadyDone: 3, AlreadyPaid: 3, NotItsTurn: 5, NotSubmitted: 3 }
const summary = { app: "expenses", batch: sha, lines: 228, accepted: 200, rejected, bad: 14, position: "200" }

const summaryText = [
  "expenses: 228 lines in …",
  "  accepted                             200",
  "  rejected                              14",
  "    AlreadyDone                          3",
  "    AlreadyPaid                          3",
  "    NotItsTurn                           5",
  "    NotSubmitted                         3",
  "  bad                                   14",
  "  the log ends at position 200",
  ""
].join("\n")

/** All that a database holds of events and receipts. */
const contentOf = (file: string) => {
  const database = new DatabaseSync(file, { readOnly: true })
  const tables = database.prepare("SELECT name FROM sqlite_schema WHERE type = 'table' ORDER BY name").all()
  const content = tables.map(({ name }) => [name, database.prepare(`SELECT * FROM "${name}"`).all()] as const)
  database.close()
  return content
}

describe("the fixture", () => {
  it("ends in a summary for people on standard output, and nothing else is there", async () => {
    const ended = await run(["--commands", fixture, ...inMemory])
    assert.strictEqual(ended.exitCode, 0)
    assert.strictEqual(withoutTimes(ended.stdout), summaryText)
    assert.isTrue(plain(ended), ended.stderr)
  })

  it("ends in a summary for machines with --json, on one line", async () => {
    const ended = await run(["--commands", fixture, ...inMemory, "--json"])
    assert.strictEqual(ended.exitCode, 0)
    assert.strictEqual(ended.stdout.indexOf("\n"), ended.stdout.length - 1)
    assert.deepStrictEqual(parsed(ended), summary)
  })

  it("is told of on standard error: where it goes, bad lines with their numbers, and how far it is", async () => {
    const { stderr } = await run(["--commands", fixture, ...inMemory])
    const lines = stderr.trimEnd().split("\n")
    assert.strictEqual(lines[0], `expenses on memory, commands from ${fixture}`)
    assert.include(lines, "line 13 is bad: it is not valid JSON")
    assert.include(lines, "line 191 is bad: Expected a decimal number like \"26.85\" at [\"Amount\"]")
    assert.lengthOf(lines.filter((line) => /^line \d+ is bad: /.test(line)), 14)
    assert.match(lines.at(-1) ?? "", /^228 of 228 lines · [\d,]+ a second · 14 rejected · 14 bad$/)
    assert.notInclude(stderr, "\u001b")
  })

  it("without a choice of store goes to a SQLite file in ./data, and run again changes nothing there", async () => {
    const cwd = makeFolder()
    const first = await run(["--commands", fixture, "--json"], { cwd })
    assert.deepStrictEqual(parsed(first), summary)
    assert.include(first.stderr, "expenses on data/expenses.sqlite,")
    const before = contentOf(join(cwd, "data/expenses.sqlite"))
    const second = await run(["--commands", fixture, "--json"], { cwd })
    assert.strictEqual(second.exitCode, 0)
    assert.deepStrictEqual(parsed(second), summary)
    assert.deepStrictEqual(contentOf(join(cwd, "data/expenses.sqlite")), before)
  })

  it("says how many of its lines had been carried out before, accepted or rejected", async () => {
    const cwd = makeFolder()
    const lines = readFileSync(fixture, "utf8").split("\n")
    const batch = ["--batch", "monday", "--url", "log.sqlite", "--store", "sqlite"]
    const begun = makeFile("begun.ndjson", lines.slice(0, 100).join("\n"))
    const first = JSON.parse((await run(["--commands", begun, ...batch, "--json"], { cwd })).stdout)
    assert.strictEqual(first.repeated, 0)
    const second = JSON.parse((await run(["--commands", fixture, ...batch, "--json"], { cwd })).stdout)
    assert.strictEqual(second.repeated, first.lines - first.bad)
    const third = await run(["--commands", fixture, ...batch], { cwd })
    assert.include(third.stdout, "\n  repeated, not done twice             214\n")
  })

  it("I5: changes nothing when it is run again, also when its receipts are older than what a worker keeps", async () => {
    const cwd = makeFolder()
    await run(["--commands", fixture, "--json"], { cwd })
    const file = join(cwd, "data/expenses.sqlite")
    const database = new DatabaseSync(file)
    database.exec("UPDATE varve_receipts SET recorded_at = recorded_at - 8 * 24 * 3600 * 1000")
    database.close()
    const before = contentOf(file)
    assert.deepStrictEqual(parsed(await run(["--commands", fixture, "--json"], { cwd })), summary)
    assert.deepStrictEqual(contentOf(file), before)
  })

  it("is the same batch under another name, and another one with a line more", async () => {
    const cwd = makeFolder()
    const store = ["--store", "sqlite", "--url", "log.sqlite", "--json"]
    await run(["--commands", fixture, ...store], { cwd })
    copyFileSync(fixture, join(cwd, "copy.ndjson"))
    assert.deepStrictEqual(parsed(await run(["--commands", "copy.ndjson", ...store], { cwd })), summary)
    const longer = makeFile("longer.ndjson", `${readFileSync(fixture, "utf8")}{}\n`)
    const other = parsed(await run(["--commands", longer, ...store], { cwd }))
    assert.notStrictEqual(other.batch, sha)
    assert.strictEqual(other.bad, 15)
    assert.isAbove(Object.values<number>(other.rejected).reduce((sum, count) => sum + count), 14)
  })

  it("is the same batch when it is gzipped", async () => {
    const packed = makeFile("fixture.ndjson.gz", gzipSync(readFileSync(fixture)))
    const cwd = makeFolder()
    const store = ["--store", "sqlite", "--url", "log.sqlite", "--json"]
    assert.deepStrictEqual(parsed(await run(["--commands", packed, ...store], { cwd })), summary)
    assert.deepStrictEqual(parsed(await run(["--commands", fixture, ...store], { cwd })), summary)
  })

  it("comes from standard input too, under the name that it is given", async () => {
    const ended = await run(["--commands", "-", "--batch", "monday", ...inMemory, "--json"], {
      input: readFileSync(fixture)
    })
    assert.strictEqual(ended.exitCode, 0)
    assert.deepStrictEqual(parsed(ended), { ...summary, batch: "monday" })
    assert.match(ended.stderr, /\n228 lines · [\d,]+ a second · 14 rejected · 14 bad\n$/)
  })

  it("from standard input, again and by the same name, changes nothing", async () => {
    const cwd = makeFolder()
    const args = ["--commands", "-", "--batch", "monday", "--store", "sqlite", "--url", "log.sqlite", "--json"]
    const input = readFileSync(fixture)
    const first = parsed(await run(args, { cwd, input }))
    assert.deepStrictEqual(parsed(await run(args, { cwd, input })), first)
    assert.strictEqual(first.position, "200")
  })

  it("run by three processes at once is done once, and each of them tells of all of it", async () => {
    const cwd = makeFolder()
    const args = ["--commands", fixture, "--store", "sqlite", "--url", "log.sqlite", "--json"]
    const all = await Promise.all([run(args, { cwd }), run(args, { cwd }), run(args, { cwd })])
    assert.deepStrictEqual(all.map((ended) => parsed(ended)), [summary, summary, summary])
  })

  it("is run by npm start too", async () => {
    const args = [...expenses, "--commands", fixture, ...inMemory, "--json"]
    assert.deepStrictEqual(parsed(await start("examples/main.ts", args).ended), summary)
  })

  it("ends alike however many lines are under way at once", async () => {
    for (const concurrency of ["1", "10000"]) {
      const ended = await run(["--commands", fixture, ...inMemory, "--json", "--concurrency", concurrency])
      assert.deepStrictEqual(parsed(ended), summary)
    }
  })
})

describe("--strict", () => {
  it("stops at the first bad line, names it, and says how to go on", async () => {
    const ended = await run(["--commands", fixture, ...inMemory, "--strict"])
    assert.strictEqual(ended.exitCode, 1)
    assert.strictEqual(ended.stdout, "")
    assert.isTrue(
      ended.stderr.endsWith(
        "\nStopped at line 13, which is bad: it is not valid JSON\n" +
          `Mend it and run the file again with --batch ${sha}: ` +
          "by that name, what was carried out is recognized and not done twice.\n"
      ),
      ended.stderr
    )
  })

  it("goes on after the line is mended, under the name of before, and does nothing twice", async () => {
    const cwd = makeFolder()
    const store = ["--store", "sqlite", "--url", "log.sqlite", "--json"]
    const stopped = await run(["--commands", fixture, ...store, "--strict"], { cwd })
    const batch = /--batch ([0-9a-f]{64}):/.exec(stopped.stderr)?.[1] ?? ""
    const lines = readFileSync(fixture, "utf8").split("\n")
    lines[12] = lines[0]!.replace("trip-bergen", "trip-anew")
    const mended = makeFile("mended.ndjson", lines.join("\n"))
    const ended = await run(["--commands", mended, "--batch", batch, ...store], { cwd })
    assert.deepStrictEqual(parsed(ended), { ...summary, accepted: 201, bad: 13, position: "201" })
  })
})

describe("a file of which every line is bad", () => {
  it("ends in its summary, and in exit code 1 with the question whether it is the right one", async () => {
    const file = makeFile("other.ndjson", "{}\n[]\n")
    const ended = await run(["--commands", file, ...inMemory, "--json"])
    assert.strictEqual(ended.exitCode, 1)
    assert.include(parsed(ended), { lines: 2, accepted: 0, bad: 2 })
    assert.include(ended.stderr, `\nEvery line of ${file} is bad: are these commands for the app expenses?\n`)
    const empty = await run(["--commands", makeFile("empty.ndjson", "\n"), ...inMemory, "--json"])
    assert.strictEqual(empty.exitCode, 0)
  })
})

describe("an output", () => {
  it("that nobody reads any more is no reason to stop: the run goes on to its end", async () => {
    const cwd = makeFolder()
    const command = [process.execPath, inProject("src/cli/varve.ts"), ...expenses, "--commands", fixture]
      .map((word) => `'${word}'`).join(" ")
    const shell = spawnSync("bash", ["-c", `${command} 2>&1 | head -n 1; echo "\${PIPESTATUS[0]}"`], {
      cwd,
      encoding: "utf8"
    })
    assert.deepStrictEqual(shell.stdout.trimEnd().split("\n"), [
      `expenses on data/expenses.sqlite, commands from ${fixture}`,
      "0"
    ])
    assert.strictEqual(shell.stderr, "")
    const { stdout } = await run(["--commands", fixture, "--json"], { cwd })
    assert.strictEqual(JSON.parse(stdout).position, "200")
  })

  it("that takes no result is named on standard error, with exit code 1", () => {
    const command = [process.execPath, inProject("src/cli/varve.ts"), ...expenses, "--commands", fixture, ...inMemory]
    const shell = spawnSync("sh", ["-c", "exec \"$0\" \"$@\" --json > /dev/full", ...command], {
      encoding: "utf8",
      cwd: makeFolder()
    })
    assert.strictEqual(shell.status, 1)
    assert.match(shell.stderr, /\nThe result cannot be written to standard output: ENOSPC: .*\n$/)
  })
})
