/** `varve export` and `varve history`: what is in production is shown to be readable before the code goes there. */
import { assert, describe, it } from "@effect/vitest"
import { spawnSync } from "node:child_process"
import { copyFileSync, existsSync, mkdtempSync, readdirSync, readFileSync, rmSync, writeFileSync } from "node:fs"
import { tmpdir } from "node:os"
import { join } from "node:path"
import { DatabaseSync } from "node:sqlite"
import { gunzipSync } from "node:zlib"
import { afterAll, beforeAll } from "vitest"
import { inProject, makeFile, makeFolder, plain, varve } from "./processes.ts"

const oldApp = inProject("test/cli/oldLedgerApp.ts")
const app = inProject("test/cli/ledgerApp.ts")
const store = ["--store", "sqlite", "--url", "log.sqlite"]

/** Where the old app has written a log: two ledgers, 12 events. Made once; who changes it makes a copy. */
let made: string
beforeAll(async () => {
  made = mkdtempSync(join(tmpdir(), "varve-log-"))
  const lines = [1, 2, 3, 4, 5, 6].map((cents) => `${JSON.stringify({ id: `l-${cents % 2}`, cents })}\n`)
  writeFileSync(join(made, "commands.ndjson"), lines.join(""))
  const args = ["--app", oldApp, "--commands", "commands.ndjson", ...store]
  const { stderr, status } = spawnSync(process.execPath, [inProject("src/cli/varve.ts"), "run", ...args], { cwd: made })
  assert.strictEqual(status, 0, String(stderr))
})
afterAll(() => rmSync(made, { recursive: true }))

const copyLog = () => {
  const cwd = makeFolder()
  copyFileSync(join(made, "log.sqlite"), join(cwd, "log.sqlite"))
  return cwd
}

const exported = async (cwd: string, output: string) => {
  const ended = await varve(["export", ...store, "--output", output], { cwd })
  assert.strictEqual(ended.exitCode, 0, ended.stderr)
  return join(cwd, output)
}

const history = async (file: string, appFile = app, ...flags: ReadonlyArray<string>) => {
  const ended = await varve(["history", "--app", appFile, "--log", file, ...flags])
  assert.isTrue(plain(ended), ended.stderr)
  return ended
}

/** A log as `export` writes it: each of two ledgers was entered into and viewed, three times. */
const lines = Array.from({ length: 12 }, (_, index): Record<string, unknown> => ({
  position: String(index + 1),
  tenant: "default",
  category: "Ledger",
  id: `l-${Math.floor(index / 2) % 2}`,
  version: 2 * Math.floor(index / 4) + (index % 2) + 1,
  type: index % 2 === 0 ? "Entered" : "Viewed",
  schemaVersion: 1,
  eventId: `00000000-0000-7000-8000-0000000000${10 + index}`,
  recordedAt: "2026-11-21T05:07:44.123Z",
  data: index % 2 === 0 ? { euros: index } : {},
  metadata: {}
}))

const fileOf = (altered: ReadonlyArray<unknown>) =>
  makeFile(
    "altered.ndjson",
    altered.map((line) => `${typeof line === "string" ? line : JSON.stringify(line)}\n`).join("")
  )

