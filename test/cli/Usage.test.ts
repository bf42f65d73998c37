/** How the command line answers those who ask it, and those who ask wrongly: in plain words, with a code for the shell. */
import { assert, describe, it } from "@effect/vitest"
import { mkdirSync, readFileSync } from "node:fs"
import { join } from "node:path"
import { gzipSync } from "node:zlib"
import { expenses, fixture, inProject, makeFile, makeFolder, plain, start, varve } from "./processes.ts"

describe("help", () => {
  it("of the whole names its commands", async () => {
    const ended = await varve(["--help"])
    assert.strictEqual(ended.exitCode, 0)
    assert.match(ended.stdout, /USAGE\n {2}varve <subcommand>/)
    assert.match(ended.stdout, /SUBCOMMANDS\n {2}run +Carry out a file of commands/)
    assert.match(ended.stdout, /\n {2}export +Write the log of a store to a file/)
    assert.match(ended.stdout, /\n {2}history +Replay an exported log with the code of an app/)
    assert.strictEqual(ended.stderr, "")
  })

  it("of run names every flag with what it takes, and gives examples", async () => {
    const ended = await varve(["run", "--help"])
    assert.strictEqual(ended.exitCode, 0)
    for (
      const flag of [
        "--store NAME",
        "--url URL",
        "--app FILE",
        "--commands FILE",
        "--batch NAME",
        "--strict",
        "--concurrency",
        "--patience DURATION",
        "--json"
      ]
    ) assert.include(ended.stdout, `\n  ${flag} `)
    assert.include(ended.stdout, "npm start -- run --app examples/expenses/app.ts")
  })

  it("of export and history names every flag with what it takes", async () => {
    const exporting = await varve(["export", "--help"])
    for (const flag of ["--store NAME", "--url URL", "--output FILE"]) assert.include(exporting.stdout, `\n  ${flag} `)
    const replaying = await varve(["history", "--help"])
    for (const flag of ["--app FILE", "--log FILE", "--others", "--json"]) {
      assert.include(replaying.stdout, `\n  ${flag} `)
    }
  })

  it("of views get names a key that the demo has, as the README does", async () => {
    const { stdout } = await varve(["views", "get", "--help"])
    const [example = "?"] = /npm start -- views get order-summaries o-\d{9}/.exec(stdout) ?? []
    assert.include(readFileSync(inProject("README.md"), "utf8"), example)
  })

  it("of views names what may be asked and done, each in a line", async () => {
    const ended = await varve(["views", "--help"])
    for (
      const command of [
        "get",
        "list",
        "status",
        "pause",
        "resume",
        "letters",
        "retry",
        "discard",
        "step",
        "rollback",
        "unpin",
        "reset",
        "drop",
        "accept"
      ]
    ) assert.match(ended.stdout, new RegExp(`\\n {2}${command} +[A-Z][^\\n]{10,110}\\n`))
  })

  it("of npm start says what it runs, and that it drains", async () => {
    const ended = await start("examples/main.ts", ["--help"]).ended
    assert.strictEqual(ended.exitCode, 0)
    assert.include(ended.stdout, "It drains on Ctrl-C or SIGTERM, and goes on where it stopped.")
    assert.match(ended.stdout, /USAGE\n {2}npm start -- /)
    assert.notMatch(ended.stdout, /--wizard|--completions/)
    for (const flag of ["--store NAME", "--url URL", "--rate", "--seed"]) assert.include(ended.stdout, `\n  ${flag} `)
  })
})

describe("wrong usage is answered with help, the mistake, and exit code 2:", () => {
  const mistakes: ReadonlyArray<readonly [string, ReadonlyArray<string>, string]> = [
    ["no command", [], ""],
    ["an unknown command", ["walk"], "Unknown subcommand \"walk\""],
    ["an unknown flag", [...expenses, "--commands", fixture, "--fast"], "Unrecognized flag: --fast"],
    ["a missing flag", ["run", "--commands", fixture], "Missing required flag: --app"],
    [
      "a number out of range",
      [...expenses, "--commands", fixture, "--concurrency", "0"],
      "a value between 1 and 10000"
    ],
    ["a number that is none", [...expenses, "--commands", fixture, "--concurrency", "many"], "--concurrency"],
    ["a duration that is none", [...expenses, "--commands", fixture, "--patience", "long"], "like \"30 seconds\""],
    ["a batch without a name", [...expenses, "--commands", "-", "--batch", ""], "--batch"]
  ]
  for (const [name, args, mistake] of mistakes) {
    it(name, async () => {
      const ended = await varve(args)
      assert.strictEqual(ended.exitCode, 2)
      assert.include(ended.stdout, "USAGE")
      assert.include(ended.stderr, mistake)
      assert.isTrue(plain(ended), ended.stderr)
    })
  }
})

