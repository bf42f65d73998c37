/** Which store a run goes to, by flag and by environment; and what is said of one that is wrong or cannot be used. */
import { assert, describe, it } from "@effect/vitest"
import { existsSync, mkdirSync, writeFileSync } from "node:fs"
import { join } from "node:path"
import { DatabaseSync } from "node:sqlite"
import { expenses, fixture, makeFile, makeFolder, plain, type Setting, start, varve } from "./processes.ts"

const run = (args: ReadonlyArray<string>, setting?: Setting) =>
  varve([...expenses, "--commands", fixture, "--json", ...args], setting)

describe("a choice", () => {
  it("by flag goes before one by environment", async () => {
    const cwd = makeFolder()
    const env = { VARVE_STORE: "sqlite", VARVE_STORE_URL: "environment.sqlite" }
    const byFlag = await run(["--store", "memory"], { cwd, env })
    assert.include(byFlag.stderr, "expenses on memory,")
    const byUrl = await run(["--url", "flag.sqlite"], { cwd, env })
    assert.include(byUrl.stderr, "expenses on flag.sqlite,")
    assert.deepStrictEqual([byFlag.exitCode, byUrl.exitCode], [0, 0])
    assert.isFalse(existsSync(join(cwd, "environment.sqlite")))
  })

  it("by environment is taken where there is no flag", async () => {
    const cwd = makeFolder()
    const { exitCode, stderr } = await run([], {
      cwd,
      env: { VARVE_STORE: "sqlite", VARVE_STORE_URL: "environment.sqlite" }
    })
    assert.strictEqual(exitCode, 0)
    assert.include(stderr, "expenses on environment.sqlite,")
    assert.isTrue(existsSync(join(cwd, "environment.sqlite")))
    assert.isFalse(existsSync(join(cwd, "data")))
  })

  it("of npm start is made alike", async () => {
    const refused = await start("examples/main.ts", ["--store", "postgre"]).ended
    assert.strictEqual(refused.exitCode, 2)
    assert.strictEqual(
      refused.stderr,
      "Unknown store \"postgre\". Allowed: memory, sqlite, postgres.\nSee --help for the stores that there are.\n"
    )
  })
})

describe("a choice that cannot be made names what is allowed, and nothing is carried out:", () => {
  const unknown = "Unknown store \"redis\". Allowed: memory, sqlite, postgres."
  const noFile = "The store \"sqlite\" needs a file: set VARVE_STORE_URL (or --url on a command line) to its name."
  const noServer =
    "The store \"sqlite\" needs a file, and the URL is one of PostgreSQL: choose the store \"postgres\" for it."
  const noStore =
    "No store is chosen. Set VARVE_STORE (or --store on a command line) to one of: memory, sqlite, postgres."
  const noUrl = "The store \"memory\" takes no url, but one was given: leave it out, or choose sqlite."
  const noAddress =
    "The store \"postgres\" needs a URL: set VARVE_STORE_URL (or --url on a command line) to postgres://user:password@host/database."
  const escaping = "In a password, write @ : / ? # % as encodeURIComponent does: %40 %3A %2F %3F %23 %25."
  const notFound = (problem: string) => `The store "postgres" cannot be found: its URL ${problem}. ${escaping}`
  const mistakes: ReadonlyArray<readonly [string, ReadonlyArray<string>, Readonly<Record<string, string>>, string]> = [
    ["an unknown store by flag", ["--store", "redis"], {}, unknown],
    ["an unknown store by environment", [], { VARVE_STORE: "redis" }, unknown],
    ["sqlite by flag without a file", ["--store", "sqlite"], {}, noFile],
    ["sqlite by environment without a file", [], { VARVE_STORE: "sqlite" }, noFile],
    ["sqlite with an empty file name", ["--store", "sqlite", "--url", ""], {}, noFile],
    ["sqlite with the URL of PostgreSQL", ["--store", "sqlite", "--url", "postgres://me:topsecret@db/x"], {}, noServer],
    ["postgres without a URL", ["--store", "postgres"], {}, noAddress],
    [
      "postgres with a pooler of an unknown mode",
      ["--store", "postgres", "--url", "postgres://me:topsecret@db/x?pooler=session"],
      {},
      "The store \"postgres\" cannot be used like that: the pooler of its URL can only be \"transaction\". One that " +
      "leaves sessions their connections is named by nothing."
    ],
    [
      "postgres with a bare % in the password",
      ["--store", "postgres", "--url", "postgres://me:topsecret%@db/x"],
      {},
      notFound("has a % that stands for nothing")
    ],
    [
      "postgres with a bare # in the password",
      ["--store", "postgres", "--url", "postgres://me:top#secret@db/x"],
      {},
      notFound("is not one, like postgres://user:password@host/database")
    ],
    [
      "I22: postgres with a bare / in the password, which would be told as its host",
      ["--store", "postgres", "--url", "postgres://me:1/topsecret@db/x"],
      {},
      notFound("ends within the password")
    ],
    ["postgres with a file", ["--store", "postgres", "--url", "log.sqlite"], {}, noAddress],
    [
      "postgres by flag, and the file of another store by environment",
      ["--store", "postgres"],
      { VARVE_STORE: "sqlite", VARVE_STORE_URL: "log.sqlite" },
      noAddress
    ],
    ["a file by flag without a store", ["--url", "log.sqlite"], {}, noStore],
    ["a file by environment without a store", [], { VARVE_STORE_URL: "log.sqlite" }, noStore],
    ["memory with a file", ["--store", "memory", "--url", "log.sqlite"], {}, noUrl]
  ]
  for (const [name, args, env, problem] of mistakes) {
    it(name, async () => {
      const cwd = makeFolder()
      const ended = await run(args, { cwd, env })
      assert.strictEqual(ended.exitCode, 2)
      assert.strictEqual(ended.stdout, "")
      assert.strictEqual(ended.stderr, `${problem}\nSee --help for the stores that there are.\n`)
      assert.isFalse(existsSync(join(cwd, "data")))
    })
  }
})

