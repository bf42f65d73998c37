/**
 * How reading the log becomes following it, on a log that is told what to answer.
 */
import { describe, it } from "@effect/vitest"
import { deepStrictEqual, strictEqual } from "@effect/vitest/utils"
import { Effect, Stream } from "effect"
import type { Stored } from "../src/Event.ts"
import type { LogPage } from "../src/EventStore.ts"
import * as Pages from "../src/internal/pages.ts"

/** Follows until so many pages have come. Answers what the log was asked, in order. */
const asked = Effect.fnUntraced(function*(pages: ReadonlyArray<Omit<LogPage, "events">>) {
  const asked: Array<string> = []
  const answers = [...pages]
  const follow = Pages.follow(
    ({ after }) =>
      Effect.sync(() => {
        asked.push(`page after ${after}`)
        return { events: [], ...answers.shift()! }
      }),
    (head) => Effect.sync(() => asked.push(`more than ${head}`))
  )
  const goesOn = pages.filter(({ position }, index) => position > (pages[index - 1]?.position ?? 0n))
  yield* Stream.runDrain(Stream.take(follow({ after: 0n }), goesOn.length))
  return asked
})

describe("following a log", () => {
  it.effect("waits for more as soon as a page has reached its end, and reads no page before there is more", () =>
    Effect.gen(function*() {
      const pages = [{ position: 10n, head: 12n }, { position: 12n, head: 12n }, { position: 15n, head: 15n }]
      deepStrictEqual(yield* asked(pages), ["page after 0", "page after 10", "more than 12", "page after 12"])
    }))

  it.effect("goes on waiting where it was woken for nothing", () =>
    Effect.gen(function*() {
      const pages = [{ position: 12n, head: 12n }, { position: 12n, head: 12n }, { position: 15n, head: 15n }]
      const expected = ["page after 0", "more than 12", "page after 12", "more than 12", "page after 12"]
      deepStrictEqual(yield* asked(pages), expected)
    }))
})

const stored: Stored = {
  tenant: "default",
  category: "Account",
  id: "a-1",
  version: 1,
  position: 1n,
  eventId: "7c4f9a0e-1f0b-4d3e-9d53-6f1f0a3b2c1d",
  type: "Happened",
  schemaVersion: 1,
  data: "{}",
  metadata: "{}",
  recordedAtMillis: 0
}

describe("a page of a log that is damaged", () => {
  const told = (...positions: ReadonlyArray<bigint>) => {
    const events = positions.map((position) => ({ ...stored, position }))
    const page = { events, position: positions.at(-1)!, head: positions.at(-1)! }
    return Effect.map(Effect.flip(Pages.assertDense({ after: 0n }, page)), ({ message }) => message)
  }

  it.effect("is called what it is: a hole, or a position that is there twice", () =>
    Effect.gen(function*() {
      strictEqual(yield* told(1n, 3n), "The log has a hole: position 3 follows 1")
      strictEqual(yield* told(1n, 1n, 2n), "The log has a position twice: 1 follows 1")
    }))
})
