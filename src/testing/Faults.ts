/**
 * Faults on command: what a test lets happen to the calls of a port, one after the other or by chance from a seed. The
 * ports have their own modules, `FaultyStore` and `FaultySnapshotStore`; this one has what they share.
 *
 * A fault is a function around a call, so faults compose: `[gate.before, lostAfter]` holds the call, then loses its
 * reply. Nothing here sleeps in real time; delays are as long as Effect's clock says, virtual under a `TestClock`.
 */
import { type Duration, Effect, Latch } from "effect"
import { randomOf } from "./Seeded.ts"

/** What happens to a call, with what it adds to its failures. One that returns the call itself lets it pass. */
export type Fault<out E = never> = <A, E1>(call: Effect.Effect<A, E1>) => Effect.Effect<A, E | E1>

/** One fault, or several around each other, the outermost first. */
export type Faulty<E> = Fault<E> | ReadonlyArray<Fault<E>>

/** A call, before it is made: its operation and what it was given. */
export interface Call<out Operation extends string> {
  readonly operation: Operation
  readonly args: ReadonlyArray<unknown>
}

/** Which calls a fault is for. */
export type When<Operation extends string> = (call: Call<Operation>) => boolean

/** What a test commands, and what has come of it. `Failures` says how each operation may fail. */
export interface Faults<Failures extends Record<string, unknown>> {
  /** The next calls of an operation meet these, one each, in this order; calls after them are as ever. */
  readonly next: <O extends keyof Failures & string>(
    operation: O,
    ...faults: ReadonlyArray<Faulty<Failures[O]>>
  ) => Effect.Effect<void>
  /** The `nth` call of an operation from now on meets this; 1 is the next one. What was planned for it is replaced. */
  readonly nth: <O extends keyof Failures & string>(
    operation: O,
    nth: number,
    fault: Faulty<Failures[O]>
  ) => Effect.Effect<void>
  /** From now on all calls of an operation meet this, or those that `when` picks, unless one is planned for them. */
  readonly always: <O extends keyof Failures & string>(
    operation: O,
    fault: Faulty<Failures[O]>,
    when?: When<O>
  ) => Effect.Effect<void>
  /** Ends all faults. Calls that are held stay held. */
  readonly heal: Effect.Effect<void>
  /** How many calls were made so far: of one operation, or of all. */
  readonly calls: (operation?: keyof Failures & string) => Effect.Effect<number>
  /** How many calls met a fault so far: of one operation, or of all. */
  readonly met: (operation?: keyof Failures & string) => Effect.Effect<number>
  /** Ends when so many calls were made in all, of one operation or of any: at once if they were. */
  readonly awaitCalls: (count: number, operation?: keyof Failures & string) => Effect.Effect<void>
  /** Ends when so many calls met a fault in all, of one operation or of any: at once if they did. */
  readonly awaitMet: (count: number, operation?: keyof Failures & string) => Effect.Effect<void>
}

/** The other side of `Faults`: makes a call, and lets happen to it what was commanded. */
export type Meet = <A, E>(
  operation: string,
  args: ReadonlyArray<unknown>,
  call: Effect.Effect<A, E>
) => Effect.Effect<A, E>

interface Standing {
  readonly fault: Faulty<unknown>
  readonly when: When<string>
}

/**
 * Faults for one port, and the function through which its calls must go: for a port of your own that shall fail on
 * command. `Failures` says how each operation may fail.
 *
 * @example
 * ```ts
 * import { Effect, Exit } from "effect"
 * import * as Faults from "varve/testing/Faults"
 *
 * const program = Effect.gen(function*() {
 *   const [faults, meet] = Faults.make<{ readonly save: string }>()
 *   const save = Effect.exit(meet("save", ["a file"], Effect.succeed("saved")))
 *   yield* faults.next("save", () => Effect.fail("disk full"))
 *   return [yield* save, yield* save]
 * })
 * await Effect.runPromise(program) // => [Exit.fail("disk full"), Exit.succeed("saved")]
 * ```
 */
export const make = <Failures extends Record<string, unknown>>(): readonly [Faults<Failures>, Meet] => {
  const made = tally()
  const met = tally()
  const planned = new Map<string, Array<Faulty<unknown>>>()
  const standing = new Map<string, Set<Standing>>()

  const due = (call: Call<string>): Faulty<unknown> => {
    const next = planned.get(call.operation)?.shift()
    if (next !== undefined) return next
    for (const { fault, when } of standing.get(call.operation) ?? []) {
      if (when(call)) return fault
    }
    return passes
  }

  const faults: Faults<Failures> = {
    next: (operation, ...next) =>
      Effect.sync(() => {
        planned.set(operation, [...planned.get(operation) ?? [], ...next])
      }),
    nth: (operation, nth, fault) =>
      Effect.sync(() => {
        if (!Number.isSafeInteger(nth) || nth < 1) throw new RangeError(`nth counts calls from 1; it is ${nth}.`)
        const plan = planned.get(operation) ?? []
        while (plan.length < nth) plan.push(passes)
        plan[nth - 1] = fault
        planned.set(operation, plan)
      }),
    always: (operation, fault, when = () => true) =>
      Effect.sync(() => {
        const entry = { fault, when } as Standing
        const entries = standing.get(operation) ?? new Set()
        standing.set(operation, entries.add(entry))
      }),
    heal: Effect.sync(() => {
      planned.clear()
      standing.clear()
    }),
    calls: (operation) => Effect.sync(() => made.count(operation)),
    met: (operation) => Effect.sync(() => met.count(operation)),
    awaitCalls: made.reaches,
    awaitMet: met.reaches
  }

  const meet: Meet = (operation, args, call) =>
    Effect.suspend(() => {
      // What a fault may fail with is what its operation may fail with: `next`, `nth` and `always` see to it.
      const fault = due({ operation, args }) as Faulty<never>
      const faulty = around(fault)(call)
      made.add(operation)
      if (faulty !== call) met.add(operation)
      return faulty
    })

  return [faults, meet]
}