describe("export", () => {
  it("writes every event on a line, in the order of positions, as it stands in the store", async () => {
    const cwd = copyLog()
    const lines = readFileSync(await exported(cwd, "log.ndjson"), "utf8").trimEnd().split("\n")
    const database = new DatabaseSync(join(cwd, "log.sqlite"), { readOnly: true })
    const rows = database.prepare("SELECT * FROM varve_events ORDER BY position").all()
    database.close()
    assert.lengthOf(lines, 12)
    lines.forEach((line, index) => {
      const row = rows[index]!
      assert.isTrue(line.endsWith(`,"data":${row["data"]},"metadata":${row["metadata"]}}`), line)
      const { data: _, metadata: __, ...own } = JSON.parse(line)
      assert.deepStrictEqual(own, {
        position: String(row["position"]),
        tenant: "default",
        category: "Ledger",
        id: row["stream_id"],
        version: row["version"],
        type: row["type"],
        schemaVersion: 1,
        eventId: row["event_id"],
        recordedAt: new Date(Number(row["recorded_at"])).toISOString()
      })
    })
  })

  it("packs a file whose name says so, and writes the same to standard output", async () => {
    const cwd = copyLog()
    const text = readFileSync(await exported(cwd, "log.ndjson"), "utf8")
    assert.strictEqual(gunzipSync(readFileSync(await exported(cwd, "log.ndjson.gz"))).toString(), text)
    const ended = await varve(["export", ...store], { cwd })
    assert.strictEqual(ended.stdout, text)
    assert.include(ended.stderr, "Exported 12 events, up to position 12.\n")
  })

  it("keeps data that are damaged as they are, in a string", async () => {
    const cwd = copyLog()
    const database = new DatabaseSync(join(cwd, "log.sqlite"))
    for (const [position, data] of [[1, "{\n}"], [2, "{torn"], [3, "\"text\""]] as const) {
      database.prepare("UPDATE varve_events SET data = ? WHERE position = ?").run(data, position)
    }
    database.close()
    const file = await exported(cwd, "log.ndjson")
    const data = readFileSync(file, "utf8").trimEnd().split("\n").map((line) => JSON.parse(line).data)
    assert.deepStrictEqual(data.slice(0, 3), ["{\n}", "{torn", "\"text\""])
    const ended = await history(file)
    assert.strictEqual(ended.exitCode, 1)
    assert.include(ended.stdout, "    as Viewed@1: it is not valid JSON\n")
  })

  it("refuses what is no log, and a file that is there already, and leaves nothing behind", async () => {
    const cwd = copyLog()
    writeFileSync(join(cwd, "there.ndjson"), "mine")
    writeFileSync(join(cwd, "text.sqlite"), "no database at all, but a text of some length")
    const refused = async (args: ReadonlyArray<string>, problem: string, exitCode = 1) => {
      const ended = await varve(["export", ...args], { cwd })
      assert.strictEqual(ended.exitCode, exitCode)
      assert.isTrue(plain(ended), ended.stderr)
      assert.include(ended.stderr, problem)
    }
    await refused([...store, "--output", "there.ndjson"], "there.ndjson is there already; name another file.\n")
    await refused(["--store", "sqlite", "--url", "none.sqlite"], "Cannot read none.sqlite: there is no such file.\n")
    await refused(["--store", "memory"], "A store in memory ends with its process; there is nothing to export.\n")
    await refused([], "No store is chosen.", 2)
    await refused(["--store", "sqlite", "--url", "text.sqlite", "--output", "out.ndjson"], "not a SQLite database")
    await refused([...store, "--output", "no/such/folder.ndjson"], "The log cannot be exported: ")
    assert.strictEqual(readFileSync(join(cwd, "there.ndjson"), "utf8"), "mine")
    assert.isFalse(existsSync(join(cwd, "none.sqlite")))
    assert.deepStrictEqual(readdirSync(cwd).filter((file) => /out|unfinished/.test(file)), [])
  })
})

