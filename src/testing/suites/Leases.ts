/**
 * Leases: one holder at a time, as long as it lasts, by the store's clock.
 */
import { assertTrue, deepStrictEqual, strictEqual } from "@effect/vitest/utils"
import { Effect } from "effect"
import { TestClock } from "effect/testing"
import { Lease } from "../../Lease.ts"
import type { Guarantees } from "./Guarantees.ts"
import * as Names from "./Names.ts"
import * as ReadSide from "./ReadSide.ts"
import * as Sample from "./Sample.ts"

const hour = 3_600_000

const claim = (name: string, holder: string, millis = hour) =>
  Effect.flatMap(Lease, (leases) => leases.claim({ name, holder, millis }))

const release = (name: string, holder: string) => Effect.flatMap(Lease, (leases) => leases.release({ name, holder }))

/** Who holds a lease and for which time, once a claim was made. */
const holders = (name: string, ...claimants: ReadonlyArray<string>) =>
  Effect.forEach(claimants, (holder) => Effect.map(claim(name, holder), ({ holder, term }) => [holder, term]))

/** The leases whose names begin so. */
const listed = (prefix: string) =>
  Effect.flatMap(Lease, (leases) => Effect.map(leases.list, (all) => all.filter(({ name }) => name.startsWith(prefix))))

/** Lets time pass, virtual time or the store's own, until nobody holds the lease. */
const ended = Effect.fnUntraced(function*(name: string) {
  while ((yield* listed(name)).length > 0) yield* TestClock.adjust(1)
})

/** What a lease promises. */
export const guarantees: Guarantees<Lease> = {
  "a lease that is free is his who claims it first, until it ends": Effect.gen(function*() {
    const name = Sample.name("lease")
    deepStrictEqual(yield* holders(name, "a", "b", "c", "a"), [["a", 1], ["a", 1], ["a", 1], ["a", 1]])
    const [only, ...rest] = yield* listed(name)
    deepStrictEqual([only?.name, only?.holder, only?.term, rest], [name, "a", 1, []])
  }),

  "its holder prolongs it, and is told until when": Effect.gen(function*() {
    const name = Sample.name("lease")
    const first = yield* claim(name, "a", 1)
    assertTrue(Number.isSafeInteger(first.untilMillis))
    const second = yield* claim(name, "a", hour)
    assertTrue(second.untilMillis >= first.untilMillis + hour - 1)
    deepStrictEqual(yield* claim(name, "b"), second)
    deepStrictEqual(yield* listed(name), [{ name, ...second }])
    // A claim says how long from now on, also if that is sooner than it was.
    const third = yield* claim(name, "a", 1_000)
    assertTrue(third.untilMillis < second.untilMillis)
    strictEqual(third.term, 1)
  }),

  "a lease that has ended is free for everybody": Effect.gen(function*() {
    const name = Sample.name("lease")
    yield* claim(name, "a", 1)
    yield* ended(name)
    deepStrictEqual(yield* holders(name, "b", "a"), [["b", 2], ["b", 2]])
    yield* claim(name, "b", 1)
    yield* ended(name)
    deepStrictEqual(yield* holders(name, "b", "a"), [["b", 2], ["b", 2]])
  }),

  "a lease lasts as long as was said, by the store's clock": Effect.gen(function*() {
    const name = Sample.name("lease")
    const { untilMillis } = yield* claim(name, "a", 20)
    while (true) {
      const { holder, untilMillis: otherUntil } = yield* claim(name, "b", hour)
      if (holder === "b") {
        assertTrue(otherUntil - hour >= untilMillis, `${otherUntil - hour} ${untilMillis}`)
        return
      }
      yield* TestClock.adjust(1)
    }
  }),

  "a lease is given back by its holder, and by nobody else": Effect.gen(function*() {
    const name = Sample.name("lease")
    yield* release(name, "a")
    yield* claim(name, "a")
    yield* release(name, "b")
    deepStrictEqual(yield* holders(name, "b"), [["a", 1]])
    yield* release(name, "a")
    deepStrictEqual(yield* listed(name), [])
    yield* release(name, "a")
    deepStrictEqual(yield* holders(name, "b", "a"), [["b", 2], ["b", 2]])
    yield* release(name, "a")
    deepStrictEqual(yield* holders(name, "a"), [["b", 2]])
    yield* release(name, "b")
    deepStrictEqual(yield* holders(name, "b"), [["b", 2]])
  }),

  "of many who claim it at once one gets it, and all are told who": Effect.gen(function*() {
    const name = Sample.name("lease")
    const claimants = Array.from({ length: 20 }, (_, index) => `claimant ${index}`)
    const answers = yield* Effect.forEach(claimants, (holder) => claim(name, holder), { concurrency: "unbounded" })
    strictEqual(new Set(answers.map(({ holder }) => holder)).size, 1)
    strictEqual((yield* listed(name)).length, 1)
  }),

  "leases are listed by name in code points": Effect.gen(function*() {
    const prefix = Sample.name("leases")
    for (const end of Names.ordered.toReversed()) yield* claim(`${prefix}${end}`, end)
    const found = yield* listed(prefix)
    deepStrictEqual(found.map(({ name }) => name), Names.ordered.map((end) => `${prefix}${end}`))
    deepStrictEqual(found.map(({ holder }) => holder), Names.ordered)
  }),

  "any name is a lease of its own": Effect.gen(function*() {
    const prefix = Sample.name("odd").slice(0, 30)
    for (const odd of Names.odd) deepStrictEqual(yield* holders(`${prefix}${odd}`, odd), [[odd, 1]])
    for (const odd of Names.odd) deepStrictEqual(yield* holders(`${prefix}${odd}`, "another"), [[odd, 1]])
  }),

  "what cannot be a claim is a defect, and nobody's lease is released by it": Effect.gen(function*() {
    const name = Sample.name("lease")
    yield* claim("\uFFFD", "\uFFFD")
    for (const wrong of Names.malformed) {
      yield* ReadSide.refused(claim(wrong, "a"))
      yield* ReadSide.refused(claim(name, wrong))
      yield* release(wrong, "\uFFFD")
      yield* release("\uFFFD", wrong)
    }
    for (const millis of [0, -1, 0.5, NaN, Infinity, 2 ** 31]) yield* ReadSide.refused(claim(name, "a", millis))
    deepStrictEqual(yield* listed(name), [])
    strictEqual((yield* listed("\uFFFD")).length, 1)
  })
}