const around = <E>(faulty: Faulty<E>): Fault<E> => (call) =>
  typeof faulty === "function"
    ? faulty(call)
    : faulty.reduceRight<typeof call>((inner, fault) => fault(inner) as typeof call, call)

/** Counts by operation, and those who wait for a count. */
const tally = () => {
  const counts = new Map<string, number>()
  const waiting = new Set<() => void>()
  const count = (operation?: string): number =>
    operation === undefined
      ? Array.from(counts.values()).reduce((sum, count) => sum + count, 0)
      : counts.get(operation) ?? 0
  return {
    count,
    add: (operation: string): void => {
      counts.set(operation, count(operation) + 1)
      for (const look of waiting) look()
    },
    reaches: (target: number, operation?: string): Effect.Effect<void> =>
      Effect.callback((resume) => {
        const look = () => {
          if (count(operation) < target) return
          waiting.delete(look)
          resume(Effect.void)
        }
        waiting.add(look)
        look()
        return Effect.sync(() => waiting.delete(look))
      })
  }
}

/** Nothing happens to the call: for a place in the plan of `next`. */
export const passes: Fault = (call) => call

/** The call is never made and never answered, until whoever waits is interrupted. To let it go later, use a `gate`. */
export const hangs: Fault = () => Effect.never

/** The call is made, and its answer never comes, until whoever waits is interrupted. */
export const replyLost: Fault = (call) => Effect.andThen(call, Effect.never)

/**
 * The call is made later, by Effect's clock.
 *
 * @example
 * ```ts
 * import { Effect } from "effect"
 * import * as Faults from "varve/testing/Faults"
 *
 * await Effect.runPromise(Faults.delayed("1 milli")(Effect.succeed("done"))) // => "done"
 * ```
 */
export const delayed = (duration: Duration.Input): Fault => first(Effect.sleep(duration))

/**
 * Something else happens first, then the call.
 *
 * @example
 * ```ts
 * import { Effect } from "effect"
 * import * as Faults from "varve/testing/Faults"
 *
 * const order: Array<string> = []
 * const note = (what: string) => Effect.sync(() => order.push(what))
 * await Effect.runPromise(Faults.first(note("another writer"))(note("the call")))
 * order // => ["another writer", "the call"]
 * ```
 */
export const first = (happens: Effect.Effect<unknown>): Fault => (call) => Effect.andThen(happens, call)

/**
 * The call is made, and dies on its way back: a bug of the adapter, which knows no types.
 *
 * @example
 * ```ts
 * import { Effect, Exit } from "effect"
 * import * as Faults from "varve/testing/Faults"
 *
 * const died = Effect.exit(Faults.diesAfter("a bug")(Effect.succeed("done")))
 * await Effect.runPromise(died) // => Exit.die("a bug")
 * ```
 */
export const diesAfter = (defect: unknown): Fault => (call) => Effect.andThen(call, Effect.die(defect))

/** How often a fault happens. */
export interface Chance {
  /** 0 for never, 1 for always. */
  readonly probability: number
  /** What is drawn follows from it: the same seed and the same calls meet the same faults. */
  readonly seed: number
}

/**
 * One of these faults, each as likely as the others, with a probability; else the call passes. For `always`.
 *
 * @example
 * ```ts
 * import { Effect } from "effect"
 * import * as Faults from "varve/testing/Faults"
 *
 * const twoInThree = Faults.sometimes({ probability: 2 / 3, seed: 7 }, Faults.first(Effect.yieldNow))
 * const call = Effect.succeed("done")
 * await Effect.runPromise(twoInThree(call)) // => "done"
 * ```
 */
export const sometimes = <E>(
  { probability, seed }: Chance,
  ...faults: readonly [Fault<E>, ...ReadonlyArray<Fault<E>>]
): Fault<E> => {
  if (!(probability >= 0 && probability <= 1)) throw new RangeError(`A probability is 0 to 1, not ${probability}.`)
  const random = randomOf(seed)
  return (call) => random.next() < probability ? random.oneOf(faults)(call) : call
}

/** Holds calls until it is opened. */
export interface Gate {
  /** The call waits here before it is made. */
  readonly before: Fault
  /** The call is made, and its answer waits here. */
  readonly after: Fault
  /** Ends when a call stands here. */
  readonly arrived: Effect.Effect<void>
  /** Lets all pass, now and later. */
  readonly open: Effect.Effect<void>
}

/**
 * A gate; closed.
 *
 * @example
 * ```ts
 * import { Effect, Fiber } from "effect"
 * import * as Faults from "varve/testing/Faults"
 *
 * const program = Effect.gen(function*() {
 *   const gate = yield* Faults.gate
 *   const call = yield* Effect.forkChild(gate.before(Effect.succeed("done")))
 *   yield* gate.arrived // the call stands here, and is not made
 *   yield* gate.open
 *   return yield* Fiber.join(call)
 * })
 * await Effect.runPromise(program) // => "done"
 * ```
 */
export const gate: Effect.Effect<Gate> = Effect.sync(() => {
  const reached = Latch.makeUnsafe()
  const opened = Latch.makeUnsafe()
  const pass = Effect.andThen(reached.open, opened.await)
  return {
    before: (call) => Effect.andThen(pass, call),
    after: (call) => Effect.tap(call, () => pass),
    arrived: reached.await,
    open: Effect.asVoid(opened.open)
  }
})
