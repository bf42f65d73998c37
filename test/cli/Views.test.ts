/** `varve views`: what a person is told of views and of how projections stand, and what may be done about them. */
import { assert, describe, it } from "@effect/vitest"
import { spawnSync } from "node:child_process"
import { existsSync, mkdtempSync, rmSync, writeFileSync } from "node:fs"
import { tmpdir } from "node:os"
import { join } from "node:path"
import { afterAll, beforeAll } from "vitest"
import { expenses, fixture, inProject, makeFolder, plain, start, varve } from "./processes.ts"

const expensesApp = inProject("examples/expenses/app.ts")
const ledgerApp = inProject("test/cli/balanceApp.ts")

/** Where the expenses of the fixture were carried out, with their views. */
let made: string
beforeAll(() => {
  made = mkdtempSync(join(tmpdir(), "varve-views-"))
  const args = [...expenses, "--commands", fixture, "--projections"]
  const { stderr, status } = spawnSync(process.execPath, [inProject("src/cli/varve.ts"), ...args], { cwd: made })
  assert.strictEqual(status, 0, String(stderr))
})
afterAll(() => rmSync(made, { recursive: true }))

const ask = async (...args: ReadonlyArray<string>) => {
  const ended = await varve(["views", ...args, "--app", expensesApp], { cwd: made })
  assert.isTrue(plain(ended), ended.stderr)
  return ended
}

describe("a view that is asked", () => {
  it("shows a document as JSON, and to machines how far it has come", async () => {
    const [shown, told] = await Promise.all([
      ask("get", "budget-totals", "budget history"),
      ask("get", "budget-totals", "budget history", "--json")
    ])
    const document = { submissions: 6, submitted: "1185.739663118", payments: 5, paid: "1165.595775968" }
    assert.deepStrictEqual(JSON.parse(shown.stdout), document)
    const about = { view: "budget-totals", version: 1, position: "200", head: "200" }
    assert.deepStrictEqual(JSON.parse(told.stdout), { ...about, key: "budget history", document })
    assert.deepStrictEqual([shown.stderr, told.stderr], ["", ""])
  })

  it("lists documents by the value of a field, in the order of another, and says how to read on", async () => {
    const asked = ["list", "declarations-by-status", "--where", "status=paid", "--order", "budget", "--descending"]
    const first = await ask(...asked, "--limit", "2")
    const [, last] = /There may be more: --after "(.+)"\n$/.exec(first.stderr) ?? []
    const next = await ask(...asked, "--limit", "1", "--after", last ?? "", "--json")
    assert.match(first.stdout, /^KEY +status +number +budget +amount +changedAt\n/)
    const rows = first.stdout.trimEnd().split("\n").slice(1).map((line) => line.split(/ {2,}/))
    const { documents, ...about } = JSON.parse(next.stdout)
    assert.deepStrictEqual(about, { view: "declarations-by-status", version: 1, position: "200", head: "200" })
    assert.deepStrictEqual(
      [...rows.map(([key, , , budget]) => [key, budget]), [documents[0].key, documents[0].document.budget]],
      [["trip-zagreb", "budget sports"], ["trip-wien", "budget sports"], ["trip-ulm", "budget sports"]]
    )
  })
})