describe("npm run script", () => {
  it("runs a program of one's own on a Node that runs it, with its arguments", async () => {
    const file = makeFile("first.ts", "const args: Array<string> = process.argv.slice(2)\nconsole.log(args.join())\n")
    const ended = await start("scripts/run.mjs", ["script", file, "a", "b"]).ended
    assert.deepStrictEqual([ended.exitCode, ended.stdout], [0, "a,b\n"])
  })

  it("without a file, or with one that is not there, says what to name", async () => {
    for (const args of [[], ["none.ts"]]) {
      const ended = await start("scripts/run.mjs", ["script", ...args]).ended
      assert.deepStrictEqual([ended.exitCode, ended.stderr], [1, "Name a file: npm run script -- FILE.ts\n"])
    }
  })
})

describe("what cannot be begun is named in plain words, with exit code 2 where the call is wrong, else 1:", () => {
  const run = async (app: string, commands: string, exitCode = 1) => {
    const ended = await varve(["run", "--app", app, "--commands", commands, "--store", "memory"])
    assert.strictEqual(ended.exitCode, exitCode)
    assert.strictEqual(ended.stdout, "")
    assert.isTrue(plain(ended), ended.stderr)
    return ended.stderr
  }
  const expensesApp = inProject("examples/expenses/app.ts")
  const refusesApp = async (app: string, problem: string) =>
    assert.strictEqual(await run(app, fixture, 2), `${problem}\nSee examples/expenses/app.ts for an app that works.\n`)

  it("an app that is not there", () => refusesApp("none.ts", "Cannot load the app none.ts: there is no such file."))

  it("an app that is a folder", async () => {
    const folder = makeFolder()
    await refusesApp(folder, `Cannot load the app ${folder}: it is a folder.`)
  })

  it("an app without a default export", async () => {
    const app = makeFile("app.ts", "export const app = 1\n")
    await refusesApp(app, `${app} has no app: its default export must be made by App.make.`)
  })

  it("an app whose default export is none", async () => {
    const app = makeFile("app.ts", "export default { name: \"mine\" }\n")
    await refusesApp(app, `${app} has no app: its default export must be made by App.make.`)
  })

  it("an app with a syntax error, and the line that has it", async () => {
    const app = makeFile("app.ts", "const a = 1\nconst b: number = = 2\n")
    await refusesApp(app, `Cannot load the app ${app}: Expression expected (${app}:2)`)
  })

  it("an app that fails when it is loaded, and the line that failed", async () => {
    const app = makeFile("app.ts", "\nthrow new Error(\"no license\")\n")
    await refusesApp(app, `Cannot load the app ${app}: no license (${app}:2)`)
  })

  it("a file that is not there", async () => {
    assert.strictEqual(await run(expensesApp, "none.ndjson"), "Cannot read none.ndjson: there is no such file.\n")
  })

  it("a folder in place of a file", async () => {
    const folder = makeFolder()
    mkdirSync(join(folder, "log.ndjson.gz"))
    const path = join(folder, "log.ndjson.gz")
    assert.strictEqual(await run(expensesApp, path), `Cannot read ${path}: it is a folder.\n`)
  })

  it("a device in place of a file, which could not be read twice", async () => {
    assert.strictEqual(
      await run(expensesApp, "/dev/null"),
      "Cannot read /dev/null: it is a pipe or a device; name it - and give --batch NAME, with the pipe as input.\n"
    )
  })

  it("a gzip file that is cut short, before a line of it is carried out", async () => {
    const path = makeFile("log.ndjson.gz", gzipSync(readFileSync(fixture)).subarray(0, 3_000))
    assert.strictEqual(
      await run(expensesApp, path),
      `Cannot read ${path}: it is cut short; its gzip data has no end.\n`
    )
  })

  it("a gzip file that is none", async () => {
    const path = makeFile("log.ndjson.gz", "{}\n")
    assert.strictEqual(await run(expensesApp, path), `Cannot read ${path}: it is not gzip data, or it is damaged.\n`)
  })

  it("standard input without the name of a batch", async () => {
    assert.strictEqual(
      await run(expensesApp, "-", 2),
      "Commands from standard input need a name of their own: give --batch NAME, and the same name to repeat them.\n"
    )
  })
})
