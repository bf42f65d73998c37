/** Lines that no well-meaning program writes: each is told from the others by its number, and none harms another. */
import { assert, describe, it } from "@effect/vitest"
import { createWriteStream } from "node:fs"
import { join } from "node:path"
import { finished } from "node:stream/promises"
import { expenses, inProject, makeFile, makeFolder, plain, varve } from "./processes.ts"

const claim = {
  case: "trip-1",
  activity: "Declaration SUBMITTED by EMPLOYEE",
  time: "2024-03-04T08:00:00.000+01:00",
  role: "EMPLOYEE",
  resource: "STAFF MEMBER",
  step: "step-1",
  Amount: "26.85",
  BudgetNumber: "physics",
  DeclarationNumber: "2024-001"
}
const handIn = (trip: string, more: object = {}) => JSON.stringify({ ...claim, case: trip, ...more })
const deep = "[".repeat(100_000) + "]".repeat(100_000)

/** Runs these lines, in memory; bad lines by their numbers, and what was counted. */
const run = async (...lines: ReadonlyArray<string | Uint8Array>) => {
  const file = makeFile("lines.ndjson", Buffer.concat(lines.map((line) => Buffer.from(line))))
  const ended = await varve([...expenses, "--commands", file, "--store", "memory", "--json"])
  assert.strictEqual(ended.exitCode, 0, ended.stderr)
  assert.isTrue(plain(ended), ended.stderr)
  const { accepted, bad, lines: count, rejected } = JSON.parse(ended.stdout)
  const said = [...ended.stderr.matchAll(/^line (\d+) is bad: (.*)$/gm)].map(([, number, problem]) => [number, problem])
  return { counts: { count, accepted, rejected, bad }, said }
}