describe("what cannot be asked is named with what can, and the exit code tells whose mistake it was:", () => {
  const seeStatus = "`views status` tells how they stand.\n"
  const mistakes: ReadonlyArray<readonly [string, ReadonlyArray<string>, number, string]> = [
    [
      "a view that is not there",
      ["list", "budgets"],
      2,
      "The app expenses has no projection \"budgets\". It has: budget-totals, declarations-by-status.\n" + seeStatus
    ],
    [
      "a field without an index",
      ["list", "declarations-by-status", "--where", "amount=1"],
      2,
      "declarations-by-status has no index on \"amount\". Indexed: status, budget, changedAt.\n"
    ],
    [
      "a document that is not there",
      ["get", "budget-totals", "budget magic"],
      1,
      "budget-totals has no document \"budget magic\".\n"
    ],
    [
      "what cannot be taken back",
      ["reset", "budget-totals"],
      2,
      "This empties budget-totals and fills it from the first event on; what it holds is missing meanwhile. If it must " +
      "not be, raise its version instead: the old one is read until the new one has caught up. Add --yes if that is " +
      "what you want.\n"
    ],
    [
      "a version of which nothing is kept",
      ["drop", "budget-totals", "7", "--yes"],
      1,
      "Nothing is kept of version 7 of budget-totals; there is 1.\n"
    ]
  ]
  for (const [name, args, exitCode, said] of mistakes) {
    it(name, async () => {
      const ended = await ask(...args)
      assert.deepStrictEqual([ended.exitCode, ended.stdout, ended.stderr], [exitCode, "", said])
    })
  }

  it("a store that is not there, and none is made", async () => {
    const cwd = makeFolder()
    const ended = await start("examples/main.ts", ["views", "list", "order-summaries"], { cwd }).ended
    assert.strictEqual(ended.exitCode, 1)
    assert.strictEqual(
      ended.stderr,
      "Cannot read data/orders.sqlite: there is no such file.\n" +
        "Start a worker, or `run` a file of commands: either makes one.\n"
    )
    assert.isFalse(existsSync(join(cwd, "data")))
  })

  it("a view that was never filled: nothing would be taken for an answer", async () => {
    const cwd = makeFolder()
    await varve(["run", "--app", expensesApp, "--commands", fixture], { cwd })
    const ended = await varve(["views", "list", "budget-totals", "--app", expensesApp], { cwd })
    assert.deepStrictEqual([ended.exitCode, ended.stdout], [1, ""])
    assert.strictEqual(
      ended.stderr,
      "budget-totals has never been filled on data/expenses.sqlite: start a worker that has it, or `run` with " +
        "--projections.\n`views status` tells how the projections of the app stand.\n"
    )
  })
})

/** Ledgers with a view, in a folder of their own: eight entries in two ledgers, of which one may be poison. */
const ledgers = () => {
  const cwd = makeFolder()
  const entries = [1, 2, 3, 13, 5, 6, 7, 8].map((cents, index) => ({ id: `l-${index % 2}`, cents }))
  writeFileSync(join(cwd, "commands.ndjson"), entries.map((entry) => `${JSON.stringify(entry)}\n`).join(""))
  const app = ["--app", ledgerApp]
  const run = (env: Readonly<Record<string, string>> = {}, ...flags: ReadonlyArray<string>) =>
    varve(["run", ...app, "--commands", "commands.ndjson", "--projections", ...flags], { cwd, env })
  const views = async (args: ReadonlyArray<string>, env: Readonly<Record<string, string>> = {}) => {
    const ended = await varve(["views", ...args, ...app], { cwd, env })
    assert.isTrue(plain(ended), ended.stderr)
    assert.strictEqual(ended.exitCode, 0, ended.stderr)
    return ended.stdout.trimEnd().split("\n")
  }
  /** What people are told of an event that failed again; nothing is for those who read the results. */
  const failing = async (args: ReadonlyArray<string>, env: Readonly<Record<string, string>>) => {
    const ended = await varve(["views", ...args, ...app], { cwd, env })
    assert.deepStrictEqual([ended.exitCode, ended.stdout], [1, ""])
    return ended.stderr.trimEnd().split("\n")
  }
  return { run, views, failing }
}

/** What a poison entry is called by all who tell of it. */
const poison = "event 2 of Ledger l-1 (Entered), position 4: nobody can book 13"

