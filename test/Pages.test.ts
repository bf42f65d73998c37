/**
 * How reading the log becomes following it, on a log that is told what to answer.
 */
import { describe, it } from "@effect/vitest"
import { deepStrictEqual } from "@effect/vitest/utils"
import { Effect, Stream } from "effect"
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