describe("a line", () => {
  it("may begin with a byte order mark, end in CRLF, or end the file without a line break", async () => {
    const { counts } = await run(`\ufeff${handIn("a")}\r\n`, `${handIn("b")}\r\n\r\n\r\n`, handIn("c"))
    assert.deepStrictEqual(counts, { count: 3, accepted: 3, rejected: {}, bad: 0 })
  })

  it("of more than 4 MiB is bad, and the next one is read from its beginning", async () => {
    const { counts, said } = await run(
      `${handIn("a")}\n`,
      `${handIn("b", { note: "x".repeat(5 * 1024 * 1024) })}\n`,
      `${handIn("c")}\n`,
      `${handIn("d", { note: "x".repeat(4 * 1024 * 1024 - 1_000) })}\n`
    )
    assert.deepStrictEqual(counts, { count: 4, accepted: 3, rejected: {}, bad: 1 })
    assert.deepStrictEqual(said, [["2", "it is longer than 4194304 bytes"]])
  })

  it("that is not text, or holds what no store keeps, is bad", async () => {
    const { counts, said } = await run(
      Buffer.concat([Buffer.from(handIn("a")), Buffer.from([0xc3, 0x28]), Buffer.from("\n")]),
      Buffer.from([0xff, 0xfe, 0x00, 0x0a]),
      `${handIn("b").replace("physics", "phy\0sics")}\n`,
      `${handIn("c", { BudgetNumber: "phy\0sics" })}\n`,
      `${handIn("d\0")}\n`,
      `${handIn("e\ud800")}\n`,
      `${handIn("f", { resource: "\udfff" })}\n`,
      `${handIn("g")}\n`
    )
    assert.deepStrictEqual(counts, { count: 8, accepted: 1, rejected: {}, bad: 7 })
    assert.deepStrictEqual(said, [
      ["1", "it is not valid UTF-8"],
      ["2", "it is not valid UTF-8"],
      ["3", "it is not valid JSON"],
      ["4", "event \"DeclarationSubmitted\" is not valid: it contains a NUL character"],
      ["5", "the id is not valid: it contains a NUL character"],
      ["6", "the id is not valid: it contains a lone surrogate"],
      ["7", "the metadata is not valid: it contains a lone surrogate"]
    ])
  })

  it("that is nested 100,000 deep is read as far as it is asked for, and bad where it is", async () => {
    const { counts, said } = await run(
      `${handIn("a").slice(0, -1)},"note":${deep}}\n`,
      `${handIn("b").replace("\"26.85\"", deep)}\n`,
      `${deep}\n`,
      `${"{\"a\":".repeat(100_000)}1${"}".repeat(100_000)}\n`
    )
    assert.deepStrictEqual(counts, { count: 4, accepted: 1, rejected: {}, bad: 3 })
    assert.deepStrictEqual(said, [
      ["2", "Expected string at [\"Amount\"]"],
      ["3", "Expected object"],
      ["4", "Missing key at [\"case\"]"]
    ])
  })

  it("with `__proto__` keys gets nothing through them, and gives nothing to the lines after it", async () => {
    const { counts, said } = await run(
      `${handIn("a").slice(0, -1)},"__proto__":{"case":"z"},"constructor":{"prototype":{"case":"z"}}}\n`,
      `{"__proto__":${handIn("b")}}\n`,
      `{"constructor":{"prototype":${handIn("c")}}}\n`,
      "{}\n",
      `${handIn("__proto__")}\n`,
      `${handIn("__proto__")}\n`,
      `${handIn("constructor")}\n`
    )
    assert.deepStrictEqual(counts, { count: 7, accepted: 3, rejected: { AlreadyDone: 1 }, bad: 3 })
    assert.deepStrictEqual(said, [
      ["2", "Missing key at [\"case\"]"],
      ["3", "Missing key at [\"case\"]"],
      ["4", "Missing key at [\"case\"]"]
    ])
  })

  it("with a name or an event that is too large is bad, and says how large it may be", async () => {
    const { counts, said } = await run(
      `${handIn("ü".repeat(255))}\n`,
      `${handIn("ü".repeat(256))}\n`,
      `${handIn("c", { BudgetNumber: "x".repeat(300_000) })}\n`,
      `${handIn("d", { resource: "x".repeat(20_000) })}\n`
    )
    assert.deepStrictEqual(counts, { count: 4, accepted: 1, rejected: {}, bad: 3 })
    assert.deepStrictEqual(said.map(([number]) => number), ["2", "3", "4"])
    assert.match(said[0]?.[1] ?? "", /has 256 characters; at most 255 are allowed/)
    assert.match(said[1]?.[1] ?? "", /has 300\d{3} bytes; at most 262144 are allowed/)
    assert.match(said[2]?.[1] ?? "", /has 20\d{3} bytes; at most 16384 are allowed/)
  })
})

it("by line, a file of 300,000 is carried out in bounded memory", async () => {
  const file = join(makeFolder(), "many.ndjson")
  const out = createWriteStream(file)
  for (let number = 0; number < 300_000; number++) {
    // Bad lines as well, and lines of one key after the other: what waits must not pile up either.
    out.write(
      number % 100 === 0 ? "{}\n" : `{"word":"w${Math.floor(number / 50) % 500}","note":"${"x".repeat(100)}"}\n`
    )
  }
  out.end()
  await finished(out)
  const app = inProject("test/cli/tallyApp.ts")
  // Each line held to the end would take more than the heap that it is given.
  const env = { NODE_OPTIONS: "--max-old-space-size=96" }
  const ended = await varve(["run", "--app", app, "--commands", file, "--store", "memory", "--json"], { env })
  assert.strictEqual(ended.exitCode, 0, ended.stderr.slice(-2_000))
  const { accepted, bad } = JSON.parse(ended.stdout)
  assert.deepStrictEqual({ accepted, bad }, { accepted: 297_000, bad: 3_000 })
  const peakKib = Number(/^peak (\d+) KiB$/m.exec(ended.stderr)?.[1])
  assert.isBelow(peakKib, 400 * 1024)
}, 300_000)