describe("an operator", () => {
  it("sees what a projection is paused at, goes on by single steps, lets it go on, and fills it anew", async () => {
    const { failing, run, views } = ledgers()
    const stopped = await run({ POISON: "13" }, "--patience", "1 second", "--concurrency", "1")
    assert.strictEqual(stopped.exitCode, 1)
    assert.include(stopped.stdout, `\n  balances has come to position 3: paused: ${poison}\n  nothing has all of it\n`)
    assert.include(stopped.stderr, "The commands were carried out, but not all projections have caught up: balances.\n")

    const [title, row, , , empty, ...notes] = await views(["status"])
    assert.match(title ?? "", /^PROJECTION +VERSION +POSITION +HEAD +BEHIND +STATE +LETTERS +PARKED$/)
    assert.match(row ?? "", /^balances +1 live +3 +8 +5 · [\d.]+ \S+ +paused +1 +0$/)
    assert.deepStrictEqual([empty, ...notes], [
      "",
      `balances is paused: ${poison}. \`views resume balances\` lets it go on.`,
      "balances could not work off an event: see `views letters balances`.",
      "nothing is run by no worker just now."
    ])
    assert.deepStrictEqual(await failing(["step", "balances"], { POISON: "13" }), [
      "position 4: Entered, event 2 of Ledger l-1",
      "  HandlerFailed: nobody can book 13",
      "  Nothing was changed."
    ])
    assert.deepStrictEqual(await views(["step", "balances"]), [
      "position 4: Entered, event 2 of Ledger l-1",
      "  l-1",
      "    before  {\"cents\":2,\"entries\":1,\"large\":false}",
      "    after   {\"cents\":15,\"entries\":2,\"large\":false}"
    ])
    assert.deepStrictEqual(await views(["resume", "balances"]), ["balances goes on as soon as a worker has it."])
    assert.include((await run()).stdout, "balances has all of it")

    // All of it once more, from the beginning.
    assert.deepStrictEqual(await views(["reset", "balances", "--yes"]), [
      "balances is empty, and begins at the first event as soon as a worker has it."
    ])
    const [, begins] = await views(["status", "balances"])
    assert.match(begins ?? "", /^balances +1 live +0 +8 +8 · /)
    await run()
    const [, , ledger] = await views(["list", "balances"])
    assert.strictEqual(ledger, "l-1     29        4  false")
  }, 120_000)

  it("is told that an inline view lacks nothing, wherever its reader has left off", async () => {
    const { run, views } = ledgers()
    const env = { KEPT: "inline" }
    assert.strictEqual((await run(env)).exitCode, 0)
    const { head, position } = JSON.parse((await views(["get", "balances", "l-1", "--json"], env)).join(""))
    assert.deepStrictEqual([position, head], ["8", "8"])
    const [, status] = await views(["status", "balances"], env)
    assert.match(status ?? "", /inline/)
  }, 120_000)

  it("takes back a stream that was passed over, once the code is mended", async () => {
    const { failing, run, views } = ledgers()
    const env = { POISON: "13", THEN: "quarantine" }
    assert.strictEqual((await run(env, "--concurrency", "1")).exitCode, 0)
    const [head, tried, error, , next] = await views(["letters", "balances"])
    assert.strictEqual(head, "position 4: Entered of Ledger l-1, which is passed over since")
    assert.match(tried ?? "", /^ {2}HandlerFailed, tried once, \d{4}-\d\d-\d\dT[\d:.]+Z$/)
    assert.deepStrictEqual([error, next], [
      "  nobody can book 13",
      "`views retry balances POSITION` tries an event again, `views discard balances POSITION` gives it up."
    ])
    assert.deepStrictEqual(await failing(["retry", "balances", "4"], env), [
      "balances failed at position 4 again: nobody can book 13"
    ])
    const { letters, parked } = JSON.parse((await views(["letters", "balances", "--json"])).join(""))
    assert.deepStrictEqual([letters.length, letters[0].position, letters[0].attempts, parked.length], [1, "4", 2, 1])
    assert.deepStrictEqual(await views(["retry", "balances", "4"]), ["balances has worked off 3 events."])
    const [, , ledger] = await views(["list", "balances"])
    assert.strictEqual(ledger, "l-1     29        4  false")
  }, 120_000)

  it("goes back to an older version of a view, lets newer ones take over again, and forgets the old one", async () => {
    const { run, views } = ledgers()
    const second = { VERSION: "2" }
    const version = async () => {
      const [status] = JSON.parse((await views(["status", "balances", "--json"], second)).join(""))
      return [status.live.version, status.live.pinned, status.state]
    }
    await run()
    await run(second)
    assert.deepStrictEqual(await version(), [2, false, "unattended"])
    await views(["rollback", "balances", "1"], second)
    await run(second)
    assert.deepStrictEqual(await version(), [1, true, "unattended"])
    await views(["unpin", "balances"], second)
    await run(second)
    assert.deepStrictEqual(await version(), [2, false, "unattended"])
    assert.deepStrictEqual(await views(["drop", "balances", "1", "--yes"], second), ["Version 1 of balances is gone."])
  }, 120_000)
})
