/** The status line: one line in place in a terminal, a line now and then in a file, and what is said in between. */
import { assert, it } from "@effect/vitest"
import { Effect, Fiber } from "effect"
import { TestClock } from "effect/testing"
import * as StatusLine from "../../src/cli/StatusLine.ts"

/** Shows how often it was asked, while time passes. */
const watched = Effect.fnUntraced(
  function*(output: { readonly isTTY: boolean; readonly columns?: number }, text: string) {
    const written: Array<string> = []
    const status = StatusLine.make({ ...output, write: (text) => written.push(text) })
    let asked = 0
    const showing = status.during(Effect.sync(() => `${text} ${++asked}`), Effect.sleep("21 seconds"))
    const running = yield* Effect.forkChild(showing, { startImmediately: true })
    yield* TestClock.adjust("5 seconds")
    yield* status.say("a bad line")
    yield* TestClock.adjust("20 seconds")
    yield* Fiber.join(running)
    return written
  }
)

const clear = "\r\u001b[2K"

it.effect("is redrawn in place four times a second in a terminal, and stays there in the end", () =>
  Effect.gen(function*() {
    const written = yield* watched({ isTTY: true, columns: 80 }, "lines")
    assert.deepStrictEqual(written.slice(0, 3), [`${clear}lines 1`, `${clear}lines 2`, `${clear}lines 3`])
    assert.deepStrictEqual(written.slice(-2), [`${clear}lines 84`, "\n"])
    // What is said stands on a line of its own, and the status line is drawn again below it.
    const said = written.indexOf(`${clear}a bad line\n`)
    assert.strictEqual(written[said + 1], `${clear}lines 21`)
  }))

it.effect("is a line soon and every ten seconds, and one at the end, where nothing can be redrawn", () =>
  Effect.gen(function*() {
    const written = yield* watched({ isTTY: false }, "lines")
    assert.deepStrictEqual(written, ["lines 1\n", "a bad line\n", "lines 2\n", "lines 3\n", "lines 4\n"])
  }))

it.effect("is cut to the width of the terminal, so that it never wraps", () =>
  Effect.gen(function*() {
    const written = yield* watched({ isTTY: true, columns: 10 }, "a long story")
    assert.strictEqual(written[0], `${clear}a long s…`)
  }))

it.effect("does not keep work waiting that is done at once, nor hide its failure", () =>
  Effect.gen(function*() {
    const written: Array<string> = []
    const status = StatusLine.make({ write: (text) => written.push(text) })
    assert.strictEqual(yield* status.during(Effect.succeed("done"), Effect.succeed(1)), 1)
    assert.strictEqual(yield* Effect.flip(status.during(Effect.succeed("failed"), Effect.fail("no"))), "no")
    assert.strictEqual(yield* status.during(Effect.fail("unknown"), Effect.succeed(2)), 2)
    assert.deepStrictEqual(written, ["done\n", "failed\n"])
  }))