describe("a store that cannot be used is named with the reason, without a stack and without SQL:", () => {
  const fails = async (args: ReadonlyArray<string>, setting?: Setting, exitCode = 1) => {
    const ended = await run(args, setting)
    assert.strictEqual(ended.exitCode, exitCode)
    assert.strictEqual(ended.stdout, "")
    assert.isTrue(plain(ended), ended.stderr)
    return ended.stderr
  }
  const refusesToOpen = async (url: string, problem: string) => {
    const said = await fails(["--store", "sqlite", "--url", url])
    assert.strictEqual(
      said,
      `expenses on ${url}, commands from ${fixture}\nThe store is unavailable (open): ${problem}\n` +
        "See to the store, then run the same command again; nothing is done twice.\n"
    )
  }
  const cannotOpen = "the file cannot be opened; its folder must exist and be writable"

  it("a folder for the data that cannot be made", async () => {
    const cwd = makeFolder()
    writeFileSync(join(cwd, "data"), "")
    assert.strictEqual(
      await fails([], { cwd }, 2),
      "The folder ./data for the database cannot be made: a file has its name. Name a file elsewhere with " +
        "--store sqlite --url FILE, or make the folder.\nSee --help for the stores that there are.\n"
    )
  })

  it("a file in a folder that is not there", () => refusesToOpen(join(makeFolder(), "none/log.sqlite"), cannotOpen))

  it("a folder in place of the file", async () => {
    const folder = join(makeFolder(), "log.sqlite")
    mkdirSync(folder)
    await refusesToOpen(folder, cannotOpen)
  })

  it("a file that is no database", () =>
    refusesToOpen(makeFile("log.sqlite", "dear diary\n".repeat(1_000)), "the file is not a SQLite database"))

  it("a database that another process is writing to: it is waited for at the opening too", async () => {
    const url = join(makeFolder(), "log.sqlite")
    const other = new DatabaseSync(url)
    other.exec("PRAGMA journal_mode = WAL; BEGIN IMMEDIATE")
    const args = [...expenses, "--commands", fixture, "--store", "sqlite", "--url", url]
    const waiting = start("src/cli/varve.ts", [...args, "--json", "--patience", "1 minute"])
    const [problem] = await waiting.says(/The store is unavailable .*/)
    assert.strictEqual(
      problem,
      "The store is unavailable (migrate): another process is writing to the file, and went on for longer than 5 " +
        "seconds. Trying again for up to 1m …"
    )
    other.close()
    const ended = await waiting.ended
    assert.strictEqual(ended.exitCode, 0, ended.stderr)
    assert.strictEqual(JSON.parse(ended.stdout).accepted, 200)
  }, 60_000)

  it("a database that is read-only: it is tried again for as long as was asked, then the run stops", async () => {
    const cwd = makeFolder()
    const begun = makeFile("begun.ndjson", "{}\n")
    await varve([...expenses, "--commands", begun, "--store", "sqlite", "--url", "log.sqlite"], { cwd })
    // Who may do everything may also write to read-only files, so the reader asks for it read-only.
    const url = `file:${join(cwd, "log.sqlite")}?mode=ro`
    const said = await fails(["--store", "sqlite", "--url", url, "--patience", "200 millis"])
    const lines = said.trimEnd().split("\n")
    assert.include(lines, "The store is unavailable (append): the file is read-only. Trying again for up to 200ms …")
    assert.match(
      lines.at(-2) ?? "",
      /^Stopped at line \d+: The store is unavailable \(append\): the file is read-only$/
    )
    assert.strictEqual(
      lines.at(-1),
      "Run the same command again: what was carried out is recognized by its ids and not done twice."
    )
    const ended = await run(["--store", "sqlite", "--url", "log.sqlite"], { cwd })
    assert.strictEqual(ended.exitCode, 0)
    assert.strictEqual(JSON.parse(ended.stdout).accepted, 200)
  })
})