describe("history", () => {
  it("is content with code that has a case for all there is, be it the old one or one that has evolved", async () => {
    const cwd = copyLog()
    const file = await exported(cwd, "log.ndjson.gz")
    for (const each of [oldApp, app]) {
      const ended = await history(file, each)
      assert.strictEqual(ended.exitCode, 0, ended.stderr)
      assert.strictEqual(ended.stdout, "ledgers: 12 events in 2 streams; all of them can be replayed\n")
    }
    const piped = await varve(["history", "--app", app, "--log", "-", "--json"], {
      input: gunzipSync(readFileSync(file))
    })
    assert.strictEqual(piped.exitCode, 0)
    assert.deepStrictEqual(JSON.parse(piped.stdout), {
      app: "ledgers",
      events: 12,
      streams: 2,
      passedOver: 0,
      broken: 0,
      breaks: []
    })
  })

  it("names the event, stream, version and field that break, once for all that break alike, and exits with 1", async () => {
    const file = fileOf(
      lines.map((line) => line["type"] === "Entered" && line["id"] === "l-0" ? { ...line, data: { euros: "1" } } : line)
    )
    const ended = await history(file)
    assert.strictEqual(ended.exitCode, 1)
    assert.match(
      ended.stdout,
      /^ledgers: 12 events in 2 streams; 3 break\n {2}Entered@1 of Ledger l-0, version 1, position \d+, and 2 more like it\n {4}as Entered@1: Expected number at \["euros"\]\n$/
    )
    assert.include(
      ended.stderr,
      "This code cannot replay 3 events of the log.\nDeclare what the events looked like with Event.evolved, or mend the code, and check again.\n"
    )
    const json = await history(file, app, "--json")
    assert.strictEqual(json.exitCode, 1)
    const { breaks, broken } = JSON.parse(json.stdout)
    assert.strictEqual(broken, 3)
    const [{ first, ...found }] = breaks
    assert.deepStrictEqual(found, {
      reason: "StreamUnreadable",
      problem: "as Entered@1: Expected number at [\"euros\"]",
      field: "euros",
      category: "Ledger",
      type: "Entered",
      schemaVersion: 1,
      count: 3
    })
    assert.deepStrictEqual([first.tenant, first.id, first.version], ["default", "l-0", 1])
    assert.strictEqual(String(first.line), first.position)
  })

  it("names what this code does not know: a type, a schema version, an aggregate", async () => {
    const [first, second, third, ...rest] = lines
    const file = fileOf([
      { ...first, type: "Burnt" },
      { ...second, schemaVersion: 9 },
      { ...third, category: "Cart" },
      ...rest.filter(({ id }) => id === "l-0")
    ])
    const { exitCode, stdout } = await history(file, app, "--json")
    assert.strictEqual(exitCode, 1)
    const reasons = JSON.parse(stdout).breaks.map((
      { problem, reason }: { readonly problem: string; readonly reason: string }
    ) => [reason, problem])
    assert.includeDeepMembers(reasons, [
      ["HandlerMissing", "no event of today has this type, and no released shape is declared for it"],
      ["SchemaTooNew", "its schema version is newer than all that are declared"],
      ["AggregateMissing", "the app has no aggregate for this category"]
    ])
  })

  it("passes over the outbox, and over other apps' events if it is told to", async () => {
    const file = fileOf([
      ...lines,
      { ...lines[0], category: "outbox", position: "13", version: 1 },
      { ...lines[0], category: "Cart", position: "14", version: 1 }
    ])
    assert.strictEqual((await history(file)).exitCode, 1)
    const ended = await history(file, app, "--others")
    assert.strictEqual(ended.exitCode, 0)
    assert.strictEqual(
      ended.stdout,
      "ledgers: 12 events in 2 streams, 2 others passed over; all of them can be replayed\n"
    )
  })

  it("names lines that are no events, and versions that are left out", async () => {
    const file = fileOf(["{", "{}", ...lines.filter(({ version }) => version !== 2)])
    const ended = await history(file)
    assert.strictEqual(ended.exitCode, 1)
    assert.include(ended.stdout, "  line 1\n    it is not valid JSON\n")
    assert.include(ended.stdout, "  line 2\n    Missing key at [\"position\"]")
    assert.match(
      ended.stdout,
      / of Ledger l-\d, version 3, position \d+(, and 1 more like it)?\n {4}version 2 of its stream is expected here/
    )
  })

  it("names an evolve that throws, and a declaration that cannot be so", async () => {
    const file = fileOf(lines)
    const source = (events: string, evolve: string) => `
      import { Schema } from ${JSON.stringify(import.meta.resolve("effect"))}
      import * as Aggregate from ${JSON.stringify(inProject("src/Aggregate.ts"))}
      import * as App from ${JSON.stringify(inProject("src/cli/App.ts"))}
      import * as Event from ${JSON.stringify(inProject("src/Event.ts"))}
      const Now = Event.union({ Entered: { euros: Schema.Finite }, Viewed: {} })
      class Ledgers extends Aggregate.Service()("Ledger", { state: Schema.Int, events: ${events}, commands: [] }) {}
      const aggregates = Ledgers.toLayer({ initial: 0, evolve: ${evolve}, handlers: {} })
      export default App.make({ name: "mine", aggregates, line: Schema.Int, key: String, execute: () => {} })
    `
    const throwing = await history(
      file,
      makeFile("app.mjs", source("Now", "{ Entered: () => 0, Viewed: () => { throw new Error('no view') } }"))
    )
    assert.strictEqual(throwing.exitCode, 1)
    assert.include(throwing.stdout, "    evolve threw: no view\n")
    const wrong = await history(
      file,
      makeFile("app.mjs", source("Event.evolved(Now, (was) => [was('Entered@2', Schema.Struct({}), () => [])])", "{}"))
    )
    assert.strictEqual(wrong.exitCode, 2)
    assert.include(
      wrong.stderr,
      "The app mine cannot run: The released shape \"Entered@2\" cannot be declared so: \"Entered@1\" is missing"
    )
  })
})
